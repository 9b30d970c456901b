"""The match equals the plaintext join, in every combination of role, caller and format.

Slow: run by `make study`. The same at 1,000 rows is in tests/examples. Prints what each run took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from joint_match import check
from pair import Pair
from twin import make_twin

pytestmark = pytest.mark.study

SIZES = (100_000, 1_000_000)
FORMATS = ("csv", "parquet")


@pytest.fixture(scope="module")
def nodes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    rows, format = request.param
    folder = tmp_path_factory.mktemp(f"{format}-{rows}")
    with Pair(folder, make_twin(folder, rows, rows, 7, format)) as pair:
        yield pair


@pytest.mark.parametrize("nodes", list(product(SIZES, FORMATS)), indirect=True, ids=str)
@pytest.mark.parametrize("learns", ["us", "peer"])
@pytest.mark.parametrize("asker", ["insurer", "police"])
def test_the_match_equals_the_planted_truth(nodes: Pair, asker: str, learns: str) -> None:
    report = nodes.ask(asker, "match", "--learns", learns)
    print(json.dumps({"asker": asker, "learns": learns, **report}), file=sys.stderr)
    compare(nodes, asker, learns, report)


@pytest.mark.parametrize("nodes", list(product(SIZES[:1], FORMATS)), indirect=True, ids=str)
@pytest.mark.parametrize("asker", ["insurer", "police"])
def test_both_learn_the_planted_truth(nodes: Pair, asker: str) -> None:
    compare(nodes, asker, "both", nodes.ask(asker, "match", "--learns", "both"))


@pytest.mark.parametrize("nodes", list(product(SIZES[:1], FORMATS)), indirect=True, ids=str)
@pytest.mark.parametrize("learns", ["us", "peer"])
@pytest.mark.parametrize("asker", ["insurer", "police"])
def test_the_count_equals_the_planted_truth(nodes: Pair, asker: str, learns: str) -> None:
    report = nodes.ask(asker, "count", "--learns", learns)
    counted = {each["name"]: each["matches"] for each in report["sets"]}
    truth = {name: each.common for name, each in nodes.twin.truth.sets.items()}
    assert counted == (truth if learns == "us" else dict.fromkeys(truth))


def compare(nodes: Pair, asker: str, learns: str, report: dict[str, Any]) -> None:
    """Checks the joined rows of those that learn, and that nobody else has any."""
    (other,) = {"insurer", "police"} - {asker}
    learners = {"us": [asker], "peer": [other], "both": [asker, other]}[learns]
    for learner in learners:
        result = nodes.folder / learner / "results" / report["session"] / "joined.parquet"
        checked = check(nodes.twin, result, learner)
        assert (checked["missing"], checked["extra"], checked["wrong_records"]) == (0, 0, 0)
        assert checked["rows"] == checked["expected_rows"]
    for silent in {"insurer", "police"} - set(learners):
        folder = nodes.folder / silent / "results" / report["session"]
        assert not (folder / "joined.parquet").exists()
