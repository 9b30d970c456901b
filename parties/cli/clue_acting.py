"""Who does something with a clue: an operator of this node, who shows certificate and key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
As = Annotated[
    Path, typer.Option("--as", help="Who you are: the folder that `operator issue` has made.")
]


def acting(settings: Settings, folder: Path) -> Who:
    """Returns who shows this certificate, with the key that belongs to it.

    Args:
        settings: of the node.
        folder: of the operator's files.

    Raises:
        CertificateError: the person is no operator of this node, or was revoked, or the key is
            another's.
        SettingsError: the settings name no authority of operators, or there is no passphrase.
        LocalFault: what was revoked cannot be read.
    """
    from datetime import UTC, datetime

    from parties.cli.operators import passphrase
    from parties.clues.history import Who
    from parties.errors import CertificateError
    from parties.operators import read_operator, read_operator_file
    from parties.operators.issuing import CERTIFICATE, KEY
    from parties.operators.keys import read_operator_key
    from parties.tickets import revoked
    from parties.tickets.trust import own_side

    path = folder / CERTIFICATE
    _, chain = read_operator_file(path)
    side = own_side(settings)
    try:
        operator = read_operator(chain, side.authorities, datetime.now(UTC))
    except CertificateError as why:
        raise CertificateError(f"{path}: {why}") from None
    if operator.node != side.node:
        raise CertificateError(f"{path}: is for an operator of {operator.node}, not of {side.node}")
    if operator.fingerprint in revoked(settings):
        raise CertificateError(f"{path}: the certificate was revoked at this node")
    key = read_operator_key(folder / KEY, passphrase())
    if operator.key != key.public_key().public_bytes_raw():
        raise CertificateError(f"{folder / KEY}: is not the key of the certificate beside it")
    certificate = operator.fingerprint.removeprefix("sha256:")
    return Who(operator.person, operator.role, certificate)


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
