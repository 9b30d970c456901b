"""A set that stands out, as the draft of a rule: files of a pack, of version 0.

What a draft finds may be looked at, and comes into no ledger. Somebody accepts it who writes what
would make it innocent, gives it a version and moves it into a pack.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from parties.errors import SettingsError
from parties.models.cells import literal
from parties.models.loading import PACK
from parties.models.mining.bands import Band, parameter
from parties.models.mining.dimension import Dimension
from parties.models.mining.standing_out import Proposed
from parties.models.mining.words import OF_WHOM, behind, title
from parties.models.pack import TO_WRITE, Pack, Parameter, Rule
from parties.models.tables import TABLES
from parties.models.units import MOST, MOST_OF_ALL
from parties.whole_files import write_whole

NAME: Final = "mined"
_BOUNDS: Final = (("from", "low", "the least of: {}"), ("to", "high", "what is not reached of: {}"))
"""Ends of the names of parameters, which bound of a band each is, and what it means."""


def pack_of(
    proposed: Sequence[Proposed], line: str, day: date, whom: str = OF_WHOM, *, amounts: bool
) -> Pack:
    """Returns sets as a pack of drafts.

    Args:
        proposed: at least one.
        line: of business.
        day: on which they were mined.
        whom: of what their numbers are, in words.
        amounts: whether the table of claims has them.
    """
    rules = sorted(
        (_rule(each, day, whom, amounts=amounts) for each in proposed), key=lambda each: each.name
    )
    needs = sorted({need for rule in rules for need in rule.needs})
    tables: dict[str, dict[str, tuple[str, str]]] = {}
    for need in needs:
        table, _, name = need.partition(".")
        column = TABLES[table][name]
        tables.setdefault(table, {})[name] = (column.type, column.unit)
    return Pack(NAME, 0, line, "Drafts of rules, mined", tables, tuple(rules))


def must_be_free(folder: Path) -> None:
    """Checks that a folder is not there, or empty: drafts are not mixed with what somebody wrote.

    Raises:
        SettingsError: something is in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder.name}: is there already; name a folder that is not")


def write(pack: Pack, folder: Path) -> None:
    """Writes a pack of drafts into a folder.

    Raises:
        LocalFault: it cannot be written.
    """
    head = pack._asdict() | {
        "columns": {
            table: {name: {"type": type_, "unit": unit} for name, (type_, unit) in each.items()}
            for table, each in pack.columns.items()
        }
    }
    del head["rules"]
    for rule in pack.rules:
        write_whole(folder / f"{rule.name}.toml", "\n".join([*_toml(rule.entries), ""]).encode())
    write_whole(folder / PACK, "\n".join([*_toml(head), ""]).encode())


def _rule(proposed: Proposed, day: date, whom: str, *, amounts: bool) -> Rule:
    parameters: dict[str, Parameter] = {}
    conditions = [_condition(*fact, parameters) for fact in proposed.facts]
    dimensions = [dimension for dimension, _ in proposed.facts]
    shown = dict(each.shown for each in dimensions if each.shown)
    needs = {"claims.claim", *(need for each in dimensions for need in each.needs)}
    joins = dict.fromkeys(each.join for each in dimensions if each.join)
    terms = [
        "claim AS about",
        "[claim] AS claims",
        "amount" if amounts else "CAST(NULL AS DECIMAL(18,2)) AS amount",
        *(f"{sql} AS {name}" for name, sql in shown.items() if name != "amount"),
    ]
    where = "\n    AND ".join(conditions)
    selected = ",\n    ".join(terms)
    sql = "\n".join([f"SELECT\n    {selected}", "FROM claims", *joins, f"WHERE {where}"])
    whys = "; ".join(
        each.reason.format(f"{{{each.shown[0]}}}" if each.shown else "") for each in dimensions
    )
    digest = hashlib.sha256(sql.encode() + repr(parameters).encode()).hexdigest()
    return Rule(
        name="-".join([NAME, *(each.name.partition("_")[0] for each in dimensions), digest[:8]]),
        version=0,
        title=f"Mined: {title(proposed)}",
        dimensions=tuple(sorted({"claim", *(by for each in dimensions for by in each.by)})),
        needs=tuple(sorted(needs | ({"claims.amount"} if amounts else set()))),
        subject={"about": "claim"},
        sql=sql,
        reason=f"Claim {{about}}: {whys}.",
        innocent=TO_WRITE,
        source=f"Mined on {day.isoformat()} by this node: {behind(proposed)}; {whom}",
        parameters=parameters,
    )


def _condition(dimension: Dimension, band: Band, parameters: dict[str, Parameter]) -> str:
    """Returns the SQL of a fact; adds its parameters."""
    match dimension.sort:
        case "name":
            return f"{dimension.value} = {literal(band.name)}"
        case "flag":
            return f"({dimension.value})"
    parts = []
    for (end, which, meaning), sign in zip(_BOUNDS, (">=", "<"), strict=True):
        if (bound := getattr(band, which)) is None:
            continue
        name = f"{dimension.name}_{end}"
        parameters[name] = _parameter(dimension, bound, meaning)
        left, right = dimension.value, f"${name}"
        if dimension.sort == "span":
            left, right = dimension.end, f"{dimension.begin} + ${name}"
        parts.append(f"{left} {sign} {right}")
    return " AND ".join(parts)


def _parameter(dimension: Dimension, bound: int, meaning: str) -> Parameter:
    number, unit = parameter(dimension.sort, bound)
    most = MOST.get(unit, MOST_OF_ALL)
    return Parameter(unit, number, 0, most, meaning.format(dimension.title), "")


def _toml(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yields the lines of a TOML document: entries first, then tables."""
    for name, value in values.items():
        if isinstance(value, str) and "\n" in value:
            text = value.replace("\\", "\\\\").replace('"', '\\"')
            yield f'{name} = """\n{text}"""'
        elif not isinstance(value, dict):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in values.items():
        if isinstance(value, dict):
            inner = f"{path}{name}"
            if not any(isinstance(each, dict) for each in value.values()):
                yield f"\n[{inner}]"
            yield from _toml(value, f"{inner}.")
