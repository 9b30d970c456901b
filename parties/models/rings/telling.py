"""Looks up what is told of the first rings: texts instead of numbers, ring by ring."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from parties.joining.masked import mask
from parties.models.filling import INCOMING
from parties.models.rings.arrays import Numbers
from parties.models.rings.chance import Beyond
from parties.models.rings.kinds import THINGS
from parties.models.rings.ranking import Ranked, ring_of, tied
from parties.models.rings.reading import NUMBERED
from parties.models.rings.ring import Ring, Tie
from parties.models.rings.splitting import Edges, Parts
from parties.models.rings.ties import Ties
from parties.models.wording import worded
from psi.lazily import NamedTuple

_ROWS: Final = """
SELECT number, claim{columns} FROM {incoming} JOIN {claims} USING (number)
"""
_MET: Final = """
SELECT DISTINCT number, record, dimension FROM {incoming} JOIN {claims} USING (number)
JOIN links USING (claim) WHERE record IS NOT NULL AND dimension IS NOT NULL
"""


class _Row(NamedTuple):
    """What several claims of a ring name."""

    place: int
    value: str
    roles: Collection[str]
    named: list[str]
    parties: int
    everywhere: int
    joins: bool
    expected: float | None

    @property
    def kind(self) -> str:
        return THINGS[self.place].kind


class Names:
    """Texts of the claims that are told, and in which columns they name what.

    Args:
        connection: with the numbered claims, and links.
        numbers: of the claims.
        columns: that claims have.
        links: whether there are links that name records.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        numbers: Numbers,
        columns: Collection[str],
        *,
        links: bool,
    ) -> None:
        named = [column for each in THINGS for column in each.columns if column in columns]
        connection.register(INCOMING, pa.table({"number": numbers}))
        terms = "".join(f", {column}" for column in named)
        sql = _ROWS.format(columns=terms, incoming=INCOMING, claims=NUMBERED)
        self.claims: dict[int, str] = {}
        self._roles: dict[tuple[int, str], list[tuple[str, str]]] = {}
        for number, claim, *values in connection.execute(sql).fetchall():
            self.claims[number] = claim
            for column, value in zip(named, values, strict=True):
                self._roles.setdefault((number, column), []).append((column, value))
        if links:
            met = connection.execute(_MET.format(incoming=INCOMING, claims=NUMBERED)).fetchall()
            for number, record, dimension in met:
                self._roles.setdefault((number, "record"), []).append((dimension, record))
        connection.unregister(INCOMING)

    def roles(self, place: int, numbers: Sequence[int], value: str) -> set[str]:
        """The columns in which claims name a value; of a record, by what they met it."""
        columns = THINGS[place].columns or ("record",)
        return {
            role
            for number in numbers
            for column in columns
            for role, there in self._roles.get((number, column), ())
            if there == value
        }


def told(
    connection: duckdb.DuckDBPyConnection,
    ties: Ties,
    beyond: Beyond,
    parts: Parts,
    ranked: Sequence[Ranked],
    columns: Collection[str],
    *,
    plain: bool,
) -> Iterator[Ring]:
    """Yields the first rings with all that is told of them.

    Args:
        connection: with the numbered claims, and links.
        ties: who names what.
        beyond: what chance does not explain.
        parts: which claims belong together.
        ranked: the first rings, in order.
        columns: that claims have.
        plain: whether identifiers are told in full.

    Raises:
        duckdb.Error: memory is over.
    """
    first = np.array([each.ring for each in ranked], np.int64)
    rings = ring_of(ties, parts)
    rings[~np.isin(rings, first)] = -1
    numbers = np.flatnonzero(rings >= 0)
    names = Names(connection, numbers, columns, links=_RECORD in ties.values)
    claims: dict[int, list[str]] = defaultdict(list)
    for number, ring in zip(numbers.tolist(), rings[numbers].tolist(), strict=True):
        claims[ring].append(names.claims[number])
    rows = _rows(ties, beyond, rings, names)
    for place, each in enumerate(ranked, 1):
        of_ring = _ties(rows.get(each.ring, []), plain)
        yield Ring(place, each.score, each.beyond, each.amount, sorted(claims[each.ring]), of_ring)


_RECORD: Final = [each.what for each in THINGS].index("record")


def _rows(ties: Ties, beyond: Beyond, rings: Numbers, names: Names) -> Mapping[int, list[_Row]]:
    """Returns what claims of each ring share."""
    inside = rings[ties.claims] >= 0
    edges = Edges(ties.claims, ties.named).where(inside)
    naming: dict[tuple[int, int], list[int]] = defaultdict(list)
    for claim, thing in zip(edges.claims.tolist(), edges.things.tolist(), strict=True):
        naming[int(rings[claim]), thing].append(claim)
    core = beyond.cores.where(rings[beyond.cores.claims] >= 0)
    evident = set(zip(rings[core.claims].tolist(), core.things.tolist(), strict=True))
    rows: dict[int, list[_Row]] = defaultdict(list)
    several = tied(ties, rings, edges)
    for ring, thing, parties in zip(
        several.rings.tolist(), several.things.tolist(), several.parties.tolist(), strict=True
    ):
        place = int(ties.things.sorts[thing])
        value = ties.values[place][int(ties.things.codes[thing])].as_py()
        numbers = naming[ring, thing]
        rows[ring].append(
            _Row(
                place,
                value,
                names.roles(place, numbers, value),
                sorted(names.claims[number] for number in numbers),
                parties,
                int(ties.things.claims[thing]),
                bool(ties.things.joins[thing]),
                float(beyond.expected[thing]) if (ring, thing) in evident else None,
            )
        )
    return rows


def _ties(rows: list[_Row], plain: bool) -> list[Tie]:
    """Returns the ties of a ring; a plate and a VIN that tie the same claims are one vehicle."""
    rows.sort(key=lambda row: (-len(row.named), row.place, row.named, row.value))
    together: dict[object, list[_Row]] = {}
    alike: Counter[object] = Counter()
    for row in rows:
        key: object = (row.place, row.value)
        if row.kind == "vehicle":
            same = (row.place, *row.named)
            alike[same] += 1  # two plates are two vehicles, whatever they tie
            key = (row.kind, alike[same], *row.named)
        together.setdefault(key, []).append(row)
    numbers: dict[str, int] = defaultdict(int)
    ties = []
    for group in together.values():
        first = group[0]
        numbers[first.kind] += 1
        shown = [row.expected for row in group if row.expected is not None]
        ties.append(
            Tie(
                f"{first.kind} {numbers[first.kind]}",
                first.kind,
                {THINGS[row.place].what: _shown(row, plain) for row in group},
                sorted({role for row in group for role in row.roles}),
                first.named,
                first.parties,
                max(row.everywhere for row in group) - len(first.named),
                any(row.joins for row in group),
                round(min(shown), 1) if shown else None,
            )
        )
    return ties


def _shown(row: _Row, plain: bool) -> str:
    hide = THINGS[row.place].masked and not plain
    return worded(mask(row.value) if hide else row.value)
