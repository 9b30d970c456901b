"""From joined tables and outcomes to sets that stand out and a scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parties.errors import SourceError
from parties.models.filling import Held
from parties.models.mapping import Filled
from parties.models.mining.cases import Cases, gather
from parties.models.mining.facts import read
from parties.models.mining.holding_out import HeldOut, hold_out, too_few
from parties.models.mining.outcomes import Outcomes
from parties.models.mining.scorecard import Scorecard, fit
from parties.models.mining.sets import LONGEST, frequent, least_of
from parties.models.mining.standing_out import Proposed, stand_out
from parties.models.mining.weights import shares_of
from parties.models.mining.words import OF_WHOM, WITH_OTHERS
from parties.models.sandbox import Bounds
from psi.lazily import NamedTuple


class Rated(NamedTuple):
    """A scorecard of all cases, and how well such a one does on cases that it has not seen."""

    scorecard: Scorecard
    held_out: HeldOut


class Mined(NamedTuple):
    """What was found.

    Attributes:
        tables: as they were filled.
        cases: that were counted.
        least: cases that a set must have.
        tested: frequent sets.
        proposed: of them those that stand out.
        rated: the scorecard; None if there are too few cases.
        why_not: why there is none; empty else.
        whom: of what the numbers are, in words.
    """

    tables: Mapping[str, Held]
    cases: Cases
    least: int
    tested: int
    proposed: Sequence[Proposed]
    rated: Rated | None
    why_not: str
    whom: str


def mine(
    tables: Mapping[str, Filled],
    line: str,
    outcomes: Outcomes,
    bounds: Bounds,
    least: int | None = None,
    longest: int = LONGEST,
    *,
    others: bool = False,
) -> Mined:
    """Finds sets of facts that stand out, and makes a scorecard if there are cases enough.

    Args:
        tables: from what they are filled.
        line: of business.
        outcomes: of cases.
        bounds: of DuckDB.
        least: cases that a set must have; None for ten, or one in a thousand.
        longest: facts of a set.
        others: as of `cases.gather`.

    Raises:
        SettingsError, LocalFault: as of `facts.read`.
        SourceError: as there, or no cases were confirmed, or all.
    """
    facts = read(tables, line, bounds)
    cases = gather(facts, outcomes, others=others)
    confirmed = int(cases.confirmed.sum())
    if confirmed in (0, len(cases.names)):
        raise SourceError(
            f"of {len(cases.names):,} concluded cases with claims in the tables {confirmed:,} were "
            "confirmed: there is nothing to compare"
        )
    least = least_of(cases, least)
    found = frequent(facts, cases, least, longest)
    proposed = stand_out(facts, cases, found)
    rated, why_not = None, too_few(cases)
    if not why_not:
        shares = shares_of(facts, cases)
        everyone = cases.confirmed | True
        rated = Rated(fit(shares, cases.confirmed, everyone), hold_out(cases, shares))
    return Mined(
        facts.tables,
        cases,
        least,
        len(found.counts) - 1,
        proposed,
        rated,
        why_not,
        WITH_OTHERS if others else OF_WHOM,
    )
