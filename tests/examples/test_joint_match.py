"""The examples run as they stand, and two real nodes learn the planted truth in every combination.

Who asks, who learns and how the rows are stored make no difference to what is learnt: it is what
the twin has planted, identifier by identifier and row by row.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from casework import Case, Casework
from pair import DISCLOSED, ROLES, Pair
from twin import Twin, make_twin

from psi import _core

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = 1_000
Key = tuple[str, str]
"""Set and normalised identifier."""


@pytest.fixture(scope="module", params=["csv", "parquet"])
def nodes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp(request.param)
    twin = make_twin(folder, ROWS, ROWS, 7, request.param, overlap=0.1)
    with Pair(folder, twin, threads=1) as nodes:
        yield nodes


def table_of(path: Path) -> list[dict[str, Any]]:
    """Rows of a file, each cell of CSV as text."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    kinds = dict.fromkeys((name.strip('"') for name in names), pa.large_string())
    options = arrow_csv.ConvertOptions(column_types=kinds, strings_can_be_null=True)
    return arrow_csv.read_csv(path, convert_options=options).to_pylist()


def truth_for(twin: Twin, learner: str) -> dict[Key, tuple[int, int]]:
    """Rows of the learner and of the other for each identifier in common; the police mirror it."""
    truth = pq.read_table(twin.truth_list).to_pylist()
    own, their = ("own_rows", "their_rows")[:: 1 if learner == "insurer" else -1]
    return {(row["set"], row["identifier"]): (row[own], row[their]) for row in truth}


def columns_of(twin: Twin, side: str, name: str) -> list[str]:
    return list(twin.columns[name].own if side == "insurer" else twin.columns[name].their)


def standing(twin: Twin, side: str) -> dict[Key, list[int]]:
    """The rows in which each identifier stands, counted here and by nothing that is tested."""
    rows = table_of(twin.claims if side == "insurer" else twin.records)
    found: dict[Key, list[int]] = {}
    for name, columns in twin.columns.items():
        for column in columns_of(twin, side, name):
            cells = pa.array([row[column] for row in rows], pa.large_string())
            values, _, _ = _core.normalise(columns.kind, cells)
            for number, value in enumerate(pa.array(values).to_pylist()):
                known = found.setdefault((name, value), []) if value else [number]
                if number not in known:
                    known.append(number)
    return found


def check(twin: Twin, learner: str, result: Path) -> None:
    """Compares joined rows with the planted truth: no identifier and no row missing, none extra."""
    other = "police" if learner == "insurer" else "insurer"
    expected = truth_for(twin, learner)
    joined = pq.read_table(result).to_pylist()
    found = Counter[Key]()
    pairs = Counter[tuple[Key, str, str]]()
    key = {"insurer": "claim_no", "police": "record_no"}
    for row in joined:
        name = row["greenlane_set"]
        cell = pa.array([row[row["greenlane_column"]]], pa.large_string())
        values, _, _ = _core.normalise(twin.columns[name].kind, cell)
        (value,) = pa.array(values).to_pylist()
        own, their = row["greenlane_own_records"], row["greenlane_their_records"]
        assert expected.get((name, value)) == (own, their)
        found[name, value] += 1
        pairs[(name, value), row[key[learner]], row[f"{other}.{key[other]}"]] += 1
        assert all(f"{other}.{column}" in row for column in DISCLOSED[other])
        assert sum(column.startswith(f"{other}.") for column in row) == len(DISCLOSED[other])
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert (len(missing), len(extra)) == (0, 0)
    # Row by row: each own row of an identifier with each of the other's, once.
    ours, theirs = standing(twin, learner), standing(twin, other)
    numbers = {
        side: [
            row[key[side]] for row in table_of(twin.claims if side == "insurer" else twin.records)
        ]
        for side in ROLES
    }
    due = Counter(
        (known, numbers[learner][own], numbers[other][their])
        for known in expected
        for own in ours[known]
        for their in theirs[known]
    )
    assert pairs == due
    assert pairs.total() == sum(each.joined_rows for each in twin.truth.sets.values())


