"""`greenlane init`, `greenlane check` and `greenlane version`."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give


class RoleName(StrEnum):
    """Which party a node is."""

    INSURER = "insurer"
    POLICE = "police"


_PORTS = {RoleName.INSURER: 7443, RoleName.POLICE: 7444}


def init(
    role: Annotated[RoleName, typer.Argument(help="Which party the node is.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its files go.")],
    name: Annotated[str | None, typer.Option(help="Its name; default: its role.")] = None,
    listen: Annotated[str | None, typer.Option(help="host:port; default: loopback.")] = None,
    peer: Annotated[
        Path | None, typer.Option(help="Folder of another node to be introduced to.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Makes settings, development certificates and a few made-up rows for a node."""
    from parties.founding import FILE, found, introduce, must_fit
    from parties.settings_file import load

    if peer is not None:
        must_fit(role.value, load(peer / FILE))  # before anything is made
    settings = found(folder, role.value, name or role.value, listen or f"127.0.0.1:{_PORTS[role]}")
    lines = [f"made {settings}"]
    if peer is not None:
        introduce(settings, peer / FILE)
        lines.append(f"introduced to the node in {peer}")
    lines.append(f"next: greenlane check --settings {settings}")
    values = {"settings": str(settings), "name": name or role.value, "role": role.value}
    give(values, lines, as_json=as_json)


def check(settings: SettingsPath, as_: As = None, as_json: AsJson = False) -> None:
    """Reads all that the settings name and says what is wrong; opens nothing to the world."""
    from parties import checking
    from parties.settings_file import load

    loaded = load(settings)
    admitted(loaded, "check", as_)
    findings = list(checking.check(loaded))
    lines = [f"{each.level:5}  {each.where}: {each.text}" for each in findings]
    wrong = [each for each in findings if each.level == "wrong"]
    lines.append(f"{len(wrong)} wrong" if wrong else "nothing is wrong")
    values = {"wrong": len(wrong), "findings": [asdict(each) for each in findings]}
    give(values, lines, as_json=as_json)
    if wrong:
        raise typer.Exit(wrong[0].exit_code)


def version(as_json: AsJson = False) -> None:
    """Prints the versions that two nodes compare."""
    from parties.wire import PROTOCOL_VERSION
    from psi import _core

    values = {
        "greenlane": _core.VERSION,
        "protocol": PROTOCOL_VERSION,
        "normaliser": _core.normaliser_version(),
        "normaliser_digest": _core.normaliser_digest().hex(),
    }
    give(values, [f"{name} {value}" for name, value in values.items()], as_json=as_json)
