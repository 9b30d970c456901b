"""Statements that are said for each question that a node answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import sqlalchemy as sql


class Statement:
    """A statement that is put into SQL once, and said to SQLite's driver itself.

    A question takes five of them, and SQLAlchemy a tenth of a millisecond for each.

    Args:
        statement: what is said, in SQLAlchemy's words; at most one row of its answer is read.
        elsewhere: makes what is said to PostgreSQL, if that has words of its own; called when they
            are needed, for they take long to import.
    """

    def __init__(
        self,
        statement: sql.Executable,
        elsewhere: Callable[[], sql.Executable] | None = None,
    ) -> None:
        self._statement = statement
        self._make_elsewhere = elsewhere

    def on(self, connection: sql.Connection, **values: str | int | bytes) -> Any:
        """Says it, and returns the first row of the answer, or None.

        Args:
            connection: of the store.
            values: of its parameters.
        """
        if connection.dialect.name != "sqlite":
            result = connection.execute(self._elsewhere, values)
            return result.first() if result.returns_rows else None
        said, fixed = self._said
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(said, fixed | values).fetchone()

    @cached_property
    def _said(self) -> tuple[str, dict[str, Any]]:
        """As SQLite reads it, and the values that stand in the statement itself."""
        from sqlalchemy.dialects import sqlite

        dialect = sqlite.dialect(paramstyle="named")
        compiled = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        return str(compiled), {name: of for name, of in compiled.params.items() if of is not None}

    @cached_property
    def _elsewhere(self) -> sql.Executable:
        return self._statement if self._make_elsewhere is None else self._make_elsewhere()
