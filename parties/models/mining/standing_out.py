"""Which frequent sets stand out: confirmed more often than all cases, and than sets that say less.

A set is tested against all cases and against each set that says a little less, by Fisher's exact
test, and the largest p-value counts (Webb, "Discovering significant patterns", 2007). All frequent
sets are the family for which p-values are adjusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from parties.models.intervals import wilson
from parties.models.mining.bands import Band
from parties.models.mining.cases import Booleans, Cases
from parties.models.mining.dimension import Dimension
from parties.models.mining.evidence import Hypergeometric, adjusted
from parties.models.mining.facts import Facts
from parties.models.mining.sets import Counts, Frequent, Set
from psi.lazily import NamedTuple

RATE: Final = 0.05
"""Share of what is proposed that may be there by chance."""
REST: Final = 0.01
"""p-value from which on what is left of a set, without others within it, stands out no more. It is
below `RATE`, for a set that is told twice costs more than one that is told in parts."""
WITHIN: Final = (9, 10)
"""A set is as good as within another one if nine in ten of its claims have that."""


class Proposed(NamedTuple):
    """A set that stands out.

    Attributes:
        facts: that it has.
        counts: cases that have it.
        whole: all cases.
        p: the adjusted p-value.
        claims: of all claims of the line, how many have it.
        decided: of them in cases; a case may have few.
        confirmed: of them in cases that were confirmed.
    """

    facts: Sequence[tuple[Dimension, Band]]
    counts: Counts
    whole: Counts
    p: float
    claims: int
    decided: int
    confirmed: int

    @property
    def support(self) -> float:
        """Share of all cases that have the set and were confirmed."""
        return self.counts.confirmed / self.whole.cases

    @property
    def confidence(self) -> float:
        """Share of the cases with the set that were confirmed."""
        return self.counts.confirmed / self.counts.cases

    @property
    def interval(self) -> tuple[float, float]:
        """Of the confidence, at 95 %."""
        return wilson(self.counts.confirmed, self.counts.cases)

    @property
    def lift(self) -> float:
        """The confidence over the share of all cases that were confirmed."""
        return self.confidence * self.whole.cases / self.whole.confirmed


def stand_out(facts: Facts, cases: Cases, frequent: Frequent) -> list[Proposed]:
    """Returns the sets that stand out, those of the highest lift first."""
    kept: list[tuple[Set, float, Booleans]] = []
    test = Hypergeometric(len(cases.names))
    for which, p in _significant(frequent, test):
        claims = frequent.claims_of(facts, which)
        if not any(
            _no_better(claims, other, frequent.counts[wider], cases, test)
            for wider, _, other in kept
        ):
            kept.append((which, p, claims))
    proposed = [
        _proposed(facts, cases, frequent, which, p, claims)
        for which, p, claims in kept
        if not _explained(claims, [other for _, _, other in kept], cases, test)
    ]
    return sorted(proposed, key=lambda each: (-each.lift, -each.claims, str(each.facts)))


def _significant(frequent: Frequent, test: Hypergeometric) -> list[tuple[Set, float]]:
    """Returns sets whose adjusted p-value is small, the smallest first."""
    sets = [which for which in frequent.counts if which]
    values = [_value(frequent, test, which) for which in sets]
    if not sets:
        return []
    told = zip(sets, adjusted(values, len(sets)).tolist(), strict=True)
    small = [(which, p) for which, p in told if p <= RATE]
    return sorted(small, key=lambda each: (each[1], len(each[0]), each[0]))


def _value(frequent: Frequent, test: Hypergeometric, which: Set) -> float:
    counts, largest = frequent.counts[which], 0.0
    for below in ((), *frequent.weaker(which)):
        cases, confirmed = frequent.counts[below]
        largest = max(largest, test.tail(counts.confirmed, counts.cases, confirmed, cases))
        if largest > RATE:
            break  # it will not stand out, whatever the others say
    return largest


def _no_better(
    claims: Booleans, other: Booleans, of_other: Counts, cases: Cases, test: Hypergeometric
) -> bool:
    """Whether a set is as good as within another one, and stands out in it no more."""
    both = claims & other
    if int(both.sum()) * WITHIN[1] < int(claims.sum()) * WITHIN[0]:
        return False
    few = cases.having(both)
    there = int((few & cases.confirmed).sum())
    return test.tail(there, int(few.sum()), of_other.confirmed, of_other.cases) > REST


def _explained(
    claims: Booleans, kept: Sequence[Booleans], cases: Cases, test: Hypergeometric
) -> bool:
    """Whether a set stands out only by others within it, and not without their cases."""
    within = [other for other in kept if other is not claims and not (other & ~claims).any()]
    if not within:
        return False
    rest = ~np.logical_or.reduce([cases.having(other) for other in within])
    has, confirmed = cases.having(claims) & rest, cases.confirmed & rest
    counts = (int((has & confirmed).sum()), int(has.sum()))
    return test.tail(*counts, int(confirmed.sum()), int(rest.sum())) > REST


def _proposed(
    facts: Facts, cases: Cases, frequent: Frequent, which: Set, p: float, claims: Booleans
) -> Proposed:
    of_cases = cases.counted(claims)
    return Proposed(
        facts=frequent.facts_of(facts, which),
        counts=frequent.counts[which],
        whole=frequent.counts[()],
        p=p,
        claims=int(claims.sum()),
        decided=int(of_cases.sum()),
        confirmed=int(of_cases[cases.confirmed].sum()),
    )