@pytest.mark.parametrize("learns", ["us", "peer", "both"])
@pytest.mark.parametrize("asker", ROLES)
def test_whoever_learns_learns_the_planted_truth(nodes: Pair, asker: str, learns: str) -> None:
    report = nodes.ask(asker, "match", "--learns", learns)
    (other,) = {*ROLES} - {asker}
    learners = {"us": [asker], "peer": [other], "both": [asker, other]}[learns]
    for side in ROLES:
        folder = nodes.folder / side / "results" / report["session"]
        joined = sorted(path.name for path in folder.glob("joined.*"))
        assert joined == (["joined.parquet"] if side in learners else [])
        if side in learners:
            check(nodes.twin, side, folder / "joined.parquet")
    counts = {name: each.common for name, each in nodes.twin.truth.sets.items()}
    learnt = {each["name"]: each["matches"] for each in report["sets"]}
    assert learnt == (counts if asker in learners else dict.fromkeys(counts))


@pytest.mark.parametrize("asker", ROLES)
def test_a_count_is_the_planted_number(nodes: Pair, asker: str) -> None:
    report = nodes.ask(asker, "count")
    for each in report["sets"]:
        truth = nodes.twin.truth.sets[each["name"]]
        assert each["matches"] == truth.common
        assert (each["own_records"], each["their_records"]) == (None, None)
    assert (report["rows"], report["result"]) == (None, None)


# --- the examples as they stand


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_toolkit_finds_two_plates_in_memory() -> None:
    assert run("in_memory.py").splitlines() == [
        "plate:浙A12345",
        "plate:粤BD12345",
        "2 in common; the police learnt None",
    ]


def test_the_demo_learns_the_truth_and_says_so_in_one_object(tmp_path: Path) -> None:
    size = ("--claims", "1000", "--records", "1000", "--seed", "3")
    printed = run("joint_match.py", *size, "--out", str(tmp_path / "demo"), "--json")
    outcome = json.loads(printed)
    assert outcome.keys() == {
        "expected",
        "found",
        "missing",
        "extra",
        "wrong_records",
        "wrong_counts",
        "inquired",
        "wrong_answers",
        "receipts",
        "clues",
        "cases",
        "rings",
        "ledgers_differ",
        "seconds",
        "bytes_sent",
        "rows",
        "expected_rows",
        "sets",
    }
    assert outcome["found"] == outcome["expected"] > 0
    wrong = ("missing", "extra", "wrong_records", "wrong_counts", "wrong_answers")
    assert {name: outcome[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert outcome["rows"] == outcome["expected_rows"] > 0
    assert outcome["bytes_sent"] > 0
    assert outcome["receipts"] == 12
    assert outcome["clues"] > outcome["cases"] == outcome["rings"] == 8
    assert not outcome["ledgers_differ"]
    for party in ROLES:
        page = (tmp_path / "demo" / party / "report.html").read_text(encoding="utf-8")
        assert "Cases filed" in page
    assert [each["name"] for each in outcome["sets"]] == ["person", "plate", "vin", "phone"]


def test_a_month_that_is_told_otherwise_is_seen() -> None:
    def month(clues: int, amount: int) -> dict[str, Any]:
        row = {"line": "auto", "clues": clues, "cases": 1, "amount": amount}
        return {"rows": [row], "total": {name: row[name] for name in ("clues", "cases", "amount")}}

    case = Case("a ring", "00" * 16, 3, Decimal("12.50"))
    for ours, theirs, agree in (
        (month(2, 1250), month(2, 1250), True),
        (month(1, 1250), month(2, 1250), False),
        (month(2, 1200), month(2, 1200), False),
    ):
        assert Casework({"insurer": ours, "police": theirs}, 1, [case]).agree == agree


def test_the_demo_removes_nothing_that_it_has_not_made(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "joint_match.py"), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("joint_match: ")
    assert "choose another --out" in done.stderr
    assert (tmp_path / "precious").read_text() == "mine"
