"""A scorecard: weights of evidence that are fitted together, in points.

The weights of dimensions that say the same would count twice if they were added up as they are. So
a logistic regression on them finds by how much of its weight each counts; a prior holds that back
where there are few cases. A dimension that would count against its own weights is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Final

import numpy as np

from parties.models.mining.bands import Floats
from parties.models.mining.cases import Booleans
from parties.models.mining.weights import Shares, Weights, weigh
from psi.lazily import NamedTuple

PRIOR: Final = 1.0
"""Precision of the prior of each coefficient, normal around 0 in units of its weight: 1 would take
the evidence at its face, and so far from 0 is one standard deviation."""
STEPS: Final = 50
"""Newton's method on a concave function is done in about ten."""
CLOSE: Final = 1e-10
POINTS: Final = 100
"""Of a case of which nothing speaks for or against."""
DOUBLED: Final = 20
"""Points that double the odds, as is the custom (Siddiqi, chapter 6)."""


class Scored(NamedTuple):
    """A dimension of a scorecard.

    Attributes:
        shares: of its cases.
        weights: of its bands.
        counts: the part of the weights that counts; 0 of a dimension that is left out.
    """

    shares: Shares
    weights: Weights
    counts: float

    @property
    def points(self) -> list[int]:
        """Points of each band."""
        return [_points_of(self.counts * each) for each in self.weights.weights.tolist()]


class Scorecard(NamedTuple):
    """A scorecard.

    Attributes:
        base: logarithm of the odds of a case whose weights are all 0.
        dimensions: all that were weighed.
        odds: logarithm of the odds among all cases, to which `POINTS` belong.
    """

    base: float
    dimensions: Sequence[Scored]
    odds: float

    @property
    def start(self) -> int:
        """Points from which those of the bands are counted."""
        return POINTS + _points_of(self.base - self.odds)

    def chances(self, shares: Sequence[Shares], which: Booleans) -> Floats:
        """Returns the probability that each case is confirmed.

        Args:
            shares: of all cases, as those of which it was made.
            which: of the cases are wanted.
        """
        scores = np.full(int(which.sum()), self.base)
        for each, scored in zip(shares, self.dimensions, strict=True):
            scores += scored.counts * (each.shares[which] @ scored.weights.weights)
        chances: Floats = 1 / (1 + np.exp(-scores))
        return chances


def _points_of(logarithm: float) -> int:
    """Returns the points of so much of the logarithm of odds."""
    return round(DOUBLED / log(2) * logarithm)


def fit(shares: Sequence[Shares], confirmed: Booleans, which: Booleans) -> Scorecard:
    """Makes a scorecard of some cases.

    Args:
        shares: of all cases.
        confirmed: whether each was.
        which: cases of which it is made; some of them confirmed, and some not.
    """
    y = confirmed[which]
    odds = log(float(y.mean()) / (1 - float(y.mean())))
    weighed = [weigh(each.shares[which], y) for each in shares]
    told = [n for n, each in enumerate(weighed) if each.tells]
    while True:
        x = np.array([shares[n].shares[which] @ weighed[n].weights for n in told])
        base, *counts = regress(x.reshape(len(told), len(y)).T, y).tolist()
        if not counts or min(counts) > 0:
            break
        del told[int(np.argmin(counts))]
    by_place = dict(zip(told, counts, strict=True))
    dimensions = [
        Scored(each, weights, by_place.get(n, 0.0))
        for n, (each, weights) in enumerate(zip(shares, weighed, strict=True))
    ]
    return Scorecard(base, dimensions, odds)


def regress(x: Floats, y: Booleans) -> Floats:
    """Returns intercept and coefficients of a logistic regression with a normal prior.

    Newton's method, which is iteratively reweighted least squares (McCullagh and Nelder,
    "Generalized Linear Models", 1989, section 2.5), with a ridge for all but the intercept (Le
    Cessie and van Houwelingen, 1992). So the sum of probabilities is the number of the confirmed.

    Args:
        x: cases x weights.
        y: whether each case was confirmed; some were and some were not.
    """
    design = np.hstack([np.ones((len(y), 1)), x])
    ridge = np.diag([0.0] + [PRIOR] * x.shape[1])
    mean = float(y.mean())
    found = np.zeros(design.shape[1])
    found[0] = log(mean / (1 - mean))
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (y - chances) - ridge @ found
        curve = (design * (chances * (1 - chances))[:, None]).T @ design + ridge
        step = np.linalg.solve(curve, slope)
        found += step
        if float(np.abs(step).max()) < CLOSE:
            break
    return found
