"""How much was asked of this node, counted on disk before anything is answered.

One row for each peer, ticket and day, and one for each question, which is answered once. What is
counted is written through to the disk before the answer leaves; a crash in between counts a
question that got no answer, and never the other way.

The store is SQLite, through SQLAlchemy. What each question takes is put into SQL once and said to
the driver itself, on one connection that is kept.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sql
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from parties.errors import LocalFault
from parties.refusals import Refusal

_METADATA: Final = sql.MetaData()
_ASKED: Final = sql.Table(
    "asked",
    _METADATA,
    sql.Column("peer", sql.String, primary_key=True),
    sql.Column("ticket", sql.String, primary_key=True),
    sql.Column("day", sql.Date, primary_key=True),
    sql.Column("elements", sql.BigInteger, nullable=False),
)
_QUESTIONS: Final = sql.Table(
    "questions",
    _METADATA,
    sql.Column("peer", sql.String, primary_key=True),
    sql.Column("session", sql.String, primary_key=True),
    sql.Column("day", sql.Date, nullable=False),
)
_HERE: Final = sql.and_(
    _ASKED.c.peer == sql.bindparam("of_peer"),
    _ASKED.c.ticket == sql.bindparam("of_ticket"),
    _ASKED.c.day == sql.bindparam("of_day"),
)
_FIND: Final = sql.select(_ASKED.c.elements).where(_HERE)


def _said(statement: sql.Executable) -> str:
    """A statement as SQLite reads it. A day is bound as its ISO 8601 text, as SQLAlchemy does."""
    return str(statement.compile(dialect=sqlite.dialect(paramstyle="named")))  # type: ignore[attr-defined]


_SAID_FIND: Final = _said(_FIND)
_SAID_COUNT: Final = _said(_ASKED.update().where(_HERE).values(elements=sql.bindparam("count")))
_SAID_BEGIN: Final = _said(
    _ASKED.insert().values(
        peer=sql.bindparam("of_peer"),
        ticket=sql.bindparam("of_ticket"),
        day=sql.bindparam("of_day"),
        elements=sql.bindparam("count"),
    )
)
_SAID_NOTE: Final = _said(_QUESTIONS.insert())
_SAID_FORGET: Final = _said(_QUESTIONS.delete().where(_QUESTIONS.c.day < sql.bindparam("before")))

KEPT: Final = timedelta(days=7)
"""How long a question is remembered. A call whose messages are a week old is none: TLS has no
replays, and this is for a peer that has kept its own."""
PATIENCE_MS: Final = 10_000
"""How long one charge waits for another; each takes a write to the disk, some milliseconds."""


class Limits:
    """The counts of one node. Threads and processes may share a file.

    Args:
        path: of the database; made if it is not there.

    Raises:
        LocalFault: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._forgot: date | None = None
        self._engine = sql.create_engine(f"sqlite:///{path}")
        sql.event.listen(self._engine, "connect", _prepare)
        self._kept: sql.PoolProxiedConnection | None = None  # used with the lock held
        self._file: tuple[int, int] | None = None  # that it is a connection to
        try:
            # SQLite makes the files beside it as readable as this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            with self._engine.begin() as store:
                _METADATA.create_all(store)
        except (SQLAlchemyError, OSError) as fault:
            raise self._fault(fault) from None

    def charge(self, peer: str, session: str, elements: int, most: int, ticket: str = "") -> None:
        """Counts the elements of one question; on disk when this returns.

        Args:
            peer: who asks.
            session: of the question, which may be counted once.
            elements: how many it is about.
            most: how many a day the peer may ask about, under this ticket.
            ticket: under which it asks; none as long as nodes know no tickets.

        Raises:
            Refusal: it would be more, or was asked before; nothing is counted.
            LocalFault: it cannot be written down.
        """
        today = _today()
        key = {"of_peer": peer, "of_ticket": ticket, "of_day": today.isoformat()}
        note = {"peer": peer, "session": session, "day": today.isoformat()}
        try:
            with self._writing() as store:
                if self._forgot != today:
                    store.execute(_SAID_FORGET, {"before": (today - KEPT).isoformat()})
                store.execute(_SAID_NOTE, note)
                asked, *_ = store.execute(_SAID_FIND, key).fetchone() or (None,)
                if (asked or 0) + elements > most:
                    raise Refusal(
                        "over-limit",
                        f"{peer} asks about {elements} more, and has asked about {asked or 0} of "
                        f"the {most} of a day",
                    )
                said = _SAID_BEGIN if asked is None else _SAID_COUNT
                store.execute(said, {**key, "count": (asked or 0) + elements})
            self._forgot = today
        except sqlite3.IntegrityError:
            raise Refusal("replayed", f"{peer} asks again in a session that is over") from None
        except (sqlite3.Error, SQLAlchemyError) as fault:
            raise self._fault(fault) from None

    def asked(self, peer: str, day: date | None = None, ticket: str = "") -> int:
        """Returns about how many elements a peer has asked on a day, by default today."""
        key = {"of_peer": peer, "of_ticket": ticket, "of_day": day or _today()}
        try:
            with self._engine.connect() as store:
                return store.scalar(_FIND, key) or 0
        except SQLAlchemyError as fault:
            raise self._fault(fault) from None

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._let_go()
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Cursor]:
        """One transaction, on the disk when it is over; nothing of it stays if it raises."""
        if not self._lock.acquire(timeout=PATIENCE_MS / 1000):
            raise LocalFault(
                f"{self._path}: the node's counts cannot be kept: others take too long"
            )
        try:
            store = self._cursor()
            try:
                # Takes the lock for writing at once: what was read is still so when it is changed.
                store.execute("BEGIN IMMEDIATE")
                yield store
                store.execute("COMMIT")
            except (sqlite3.IntegrityError, Refusal):
                store.execute("ROLLBACK")
                raise
            except BaseException:
                self._let_go()  # and the cursor with it
                raise
            store.close()
        finally:
            self._lock.release()

    def _cursor(self) -> sqlite3.Cursor:
        """A cursor of the kept connection, to the file that is there now."""
        if self._kept is None:
            self._kept, self._file = self._engine.raw_connection(), _place(self._path)
        elif _place(self._path) != self._file:
            # What is written to a file that was removed is gone when we end.
            self._let_go()
            raise LocalFault(
                f"{self._path}: the node's counts cannot be kept: the file was removed or "
                "replaced; put it back and start the node again"
            )
        return self._kept.cursor()  # type: ignore[return-value]  # SQLite's driver

    def _let_go(self) -> None:
        """Gives up the kept connection, and with it what was not committed."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()

    def _fault(self, fault: Exception) -> LocalFault:
        # SQLAlchemy's own text holds the statement; the driver's says what is wrong with the file.
        reason = getattr(fault, "orig", None) or fault
        text = reason.strerror if isinstance(reason, OSError) else str(reason)
        return LocalFault(f"{self._path}: the node's counts cannot be kept: {text}")


def _place(path: Path) -> tuple[int, int] | None:
    """Where a file lies on the disk; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _today() -> date:
    return datetime.now(UTC).date()


def _prepare(connection: object, _: object) -> None:
    """Leaves transactions to us, and waits for the disk at the end of each."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    cursor.close()
