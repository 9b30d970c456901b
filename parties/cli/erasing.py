"""`greenlane erase`."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give


def erase(
    settings: SettingsPath,
    sessions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SESSION]...", help="Of these runs, now; else all that is due."),
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Erases what was learnt and may not be kept any longer."""
    from parties import logs
    from parties.books import Books
    from parties.erasing import erase_due, erase_sessions
    from parties.settings_file import load

    loaded = load(settings)
    logs.set_up(loaded.node.log)
    acting = admitted(loaded, "erase", as_)
    with closing(Books(loaded, acting)) as books:
        erased = erase_sessions(loaded, books, sessions) if sessions else erase_due(loaded, books)
    files = sum(erased.sessions.values())
    lines = [
        f"erased {files:,} files of {len(erased.sessions):,} runs, and what {erased.clues:,} clues "
        "say",
    ]
    give(erased._asdict(), lines, as_json=as_json)
