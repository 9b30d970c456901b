"""How often a bin of the key-value store cannot be solved: counted, and the printed tables.

The tables of `docs/protocols.md` are made by `okvs_failures.py`, beside this file.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from math import ceil, comb, log2
from pathlib import Path

import okvs_failures as study
import pytest

from psi._core import okvs_core_sizes
from psi.subprotocols.okvs import DENSE, MARGIN, shape

ROOT = Path(__file__).parents[2]


@pytest.mark.study
@pytest.mark.timeout(7200)
def test_the_documents_have_the_tables_and_say_where_the_law_is_kept() -> None:
    found = study.report()
    printed = study.table(found)
    print(printed, file=sys.stderr)
    document = (ROOT / "docs/protocols.md").read_text(encoding="utf-8")
    for part in printed.split("\n\n"):
        assert part in document, f"docs/protocols.md lacks\n{part}"
    for keys, each in found["large"].items():
        # The law is no bound for the smallest bins: there, rare cores are a little more frequent.
        assert [bits for bits in each["above_the_law"] if keys > 1024 or bits < 12] == []
        assert all(at["low"] < at["claimed"] + 0.5 for at in each["points"])
        # Counts bend: they fall more slowly than the law at first, and faster as they are rarer.
        (all_points, _), (rare, _) = each["fitted"], each["fitted_rare"]
        assert all_points < rare
        assert all_points < each["slope"]
        assert all(at["smallest"] > keys // 8 for at in each["points"])
    for each in found["small"]:
        assert not [left for left in each["others"] if left > 16]
        for left in each["left"].values():
            assert abs(left["counted"] - left["sets"]) < 5 * left["sets"] ** 0.5 + 1
        assert max(each["log2_unsolved"].values()) < -61


def test_a_few_bins_have_the_cores_that_are_claimed() -> None:
    point = study.point(1024, 6, 1 << 13)
    assert point.low < point.claimed
    assert point.high > point.claimed - 2  # and not far below
    assert point.smallest > 128
    # With five deviations a false alarm comes in 10^6 seeds.
    found = study.small(shape(1), 1 << 14)
    assert found["keys"] == 1024
    assert abs(found["left"][2]["counted"] - found["left"][2]["sets"]) < 5 * 71**0.5
    assert max(found["log2_unsolved"].values()) < -61
    assert study.small(shape(1), 1 << 14) == found


@pytest.mark.parametrize("elements", [1, 1024, 5000, 1 << 14, 1 << 20, 1 << 30])
def test_the_law_is_the_one_that_the_parameters_take(elements: int) -> None:
    form = shape(elements)
    bits = MARGIN + log2(form.bins)
    assert form.third == study.third_for(form.capacity, bits)
    assert bits <= -study.claimed(form.capacity, form.third) < bits + 1
    assert study.claimed(form.capacity, form.third - 1) > -bits


@pytest.mark.parametrize(("keys", "third"), [(2, 3), (3, 2), (4, 2), (5, 1)])
def test_sets_that_could_be_a_core_are_as_many_as_plain_counting_says(
    keys: int, third: int
) -> None:
    places = list(itertools.product(range(third), repeat=3))
    counted: Counter[int] = Counter()
    for each in itertools.product(places, repeat=keys):
        for size in range(keys + 1):
            for chosen in itertools.combinations(each, size):
                named = [Counter(key[i] for key in chosen) for i in range(3)]
                counted[size] += all(1 not in cells.values() for cells in named)
    total = len(places) ** keys
    assert [mean * total for mean in study.sets(keys, third, keys)] == [
        counted[size] for size in range(keys + 1)
    ]


def test_sets_of_two_are_the_pairs_with_equal_places() -> None:
    assert float(study.sets(1000, 430, 2)[2]) == pytest.approx(study.pairs(1000, 430))
    # Three keys share all places or none: three pairs to a set of three.
    assert study.sets(4, 3, 3)[3] == comb(4, 3) * (study.sets(2, 3, 2)[2]) ** 2


def test_an_interval_has_the_frequencies_that_would_not_surprise() -> None:
    # Wilson's interval ends where the count is just SIGMAS deviations away.
    for count, runs in ((1, 10), (50, 100), (300, 1 << 22)):
        for end in study.interval(count, runs):
            deviations = abs(count - runs * end) / (runs * end * (1 - end)) ** 0.5
            assert deviations == pytest.approx(study.SIGMAS)


def test_points_on_a_line_are_fitted_by_it() -> None:
    points = [
        study.Point(bits, 0, 1.2 + bits / 100, 1 << 30, 1 << 30 - bits, 0, -float(bits), 0, 0, 0)
        for bits in (3, 6, 9)
    ]
    value, error = study.fitted(points)
    assert value == pytest.approx(100)
    assert 0 < error < 1


def test_cores_beyond_the_dense_cells_and_only_these_are_large() -> None:
    counts = okvs_core_sizes(1024, ceil(1024 * 1.27 / 3), 7, 1 << 12)
    assert not [left for left in counts if 16 < left <= 2 * DENSE]
    assert study.unsolved(1.0, DENSE + 1) == study.unsolved(1.0, DENSE) == 1.0
    assert study.unsolved(0.5, 2) == 2.0**-55
