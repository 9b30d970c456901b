"""A job after the nodes have agreed: both run the same, and leave only what holds something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parties import jobs
from parties.agreement import Job, Terms
from parties.disclosure import Column, disclosed
from parties.errors import LocalFault, SourceError
from parties.folders import session_folder
from parties.jobs import Learnt, Prepared, deliver, prepare, run
from parties.refusals import Refusal
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource
from psi import Meter, Side, converse
from psi.errors import BoundExceeded

PLATE = IdentifierSettings("plate", "plate", (("plate",),))
PHONE = IdentifierSettings("phone", "phone", (("phone",),))
CLAIMS = {
    "claim": ["c1", "c2", "c3", "c4"],
    "plate": ["浙A12345", "浙A12345", "粤BD12345", None],
    "phone": ["13800138000", None, "13900139000", "13800138000"],
}
RECORDS = {
    "record": ["r1", "r2", "r3"],
    "plate": ["浙A·12345", "沪C00001", "浙A12345"],
    "phone": ["13700137000", "13600136000", None],
}
SESSION = "ab" * 16


def side(rows: dict[str, list[str | None]], columns: list[str], folder: Path) -> Prepared:
    source = ArrowSource(pa.table(rows), "rows")
    return prepare(source, (PLATE, PHONE), disclosed(source, columns), folder)


def both(
    tmp_path: Path, way: Any, both_learn: bool = False, bound: int = 100
) -> tuple[list[Learnt], list[Learnt], Prepared, Prepared]:
    ours, theirs = side(CLAIMS, ["claim"], tmp_path), side(RECORDS, ["record"], tmp_path)
    job = Job(SESSION, way, (PLATE, PHONE), we_receive=True, both_learn=both_learn)
    their_job = Job(SESSION, way, (PLATE, PHONE), we_receive=False, both_learn=both_learn)
    told = theirs.columns if way == "match" else ()
    terms = Terms("police", b"c" * 32, bound, told, way == "match")
    back = ours.columns if both_learn else ()
    their_terms = Terms("insurer", b"c" * 32, bound, back, way == "match")
    sides = (
        Side(run(job, terms, ours, exact=True, meter=Meter())),
        Side(run(their_job, their_terms, theirs, exact=True, meter=Meter())),
    )
    learnt, told = converse(*sides)
    return learnt, told, ours, theirs


def test_a_count_is_a_number_for_one_side(tmp_path: Path) -> None:
    learnt, told, _, _ = both(tmp_path, "count")
    assert [each.cardinality for each in learnt] == [1, 0]
    assert [each.hits for each in learnt] == [None, None]
    assert [each.cardinality for each in told] == [None, None]


def test_a_match_is_rows_for_one_side(tmp_path: Path) -> None:
    learnt, told, ours, _ = both(tmp_path, "match")
    assert [len(each.hits) for each in learnt if each.hits is not None] == [1, 0]
    assert [each.hits for each in told] == [None, None]
    assert deliver(learnt, ours.source, "police", tmp_path / "x", "parquet") == 4
    rows = pq.read_table(tmp_path / "x").to_pylist()
    assert [(row["claim"], row["police.record"]) for row in rows] == [
        ("c1", "r1"),
        ("c1", "r3"),
        ("c2", "r1"),
        ("c2", "r3"),
    ]
    assert {(row["greenlane_own_records"], row["greenlane_their_records"]) for row in rows} == {
        (2, 2)
    }


def test_a_match_for_both_is_rows_for_both(tmp_path: Path) -> None:
    _, told, _, theirs = both(tmp_path, "match", both_learn=True)
    assert deliver(told, theirs.source, "insurer", tmp_path / "x", "parquet") == 4
    rows = pq.read_table(tmp_path / "x").to_pylist()
    assert {(row["record"], row["insurer.claim"]) for row in rows} == {
        ("r1", "c1"),
        ("r1", "c2"),
        ("r3", "c1"),
        ("r3", "c2"),
    }


@pytest.mark.parametrize(
    ("rows", "bound", "what"), [(CLAIMS, 1, "2 identifiers"), (RECORDS, 2, "3 records")]
)
def test_a_set_over_the_bound_is_refused_before_anything_is_said_of_any_set(
    tmp_path: Path, rows: dict[str, Any], bound: int, what: str
) -> None:
    ours = side(rows, [], tmp_path)
    job = Job(SESSION, "match", (PHONE, PLATE), we_receive=rows is CLAIMS)
    dialogue = run(job, Terms("police", b"", bound, (), False), ours, exact=True, meter=Meter())
    with pytest.raises(
        Refusal, match=f"{what}, the nodes have agreed on at most {bound}"
    ) as refused:
        dialogue.send(None)
    assert refused.value.code == "set-too-large"


def test_a_report_of_rejected_cells_is_left_only_if_there_are_some(tmp_path: Path) -> None:
    assert side(CLAIMS, [], tmp_path).rejected == 0
    assert list(tmp_path.iterdir()) == []
    rejected = side(CLAIMS | {"plate": ["浙A12345", "nothing", "", None]}, [], tmp_path)
    assert rejected.rejected == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rejects.csv"]
    assert "nothing" not in (tmp_path / "rejects.csv").read_text("utf-8")


def test_a_report_is_left_if_it_says_why_nothing_else_is(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no row gives an identifier for 'plate'"):
        side(CLAIMS | {"plate": ["nothing"] * 4}, [], tmp_path)
    assert len((tmp_path / "rejects.csv").read_text("utf-8").splitlines()) == 5


def test_a_session_folder_is_for_its_owner_and_goes_if_nothing_is_left_in_it(
    tmp_path: Path,
) -> None:
    results = tmp_path / "some/results"
    with session_folder(results, SESSION) as folder:
        assert folder == results / SESSION
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), session_folder(results, SESSION):
        raise KeyboardInterrupt
    assert list(results.iterdir()) == []
    with session_folder(results, SESSION) as folder:
        (folder / "x").touch()
    assert folder.exists()
    with (
        pytest.raises(LocalFault, match="results folder cannot be used: File exists"),
        session_folder(results, SESSION),
    ):
        pass
    assert (folder / "x").exists()


def test_a_peer_cannot_multiply_our_rows_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt, _, ours, _ = both(tmp_path, "match")
    monkeypatch.setattr(jobs, "MOST_ROWS", 3)
    with pytest.raises(BoundExceeded, match="4 joined rows, at most 3"):
        deliver(learnt, ours.source, "police", tmp_path / "x", "parquet")
    assert not (tmp_path / "x").exists()


def test_columns_that_would_meet_are_refused_before_anything_is_said(tmp_path: Path) -> None:
    rows = CLAIMS | {"police.record": CLAIMS["claim"]}
    ours = side(rows, [], tmp_path)
    job = Job(SESSION, "match", (PLATE,), we_receive=True)
    terms = Terms("police", b"", 100, (Column("record", "text"),), True)
    dialogue = run(job, terms, ours, exact=True, meter=Meter())
    with pytest.raises(SourceError, match=r"the join adds a column 'police\.record'"):
        dialogue.send(None)
