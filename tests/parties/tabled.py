"""Rows of a store's tables as tests look at them: by the names of their columns."""

from __future__ import annotations

from collections import namedtuple
from functools import lru_cache
from typing import Any

STORE = ("asked", "brought", "clock", "questions", "runs", "spent", "stages")
STORE += ("differences", "inputs", "inquiries", "swept")
STORE += ("refusals", "results", "ticket_ends", "ticket_packs")
STORE += ("inbox", "noted", "submissions")
STORE += ("clues", "clue_contents", "clue_heard", "clue_history")
STORE += ("clue_letters", "clue_merges", "clue_texts")
"""Tables that change; those of the log only grow."""
AUDIT = ("audit_heads", "audit_lines", "audit_log", "audit_receipts")


def driver_of(connection: Any) -> Any:
    """Returns what the database's driver calls a connection."""
    lent = getattr(connection, "connection", None)
    return connection if lent is None else lent.connection.dbapi_connection


def rows(connection: Any, table: str) -> list[Any]:
    """Returns all rows of a table, each a tuple with names."""
    cursor = connection.execute(f"SELECT * FROM {table}")
    row = _named(tuple(column[0] for column in cursor.description))
    return [row(*values) for values in cursor.fetchall()]


@lru_cache
def _named(columns: tuple[str, ...]) -> Any:
    return namedtuple("row", columns)  # type: ignore[misc]
