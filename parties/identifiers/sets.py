"""The identifiers of a source for one set: read, normalised, hashed, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parties.errors import SourceError
from parties.identifiers.rejects import RejectReport
from parties.identifiers.specs import columns_of, domain, kinds_of
from parties.identifiers.texts import as_text, check_type
from parties.settings import IdentifierSettings
from parties.sources import Source
from psi import _core

Places = npt.NDArray[np.uint32]
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
        elements: n x 32 bytes, ascending, distinct. Secret.
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
    elements: bytes = field(repr=False)
    counts: pa.UInt32Array = field(repr=False)
    places: tuple[Places, ...] = field(repr=False)
    rows: int
    named: int
    missing: int
    rejected: Mapping[str, int]
    warned: Mapping[str, int]

    def __len__(self) -> int:
        """Returns how many distinct identifiers there are."""
        return len(self.elements) // 32


def identify(
    source: Source, spec: IdentifierSettings, report: RejectReport | None = None
) -> IdentifiedSet:
    """Reads a source once and returns its identifiers for one set.

    Memory: 48 bytes for each identifier that a row names while they are grouped, 36 for each
    distinct one, and 4 for each row and way.

    Args:
        source: the rows.
        spec: which columns hold the identifiers.
        report: takes the rejected cells.

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
        grouping.add(texts(cells, spec))
        rows += batch.num_rows
    named = grouping.named()
    rejected = {text: n for text, n in by_reason.items() if not text.startswith(WARNING)}
    warned = {
        text.removeprefix(WARNING): n for text, n in by_reason.items() if text not in rejected
    }
    if not named:
        counted = "; ".join(f"{n} {text}" for text, n in sorted(rejected.items()))
        raise SourceError(
            f"{source.label}: no row gives an identifier for {spec.name!r} ({spec.kind}): "
            f"{rows} rows, {missing} empty cells, {sum(rejected.values())} rejected cells"
            + (f" ({counted})" if counted else "")
        )
    elements, counts, ways = grouping.finish()
    places = tuple(np.asarray(way) for way in ways)
    return IdentifiedSet(
        spec.name, spec.kind, elements, counts, places, rows, named, missing, rejected, warned
    )


def elements_of(batch: pa.RecordBatch, spec: IdentifierSettings) -> list[list[bytes | None]]:
    """Returns the elements that each row of a small batch names: for each way one for each row.

    None stands where the way gives no identifier, or one that an earlier way of this row gave
    already.

    Raises:
        SettingsError: as `identify`.
        SourceError: a column is of a type that holds no identifiers.
    """
    grouping = _core.Grouping(domain(spec), len(spec.columns))
    grouping.add(texts(normalised(batch, spec), spec))
    elements, _, ways = grouping.finish()
    return [named(elements, np.asarray(way)) for way in ways]


def named(elements: bytes, places: Places) -> list[bytes | None]:
    """Returns the elements at a few places, None for `NOWHERE`."""
    return [None if at == NOWHERE else elements[32 * at : 32 * (at + 1)] for at in places.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One column of a batch, normalised as one kind.

    Attributes:
        given: large_string, as it stands in the source. Secret.
        values: large_string, normalised; null where missing or rejected. Secret.
        reasons: codes of `_core.reasons()`, 0 where fine or missing.
    """

    given: pa.LargeStringArray = field(repr=False)
    values: pa.LargeStringArray = field(repr=False)
    reasons: np.ndarray[tuple[int], np.dtype[np.uint8]] = field(repr=False)

    def rejected(self, most: int) -> list[tuple[int, str]]:
        """Returns position and reason of the first rejected cells, at most so many."""
        texts = _core.reasons()
        refused = np.array([not text.startswith(WARNING) for text in texts])
        refused[[0, texts.index(EMPTY)]] = False
        positions = np.flatnonzero(refused[self.reasons])[:most]
        return [(int(position), texts[self.reasons[position]]) for position in positions]

    def by_reason(self) -> dict[str, int]:
        """Returns how many cells have each reason, warnings among them."""
        numbers = np.bincount(self.reasons).tolist()
        named = zip(_core.reasons(), numbers, strict=False)
        return {text: n for text, n in named if n and text not in ("", EMPTY)}


def normalised(batch: pa.RecordBatch, spec: IdentifierSettings) -> dict[tuple[str, str], Cells]:
    """Returns the cells of each pair of column and kind that a set reads, each pair once."""
    kinds = kinds_of(spec)
    cells: dict[tuple[str, str], Cells] = {}
    for pair in (pair for way in spec.columns for pair in zip(way, kinds, strict=True)):
        if pair not in cells:
            column, kind = pair
            given = as_text(batch.column(column), f"column {column!r}")
            values, reasons = _core.normalise(kind, given)
            cells[pair] = Cells(given, values, np.asarray(reasons))
    return cells


def texts(
    cells: Mapping[tuple[str, str], Cells], spec: IdentifierSettings
) -> list[pa.LargeStringArray]:
    """Returns the normalised identifiers of each way. Secret."""
    kinds = kinds_of(spec)
    ways = [[cells[pair].values for pair in zip(way, kinds, strict=True)] for way in spec.columns]
    return [_core.compose(parts) if spec.parts else parts[0] for parts in ways]
