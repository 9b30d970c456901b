"""Which ties chance does not explain: of how many claims there are, and who names how much.

In a million claims some persons stand in forty by chance, and two of them meet in one. So a tie is
measured by what chance would make of a table of this size: by the number of such ties to be
*expected* in it. Claims are counted by parties, for who has a phone names it in all their claims.
Two ways show a tie:

*Two things meet.* The claims of w(a) of all N parties name thing a, those of w(b) thing b. If both
had their parties by lot, the number of sets of k parties that both have would be, on the average,

    C(w(a), k) C(w(b), k) / C(N, k),

for each of a's C(w(a), k) sets is one of b's with probability C(w(b), k) / C(N, k). By Markov that
is never below the hypergeometric probability of k or more. If k parties name both in one claim, it
is multiplied by the number of meetings that are looked at: a bound on the expected number of such
pairs in the whole table. That is the test of statistically validated networks, with their
correction for many tests (Tumminello, Micciche, Lillo, Piilo and Mantegna, "Statistically validated
networks in bipartite complex systems", PLoS ONE 6(3), 2011, Methods). A hub has many parties, so
that to meet it says little. A plate and a VIN are one vehicle, and a record was met by what it
names: such pairs say nothing.

*One thing is wide.* Of each sort let n(w) be the number of things of w parties or more, without
those of repair shops. In the bulk of a sort n falls ever faster, and the heaviest tails that are
met fall as a power of w. So n is carried on beyond the bulk with the exponent of its last decade,
from a thousand things to a hundred (Hill, "A simple general approach to inference about the tail of
a distribution", 1975); what that gives at the width of a thing is the expected number of things so
wide. A phone of 24 strangers shows where phones have two or three, and a person in 24 claims of
others does not where some persons are in 20. A sort of less than a thousand things says nothing by
width.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from parties.models.rings.arrays import Mask, Numbers, distinct
from parties.models.rings.kinds import THINGS
from parties.models.rings.splitting import Edges
from parties.models.rings.ties import Ties

Logs = npt.NDArray[np.float64]

UNLIKELY: Final = 0.01
"""Expected number of ties of a kind in a whole table, below which chance does not explain one: the
level of the authors above."""
DECADE: Final = (1_000, 100)
"""Numbers of things between which the fall of a sort is read. A hundred are known to a tenth
(Poisson), and real rings, some tens in a million claims, bend them little."""


class Beyond:
    """What chance does not explain.

    Attributes:
        expected: log10 of the expected number, for each thing the least; 0 where nothing is less.
        cores: claims and things that chance does not put together: of a thing that is wide all its
            claims, of two that meet those that name both.
    """

    def __init__(self, ties: Ties) -> None:
        self.expected: Logs = np.zeros(len(ties.things.claims))
        wide, met = self._find_wide(ties)[ties.named], self._find_pairs(ties)
        both = zip(met, (ties.claims[wide], ties.named[wide]), strict=True)
        self.cores = Edges(*distinct(*map(np.concatenate, both)))

    def _find_wide(self, ties: Ties) -> Mask:
        """Returns whether each thing is wider than chance makes one."""
        things = ties.things
        for place in ties.single:
            own = np.flatnonzero((things.sorts == place) & things.joins)
            if len(own) == 0:
                continue
            widths = things.parties[own]
            counts = np.bincount(widths, minlength=2)
            counts[1] += ties.single[place]
            expected = _carried_on(np.cumsum(counts[::-1])[::-1], int(widths.max()))
            self.expected[own] = np.minimum(0, expected[widths])
        found: Mask = self.expected < np.log10(UNLIKELY)
        return found

    def _find_pairs(self, ties: Ties) -> Edges:
        """Returns claims and things of pairs that meet more often than by chance."""
        keys, claims, looked_at = meetings(ties)
        pairs, pair = np.unique(keys, return_inverse=True)
        together = np.bincount(distinct(pair, ties.parties[claims])[0], minlength=len(pairs))
        ends = pairs // len(self.expected), pairs % len(self.expected)
        first, second = (ties.things.parties[each] for each in ends)
        log = by_chance(first, second, together, ties.known)
        log += np.log10(max(looked_at, 1))
        shown = (together > 1) & (log < np.log10(UNLIKELY))
        for each in ends:
            np.minimum.at(self.expected, each[shown], log[shown])
        met = shown[pair]
        both = distinct(
            np.concatenate([claims[met]] * 2), np.concatenate([each[pair[met]] for each in ends])
        )
        return Edges(*both)


def meetings(ties: Ties) -> tuple[Numbers, Numbers, int]:
    """Returns which things of two parties or more the claims name together.

    Returns:
        lower thing x things + higher thing, and the claim, for each claim in which a pair meets
        that meets in another one too; and how many meetings of all pairs there are.
    """
    parts = list(_meetings(ties))
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), 0
    keys, claims = map(np.concatenate, zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    keys, claims = keys[order], claims[order]
    again = np.zeros(len(keys), bool)
    same = keys[1:] == keys[:-1]
    again[1:] |= same
    again[:-1] |= same
    return keys[again], claims[again], len(keys)


def _meetings(ties: Ties) -> Iterator[tuple[Numbers, Numbers]]:
    things, width = ties.things, len(ties.things.claims)
    several = np.append(things.parties > 1, False)  # the last: of no thing
    for (sort, column), (other, beside) in combinations(ties.slots, 2):
        if sort != other and THINGS[sort].kind == THINGS[other].kind:
            continue
        claims = np.flatnonzero(
            several[column] & several[beside] & (column != beside) & (ties.parties >= 0)
        )
        ends = column[claims], beside[claims]
        yield np.minimum(*ends) * width + np.maximum(*ends), claims


def by_chance(first: Numbers, second: Numbers, together: Numbers, every: int) -> Logs:
    """Returns log10 of how many sets of `together` parties two things share on the average.

    Args:
        first: parties of one.
        second: parties of the other.
        together: parties that name both.
        every: parties in all.
    """
    factorial = np.concatenate([[0.0], np.cumsum(np.log10(np.arange(1, every + 1)))])

    def choose(n: Numbers, k: Numbers) -> Logs:
        found: Logs = factorial[n] - factorial[k] - factorial[n - k]
        return found

    whole = np.full_like(together, every)
    return choose(first, together) + choose(second, together) - choose(whole, together)


def _carried_on(numbers: Numbers, widest: int) -> Logs:
    """Returns log10 of the expected number of things of each width or more, from 0 to the widest.

    Args:
        numbers: things of each width or more, from 0 on.
        widest: up to where.
    """
    expected: Logs = np.full(widest + 1, np.inf)
    if numbers[1] < DECADE[0]:
        return expected
    low, high = (int(np.flatnonzero(numbers >= many)[-1]) for many in DECADE)
    if high == widest:
        return expected
    if low == high:  # it falls by more than a decade from one width to the next
        high += 1
    (a, b), (n, m) = np.log10([low, high]), np.log10(numbers[[low, high]])
    beyond = np.arange(high + (numbers[high] >= DECADE[1]), widest + 1)
    expected[beyond] = m + (m - n) / (b - a) * (np.log10(beyond) - b)
    return expected
