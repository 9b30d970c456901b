"""What a store's URL names. No text of an error shows the URL: it may hold a password."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from parties.errors import SettingsError

if TYPE_CHECKING:
    import sqlalchemy as sql

SQLITE: Final = "sqlite:///"
POSTGRESQL: Final = "postgresql+psycopg"
_FORMS: Final = f"{SQLITE}FILE or {POSTGRESQL}://USER@HOST:PORT/NAME"


def sqlite_file(url: str) -> Path | None:
    """Returns the file of a store in SQLite, or None if it is in another database."""
    file = url.removeprefix(SQLITE)
    return Path(file) if file not in ("", url) else None


def postgresql_url(url: str) -> sql.URL:
    """Returns the parts of a URL of PostgreSQL.

    Raises:
        SettingsError: it is none.
    """
    import sqlalchemy as sql  # for those alone who have such a store
    from sqlalchemy.exc import ArgumentError

    try:
        parts = sql.make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(f"the store's URL must have the form {_FORMS}") from None
    if parts.drivername != POSTGRESQL or not parts.database:
        raise SettingsError(f"the store's URL must have the form {_FORMS}")
    return parts
