"""`greenlane clues`: what people do with clues before they are transferred, and about any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.acting import As as Shown
from parties.cli.acting import admitted
from parties.cli.asking import AsJson, PeerName, SettingsPath
from parties.cli.clue_acting import As, ClueNames
from parties.cli.output import give

if TYPE_CHECKING:
    from parties.clues.clue import Clue


def add(
    settings: SettingsPath,
    as_: As,
    leads: Annotated[Path, typer.Option(help="What `models try --json` printed.")],
    peer: PeerName,
    ticket: Annotated[str, typer.Option(help="Id of the ticket under which was matched.")],
    line: Annotated[
        str | None, typer.Option(help="Of insurance; default: that which the pack is named after.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drafts clues of leads; those that are in the ledger already are left out."""
    from parties.cli.clue_acting import acting, books_of
    from parties.clues import ledger
    from parties.clues.leads import LINES, read_leads
    from parties.settings_file import load

    if line is not None and line not in LINES:
        raise typer.BadParameter(f"--line: there is: {', '.join(LINES)}")
    loaded = load(settings)
    who = acting(loaded, "clues add", as_)
    police, found = loaded.peer(peer).name, read_leads(leads, line)
    with books_of(loaded) as books, books.writing() as (connection, at):
        made, known = ledger.add(connection, at, loaded.node.role, who, found, police, ticket)
    lines = [f"drafted {len(made)} clues; {known} were in the ledger already"]
    lines += [f"{each.id}  {each.line}  {each.rule}" for each in made]
    give({"clues": [each.id for each in made], "known": known}, lines, as_json=as_json)


def assign(
    names: ClueNames,
    settings: SettingsPath,
    as_: As,
    owner: Annotated[str, typer.Option(help="Who works on it; default: as it is.")] = "",
    due: Annotated[
        str, typer.Option(help="A day as 2026-12-31, or never; default: as it is.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Says who works on clues, and until when something must be done."""
    from parties.cli.clue_acting import acting, at_the_desk, books_of
    from parties.clues import ledger
    from parties.settings_file import load

    loaded = load(settings)
    who, role = acting(loaded, "clues assign", as_), loaded.node.role
    with books_of(loaded) as books, at_the_desk(books, names) as (connection, at, clues):
        done = [ledger.assign(connection, at, role, who, each, owner, due) for each in clues]
    told(done, as_json=as_json)


def comment(
    names: ClueNames,
    settings: SettingsPath,
    as_: As,
    text: Annotated[str, typer.Option(help="The comment, in one line.")],
    as_json: AsJson = False,
) -> None:
    """Writes a comment about clues; it stays on this node."""
    from parties.cli.clue_acting import acting, at_the_desk, books_of
    from parties.clues import ledger
    from parties.settings_file import load

    loaded = load(settings)
    who, role = acting(loaded, "clues comment", as_), loaded.node.role
    with books_of(loaded) as books, at_the_desk(books, names) as (connection, at, clues):
        done = [ledger.comment(connection, at, role, who, each, text) for each in clues]
    told(done, as_json=as_json)


def review(
    names: ClueNames,
    settings: SettingsPath,
    as_: As,
    drop: Annotated[
        str, typer.Option(help="Why it is not followed up, in words; default: it is.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Reviews drafts, by another person than their author."""
    from parties.cli.clue_acting import acting, at_the_desk, books_of
    from parties.clues import ledger
    from parties.settings_file import load

    loaded = load(settings)
    who = acting(loaded, "clues review", as_)
    with books_of(loaded) as books, at_the_desk(books, names) as (connection, at, clues):
        done = [
            ledger.review(connection, at, loaded.node.role, who, each, drop=drop) for each in clues
        ]
    told(done, as_json=as_json)


def transfer(names: ClueNames, settings: SettingsPath, as_: As, as_json: AsJson = False) -> None:
    """Transfers reviewed clues to the police; what cannot be sent now is sent later."""
    from parties.cli.clue_acting import acting, at_the_desk, books_of, posted
    from parties.clues import ledger
    from parties.clues.hearing import names_in
    from parties.settings_file import load

    loaded = load(settings)
    who, nodes = acting(loaded, "clues transfer", as_), names_in(loaded)
    with books_of(loaded) as books:
        with at_the_desk(books, names) as (connection, at, clues):
            done = [
                ledger.transfer(connection, at, loaded.node.role, who, each, nodes)
                for each in clues
            ]
        letters, lines = posted(loaded, books)
    told(done, letters, lines, as_json=as_json)


def send(settings: SettingsPath, as_: Shown = None, as_json: AsJson = False) -> None:
    """Sends all letters about clues that wait; `serve` does so by itself."""
    from parties.cli.clue_acting import books_of, posted
    from parties.settings_file import load

    loaded = load(settings)
    admitted(loaded, "clues send", as_)
    with books_of(loaded) as books:
        letters, lines = posted(loaded, books)
    give({"letters": letters}, lines, as_json=as_json)


def told(
    clues: list[Clue],
    letters: dict[str, Any] | None = None,
    lines: list[str] | None = None,
    *,
    as_json: bool,
) -> None:
    """Prints in which states clues are now, and what became of letters."""
    values: dict[str, Any] = {"clues": [{"id": each.id, "state": each.state} for each in clues]}
    if letters is not None:
        values["letters"] = letters
    give(values, [*(f"{each.id}  {each.state}" for each in clues), *(lines or ())], as_json=as_json)
