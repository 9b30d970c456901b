"""How rare bins are that cannot be solved, at the parameters: splitting, and the printed tables.

The tables of `docs/protocols.md` are made by `okvs_splitting.py`, beside this file.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict
from math import exp, inf, log, log2
from pathlib import Path
from random import Random

import okvs_splitting as study
import pytest
from okvs_failures import claimed, point, third_for

from psi._core import okvs_large_cores
from psi.subprotocols.okvs import BIN, MARGIN, SMALLEST, shape

ROOT = Path(__file__).parents[2]
SHAPES = [shape(elements) for elements in study.SIZES]


@pytest.mark.study
@pytest.mark.timeout(7200)
def test_the_documents_have_the_tables_and_the_parameters_are_safe() -> None:
    found = study.report()
    printed = study.table(found)
    print(printed, file=sys.stderr)
    document = (ROOT / "docs/protocols.md").read_text(encoding="utf-8")
    for part in printed.split("\n\n"):
        assert part in document, f"docs/protocols.md lacks\n{part}"
    for each in found["counted"]:
        # Where large cores can be counted, the two intervals have something in common.
        assert each["low"] < each["counted"]["high"]
        assert each["counted"]["low"] < each["split"]["high"]
    for each in found["shipped"]:
        assert each["high"] < each["needed"]
        assert min(each["runs"]) > -inf
        assert each["least_sets"] < each["log2"] - 10
    # The smallest bin is the one with the least to spare.
    spare = [each["needed"] - each["high"] for each in found["shipped"]]
    assert min(spare) == spare[0]


def test_a_few_bins_split_come_to_what_is_counted() -> None:
    keys, bits = 1024, 6
    plain = point(keys, bits, 1 << 14)
    split = study.estimate(keys, third_for(keys, bits), 128)
    assert study.lower(split.runs) < plain.high
    assert plain.low < split.high
    assert study.lower(split.runs) < split.log2 < split.high
    assert split.high - study.lower(split.runs) < 2
    assert asdict(study.estimate(keys, third_for(keys, bits), 128)) == asdict(split)


def test_other_seeds_split_otherwise_and_the_same_one_alike() -> None:
    levels = study.levels(1024, third_for(1024, 6))
    first, second, again = (
        okvs_large_cores(levels, third_for(1024, 6), seed, 64, 5) for seed in (1, 2, 1)
    )
    assert first == again != second


@pytest.mark.parametrize("form", SHAPES, ids=lambda form: str(form.capacity))
def test_levels_go_down_to_the_bin_a_bit_of_the_law_at_a_time(form) -> None:
    levels = study.levels(form.capacity, form.third)
    keys = [each for each, _ in levels]
    assert keys[-1] == form.capacity
    assert keys == sorted(set(keys), reverse=True)
    for above, below in itertools.pairwise(keys):
        # Both at the slope of the bin itself, at which levels are set.
        bits = study.slope(form.capacity) * 3 * form.third * (1 / below - 1 / above)
        assert 0.3 < bits < 2
    assert claimed(keys[0], form.third) > 0
    assert all(8 <= redrawn <= each / 4 for each, redrawn in levels)


def test_the_bins_are_those_of_the_smallest_set_and_of_every_kind_of_large_ones() -> None:
    assert SHAPES[0].capacity == SMALLEST
    assert {form.bins for form in SHAPES} == {1, 2, 64, 1 << 16}
    # Two bins have the fewest keys that several bins can have.
    several = [shape(elements).capacity for elements in range(BIN + 1, 40 * BIN, BIN // 4)]
    assert min(several) == SHAPES[2].capacity
    assert max(SHAPES, key=lambda form: form.bins).bins == shape(1 << 30).bins
    assert MARGIN + log2(shape(1 << 30).bins) == 59


def test_an_interval_holds_the_mean_of_lognormal_runs_as_often_as_it_should() -> None:
    source, mean = Random(7), log2(exp(0.5 * 0.5 / 2))
    held = 0
    for _ in range(2000):
        runs = [source.gauss(0, 0.5) / log(2) for _ in study.SEEDS]
        held += study.lower(runs) < mean < study.upper(runs)
    assert len(study.SEEDS) == 6
    assert 0.93 < held / 2000 < 0.97


def test_runs_that_agree_have_no_interval_and_one_that_ends_early_is_zero() -> None:
    assert study.upper([-3.0] * 6) == pytest.approx(-3) == study.lower([-3.0] * 6)
    assert study.product([4, 2, 1], 8) == -1 - 2 - 3
    assert study.product([4, 0, 0], 8) == -inf
