"""The store in a PostgreSQL database, through psycopg, which is an optional part of Greenlane."""

from __future__ import annotations

import os
from typing import Any, Final

import sqlalchemy as sql

from parties.errors import LocalFault
from parties.store import databases

VARIABLE: Final = "GREENLANE_STORE_PASSWORD"
"""The variable of the environment in which the password may stand; without it libpq looks for one
in its own places, ~/.pgpass among them."""

LOCK: Final = 0x6772_6565_6E6C_616E
"""The key of the advisory lock that a writer holds: "greenlan" in ASCII, 8 bytes. Others who use
the database choose other numbers."""


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
            engine = sql.create_engine(
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
        sql.event.listen(engine, "connect", _prepare)
        self.to_write = self.to_read = engine

    def begin_writing(self, connection: sql.Connection) -> None:
        """Waits for the writer before us, in this process or another."""
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))

    def commit(self, connection: sql.Connection) -> None:
        """Lets the next writer begin."""
        connection.commit()

    def roll_back(self, connection: sql.Connection) -> None:
        """Lets the next writer begin."""
        connection.rollback()

    def begin_reading(self, connection: sql.Connection) -> None:
        """The server refuses what writes, and shows one state of all tables."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def must_be_there(self) -> None:
        """The server knows."""


def _prepare(connection: Any, _: object) -> None:
    """Bounds waiting, and waits for the disk at the end of each transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {databases.PATIENCE_MS}; SET synchronous_commit = on")
    connection.commit()
