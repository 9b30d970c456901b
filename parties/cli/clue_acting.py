"""Who does something with a clue: an operator of this node, who shows who they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.acting import WHO

if TYPE_CHECKING:
    from datetime import datetime

    from parties.books import Books
    from parties.clues.clue import Clue
    from parties.clues.history import Who
    from parties.settings import Settings
    from parties.store import Connection

ClueNames = Annotated[
    list[str],
    typer.Argument(metavar="CLUE...", help="Ids of clues, or six digits or more of each."),
]
As = Annotated[Path, typer.Option("--as", envvar="GREENLANE_AS", help=WHO)]
"""As `acting.As`, and must be given: who works on a clue shows who they are at any node."""


def acting(settings: Settings, command: str, path: Path) -> Who:
    """Returns who works on a clue: at any node somebody must have shown who they are.

    Args:
        settings: of the node.
        command: of `parties.operators.rights.RIGHTS`.
        path: of `--as`.

    Raises:
        OperatorRefused, SettingsError, CertificateError, LocalFault: as of
            `parties.cli.acting.admitted`.
    """
    from parties.cli.acting import admitted
    from parties.clues.history import Who
    from parties.errors import OperatorRefused

    shown = admitted(settings, command, path)
    if shown is None:
        raise OperatorRefused("operator-missing", f"{path}: nothing is shown by it")
    return Who(shown.person, shown.role, shown.certificate or "", shown.subject or "")


@contextmanager
def books_of(settings: Settings) -> Iterator[Books]:
    """Gives the books of a node, and closes them."""
    from parties.books import Books

    books = Books(settings)
    try:
        yield books
    finally:
        books.close()


@contextmanager
def at_the_desk(
    books: Books, names: list[str]
) -> Iterator[tuple[Connection, datetime, Iterator[Clue]]]:
    """Gives one transaction that writes, its time, and the clues that a person names in it.

    Each is read when it is its turn: what was done with those before may have changed it.
    """
    from parties.clues.clue import named

    with books.writing() as (connection, at):
        yield connection, at, (named(connection, name) for name in names)


def posted(settings: Settings, books: Books) -> tuple[dict[str, Any], list[str]]:
    """Sends what waits, and returns what became of it, as values and as lines.

    That a peer cannot be reached is no error of the command: what it did stands in the store, and
    is sent later.
    """
    from parties.clues.posting import post

    done = post(settings, books)
    lines = [f"letters sent: {done.sent}, waiting: {done.waiting}", *done.why]
    return {"sent": done.sent, "waiting": done.waiting, "why": list(done.why)}, lines
