"""Wilson's interval: as it was published, of none, and how often it covers."""

from __future__ import annotations

from math import comb

import pytest

from parties.models.intervals import Share, wilson


@pytest.mark.parametrize(
    ("number", "of", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
        # Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # Of the textbook: all of n is at least n / (n + z^2).
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
    ],
)
def test_intervals_are_those_that_were_published(
    number: int, of: int, low: float, high: float
) -> None:
    found = Share(number, of).interval
    assert found is not None
    assert tuple(round(end, 4) for end in found) == (low, high)
    assert wilson(number, of) == pytest.approx((low, high), abs=5e-5)


def test_of_none_there_is_no_share_and_no_interval() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


@pytest.mark.parametrize("of", [5, 20, 40, 100])
def test_an_interval_covers_the_share_that_made_it_about_as_often_as_it_says(of: int) -> None:
    """Brown, Cai and DasGupta, section 3.1: on the average over p near 95 %, for n from 10 on."""
    intervals = [Share(k, of).interval or (0.0, 1.0) for k in range(of + 1)]
    shares = [n / 400 for n in range(1, 400)]
    covered = [
        sum(
            comb(of, k) * p**k * (1 - p) ** (of - k)
            for k, (low, high) in enumerate(intervals)
            if low <= p <= high
        )
        for p in shares
    ]
    assert 0.94 < sum(covered) / len(covered) < 0.965
    for k, (low, high) in enumerate(intervals):
        assert 0 <= low <= k / of <= high <= 1
        other = intervals[of - k]
        assert (round(1 - other[1], 12), round(1 - other[0], 12)) == (
            round(low, 12),
            round(high, 12),
        )
