"""What may be asked: a day, a ticket and a session, counted before anything is answered."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from counting import ELEMENTS
from tabled import AUDIT, STORE, rows

from parties.errors import LocalFault
from parties.limits import Allowance, Charge, Limits
from parties.refusals import SENTENCES, Refusal
from parties.store import Store, microseconds
from psi.errors import ApiMisuse

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Counting:
    """Limits of which a test sets the clock."""

    def __init__(self, url: str) -> None:
        self.time = NOON
        self.sessions = 0
        self.url = url
        self.limits = self.again()

    def again(self) -> Limits:
        """Opens them as another process does, or as the same after a restart."""
        return Limits(Store(self.url, machine_time=lambda: self.time))

    def ask(
        self,
        of: int | Mapping[str, int] = 1,
        way: Any = "inquire",
        ticket: str = "",
        session: str = "",
        peer: str = "police",
        **allowed: Any,
    ) -> str:
        """Asks, and returns what becomes of it: "counted" or the code of a refusal."""
        self.sessions += 1
        elements = {"plate": of} if isinstance(of, int) else of
        charge = Charge(peer, session or f"s{self.sessions}", way, elements, ticket)
        before, refused = self.rows(), ""
        try:
            self.limits.charge_alone(charge, Allowance(**allowed))
        except Refusal as refusal:
            refused = refusal.code
        assert (self.rows() == before) == bool(refused), "counted, and not refused, or the opposite"
        assert refused in {"", *SENTENCES}
        return refused or "counted"

    def rows(self) -> dict[str, list[Any]]:
        with self.limits.store.reading() as connection:
            return {
                table: sorted(map(tuple, rows(connection, table))) for table in (*STORE, *AUDIT)
            }

    def asked(self, **of: Any) -> int:
        return self.limits.asked("police", **of)


@pytest.fixture
def counting(url: str) -> Iterator[Counting]:
    made = Counting(url)
    yield made
    made.limits.close()


def test_a_day_bounds_elements_of_a_peer_under_all_its_tickets(counting: Counting) -> None:
    assert counting.ask(6, daily=10) == "counted"
    assert counting.ask(3, ticket="T-1", daily=10) == "counted"
    assert counting.ask(2, daily=10) == "over-limit"
    assert counting.ask({"plate": 1, "person": 1}, ticket="T-2", daily=10) == "over-limit"
    assert counting.ask(1, ticket="T-2", daily=10) == "counted"
    assert counting.asked() == 10
    assert counting.ask(10, peer="other", daily=10) == "counted"
    assert counting.ask(10, way="match", daily=10) == "counted", "of each way"
    counting.time += DAY
    assert counting.ask(10, daily=10) == "counted"
    assert counting.asked() == 10
    assert counting.asked(day=date(2026, 11, 30)) == 10
    assert counting.asked(way="match", day=date(2026, 11, 30)) == 10


def test_a_question_is_answered_once_whatever_its_way(counting: Counting) -> None:
    assert counting.ask(session="a") == "counted"
    assert counting.ask(session="a") == "replayed"
    assert counting.ask(session="a", way="match") == "replayed"
    assert counting.ask(session="a", peer="other") == "counted"
    assert counting.ask(session="b", way="count") == "counted"
    for way in ("count", "match", "inquire"):
        assert counting.ask(session="b", way=way) == "replayed"
    assert counting.ask(9, session="c", daily=5) == "over-limit"
    assert counting.ask(2, session="c", daily=5) == "counted", "what was refused was not answered"


def test_a_ticket_bounds_runs_and_inquiries_in_all(counting: Counting) -> None:
    runs = {"ticket": "T-1", "runs": 2, "inquiries": 1}
    assert counting.ask(way="count", **runs) == "counted"
    assert counting.ask(way="match", **runs) == "counted"
    counting.time += 30 * DAY
    assert counting.ask(way="match", **runs) == "ticket-spent"
    assert counting.ask(way="inquire", **runs) == "counted"
    assert counting.ask(way="inquire", **runs) == "ticket-spent"
    assert counting.ask(way="match", **runs | {"ticket": "T-2"}) == "counted"
    assert counting.ask(way="match", peer="other", **runs) == "counted"
    assert counting.ask(way="match", **runs | {"runs": None}) == "counted"
    assert counting.ask(way="match", **runs | {"ticket": "T-3", "runs": 0}) == "ticket-spent"


def test_a_ticket_bounds_elements_of_each_set_in_all(counting: Counting) -> None:
    bound = {"ticket": "T-1", "elements": {"plate": 10, "person": 3}}
    assert counting.ask({"plate": 8, "person": 3}, way="match", **bound) == "counted"
    assert counting.ask({"plate": 3}, **bound) == "ticket-spent"
    assert counting.ask({"plate": 1, "person": 1}, **bound) == "ticket-spent"
    assert counting.ask({"vin": 1}, **bound) == "ticket-spent", "a set that is not named"
    assert counting.ask({"plate": 2, "person": 0}, **bound) == "counted"
    assert counting.ask({"plate": 1}, **bound) == "ticket-spent"


def test_bounds_of_a_ticket_without_a_ticket_are_our_own_mistake(counting: Counting) -> None:
    for bound in ({"runs": 1}, {"inquiries": 1}, {"elements": {}}):
        with pytest.raises(ApiMisuse):
            counting.ask(**bound)


def test_a_run_is_written_down_with_its_end(counting: Counting) -> None:
    counting.ask(way="match", session="a", ticket="T-1", runs=1)
    limits = counting.limits

    def end(session: str, how: Any) -> None:
        with limits.store.writing() as connection:
            limits.end_run(connection, "police", session, how)

    assert counting.rows()["runs"] == [("police", "a", "T-1", "match", microseconds(NOON), "begun")]
    end("a", "failed")
    assert counting.rows()["runs"] == [
        ("police", "a", "T-1", "match", microseconds(NOON), "failed")
    ]
    assert counting.ask(way="match", ticket="T-1", runs=1) == "ticket-spent", "it stays counted"
    for session in ("a", "b"):
        with pytest.raises(ApiMisuse):
            end(session, "done")


def test_a_count_is_kept_with_what_is_written_beside_it_or_not_at_all(counting: Counting) -> None:
    limits, before = counting.limits, counting.rows()
    charge = Charge("police", "a", "match", {"plate": 1}, "T-1")

    def charge_and_fail() -> None:
        with limits.store.writing() as connection:
            limits.charge(connection, charge, Allowance())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        charge_and_fail()
    assert counting.rows() == before
    with limits.store.writing() as connection:
        limits.charge(connection, charge, Allowance())
    assert counting.asked(way="match") == 1


def test_a_clock_that_is_set_back_opens_no_budget(counting: Counting) -> None:
    assert counting.ask(9, daily=10) == "counted"
    counting.time -= DAY
    assert counting.ask(9, daily=10) == "over-limit"
    counting.time += 2 * DAY
    assert counting.ask(9, daily=10) == "counted"
    counting.time -= DAY
    assert counting.ask(9, daily=10) == "over-limit", "the later day goes on"
    counting.limits.close()
    counting.limits = counting.again()
    assert counting.ask(9, daily=10) == "over-limit"
    assert counting.asked() == 9


def test_a_clock_that_was_a_year_ahead_closes_until_it_is_set(counting: Counting) -> None:
    assert counting.ask(9, session="today", daily=10) == "counted"
    counting.time += 365 * DAY
    assert counting.ask(9, session="ahead", daily=10) == "counted"
    counting.time -= 365 * DAY
    for _ in range(3):
        assert counting.ask(9, daily=10) == "over-limit"
        counting.time += DAY
    counting.time = NOON
    counting.limits.store.set_clock(lambda *_: None)
    assert counting.ask(9, daily=10) == "over-limit", "what was asked before it ran ahead"
    assert counting.ask(1, daily=10) == "counted"
    for session in ("today", "ahead"):
        assert counting.ask(0, session=session) == "replayed", "no day of use has passed"
    counting.time += 365 * DAY
    assert counting.ask(2, daily=10) == "over-limit", "that day was used"


def test_sessions_are_forgotten_after_a_week_and_runs_are_not(counting: Counting) -> None:
    counting.ask(session="question")
    counting.ask(session="run", way="match")
    for _ in range(7):
        counting.time += DAY
        assert counting.ask() == "counted"
    assert counting.ask(session="question") == "replayed"
    counting.time += DAY
    assert counting.ask() == "counted"
    assert ("police", "question", "2026-11-30") not in counting.rows()["questions"]
    assert len(counting.rows()["questions"]) == 8
    assert counting.ask(session="question") == "counted"
    assert counting.ask(session="run", way="match") == "replayed"


def started(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("counting.py")), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def said(process: subprocess.Popen[str], seconds: float = 250) -> Any:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()  # if it is still there
        process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)


def test_processes_and_threads_that_charge_one_budget_spend_it_exactly(url: str) -> None:
    most = 60 * ELEMENTS + 3
    processes = [started("once", url, number, most) for number in range(3)]
    assert sum(said(process) for process in processes) == 60
    with closing(Limits(Store(url))) as limits:
        ways = [limits.asked("police", way=way) for way in ("inquire", "match")]
        assert sum(ways) == 60 * ELEMENTS
        assert min(ways) > 0
        with limits.store.reading() as connection:
            spent = rows(connection, "spent")
            asked = [(*row[:2], row.runs + row.inquiries // ELEMENTS) for row in spent]
            assert asked == [("police", "T-1", 60)]


def kill(request: pytest.FixtureRequest, folder: Path, kind: str, rounds: int, new: int) -> Any:
    """Runs the program that kills; stores of this kind."""
    if kind == "sqlite":
        urls = [f"sqlite:///{folder / f'{number}.db'}" for number in range(new + 1)]
    else:
        server = request.getfixturevalue("postgresql")
        urls = [server.schema() for _ in range(new + 1)]
    return said(started("killed", 24, rounds, 150 * ELEMENTS, *urls), 250 + 5 * rounds)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_more_is_answered_than_counted_when_processes_are_killed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    seen = kill(request, tmp_path, kind, rounds=16, new=4)
    assert seen["opened"] == 4
    assert 16 < seen["answered"] <= seen["counted"] <= seen["answered"] + 16


@pytest.mark.study
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_more_is_answered_than_counted_in_many_kills(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    seen = kill(request, tmp_path, kind, rounds=400, new=20)
    print(f"\n{kind}: {seen}")
    assert seen["answered"] <= seen["counted"] <= seen["answered"] + 400


def fill(limits: Limits) -> str:
    """Charges until a write fails, and returns why; nothing was counted then."""
    for number in range(1000):
        before = limits.asked("police")
        why = ""
        try:
            limits.charge_alone(Charge("police", f"s{number}", "inquire", {"a": 1}), Allowance())
        except LocalFault as fault:
            why = str(fault)
        assert limits.asked("police") == before + (not why)
        if why:
            return why
    raise AssertionError("nothing was full")


@contextmanager
def full_above(size: int) -> Iterator[None]:
    """No file is written beyond this size, by this process and those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_a_fault_and_nothing_is_counted(tmp_path: Path) -> None:
    with closing(Limits(Store(f"sqlite:///{tmp_path / 'state.db'}"))) as limits:
        size = (tmp_path / "state.db-wal").stat().st_size
        charge = Charge("police", "x", "inquire", {"a": 1})
        with full_above(size + 30_000):
            assert "kept: disk I/O error" in fill(limits)
            counted = limits.asked("police")
            assert counted > 0
            with pytest.raises(LocalFault, match=r"kept: disk I/O error"):
                limits.charge_alone(charge, Allowance())
        limits.charge_alone(charge, Allowance())
        assert limits.asked("police") == counted + 1


def test_a_full_disk_of_the_server_is_a_fault_and_nothing_is_counted(postgresql: Any) -> None:
    with closing(Limits(Store(postgresql.schema()))) as limits:
        limits.charge_alone(Charge("police", "0", "inquire", {"a": 1}), Allowance())
        many = "SELECT 'x', md5(CAST(n AS text)), '2026-11-30' FROM generate_series(1, 100000) n"
        with limits.store.writing() as connection:
            connection.execute(f"INSERT INTO questions {many}")
            size = connection.execute("SELECT pg_relation_size('questions')").fetchone()[0]
        # A server of many tables starts with 2 MiB of shared memory for what it counts of them,
        # which is a file to the limit; segments of its log are 1 MiB.
        assert size > 4 << 20, "the server's log and its shared memory may be written"
        try:
            postgresql.stop()
            with full_above(size):
                postgresql.start()
            assert "kept: could not extend file" in fill(limits)
            counted = limits.asked("police")
            assert counted > 0
        finally:
            postgresql.stop()
            postgresql.start()
        limits.charge_alone(Charge("police", "x", "inquire", {"a": 1}), Allowance())
        assert limits.asked("police") == counted + 1
