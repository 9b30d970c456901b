"""Every edge of every rule, planted often and among many claims; the figures of docs/evaluation.md.

A seed takes some 4 s of processor time.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twin import make_twin

from parties.models.checking import checked
from parties.models.evaluation.evaluating import Evaluation, evaluate
from parties.models.evaluation.scoring import together
from parties.models.evaluation.words import share
from parties.models.loading import folder_of, names
from parties.models.mapping import mapped
from parties.models.sandbox import Bounds

pytestmark = pytest.mark.study
PAGE = Path(__file__).parents[2] / "docs/evaluation.md"
SEEDS = range(1, 6)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_that_is_planted_is_found_and_no_near_miss_is(tmp_path: Path, seed: int) -> None:
    twin = make_twin(tmp_path, 100_000, 60_000, seed, edges=20)
    tables = mapped([tmp_path / "joined.toml"])
    for name in names():
        found = evaluate(checked(folder_of(name)), tables, twin.leads, {}, Bounds(), 10_000)
        print(f"seed {seed}: {row(name, found)}")
        for score in found.scores:
            assert (score.not_counted, score.missed, score.near) == ("", [], [])
            assert [each for each in score.wrong if each.near or each.others] == []
        if seed == SEEDS[0]:
            assert row(name, found) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_says_which_twin_it_was() -> None:
    said = re.findall(r"make_twin.py (--claims .*?)`", PAGE.read_text(encoding="utf-8"))
    assert said == ["--claims 100000 --records 60000 --edges 20"]


def row(name: str, found: Evaluation) -> str:
    shares = together(found.scores)
    false = shares[2].of - shares[2].number
    return f"| `{name}` | {' | '.join(map(share, shares))} | {false} |"
