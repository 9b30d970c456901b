"""All dimensions by which claims may be told.

None takes the value of an identifier: of a phone it is told how many persons share it, and not
which phone it is. Names of insurers and cities are told, where many claims have them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from parties.models.mining.bands import HOURS, SHORT_SPANS, SPANS, seconds
from parties.models.mining.dimension import Dimension
from parties.models.mining.ties import met, shared
from parties.models.tables import TABLES


def known(columns: Collection[str]) -> list[Dimension]:
    """Returns the dimensions of which all columns are there.

    Args:
        columns: that are, as table.column.
    """
    return [each for each in EVERY if set(each.needs) <= set(columns)]


def _names() -> Iterator[Dimension]:
    for column, by, says in (
        ("company", "company", "the insurer is {}"),
        ("city", "place", "the loss was in {}"),
    ):
        needs = ("claims.claim", f"claims.{column}")
        shown = (column, column)
        yield Dimension(
            column, "name", TABLES["claims"][column].says, says, (by,), needs, column, says, shown
        )


def _spans() -> Iterator[Dimension]:
    for name, begin, end, cuts, says in (
        ("policy_age", "policy_start", "happened", SPANS, "the loss came {} after the cover began"),
        ("raised", "cover_raised", "happened", SPANS, "the loss came {} after cover was raised"),
        ("bought_ahead", "bought", "departure", SHORT_SPANS, "the policy was bought {} ahead"),
    ):
        yield Dimension(
            name=name,
            sort="span",
            title=says.replace("{} ", "so long "),
            says=says,
            by=("time",),
            needs=("claims.claim", *sorted((f"claims.{begin}", f"claims.{end}"))),
            value=seconds(begin, end),
            reason=says,
            shown=(name, f"{end} - {begin}"),
            cuts=cuts,
            begin=begin,
            end=end,
        )


def _own() -> Iterator[Dimension]:
    yield Dimension(
        name="hour",
        sort="hour",
        title="hour of the loss",
        says="the loss happened from {}",
        by=("time",),
        needs=("claims.claim", "claims.happened"),
        value="hour(happened)",
        reason="the loss happened on {}",
        shown=("happened", "happened"),
        cuts=HOURS,
    )
    yield Dimension(
        name="claimed",
        sort="yuan",
        title="amount",
        says="the amount is {}",
        by=("amount",),
        needs=("claims.amount", "claims.claim"),
        value="amount",
        reason="the amount is {}",
        shown=("amount", "amount"),
    )
    yield Dimension(
        name="nights",
        sort="nights",
        title="nights in hospital",
        says="nights in hospital: {}",
        by=("hospital",),
        needs=("claims.claim", "claims.nights"),
        value="nights",
        reason="nights in hospital: {}",
        shown=("nights", "nights"),
    )
    for column, title in (("driver", "the driver"), ("claimant", "who claims")):
        yield Dimension(
            name=f"other_{column}",
            sort="flag",
            title=f"{title} is another than the insured",
            says=f"{title} is another than the insured",
            by=("person",),
            needs=("claims.claim", *sorted((f"claims.{column}", "claims.insured"))),
            value=f"{column} <> insured",
            reason=f"{title} is another than the insured",
        )
    yield Dimension(
        name="refunded",
        sort="flag",
        title="the ticket was given back",
        says="the ticket was given back",
        by=("flight",),
        needs=("claims.claim", "claims.refunded"),
        value="refunded IS NOT NULL",
        reason="the ticket was given back",
    )


EVERY: Final = (*_names(), *_own(), *_spans(), *shared(), *met())
"""In the order in which they are told."""
NEEDED: Final = {
    table: tuple(
        name
        for name in TABLES[table]
        if any(f"{table}.{name}" in each.needs for each in EVERY)
        or (table, name) == ("claims", "amount")
    )
    for table in TABLES
}
"""Columns of the joined tables that are read, where they are there."""
