"""What a set says, and what stands behind it, in words."""

from __future__ import annotations

from typing import Final

from parties.models.mining.bands import Band, called
from parties.models.mining.cases import Cases
from parties.models.mining.dimension import Dimension
from parties.models.mining.holding_out import HeldOut
from parties.models.mining.standing_out import Proposed

OF_WHOM: Final = (
    "counted among cases that were concluded, which somebody had picked; of claims that nobody "
    "looked into it says nothing"
)
WITH_OTHERS: Final = (
    "counted among all claims, of which those that came to no case are taken for not confirmed, "
    "whether anybody looked into them or not"
)
"""Of what the numbers are, without and with claims of no case."""


def said(dimension: Dimension, band: Band) -> str:
    """Returns what is said of a claim in a band."""
    return dimension.says.format(called(dimension.sort, band))


def title(proposed: Proposed) -> str:
    """Returns what a set says, in one line."""
    return "; ".join(said(*fact) for fact in proposed.facts)


def behind(proposed: Proposed) -> str:
    """Returns what stands behind a set."""
    low, high = proposed.interval
    return (
        f"{proposed.counts.confirmed:,} of {proposed.counts.cases:,} cases with it were confirmed, "
        f"and {proposed.whole.confirmed:,} of all {proposed.whole.cases:,}: support "
        f"{percent(proposed.support)}, confidence {percent(proposed.confidence)} (95 %: "
        f"{percent(low)} to {percent(high)}), lift {proposed.lift:.2f}, adjusted p "
        f"{_small(proposed.p)}"
    )


def _small(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-15 else "below 1e-15"


def percent(share: float) -> str:
    """Returns a share as people read it."""
    return f"{100 * share:.1f} %"


def of_all(cases: Cases) -> str:
    """Returns how many cases there are."""
    confirmed = int(cases.confirmed.sum())
    return (
        f"cases: {len(cases.names):,} with {len(cases.rows):,} claims in the tables, of which "
        f"{confirmed:,} were confirmed"
    )


def brier_of(held_out: HeldOut) -> str:
    """Returns the Brier score in words."""
    brier = held_out.brier
    return (
        f"Brier score {brier.value:.4f} (95 %: {brier.low:.4f} to {brier.high:.4f}), and "
        f"{held_out.brier_of_share:.4f} if every case were given the share of all; "
        f"{held_out.expected:,.1f} confirmed cases were expected, and {held_out.confirmed:,} were"
    )


def area_of(held_out: HeldOut) -> str:
    """Returns the area under the curve in words."""
    area = held_out.area
    return (
        f"Of a confirmed case and another one, the confirmed has more points in "
        f"{percent(area.value)} of pairs (95 %: {percent(area.low)} to {percent(area.high)})"
    )
