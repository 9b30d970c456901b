"""The store in a file of SQLite: one that nobody else may read, with a log written ahead.

Said to Python's own driver: a process that asks or answers does without the quarter of a second
that SQLAlchemy takes to import.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from parties.errors import LocalFault
from parties.store import databases
from parties.store.databases import Connection

if TYPE_CHECKING:
    import sqlalchemy as sql

KEPT: Final = 5
"""Connections that stay open for reading: more than read at once where four dialogues are carried
(`parties.channel.options`) and a person looks at the log. Another is opened in 0.2 ms."""


class SqliteLine(sqlite3.Connection):
    """A connection whose transactions are begun by the store, never by the driver."""

    def begin_writing(self) -> None:
        """Takes the lock at once: what was read is still so when it is changed."""
        self.execute("BEGIN IMMEDIATE")


def _write_ahead(opened: SqliteLine) -> None:
    """Has the log written ahead; here alone SQLite does not wait for the lock of another."""
    until = time.monotonic() + databases.PATIENCE_MS / 1000
    while True:
        try:
            opened.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)  # several processes make the store: the mode is set once
        else:
            return


class Sqlite:
    """A file, made if it is not there.

    Args:
        file: where it is; SQLite keeps two more beside it.

    Raises:
        OSError: it cannot be made.
    """

    errors = (sqlite3.Error,)

    def __init__(self, file: Path) -> None:
        self._file = file
        self.label = str(file)
        _make(file)
        self._place = _place(self.label)
        self._readers: list[SqliteLine] = []

    def connect(self) -> SqliteLine:
        """Opens a connection; what it commits is on the disk."""
        # Without the mode a file that was removed would be made again, empty.
        opened = sqlite3.connect(
            f"file:{quote(str(self._file.absolute()))}?mode=rw",
            databases.PATIENCE_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteLine,
            uri=True,
        )
        try:
            _write_ahead(opened)
            opened.execute("PRAGMA synchronous = FULL")  # on the disk when a transaction is over
        except BaseException:
            opened.close()
            raise
        return opened

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """What is read is of one moment, for as long as the transaction lasts."""
        line = self._reader()
        try:
            line.execute("BEGIN")
            yield line
            line.rollback()
        except BaseException:
            line.close()
            raise
        if len(self._readers) < KEPT:
            self._readers.append(line)
        else:
            line.close()

    def must_be_there(self) -> None:
        """What is written to a file that was removed is gone when we end."""
        if _place(self.label) != self._place:
            raise LocalFault(
                f"{self.label}: the node's state cannot be kept: the file was removed or "
                "replaced; put it back and start the node again"
            )

    def has_table(self, connection: Connection, name: str) -> bool:
        """As SQLite's own table of tables says."""
        tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"
        return connection.execute(tables, {"name": name}).fetchone() is not None

    @contextmanager
    def lent(self, connection: Any) -> Iterator[sql.Connection]:
        """Alembic says its statements through SQLAlchemy; faults are the driver's."""
        import sqlalchemy as sql
        from sqlalchemy.exc import DBAPIError

        lent = _Lent(connection)
        engine = sql.create_engine("sqlite://", creator=lambda: lent, poolclass=sql.StaticPool)
        try:
            with engine.connect() as borrowing:
                yield borrowing
        except DBAPIError as fault:
            raise fault.orig or fault from None

    def is_cut(self, fault: Exception) -> bool:
        """A file cannot be."""
        return False

    def reason_of(self, fault: Exception) -> str:
        """SQLite names tables and columns at the most."""
        return str(fault)

    def close(self) -> None:
        """Closes what is kept open for reading."""
        while self._readers:
            self._readers.pop().close()

    def _reader(self) -> SqliteLine:
        with suppress(IndexError):
            return self._readers.pop()
        opened = self.connect()
        opened.execute("PRAGMA query_only = ON")
        return opened


class _Lent:
    """A connection in whose transaction others work: it is neither ended nor closed by them."""

    def __init__(self, line: SqliteLine) -> None:
        self._line = line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    def commit(self) -> None:
        """The transaction goes on."""

    rollback = close = commit


def _make(file: Path) -> None:
    """Makes an empty file. SQLite makes those beside it as readable as this one.

    One that is there is not opened: with any descriptor of a file that is closed, a process loses
    all its locks on it (fcntl), also those of connections that it has.
    """
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


def _place(file: str) -> tuple[int, int] | None:
    """Where a file lies on the disk; None if it is not there."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino
