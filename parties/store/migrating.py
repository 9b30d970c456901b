"""Brings the tables of a store to the form of this release; `migrations/versions` has the steps.

Alembic takes long to import, half a second, and is imported only where there is something to do. A
new SQLite store, as each node begins with, is made from the statements that the migrations come to
(`scripts/store_form.py` writes them, and a test compares).
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sql
from sqlalchemy.exc import OperationalError, ProgrammingError

from parties.errors import LocalFault

FOLDER: Final = Path(__file__).parent / "migrations"
FORM: Final = "sqlite.json"
"""The file in `FOLDER` with the statements of a new SQLite store, and the version they make."""
_VERSION: Final = sql.text("SELECT version_num FROM alembic_version")
_ALONE: Final = threading.Lock()
"""Alembic keeps what it works on in variables of its module."""


def versions() -> list[str]:
    """Returns the versions that this release knows, the newest last."""
    return sorted(file.name[:4] for file in (FOLDER / "versions").glob("[0-9]*.py"))


def version_of(connection: sql.Connection) -> str | None:
    """Returns the version of a store; None if it has no tables, or none that can be read.

    Where a version cannot be read because of a fault, the migration that follows meets it again.
    """
    try:
        version: str | None = connection.scalar(_VERSION)
    except (OperationalError, ProgrammingError):
        return None
    return version


def migrate(connection: sql.Connection, label: str) -> None:
    """Brings a store to the newest version, in the caller's transaction.

    Args:
        connection: with the lock for writing.
        label: what errors call the store.

    Raises:
        LocalFault: it was written by a newer release.
    """
    version = (
        version_of(connection) if sql.inspect(connection).has_table("alembic_version") else None
    )
    known = versions()
    if version == known[-1]:
        return  # another process was faster
    if version is not None and version not in known:
        raise LocalFault(
            f"{label}: the store was written by a newer release of Greenlane: its version is "
            f"{version}, and this release knows those up to {known[-1]}; upgrade Greenlane"
        )
    if version is None and connection.dialect.name == "sqlite":
        form = json.loads((FOLDER / FORM).read_text(encoding="utf-8"))
        if form["version"] == known[-1]:
            for statement in form["statements"]:
                connection.exec_driver_sql(statement)
            return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _ALONE:
        command.upgrade(config, "head")


def write_form(version: str, statements: list[str]) -> None:
    """Writes the statements of a new SQLite store."""
    text = json.dumps({"version": version, "statements": statements}, indent=1)
    (FOLDER / FORM).write_text(text + "\n", encoding="utf-8")
