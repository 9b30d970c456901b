"""One block of either file: numbers, rings, dirt, text, copied rows."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pyarrow as pa

from . import claims, records
from .cells import text
from .dirt import soiled
from .edges import columns
from .plan import Side, World
from .pools import Index, Mask

BLOCK = 100_000
"""Rows made at a time. Part of the recipe: another size draws other rows from the same seed."""


@dataclass(frozen=True, slots=True)
class SetColumns:
    """One set to match: the kind of its identifiers, and their columns on each side."""

    kind: str
    own: tuple[str, ...]
    their: tuple[str, ...]


COLUMNS = {
    "person": SetColumns("resident_id", ("insured_id", "driver_id", "claimant_id"), ("person_id",)),
    "plate": SetColumns("plate", ("plate",), ("plate",)),
    "vin": SetColumns("vin", ("vin",), ("vin",)),
    "phone": SetColumns("phone", ("report_phone",), ("phone",)),
}
"""The sets by name; the names are those of `pools.KINDS`."""

_FIELD = {
    "insured_id": "insured",
    "driver_id": "driver",
    "claimant_id": "claimant",
    "person_id": "person",
    "report_phone": "phone",
}
"""The field behind a column, where it has another name."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its table; for each identifier column its kind, numbers, usable cells and ways."""

    rows: Index
    table: pa.Table
    columns: dict[str, tuple[str, Index, Mask, Index]]


def block(whole: World, side: Side, number: int) -> Block:
    """Makes one block of a file, from its own seed: no other block has to be made for it."""
    part: ModuleType = claims if side.insurer else records
    rows = np.arange(number * BLOCK, min((number + 1) * BLOCK, side.rows))
    rng = _source(whole, 1 if side.insurer else 2, number)
    fields = part.numbers(whole, rows, rng)
    if whole.edges:
        more = columns.of_claims if side.insurer else columns.of_records
        fields |= more(fields, _source(whole, 4 if side.insurer else 5, number))
    rings = whole.rings.columns(side.insurer, tuple(fields))
    places = side.ring_places(np.arange(len(rings["time"]))) - rows[0]
    here = (places >= 0) & (places < len(rows))
    ring = np.zeros(len(rows), np.bool_)
    ring[places[here]] = True
    for name, values in fields.items():
        values[places[here]] = rings[name][here]
    return _soiled_block(whole, side, part, rows, fields, ring, rng)


def _source(whole: World, purpose: int, number: int) -> np.random.Generator:
    """Returns the source of randomness of a block for one purpose."""
    seeds = np.random.SeedSequence(whole.seed, spawn_key=(purpose, number))
    return np.random.Generator(np.random.PCG64(seeds))


def _soiled_block(
    whole: World,
    side: Side,
    part: ModuleType,
    rows: Index,
    fields: dict[str, Index],
    ring: Mask,
    rng: np.random.Generator,
) -> Block:
    done, texts = {}, {}
    for kind, one in whole.identifiers.items():
        for column in COLUMNS[kind].own if side.insurer else COLUMNS[kind].their:
            ids = fields[_FIELD.get(column, column)]
            cells = one.cells(np.maximum(ids, 0))
            soil = soiled(kind, cells, ids >= 0, one.regular(ids), ring, rng)
            texts[column] = soil.values
            done[column] = (kind, ids, soil.usable, soil.codes)
    order = _with_doubles(ring, rng)
    table = part.table(whole, rows, fields, texts, rng)
    if whole.edges:
        table = (columns.with_claims if side.insurer else columns.with_records)(table, fields)
    return Block(
        rows[order],
        table.take(pa.array(order)),
        {
            column: (kind, ids[order], usable[order], codes[order])
            for column, (kind, ids, usable, codes) in done.items()
        },
    )


DOUBLES = 0.005
"""Share of the rows that are written as a copy of one of the fifty rows before, number and all."""


def _with_doubles(ring: Mask, rng: np.random.Generator) -> Index:
    """Returns for each row of the block which row to write there; rows of rings stay single."""
    order = np.arange(len(ring))
    source = order - rng.integers(1, 51, len(ring))
    double = (rng.random(len(ring)) < DOUBLES) & (source >= 0) & ~ring
    double &= ~ring[source.clip(0)] & ~double[source.clip(0)]
    return np.where(double, source, order)


def clean(whole: World, made: Block) -> pa.Table:
    """Returns what a normaliser should find in the block, and the row numbers."""
    table = {"row": made.rows}
    for column, (kind, ids, usable, _) in made.columns.items():
        one = whole.identifiers[kind]
        table[column] = text(one.canonical(one.cells(np.maximum(ids, 0))), usable)
    return pa.table(table)
