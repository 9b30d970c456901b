"""Ranks rings: first those that chance does not put together, each by what its score multiplies."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from parties.models.filling import INCOMING
from parties.models.rings.arrays import Mask, Numbers, distinct
from parties.models.rings.chance import UNLIKELY, Beyond, by_chance
from parties.models.rings.kinds import THINGS
from parties.models.rings.reading import NUMBERED
from parties.models.rings.ring import Score
from parties.models.rings.splitting import Edges, Parts
from parties.models.rings.ties import Ties
from psi.lazily import NamedTuple

LEAST_CLAIMS: Final = 3
"""Two claims that share something are a pair, and rules look at pairs."""
LEAST_PARTIES: Final = 2
"""Claims of one person about one vehicle are that person's history."""
SHARED: Final = 4
"""A kind of tie counts if one in so many claims of the ring name one thing of it: of the published
rings, those that share phones and shops at all share them so."""

_RANKED: Final = """
SELECT ring, n, parties, kinds, digits, beyond, amount FROM (
    SELECT *, CASE WHEN amount >= 1 THEN length(CAST(CAST(floor(amount) AS HUGEINT) AS VARCHAR))
        ELSE 1 END AS digits
    FROM (
        SELECT ring, any_value(i.claims) AS n, any_value(parties) AS parties,
            any_value(kinds) AS kinds, any_value(beyond) AS beyond, min(c.claim) AS first_claim,
            {amount} AS amount
        FROM {incoming} i JOIN {claims} c USING (number) GROUP BY ring
    )
)
ORDER BY beyond DESC, n * parties * kinds * digits DESC, amount DESC NULLS LAST, first_claim
LIMIT $most
"""


class Ranked(NamedTuple):
    """A ring at its place.

    Attributes:
        ring: its number.
        score: by what it stands where it stands.
        beyond: whether chance does not put it together.
        amount: of its claims, in yuan; None if none is known.
    """

    ring: int
    score: Score
    beyond: bool
    amount: Decimal | None


class Tied(NamedTuple):
    """What several claims of a ring name; an entry for each ring and thing, in order.

    Attributes:
        rings, things: which.
        claims: of the ring that name it.
        insured: parties of these that are known, as `ties.Ties` has them.
        parties: these, or different vehicles, whichever are more.
    """

    rings: Numbers
    things: Numbers
    claims: Numbers
    insured: Numbers
    parties: Numbers


def ring_of(ties: Ties, parts: Parts) -> Numbers:
    """Returns the ring of each claim, -1 for none."""
    rings = np.full(len(ties.parties), -1, np.int64)
    rings[parts.claims] = parts.rings
    return rings


def rank(
    connection: duckdb.DuckDBPyConnection,
    ties: Ties,
    beyond: Beyond,
    parts: Parts,
    columns: Collection[str],
    most: int,
) -> tuple[int, list[Ranked]]:
    """Returns how many rings there are, and the first of them.

    Args:
        connection: with the numbered claims.
        ties: who names what.
        beyond: what chance does not explain.
        parts: which claims belong together.
        columns: that claims have.
        most: rings that are returned.

    Raises:
        duckdb.Error: memory is over.
    """
    rings, count = ring_of(ties, parts), int(parts.rings.max(initial=-1)) + 1
    every = tied(ties, rings, Edges(ties.claims, ties.named))
    core = tied(ties, rings, beyond.cores)
    places = _places(ties, every, rings, count)
    sizes, cores = np.bincount(parts.rings, minlength=count), _claims(rings, beyond.cores, count)
    strong = np.bincount(core.rings, core.parties >= LEAST_PARTIES, count) > 0
    sizes_told = np.where(strong, cores, sizes)
    most_parties = _most(every, count)
    parties = np.where(strong, _most(core, count), most_parties)
    shared = _kinds(ties, every, sizes, count, ~strong[every.rings] | places)
    shared |= _kinds(ties, core, cores, count, np.ones(len(core.rings), bool))
    good = (sizes >= LEAST_CLAIMS) & (most_parties >= LEAST_PARTIES)
    kinds = np.maximum(1, shared.sum(axis=1))
    told = good[parts.rings]
    of = parts.rings[told]
    table = {
        "number": parts.claims[told],
        "ring": of,
        "claims": sizes_told[of],
        "parties": parties[of],
        "kinds": kinds[of],
        "beyond": strong[of],
    }
    connection.register(INCOMING, pa.table(table))
    amount = "sum(amount)" if "amount" in columns else "CAST(NULL AS DECIMAL(18, 2))"
    sql = _RANKED.format(amount=amount, incoming=INCOMING, claims=NUMBERED)
    rows = connection.execute(sql, {"most": most}).fetchall()
    connection.unregister(INCOMING)
    return int(good.sum()), [
        Ranked(ring, Score(*score), whether, None if amount is None else Decimal(amount))
        for ring, *score, whether, amount in rows
    ]


