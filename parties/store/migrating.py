"""Brings the tables of a store to the form of this release; `migrations/versions` has the steps.

Alembic and SQLAlchemy take half a second to import, and are imported only where there is something
to do. A new SQLite store, as each node begins with, is made from the statements that the migrations
come to (`scripts/store_form.py` writes them, and a test compares).
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Final

from parties.errors import LocalFault
from parties.store.databases import Connection, Database
from parties.store.sqlite import Sqlite

FOLDER: Final = Path(__file__).parent / "migrations"
FORM: Final = "sqlite.json"
"""The file in `FOLDER` with the statements of a new SQLite store, and the version they make."""
TABLE: Final = "alembic_version"
"""In which Alembic keeps the version."""
_VERSION: Final = f"SELECT version_num FROM {TABLE}"  # noqa: S608  # our own name
_ALONE: Final = threading.Lock()
"""Alembic keeps what it works on in variables of its module."""


def versions() -> list[str]:
    """Returns the versions that this release knows, the newest last."""
    files = os.listdir(FOLDER / "versions")
    return sorted(name[:4] for name in files if name[0].isdigit() and name.endswith(".py"))


def version_of(database: Database, connection: Connection) -> str | None:
    """Returns the version of a store; None if it has no tables."""
    if not database.has_table(connection, TABLE):
        return None
    row = connection.execute(_VERSION).fetchone()
    return None if row is None else str(row[0])


def migrate(database: Database, connection: Connection) -> None:
    """Brings a store to the newest version, in the caller's transaction.

    Args:
        database: in which it is.
        connection: with the lock for writing.

    Raises:
        LocalFault: it was written by a newer release.
    """
    version = version_of(database, connection)
    known = versions()
    if version == known[-1]:
        return  # another process was faster
    if version is not None and version not in known:
        raise LocalFault(
            f"{database.label}: the store was written by a newer release of Greenlane: its version "
            f"is {version}, and this release knows those up to {known[-1]}; upgrade Greenlane"
        )
    if version is None and isinstance(database, Sqlite):
        form = json.loads((FOLDER / FORM).read_text(encoding="utf-8"))
        if form["version"] == known[-1]:
            for statement in form["statements"]:
                connection.execute(statement)
            return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _ALONE, database.lent(connection) as config.attributes["connection"]:
        command.upgrade(config, "head")


def write_form(version: str, statements: list[str]) -> None:
    """Writes the statements of a new SQLite store."""
    text = json.dumps({"version": version, "statements": statements}, indent=1)
    (FOLDER / FORM).write_text(text + "\n", encoding="utf-8")
