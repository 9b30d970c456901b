"""`greenlane ticket submit` and `greenlane ticket state`: what a peer's people shall sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give

if TYPE_CHECKING:
    from parties.awaiting import Desk, Standing

_PeerName = Annotated[str, typer.Option("--peer", help="Whose people, as in [peers.NAME].")]
_Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until they have decided, however long; Ctrl-C ends it.")
]


def submit(
    file: Annotated[Path, typer.Argument(metavar="TICKET", help="File of the ticket.")],
    settings: SettingsPath,
    peer: _PeerName,
    wait: _Wait = False,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Submits a ticket, which people of our side have signed, to those of a peer."""
    desk = _desk(settings, "ticket submit", peer, as_)
    _give(lambda: desk.submit(file), wait=wait, as_json=as_json)


def state(
    ticket: Annotated[str, typer.Argument(metavar="ID", help="Id of the ticket.")],
    settings: SettingsPath,
    peer: _PeerName,
    wait: _Wait = False,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Asks how a ticket stands that was submitted, and keeps it once it is signed."""
    desk = _desk(settings, "ticket state", peer, as_)
    _give(lambda: desk.state(ticket), wait=wait, as_json=as_json)


def _desk(settings: Path, command: str, peer: str, as_: Path | None) -> Desk:
    from parties.awaiting import Desk
    from parties.cli.asking import start

    loaded = start(settings)
    admitted(loaded, command, as_)
    return Desk(loaded, peer)


def _give(ask: Callable[[], Standing], *, wait: bool, as_json: bool) -> None:
    from parties.awaiting import wait as wait_for

    standing = wait_for(ask, _tell) if wait else ask()
    give(standing.as_json(), standing.lines(), as_json=as_json)


def _tell(sentence: str) -> None:
    typer.echo(f"greenlane: {sentence}", err=True)
