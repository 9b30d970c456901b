"""Why a database does not do what it must, in words that hold no statement and no value."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

DATABASE_ERRORS: Final = (SQLAlchemyError, sqlite3.Error)
"""What SQLAlchemy raises, and SQLite's driver where statements are said to it directly."""

_TELL_VALUES: Final = ("22", "23")
"""Classes of SQLSTATE whose messages may quote data: data exceptions and violated constraints
(PostgreSQL, appendix A)."""


def reason_of(fault: Exception) -> str:
    """Returns what the driver says is wrong, in one line.

    SQLAlchemy's own text holds the statement and its parameters. That of PostgreSQL has further
    lines with keys of rows and pieces of statements, of which the first is without.
    """
    cause = getattr(fault, "orig", None) or fault
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    if isinstance(cause, sqlite3.Error):
        return str(cause)
    if isinstance(cause, NoConnectionLeft):
        return "too many read it at once"
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        said = cause.diag.message_primary  # type: ignore[union-attr]  # psycopg's
        return f"SQLSTATE {state}" if state[:2] in _TELL_VALUES or not said else str(said)
    if type(cause).__module__.startswith("psycopg"):
        return " ".join(str(cause).split())  # of a connection: addresses and users
    return type(cause).__name__
