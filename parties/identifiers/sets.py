"""The identifiers of a source for one set: read, normalised, hashed, counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from arro3.core import Array, RecordBatch

from parties.errors import SourceError
from parties.identifiers.blocks import Asked
from parties.identifiers.rejects import RejectReport
from parties.identifiers.specs import columns_of, domain, kinds_of
from parties.identifiers.texts import as_text, check_type
from parties.settings import IdentifierSettings
from parties.sources import Source
from psi import Elements, _core

Places: TypeAlias = Array
NOWHERE = _core.NOWHERE
"""The place of a row that names nothing."""

WARNING = "warning: "
"""How the reasons begin that keep the value."""

EMPTY = "empty"
"""The reason for a text of spaces or nothing. It counts as missing, as an empty cell of a CSV file
does: what is missing must not depend on the format."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedSet:
    """The identifiers of a source for one set, hashed and made distinct.

    Attributes:
        name: of the set.
        kind: of its identifiers.
        elements: n of them, in the order in which they came. Secret.
        counts: uint32, n entries: how many rows name each element.
        places: for each way uint32, as many entries as rows: which element the row names, or
            `NOWHERE` if the way gives no identifier, or one that an earlier way of this row gave
            already. Secret.
        rows: how many rows were read.
        named: how many of them name at least one identifier.
        missing: how many cells were empty.
        rejected: how many cells were rejected, by reason. A cell counts once, however many
            ways read it.
        warned: how many cells were kept in spite of a doubt, by reason.
    """

    name: str
    kind: str
    elements: Elements = field(repr=False)
    counts: Array = field(repr=False)
    places: tuple[Places, ...] = field(repr=False)
    rows: int
    named: int
    missing: int
    rejected: Mapping[str, int]
    warned: Mapping[str, int]

    def __len__(self) -> int:
        """Returns how many distinct identifiers there are."""
        return len(self.elements)


def identify(
    source: Source,
    spec: IdentifierSettings,
    report: RejectReport | None = None,
    *,
    may_be_empty: bool = False,
    key: bytes | None = None,
    asked: Asked | None = None,
) -> IdentifiedSet:
    """Reads a source once and returns its identifiers for one set.

    Memory: 48 bytes for each identifier that a row names, of which 16 go when they are told apart;
    4 for each distinct one, and 4 for each row and way.

    Args:
        source: the rows.
        spec: which columns hold the identifiers.
        report: takes the rejected cells.
        may_be_empty: whether no row need give an identifier.
        key: under which the set will be committed to: it is while its identifiers are told apart,
            and `Elements.commitment` takes no time then. Secret.
        asked: takes the identifiers, as long as they may be looked at by blocks.

    Raises:
        SettingsError: the kind is unknown, or parts and columns do not fit each other.
        SourceError: a column is missing or of a type that holds no identifiers, a row is bad, or no
            row gives an identifier; then with the number of cells for each reason.
        LocalFault: the report cannot be written.
    """
    kinds_of(spec)  # wrong settings are told before anything is read
    columns = columns_of(spec)
    batches = source.batches(columns)
    for column in columns:
        check_type(source.schema.field(column).type, f"{source.label}, column {column!r}")
    rows = missing = 0
    by_reason: Counter[str] = Counter()
    grouping = _core.Grouping(domain(spec), len(spec.columns))
    for batch in batches:
        cells = normalised(batch, spec)
        for (column, kind), read in cells.items():
            tally = read.by_reason()
            by_reason.update(tally)
            refused = sum(n for text, n in tally.items() if not text.startswith(WARNING))
            missing += read.values.null_count - refused
            if report is not None:
                shown = read.rejected(report.room)
                report.add(source, rows, column, kind, read.given, shown, refused)
        ways = texts(cells, spec)
        grouping.add(ways)
        if asked is not None:
            for way in ways:
                asked.add(way)
        rows += batch.num_rows
    named = grouping.named()
    rejected = {text: n for text, n in by_reason.items() if not text.startswith(WARNING)}
    warned = {
        text.removeprefix(WARNING): n for text, n in by_reason.items() if text not in rejected
    }
    if not named and not may_be_empty:
        counted = "; ".join(f"{n} {text}" for text, n in sorted(rejected.items()))
        raise SourceError(
            f"{source.label}: no row gives an identifier for {spec.name!r} ({spec.kind}): "
            f"{rows} rows, {missing} empty cells, {sum(rejected.values())} rejected cells"
            + (f" ({counted})" if counted else "")
        )
    block, counts, places = grouping.finish(key)
    return IdentifiedSet(
        name=spec.name,
        kind=spec.kind,
        elements=Elements(block),
        counts=counts,
        places=tuple(places),
        rows=rows,
        named=named,
        missing=missing,
        rejected=rejected,
        warned=warned,
    )


