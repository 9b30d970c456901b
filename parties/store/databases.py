"""What the store needs of a database, whichever it is."""

from __future__ import annotations

from typing import Final, Protocol

import sqlalchemy as sql

PATIENCE_MS: Final = 10_000
"""How long one transaction waits for another, in milliseconds; each takes a write to the disk, some
milliseconds, and a caller hears of a fault before it takes the node for lost (30 s)."""


class Database(Protocol):
    """One of SQLite and PostgreSQL.

    Attributes:
        label: what errors and reports call it; shows no password.
        to_write: connections with which is written.
        to_read: connections with which is read alone; may be the same.
    """

    @property
    def label(self) -> str: ...  # noqa: D102

    @property
    def to_write(self) -> sql.Engine: ...  # noqa: D102

    @property
    def to_read(self) -> sql.Engine: ...  # noqa: D102

    def begin_writing(self, connection: sql.Connection) -> None:
        """Begins a transaction that has the lock for writing."""

    def commit(self, connection: sql.Connection) -> None:
        """Ends a transaction that writes; what was written is on the disk."""

    def roll_back(self, connection: sql.Connection) -> None:
        """Ends a transaction that writes; nothing of it stays."""

    def begin_reading(self, connection: sql.Connection) -> None:
        """Begins a transaction that sees one state of all tables, and cannot write."""

    def must_be_there(self) -> None:
        """Makes sure that connections which were opened before lead to the database of now.

        Raises:
            LocalFault: they do not.
        """
