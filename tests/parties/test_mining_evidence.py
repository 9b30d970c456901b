"""Tests, weights, measures: each against a slow one, or a number that was published."""

from __future__ import annotations

from fractions import Fraction
from math import comb, log, sqrt
from random import Random

import numpy as np
import pytest

from parties.models.intervals import Z
from parties.models.mining.bands import UNKNOWN, called, cut, quantiles
from parties.models.mining.cases import Cases
from parties.models.mining.evidence import Hypergeometric, adjusted
from parties.models.mining.holding_out import PARTS, area, compare, parts_of
from parties.models.mining.scorecard import PRIOR, regress
from parties.models.mining.weights import weigh


def test_the_exact_test_counts_all_draws() -> None:
    random = Random(3)
    test = Hypergeometric(60)
    for _ in range(200):
        population = random.randrange(1, 61)
        of, drawn = random.randrange(population + 1), random.randrange(population + 1)
        there = random.randrange(max(0, drawn + of - population), min(drawn, of) + 1)
        draws = sum(
            comb(of, x) * comb(population - of, drawn - x) for x in range(there, min(drawn, of) + 1)
        )
        exact = float(Fraction(draws, comb(population, drawn)))
        said = test.tail(there, drawn, of, population)
        if there * population > drawn * of:
            assert said == pytest.approx(exact, rel=1e-9)
        else:
            assert said == 1


def test_p_values_are_adjusted_as_the_procedure_says() -> None:
    random = Random(4)
    for _ in range(50):
        values = [random.random() ** 4 for _ in range(random.randrange(1, 12))]
        family = len(values) + random.randrange(3)
        harmonic = sum(1 / n for n in range(1, family + 1))
        ranked = sorted(values)
        told = adjusted(values, family).tolist()
        for value, said in zip(values, told, strict=True):
            least = min(
                each * family * harmonic / (place + 1)
                for place, each in enumerate(ranked)
                if each >= value
            )
            assert said == pytest.approx(min(1, least))


def test_the_area_and_its_interval_are_those_of_all_pairs() -> None:
    """DeLong, DeLong and Clarke-Pearson (1988), equations 3 and 4."""
    random = Random(5)
    for _ in range(20):
        chances = np.array([random.randrange(8) / 8 for _ in range(30)])
        confirmed = np.array([random.random() < 0.4 for _ in range(28)] + [True, False])
        confirmed[:4] = [True, True, False, False]
        yes, no = chances[confirmed].tolist(), chances[~confirmed].tolist()
        wins = [[(a > b) + (a == b) / 2 for b in no] for a in yes]
        rows = [sum(row) / len(no) for row in wins]
        columns = [sum(column) / len(yes) for column in zip(*wins, strict=True)]
        value = sum(rows) / len(rows)
        variance = sum((each - value) ** 2 for each in rows) / (len(rows) - 1) / len(rows)
        variance += sum((each - value) ** 2 for each in columns) / (len(columns) - 1) / len(columns)
        half = Z * sqrt(variance)
        expected = (value, max(0, value - half), min(1, value + half))
        assert area(chances, confirmed) == pytest.approx(expected)


def test_probabilities_that_are_known_have_the_score_that_they_must() -> None:
    chances = np.array([0.0, 1.0, 0.5, 0.5] * 10)
    confirmed = np.array([False, True, True, False] * 10)
    found = compare(chances, confirmed)
    assert found.brier.value == pytest.approx(0.125)
    assert found.brier_of_share == pytest.approx(0.25)
    assert (found.expected, found.confirmed) == (20, 20)
    assert [(each.said, each.cases, each.confirmed) for each in found.tenths] == [
        (0.25, 20, 5),
        (0.75, 20, 15),
    ]
    assert sum(each.cases for each in found.tenths) == 40


def test_weights_are_logarithms_of_shares_and_rare_bands_weigh_nothing() -> None:
    shares = np.zeros((200, 3))
    shares[:60, 0] = shares[60:195, 1] = shares[195:, 2] = 1
    confirmed = np.array([True] * 45 + [False] * 15 + [True] * 15 + [False] * 120 + [True] * 5)
    weights = weigh(shares, confirmed)
    yes, no = (45.5, 15.5), (15.5, 120.5)
    of_yes, of_no = [n / sum(yes) for n in yes], [n / sum(no) for n in no]
    expected = [log(a / b) for a, b in zip(of_yes, of_no, strict=True)]
    assert weights.weights.tolist() == pytest.approx([*expected, 0])
    information = sum((a - b) * w for a, b, w in zip(of_yes, of_no, expected, strict=True))
    assert weights.information == pytest.approx(information)
    assert weights.tells


def test_what_has_nothing_to_do_with_it_tells_nothing() -> None:
    told = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        shares = np.eye(5)[random.integers(0, 5, 400)]
        told += weigh(shares, random.random(400) < 0.3).tells
    assert told <= 20, "chance reaches the bound in one case of some forty"


def test_the_regression_is_where_its_slope_is_nought() -> None:
    random = np.random.default_rng(6)
    x = random.normal(size=(300, 3))
    y = random.random(300) < 1 / (1 + np.exp(1.5 - x @ [1, 0.5, 0]))
    base, *counts = regress(x, y)
    chances = 1 / (1 + np.exp(-base - x @ np.array(counts)))
    assert chances.sum() == pytest.approx(y.sum())
    assert (x.T @ (y - chances)).tolist() == pytest.approx([PRIOR * each for each in counts])


def test_bands_are_cut_where_they_say() -> None:
    codes, bands = cut(np.array([-1, 0, 4.9, 5, 100, np.nan]), (0, 5))
    assert codes.tolist() == [0, 1, 1, 2, 2, UNKNOWN]
    assert [called("yuan", band) for band in bands] == [
        "less than 0 yuan",
        "0 yuan to less than 5 yuan",
        "5 yuan or more",
    ]
    cuts = quantiles(np.arange(100_000.0))
    assert cuts == [20_000, 40_000, 60_000, 80_000]
    assert quantiles(np.array([1234.0, 5678, 9012, 3456, 7890])) == [3_000, 4_800, 6_600, 8_100]
    assert quantiles(np.full(3, np.nan)) == []


def test_all_parts_have_as_many_cases_and_as_many_confirmed_whatever_their_order() -> None:
    names, confirmed = [f"case {n}" for n in range(503)], np.arange(503) % 7 == 0
    none = np.zeros(0, np.int64)
    parts = parts_of(Cases(names, confirmed, none, none, 0))
    for some in (parts, parts[confirmed]):
        counts = np.bincount(some, minlength=PARTS)
        assert counts.max() - counts.min() <= 2
    back = parts_of(Cases(names[::-1], confirmed[::-1], none, none, 0))
    assert back[::-1].tolist() == parts.tolist()
