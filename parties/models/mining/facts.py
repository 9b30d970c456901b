"""Joined tables to facts: in which band of which dimension each claim is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parties.errors import LocalFault, SettingsError
from parties.judgements import judges
from parties.models.filling import Held, fill
from parties.models.mapping import Filled
from parties.models.mining.bands import UNKNOWN, Band, Codes, cut, quantiles
from parties.models.mining.dimension import Dimension
from parties.models.mining.dimensions import NEEDED, known
from parties.models.sandbox import Bounds, opened
from psi.lazily import NamedTuple

MOST_NAMES: Final = 100
"""Different names of a column that is told by name: China has some ninety insurers of property, and
no province as many cities. What has more is an address or a number, and is not told at all."""
LEAST_HELD: Final = 20
"""Claims that have a name in common, before it is told: fewer may be somebody's own."""
LONGEST_NAME: Final = 64


class Facts(NamedTuple):
    """What is known of each claim.

    Attributes:
        tables: as they were filled.
        claims: numbers of claims, ascending.
        dimensions: by which claims are told.
        bands: of each dimension.
        codes: of each dimension, the band of each claim; `UNKNOWN` if it is in none.
    """

    tables: Mapping[str, Held]
    claims: Sequence[str]
    dimensions: Sequence[Dimension]
    bands: Sequence[Sequence[Band]]
    codes: Sequence[Codes]


def read(tables: Mapping[str, Filled], line: str, bounds: Bounds) -> Facts:
    """Fills the joined tables and tells the claims of a line by all dimensions that are there.

    Args:
        tables: from what they are filled.
        line: of business; claims of others are left out, where it is known of which they are.
        bounds: of DuckDB; its time is not bounded, for no SQL here is somebody else's.

    Raises:
        SettingsError: there are no claims, or nothing to tell them by; or as `filling.fill`.
        SourceError: as `filling.fill`.
        LocalFault: it needs too much memory.
    """
    with opened(bounds) as connection:
        try:
            held = fill(connection, tables, NEEDED, line)
            return _told(connection, held)
        except duckdb.OutOfMemoryException:
            pass  # raised below, outside of the handler: DuckDB's text may quote a value
    raise LocalFault(f"mining needs more than {bounds.memory} of memory; give more by --memory")


def _told(connection: duckdb.DuckDBPyConnection, held: Mapping[str, Held]) -> Facts:
    columns = {f"{name}.{column}" for name, each in held.items() for column in each.columns}
    dimensions = known(columns)
    if "claims.claim" not in columns or not dimensions:
        raise SettingsError(
            "mining needs a table of claims with their numbers and another column to tell them by"
        )
    joins = dict.fromkeys(each.join for each in dimensions if each.join)
    terms = ", ".join(f"{each.value} AS d{n}" for n, each in enumerate(dimensions))
    query = f"SELECT claim, {terms} FROM claims {' '.join(joins)} ORDER BY claim"  # noqa: S608
    table: pa.Table = connection.sql(query).to_arrow_table()
    coded = [_coded(each, table.column(f"d{n}")) for n, each in enumerate(dimensions)]
    kept = [n for n, (codes, _) in enumerate(coded) if _tells(codes)]
    return Facts(
        held,
        table.column("claim").to_pylist(),
        [dimensions[n] for n in kept],
        [coded[n][1] for n in kept],
        [coded[n][0] for n in kept],
    )


def _tells(codes: Codes) -> bool:
    """Whether claims are in more than one band."""
    known = codes[codes != UNKNOWN]
    return bool(known.size and known.min() < known.max())


def _coded(dimension: Dimension, cells: pa.ChunkedArray) -> tuple[Codes, list[Band]]:
    match dimension.sort:
        case "name":
            return _named(cells)
        case "flag":
            codes = cells.cast(pa.int16()).fill_null(UNKNOWN).to_numpy()
            return codes.astype(np.int16), [Band(0, 1), Band(1, 2)]
    values = cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
    numbers: npt.NDArray[np.float64] = np.asarray(values, np.float64)
    return cut(numbers, dimension.cuts or quantiles(numbers))


def _named(cells: pa.ChunkedArray) -> tuple[Codes, list[Band]]:
    counted: list[dict[str, Any]] = cells.value_counts().to_pylist()
    names = [each for each in counted if each["values"] is not None]
    if len(names) > MOST_NAMES:
        return np.full(len(cells), UNKNOWN, np.int16), []
    told = sorted(each["values"] for each in names if each["counts"] >= LEAST_HELD)
    told = [name for name in told if _tellable(name)]
    codes = pc.index_in(cells, value_set=pa.array(told, cells.type)).fill_null(UNKNOWN)
    return codes.to_numpy().astype(np.int16), [Band(name=name) for name in told]


def _tellable(name: str) -> bool:
    """Whether a name may stand in a rule: one line, not long, and no word that judges."""
    return len(name) <= LONGEST_NAME and name.isprintable() and not judges(name)
