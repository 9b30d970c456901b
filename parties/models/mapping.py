"""Says which files and columns of a node fill the joined tables.

Either a TOML file, which names files and columns of a node's own:

    [claims]
    files = ["claims.parquet"]
    [claims.columns]
    claim = "claim_no"
    plate = { column = "plate", kind = "plate" }
    city = { column = "accident_place", up_to = "市" }
    [links]
    files = ["results/SESSION/joined.parquet"]
    [links.columns]
    dimension = { column = "greenlane_set", words = { plate = "vehicle" } }

or files that are named like the tables, and their columns likewise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from parties.errors import SettingsError, SourceError
from parties.models.tables import KEYS, TABLES
from parties.settings import SourceSettings
from parties.sources import ArrowSource, Source, open_source
from psi import _core
from psi.lazily import NamedTuple, pa

SUFFIXES: Final = (".parquet", ".csv", ".arrow")
"""Formats that `match` writes."""


class Taken(NamedTuple):
    """From what a column is filled.

    Attributes:
        column: of the files.
        kind: of identifier, by whose rule it is normalised; empty for none.
        words: values of the files -> ours.
        up_to: a text at whose first occurrence, included, the value ends; empty for none.
    """

    column: str
    kind: str = ""
    words: Mapping[str, str] = {}
    up_to: str = ""


class Filled(NamedTuple):
    """From what a table is filled.

    Attributes:
        files: of one format and one schema.
        columns: by name; None to take those that the files have.
    """

    files: tuple[Path, ...]
    columns: Mapping[str, Taken] | None = None


def mapped(paths: Sequence[Path]) -> dict[str, Filled]:
    """Returns what fills which table.

    Args:
        paths: one TOML file; or folders and files whose names are those of tables.

    Raises:
        SettingsError: the TOML file is wrong, or no file is named like a table.
    """
    if len(paths) == 1 and paths[0].suffix == ".toml":
        return read(paths[0])
    tables: dict[str, Filled] = {}
    for path in sorted(each for given in paths for each in _within(given)):
        if path.suffix in SUFFIXES and path.stem in TABLES:
            if path.stem in tables:
                raise SettingsError(f"{path.parent.name}: two files are named like {path.stem}")
            tables[path.stem] = Filled((path,))
    if not tables:
        raise SettingsError(
            f"{', '.join(path.name for path in paths)}: no file is named like a joined table "
            f"({', '.join(TABLES)}); name them so, or write a mapping"
        )
    return tables


def _within(path: Path) -> list[Path]:
    return list(path.iterdir()) if path.is_dir() else [path]


def read(path: Path) -> dict[str, Filled]:
    """Reads a mapping.

    Raises:
        SettingsError: it cannot be read, or an entry is wrong; says which.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise SettingsError(f"{path.name}: cannot be read as TOML: {why}") from None
    _only(path, "the file", document, TABLES)
    return {name: _table(path, name, entry) for name, entry in document.items()}


def opened(files: tuple[Path, ...]) -> Source:
    """Opens files as one source.

    Raises:
        SettingsError: they have no format that can be read.
        SourceError: one is missing or bad.
    """
    suffix = files[0].suffix
    match suffix:
        case ".arrow":
            return _arrow(files)
        case ".parquet":
            return open_source(SourceSettings("parquet", files))
        case ".csv":
            return open_source(SourceSettings("csv", files))
    raise SettingsError(f"{files[0].name}: must end in one of {', '.join(SUFFIXES)}")


def _arrow(files: tuple[Path, ...]) -> Source:
    label = files[0].name
    try:
        tables = [pa.ipc.open_file(pa.memory_map(str(file))).read_all() for file in files]
        return ArrowSource(pa.concat_tables(tables), label)
    except (OSError, pa.ArrowException):
        pass  # raised below, outside of the handler: Arrow's text may quote a value
    raise SourceError(f"{label}: cannot be read as a file of Arrow")


def _table(path: Path, name: str, entry: Any) -> Filled:
    _only(path, f"[{name}]", entry, ("files", "columns"))
    files, columns = entry.get("files"), entry.get("columns")
    if not isinstance(files, list) or not files or not all(isinstance(f, str) for f in files):
        raise SettingsError(f"{path.name}: [{name}] files must be a list of paths")
    _only(path, f"[{name}.columns]", columns, TABLES[name])
    key = KEYS.get(name)
    if key and key not in columns:
        raise SettingsError(f"{path.name}: [{name}.columns] lacks {key}, which is the key")
    taken = {column: _taken(path, name, column, columns[column]) for column in columns}
    return Filled(tuple(path.parent / file for file in files), taken)


def _taken(path: Path, table: str, name: str, entry: Any) -> Taken:
    if isinstance(entry, str):
        return Taken(entry)
    where = f"{table}.columns.{name}"
    _only(path, where, entry, Taken._fields)
    kind, words = entry.get("kind", ""), entry.get("words", {})
    texts = [entry.get("column"), kind, entry.get("up_to", "")]
    if not isinstance(words, dict) or not all(
        isinstance(t, str) for t in (*texts, *words.values())
    ):
        raise SettingsError(
            f"{path.name}: {where} must have a text under column, and may have kind, up_to and "
            "words"
        )
    if kind and kind not in _core.kinds():
        known = ", ".join(_core.kinds())
        raise SettingsError(f"{path.name}: {where}.kind must be one of {known}")
    taken = Taken(**entry)
    if why := _misfit(taken, table, name):
        raise SettingsError(f"{path.name}: {where} {why}")
    return taken


def _misfit(taken: Taken, table: str, name: str) -> str | None:
    """Says which entry would change nothing, a clause for people; None if all would."""
    column = TABLES[table][name]
    if column.type != "VARCHAR" and (taken.kind or taken.words or taken.up_to):
        return f"is of type {column.type}, and has neither kind nor words nor up_to"
    if taken.kind and (taken.words or taken.up_to):
        return "has kind, and then neither words nor up_to"
    if (table, name) == ("claims", "line") and (taken.kind or taken.up_to):
        # Claims of other lines are left out before there is a table.
        return "may have words, and neither kind nor up_to"
    return None


def _only(path: Path, where: str, entry: Any, names: Sequence[str] | Mapping[str, Any]) -> None:
    if not isinstance(entry, dict) or not entry:
        raise SettingsError(f"{path.name}: {where} must be a table with an entry")
    if unknown := sorted(entry.keys() - set(names)):
        raise SettingsError(
            f"{path.name}: {where} has an entry {unknown[0]!r}; it may have {', '.join(names)}"
        )
