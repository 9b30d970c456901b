"""`greenlane clues list`, `show` and `report`: the ledger as people and programs read it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give

if TYPE_CHECKING:
    from parties.clues.clue import Clue
    from parties.clues.content import Content
    from parties.clues.history import Entry


class ReportFormat(StrEnum):
    """Of a report in a file."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


def list_clues(
    settings: SettingsPath,
    state: Annotated[list[str] | None, typer.Option(help="Of this state; may be repeated.")] = None,
    owner: Annotated[str | None, typer.Option(help="Of this owner.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is overdue.")] = False,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Lists clues, without what they say of persons and things."""
    from parties.cli.clue_acting import books_of
    from parties.clues.clue import every
    from parties.settings_file import load

    loaded = load(settings)
    admitted(loaded, "clues list", as_)
    with books_of(loaded) as books, books.limits.store.reading() as connection:
        today = f"{books.limits.store.now(connection):%Y-%m-%d}"
        found = [
            each
            for each in every(connection)
            if (not state or each.state in state)
            and (owner is None or each.owner == owner)
            and (not overdue or each.is_overdue(today))
        ]
    lines = [_line(each, today) for each in found] or ["no clues"]
    give({"clues": [values_of(each, today) for each in found]}, lines, as_json=as_json)


def show(
    name: Annotated[str, typer.Argument(metavar="CLUE", help="Its id, or six digits or more.")],
    settings: SettingsPath,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Shows a clue with all that it says, and its history."""
    from parties.cli.clue_acting import books_of
    from parties.clues.clue import content_of, members, named
    from parties.clues.history import of_clue
    from parties.settings_file import load

    loaded = load(settings)
    admitted(loaded, "clues show", as_)
    with books_of(loaded) as books, books.limits.store.reading() as connection:
        today = f"{books.limits.store.now(connection):%Y-%m-%d}"
        clue = named(connection, name)
        content, entries = content_of(connection, clue), of_clue(connection, clue)
        others = [each.id for each in members(connection, clue)]
    values = values_of(clue, today) | {
        "stands_for": others,
        "content": None if content is None else content.values(),
        "history": [_entry(each) for each in entries],
    }
    lines = [_line(clue, today), *_said(content), *(_told(each) for each in entries)]
    give(values, lines, as_json=as_json)


def report(
    settings: SettingsPath,
    month: Annotated[str, typer.Option(help="As 2026-11, in UTC.")],
    format: Annotated[ReportFormat, typer.Option(help="Of the file of --out.")] = ReportFormat.HTML,
    out: Annotated[Path | None, typer.Option(help="A file to write as well.")] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Reports what happened with clues in a month, by line of insurance and insurer."""
    import json

    from parties.cli.clue_acting import books_of
    from parties.clues import counting, reporting
    from parties.settings_file import load
    from parties.whole_files import write_whole

    loaded = load(settings)
    admitted(loaded, "clues report", as_)
    node = loaded.node
    insurers = {each.name: each.san for each in loaded.peers}
    with books_of(loaded) as books, books.limits.store.reading() as connection:
        made = counting.report(connection, month, node.name, node.role, insurers)
    values, lines = reporting.as_values(made), reporting.as_lines(made)
    if out is not None:
        match format:
            case ReportFormat.JSON:
                text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
            case ReportFormat.CSV:
                text = reporting.as_csv(made)
            case ReportFormat.HTML:
                text = reporting.as_page(made)
        write_whole(out, text.encode())
        lines.append(f"wrote {out}")
    give(values, lines, as_json=as_json)


def values_of(clue: Clue, today: str) -> dict[str, Any]:
    """A clue as JSON values, without what it says of persons; amounts in fen, null if unknown."""
    from parties.clues.amounts import UNKNOWN, flags

    values = clue._asdict()
    for name in ("said", "heard", "head", "made"):
        del values[name]
    amounts = {
        name: None if values[name] == UNKNOWN else values[name]
        for name in ("claimed", "amount", "recovered")
    }
    return {
        **values,
        **amounts,
        "merged": bool(clue.merged),
        "merged_into": clue.head,
        "made": _time(clue.made),
        "overdue": clue.is_overdue(today),
        "reaches": flags(clue.claimed),
    }


def _line(clue: Clue, today: str) -> str:
    from parties.clues.amounts import flags, yuan

    said = [clue.id, clue.state, clue.line, clue.rule, clue.peer, f"{yuan(clue.claimed)} yuan"]
    said += [f"reaches the threshold of {each}" for each in flags(clue.claimed)]
    said += [f"owner {clue.owner}"] if clue.owner else []
    said += [f"due {clue.due}{', overdue' if clue.is_overdue(today) else ''}"] if clue.due else []
    said += [f"case {clue.filed}"] if clue.filed else []
    said += [f"merge {clue.asked}"] if clue.merge else []
    said += [f"merged into {clue.head}"] if clue.head else (["merged"] if clue.merged else [])
    return "  ".join(said)


def _said(content: Content | None) -> list[str]:
    if content is None:
        return ["what it says was erased"]
    lines = [f"why: {content.reason}"]
    lines += [f"innocent if: {content.innocent}"] if content.innocent else []
    lines += [f"{name}: {value}" for name, value in content.subject.items()]
    lines += [f"claims: {', '.join(content.claims)}"]
    lines += [f"records: {', '.join(content.records)}"] if content.records else []
    return lines


def _entry(entry: Entry) -> dict[str, Any]:
    return entry._asdict() | {"at": _time(entry.at), "facts": dict(entry.facts)}


def _told(entry: Entry) -> str:
    by = f"{entry.person}, {entry.role}" if entry.person else entry.role or "the other node"
    words = f" ({entry.code})" if entry.code else ""
    text = f": {entry.text}" if entry.text else ""
    return f"{_time(entry.at)} {entry.act}{words} by {by}, then {entry.state}{text}"


def _time(at: int) -> str:
    from parties.store.clock import time_at

    return f"{time_at(at):%Y-%m-%dT%H:%M:%SZ}"
