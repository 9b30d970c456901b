"""What all tables of the store are declared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sql

METADATA: Final = sql.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)
"""Constraints have names that are the same in both databases, so that a migration can name them."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """Returns how many microseconds after the beginning of 1970 (UTC) a time is."""
    return (at - _EPOCH) // _MICROSECOND


def time_at(count: int) -> datetime:
    """Returns the time so many microseconds after the beginning of 1970, in UTC."""
    return _EPOCH + count * _MICROSECOND


class Moment(sql.TypeDecorator[datetime]):
    """A time as microseconds since 1970: exact, sortable, and the same in both databases."""

    impl = sql.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """To the database."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """From the database."""
        return None if value is None else time_at(value)
