"""The store in each database: one writer, nothing half written, and faults that tell no values."""

from __future__ import annotations

import sqlite3
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from databases import PASSWORD
from tabled import driver_of

from parties.errors import LocalFault, SettingsError
from parties.store import Connection, Store
from psi.errors import ApiMisuse

SECRET = "nobody-may-read-this"
CREATE = "CREATE TABLE notes (number integer PRIMARY KEY, text varchar)"
INSERT = "INSERT INTO notes (number, text) VALUES (:number, :text)"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store(url)) as opened:
        with opened.writing() as connection:
            connection.execute(CREATE)
        yield opened


def note(store: Store, number: int, text: str = "") -> None:
    with store.writing() as connection:
        connection.execute(INSERT, {"number": number, "text": text})


def write_and(connection: Connection, number: int, then: Callable[[], object]) -> None:
    connection.execute(INSERT, {"number": number, "text": ""})
    then()


def noted(store: Store) -> list[int]:
    with store.reading() as connection:
        found = connection.execute("SELECT number FROM notes ORDER BY number").fetchall()
        return [number for (number,) in found]


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def test_what_was_written_is_there_for_the_next_and_what_raised_is_not(
    store: Store, url: str
) -> None:
    note(store, 1)
    with pytest.raises(ZeroDivisionError), store.writing() as connection:
        write_and(connection, 2, lambda: 1 // 0)
    note(store, 3)
    assert noted(store) == [1, 3]
    with closing(Store(url)) as other:
        assert noted(other) == [1, 3]


def test_who_reads_sees_one_moment_and_cannot_write(store: Store) -> None:
    note(store, 1)
    with store.reading() as connection:
        count = "SELECT count(*) FROM notes"
        assert connection.execute(count).fetchone() == (1,)
        note(store, 2)
        assert connection.execute(count).fetchone() == (1,)
    with pytest.raises(LocalFault, match=r"read.?only"), store.reading() as connection:
        connection.execute(INSERT, {"number": 3, "text": ""})
    assert noted(store) == [1, 2]


def test_a_transaction_within_another_is_our_own_mistake(store: Store) -> None:
    with pytest.raises(ApiMisuse), store.writing(), store.writing():
        pass
    note(store, 1)


def test_a_transaction_that_is_interrupted_while_it_begins_blocks_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = type(store._kept)
    begin = kept.begin_writing

    def begin_and_be_interrupted(line: Any) -> None:
        begin(line)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept, "begin_writing", begin_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            note(store, 1)
    note(store, 2)
    assert noted(store) == [2]


@contextmanager
def held_elsewhere(url: str) -> Iterator[None]:
    """Another process of the node writes, for as long as the block does."""
    with closing(Store(url)) as other, other.writing():
        yield


def test_one_writes_at_a_time_and_waits_so_long_and_no_longer(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.store.databases.PATIENCE_MS", 50)
    with closing(Store(url)) as store:
        with store.writing() as connection:
            connection.execute(CREATE)
        with held_elsewhere(url), pytest.raises(LocalFault, match="lock"):
            note(store, 1)
        with store._lock, pytest.raises(LocalFault, match="others take too long"):
            note(store, 1)
        note(store, 2)
        assert noted(store) == [2]


def test_a_writer_sees_what_the_one_before_it_wrote(store: Store, url: str) -> None:
    seen: list[int] = []

    def add() -> None:
        with closing(Store(url)) as own:
            for _ in range(10):
                with own.writing() as connection:
                    most = connection.execute("SELECT max(number) FROM notes").fetchone()[0] or 0
                    connection.execute(INSERT, {"number": most + 1, "text": ""})
                seen.append(most + 1)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == noted(store) == list(range(1, 31))


def test_a_fault_tells_neither_statement_nor_value(store: Store, url: str) -> None:
    note(store, 1, SECRET)
    wrong: list[tuple[str, Any]] = [
        (INSERT, {"number": 1, "text": SECRET}),
        ("SELECT :secret FROM nowhere", {"secret": SECRET}),
        (f"SELECT '{SECRET}' + ", {}),
    ]
    if not is_sqlite(url):
        wrong.append(("SELECT CAST(:secret AS integer)", {"secret": SECRET}))
    for statement, values in wrong:
        with pytest.raises(LocalFault) as fault, store.writing() as connection:
            connection.execute(statement, values)
        assert store.label in str(fault.value)
        assert SECRET not in str(fault.value)
        assert "SELECT" not in str(fault.value)
        assert fault.value.__cause__ is None
    assert noted(store) == [1]


def test_a_database_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "text.db").write_text("something else " * 100)
    for name, why in (("folder.db", "open"), ("text.db", "not a database"), ("no/x.db", "No such")):
        with pytest.raises(LocalFault, match=f"{name}.*{why}"):
            Store(f"sqlite:///{tmp_path / name}")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "mysql://somebody:secret@host/name",
        "postgresql://somebody:secret@host/name",
        "postgresql+psycopg://somebody:secret@host",
        "postgresql+psycopg://somebody:secret@host:port/name",
        "secret",
    ],
)
def test_a_url_of_another_form_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="must have the form") as refused:
        Store(url)
    assert "secret" not in str(refused.value)


# SQLite.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state 50%?.db"


