"""The clock of a store never goes back; one that is ahead is told, and an administrator sets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parties.audit.showing import lines_of
from parties.checking import Finding, check
from parties.founding import found
from parties.settings_file import load
from parties.store import Connection, Store, clock, in_words

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Machine:
    """A machine whose clock is set."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def machine() -> Machine:
    return Machine()


def told(store: Store) -> datetime:
    with store.writing() as connection:
        return store.now(connection)


@pytest.mark.parametrize("again", [False, True], ids=["running", "restarted"])
def test_time_never_goes_back(url: str, machine: Machine, again: bool) -> None:
    store = Store(url, machine_time=machine)
    expected = NOON
    for step in (DAY, -DAY, -timedelta(seconds=30), 365 * DAY, -365 * DAY, timedelta(seconds=1)):
        machine.time += step
        expected = max(expected, machine.time)
        assert told(store) == expected
        with store.reading() as connection:
            assert store.now(connection) == expected
        if again:
            store.close()
            store = Store(url, machine_time=machine)
    store.close()


def test_time_goes_on_within_a_transaction_and_not_back(url: str, machine: Machine) -> None:
    with closing(Store(url, machine_time=machine)) as store:
        with store.writing() as connection:
            assert store.now(connection) == NOON
            machine.time += timedelta(milliseconds=999)
            assert store.now(connection) == NOON, "in whole seconds"
            machine.time += timedelta(milliseconds=1)
            assert store.now(connection) == machine.time
            machine.time -= DAY
            assert store.now(connection) == NOON + timedelta(seconds=1)
        assert told(store) == NOON + timedelta(seconds=1)


def test_another_process_is_told_no_earlier_time(url: str, machine: Machine) -> None:
    late = Machine()
    late.time += 2 * DAY
    with (
        closing(Store(url, machine_time=machine)) as one,
        closing(Store(url, machine_time=late)) as other,
    ):
        assert told(one) == NOON
        assert told(other) == late.time
        assert told(one) == late.time


def test_a_transaction_that_is_undone_keeps_no_time(url: str, machine: Machine) -> None:
    with closing(Store(url, machine_time=machine)) as store:
        machine.time += DAY
        with pytest.raises(ZeroDivisionError), store.writing() as connection:
            assert store.now(connection).microsecond // 0
        machine.time -= DAY
        assert told(store) == NOON


def test_a_clock_that_is_ahead_is_set_and_that_is_written_down(url: str, machine: Machine) -> None:
    events: list[tuple[datetime, str, Mapping[str, Any]]] = []

    def happened(
        connection: Connection, at: datetime, event: str, facts: Mapping[str, Any]
    ) -> None:
        assert store.now(connection) == at
        events.append((at, event, facts))

    with closing(Store(url, machine_time=machine)) as store:
        assert store.set_clock(happened) == timedelta(0)
        machine.time += 365 * DAY
        told(store)
        machine.time = NOON
        assert store.ahead() == 365 * DAY
        assert store.set_clock(happened) == 365 * DAY
        assert store.ahead() == timedelta(0)
        facts = {"was": "2027-11-30T12:00:00+00:00", "now": "2026-11-30T12:00:00+00:00"}
        assert events == [(NOON, "clock_set", facts)]
        assert told(store) == NOON
        assert store.set_clock(happened) == timedelta(0)
        assert len(events) == 1


def test_a_clock_whose_setting_cannot_be_written_down_is_not_set(
    url: str, machine: Machine
) -> None:
    def happened(*_: object) -> None:
        raise ZeroDivisionError

    with closing(Store(url, machine_time=machine)) as store:
        machine.time += DAY
        told(store)
        machine.time = NOON
        with pytest.raises(ZeroDivisionError):
            store.set_clock(happened)
        assert store.ahead() == DAY


