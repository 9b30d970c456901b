"""How well a scorecard does on cases that it has not seen.

Cases are dealt into five parts in order of a hash of their names. Each part is judged by one
made of the four others, so that every case is held out once, and the claims of a case
together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

from parties.models.intervals import Z, wilson
from parties.models.mining.bands import Floats
from parties.models.mining.cases import Booleans, Cases, Numbers
from parties.models.mining.scorecard import Scorecard, fit
from parties.models.mining.weights import Shares
from psi.lazily import NamedTuple

PARTS: Final = 5
LEAST: Final = 50
"""Cases that were confirmed, and that were not: ten of each in a part. With ten of each the area
under the curve of a scorecard that tells nothing is 0.5 within 0.26 either way, with 50 within
0.11 (Hanley and McNeil, 1982); with fewer nothing can be seen."""
TENTHS: Final = 10
LEAST_IN_TENTH: Final = 20
"""Cases of a point of the curve: of 20 a share is known to a fifth either way."""


class Tenth(NamedTuple):
    """Cases of about the same probability.

    Attributes:
        said: mean of the probabilities.
        cases: how many.
        confirmed: of them.
    """

    said: float
    cases: int
    confirmed: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share that was confirmed, at 95 %."""
        return wilson(self.confirmed, self.cases)


class Measure(NamedTuple):
    """A number with its interval at 95 %."""

    value: float
    low: float
    high: float


class HeldOut(NamedTuple):
    """How probabilities and outcomes agree, on cases that were held out.

    Attributes:
        tenths: ascending.
        brier: mean square of the difference (Brier, 1950).
        brier_of_share: the same, if each case were given the share of all.
        area: probability that a confirmed case has a higher score than another one, the area under
            the receiver operating characteristic.
        expected: confirmed cases, as the probabilities say.
        confirmed: as they were.
    """

    tenths: Sequence[Tenth]
    brier: Measure
    brier_of_share: float
    area: Measure
    expected: float
    confirmed: int


def too_few(cases: Cases) -> str:
    """Returns why there are not enough cases for a scorecard; empty if there are."""
    yes = int(cases.confirmed.sum())
    no = len(cases.names) - yes
    if min(yes, no) >= LEAST:
        return ""
    return (
        f"a scorecard takes {LEAST} concluded cases that were confirmed and {LEAST} that were not, "
        f"with claims in the tables; there are {yes:,} and {no:,}"
    )


def hold_out(cases: Cases, shares: Sequence[Shares]) -> HeldOut:
    """Judges all cases, each by a scorecard that has not seen it.

    Args:
        cases: enough of them.
        shares: in which bands they are.
    """
    parts = parts_of(cases)
    chances = np.zeros(len(parts))
    for part in range(PARTS):
        out = parts == part
        card: Scorecard = fit(shares, cases.confirmed, ~out)
        chances[out] = card.chances(shares, out)
    return compare(chances, cases.confirmed)


def parts_of(cases: Cases) -> Numbers:
    """Returns the part of each case.

    The confirmed are dealt apart from the others, so that all parts have the same share of them.
    Else what is held out would have more of them where the rest has fewer, and a scorecard that
    tells nothing would seem worse than none (Parker, Günter and Bedo, "Stratification bias in low
    signal microarray studies", 2007).
    """
    parts = np.zeros(len(cases.names), np.int64)
    digests = [hashlib.sha256(name.encode()).digest() for name in cases.names]
    for confirmed in (True, False):
        those = np.flatnonzero(cases.confirmed == confirmed).tolist()
        parts[sorted(those, key=digests.__getitem__)] = np.arange(len(those)) % PARTS
    return parts


def compare(chances: Floats, confirmed: Booleans) -> HeldOut:
    """Compares probabilities with outcomes, of which both are there.

    Args:
        chances: of each case.
        confirmed: whether it was.
    """
    squares = (chances - confirmed) ** 2
    share, number = float(confirmed.mean()), len(confirmed)
    half = Z * float(squares.std(ddof=1)) / sqrt(number)
    brier = float(squares.mean())
    order = np.argsort(chances, kind="stable")
    pieces = np.array_split(order, max(1, min(TENTHS, number // LEAST_IN_TENTH)))
    return HeldOut(
        tenths=[Tenth(float(chances[p].mean()), len(p), int(confirmed[p].sum())) for p in pieces],
        brier=Measure(brier, max(0.0, brier - half), brier + half),
        brier_of_share=share * (1 - share),
        area=area(chances, confirmed),
        expected=float(chances.sum()),
        confirmed=int(confirmed.sum()),
    )


def area(chances: Floats, confirmed: Booleans) -> Measure:
    """Returns the area under the curve, with its interval (DeLong, DeLong, Clarke-Pearson, 1988).

    Placements are read off ranks, as Sun and Xu do (2014); ties count half.
    """
    yes, no = chances[confirmed], chances[~confirmed]
    of_yes = (_ranks(chances)[confirmed] - _ranks(yes)) / len(no)
    of_no = 1 - (_ranks(chances)[~confirmed] - _ranks(no)) / len(yes)
    value = float(of_yes.mean())
    half = Z * sqrt(float(of_yes.var(ddof=1)) / len(yes) + float(of_no.var(ddof=1)) / len(no))
    return Measure(value, max(0.0, value - half), min(1.0, value + half))


def _ranks(values: Floats) -> Floats:
    """Returns ranks from 1; equal values have the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[inverse]
    return ranks
