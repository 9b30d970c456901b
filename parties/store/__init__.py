"""The node's own state: a database with one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

import sqlalchemy as sql

METADATA: Final = sql.MetaData()
CLOCK: Final = sql.Table("clock", METADATA, sql.Column("told", sql.String(32), primary_key=True))
PATIENCE_MS: Final = 30_000
"""How long one transaction waits for another."""
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


class Store:
    """The state of one node; threads and processes may share it.

    Args:
        url: of a database in SQLite, as SQLAlchemy reads it.
    """

    def __init__(self, url: str) -> None:
        self._engine = sql.create_engine(url)
        sql.event.listen(self._engine, "connect", _prepare)
        sql.event.listen(self._engine, "begin", _begin)
        with self.writing() as connection:
            if not sql.inspect(connection).has_table("audit_lines"):
                _make(connection)

    @contextmanager
    def writing(self) -> Iterator[sql.Connection]:
        """One transaction that no other one overlaps; nothing of it stays if it raises."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[sql.Connection]:
        """One transaction that reads."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def now(self, connection: sql.Connection) -> datetime:
        """Returns the time, never earlier than one that was told before."""
        told = connection.scalar(sql.select(CLOCK.c.told))
        now = max(datetime.now(UTC), datetime.fromisoformat(told) if told else _FIRST)
        connection.execute(CLOCK.delete())
        connection.execute(CLOCK.insert().values(told=now.isoformat()))
        return now

    def close(self) -> None:
        """Closes the database."""
        self._engine.dispose()


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin`
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")


def _begin(connection: sql.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _make(connection: sql.Connection) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    CLOCK.create(connection)
    with Operations.context(MigrationContext.configure(connection)):
        import_module("parties.store.migrations.versions.0002_audit").upgrade()
