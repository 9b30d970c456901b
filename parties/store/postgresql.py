"""The store in a PostgreSQL database, by SQLAlchemy and psycopg, an optional part of Greenlane."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from parties.errors import LocalFault
from parties.store import databases
from parties.store.databases import Connection, Cursor, Values

VARIABLE: Final = "GREENLANE_STORE_PASSWORD"
"""The variable of the environment in which the password may stand; without it libpq looks for one
in its own places, ~/.pgpass among them."""

LOCK: Final = 0x6772_6565_6E6C_616E
"""The key of the advisory lock that a writer holds: "greenlan" in ASCII, 8 bytes. Others who use
the database choose other numbers."""

_TELL_VALUES: Final = ("22", "23")
"""Classes of SQLSTATE whose messages may quote data: data exceptions and violated constraints
(PostgreSQL, appendix A)."""

_read: Final = lru_cache(maxsize=256)(sql.text)
"""A statement as SQLAlchemy reads it; the program has fewer."""


class PostgresqlLine:
    """A connection of SQLAlchemy's, with the words of the store.

    Args:
        connection: from the pool.
    """

    def __init__(self, connection: sql.Connection) -> None:
        self.connection = connection

    def execute(self, statement: str, values: Values | None = None, /) -> Cursor:
        """Rows come as the driver gives them: SQLAlchemy's take longer than all else."""
        result: Any = self.connection.execute(_read(statement), values)
        return result.cursor if result.returns_rows else result  # type: ignore[no-any-return]

    def begin_writing(self) -> None:
        """Waits for the writer before us, in this process or another."""
        self.execute("SELECT pg_advisory_xact_lock(:key)", {"key": LOCK})

    def begin_reading(self) -> None:
        """The server refuses what writes, and shows one state of all tables."""
        self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def commit(self) -> None:
        """Lets the next writer begin."""
        self.connection.commit()

    def rollback(self) -> None:
        """Lets the next writer begin."""
        self.connection.rollback()

    def close(self) -> None:
        """The pool does not get it back."""
        self.connection.invalidate()
        self.connection.close()


class Postgresql:
    """A database that somebody has made for this node alone.

    Args:
        url: of the database.

    Raises:
        LocalFault: psycopg is not installed.
    """

    def __init__(self, url: sql.URL) -> None:
        where = sql.URL.create("postgresql", url.username, None, url.host, url.port, url.database)
        self.label = where.render_as_string()
        password = os.environ.get(VARIABLE)
        if url.password is None and password:
            url = url.set(password=password)
        patience = databases.PATIENCE_MS
        lines = {
            "application_name": "greenlane",
            "connect_timeout": str(patience // 1000),  # seconds
            "tcp_user_timeout": str(patience),  # without an answer a line is lost
        }
        try:
            self.engine = sql.create_engine(
                url,
                connect_args={key: value for key, value in lines.items() if key not in url.query},
                # A writer reads after it has the lock, and so sees what the one before it wrote.
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                pool_timeout=patience / 1000,
                hide_parameters=True,
            )
        except ImportError:
            raise LocalFault(
                f"{self.label}: the store is in PostgreSQL, and psycopg is not installed; install "
                "greenlane[postgresql]"
            ) from None
        self.errors = (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error)
        sql.event.listen(self.engine, "connect", _prepare)

    def connect(self) -> PostgresqlLine:
        """Opens a connection, or takes one that is open."""
        return PostgresqlLine(self.engine.connect())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """On a connection of the pool."""
        with self.engine.connect() as connection:
            line = PostgresqlLine(connection)
            line.begin_reading()
            yield line

    def must_be_there(self) -> None:
        """The server knows."""

    def has_table(self, connection: Connection, name: str) -> bool:
        """In the schemas in which names are looked up."""
        found = connection.execute("SELECT to_regclass(:name) IS NOT NULL", {"name": name})
        return bool(found.fetchone()[0])

    @contextmanager
    def lent(self, connection: Any) -> Iterator[sql.Connection]:
        """As it is: Alembic neither commits nor closes what it is given."""
        yield connection.connection

    def is_cut(self, fault: Exception) -> bool:
        """As when a server was started again."""
        return bool(getattr(fault, "connection_invalidated", False))

    def reason_of(self, fault: Exception) -> str:
        """SQLAlchemy's own text holds the statement and its parameters.

        That of PostgreSQL has further lines with keys of rows and pieces of statements, of which
        the first is without.
        """
        cause: Any = getattr(fault, "orig", None) or fault
        if isinstance(cause, NoConnectionLeft):
            return "too many read it at once"
        if not isinstance(cause, self.engine.dialect.loaded_dbapi.Error):
            return type(cause).__name__
        state = cause.sqlstate
        if state is None:
            return " ".join(str(cause).split())  # of a connection: addresses and users
        said = cause.diag.message_primary
        return f"SQLSTATE {state}" if state[:2] in _TELL_VALUES or not said else str(said)

    def close(self) -> None:
        """Closes the connections of the pool."""
        self.engine.dispose()


def _prepare(connection: Any, _: object) -> None:
    """Bounds waiting, and waits for the disk at the end of each transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {databases.PATIENCE_MS}; SET synchronous_commit = on")
    connection.commit()