def test_the_file_is_the_owners_and_what_is_written_is_on_the_disk(file: Path) -> None:
    with closing(Store(f"sqlite:///{file}")) as store:
        with store.writing() as connection:
            values = [
                connection.execute(f"PRAGMA {each}").fetchone()[0]
                for each in ("journal_mode", "synchronous")
            ]
            assert values == ["wal", 2], "2 is FULL"
        files = sorted(file.parent.iterdir())
        assert [each.name for each in files] == [file.name + end for end in ("", "-shm", "-wal")]
        assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_nothing_goes_to_a_file_that_was_removed_or_replaced(file: Path) -> None:
    with closing(Store(f"sqlite:///{file}")) as store:
        with store.writing() as connection:
            connection.execute(CREATE)
        note(store, 1)
        moved = file.rename(file.with_name("moved.db"))
        for _ in range(2):
            with pytest.raises(LocalFault, match="was removed or replaced"):
                note(store, 2)
            with pytest.raises(LocalFault, match="was removed or replaced"):
                noted(store)
            assert not file.exists()
        file.write_bytes(moved.read_bytes())
        with pytest.raises(LocalFault, match="was removed or replaced"):
            note(store, 2)
        moved.rename(file)
        note(store, 3)
        assert noted(store) == [1, 3]


def test_to_open_a_store_once_more_takes_no_lock_from_the_first(file: Path) -> None:
    """A process loses all its locks of a file when it closes any descriptor of it (fcntl)."""
    url = f"sqlite:///{file}"
    with closing(Store(url)) as store, store.writing():
        locks = Path("/proc/locks").read_text()
        inode = f":{file.stat().st_ino} "
        assert inode in locks
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("parties.store.databases.PATIENCE_MS", 20)
            Store(url).close()
        assert Path("/proc/locks").read_text().count(inode) >= 1


# PostgreSQL.


@pytest.fixture
def database(postgresql: Any) -> str:
    return str(postgresql.database())


@pytest.fixture
def remote(postgresql: Any, database: str) -> Iterator[Store]:
    with closing(Store(postgresql.url(database))) as opened:
        with opened.writing() as connection:
            connection.execute(CREATE)
        yield opened


def end_connections(postgresql: Any, database: str) -> None:
    ended = postgresql.say(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'"
    )
    assert ended
    assert all(each for (each,) in ended)


def test_after_a_lost_connection_the_next_transaction_connects_anew(
    postgresql: Any, remote: Store, database: str
) -> None:
    note(remote, 1)
    assert noted(remote) == [1]
    end_connections(postgresql, database)
    note(remote, 2)
    end_connections(postgresql, database)
    assert noted(remote) == [1, 2]
    with pytest.raises(LocalFault, match=r"terminating|closed"), remote.writing() as connection:
        write_and(connection, 3, lambda: end_connections(postgresql, database))
    note(remote, 4)
    assert noted(remote) == [1, 2, 4]


def test_a_server_that_fell_is_a_fault_until_it_is_there_again(
    postgresql: Any, remote: Store
) -> None:
    note(remote, 1)
    postgresql.stop(at_once=True)
    try:
        for _ in range(2):
            with pytest.raises(LocalFault, match="the node's state cannot be kept: connection"):
                note(remote, 2)
            with pytest.raises(LocalFault):
                noted(remote)
    finally:
        postgresql.start()
    note(remote, 3)
    assert noted(remote) == [1, 3]


def test_a_failure_to_serialise_is_the_servers_reason(remote: Store) -> None:
    raising = "DO $$ BEGIN RAISE 'could not serialize access' USING ERRCODE = '40001'; END $$"
    with (
        pytest.raises(LocalFault, match=r"kept: could not serialize access$"),
        remote.writing() as connection,
    ):
        write_and(connection, 1, lambda: connection.execute(raising))
    assert noted(remote) == []


def test_a_server_that_does_not_wait_for_its_disk_does_for_us(
    postgresql: Any, database: str
) -> None:
    postgresql.say(f"ALTER DATABASE {database} SET synchronous_commit = off")
    postgresql.say(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    with (
        closing(Store(postgresql.url(database))) as store,
        store.writing() as connection,
    ):
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


def test_a_password_comes_from_the_environment_or_its_file_and_is_never_shown(
    postgresql: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.loopback_url(database)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    with pytest.raises(LocalFault, match="no password supplied"):
        Store(url)
    monkeypatch.setenv("GREENLANE_STORE_PASSWORD", SECRET)
    with pytest.raises(LocalFault, match="password authentication failed") as refused:
        Store(url)
    assert SECRET not in str(refused.value)
    monkeypatch.setenv("GREENLANE_STORE_PASSWORD", PASSWORD)
    with closing(Store(url)) as store:
        known = repr(store), store.label, repr(vars(store)), str(store._database.engine.url)
        assert not any(PASSWORD in each for each in known)
    monkeypatch.delenv("GREENLANE_STORE_PASSWORD")
    (tmp_path / "pgpass").write_text(f"127.0.0.1:{postgresql.port}:*:*:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    Store(url).close()
    with closing(Store(url.replace("@", f":{PASSWORD}@"))) as store:
        assert PASSWORD not in store.label


def test_without_psycopg_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LocalFault, match=r"install greenlane\[postgresql\]$"):
        Store("postgresql+psycopg://greenlane@127.0.0.1:1/store")


def test_a_store_without_its_clock_is_none(store: Store) -> None:
    with store.writing() as connection:
        connection.execute("DELETE FROM clock")
    with pytest.raises(LocalFault, match="lost its clock"), store.writing() as connection:
        store.now(connection)


def test_sqlites_driver_is_never_asked_to_begin_by_itself(file: Path) -> None:
    with closing(Store(f"sqlite:///{file}")) as store, store.writing() as connection:
        assert driver_of(connection).in_transaction
        assert driver_of(connection).isolation_level is None
    assert sqlite3.threadsafety >= 1
