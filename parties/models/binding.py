"""Binds a rule to empty tables, and says what DuckDB has against it in words for who wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

import duckdb

from parties.errors import PackRefused
from parties.models import shape
from parties.models.pack import Pack, Rule
from parties.models.sandbox import CHECKING, Bounds, timed
from parties.models.tables import TABLES
from parties.models.units import Value


def create(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Mapping[str, str | None]]
) -> None:
    """Makes empty tables in place of those that are there.

    Args:
        connection: to make them in.
        tables: table -> column -> type; None for its own.
    """
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for table, columns in tables.items():
        told = (f"{name} {kind or TABLES[table][name].type}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({', '.join(told)})")


def bound(
    connection: duckdb.DuckDBPyConnection,
    pack: Pack,
    rule: Rule,
    values: Mapping[str, Value],
) -> dict[str, str]:
    """Runs a rule over empty tables, and returns names and types of its result.

    Raises:
        PackRefused: it does not fit its tables, or does not end.
    """
    try:
        with timed(connection, CHECKING.seconds):
            result = connection.execute(rule.sql, dict(values))
        told = [(str(name), str(kind)) for name, kind, *_ in result.description or ()]
    except duckdb.Error as fault:
        why = meaning(fault, CHECKING)
    else:
        if len(dict(told)) < len(told):
            refuse(pack, rule, "sql", "gives two columns the same name")
        return dict(told)
    refuse(pack, rule, "sql", why)


def read_columns(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Value]
) -> set[str]:
    """Returns the columns that a SELECT reads, as table.column, of its plan.

    Names in the SQL would not do: within a subquery a name may be of a table outside of it.

    Args:
        connection: plain, with all tables.
        sql: that binds.
        values: of its parameters.
    """
    told = connection.execute(f"EXPLAIN (FORMAT json) {sql}", dict(values)).fetchall()
    read: set[str] = set()
    for node in shape.objects(json.loads(told[0][1])):
        said = node.get("extra_info")
        if isinstance(said, dict) and "Table" in said and "Projections" in said:
            names, table = said["Projections"], said["Table"].rpartition(".")[2]
            # A scan of which only the number of rows is wanted has one column without a name.
            read |= {f"{table}.{name}" for name in shape.several(names) if name}
    return read


def meaning(fault: duckdb.Error, bounds: Bounds) -> str:
    """Returns what an error of DuckDB means for who wrote the rule.

    Only of an error of the parser or the binder is the text told: over tables without rows it
    cannot quote a cell, and what is bound is bound before rows are read.
    """
    match fault:
        case duckdb.BinderException() | duckdb.ParserException() | duckdb.CatalogException():
            sentence = str(fault).partition("\n")[0].strip()
            return f"does not fit the joined tables: {sentence}"
        case duckdb.InterruptException():
            return f"has not ended after {bounds.seconds:g} s"
        case duckdb.OutOfMemoryException():
            return f"needs more than {bounds.memory} of memory"
        case duckdb.ConversionException() | duckdb.InvalidInputException():
            return "turns a value to a type that it does not fit"
        case _:
            return f"was stopped by DuckDB ({type(fault).__name__})"


def refuse(pack: Pack, rule: Rule, entry: str, why: str) -> NoReturn:
    """Refuses a rule by its name.

    Raises:
        PackRefused: always.
    """
    raise PackRefused(f"{pack.name}/{rule.name}: {entry} {why}")
