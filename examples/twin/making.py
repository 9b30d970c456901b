"""Makes the files: block by block, so that memory does not grow with the rows."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .blocks import BLOCK, COLUMNS, SetColumns, block
from .blocks import clean as clean_block
from .edges import truth as told_by
from .habits import HABITS
from .plan import OutOfRange, Side, World, world
from .pools import KINDS
from .truth import Tally, Truth, answer
from .writing import FORMATS, TableFile


@dataclass(frozen=True, slots=True)
class Twin:
    """The files of one twin.

    claims, records: the insurer's file and the police's.
    truth_file, truth_list: truth.json (this object's `truth`) and truth.parquet (see `truth.LIST`).
    rings: rings.parquet with ring, group, file ("claims" or "records") and row_no, the claim_no or
        record_no of each planted row.
    columns: the sets by name.
    leads: leads.csv, what rules have to say of planted claims; None without edges. Beside it stand
        joined.parquet, what a match would tell the insurer, and joined.toml, which names all
        columns for `greenlane models`.
    """

    claims: Path
    records: Path
    truth_file: Path
    truth_list: Path
    rings: Path
    format: str
    columns: dict[str, SetColumns]
    truth: Truth
    leads: Path | None

    def planted(self) -> dict[tuple[str, int], set[str]]:
        """Reads the claim numbers of each planted ring, by its name and group."""
        claims: dict[tuple[str, int], set[str]] = {}
        for row in pq.read_table(self.rings).to_pylist():
            if row["file"] == "claims":
                claims.setdefault((row["ring"], row["group"]), set()).add(row["row_no"])
        return claims


def make_twin(
    out: Path,
    claims: int,
    records: int,
    seed: int,
    format: str = "parquet",
    *,
    overlap: float = 0.02,
    clean: bool = False,
    edges: int = 0,
) -> Twin:
    """Writes both files, the truth and the list of rings into a directory.

    The same arguments give the same bytes, with the same versions of numpy and pyarrow. Each block
    of `BLOCK` rows has a seed of its own, made from `seed`, the file and the block's number; the
    size of a block is fixed, because another one would draw other rows.

    Args:
        out: directory; made if it is not there. Files of the same names are replaced.
        claims: rows of the insurer's file; 1000 to 20 million.
        records: rows of the police's file; 500 to 20 million.
        seed: not negative.
        format: of the two files, "parquet" or "csv" (UTF-8, comma, a header, empty for null).
        overlap: share of the claims whose person is planted in the police file as well, before
            dirt; likewise plate, VIN and phone. Half of it jointly. 0 to 0.5. The insurer's share
            holds in any case; there are fewer distinct ones if the police file is small.
        clean: also writes claims.clean.parquet and records.clean.parquet: the row number, and what
            a normaliser should find in each identifier column, null where nothing.
        edges: how often claims are planted just inside and just outside of every edge of every
            rule of the packs, 0 to 200. Files then have further columns that rules need, and there
            are the files of `Twin.leads`.

    Raises:
        OutOfRange: a number of rows, the seed, the overlap, the format or the number of edges is
            out of range.
    """
    if format not in FORMATS:
        raise OutOfRange(f"the format is one of {', '.join(FORMATS)}, not {format}")
    whole = world(claims, records, seed, overlap, edges)
    out.mkdir(parents=True, exist_ok=True)
    own = _write(out, whole, whole.claims, format, clean)
    their = _write(out, whole, whole.records, format, clean)
    sets, lists = {}, []
    for kind, one in whole.identifiers.items():
        sets[kind], found = answer(
            own.tallies[kind], their.tallies[kind], one, whole.rings.names[kind], kind
        )
        lists.append(found)
    truth = Truth(claims, records, seed, overlap, sets, own.ways, their.ways)
    leads = out / "leads.csv" if edges else None
    twin = Twin(
        own.path,
        their.path,
        out / "truth.json",
        out / "truth.parquet",
        out / "rings.parquet",
        format,
        COLUMNS,
        truth,
        leads,
    )
    if edges:
        places = whole.claims.ring_places(np.arange(len(whole.rings.claims))).tolist()
        told = told_by.leads(whole.rings.expected, places)
        told_by.write(out, told_by.joined(own.cells, their.cells), told, format)
    with TableFile(twin.truth_list, "parquet") as file:
        file.write(pa.concat_tables(lists))
    with TableFile(twin.rings, "parquet") as file:
        file.write(_ring_list(whole))
    twin.truth_file.write_text(json.dumps(dataclasses.asdict(truth), indent=1) + "\n", "utf-8")
    return twin


@dataclass(frozen=True, slots=True)
class _Written:
    path: Path
    tallies: dict[str, Tally]
    ways: dict[str, dict[str, int]]
    cells: told_by.Cells


def _write(out: Path, whole: World, side: Side, format: str, clean: bool) -> _Written:
    name = "claims" if side.insurer else "records"
    path = out / f"{name}.{format}"
    tallies = {kind: Tally(whole.pools[kind]) for kind in KINDS}
    ways: dict[str, Counter[str]] = {}
    cells = told_by.Cells()
    with (
        TableFile(path, format) as file,
        TableFile(out / f"{name}.clean.parquet", "parquet") as truly,
    ):
        for number in range(-(-side.rows // BLOCK)):
            made = block(whole, side, number)
            file.write(made.table)
            if whole.edges:
                cells.add(whole, made)
            if clean:
                truly.write(clean_block(whole, made))
            for kind in KINDS:
                tallies[kind].add(
                    [(ids, usable) for one, ids, usable, _ in made.columns.values() if one == kind]
                )
            for column, (kind, ids, _, codes) in made.columns.items():
                names = ("empty", "clean", *HABITS[kind].names)
                counts = np.bincount(np.where(ids < 0, 0, codes + 1), minlength=len(names))
                ways.setdefault(column, Counter()).update(
                    dict(zip(names, counts.tolist(), strict=True))
                )
    ways_told = {column: dict(counter) for column, counter in ways.items()}
    return _Written(path, tallies, ways_told, cells)


def _ring_list(whole: World) -> pa.Table:
    lists = []
    for side, rows, name, prefix in (
        (whole.claims, whole.rings.claims, "claims", "CL"),
        (whole.records, whole.rings.records, "records", "RC"),
    ):
        places = side.ring_places(np.arange(len(rows)))
        lists += [
            (ring, group, name, f"{prefix}{place:010d}")
            for (ring, group, _), place in zip(rows, places.tolist(), strict=True)
        ]
    columns = ("ring", "group", "file", "row_no")
    return pa.table({c: [row[i] for row in lists] for i, c in enumerate(columns)})
