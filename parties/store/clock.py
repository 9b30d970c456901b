"""The clock of the store: the latest time that was told, below which no time is told again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sql

from parties.errors import LocalFault
from parties.store.metadata import METADATA
from parties.store.statements import Statement

CLOCK: Final = sql.Table(
    "clock",
    METADATA,
    sql.Column("id", sql.SmallInteger, primary_key=True, autoincrement=False),
    sql.Column("at", sql.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""One row, which the first migration makes; `at` as `parties.store.metadata.microseconds`."""

_FIND: Final = Statement(sql.select(CLOCK.c.at).where(CLOCK.c.id == 1))
_SET: Final = Statement(CLOCK.update().where(CLOCK.c.id == 1).values(at=sql.bindparam("latest")))


def machine_time() -> datetime:
    """Returns the time of this machine, in UTC."""
    return datetime.now(UTC)


def latest(connection: sql.Connection) -> int:
    """Returns the latest time that was told, in microseconds since 1970.

    Raises:
        LocalFault: the row is not there.
    """
    row = _FIND.on(connection)
    if row is None:
        raise LocalFault("the store has lost its clock; put back a backup of it")
    return int(row[0])


def keep(connection: sql.Connection, at: int) -> None:
    """Makes this the latest time that was told, in microseconds since 1970."""
    _SET.on(connection, latest=at)


def in_words(span: timedelta) -> str:
    """Returns a span of time for people, in the two largest units that it has."""
    left = int(span.total_seconds())
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
