"""Which things several claims name: the joined tables to numbers that a graph is made of.

Claims and things are numbered in order of their names, so that the order of rows changes nothing.
Things that one claim alone names tie nothing, and never leave DuckDB.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt

from parties.errors import SettingsError
from parties.models.filling import Held
from parties.models.rings.kinds import OF_HOUSES, THINGS, Thing

Numbers = npt.NDArray[np.int64]

WIDEST: Final = 100
"""Claims that one thing may tie. The most that a published case tells is 89, reported from one
phone; what stands in more is a hotline, an agent or a fleet, and says of no two claims that they
belong together."""
HOUSE_SHARE: Final = (9, 10)
"""A phone or an account is a repair shop's own if of ten claims that name it nine name that shop.
One in ten may be missing or misspelt."""
HOUSE_PARTIES: Final = 3
"""Insured persons from which on it is that of a house: two may be of one household, that goes to
one shop with its own phone."""


class Edges(NamedTuple):
    """Ties that put claims into one ring.

    Attributes:
        claims, things: numbers, pair by pair; each pair once, in order.
        too_wide: what -> things left out, for more than the widest number of claims name them.
        of_houses: what -> things that put nothing together, for they are a repair shop's own.
    """

    claims: Numbers
    things: Numbers
    too_wide: Mapping[str, int]
    of_houses: Mapping[str, int]


_CLAIMS: Final = """
CREATE TABLE greenlane_claims AS
SELECT row_number() OVER (ORDER BY claim) - 1 AS number, * FROM claims
"""
_TABLES: Final = """
CREATE TABLE greenlane_things (
    thing BIGINT, what VARCHAR, kind VARCHAR, value VARCHAR, claims BIGINT, joins BOOLEAN
);
CREATE TABLE greenlane_ties (number BIGINT, thing BIGINT, role VARCHAR);
"""
_BY_COLUMN: Final = (
    "SELECT number, {column} AS value, '{column}' AS role FROM greenlane_claims "
    "WHERE {column} IS NOT NULL"
)
_BY_LINK: Final = (
    "SELECT number, record AS value, coalesce(dimension, '') AS role "
    "FROM links JOIN greenlane_claims USING (claim) WHERE record IS NOT NULL"
)
_THINGS: Final = """
INSERT INTO greenlane_things
SELECT (SELECT count(*) FROM greenlane_things) + row_number() OVER (ORDER BY value) - 1,
    $what, $kind, value, claims, $joins
FROM (
    SELECT value, count(DISTINCT number) AS claims FROM greenlane_named GROUP BY value
    HAVING count(DISTINCT number) BETWEEN 2 AND $widest
)
"""
_TOO_WIDE: Final = """
SELECT count(*) FROM (
    SELECT value FROM greenlane_named GROUP BY value HAVING count(DISTINCT number) > $widest
)
"""
_TIES: Final = """
INSERT INTO greenlane_ties
SELECT DISTINCT number, thing, role
FROM greenlane_named JOIN (SELECT thing, value FROM greenlane_things WHERE what = $what)
USING (value)
"""
_HOUSES: Final = """
UPDATE greenlane_things SET joins = false WHERE thing IN (
    SELECT thing FROM (
        SELECT thing, any_value(t.claims) AS claims, count(*) AS there
        FROM greenlane_things t JOIN greenlane_ties USING (thing)
        JOIN greenlane_claims c USING (number)
        WHERE what = $what AND c.shop IS NOT NULL
        GROUP BY thing, c.shop
    )
    JOIN (
        SELECT thing, count(DISTINCT {party}) AS parties
        FROM greenlane_ties JOIN greenlane_claims c USING (number) GROUP BY thing
    ) USING (thing)
    WHERE there * $of >= claims * $share AND parties >= $parties
)
"""
_EDGES: Final = """
SELECT DISTINCT number, thing FROM greenlane_ties JOIN greenlane_things USING (thing)
WHERE joins ORDER BY number, thing
"""


def tie(
    connection: duckdb.DuckDBPyConnection, held: Mapping[str, Held], widest: int = WIDEST
) -> Edges:
    """Makes the tables of things and ties, and returns the ties that put claims together.

    Args:
        connection: with the joined tables. `claims` is replaced by `greenlane_claims`.
        held: which tables, with which columns.
        widest: number of claims that one thing may tie; it does not bound places, for they put
            nothing together.

    Raises:
        SettingsError: there are no claims, or nothing that could tie them.
        duckdb.Error: memory is over.
    """
    columns = held["claims"].columns if "claims" in held else frozenset()
    if "claim" not in columns:
        raise SettingsError("rings need a table of claims with a column claim, their number")
    connection.execute(_CLAIMS)
    connection.execute("DROP TABLE claims")
    connection.execute(_TABLES)
    links = held["links"].columns if "links" in held else frozenset()
    too_wide, named = {}, False
    for thing in THINGS:
        if terms := _terms(thing, columns, links):
            too_wide[thing.what] = _add(connection, thing, terms, widest)
            named |= thing.joins
    if not named:
        raise SettingsError(
            "claims have no column of a person, vehicle, phone or account, and no links to "
            "records: there is nothing that could tie them"
        )
    of_houses = {}
    if "shop" in columns:
        party = "c.insured" if "insured" in columns else "c.number"
        for what in OF_HOUSES:
            of_houses[what] = _houses(connection, what, party)
    found = connection.execute(_EDGES).fetchnumpy()
    return Edges(
        np.asarray(found["number"], np.int64),
        np.asarray(found["thing"], np.int64),
        {what: number for what, number in too_wide.items() if number},
        {what: number for what, number in of_houses.items() if number},
    )


def _terms(thing: Thing, columns: Collection[str], links: Collection[str]) -> list[str]:
    if thing.what == "record":
        there = {"claim", "record", "dimension"} <= set(links)
        return [_BY_LINK] if there else []
    return [_BY_COLUMN.format(column=each) for each in thing.columns if each in columns]


def _add(connection: duckdb.DuckDBPyConnection, thing: Thing, terms: list[str], widest: int) -> int:
    """Adds things of a sort; returns how many were left out as too wide."""
    connection.execute(f"CREATE TEMP TABLE greenlane_named AS {' UNION ALL '.join(terms)}")
    bound = widest if thing.joins else np.iinfo(np.int64).max
    values = {"what": thing.what, "kind": thing.kind, "joins": thing.joins, "widest": int(bound)}
    connection.execute(_THINGS, values)
    connection.execute(_TIES, {"what": thing.what})
    left = connection.execute(_TOO_WIDE, {"widest": int(bound)}).fetchall()[0][0]
    connection.execute("DROP TABLE greenlane_named")
    return int(left)


def _houses(connection: duckdb.DuckDBPyConnection, what: str, party: str) -> int:
    share, of = HOUSE_SHARE
    values = {"what": what, "share": share, "of": of, "parties": HOUSE_PARTIES}
    return int(connection.execute(_HOUSES.format(party=party), values).fetchall()[0][0])
