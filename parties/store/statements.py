"""Statements that are said for each question that a node answers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import sqlite


class Statement:
    """A statement that is put into SQL once, and said to SQLite's driver itself.

    A question takes five of them, and SQLAlchemy a tenth of a millisecond for each.

    Args:
        statement: what is said, in SQLAlchemy's words; at most one row of its answer is read.
        elsewhere: what is said to PostgreSQL, if that has words of its own.
    """

    def __init__(self, statement: sql.Executable, elsewhere: sql.Executable | None = None) -> None:
        self._statement = statement if elsewhere is None else elsewhere
        dialect = sqlite.dialect(paramstyle="named")
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self._said = str(compiled)
        # Values that stand in the statement itself.
        self._fixed = {name: of for name, of in compiled.params.items() if of is not None}

    def on(self, connection: sql.Connection, **values: str | int) -> Any:
        """Says it, and returns the first row of the answer, or None.

        Args:
            connection: of the store.
            values: of its parameters.
        """
        if connection.dialect.name != "sqlite":
            result = connection.execute(self._statement, values)
            return result.first() if result.returns_rows else None
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(self._said, self._fixed | values).fetchone()
