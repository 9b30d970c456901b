"""How a database comes to have the tables that the code declares, from any version before."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from alembic.config import Config
from alembic.script import ScriptDirectory
from tabled import AUDIT, STORE

import parties
from parties.errors import LocalFault
from parties.store import Store, migrating

ROOT = Path(__file__).parents[2]
VERSIONS = migrating.versions()
SAID = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM) ")
LATER = '''"""A version of a later release."""

import sqlalchemy as sql
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    op.add_column("spent", sql.Column("refused", sql.Integer, server_default="0"))
    op.create_table("once", sql.Column("at", sql.Integer))
'''


def statements() -> dict[str, str]:
    """Returns all that the program says to a store, by the names of its constants."""
    found = {}
    for file in sorted(Path(parties.__file__).parent.rglob("*.py")):
        if {"migrations", "models"} & {*file.parts}:  # models are asked of DuckDB
            continue
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if re.search(r"(SELECT|INSERT INTO|UPDATE|DELETE FROM) ", file.read_text(encoding="utf-8")):
            for name, value in vars(import_module(module)).items():
                if isinstance(value, str) and SAID.match(value) and "{" not in value:
                    found[f"{module}.{name}"] = value
    return found


def later(folder: Path) -> str:
    """Makes a copy of the migrations that has one more, and returns its version."""
    shutil.copytree(migrating.FOLDER, folder)
    revision = f"{int(VERSIONS[-1]) + 1:04}"
    text = LATER.format(revision=revision, before=VERSIONS[-1])
    (folder / f"versions/{revision}_later.py").write_text(text)
    return revision


@contextmanager
def reading(store: Store) -> Iterator[sql.Connection]:
    with store.reading() as connection, store._database.lent(connection) as lent:
        yield lent


@contextmanager
def writing(store: Store) -> Iterator[sql.Connection]:
    with store.writing() as connection, store._database.lent(connection) as lent:
        yield lent


def tables(connection: sql.Connection) -> dict[str, sql.Table]:
    known = sql.MetaData()
    known.reflect(connection)
    return {name: table for name, table in known.tables.items() if name != "alembic_version"}


def version_of(connection: sql.Connection) -> str:
    return str(connection.scalar(sql.text("SELECT version_num FROM alembic_version")))


def value_of(column: sql.Column[Any]) -> int | bytes | str:
    match column.type:
        case sql.Integer():
            return 7
        case sql.LargeBinary():
            return b"seven"
        case _:
            return "seven"


def filled(connection: sql.Connection) -> dict[str, dict[str, Any]]:
    """Puts a row into every table that has none, and returns a row of each."""
    rows = {}
    for name, table in tables(connection).items():
        if connection.execute(table.select()).first() is None:
            values = {column.name: value_of(column) for column in table.columns}
            connection.execute(table.insert().values(values))
        rows[name] = dict(connection.execute(table.select()).mappings().one())
    return rows


def at_version(url: str, version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Opens a store by the release whose newest version this was."""
    known = shutil.copytree(migrating.FOLDER, folder)
    for file in (known / "versions").glob("[0-9]*.py"):
        if file.name[:4] > version:
            file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "FOLDER", known)
        return Store(url)


def test_both_databases_have_the_same_tables(tmp_path: Path, postgresql: Any) -> None:
    forms = []
    for url in (f"sqlite:///{tmp_path / 'state.db'}", postgresql.schema()):
        with closing(Store(url)) as store, reading(store) as connection:
            forms.append(
                {
                    name: [
                        (c.name, type(value_of(c)), c.primary_key, c.nullable) for c in t.columns
                    ]
                    for name, t in tables(connection).items()
                }
            )
    assert forms[0] == forms[1]
    assert {*forms[0]} == {*STORE, *AUDIT}


def test_each_statement_of_the_program_is_understood_by_both_databases(url: str) -> None:
    said = statements()
    assert len(said) > 30
    assert {"parties.counters.ADD_ASKED", "parties.stages._KEEP"} <= {*said}
    with closing(Store(url)) as store:
        for name, statement in said.items():
            values: Any = dict.fromkeys(re.findall(r":([a-z]+)", statement))
            with store.reading() as connection:
                assert connection.execute(f"EXPLAIN {statement}", values).fetchall(), name


