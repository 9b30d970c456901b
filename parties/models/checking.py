"""Looks through the rules of a pack before any of them sees a row.

Each rule is bound by DuckDB to empty tables. From its plan stands which columns it reads, and these
must be those that it says it needs. It is then bound once more with all amounts in a type that
compares with nothing but itself, so that an amount held against a count does not pass for a
condition.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, NoReturn

import duckdb

from parties.errors import PackRefused
from parties.models import shape
from parties.models.loading import load, no_column
from parties.models.pack import Pack, Rule
from parties.models.sandbox import CHECKING, Bounds, opened, timed
from parties.models.tables import TABLES
from parties.models.units import Value
from parties.models.wording import fields_of

LIST: Final = "VARCHAR[]"
WORDED: Final = ("VARCHAR", "BIGINT", "INTEGER", "HUGEINT", "TIMESTAMP", "DATE", "INTERVAL", LIST)
"""Types of results that have words (`wording.worded`), beside DECIMAL for amounts."""
FIXED: Final = {"claims": LIST, "records": LIST}
"""Columns of a result that lead to rows; `records` may be absent."""


def checked(folder: Path, bounds: Bounds = CHECKING) -> Pack:
    """Reads a pack and looks through all of it.

    Raises:
        PackRefused: something is not what it must be; says which rule and which entry.
    """
    pack = load(folder)
    with opened(bounds, plain=True) as connection:
        for rule in pack.rules:
            check(connection, pack, rule, bounds)
    return pack


def check(
    connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule, bounds: Bounds = CHECKING
) -> None:
    """Looks through a rule.

    Args:
        connection: shut in and plain, with nothing in it.
        pack: of the rule.
        rule: to look through.
        bounds: of the connection.

    Raises:
        PackRefused: it is not what it must be; says which entry.
    """
    needs = _needed(pack, rule)
    create(connection, {name: dict.fromkeys(each) for name, each in TABLES.items()})
    try:
        parameters = shape.checked(connection, rule.sql, TABLES)
    except shape.Misshapen as error:
        refuse(pack, rule, "sql", str(error))
    if parameters != rule.parameters.keys():
        _refuse_parameters(pack, rule, parameters)
    columns = bound(connection, pack, rule, rule.values({}), bounds)
    _check_result(pack, rule, columns)
    _check_needs(connection, pack, rule)
    _check_amounts(connection, pack, rule, needs, bounds)


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
    bounds: Bounds,
) -> dict[str, str]:
    """Runs a rule over empty tables, and returns names and types of its result.

    Raises:
        PackRefused: it does not fit its tables, or does not end.
    """
    try:
        with timed(connection, bounds.seconds):
            result = connection.execute(rule.sql, dict(values))
        told = [(str(name), str(kind)) for name, kind, *_ in result.description or ()]
    except duckdb.Error as fault:
        why = meaning(fault, bounds)
    else:
        if len(dict(told)) < len(told):
            refuse(pack, rule, "sql", "gives two columns the same name")
        return dict(told)
    refuse(pack, rule, "sql", why)


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


def _needed(pack: Pack, rule: Rule) -> dict[str, dict[str, str | None]]:
    needs: dict[str, dict[str, str | None]] = {}
    for need in rule.needs:
        table, _, name = need.partition(".")
        if name not in TABLES.get(table, {}):
            refuse(
                pack, rule, "needs", f"name a column that is not there: {no_column(table, name)}"
            )
        if name not in pack.columns.get(table, {}):
            refuse(pack, rule, "needs", f"name {need}, which pack.toml does not")
        needs.setdefault(table, {})[name] = None
    return needs


def _check_needs(connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule) -> None:
    read = read_columns(connection, rule.sql, rule.values({}))
    if missing := sorted(read - set(rule.needs)):
        refuse(pack, rule, "needs", f"do not name {missing[0]}, which the SQL reads")
    if idle := sorted(set(rule.needs) - read):
        refuse(pack, rule, "needs", f"name {idle[0]}, which the SQL does not read")


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


def _check_amounts(
    connection: duckdb.DuckDBPyConnection,
    pack: Pack,
    rule: Rule,
    needs: Mapping[str, Mapping[str, str | None]],
    bounds: Bounds,
) -> None:
    shadow = {
        table: {name: "INTERVAL" if TABLES[table][name].unit == "yuan" else None for name in each}
        for table, each in needs.items()
    }
    create(connection, shadow)
    amounts: dict[str, Value] = {
        name: timedelta(days=1) if rule.parameters[name].unit == "yuan" else value
        for name, value in rule.values({}).items()
    }
    try:
        with timed(connection, bounds.seconds):
            connection.execute(shape.without_sums(connection, rule.sql), amounts)
    except duckdb.Error:
        pass  # refused below
    else:
        return
    refuse(pack, rule, "sql", "mixes an amount in yuan with something of another unit")


def _refuse_parameters(pack: Pack, rule: Rule, used: frozenset[str]) -> NoReturn:
    if unknown := sorted(used - rule.parameters.keys()):
        refuse(pack, rule, "sql", f"uses ${unknown[0]}, which stands in no entry of parameters")
    idle = min(rule.parameters.keys() - used)
    refuse(pack, rule, f"parameters.{idle}", "stands nowhere in the SQL")


def _check_result(pack: Pack, rule: Rule, columns: Mapping[str, str]) -> None:
    wanted = FIXED | dict.fromkeys(rule.subject, "VARCHAR")
    for name, kind in wanted.items():
        if columns.get(name, LIST if name == "records" else "") != kind:
            refuse(pack, rule, "sql", f"must give a column {name} of type {kind}")
    if not columns.get("amount", "").startswith("DECIMAL"):
        refuse(pack, rule, "sql", "must give a column amount, in yuan")
    for name, kind in columns.items():
        if kind not in WORDED and not kind.startswith("DECIMAL"):
            refuse(pack, rule, "sql", f"gives {name} in a type that has no words, {kind}")
    _check_reason(pack, rule, columns)


def _check_reason(pack: Pack, rule: Rule, columns: Mapping[str, str]) -> None:
    try:
        said = fields_of(rule.reason)
    except ValueError:
        refuse(pack, rule, "reason", "may hold names between single braces, and no other brace")
    _check_names(pack, rule, said, columns)
    idle = columns.keys() - said - FIXED.keys() - {"amount"}
    if idle:
        refuse(pack, rule, "reason", f"does not say {min(idle)}, which the SQL gives")


def _check_names(pack: Pack, rule: Rule, said: Sequence[str], columns: Mapping[str, str]) -> None:
    if unknown := sorted(set(said) - columns.keys() - rule.parameters.keys()):
        refuse(pack, rule, "reason", f"says {{{unknown[0]}}}, which is nothing that the SQL gives")
    if double := sorted(columns.keys() & rule.parameters.keys()):
        refuse(pack, rule, "sql", f"gives a column {double[0]}, which is a parameter")
