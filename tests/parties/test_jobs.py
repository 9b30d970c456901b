"""A job after the nodes have agreed: both run the same, and leave only what holds something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parties import jobs
from parties.agreement import Terms
from parties.disclosure import Column, disclosed
from parties.errors import LocalFault, SourceError
from parties.folders import session_folder
from parties.job import Chosen, Job
from parties.jobs import Learnt, Prepared, deliver, prepare, run, sizes
from parties.refusals import Refusal
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource
from psi import PROTOCOLS, Meter, Side, converse
from psi.errors import BoundExceeded
from psi.subprotocols.decoys import DECOYS, size_class
from psi.wire.v1.messages_pb2 import Message

LABELLED = [name for name, protocol in PROTOCOLS.items() if protocol.labels]
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
SIZES = (1000, 1000)
"""As they are shown, at most."""


def side(rows: dict[str, list[str | None]], columns: list[str], folder: Path) -> Prepared:
    source = ArrowSource(pa.table(rows), "rows")
    return prepare(source, (PLATE, PHONE), disclosed(source, columns), folder)


def both(
    tmp_path: Path,
    way: Any,
    both_learn: bool = False,
    we_receive: tuple[bool, bool] = (True, True),
    name: str = "dh",
) -> tuple[list[Learnt], list[Learnt], Prepared, Prepared]:
    ours, theirs = side(CLAIMS, ["claim"], tmp_path), side(RECORDS, ["record"], tmp_path)
    job = Job(SESSION, way, (PLATE, PHONE), we_receive=True, both_learn=both_learn)
    their_job = Job(SESSION, way, (PLATE, PHONE), we_receive=False, both_learn=both_learn)
    chosen = tuple(Chosen(name, each) for each in we_receive)
    their = tuple(Chosen(name, not each) for each in we_receive)
    told = theirs.columns if way == "match" else ()
    terms = Terms("police", b"c" * 32, 100, SIZES, SIZES, told, way == "match", chosen)
    back = ours.columns if both_learn else ()
    their_terms = Terms("insurer", b"c" * 32, 100, SIZES, SIZES, back, way == "match", their)
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


@pytest.mark.parametrize("name", LABELLED)
def test_a_match_is_rows_for_one_side(tmp_path: Path, name: str) -> None:
    learnt, told, ours, _ = both(tmp_path, "match", name=name)
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


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("both_learn", [False, True])
def test_without_columns_a_match_tells_which_and_nothing_of_the_peers_rows(
    tmp_path: Path, name: str, both_learn: bool
) -> None:
    ours, theirs = side(CLAIMS, [], tmp_path), side(RECORDS, [], tmp_path)
    job = Job(SESSION, "match", (PLATE, PHONE), we_receive=True, both_learn=both_learn)
    if job.output not in PROTOCOLS[name].outputs:
        return
    terms = Terms("police", b"c" * 32, 100, SIZES, SIZES, (), False, (Chosen(name, True),) * 2)
    told = terms._replace(peer="insurer", chosen=(Chosen(name, False),) * 2)
    # Two distinct plates in three rows: the size said is that of the set.
    assert sizes(job._replace(we_receive=False), theirs, 100, exact=True)[0] == DECOYS + 2
    mine = Side(run(job, terms, ours, exact=True, meter=Meter()))
    other = Side(run(job._replace(we_receive=False), told, theirs, exact=True, meter=Meter()))
    for learnt, prepared, learns in zip(
        converse(mine, other), (ours, theirs), (True, both_learn), strict=True
    ):
        if not learns:
            assert [each.hits for each in learnt] == [None, None]
            continue
        plate, phone = (each.hits for each in learnt)
        assert plate is not None
        assert phone is not None
        assert (len(plate), len(phone)) == (1, 0)
        assert plate.own_records.to_pylist() == [2]
        assert (plate.their_records, plate.records) == (None, None)
        assert deliver(learnt, prepared.source, "peer", tmp_path / "x", "parquet") == 2
        assert pq.read_table(tmp_path / "x")["greenlane_their_records"].null_count == 2


@pytest.mark.parametrize("we_receive", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("name", LABELLED)
def test_a_match_for_both_is_rows_for_both_whoever_receives(
    tmp_path: Path, name: str, we_receive: tuple[bool, bool]
) -> None:
    learnt, told, _, theirs = both(
        tmp_path, "match", both_learn=True, we_receive=we_receive, name=name
    )
    assert [each.cardinality for each in learnt] == [each.cardinality for each in told] == [1, 0]
    assert tuple(each.chosen.we_receive for each in learnt) == we_receive
    assert tuple(not each.chosen.we_receive for each in told) == we_receive
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
    ours = side(rows, [] if rows is CLAIMS else ["record"], tmp_path)
    job = Job(SESSION, "match", (PHONE, PLATE), we_receive=rows is CLAIMS)
    with pytest.raises(
        Refusal, match=f"{what}, the nodes have agreed on at most {bound}"
    ) as refused:
        sizes(job, ours, bound, exact=True)
    assert refused.value.code == "set-too-large"
    assert len(sizes(job, ours, bound + 1, exact=True)) == 2


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("way", "both_learn"), [("count", False), ("match", False), ("match", True)]
)
@pytest.mark.parametrize("we_receive", [True, False])
@pytest.mark.parametrize("columns", [[], ["record"]])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_sizes_told_before_are_those_of_the_first_messages(
    tmp_path: Path,
    name: str,
    columns: list[str],
    way: Any,
    both_learn: bool,
    we_receive: bool,
    exact: bool,
) -> None:
    ours = side(RECORDS, columns, tmp_path)
    job = Job(SESSION, way, (PLATE,), we_receive=we_receive, both_learn=both_learn)
    told = job.we_disclose and bool(columns)
    if job.output not in PROTOCOLS[name].outputs or (told and not PROTOCOLS[name].labels):
        return
    chosen = (Chosen(name, we_receive),)
    terms = Terms("police", b"", 100, SIZES, SIZES, (), way == "match", chosen)
    ours = ours._replace(sets=ours.sets[:1])
    said = run(job, terms, ours, exact=exact, meter=Meter()).send(None)
    assert isinstance(said, bytes)
    hello = Message.FromString(said).hello
    (size,) = sizes(job, ours, 100, exact=exact)
    assert size == max(hello.elements, hello.entries)
    # Two distinct plates, one of them in two rows; records are rows, and told only with columns.
    assert size == (DECOYS + 2 + told if exact else size_class(2))


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
    terms = Terms(
        "police", b"", 100, SIZES, SIZES, (Column("record", "text"),), True, (Chosen("dh", True),)
    )
    dialogue = run(job, terms, ours, exact=True, meter=Meter())
    with pytest.raises(SourceError, match=r"the join adds a column 'police\.record'"):
        dialogue.send(None)
