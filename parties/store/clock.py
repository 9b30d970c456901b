"""The clock of the store: the latest time that was told, below which no time is told again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from parties.errors import LocalFault
from parties.store.databases import Connection

_FIND: Final = "SELECT at FROM clock WHERE id = 1"
"""The one row, which the first migration makes."""
_SET: Final = "UPDATE clock SET at = :latest WHERE id = 1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def machine_time() -> datetime:
    """Returns the time of this machine, in UTC."""
    return datetime.now(UTC)


def microseconds(at: datetime) -> int:
    """Returns how many microseconds after the beginning of 1970 (UTC) a time is.

    So times are kept: exact, sortable, and the same in both databases.
    """
    return (at - _EPOCH) // _MICROSECOND


def time_at(count: int) -> datetime:
    """Returns the time so many microseconds after the beginning of 1970, in UTC."""
    return _EPOCH + count * _MICROSECOND


def latest(connection: Connection) -> int:
    """Returns the latest time that was told, in microseconds since 1970.

    Raises:
        LocalFault: the row is not there.
    """
    row = connection.execute(_FIND).fetchone()
    if row is None:
        raise LocalFault("the store has lost its clock; put back a backup of it")
    return int(row[0])


def keep(connection: Connection, at: int) -> None:
    """Makes this the latest time that was told, in microseconds since 1970."""
    connection.execute(_SET, {"latest": at})


def in_words(span: timedelta) -> str:
    """Returns a span of time for people, in the two largest units that it has."""
    left = int(span.total_seconds())
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
