"""A table of a DuckDB database, or a SELECT on it.

The connection is read-only and shut in: no other file, no network, no extension, no settings can
be reached from a query, and nothing is spilled to disk in clear.

Order: one thread, with insertion order kept. A table then comes in the order in which its rows were
inserted, and a query comes in the same order each time, since the plan and its execution are the
same: a query or a view is never rewritten, its columns are picked from its result, since with fewer
columns a join may be planned the other way round. With several threads,
groups and joins come in another order each time (seen with DuckDB 2.0). What stays open is a query
that is not a function of the data, such as one with random(): it is noticed only by its row count.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
from arro3.core import RecordBatch, Schema

from parties.errors import SourceError
from parties.sources.files import Files
from parties.sources.source import BATCH_ROWS, distinct_names, slices, wanted

MEMORY = "2GB"
"""What DuckDB may use for cached pages and for sorting and grouping: a SELECT that joins or groups
10^7 rows of 100 bytes holds 1 GB of them, and as much again for its tables. A plain read needs no
more than a few batches."""

SHUT_IN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
"""No file, no network, no extension, no variable of this process, nothing spilled to disk in clear;
and, once it is locked, no way to set any of it otherwise."""
READING = SHUT_IN | {
    "lock_configuration": "true",
    "memory_limit": MEMORY,
    "threads": "1",
    "preserve_insertion_order": "true",
}

FAULTS = (duckdb.Error, pa.ArrowException, OSError)
"""What reading raises. The texts may quote a value, so ours are raised outside of the handlers and
say in other words what is wrong."""


class DuckSource:
    """Rows of a DuckDB table or query.

    Args:
        paths: one database file.
        table: a table or view; or
        query: one SELECT statement.

    Raises:
        SourceError: the file cannot be opened, or has no such table, or the query is no SELECT
            or does not fit the database.
    """

    def __init__(
        self, paths: Sequence[Path], table: str | None = None, query: str | None = None
    ) -> None:
        if len(paths) != 1:
            raise SourceError(f"a DuckDB source is one database file, not {len(paths)}")
        if (table is None) == (query is None):
            raise SourceError("a DuckDB source names either a table or a query")
        self._path, self._table, self._query = paths[0], table, query
        self._files = Files(paths)
        self._journal = journal(self._path)
        with opened(self._path, self.label) as connection:
            self._picks = table is not None and is_stored(connection, table, self.label)
            self._schema = schema_of(connection, self._sql(), self.label)

    @property
    def label(self) -> str:
        """As `Source.label` says."""
        return self._files.label

    @property
    def schema(self) -> Schema:
        """As `Source.schema` says."""
        return self._schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
        """As `Source.batches` says."""
        names = wanted(self._schema, columns, self.label)
        return self._files.walk(lambda path, label: self._read(path, label, names))

    def place(self, row: int) -> tuple[str, int]:
        """As `Source.place` says; the row of a query is a row of its result."""
        return self._files.place(row)

    def _read(self, path: Path, label: str, names: list[str]) -> Iterator[RecordBatch]:
        fault: Exception | None = None
        if journal(path) != self._journal:
            raise SourceError(f"{label}: changed while it was in use; run again when it is quiet")
        with opened(path, label) as connection:
            try:
                relation = select(connection, self._sql(names), label)
                with relation.to_arrow_reader(BATCH_ROWS) as reader:
                    for batch in reader:
                        yield from slices(RecordBatch.from_arrow(batch.select(names)))
            except FAULTS as error:
                fault = error
        if fault is not None:
            raise SourceError(f"{label}: {reason(fault)}")

    def _sql(self, names: Sequence[str] = ()) -> str:
        """Returns the query as it stands, or one that reads only the named columns of a table."""
        if self._query is not None:
            return self._query
        columns = ", ".join(map(quoted, names)) if names and self._picks else "*"
        return f"SELECT {columns} FROM {quoted(self._table or '')}"  # noqa: S608, names are quoted


def journal(path: Path) -> tuple[int, int] | None:
    """Returns size and time of the journal beside a database, or None without one.

    Commits stand in the journal until they are carried over into the file.
    """
    try:
        status = path.with_name(path.name + ".wal").stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@contextmanager
def opened(path: Path, label: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens a database read-only and shut in, and closes it afterwards.

    Raises:
        SourceError: it is no DuckDB database, of another version, or open for writing elsewhere.
    """
    connection = None
    with suppress(duckdb.Error):
        connection = duckdb.connect(path, read_only=True, config=READING)
    if connection is None:
        raise SourceError(
            f"{label}: cannot be opened as a DuckDB database; is it one, of a version that this "
            "program reads, and does no other program have it open for writing?"
        )
    try:
        yield connection
    finally:
        connection.close()


def is_stored(connection: duckdb.DuckDBPyConnection, table: str, label: str) -> bool:
    """Returns whether a name is that of a table; else it is a view, which is a query.

    Raises:
        SourceError: nothing has this name; with the nearest names.
    """
    found = connection.sql("SELECT table_name, table_type FROM information_schema.tables")
    kinds = {str(name).lower(): (str(name), str(kind)) for name, kind in found.fetchall()}
    if table.lower() not in kinds:
        near = difflib.get_close_matches(table, sorted(name for name, _ in kinds.values()))
        hint = f"; the nearest are {', '.join(map(repr, near))}" if near else ""
        raise SourceError(f"{label}: there is no table {table!r}{hint}")
    return kinds[table.lower()][1] == "BASE TABLE"


def schema_of(connection: duckdb.DuckDBPyConnection, sql: str, label: str) -> Schema:
    """Returns the schema of a SELECT, without running it over any row.

    Raises:
        SourceError: it is not one SELECT statement, does not fit the database, or gives two
            columns the same name.
    """
    fault: Exception | None = None
    try:
        relation = select(connection, sql, label)
        distinct_names(relation.columns, label)  # the next step would rename one of two
        return Schema.from_arrow(relation.limit(0).to_arrow_table().schema)
    except FAULTS as error:
        fault = error
    raise SourceError(f"{label}: {reason(fault)}")


def select(connection: duckdb.DuckDBPyConnection, sql: str, label: str) -> duckdb.DuckDBPyRelation:
    """Returns the lazy result of one SELECT statement.

    A relation streams; `execute` would hold the whole result in memory first.

    Raises:
        SourceError: it is not one SELECT statement.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise SourceError(f"{label}: the query is not one SELECT statement and nothing else")
    return connection.sql(sql)


def reason(fault: Exception) -> str:
    """Returns what an error of DuckDB means for the person who wrote the settings.

    Only the words before the colon are looked at: they are DuckDB's own, what follows may quote a
    value. An error while rows are fetched comes through Arrow as another class in the same words.
    """
    kind = str(fault).partition(":")[0]
    meaning = MEANINGS.get(kind)
    return meaning or "DuckDB stopped while it ran the query; try the query in DuckDB itself"


MEANINGS = {
    "Parser Error": "the query is not valid SQL",
    "Catalog Error": "the query names a table or function that the database does not have",
    "Binder Error": "the query names a column that is not there, or mixes types that do not fit",
    "Permission Error": "the query reaches out of the database, which is not allowed",
    "Out of Memory Error": f"the query needs more than {MEMORY}; make it a table in the database",
    "Conversion Error": "the query converts a value to a type that it does not fit",
}


def quoted(name: str) -> str:
    """Returns a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