def test_versions_are_one_line_and_files_are_named_after_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrating.FOLDER))
    config.set_main_option("path_separator", "os")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [each.revision for each in reversed(scripts)] == VERSIONS
    assert [each.down_revision for each in reversed(scripts)] == [None, *VERSIONS[:-1]]
    assert [f"{number:04}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_of_each_version_are_kept_by_all_that_follow(
    url: str, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        closing(at_version(url, version, tmp_path / "known", monkeypatch)) as store,
        writing(store) as connection,
    ):
        before = filled(connection)
    newest = later(tmp_path / "later")
    monkeypatch.setattr(migrating, "FOLDER", tmp_path / "later")
    with closing(Store(url)) as store, reading(store) as connection:
        assert version_of(connection) == newest
        there = tables(connection)
        assert {*there} == {*STORE, *AUDIT, "once"} >= {*before}
        for name, row in before.items():
            now = dict(connection.execute(there[name].select()).mappings().one())
            assert {key: now[key] for key in row} == row
        assert there["spent"].c.keys()[-1] == "refused"


def test_a_store_of_a_newer_release_is_refused_by_name(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        newest = later(tmp_path / "later")
        patch.setattr(migrating, "FOLDER", tmp_path / "later")
        store = Store(url)
        with writing(store) as connection:
            before = filled(connection)
        store.close()
    for _ in range(2):
        with pytest.raises(LocalFault) as refused:
            Store(url)
        assert f"its version is {newest}" in str(refused.value)
        assert f"those up to {VERSIONS[-1]}" in str(refused.value)
        assert store.label in str(refused.value)
    monkeypatch.setattr(migrating, "FOLDER", tmp_path / "later")
    with closing(Store(url)) as store, writing(store) as connection:
        assert filled(connection) == before


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(url).close()
    newest = later(tmp_path / "later")
    file = tmp_path / f"later/versions/{newest}_later.py"
    file.write_text(f"{file.read_text()}    op.drop_table('nowhere')\n")
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "FOLDER", tmp_path / "later")
        with pytest.raises(LocalFault, match="nowhere"):
            Store(url)
    with closing(Store(url)) as store, reading(store) as connection:
        assert "once" not in tables(connection)
        assert version_of(connection) == VERSIONS[-1]


def test_processes_that_open_a_new_store_at_once_make_it_once(url: str) -> None:
    code = (
        "import sys; import alembic.command; from parties.store import Store, migrating\n"
        "print('ready', flush=True); sys.stdin.readline(); Store(sys.argv[1]).close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    with closing(Store(url)) as store, store.reading() as connection:
        for table in ("alembic_version", "clock"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_a_store_that_is_up_to_date_is_opened_without_alembic_and_a_file_without_sqlalchemy(
    url: str,
) -> None:
    Store(url).close()
    code = (
        "import sys; from parties.store import Store; Store(sys.argv[1]).close(); "
        "assert 'alembic' not in sys.modules; "
        "assert ('psycopg' in sys.modules) == ('+psycopg' in sys.argv[1]); "
        "assert ('sqlalchemy' in sys.modules) == ('+psycopg' in sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, check=True)


def test_a_new_store_begins_as_the_migrations_would_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If they differ: python scripts/store_form.py."""
    known = shutil.copytree(migrating.FOLDER, tmp_path / "known")
    (known / migrating.FORM).write_text('{"version": ""}', encoding="utf-8")
    dumps = []
    for name, folder in (("form", migrating.FOLDER), ("migrations", known)):
        monkeypatch.setattr(migrating, "FOLDER", folder)
        Store(f"sqlite:///{tmp_path}/{name}").close()
        with closing(sqlite3.connect(tmp_path / name)) as database:
            dumps.append(list(database.iterdump()))
    assert dumps[0] == dumps[1]
    assert len(dumps[0]) > 10
