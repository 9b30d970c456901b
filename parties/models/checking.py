"""Looks through the rules of a pack before any of them sees a row.

Each rule is bound by DuckDB to empty tables. From its plan stands which columns it reads, and these
must be those that it says it needs. It is then bound once more with all amounts in a type that
compares with nothing but itself, so that an amount held against a count does not pass for a
condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, NoReturn

import duckdb

from parties.models import shape
from parties.models.binding import bound, create, read_columns, refuse
from parties.models.loading import load, no_column
from parties.models.pack import Pack, Rule
from parties.models.sandbox import CHECKING, opened, timed
from parties.models.tables import TABLES
from parties.models.units import Value
from parties.models.wording import fields_of

LIST: Final = "VARCHAR[]"
WORDED: Final = ("VARCHAR", "BIGINT", "INTEGER", "HUGEINT", "TIMESTAMP", "DATE", "INTERVAL", LIST)
"""Types of results that have words (`wording.worded`), beside DECIMAL for amounts."""
FIXED: Final = {"claims": LIST, "records": LIST}
"""Columns of a result that lead to rows; `records` may be absent."""


def checked(folder: Path) -> Pack:
    """Reads a pack and looks through all of it.

    Raises:
        PackRefused: something is not what it must be; says which rule and which entry.
    """
    pack = load(folder)
    with opened(CHECKING, plain=True) as connection:
        for rule in pack.rules:
            check(connection, pack, rule)
    return pack


def check(connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule) -> None:
    """Looks through a rule.

    Args:
        connection: shut in and plain, with nothing in it.
        pack: of the rule.
        rule: to look through.

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
    columns = bound(connection, pack, rule, rule.values({}))
    _check_result(pack, rule, columns)
    _check_needs(connection, pack, rule)
    _check_amounts(connection, pack, rule, needs)


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


def _check_amounts(
    connection: duckdb.DuckDBPyConnection,
    pack: Pack,
    rule: Rule,
    needs: Mapping[str, Mapping[str, str | None]],
) -> None:
    sql = _without_sums(connection, pack, rule)
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
        with timed(connection, CHECKING.seconds):
            connection.execute(sql, amounts)
    except duckdb.Error:
        pass  # refused below
    else:
        return
    refuse(pack, rule, "sql", "mixes an amount in yuan with something of another unit")


def _without_sums(connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule) -> str:
    try:
        sql = shape.without_sums(connection, rule.sql)
        with timed(connection, CHECKING.seconds):
            connection.execute(sql, rule.values({}))
    except duckdb.Error:
        pass  # refused below
    else:
        return sql
    refuse(pack, rule, "sql", "has a form that DuckDB does not write back; write it in another way")


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
