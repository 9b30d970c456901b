"""`greenlane results open`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give


def open_result(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What was sealed.")],
    settings: SettingsPath,
    out: Annotated[Path, typer.Option(help="The file to write, in clear.")],
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Opens a file of results that is sealed to you."""
    from functools import cache

    from parties.cli.operators import key_of
    from parties.credentials import Identity
    from parties.errors import OperatorRefused
    from parties.operators.papers import shown
    from parties.recipients import open_sealed
    from parties.settings_file import load

    loaded, opened = load(settings), cache(key_of)
    admitted(loaded, "results open", as_, opened)
    papers = shown(as_)
    if not isinstance(papers, Identity):
        raise OperatorRefused(
            "operator-missing",
            "results are sealed to certificates: show yours, with its key, by --as",
        )
    size = open_sealed(file, opened(papers.key), out)
    give({"file": str(out), "bytes": size}, [f"opened into {out}, {size:,} bytes"], as_json=as_json)
