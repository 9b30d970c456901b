"""Reads what claims name, as numbers: texts leave DuckDB as Arrow, and become numbers once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from parties.models.rings.arrays import Numbers
from parties.models.rings.kinds import Thing
from psi.lazily import NamedTuple

NUMBERED: Final = "greenlane_claims"
"""The claims with a column `number`, from 0."""


class Named(NamedTuple):
    """What claims name of one sort.

    Attributes:
        place: of the sort in `kinds.THINGS`.
        claims, codes: who names what, pair by pair, each pair once.
        columns: the code that each claim names, column by column, -1 for none; of records none.
        values: texts, in the order of codes.
    """

    place: int
    claims: Numbers
    codes: Numbers
    columns: Sequence[Numbers]
    values: pa.Array


def read(
    connection: duckdb.DuckDBPyConnection,
    place: int,
    thing: Thing,
    columns: Collection[str],
    links: Collection[str],
) -> Named | None:
    """Reads a sort of things; None if nothing names it.

    Args:
        connection: with the numbered claims, and links.
        place: of the sort.
        thing: the sort.
        columns: that claims have.
        links: columns that links have.

    Raises:
        duckdb.Error: memory is over.
    """
    if thing.what == "record":
        if not {"claim", "record", "dimension"} <= set(links):
            return None
        told = connection.sql(
            f"SELECT DISTINCT number, record FROM links JOIN {NUMBERED} USING (claim) "  # noqa: S608  # our own words
            "WHERE record IS NOT NULL"
        ).to_arrow_table()
        (records,), values = _coded([told["record"]])
        return Named(place, _numbers(told["number"]), records, (), values)
    there = [each for each in thing.columns if each in columns]
    if not there:
        return None
    told = connection.sql(f"SELECT number, {', '.join(there)} FROM {NUMBERED}").to_arrow_table()  # noqa: S608  # our own words
    numbers = _numbers(told["number"])
    every, values = _coded([told[each] for each in there])
    if (np.diff(numbers) < 0).any():  # as they lie they come in order, but nobody promises it
        order = np.argsort(numbers)
        every = [column[order] for column in every]
    claims, codes = [], []
    for at, column in enumerate(every):
        # A person who is insured and drives is named once.
        new = (column >= 0) & ~np.any([column == other for other in every[:at]], axis=0)
        claims.append(np.flatnonzero(new))
        codes.append(column[new])
    return Named(place, np.concatenate(claims), np.concatenate(codes), every, values)


def _numbers(column: pa.ChunkedArray) -> Numbers:
    numbers: Numbers = column.to_numpy().astype(np.int64)
    return numbers


def _coded(columns: Sequence[pa.ChunkedArray]) -> tuple[list[Numbers], pa.Array]:
    """Returns columns of texts as numbers from 0, -1 for null, and the texts of these numbers."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    whole = pa.concat_arrays(chunks) if chunks else pa.array([], columns[0].type)
    coded = whole.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1]), coded.dictionary
