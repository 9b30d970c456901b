"""`greenlane clues accept`, `return`, `file`, `conclude` and `merge`: what the police decide."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.asking import AsJson, SettingsPath
from parties.cli.clue_acting import As, ClueNames

if TYPE_CHECKING:
    from parties.clues.clue import Clue

ClueName = Annotated[str, typer.Argument(metavar="CLUE", help="Its id, or six digits or more.")]


class ReturnCode(StrEnum):
    """Why a clue is returned."""

    INSUFFICIENT = "insufficient"
    NOT_OURS = "not-ours"
    KNOWN = "known"
    INNOCENT = "innocent"
    OTHER = "other"


class Outcome(StrEnum):
    """How a case is concluded."""

    PROSECUTION = "prosecution"
    ADMINISTRATIVE = "administrative"
    WITHDRAWN = "withdrawn"
    OTHER = "other"


def accept(names: ClueNames, settings: SettingsPath, as_: As, as_json: AsJson = False) -> None:
    """Accepts clues, at the police."""
    _decide("accept", names, settings, as_, as_json=as_json)


def return_(
    names: ClueNames,
    settings: SettingsPath,
    as_: As,
    code: Annotated[ReturnCode, typer.Option(help="Why, in a word.")],
    text: Annotated[str, typer.Option(help="Why, in words that the insurer reads.")] = "",
    as_json: AsJson = False,
) -> None:
    """Returns clues to their insurers, at the police."""
    _decide("return", names, settings, as_, as_json=as_json, code=code.value, text=text)


def file(
    name: ClueName,
    settings: SettingsPath,
    as_: As,
    case: Annotated[str, typer.Option(help="Number of the case.")],
    as_json: AsJson = False,
) -> None:
    """Notes that a case was filed, at the police."""
    _decide("file", [name], settings, as_, as_json=as_json, case=case)


def conclude(
    name: ClueName,
    settings: SettingsPath,
    as_: As,
    outcome: Annotated[Outcome, typer.Option(help="How.")],
    suspects: Annotated[int, typer.Option(help="How many.")] = 0,
    amount: Annotated[str, typer.Option(help="Of the case, in yuan; default: not known.")] = "",
    recovered: Annotated[str, typer.Option(help="Of that, in yuan; default: not known.")] = "",
    as_json: AsJson = False,
) -> None:
    """Notes how a case was concluded, at the police."""
    figures: dict[str, Any] = {"amount": _fen(amount), "recovered": _fen(recovered)}
    figures |= {"suspects": suspects, "code": outcome.value}
    _decide("conclude", [name], settings, as_, as_json=as_json, **figures)


def merge(
    names: ClueNames,
    settings: SettingsPath,
    as_: As,
    agree: Annotated[bool, typer.Option("--agree", help="An insurer agrees.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="An insurer refuses.")] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="The police give up a merge that is open.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Merges clues of several insurers: the police propose, the first stands for the others.

    An insurer answers by --agree or --refuse, about its own clue.
    """
    from parties.cli.clue_acting import acting, at_the_desk, books_of, posted
    from parties.cli.clues import told
    from parties.clues import merging
    from parties.clues.hearing import names_in
    from parties.settings_file import load

    if agree + refuse + withdraw > 1:
        raise typer.BadParameter("--agree, --refuse, --withdraw: one of them, or none")
    loaded = load(settings)
    who, nodes, role = acting(loaded, "clues merge", as_), names_in(loaded), loaded.node.role
    with books_of(loaded) as books:
        with at_the_desk(books, names) as (connection, at, clues):
            done: list[Clue]
            if agree or refuse:
                done = [
                    merging.answer(connection, at, role, who, each, nodes, agrees=agree)
                    for each in clues
                ]
            elif withdraw:
                done = [merging.withdraw(connection, at, role, who, each, nodes) for each in clues]
            else:
                head, *others = clues
                done = [merging.propose(connection, at, role, who, head, others, nodes)]
        letters, lines = posted(loaded, books)
    told(done, letters, lines, as_json=as_json)


def _decide(
    what: str, names: list[str], settings: Path, as_: Path, *, as_json: bool, **said: Any
) -> None:
    from parties.cli.clue_acting import acting, at_the_desk, books_of, posted
    from parties.cli.clues import told
    from parties.clues.deciding import act
    from parties.clues.hearing import names_in
    from parties.settings_file import load

    loaded = load(settings)
    who, nodes, role = acting(loaded, f"clues {what}", as_), names_in(loaded), loaded.node.role
    with books_of(loaded) as books:
        with at_the_desk(books, names) as (connection, at, clues):
            done = [act(connection, at, role, who, each, what, nodes, **said) for each in clues]
        letters, lines = posted(loaded, books)
    told(done, letters, lines, as_json=as_json)


def _fen(text: str) -> int:
    from parties.clues.amounts import UNKNOWN, fen_of

    try:
        return fen_of(text) if text else UNKNOWN
    except ValueError as why:
        raise typer.BadParameter(str(why)) from None
