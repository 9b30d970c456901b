"""Which things several claims name: the joined tables to arrays of numbers.

Claims are numbered as they lie in DuckDB, things as they are met; what is told depends on neither.
Texts become numbers once, in Arrow; nothing here is an object for each claim or thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from parties.errors import SettingsError
from parties.models.filling import Held
from parties.models.rings.arrays import Mask, Numbers, distinct, renumbered
from parties.models.rings.kinds import OF_HOUSES, THINGS
from parties.models.rings.reading import NUMBERED, Named, read
from psi.lazily import NamedTuple

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


class Things(NamedTuple):
    """Things that two claims or more name, numbered from 0; each array has an entry for each.

    Attributes:
        sorts: places in `kinds.THINGS`.
        codes: places among the values of their sort.
        claims: how many name it.
        parties: how many different ones these are of, as far as they are known.
        joins: whether it puts claims together.
    """

    sorts: Numbers
    codes: Numbers
    claims: Numbers
    parties: Numbers
    joins: Mask


class Ties(NamedTuple):
    """Who names what.

    Attributes:
        parties: of each claim: a number of its insured person, without such a column of its
            vehicle, and without either one of its own; -1 where the column names nobody.
        vehicles: of each claim likewise.
        known: different parties.
        claims, named: claim and thing, pair by pair, each pair once.
        things: that are named.
        slots: for each column of claims that names things that join: its sort, and the thing that
            each claim names in it, -1 for none.
        single: sort -> how many things one claim alone names.
        values: sort -> texts, in the order of codes.
        too_wide: what -> things left out, for more than the widest number of claims name them.
        of_houses: what -> things that put nothing together, for they are a repair shop's own.
    """

    parties: Numbers
    vehicles: Numbers
    known: int
    claims: Numbers
    named: Numbers
    things: Things
    slots: Sequence[tuple[int, Numbers]]
    single: Mapping[int, int]
    values: Mapping[int, pa.Array]
    too_wide: Mapping[str, int]
    of_houses: Mapping[str, int]


def tie(
    connection: duckdb.DuckDBPyConnection, held: Mapping[str, Held], widest: int = WIDEST
) -> Ties:
    """Reads who names what.

    Args:
        connection: with the joined tables. `claims` becomes `NUMBERED`.
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
    connection.execute(
        f"CREATE TABLE {NUMBERED} AS SELECT row_number() OVER () - 1 AS number, * FROM claims"  # noqa: S608  # our own words
    )
    connection.execute("DROP TABLE claims")
    links = held["links"].columns if "links" in held else frozenset()
    sorts = [
        sort
        for place, thing in enumerate(THINGS)
        if (sort := read(connection, place, thing, columns, links)) is not None
    ]
    if not any(THINGS[each.place].joins for each in sorts):
        raise SettingsError(
            "claims have no column of a person, vehicle, phone or account, and no links to "
            "records: there is nothing that could tie them"
        )
    return _tied(held["claims"].rows, sorts, widest, insured="insured" in columns)


def _tied(rows: int, sorts: Sequence[Named], widest: int, *, insured: bool) -> Ties:
    named = {THINGS[each.place].what: each for each in sorts}
    vehicles = _vehicles(rows, named)
    if insured:
        parties = named["person"].columns[0]
    else:
        parties = vehicles if {"VIN", "plate"} & named.keys() else np.arange(rows)
    shops = named["shop"].columns[0] if "shop" in named else None
    things, claims, numbers, slots, single = [], [], [], [], {}
    too_wide, of_houses, next_thing = {}, {}, 0
    for each in sorts:
        thing, counts = THINGS[each.place], np.bincount(each.codes, minlength=len(each.values))
        kept = (counts >= 2) & (counts <= widest if thing.joins else True)
        codes = np.flatnonzero(kept)
        number_of = np.full(len(each.values) + 1, -1, np.int64)  # the last: of no value
        number_of[codes] = next_thing + np.arange(len(codes))
        of_pair = number_of[each.codes]
        pairs = of_pair >= 0
        local, where = of_pair[pairs] - next_thing, each.claims[pairs]
        known = parties[where] >= 0
        met = distinct(local[known], parties[where[known]])[0]
        met = np.bincount(met, minlength=len(codes))
        houses = np.zeros(len(codes), bool)
        if thing.what in OF_HOUSES and shops is not None:
            houses = _houses(local, where, shops, counts[codes]) & (met >= HOUSE_PARTIES)
        things.append(
            Things(
                np.full(len(codes), each.place, np.int64),
                codes,
                counts[codes],
                met,
                thing.joins & ~houses,
            )
        )
        claims.append(where)
        numbers.append(local + next_thing)
        if thing.joins:
            slots += [(each.place, number_of[column]) for column in each.columns]
            too_wide[thing.what] = int((counts > widest).sum())
            of_houses[thing.what] = int(houses.sum())
        single[each.place] = int((counts == 1).sum())
        next_thing += len(codes)
    return Ties(
        parties,
        vehicles,
        len(renumbered(parties[parties >= 0])[0]),
        np.concatenate(claims),
        np.concatenate(numbers),
        Things(*map(np.concatenate, zip(*things, strict=True))),
        slots,
        single,
        {each.place: each.values for each in sorts},
        {what: number for what, number in too_wide.items() if number},
        {what: number for what, number in of_houses.items() if number},
    )


def _vehicles(rows: int, named: Mapping[str, Named]) -> Numbers:
    """Returns a number of the vehicle of each claim: of its VIN, else of its plate; -1 for none."""
    found, before = np.full(rows, -1, np.int64), 0
    for what in ("VIN", "plate"):
        if what in named:
            column = named[what].columns[0]
            found = np.where((found < 0) & (column >= 0), column + before, found)
            before += len(named[what].values)
    return found


def _houses(things: Numbers, claims: Numbers, shops: Numbers, named: Numbers) -> Mask:
    """Whether nearly all claims that name a thing name one and the same shop."""
    share, of = HOUSE_SHARE
    there, width = shops[claims] >= 0, shops.max(initial=0) + 1
    keys, counts = np.unique(things[there] * width + shops[claims[there]], return_counts=True)
    most = np.zeros(len(named), np.int64)
    np.maximum.at(most, keys // width, counts)
    return most * of >= named * share
