"""Sets of facts that many cases have, by Apriori (Agrawal and Srikant, 1994).

The library finds candidates among facts that at least half of the claims of a case have; what a set
is had by is then counted exactly, claim by claim. No outcome is looked at for what is frequent, so
that the tests that follow are of sets that were there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from efficient_apriori import itemsets_from_transactions

from parties.models.mining.bands import Band, ranges
from parties.models.mining.cases import Booleans, Cases
from parties.models.mining.dimension import Dimension
from parties.models.mining.facts import Facts
from psi.lazily import NamedTuple

Set: TypeAlias = tuple[int, ...]
"""Places of items, ascending."""

LEAST: Final = 10
"""Cases that have a set, at least. Where one case in ten is confirmed, ten of ten have a chance of
10^-10, which stands out among a hundred thousand sets; five of five do not."""
ONE_IN: Final = 1_000
"""Of many cases, the share that has a set, at least: a rule for fewer is work without leads."""
LONGEST: Final = 3
"""Facts of a set: a person sees at once what three say together."""


class Item(NamedTuple):
    """A fact that a set may have: to be in one of some neighbouring bands.

    Attributes:
        place: of its dimension.
        first, last: codes of the bands.
    """

    place: int
    first: int
    last: int

    def within(self, other: Item) -> bool:
        """Whether whatever has this fact has the other."""
        return (
            self != other
            and self.place == other.place
            and self.first >= other.first
            and self.last <= other.last
        )


class Counts(NamedTuple):
    """Cases that have a set.

    Attributes:
        cases: how many.
        confirmed: of them.
    """

    cases: int
    confirmed: int


class Frequent(NamedTuple):
    """Sets that are frequent, each with fewer cases than any that says less.

    Attributes:
        items: of which sets are made; of one dimension, wider ones first.
        counts: of each set; of the empty set too.
    """

    items: Sequence[Item]
    counts: Mapping[Set, Counts]

    def facts_of(self, facts: Facts, which: Set) -> list[tuple[Dimension, Band]]:
        """Returns what a set says."""
        return [_fact(facts, self.items[each]) for each in which]

    def claims_of(self, facts: Facts, which: Set) -> Booleans:
        """Returns which of all claims have a set."""
        has = np.ones(len(facts.claims), np.bool_)
        for each in which:
            has &= having(facts, self.items[each])
        return has

    def weaker(self, which: Set) -> Iterator[Set]:
        """Yields the frequent sets that say a little less: one fact less, or one that is wider."""
        for at, each in enumerate(which):
            yield which[:at] + which[at + 1 :]
            for other in reversed(range(each)):
                wider = (*which[:at], other, *which[at + 1 :])
                if not self.items[each].within(self.items[other]):
                    break
                if wider in self.counts:
                    yield wider
                    break


def having(facts: Facts, item: Item) -> Booleans:
    """Returns which of all claims have a fact."""
    codes = facts.codes[item.place]
    has: Booleans = (codes >= item.first) & (codes <= item.last)
    return has


def least_of(cases: Cases, asked: int | None) -> int:
    """Returns how many cases a set must have."""
    return asked or max(LEAST, -(-len(cases.names) // ONE_IN))


def frequent(facts: Facts, cases: Cases, least: int, longest: int = LONGEST) -> Frequent:
    """Finds the sets that at least so many cases have.

    A set that has the cases of one that says less says nothing of its own, and is left out with all
    that contain it (such sets are no generators: Bastide et al., 2000).
    """
    whole = Counts(len(cases.names), int(cases.confirmed.sum()))
    items, rows, columns = [], [], []
    for item in _every(facts):
        has = having(facts, item)[cases.rows]
        column = cases.mostly(has)
        if least <= int(column.sum()) < whole.cases:
            items.append(item)
            rows.append(has)
            columns.append(column)
    counts: dict[Set, Counts] = {(): whole}
    found = Frequent(items, counts)
    if not items:
        return found
    transactions = [np.flatnonzero(row).tolist() for row in np.stack(columns, axis=1)]
    candidates, _ = itemsets_from_transactions(transactions, least / whole.cases, longest)
    for length in sorted(candidates):
        for which in sorted(candidates[length]):  # wider ones first
            if len({items[each].place for each in which}) < length:
                continue
            below = [counts.get(each) for each in found.weaker(which)]
            if None in below:
                continue
            has = np.logical_and.reduce([rows[each] for each in which])
            of_cases = cases.mostly(has)
            number = int(of_cases.sum())
            if least <= number < min(each.cases for each in below if each):
                counts[which] = Counts(number, int((of_cases & cases.confirmed).sum()))
    return found


def _every(facts: Facts) -> list[Item]:
    return [
        Item(place, first, last)
        for place, (dimension, bands) in enumerate(zip(facts.dimensions, facts.bands, strict=True))
        for first, last in ranges(dimension.sort, len(bands))
    ]


def _fact(facts: Facts, item: Item) -> tuple[Dimension, Band]:
    bands = facts.bands[item.place]
    band = bands[item.first]._replace(high=bands[item.last].high)
    return facts.dimensions[item.place], band
