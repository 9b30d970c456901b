"""Fills the joined tables from files, and says what was left out.

Cells go as Arrow batches from a source into DuckDB. An identifier is normalised on the way, as it
was before it was matched, so that one vehicle has one spelling. A cell that is no such identifier,
or does not fit its type, is null and is counted; no value is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import duckdb

from parties.errors import SourceError
from parties.models.cells import Cells
from parties.models.mapping import Filled, Taken, opened
from parties.models.tables import KEYS, TABLES
from psi.lazily import NamedTuple

INCOMING: Final = "greenlane_incoming"
"""Name under which DuckDB sees a batch while it is put in, or numbers that are looked up."""


class Held(NamedTuple):
    """A joined table that was filled.

    Attributes:
        columns: that it has, the others a node does not have or no rule needs.
        rows: how many it has.
        left_out: column -> cells that are no such identifier or do not fit their type; `rows` ->
            rows without a key; `repeated` -> rows whose key, or all of which, an earlier row has.
    """

    columns: frozenset[str]
    rows: int
    left_out: Mapping[str, int]


def fill(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Filled],
    needed: Mapping[str, Collection[str]],
    line: str | None,
) -> dict[str, Held]:
    """Makes the joined tables and fills them.

    Args:
        connection: shut in; the tables are made in it.
        tables: from what.
        needed: table -> columns that are asked for; no other is read.
        line: of business; claims of another are left out, if it is known of which a claim is. None
            for all.

    Raises:
        SettingsError: a file has no format that can be read.
        SourceError: a file is missing or bad, or has no such column.
        duckdb.Error: memory or time is over.
    """
    return {
        name: _fill(connection, name, tables[name], needed[name], line)
        for name in needed
        if name in tables
    }


def _fill(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    filled: Filled,
    needed: Collection[str],
    line: str | None,
) -> Held:
    source = opened(filled.files)
    picked = _picked(name, filled, needed, source.schema.names)
    cells = Cells(name, picked, line)
    terms = ", ".join(f"{cells.term(column)} AS {column}" for column in picked)
    with cells.read(source) as reader:
        connection.register(INCOMING, reader)
        connection.execute(f"CREATE TABLE {name} AS SELECT {terms} FROM {INCOMING}")  # noqa: S608
        connection.unregister(INCOMING)
    left_out = cells.left_out
    for column, there in cells.there.items():
        left_out[column] += there - _number(connection, f"SELECT count({column}) FROM {name}")  # noqa: S608
    if key := KEYS.get(name):
        left_out["rows"] = _number(connection, f"DELETE FROM {name} WHERE {key} IS NULL")  # noqa: S608
    repeated = _REPEATED.format(table=name, key=key or ", ".join(picked))
    left_out["repeated"] = _number(connection, repeated)
    rows = _number(connection, f"SELECT count(*) FROM {name}")  # noqa: S608
    return Held(frozenset(picked), rows, {key: n for key, n in sorted(left_out.items()) if n})


_REPEATED: Final = """
DELETE FROM {table} WHERE rowid IN (
    SELECT rowid FROM (
        SELECT rowid, row_number() OVER (PARTITION BY {key} ORDER BY rowid) AS number
        FROM {table}
        WHERE ({key}) IN (SELECT ({key}) FROM {table} GROUP BY {key} HAVING count(*) > 1)
    )
    WHERE number > 1
)
"""
"""Keeps of each key the first row, and looks only at keys that have more."""


def _picked(
    name: str, filled: Filled, needed: Collection[str], there: Collection[str]
) -> dict[str, Taken]:
    """Returns what is read: what rules need, the key, and of which line a claim is."""
    columns = filled.columns
    if columns is None:
        columns = {column: Taken(column) for column in TABLES[name] if column in there}
    wanted = {*needed, "line", KEYS.get(name, "")}
    picked = {one: columns[one] for one in TABLES[name] if one in columns and one in wanted}
    if not picked:
        raise SourceError(
            f"{filled.files[0].name}: has no column of {name} that a rule needs "
            f"({', '.join(sorted(needed))})"
        )
    if (key := KEYS.get(name)) is not None and key not in picked:
        raise SourceError(
            f"{filled.files[0].name}: has no column `{key}`, by which {name} are told apart; name "
            "one by a mapping"
        )
    return picked


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(connection.execute(sql).fetchall()[0][0])
