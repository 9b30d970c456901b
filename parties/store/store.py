"""The store of one node, which threads and processes may share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from parties.errors import LocalFault
from parties.store import clock, databases, migrating
from parties.store.clock import microseconds, time_at
from parties.store.databases import Connection, Database, Line
from parties.store.sqlite import Sqlite
from parties.store.urls import postgresql_url, sqlite_file
from psi.errors import ApiMisuse

Happening: TypeAlias = Callable[[Connection, datetime, str, Mapping[str, Any]], object]
"""Who writes down what happened, in the transaction in which it did: at what time, by what name,
and with which facts."""
_CANNOT: Final = "the node's state cannot be kept"


class Store:
    """The state of one node; its tables are brought to the form of this release.

    It keeps one connection that writes, from the beginning, and some that read, when they are
    needed.

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
        self._machine_time = machine_time
        self._lock = threading.Lock()
        self._holder: int | None = None  # the thread that has the lock
        self._kept: Line | None = None  # used with the lock held
        self._times: tuple[int, int] | None = None  # kept and told, in what is being written
        self._database = _database(url)
        self.label = self._database.label
        try:
            self._bring_up()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self.label!r})"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
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
            raise LocalFault(f"{self.label}: {_CANNOT}: others take too long")
        line = None
        try:
            self._holder = threading.get_ident()
            line = self._begun()
            yield line
            if self._times is not None and self._times[0] < self._times[1]:
                clock.keep(line, self._times[1])
            line.commit()
        except self._database.errors as fault:
            self._let_go()
            raise self._fault(fault) from None
        except BaseException:
            self._roll_back(line)
            raise
        finally:
            self._times = self._holder = None
            self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that reads: all that it reads is of one moment. It cannot write.

        Raises:
            LocalFault: it cannot be read.
        """
        try:
            self._database.must_be_there()
            with self._database.reading() as connection:
                yield connection
        except self._database.errors as fault:
            raise self._fault(fault) from None

    def now(self, connection: Connection) -> datetime:
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
        self._database.close()

    def _bring_up(self) -> None:
        try:  # with the connection that writes, and is kept: nearly all who open a store write
            self._kept = self._database.connect()
            version = migrating.version_of(self._database, self._kept)
            self._kept.rollback()
        except self._database.errors as fault:
            raise self._fault(fault) from None
        if version != migrating.versions()[-1]:
            with self.writing() as connection:
                migrating.migrate(self._database, connection)

    def _roll_back(self, line: Line | None) -> None:
        if line is None:
            self._let_go()  # interrupted while it began: nobody knows how far it came
            return
        try:
            line.rollback()
        except self._database.errors:
            self._let_go()

    def _begun(self) -> Line:
        """The kept connection, with a transaction that has the lock for writing."""
        try:
            self._database.must_be_there()
        except LocalFault:
            self._let_go()
            raise
        is_new = self._kept is None
        try:
            return self._begin()
        except self._database.errors as fault:
            self._let_go()
            # One that was lost since it was used last, as when a server was started again.
            if is_new or not self._database.is_cut(fault):
                raise
        return self._begin()

    def _begin(self) -> Line:
        if self._kept is None:
            self._kept = self._database.connect()
        self._kept.begin_writing()
        return self._kept

    def _let_go(self) -> None:
        """Gives up the kept connection, and with it what was not committed."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _fault(self, fault: Exception) -> LocalFault:
        why = self._database.reason_of(fault)
        return LocalFault(f"{self.label}: {_CANNOT}: {why}")


def _database(url: str) -> Database:
    file = sqlite_file(url)
    if file is not None:
        try:
            return Sqlite(file)
        except OSError as fault:
            raise LocalFault(f"{file}: {_CANNOT}: {fault.strerror}") from None
    parts = postgresql_url(url)
    from parties.store.postgresql import Postgresql

    return Postgresql(parts)
