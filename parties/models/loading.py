"""Reads a pack from its folder, strictly; whether it makes sense, `checking` says.

An entry that is missing, unknown or of another form is refused, by the names of file and entry.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from parties.errors import PackRefused
from parties.judgements import judges
from parties.models.pack import DRAFT, TO_WRITE, Pack, Parameter, Rule
from parties.models.tables import DIMENSIONS, LINES, TABLES
from parties.models.units import MOST, MOST_OF_ALL, UNITS
from parties.tickets.fields import Fields, Malformed

OURS: Final = Path(__file__).parent / "packs"
"""The packs that come with the program."""
PACK: Final = "pack.toml"
NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+){0,8}")
"""Of a pack or a rule: what fits a file name."""
WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""Of a parameter, a column or a table."""
NEED: Final = re.compile(r"[a-z_]{1,32}\.[a-z_]{1,32}")
LONGEST: Final = 64 << 10
"""Bytes of a file: the longest rule of ours has 3 KB."""
LONGEST_SQL: Final = 8192
LONGEST_TEXT: Final = 2000
"""Characters: a paragraph."""
MOST_RULES: Final = 256
MOST_PARAMETERS: Final = 16
MOST_VERSION: Final = 1_000_000


def folder_of(pack: str) -> Path:
    """Returns the folder of a pack: one of ours by its name, or any by its path.

    Raises:
        PackRefused: there is none.
    """
    if (OURS / pack / PACK).is_file() and NAME.fullmatch(pack):
        return OURS / pack
    folder = Path(pack)
    if not (folder / PACK).is_file():
        ours = ", ".join(names())
        raise PackRefused(f"{pack}: is no folder with a {PACK}; the packs that come along: {ours}")
    return folder


def names() -> list[str]:
    """Returns the names of the packs that come with the program."""
    return sorted(path.parent.name for path in OURS.glob(f"*/{PACK}"))


def load(folder: Path) -> Pack:
    """Reads a pack; nothing of it is run.

    Raises:
        PackRefused: a file is missing, or an entry is not what it must be; says which.
    """
    rules = sorted(path for path in folder.glob("*.toml") if path.name != PACK)
    if not 1 <= len(rules) <= MOST_RULES:
        raise PackRefused(f"{folder.name}: a pack has 1 to {MOST_RULES} rules, a file each")
    where = f"{folder.name}/{PACK}"
    try:
        pack = _pack(Fields(document(folder / PACK, where), where, _PACK))
        for path in rules:
            where = f"{folder.name}/{path.name}"
            rule = _rule(Fields(document(path, where), where, Rule._fields))
            if rule.name != path.stem:
                raise Malformed(f"name of {where} must be that of its file, {path.stem}")
            _must_be_accepted(pack, rule, where)
            pack = pack._replace(rules=(*pack.rules, rule))
    except Malformed as error:
        raise PackRefused(str(error)) from None
    return pack


def _must_be_accepted(pack: Pack, rule: Rule, where: str) -> None:
    """Checks that a rule is a draft among drafts, or was accepted by somebody."""
    if rule.version == DRAFT < pack.version:
        raise Malformed(
            f"version of {where} is 0, which a draft has: accept it by a version from 1 on, or "
            "keep it in a pack of version 0"
        )
    if rule.version > DRAFT and rule.innocent == TO_WRITE:
        raise Malformed(f"innocent of {where} must say what would make it innocent")


def document(path: Path, where: str) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        PackRefused: it cannot be read, is too long, is no TOML, or says a word that no rule says.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as fault:
        raise PackRefused(f"{where}: cannot be read: {fault.strerror}") from None
    if len(data) > LONGEST:
        raise PackRefused(f"{where}: is longer than {LONGEST} bytes")
    try:
        text = data.decode()
        values = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise PackRefused(f"{where}: is not TOML in UTF-8: {fault}") from None
    if judges(text):
        raise PackRefused(
            f"{where}: names an offence, which no rule may; a hit is a lead, so say what was seen"
        )
    return values


_PACK: Final = ("name", "version", "line", "title", "columns")


def _pack(fields: Fields) -> Pack:
    return Pack(
        name=fields.form("name", NAME),
        version=fields.number("version", DRAFT, MOST_VERSION),
        line=fields.one("line", LINES),
        title=fields.text("title", LONGEST_TEXT),
        columns=_columns(fields),
        rules=(),
    )


def _columns(fields: Fields) -> dict[str, Mapping[str, tuple[str, str]]]:
    columns: dict[str, Mapping[str, tuple[str, str]]] = {}
    tables = fields.keys("columns", TABLES)
    for table in tables:
        entries = fields.inner("columns", tables)
        named = entries.keys_of(table, WORD, len(TABLES[table]) + 1)
        if unknown := [name for name in named if name not in TABLES[table]]:
            raise Malformed(f"{PACK}: {no_column(table, unknown[0])}")
        inner = entries.inner(table, named)
        columns[table] = {
            name: _column(inner.inner(name, ("type", "unit")), table, name) for name in named
        }
    return columns


def no_column(table: str, name: str) -> str:
    """Returns a clause on a column that joined tables do not have, with the nearest."""
    near = get_close_matches(name, TABLES.get(table, {}), n=1)
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"{table}.{name} is no column of the joined tables{hint}"


def _column(fields: Fields, table: str, name: str) -> tuple[str, str]:
    ours = TABLES[table][name]
    return fields.one("type", (ours.type,)), fields.one("unit", (ours.unit,))


def _rule(fields: Fields) -> Rule:
    parameters = fields.keys_of("parameters", WORD, MOST_PARAMETERS, least=0)
    subject = fields.keys_of("subject", WORD, len(DIMENSIONS))
    inner = fields.inner("parameters", parameters)
    return Rule(
        name=fields.form("name", NAME),
        version=fields.number("version", DRAFT, MOST_VERSION),
        title=fields.text("title", LONGEST_TEXT),
        dimensions=fields.words("dimensions", DIMENSIONS),
        needs=fields.ordered("needs", sum(map(len, TABLES.values())), NEED),
        subject={name: fields.inner("subject", subject).one(name, DIMENSIONS) for name in subject},
        sql=fields.lines("sql", LONGEST_SQL),
        reason=fields.lines("reason", LONGEST_TEXT),
        innocent=fields.lines("innocent", LONGEST_TEXT),
        source=fields.lines("source", LONGEST_TEXT),
        parameters={
            name: _parameter(inner.inner(name, Parameter._fields), name) for name in parameters
        },
    )


def _parameter(fields: Fields, name: str) -> Parameter:
    unit = fields.one("unit", UNITS)
    most = MOST.get(unit, MOST_OF_ALL)
    parameter = Parameter(
        unit=unit,
        default=fields.number("default", 0, most),
        least=fields.number("least", 0, most),
        most=fields.number("most", 0, most),
        meaning=fields.text("meaning", LONGEST_TEXT),
        source=fields.text("source", LONGEST_TEXT, empty=True),
    )
    if not parameter.least <= parameter.default <= parameter.most:
        raise Malformed(f"{name} of parameters must have least, default and most in this order")
    return parameter
