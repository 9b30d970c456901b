"""Scenarios of rules: rows in small tables of text, and what changes of them do.

`claims`, `records` and `links` are the rows with which a rule fires, at each edge of its windows
and counts; `leads` are the claims of each lead, and `reason` what the first says. `[outside]` has
for each parameter the changes by which the rows are just outside of it; `[inside.PARAMETER]` has
what brings them to its edge, where they are not; `[also.NAME]` has others.
A change is `KEY column = value`, with nothing for null, or `drop KEY`; the key of a link is
`claim/record/dimension`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from parties.models.binding import create
from parties.models.pack import Pack, Rule
from parties.models.sandbox import CHECKING
from parties.models.tables import TABLES
from parties.models.trying import Lead, run

FOLDER = Path(__file__).parent / "scenarios"

Row = dict[str, str]
Tables = dict[str, dict[str, Row]]


class Other(NamedTuple):
    edits: tuple[str, ...]
    leads: int
    set: Mapping[str, int]


class Scene(NamedTuple):
    tables: Tables
    set: Mapping[str, int]
    leads: tuple[str, ...]
    reason: str
    outside: Mapping[str, tuple[str, ...]]
    inside: Mapping[str, Other]
    also: Mapping[str, Other]


def scene(pack: str, rule: str) -> Scene:
    told = tomllib.loads((FOLDER / pack / f"{rule}.toml").read_text(encoding="utf-8"))
    number = told.get("set", {})
    return Scene(
        {name: dict(rows(told.get(name, ""))) for name in TABLES},
        number,
        tuple(told["leads"]),
        told["reason"],
        {name: tuple(edits) for name, edits in told["outside"].items()},
        {name: other({"leads": 1} | each, number) for name, each in told.get("inside", {}).items()},
        {name: other(each, number) for name, each in told.get("also", {}).items()},
    )


def other(each: Mapping[str, Any], number: Mapping[str, int]) -> Other:
    return Other(tuple(each.get("edits", ())), each["leads"], each.get("set", number))


def rows(text: str) -> Iterator[tuple[str, Row]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    for cells in lines[1:]:
        row = dict(zip(lines[0], cells, strict=True))
        yield "/".join(cells[:3]) if "dimension" in row else cells[0], row


def edited(tables: Tables, edits: Sequence[str]) -> Tables:
    changed = {name: {key: dict(row) for key, row in each.items()} for name, each in tables.items()}
    for edit in edits:
        if edit.startswith("drop "):
            holder = next(each for each in changed.values() if edit[5:] in each)
            del holder[edit[5:]]
            continue
        place, _, value = edit.partition("=")
        key, column = place.split()
        row = next(each[key] for each in changed.values() if key in each)
        assert row[column] != value.strip(), f"{edit} changes nothing"
        row[column] = value.strip()
    return changed


def found(
    connection: duckdb.DuckDBPyConnection,
    pack: Pack,
    rule: Rule,
    tables: Tables,
    numbers: Mapping[str, int],
) -> list[Lead]:
    """Runs a rule over rows in tables that have the columns it needs, and no other."""
    needs: dict[str, dict[str, Any]] = {}
    for need in rule.needs:
        table, _, column = need.partition(".")
        needs.setdefault(table, {})[column] = None
    create(connection, needs)
    for table, columns in needs.items():
        for row in tables[table].values():
            cells = [row.get(column) or None for column in columns]
            marks = ", ".join("?" for _ in columns)
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", cells)
    return list(run(connection, pack, rule, numbers, CHECKING, 100).leads)
