"""The store in a file of SQLite: one that nobody else may read, with a log written ahead."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sql

from parties.errors import LocalFault
from parties.store import databases


class Sqlite:
    """A file, made if it is not there.

    Args:
        file: where it is; SQLite keeps two more beside it.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.label = str(file)
        _make(file)
        self._place = _place(self.label)
        self.to_write = self._engine(self._open)
        self.to_read = self._engine(self._open_to_read)

    def begin_writing(self, connection: sql.Connection) -> None:
        """Takes the lock at once: what was read is still so when it is changed."""
        _driver(connection).execute("BEGIN IMMEDIATE")

    def commit(self, connection: sql.Connection) -> None:
        """By the driver where SQLAlchemy was not used, which begins no transactions of its own."""
        if connection.in_transaction():
            connection.commit()
        else:
            _driver(connection).execute("COMMIT")

    def roll_back(self, connection: sql.Connection) -> None:
        """As `commit`; some faults have ended the transaction already."""
        if connection.in_transaction():
            connection.rollback()
        _driver(connection).rollback()

    def begin_reading(self, connection: sql.Connection) -> None:
        """What is read is of one moment, for as long as the transaction lasts."""
        _driver(connection).execute("BEGIN")

    def must_be_there(self) -> None:
        """What is written to a file that was removed is gone when we end."""
        if _place(self.label) != self._place:
            raise LocalFault(
                f"{self.label}: the node's state cannot be kept: the file was removed or "
                "replaced; put it back and start the node again"
            )

    def _engine(self, opener: Callable[[], sqlite3.Connection]) -> sql.Engine:
        return sql.create_engine(
            sql.URL.create("sqlite", database=self.label),
            creator=opener,
            poolclass=sql.QueuePool,
            pool_timeout=databases.PATIENCE_MS / 1000,
            hide_parameters=True,
        )

    def _open_to_read(self) -> sqlite3.Connection:
        opened = self._open()
        opened.execute("PRAGMA query_only = ON")
        return opened

    def _open(self) -> sqlite3.Connection:
        # Without the mode a file that was removed would be made again, empty.
        name = f"file:{quote(str(self._file.absolute()))}?mode=rw"
        opened = sqlite3.connect(
            name, databases.PATIENCE_MS / 1000, uri=True, check_same_thread=False
        )
        opened.isolation_level = None  # transactions are begun here
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("PRAGMA synchronous = FULL")  # on the disk when a transaction is over
        return opened


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


def _driver(connection: sql.Connection) -> Any:
    return connection.connection.dbapi_connection
