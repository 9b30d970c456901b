"""Ranks rings, and looks up what is told of the first ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from parties.joining.masked import mask
from parties.models.rings.kinds import BY_WHAT, THINGS
from parties.models.rings.ring import Ring, Score, Tie
from parties.models.rings.splitting import HELD
from parties.models.rings.ties import Numbers
from parties.models.wording import worded

LEAST_CLAIMS: Final = 3
"""Two claims that share something are a pair, and rules look at pairs."""
LEAST_PARTIES: Final = 2
"""Claims of one person about one vehicle are that person's history."""

_INCOMING: Final = "greenlane_incoming"
_TIED: Final = """
CREATE TABLE greenlane_tied AS
SELECT ring, thing, any_value(kind) AS kind, count(DISTINCT number) AS claims,
    {parties} AS parties
FROM greenlane_rings JOIN greenlane_ties USING (number)
JOIN greenlane_claims c USING (number) JOIN greenlane_things USING (thing)
GROUP BY ring, thing HAVING count(DISTINCT number) > 1
"""
_RANKED: Final = """
CREATE TABLE greenlane_ranked AS
SELECT *, row_number() OVER (
    ORDER BY claims * parties * kinds * digits DESC, amount DESC NULLS LAST, first_claim
) AS rank
FROM (
    SELECT ring, count(*) AS claims, min(c.claim) AS first_claim, {amount} AS amount,
        CASE WHEN {amount} >= 1 THEN length(CAST(CAST(floor({amount}) AS HUGEINT) AS VARCHAR))
            ELSE 1 END AS digits
    FROM greenlane_rings JOIN greenlane_claims c USING (number) GROUP BY ring
)
JOIN (
    SELECT ring, max(parties) AS parties, greatest(1, count(DISTINCT kind) FILTER (
        WHERE t.claims * $held >= size)) AS kinds
    FROM greenlane_tied t
    JOIN (SELECT ring, count(*) AS size FROM greenlane_rings GROUP BY ring) USING (ring)
    WHERE parties >= $parties GROUP BY ring
) USING (ring)
WHERE claims >= $claims
"""
_TOLD: Final = """
SELECT rank, ring, claims, parties, kinds, digits, amount FROM greenlane_ranked
WHERE rank <= $most ORDER BY rank
"""
_CLAIMS: Final = """
SELECT ring, claim FROM greenlane_ranked JOIN greenlane_rings USING (ring)
JOIN greenlane_claims USING (number) WHERE rank <= $most ORDER BY ring, claim
"""
_TIES: Final = """
SELECT ring, what, any_value(t.kind) AS kind, any_value(value) AS value,
    list_sort(list_distinct(list(role))) AS roles, list_sort(list_distinct(list(c.claim))) AS named,
    any_value(d.parties) AS parties, any_value(t.claims) AS everywhere, any_value(joins) AS joins
FROM (SELECT ring FROM greenlane_ranked WHERE rank <= $most)
JOIN greenlane_tied d USING (ring) JOIN greenlane_rings USING (ring)
JOIN greenlane_ties USING (number, thing)
JOIN greenlane_things t USING (thing) JOIN greenlane_claims c USING (number)
GROUP BY ring, thing, what
"""


class _Row(NamedTuple):
    """What several claims of a ring name, as DuckDB tells it."""

    ring: int
    what: str
    kind: str
    value: str
    roles: list[str]
    named: list[str]
    parties: int
    everywhere: int
    joins: bool


def rank(
    connection: duckdb.DuckDBPyConnection,
    rings: Iterable[Numbers],
    columns: Collection[str],
    most: int,
    *,
    plain: bool,
) -> tuple[int, list[Ring]]:
    """Returns how many rings there are, and the first of them.

    Args:
        connection: with the tables of claims, things and ties.
        rings: numbers of the claims of each.
        columns: that claims have.
        most: rings that are told.
        plain: whether identifiers are told in full.

    Raises:
        duckdb.Error: memory is over.
    """
    _put(connection, list(rings))
    vehicle = [name for name in ("vin", "plate") if name in columns]
    by = ["insured"] if "insured" in columns else []
    if vehicle:
        by.append(f"coalesce({', '.join(vehicle)})")
    parties = ", ".join(f"count(DISTINCT {each})" for each in by)
    connection.execute(
        _TIED.format(parties=f"greatest({parties})" if by else "count(DISTINCT number)")
    )
    amount = "sum(amount)" if "amount" in columns else "CAST(NULL AS DECIMAL(18, 2))"
    connection.execute(
        _RANKED.format(amount=amount),
        {"claims": LEAST_CLAIMS, "parties": LEAST_PARTIES, "held": HELD},
    )
    number = connection.execute("SELECT count(*) FROM greenlane_ranked").fetchall()[0][0]
    return int(number), list(_told(connection, most, plain))


def _put(connection: duckdb.DuckDBPyConnection, rings: list[Numbers]) -> None:
    sizes = [len(each) for each in rings]
    table = {
        "number": np.concatenate(rings) if rings else np.empty(0, np.int64),
        "ring": np.repeat(np.arange(len(rings), dtype=np.int64), sizes),
    }
    connection.register(_INCOMING, pa.table(table))
    connection.execute(f"CREATE TABLE greenlane_rings AS SELECT * FROM {_INCOMING}")  # noqa: S608
    connection.unregister(_INCOMING)


def _told(connection: duckdb.DuckDBPyConnection, most: int, plain: bool) -> Iterator[Ring]:
    claims: dict[int, list[str]] = defaultdict(list)
    for ring, claim in connection.execute(_CLAIMS, {"most": most}).fetchall():
        claims[ring].append(claim)
    ties: dict[int, list[_Row]] = defaultdict(list)
    for each in connection.execute(_TIES, {"most": most}).fetchall():
        row = _Row(*each)
        ties[row.ring].append(row)
    rows: list[Any] = connection.execute(_TOLD, {"most": most}).fetchall()
    for place, ring, *score, amount in rows:
        value = None if amount is None else Decimal(amount)
        yield Ring(place, Score(*score), value, claims[ring], _ties(ties[ring], plain))


def _ties(rows: list[_Row], plain: bool) -> list[Tie]:
    """Returns the ties of a ring; a plate and a VIN that tie the same claims are one vehicle."""
    places = {each.what: place for place, each in enumerate(THINGS)}
    rows.sort(key=lambda row: (-len(row.named), places[row.what], row.named, row.value))
    together: dict[object, list[_Row]] = {}
    alike: Counter[object] = Counter()
    for row in rows:
        key: object = (row.what, row.value)
        if row.kind == "vehicle":
            same = (row.what, *row.named)
            alike[same] += 1  # two plates are two vehicles, whatever they tie
            key = (row.kind, alike[same], *row.named)
        together.setdefault(key, []).append(row)
    numbers: dict[str, int] = defaultdict(int)
    ties = []
    for group in together.values():
        first = group[0]
        numbers[first.kind] += 1
        ties.append(
            Tie(
                f"{first.kind} {numbers[first.kind]}",
                first.kind,
                {row.what: _shown(row, plain) for row in group},
                sorted({role for row in group for role in row.roles}),
                first.named,
                first.parties,
                max(row.everywhere for row in group) - len(first.named),
                any(row.joins for row in group),
            )
        )
    return ties


def _shown(row: _Row, plain: bool) -> str:
    hide = BY_WHAT[row.what].masked and not plain
    return worded(mask(row.value) if hide else row.value)
