"""Runs the rules of a pack over joined tables: rows to leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import duckdb

from parties.errors import LocalFault, PackRefused
from parties.models.binding import meaning, refuse
from parties.models.checking import LIST
from parties.models.filling import Held, fill
from parties.models.mapping import Filled
from parties.models.pack import Pack, Rule
from parties.models.sandbox import Bounds, opened, timed
from parties.models.units import worded as parameter_worded
from parties.models.wording import filled
from parties.sources.duck import quoted
from psi.lazily import NamedTuple

MOST_LEADS: Final = 10_000
"""Leads of one rule that are told, the largest amounts first: nobody looks at more, and what is
held stays small. How many there are in all is told as well."""
MOST_LISTED: Final = 10_000
"""Numbers of claims, or of anything else in a list, that a lead tells: a ring of the published ones
has some hundreds."""
FOUND: Final = "greenlane_found"
"""Name of a rule's result until its leads are told."""


class Lead(NamedTuple):
    """Something that a rule points at, for a person to look at.

    Attributes:
        rule, version: which.
        subject: column -> what the lead is about.
        claims: numbers of the claims.
        records: numbers of the records; none if the rule looks at claims alone.
        amount: of the claims, in yuan; None if none is known.
        reason: why, in words.
    """

    rule: str
    version: int
    subject: Mapping[str, str]
    claims: Sequence[str]
    records: Sequence[str]
    amount: Decimal | None
    reason: str


class Outcome(NamedTuple):
    """What became of a rule.

    Attributes:
        rule: which.
        parameters: what each was.
        found: how many leads there are.
        amount: of all of them, in yuan.
        leads: at most as many as were asked for, the largest amounts first.
        lacking: columns that it needs and that are not there; it was then not run.
    """

    rule: Rule
    parameters: Mapping[str, int]
    found: int
    amount: Decimal
    leads: Sequence[Lead]
    lacking: Sequence[str] = ()


class Trial(NamedTuple):
    """What a pack found.

    Attributes:
        pack: that was run.
        tables: as they were filled.
        outcomes: of each rule, in order of names.
    """

    pack: Pack
    tables: Mapping[str, Held]
    outcomes: Sequence[Outcome]


def numbers_of(pack: Pack, settings: Sequence[str]) -> dict[str, dict[str, int]]:
    """Reads settings of parameters, as rule.parameter=value; returns rule -> parameter -> value.

    Raises:
        PackRefused: there is no such parameter, or it may not be set so.
    """
    rules = {rule.name: rule for rule in pack.rules}
    numbers: dict[str, dict[str, int]] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        rule, _, parameter = name.rpartition(".")
        if rule not in rules or parameter not in rules[rule].parameters:
            raise PackRefused(
                f"{pack.name}: there is no parameter {name!r}; write rule.parameter=value, with a "
                f"rule and a parameter as `models page {pack.name}` lists them"
            )
        bounds = rules[rule].parameters[parameter]
        if not value.isdecimal() or not bounds.least <= int(value) <= bounds.most:
            refuse(
                pack,
                rules[rule],
                f"parameters.{parameter}",
                f"must be a whole number of {bounds.unit} from {bounds.least} to {bounds.most}",
            )
        numbers.setdefault(rule, {})[parameter] = int(value)
    return numbers


def tried(
    pack: Pack,
    tables: Mapping[str, Filled],
    numbers: Mapping[str, Mapping[str, int]],
    bounds: Bounds,
    most: int = MOST_LEADS,
) -> Trial:
    """Fills the joined tables, and runs each rule for which they have the columns.

    Args:
        pack: that was checked.
        tables: from what they are filled.
        numbers: rule -> parameter -> value, where it is not the default.
        bounds: of each rule.
        most: leads of a rule that are told.

    Raises:
        SettingsError, SourceError: as `filling.fill`.
        PackRefused: a rule needs too much time or memory; says which.
        LocalFault: the tables themselves need too much memory.
    """
    with opened(bounds) as connection:
        return tried_over(connection, pack, tables, numbers, bounds, most)


def tried_over(
    connection: duckdb.DuckDBPyConnection,
    pack: Pack,
    tables: Mapping[str, Filled],
    numbers: Mapping[str, Mapping[str, int]],
    bounds: Bounds,
    most: int = MOST_LEADS,
) -> Trial:
    """Does what `tried` does in a database that stays open, with the joined tables in it."""
    try:
        held = fill(connection, tables, pack.columns, pack.line)
    except duckdb.OutOfMemoryException:
        held = None
    if held is None:
        raise LocalFault(f"the joined tables need more than {bounds.memory} of memory")
    there = {f"{name}.{column}" for name, each in held.items() for column in each.columns}
    outcomes = []
    for rule in pack.rules:
        given = numbers.get(rule.name, {})
        lacking = [need for need in rule.needs if need not in there]
        if lacking:
            outcomes.append(Outcome(rule, rule.numbers(given), 0, Decimal(0), (), lacking))
            continue
        outcomes.append(run(connection, pack, rule, given, bounds, most))
    return Trial(pack, held, outcomes)


def run(
    connection: duckdb.DuckDBPyConnection,
    pack: Pack,
    rule: Rule,
    numbers: Mapping[str, int],
    bounds: Bounds,
    most: int,
) -> Outcome:
    """Runs a rule over the joined tables of a connection.

    Raises:
        PackRefused: it needs too much time or memory.
    """
    try:
        with timed(connection, bounds.seconds):
            connection.execute(f"CREATE TEMP TABLE {FOUND} AS {rule.sql}", rule.values(numbers))
            totals = connection.execute(f"SELECT count(*), sum(amount) FROM {FOUND}").fetchall()  # noqa: S608
            lists = ", ".join(f"{name}[1:{MOST_LISTED}] AS {name}" for name in _lists(connection))
            result = connection.execute(
                f"SELECT * REPLACE ({lists}) FROM {FOUND} "  # noqa: S608
                f"ORDER BY amount DESC NULLS LAST, claims LIMIT {most:d}"
            )
            columns = [str(column[0]) for column in result.description or ()]
            rows = result.fetchall()
            connection.execute(f"DROP TABLE {FOUND}")
    except duckdb.Error as fault:
        why = meaning(fault, bounds)
    else:
        found, amount = totals[0]
        leads = [lead(rule, dict(zip(columns, each, strict=True)), numbers) for each in rows]
        return Outcome(rule, rule.numbers(numbers), found, amount or Decimal(0), leads)
    refuse(pack, rule, "sql", why)


def _lists(connection: duckdb.DuckDBPyConnection) -> list[str]:
    told = connection.execute(f"SELECT * FROM {FOUND} LIMIT 0")  # noqa: S608
    return [quoted(str(name)) for name, kind, *_ in told.description or () if str(kind) == LIST]


def lead(rule: Rule, row: Mapping[str, Any], numbers: Mapping[str, int]) -> Lead:
    """Returns a row of a rule's result as a lead."""
    said = {
        name: parameter_worded(number, rule.parameters[name].unit)
        for name, number in rule.numbers(numbers).items()
    }
    return Lead(
        rule=rule.name,
        version=rule.version,
        subject={name: str(row[name]) for name in rule.subject},
        claims=row["claims"] or [],
        records=row.get("records") or [],
        amount=row["amount"],
        reason=filled(rule.reason, row, said),
    )