def tied(ties: Ties, rings: Numbers, edges: Edges) -> Tied:
    """Returns what two claims or more of a ring name, of some edges.

    Args:
        ties: who names what.
        rings: of each claim, -1 for none.
        edges: claims and things.
    """
    edges = edges.where(rings[edges.claims] >= 0)
    width = len(ties.things.claims)
    keys = rings[edges.claims] * width + edges.things
    order = np.argsort(keys, kind="stable")
    keys, claims = keys[order], edges.claims[order]
    first = np.diff(keys, prepend=-1) != 0
    at, groups = np.cumsum(first) - 1, keys[first]

    def different(names: Numbers) -> Numbers:
        known = names[claims] >= 0
        return np.bincount(distinct(at[known], names[claims[known]])[0], minlength=len(groups))

    insured, vehicles = different(ties.parties), different(ties.vehicles)
    counts = np.bincount(at, minlength=len(groups))
    several = counts > 1
    return Tied(
        *(
            column[several]
            for column in (
                groups // width,
                groups % width,
                counts,
                insured,
                np.maximum(insured, vehicles),
            )
        )
    )


def _places(ties: Ties, every: Tied, rings: Numbers, count: int) -> Mask:
    """Whether a ring meets in a shop or hospital beyond chance: of how many parties go there."""
    sorts = ties.things.sorts[every.things]
    among = np.array([each.joins for each in THINGS])[sorts]
    known = (rings >= 0) & (ties.parties >= 0)
    sizes = np.bincount(distinct(rings[known], ties.parties[known])[0], minlength=count)
    log = by_chance(
        sizes[every.rings],
        ties.things.parties[every.things],
        every.insured,
        ties.known,
    )
    log += np.log10(max(1, int((~among).sum())))
    found: Mask = ~among & (every.insured > 1) & (log < np.log10(UNLIKELY))
    return found


def _claims(rings: Numbers, cores: Edges, count: int) -> Numbers:
    """How many claims of each ring chance does not put into it."""
    inside = cores.where(rings[cores.claims] >= 0)
    return np.bincount(distinct(rings[inside.claims], inside.claims)[0], minlength=count)


def _most(tied: Tied, count: int) -> Numbers:
    most = np.zeros(count, np.int64)
    np.maximum.at(most, tied.rings, tied.parties)
    return most


def _kinds(ties: Ties, tied: Tied, sizes: Numbers, count: int, counted: Mask) -> Mask:
    """Whether each ring has each kind of tie, of those that count."""
    kinds = list(dict.fromkeys(each.kind for each in THINGS))
    of_sort = np.array([kinds.index(each.kind) for each in THINGS])
    good = counted & (tied.parties >= LEAST_PARTIES) & (tied.claims * SHARED >= sizes[tied.rings])
    found = np.zeros((count, len(kinds)), bool)
    found[tied.rings[good], of_sort[ties.things.sorts[tied.things[good]]]] = True
    return found
