"""Which row carries what: decided from the row's number, so that any block can be made alone.

Each row has a rank, a scattered row number. On either side the ranks fall into windows:

    rank 0 ...             joint: person, plate, VIN and phone of one shared number
    then, half overlapping solo: person | plate | VIN | phone, each from its shared range
    ... to the last        near: the insurer has an identity, the police its near-miss

The first ranks of a window go through its range once, so that no shared identity is left out; the
ranks after them draw from the range again, a few identities often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .edges.planting import plant_edges
from .edges.scheme import Planter
from .geography import OWN_SHOPS, SHOPS
from .people import People
from .phones import Phones
from .plates import Plates
from .pools import KINDS, Index, Pool, Scatter, heavy
from .rings import Rings
from .schemes import plant_rings
from .vins import Vins

FEWEST_CLAIMS, FEWEST_RECORDS = 1_000, 500
"""Below these the rings would crowd out all else."""
MOST_ROWS = 20_000_000
"""Above this the rarest kinds of plate run out of numbers."""
MOST_OVERLAP = 0.5
"""The windows of both sides take 1.75 times the overlap of the rows; see `world`."""
MOST_EDGES = 200
"""Each time takes 18 repair shops of its own, of which there are `len(OWN_SHOPS)`."""
MOST_PLANTED = 0.7
"""Share of the rows of either file that may be planted groups, so that there is something around
them."""


class OutOfRange(ValueError):
    """A twin of this size, overlap or format cannot be made."""


Identifiers = People | Plates | Vins | Phones
"""What turns the numbers of one kind into identifiers."""


@dataclass(frozen=True, slots=True)
class Side:
    """The windows of one file: rows, and how many of them are joint, solo (each kind) and near."""

    insurer: bool
    rows: int
    joint: int
    solo: int
    near: int
    rank: Scatter
    ring_places: Scatter

    def planted(
        self, rows: Index, pools: dict[str, Pool], rng: np.random.Generator
    ) -> dict[str, Index]:
        """Returns for each kind the planted number of each row, or -1."""
        rank = self.rank(rows)
        joint = np.where(
            rank < pools["person"].joint, rank, heavy(rng, len(rank), pools["person"].joint)
        )
        found = {}
        for number, kind in enumerate(KINDS):
            pool = pools[kind]
            place = rank - self.joint - number * (self.solo // 2)
            solo = np.where(place < pool.solo, place, heavy(rng, len(rank), pool.solo))
            last = self.rows - 1 - rank
            near = last // len(KINDS) + (pool.near_start if self.insurer else pool.twins_start)
            ids = np.full(len(rank), -1, np.int64)
            ids = np.where((place >= 0) & (place < self.solo), pool.solo_start + solo, ids)
            ids = np.where((last < self.near) & (last % len(KINDS) == number), near, ids)
            found[kind] = np.where(rank < self.joint, joint, ids)
        return found


@dataclass(frozen=True, slots=True)
class World:
    """All that the blocks need to know of the whole: sizes, ranges, maps, rings."""

    seed: int
    claims: Side
    records: Side
    people: People
    plates: Plates
    vins: Vins
    phones: Phones
    rings: Rings
    edges: int
    shops: pa.StringArray

    @property
    def identifiers(self) -> dict[str, Identifiers]:
        """By kind, in the order of `pools.KINDS`."""
        every = (self.people, self.plates, self.vins, self.phones)
        return dict(zip(KINDS, every, strict=True))

    @property
    def pools(self) -> dict[str, Pool]:
        """The ranges by kind."""
        return {kind: one.pool for kind, one in self.identifiers.items()}


def world(claims: int, records: int, seed: int, overlap: float, edges: int = 0) -> World:
    """Lays out both files.

    The share of overlap is split in two halves: joint rows, and solo rows of each kind. There are
    0.8 identities a planted claim, so that some stand in several claims, and 1.25 planted records
    an identity, so that some stand in several records.

    Raises:
        OutOfRange: a number of rows, the seed, the overlap or the number of edges is out of range.
    """
    if not (FEWEST_CLAIMS <= claims <= MOST_ROWS and FEWEST_RECORDS <= records <= MOST_ROWS):
        raise OutOfRange(
            f"a twin has {FEWEST_CLAIMS} to {MOST_ROWS} claims and {FEWEST_RECORDS} to {MOST_ROWS} "
            f"records, not {claims} and {records}"
        )
    if not 0 <= overlap <= MOST_OVERLAP:
        raise OutOfRange(f"the overlap is a share from 0 to {MOST_OVERLAP}, not {overlap}")
    if seed < 0:
        raise OutOfRange(f"the seed is 0 or more, not {seed}")
    if not 0 <= edges <= MOST_EDGES:
        raise OutOfRange(f"edges are planted 0 to {MOST_EDGES} times, not {edges}")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    # With 1.25 ranks an identity and 1 + 2.5 windows, 5 identities a record fit the records.
    planted = round(claims * overlap / 2)
    shared = min(-(-planted * 4 // 5), records // 5)
    near = 4 * max(1, min(claims, records) // 400)
    maker = Planter(rng)
    plant_rings(maker, 1 + min(claims, records) // 200_000)
    if edges:
        maker.rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
        plant_edges(maker, edges)
    rings = maker.rings()
    for name, planted_rows, rows in (
        ("claims", rings.claims, claims),
        ("records", rings.records, records),
    ):
        if len(planted_rows) > rows * MOST_PLANTED:
            raise OutOfRange(
                f"{len(planted_rows)} {name} are planted; a twin with them has at least "
                f"{math.ceil(len(planted_rows) / MOST_PLANTED)} {name}, not {rows}"
            )
    pools = {
        kind: Pool(shared, shared, len(rings.names[kind]), near // 4, own, their)
        for kind, own, their in (
            ("person", claims * 3 // 5, records * 3 // 5),
            ("plate", claims // 2, records // 2),
            ("vin", claims // 2, records // 2),
            ("phone", claims // 2, records // 2),
        )
    }
    placed = rings.placed({kind: pool.rings_start for kind, pool in pools.items()})
    again = shared * 5 // 4

    def scatter(rows: int) -> tuple[Scatter, Scatter]:
        return Scatter.over(rows, rng), Scatter.over(rows, rng)

    return World(
        seed,
        Side(True, claims, planted, planted, near, *scatter(claims)),
        Side(False, records, again, again, near, *scatter(records)),
        People.drawn(pools["person"], rng),
        Plates.drawn(pools["plate"], rng),
        Vins.drawn(pools["vin"], placed.luxury, rng),
        Phones.drawn(pools["phone"], rng),
        placed,
        edges,
        pa.concat_arrays([SHOPS, OWN_SHOPS]) if edges else SHOPS,
    )
