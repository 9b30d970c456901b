"""Reads what is known of groups of claims: which rule must, must not or may point at them.

A table with a row for each claim of each group, as CSV, Parquet or Arrow, and with `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from parties.errors import SourceError
from parties.judgements import judges
from parties.models.mapping import opened
from parties.models.pack import Pack
from psi.lazily import NamedTuple

LEAD, NO_LEAD, EITHER = "lead", "no-lead", "either"
EXPECTED: Final = (LEAD, NO_LEAD, EITHER)
ANY: Final = "*"
"""Stands for every rule of a pack, where leads of any are right."""
COLUMNS: Final[Mapping[str, str]] = {
    "group": "name of the group; its rows say the same but for the claim",
    "pack": "name of the pack; groups of other packs are not read",
    "rule": "name of the rule, or `*` for every rule of the pack, with `either` only",
    "expected": "`lead`: one lead of the rule must hold all claims of the group; `no-lead`: none "
    "may hold any; `either`: a lead that holds any is right, and none is looked for",
    "edge": "at which edge the claims are, for people to read; may be empty or not there",
    "claim": "number of a claim of the group",
}


class Group(NamedTuple):
    """Claims of which it is known what a rule has to say.

    Attributes:
        name: of the group; several rules may have something to say of it.
        rule: its name, or `ANY`.
        expected: one of `EXPECTED`.
        edge: at which they were planted; may be empty.
        claims: their numbers.
    """

    name: str
    rule: str
    expected: str
    edge: str
    claims: frozenset[str]


def read(path: Path, pack: Pack) -> list[Group]:
    """Reads the groups of a pack, in the order in which they come first.

    Raises:
        SettingsError: the file has no format that can be read.
        SourceError: it is missing or bad, lacks a column, names no rule of the pack, or a row says
            something that cannot be; says which row.
    """
    groups: dict[tuple[str, str], tuple[str, str, set[str]]] = {}
    rules = {rule.name for rule in pack.rules}
    for where, row in _rows(path):
        if row["pack"] != pack.name:
            continue
        if row["rule"] not in rules and (row["rule"], row["expected"]) != (ANY, EITHER):
            raise SourceError(
                f"{where}: rule must be one of the pack {pack.name}, as `models check` lists them, "
                f"or {ANY} where {EITHER} is expected"
            )
        if row["expected"] not in EXPECTED:
            raise SourceError(f"{where}: expected must be one of {', '.join(EXPECTED)}")
        said = row["expected"], row["edge"]
        *before, claims = groups.setdefault((row["group"], row["rule"]), (*said, set()))
        if tuple(before) != said:
            raise SourceError(
                f"{where}: says another thing of its group and rule than an earlier row; rows of a "
                "group must differ in their claim alone"
            )
        claims.add(row["claim"])
    if not groups:
        raise SourceError(f"{path.name}: names no group of the pack {pack.name}")
    return [
        Group(name, rule, expected, edge, frozenset(claims))
        for (name, rule), (expected, edge, claims) in groups.items()
    ]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields where a row stands, and its cells."""
    source = opened((path,))
    names = [name for name in COLUMNS if name != "edge" or name in source.schema.names]
    number = 0
    for batch in source.batches(names):
        table = pa.table(batch)
        columns = [table[name].cast(pa.string()).to_pylist() for name in names]
        for cells in zip(*columns, strict=True):
            row = {"edge": ""} | {
                name: (cell or "").strip() for name, cell in zip(names, cells, strict=True)
            }
            file, line = source.place(number)
            where = f"{file}, row {line}"
            if missing := [name for name in names if name != "edge" and not row[name]]:
                raise SourceError(f"{where}: {missing[0]} is empty")
            if judges(row["group"]) or judges(row["edge"]):
                raise SourceError(
                    f"{where}: group and edge may not name an offence; what is told of a group "
                    "stands beside leads"
                )
            yield where, row
            number += 1
