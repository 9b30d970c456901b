"""What the store needs of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    import sqlalchemy as sql

PATIENCE_MS: Final = 10_000
"""How long one transaction waits for another, in milliseconds; each takes a write to the disk, some
milliseconds, and a caller hears of a fault before it takes the node for lost (30 s)."""

Values: TypeAlias = Mapping[str, str | int | bytes]
"""Of the parameters of a statement, by name."""


class Cursor(Protocol):
    """What a database answers to a statement; as the Python Database API 2.0 (PEP 249) has it."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """The next row, a tuple; None after the last."""

    def fetchmany(self, size: int, /) -> list[Any]:
        """At most so many rows; none after the last."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""


class Connection(Protocol):
    """A connection to a store, for as long as a transaction lasts."""

    def execute(self, statement: str, values: Values = ..., /) -> Cursor:
        """Says a statement: SQL that SQLite and PostgreSQL read alike, with parameters `:name`."""


class Line(Connection, Protocol):
    """A connection as the store holds it."""

    def begin_writing(self) -> object:
        """Begins a transaction that has the lock for writing."""

    def commit(self) -> object:
        """Ends a transaction; what was written is on the disk."""

    def rollback(self) -> object:
        """Ends a transaction; nothing of it stays."""

    def close(self) -> object:
        """Gives the connection up, and with it what was not committed."""


class Database(Protocol):
    """One of SQLite and PostgreSQL.

    Attributes:
        label: what errors and reports call it; shows no password.
        errors: what its connections raise.
    """

    @property
    def label(self) -> str: ...  # noqa: D102

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...  # noqa: D102

    def connect(self) -> Line:
        """Opens a connection with which is written."""

    def reading(self) -> AbstractContextManager[Connection]:
        """One transaction that sees one state of all tables, and cannot write."""

    def must_be_there(self) -> None:
        """Makes sure that connections which were opened before lead to the database of now.

        Raises:
            LocalFault: they do not.
        """

    def has_table(self, connection: Connection, name: str) -> bool:
        """Whether there is a table of this name."""

    def lent(self, connection: Any) -> AbstractContextManager[sql.Connection]:
        """Lends one of its connections to Alembic, which may use it and does not end it."""

    def is_cut(self, fault: Exception) -> bool:
        """Whether a fault says that the connection itself was lost."""

    def reason_of(self, fault: Exception) -> str:
        """Returns what the driver says is wrong, in one line, with no statement and no value."""

    def close(self) -> None:
        """Closes what is kept open for reading."""
