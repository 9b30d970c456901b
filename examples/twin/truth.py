"""What meets: counted on the numbers behind the cells, never on their text.

The generator knows of each cell whose identifier it is and whether it survived its dirt. An
identifier is in common if a usable cell of either side has its number. Nothing here reads a column,
so that a mistake in reading, normalising or matching cannot hide in the truth as well.

Only the tracked ranges (shared and rings) can meet, and they are counted one by one; of the others
it is enough to know which occurred, a byte an identity.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from .cells import text
from .plan import Identifiers
from .pools import Index, Mask, Pool

LIST = pa.schema(
    [
        ("set", pa.string()),
        ("identifier", pa.string()),
        ("own_rows", pa.int64()),
        ("own_cells", pa.int64()),
        ("their_rows", pa.int64()),
        ("planted_as", pa.string()),
    ]
)
"""truth.parquet: one row an identifier in common, sorted by set and identifier.

identifier is the normalised text; own_rows and their_rows count rows that have it in at least one
column of the set, own_cells the cells; planted_as is "joint", "solo" or "ring: " and its name.
"""


@dataclass(frozen=True, slots=True)
class SetTruth:
    """The answer of one set; "own" is the insurer, "their" the police.

    common: identifiers in common, all distinct.
    own_distinct, their_distinct: usable distinct identifiers of each side, landlines included.
    own_landlines, their_landlines: of those, phones that are not mobile; never in common.
    own_rows, their_rows: sums over the common identifiers of the rows that each stands in.
    joined_rows: sum over the common identifiers of own rows times their rows.
    planted: common identifiers by how they were planted.
    """

    common: int
    own_distinct: int
    their_distinct: int
    own_landlines: int
    their_landlines: int
    own_rows: int
    their_rows: int
    joined_rows: int
    planted: dict[str, int]


@dataclass(frozen=True, slots=True)
class Truth:
    """The answers of all sets, and the cells of each identifier column by what became of them.

    claims_cells, records_cells: column -> way of dirt, or "clean", or "empty" where the row has no
        such identifier -> number of cells.
    """

    claims: int
    records: int
    seed: int
    overlap: float
    sets: dict[str, SetTruth]
    claims_cells: dict[str, dict[str, int]]
    records_cells: dict[str, dict[str, int]]


@dataclass(slots=True)
class Tally:
    """Counts one side of one set, block by block."""

    pool: Pool
    rows: Index = field(init=False)
    cells: Index = field(init=False)
    seen: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.zeros(self.pool.tracked, np.int64)
        self.cells = np.zeros(self.pool.tracked, np.int64)
        self.seen = np.zeros(self.pool.size, np.bool_)

    def add(self, columns: list[tuple[Index, Mask]]) -> None:
        """Adds a block: the columns of the set, each with its numbers and where they are usable."""
        for place, (ids, usable) in enumerate(columns):
            first = usable.copy()
            for earlier, usable_earlier in columns[:place]:
                first &= ~(usable_earlier & (earlier == ids))
            self.seen[ids[usable]] = True
            for counts, where in ((self.cells, usable), (self.rows, first)):
                tracked = ids[where & (ids < self.pool.tracked)]
                counts += np.bincount(tracked, minlength=self.pool.tracked)


def answer(
    own: Tally, their: Tally, kind: Identifiers, rings: list[str], name: str
) -> tuple[SetTruth, pa.Table]:
    """Compares the two sides of one set: the counts, and the rows of truth.parquet."""
    pool = own.pool
    ids = np.flatnonzero((own.rows > 0) & (their.rows > 0))
    labels = pa.array(["joint", "solo", *(f"ring: {ring}" for ring in rings)])
    label = np.where(
        ids < pool.joint, 0, np.where(ids < pool.rings_start, 1, ids - pool.rings_start + 2)
    )
    table = pa.table(
        [
            pa.array([name] * len(ids), pa.string()),
            text(kind.canonical(kind.cells(ids))),
            own.rows[ids],
            own.cells[ids],
            their.rows[ids],
            labels.take(pa.array(label)),
        ],
        schema=LIST,
    ).sort_by("identifier")
    return (
        SetTruth(
            common=len(ids),
            own_distinct=int(own.seen.sum()),
            their_distinct=int(their.seen.sum()),
            own_landlines=_irregular(own, kind),
            their_landlines=_irregular(their, kind),
            own_rows=int(own.rows[ids].sum()),
            their_rows=int(their.rows[ids].sum()),
            joined_rows=int(own.rows[ids] @ their.rows[ids]),
            planted=dict(sorted(Counter(table["planted_as"].to_pylist()).items())),
        ),
        table,
    )


def _irregular(tally: Tally, kind: Identifiers) -> int:
    """Counts the landlines, in parts: numbers take eight times the room of the bytes of `seen`."""
    parts = range(0, tally.pool.size, 1 << 20)
    seen = (np.flatnonzero(tally.seen[start : start + (1 << 20)]) + start for start in parts)
    return sum(int((~kind.regular(ids)).sum()) for ids in seen)