def test_a_span_is_told_in_two_units() -> None:
    spans = {
        timedelta(days=364, hours=23, minutes=59): "364 d 23 h",
        timedelta(minutes=61): "1 h 1 min",
        timedelta(days=2, seconds=3): "2 d 3 s",
        timedelta(seconds=59, milliseconds=900): "59 s",
        timedelta(0): "0 s",
    }
    assert {span: in_words(span) for span in spans} == spans


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return found(tmp_path / "A", "insurer", "insurer", "127.0.0.1:1")


def of_store(file: Path) -> Finding:
    (found_,) = (each for each in check(load(file)) if each.where == "store.url")
    return found_


def run_ahead(file: Path, by: timedelta) -> None:
    with closing(
        Store(load(file).store.url, machine_time=lambda: clock.machine_time() + by)
    ) as store:
        told(store)


def test_check_says_how_far_the_clock_is_ahead(file: Path) -> None:
    run_ahead(file, timedelta(seconds=50))
    assert (of_store(file).level, "can be written" in of_store(file).text) == ("fine", True)
    run_ahead(file, timedelta(days=2, minutes=30))
    doubt = of_store(file)
    assert doubt.level == "doubt"
    assert "ahead of this machine's by 2 d 2" in doubt.text
    assert "greenlane store set-clock" in doubt.text


def test_check_says_what_is_wrong_with_the_store(file: Path) -> None:
    assert (of_store(file).level, of_store(file).text) == ("fine", "can be written")
    state = file.parent / "state.db"
    Store(f"sqlite:///{state}").close()
    state.chmod(0o644)
    doubt, fine = (each for each in check(load(file)) if each.where == "store.url")
    assert (doubt.level, "chmod 600" in doubt.text, fine.level) == ("doubt", True, "fine")
    state.write_text("something else " * 100)
    assert (of_store(file).level, of_store(file).exit_code) == ("wrong", 9)
    assert "not a database" in of_store(file).text


def test_check_opens_a_postgresql(file: Path, postgresql: Any) -> None:
    database = postgresql.database()
    with file.open("a", encoding="utf-8") as text:
        text.write(f'[store]\nurl = "{postgresql.url(database)}"\n')
    assert of_store(file).level == "fine"
    assert f"/{database}: can be written" in of_store(file).text
    postgresql.say(f"DROP DATABASE {database}")
    assert (of_store(file).level, of_store(file).exit_code) == ("wrong", 9)
    assert f'database "{database}" does not exist' in of_store(file).text


def test_the_command_sets_the_clock_once_and_logs_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from parties import cli, logs

    run_ahead(file, timedelta(hours=5, minutes=30))
    command = ["greenlane", "store", "set-clock", "--settings", str(file), "--json"]
    said = []
    for _ in range(2):
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as leave:
            cli.main()
        assert leave.value.code == 0
        said.append(json.loads(capsys.readouterr().out))
    logs.set_up(None)
    assert 18_000 < said[0]["was_ahead_seconds"] < 19_801
    assert said[1] == {"was_ahead_seconds": 0.0}
    lines = (file.parent / "greenlane.log").read_text().splitlines()
    (event,) = map(json.loads, lines)
    assert (event["event"], event["level"]) == ("clock_set", "warning")
    assert event["was"] > event["now"]
    assert of_store(file).level == "fine"
    with closing(Store(load(file).store.url)) as store, store.reading() as connection:
        (line,) = lines_of(connection)
        assert store.now(connection) < datetime.fromisoformat(line["facts"]["was"])
    assert line["event"] == "clock_set"
    assert line["facts"] == {"was": event["was"], "now": event["now"]}


def test_a_clock_is_not_set_in_a_store_whose_log_is_another_nodes(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from parties import audit, cli, logs

    run_ahead(file, timedelta(hours=5))
    with closing(Store(load(file).store.url)) as store, store.writing() as connection:
        audit.begin(connection, "other")
    monkeypatch.setattr("sys.argv", ["greenlane", "store", "set-clock", "--settings", str(file)])
    with pytest.raises(SystemExit) as leave:
        cli.main()
    logs.set_up(None)
    assert leave.value.code == 9
    assert "the store's audit log is that of other" in capsys.readouterr().err
    assert of_store(file).level == "doubt", "it is ahead as before"
