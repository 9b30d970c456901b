"""The store of one node, which threads and processes may share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sql

from parties.errors import LocalFault
from parties.store import clock, databases, migrating
from parties.store.databases import Database
from parties.store.faults import DATABASE_ERRORS, reason_of
from parties.store.metadata import microseconds, time_at
from parties.store.urls import postgresql_url, sqlite_file
from psi.errors import ApiMisuse

Happening: TypeAlias = Callable[[sql.Connection, datetime, str, Mapping[str, Any]], object]
"""Who writes down what happened, in the transaction in which it did: at what time, by what name,
and with which facts."""


class Store:
    """The state of one node; its tables are brought to the form of this release.

    Args:
        url: `sqlite:///FILE`, or `postgresql+psycopg://USER@HOST:PORT/NAME`.
        machine_time: the machine's time, in UTC.

    Attributes:
        label: what reports call it: the file, or the address without a password.

    Raises:
        SettingsError: the URL is of another form.
        LocalFault: it cannot be opened, or was written by a newer release.
    """

    def __init__(
        self, url: str, *, machine_time: Callable[[], datetime] = clock.machine_time
    ) -> None:
        file = sqlite_file(url)
        self.label = str(file or "the store")
        self._machine_time = machine_time
        self._lock = threading.Lock()
        self._holder: int | None = None  # the thread that has the lock
        self._kept: sql.Connection | None = None  # used with the lock held
        self._times: tuple[int, int] | None = None  # kept and told, in what is being written
        try:
            self._database = _database(url)
        except OSError as fault:
            raise self._fault(fault) from None
        self.label = self._database.label
        try:
            self._bring_up()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self.label!r})"

    @contextmanager
    def writing(self) -> Iterator[sql.Connection]:
        """One transaction that writes; no other does meanwhile, of this node's processes.

        It is on the disk when this returns, and nothing of it stays if the block raises. The block
        neither commits nor writes in another transaction.

        Raises:
            LocalFault: it cannot be written. Whether it was is unknown if the line to the database
                broke at the very end.
            ApiMisuse: the thread is writing already.
        """
        if self._holder == threading.get_ident():
            raise ApiMisuse("a transaction that writes was begun within another")
        if not self._lock.acquire(timeout=databases.PATIENCE_MS / 1000):
            raise LocalFault(f"{self.label}: the node's state cannot be kept: others take too long")
        connection = None
        try:
            self._holder = threading.get_ident()
            connection = self._begun()
            yield connection
            if self._times is not None and self._times[0] < self._times[1]:
                clock.keep(connection, self._times[1])
            self._database.commit(connection)
        except DATABASE_ERRORS as fault:
            self._let_go()
            raise self._fault(fault) from None
        except BaseException:
            self._roll_back(connection)
            raise
        finally:
            self._times = self._holder = None
            self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[sql.Connection]:
        """One transaction that reads: all that it reads is of one moment. It cannot write.

        Raises:
            LocalFault: it cannot be read.
        """
        try:
            self._database.must_be_there()
            with self._database.to_read.connect() as connection:
                self._database.begin_reading(connection)
                yield connection
        except DATABASE_ERRORS as fault:
            raise self._fault(fault) from None

    def now(self, connection: sql.Connection) -> datetime:
        """Returns the time in UTC, never earlier than one that was told in a written transaction.

        It is told in whole seconds, and so is written down once a second and not each time.

        Args:
            connection: that of `writing`, with whose transaction the time is kept; or of `reading`,
                and it is not.
        """
        by_machine = microseconds(self._machine_time().replace(microsecond=0))
        if connection is not self._kept:
            return time_at(max(clock.latest(connection), by_machine))
        if self._times is None:
            self._times = (clock.latest(connection),) * 2
        kept, told = self._times
        self._times = kept, max(told, by_machine)
        return time_at(self._times[1])

    def ahead(self) -> timedelta:
        """Returns how far the store's clock is ahead of the machine's; negative if it is behind.

        Raises:
            LocalFault: the store cannot be read.
        """
        with self.reading() as connection:
            return time_at(clock.latest(connection)) - self._machine_time()

    def set_clock(self, on_event: Happening) -> timedelta:
        """Puts a clock that is ahead of the machine's back to it, and returns by how much.

        Budgets of the days in between that were spent stay so. An administrator does this when the
        machine's clock was far ahead, and is right now.

        Args:
            on_event: is told of `clock_set`, with the times `was` and `now`, in the transaction.

        Raises:
            LocalFault: the store cannot be written.
        """
        with self.writing() as connection:
            was = time_at(clock.latest(connection))
            now = self._machine_time().replace(microsecond=0)
            if was <= now:
                return timedelta(0)
            clock.keep(connection, microseconds(now))
            on_event(connection, now, "clock_set", {"was": was.isoformat(), "now": now.isoformat()})
        return was - now

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            self._let_go()
        self._database.to_write.dispose()
        self._database.to_read.dispose()

    def _bring_up(self) -> None:
        with self.reading() as connection:
            version = migrating.version_of(connection)
        if version != migrating.versions()[-1]:
            with self.writing() as connection:
                migrating.migrate(connection, self.label)

    def _roll_back(self, connection: sql.Connection | None) -> None:
        if connection is None:
            self._let_go()  # interrupted while it began: nobody knows how far it came
            return
        try:
            self._database.roll_back(connection)
        except DATABASE_ERRORS:
            self._let_go()

    def _begun(self) -> sql.Connection:
        """The kept connection, with a transaction that has the lock for writing."""
        try:
            self._database.must_be_there()
        except LocalFault:
            self._let_go()
            raise
        is_new = self._kept is None
        try:
            return self._begin()
        except DATABASE_ERRORS as fault:
            self._let_go()
            # One that was lost since it was used last, as when a server was started again.
            if is_new or not getattr(fault, "connection_invalidated", False):
                raise
        return self._begin()

    def _begin(self) -> sql.Connection:
        if self._kept is None:
            self._kept = self._database.to_write.connect()
        self._database.begin_writing(self._kept)
        return self._kept

    def _let_go(self) -> None:
        """Gives up the kept connection, and with it what was not committed."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()

    def _fault(self, fault: Exception) -> LocalFault:
        return LocalFault(f"{self.label}: the node's state cannot be kept: {reason_of(fault)}")


def _database(url: str) -> Database:
    file = sqlite_file(url)
    if file is not None:
        from parties.store.sqlite import Sqlite

        return Sqlite(file)
    from parties.store.postgresql import Postgresql

    return Postgresql(postgresql_url(url))
