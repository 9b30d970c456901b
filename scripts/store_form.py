"""Writes the form in which a new SQLite store begins: statements of what all migrations come to."""

from __future__ import annotations

import sqlite3
import tempfile

from parties.store import Store, migrating


def made() -> list[str]:
    """Returns the statements that make what the migrations make."""
    with tempfile.TemporaryDirectory() as name:
        Store(f"sqlite:///{name}/state.db").close()
        with sqlite3.connect(f"{name}/state.db") as database:
            dump = list(database.iterdump())
    return [statement for statement in dump if statement not in ("BEGIN TRANSACTION;", "COMMIT;")]


if __name__ == "__main__":
    migrating.write_form("", [])  # of no version, so that the migrations are run
    migrating.write_form(migrating.versions()[-1], made())
