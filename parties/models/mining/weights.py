"""Weights of evidence: by how much the odds change when a fact is seen, in natural logarithms.

I. J. Good, "Probability and the Weighing of Evidence" (1950); as a scorecard N. Siddiqi, "Credit
Risk Scorecards" (2006), chapter 6. There the good stand above the line; here the confirmed do, so
that a weight above 0 speaks for looking first.

A case is in a band by the share of its claims that are, so that each case counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

from parties.models.mining.bands import Band, Floats
from parties.models.mining.cases import Booleans, Cases
from parties.models.mining.dimension import Dimension
from parties.models.mining.facts import Facts
from psi.lazily import NamedTuple

HALF: Final = 0.5
"""Added to each count, so that an empty one has a logarithm; the bias of the logarithm of odds is
then of the second order (Haldane, 1956; Anscombe, 1956)."""
LEAST: Final = 10
"""Cases in a band, before it weighs anything: with fewer, one case more or less is a tenth."""
LEAST_TOLD: Final = 0.02
"""Information below which a dimension tells nothing (Siddiqi, chapter 6)."""


class Shares(NamedTuple):
    """Cases in the bands of a dimension.

    Attributes:
        dimension: which.
        bands: its bands; the last one, None, is of claims of which it is not known.
        shares: cases x bands, each the share of the claims of a case; rows add up to 1.
    """

    dimension: Dimension
    bands: Sequence[Band | None]
    shares: Floats


class Weights(NamedTuple):
    """What the bands of a dimension weigh.

    Attributes:
        weights: of each band.
        information: how far the confirmed and the others are apart: the sum over the bands of the
            difference of their shares times the weight.
        by_chance: what it is below, in most cases, if the dimension has nothing to do with it.
    """

    weights: Floats
    information: float
    by_chance: float

    @property
    def tells(self) -> bool:
        """Whether the dimension tells more than chance does."""
        return self.information > max(LEAST_TOLD, self.by_chance)


def shares_of(facts: Facts, cases: Cases) -> list[Shares]:
    """Returns in which bands cases are, for each dimension."""
    number, sizes = len(cases.names), cases.sizes
    case_of_row = np.repeat(np.arange(number), sizes)
    found = []
    for dimension, bands, codes in zip(facts.dimensions, facts.bands, facts.codes, strict=True):
        width = len(bands) + 1
        of_rows = codes[cases.rows].astype(np.int64) % width  # -1, not known, becomes the last
        counts = np.bincount(case_of_row * width + of_rows, minlength=number * width)
        shares = counts.reshape(number, width) / sizes[:, None]
        found.append(Shares(dimension, [*bands, None], shares))
    return found


def weigh(shares: Floats, confirmed: Booleans) -> Weights:
    """Weighs the bands of a dimension.

    Args:
        shares: cases x bands.
        confirmed: whether each case was; some were and some were not.
    """
    there = shares.sum(axis=0)
    used = there >= LEAST
    yes = shares[confirmed].sum(axis=0) + HALF
    no = shares[~confirmed].sum(axis=0) + HALF
    of_yes, of_no = yes / yes[used].sum(), no / no[used].sum()
    weights = np.where(used, np.log(of_yes / of_no), 0.0)
    information = float(((of_yes - of_no) * weights)[used].sum())
    return Weights(weights, information, _by_chance(int(used.sum()), confirmed))


def _by_chance(bands: int, confirmed: Booleans) -> float:
    """Returns the information that chance reaches in one case of some forty.

    Of two samples of one distribution the information is about (1/n + 1/m) times a chi-square
    number with one degree of freedom less than there are bands (Kullback, "Information Theory and
    Statistics", 1959, chapter 6), whose mean that is and whose variance is twice as much. The bound
    is two standard deviations above the mean.
    """
    freedom = max(0, bands - 1)
    yes = int(confirmed.sum())
    return (1 / yes + 1 / (len(confirmed) - yes)) * (freedom + 2 * sqrt(2 * freedom))
