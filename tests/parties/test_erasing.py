"""What was learnt goes when its time is over, and the log says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from green import Pair
from tabled import rows

from parties import asking
from parties.asking import Question
from parties.audit.showing import lines_of
from parties.books import Books
from parties.erasing import Erased, erase_due, erase_sessions
from parties.errors import LocalFault
from parties.reports import JobReport
from parties.settings import RetentionSettings, Settings
from parties.store import Store
from psi import Meter

DAY = timedelta(days=1)
TRIAL = 30 * DAY
"""For so long tickets of a first try are valid."""


@pytest.fixture
def learnt(pair: Pair) -> Any:
    """Runs a match at the police, who learn, and gives their settings and the report."""
    (pair.folder / "police/records.csv").write_text(
        "case_no,name,id_no,phone,plate,vin\nF-1,,,,浙A12345,\nF-2,,,,xx,\n", encoding="utf-8"
    )

    def run(out: Path | None = None) -> tuple[Settings, JobReport]:
        pair.changes["may"] = ("match",)
        with pair.serving() as police:
            question = Question("match", "insurer", ("plate",), out=out)
            return police, asking.ask(police, question, Meter())

    return run


@contextmanager
def books_at(settings: Settings, later: timedelta) -> Iterator[Books]:
    """The books of a node, so much later."""
    books = Books(settings)
    with closing(books):
        store = books.limits.store
        store._machine_time = lambda: datetime.now(UTC) + later
        yield books


def erasures(settings: Settings) -> list[dict[str, Any]]:
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        return [line["facts"] for line in lines_of(connection, events=["erased"])]


def test_results_go_when_their_ticket_has_ended_and_not_before(learnt: Any) -> None:
    police, report = learnt()
    folder = report.result.parent
    assert sorted(each.name for each in folder.iterdir()) == ["joined.parquet", "rejects.csv"]
    with books_at(police, TRIAL - DAY) as books:
        assert erase_due(police, books) == Erased({}, 0)
    assert report.result.exists()
    assert erasures(police) == []
    with books_at(police, TRIAL + DAY) as books:
        assert erase_due(police, books) == Erased({report.session: 2}, 0)
        assert not folder.exists()
        assert erase_due(police, books) == Erased({}, 0)
    (line,) = erasures(police)
    assert line == {"what": "results", "session": report.session, "files": 2}


def test_days_of_the_settings_are_added(learnt: Any) -> None:
    police, report = learnt()
    police = police._replace(retention=RetentionSettings(results_days=10))
    with books_at(police, TRIAL + 9 * DAY) as books:
        assert erase_due(police, books).sessions == {}
    with books_at(police, TRIAL + 11 * DAY) as books:
        assert erase_due(police, books).sessions == {report.session: 2}


def test_a_result_elsewhere_goes_too_unless_another_run_has_its_own_there(
    learnt: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    police, first = learnt(out)
    _, second = learnt(out)
    with books_at(police, timedelta(0)) as books:
        assert erase_sessions(police, books, [first.session]).sessions == {first.session: 1}
        assert out.exists(), "it is the second's"
        assert erase_sessions(police, books, [second.session]).sessions == {second.session: 2}
        assert not out.exists()
        with pytest.raises(LocalFault, match="nothing is kept of a session"):
            erase_sessions(police, books, [first.session])


def test_what_an_operator_has_removed_is_no_erasure(learnt: Any) -> None:
    police, report = learnt()
    for file in report.result.parent.iterdir():
        file.unlink()
    with books_at(police, TRIAL + DAY) as books:
        assert erase_due(police, books).sessions == {}
        with books.limits.store.reading() as connection:
            assert rows(connection, "results") == []
    assert erasures(police) == []


def test_a_file_that_cannot_be_removed_is_told_and_tried_again(
    learnt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    police, report = learnt()

    def cannot(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with books_at(police, TRIAL + DAY) as books:
        with monkeypatch.context() as patch:
            patch.setattr("parties.erasing.shutil.rmtree", cannot)
            with pytest.raises(LocalFault, match="cannot be erased: Permission denied"):
                erase_due(police, books)
        assert erasures(police) == []
        assert erase_due(police, books).sessions == {report.session: 2}


def test_a_report_of_a_run_that_broke_goes_with_its_ticket(
    learnt: Any, monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LocalFault("the disk is full")

    monkeypatch.setattr(asking, "run", broken)
    with pytest.raises(LocalFault, match="the disk is full"):
        learnt()
    (report,) = (pair.folder / "police/results").glob("*/*")
    assert report.name == "rejects.csv"
    with books_at(pair.police, TRIAL + DAY) as books:
        assert erase_due(pair.police, books).sessions == {report.parent.name: 1}
    assert not report.exists()


def test_a_run_that_is_killed_before_its_file_is_there_is_not_forgotten(
    learnt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(asking, "deliver", killed)
    with pytest.raises(KeyboardInterrupt):
        learnt()
    monkeypatch.undo()
    police, _ = learnt()
    with closing(Store(police.store.url)) as store, store.reading() as connection:
        assert len(rows(connection, "results")) == 2