def elements_of(batch: RecordBatch, spec: IdentifierSettings) -> list[list[bytes | None]]:
    """Returns the elements that each row of a small batch names: for each way one for each row.

    None stands where the way gives no identifier, or one that an earlier way of this row gave
    already.

    Raises:
        SettingsError: as `identify`.
        SourceError: a column is of a type that holds no identifiers.
    """
    grouping = _core.Grouping(domain(spec), len(spec.columns))
    grouping.add(texts(normalised(batch, spec), spec))
    block, _, ways = grouping.finish()
    elements = Elements(block)
    return [named(elements, way) for way in ways]


def named(elements: Elements, places: Places) -> list[bytes | None]:
    """Returns the elements at a few places, None for `NOWHERE`."""
    return [None if at == NOWHERE else elements[at] for at in places.to_pylist()]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One column of a batch, normalised as one kind.

    Attributes:
        given: large_string, as it stands in the source. Secret.
        values: large_string, normalised; null where missing or rejected. Secret.
        reasons: codes of `_core.reasons()`, one byte each, 0 where fine or missing.
        tally: how many cells have each code.
    """

    given: Array = field(repr=False)
    values: Array = field(repr=False)
    reasons: bytes = field(repr=False)
    tally: Sequence[int]

    def rejected(self, most: int) -> list[tuple[int, str]]:
        """Returns position and reason of the first rejected cells, at most so many."""
        texts = _core.reasons()
        told = zip(texts, self.tally, strict=True)
        codes = bytes(code for code, (text, n) in enumerate(told) if n and not _is_kept(text))
        if not codes:
            return []
        found = re.finditer(b"[" + re.escape(codes) + b"]", self.reasons)
        return [(at.start(), texts[self.reasons[at.start()]]) for at in islice(found, most)]

    def by_reason(self) -> dict[str, int]:
        """Returns how many cells have each reason, warnings among them."""
        named = zip(_core.reasons(), self.tally, strict=True)
        return {text: n for text, n in named if n and text not in ("", EMPTY)}


def _is_kept(reason: str) -> bool:
    """Whether a cell with this reason is not rejected: it is fine, or missing, or warned of."""
    return reason in ("", EMPTY) or reason.startswith(WARNING)


def normalised(batch: RecordBatch, spec: IdentifierSettings) -> dict[tuple[str, str], Cells]:
    """Returns the cells of each pair of column and kind that a set reads, each pair once."""
    kinds = kinds_of(spec)
    cells: dict[tuple[str, str], Cells] = {}
    for pair in (pair for way in spec.columns for pair in zip(way, kinds, strict=True)):
        if pair not in cells:
            column, kind = pair
            given = as_text(batch.column(column), f"column {column!r}")
            cells[pair] = Cells(given, *_core.normalise(kind, given))
    return cells


def texts(cells: Mapping[tuple[str, str], Cells], spec: IdentifierSettings) -> list[Array]:
    """Returns the normalised identifiers of each way. Secret."""
    kinds = kinds_of(spec)
    ways = [[cells[pair].values for pair in zip(way, kinds, strict=True)] for way in spec.columns]
    return [_core.compose(parts) if spec.parts else parts[0] for parts in ways]
