"""Reads the tree that DuckDB's own parser makes of a rule's SQL, and lets through what is known.

Not what is dangerous is listed, but what a rule may be made of; anything else is refused: tables,
functions and kinds of clause that DuckDB has or will have.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final

import duckdb

from parties.sources.duck import quoted

NODES: Final = frozenset(("SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE"))
"""Kinds of query; `RECURSIVE_CTE_NODE`, which need not end, is none of them."""
SOURCES: Final = frozenset(("BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY"))
"""What may stand after FROM: no function, no list of values, no pivot, no description."""
EXPRESSIONS: Final = frozenset(
    (
        *("BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"),
        *("FUNCTION", "OPERATOR", "PARAMETER", "STAR", "SUBQUERY", "TYPE", "WINDOW"),
    )
)
TYPES: Final = frozenset(
    (
        *("bigint", "boolean", "date", "decimal", "double", "integer", "interval", "list"),
        *("timestamp", "varchar"),
    )
)
"""To which a value may be turned."""
AGGREGATES: Final = frozenset(
    (
        *("any_value", "arg_max", "arg_min", "avg", "bool_and", "bool_or", "count", "count_if"),
        *("count_star", "list", "max", "min", "mode", "sum", "first", "last"),
    )
)
WINDOWS: Final = frozenset(("dense_rank", "lag", "lead", "rank", "row_number"))
SCALARS: Final = frozenset(
    (
        *("+", "-", "*", "/", "//", "%", "||", "~~", "!~~"),
        *("abs", "ceil", "date_diff", "date_part", "date_trunc", "floor", "greatest", "hour"),
        *("least", "left", "len", "length", "list_concat", "list_distinct", "list_sort"),
        *("list_value", "lower", "right", "round", "split_part", "starts_with", "contains"),
        *("substring", "trim", "upper"),
    )
)
"""Functions of their arguments alone: nothing of the clock, of chance, of settings, of files."""
FUNCTIONS: Final = AGGREGATES | WINDOWS | SCALARS


MOST_SOURCES: Final = 32
"""Tables that a rule may name, each time counted; ours name six at most. A plan of 64 is made in a
second, one with 400 in half a minute, during which nothing can stop it."""


class Misshapen(ValueError):
    """SQL has something that no rule may have; the text says what."""


def checked(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]
) -> frozenset[str]:
    """Checks the shape of one SELECT, and returns the names of its parameters.

    Args:
        connection: shut in; nothing is run but the parser.
        sql: of the rule.
        tables: that it may read.

    Raises:
        Misshapen: it is not one SELECT, or is made of something that no rule is made of.
    """
    tree = parsed(connection, sql)
    named = [name for entry in found(tree, "cte_map") for name in _names(entry)]
    for name in named:
        if binds(connection, f"SELECT 1 FROM {quoted(name)}"):  # noqa: S608, the name is quoted
            raise Misshapen(f"calls a part of itself {name!r}, which is the name of a table")
    if sum(each.get("type") == "BASE_TABLE" for each in objects(tree)) > MOST_SOURCES:
        raise Misshapen(f"names more than {MOST_SOURCES} tables")
    readable = {*tables, *(name.lower() for name in named)}
    for each in objects(tree):
        _look(each, readable)
    for name in sorted({each["column_names"][0] for each in _columns(tree)}):
        if binds(connection, f"SELECT {quoted(name)}"):
            raise Misshapen(f"uses {name!r}, which is a value of the session and no column")
    parameters = {each["identifier"] for each in objects(tree) if each.get("class") == "PARAMETER"}
    return frozenset(parameters)


def parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """Returns the tree of one SELECT statement.

    Raises:
        Misshapen: it is none, or more than one.
    """
    told = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(told[0][0])
    if tree.get("error_type") == "parser":
        raise Misshapen("is not valid SQL")
    if tree.get("error") or len(tree.get("statements", [])) != 1:
        raise Misshapen("is not one SELECT statement and nothing else")
    return tree


def without_sums(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Returns a SELECT with each sum replaced by the largest term, which has the same unit.

    DuckDB adds up no spans of time; for the question whether units fit, this is as good.
    """
    tree = parsed(connection, sql)
    for each in objects(tree):
        if str(each.get("function_name", "")).lower() == "sum":
            each["function_name"] = "max"
            each["qualified_name"] = {"path": ["max"]}
    told = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)])
    return str(told.fetchall()[0][0])


def binds(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether DuckDB finds all that a SELECT names; nothing is run."""
    try:
        connection.sql(sql)
    except duckdb.Error:
        return False
    return True


def objects(tree: Any) -> Iterator[dict[str, Any]]:
    """Yields each object of a tree, from the root on."""
    pending = [tree]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def several(said: str | list[str]) -> list[str]:
    """Returns what is said of a node of a plan as a list: of one there is only the text."""
    return [said] if isinstance(said, str) else said


def found(tree: Any, name: str) -> list[dict[str, Any]]:
    """Returns the objects that stand under a name anywhere in a tree."""
    return [each[name] for each in objects(tree) if isinstance(each.get(name), dict)]


def _columns(tree: Any) -> Iterator[dict[str, Any]]:
    return (each for each in objects(tree) if each.get("class") == "COLUMN_REF")


def _names(ctes: dict[str, Any]) -> list[str]:
    return [str(entry["key"]) for entry in ctes["map"]]


def _look(each: dict[str, Any], readable: Collection[str]) -> None:
    kind = str(each.get("type", ""))
    if each.get("materialized") == "CTE_MATERIALIZE_NEVER":
        raise Misshapen("has a part that is NOT MATERIALIZED, so that a plan may grow without end")
    if "class" in each:
        _look_at_expression(each)
    elif "cte_map" in each:  # a query has it, and nothing else
        if kind not in NODES:
            raise Misshapen(f"is a {_plain(kind)}, of which no rule is made")
    elif "sample" in each:  # what stands after FROM has it
        _look_at_source(each, kind, readable)
    if each.get("sample") is not None:
        raise Misshapen("takes a sample, so that it would find something else each time")


def _look_at_expression(each: dict[str, Any]) -> None:
    kind = str(each["class"])
    if kind not in EXPRESSIONS:
        raise Misshapen(f"has a {_plain(kind)}, of which no rule is made")
    if kind == "TYPE" and str(each["type_name"]).lower() not in TYPES:
        raise Misshapen(f"turns a value to {each['type_name']!r}, which is no type of rules")
    if kind in ("FUNCTION", "WINDOW"):
        name = str(each["function_name"]).lower()
        if name not in FUNCTIONS or each.get("schema") or each.get("catalog"):
            raise Misshapen(f"calls {name!r}, which is not among the functions of rules")


def _look_at_source(each: dict[str, Any], kind: str, readable: Collection[str]) -> None:
    if kind not in SOURCES:
        raise Misshapen(f"reads from a {_plain(kind)}, and a rule reads from joined tables")
    if kind == "BASE_TABLE":
        name = str(each["table_name"])
        if name.lower() not in readable or each["schema_name"] or each["catalog_name"]:
            raise Misshapen(f"reads {name!r}, which is no joined table")


def _plain(kind: str) -> str:
    return kind.lower().replace("_", " ")
