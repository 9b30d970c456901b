"""`greenlane init`, `greenlane check` and `greenlane version`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parties.cli.options import Parser, add_settings
from parties.cli.output import give

if TYPE_CHECKING:
    from parties.settings import Role

PORTS: Final[dict[Role, int]] = {"insurer": 7443, "police": 7444}
"""Where a node of each role listens if it is not said."""


def init_options(parser: Parser) -> None:
    """Adds the options of `init`."""
    parser.add_argument("role", choices=tuple(PORTS), help="Which party the node is.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="Where its files go.")
    parser.add_argument("--name", help="Its name; default: its role.")
    parser.add_argument("--listen", help="host:port; default: loopback.")
    parser.add_argument("--peer", type=Path, help="Folder of another node to be introduced to.")


def check_options(parser: Parser) -> None:
    """Adds the options of `check`."""
    add_settings(parser)


def version_options(parser: Parser) -> None:
    """Adds no options: `version` has none of its own."""


def init(
    role: Role,
    folder: Path,
    name: str | None,
    listen: str | None,
    peer: Path | None,
    as_json: bool,
) -> None:
    """Makes settings, development certificates and a few made-up rows for a node."""
    from parties.founding import FILE, found, introduce, must_fit
    from parties.settings_file import load

    if peer is not None:
        must_fit(role, load(peer / FILE))  # before anything is made
    settings = found(folder, role, name or role, listen or f"127.0.0.1:{PORTS[role]}")
    lines = [f"made {settings}"]
    if peer is not None:
        introduce(settings, peer / FILE)
        lines.append(f"introduced to the node in {peer}")
    lines.append(f"next: greenlane check --settings {settings}")
    values = {"settings": str(settings), "name": name or role, "role": role}
    give(values, lines, as_json=as_json)


def check(settings: Path, as_json: bool) -> int | None:
    """Reads all that the settings name and says what is wrong; opens nothing to the world."""
    from parties import checking
    from parties.settings_file import load

    findings = list(checking.check(load(settings)))
    lines = [f"{each.level:5}  {each.where}: {each.text}" for each in findings]
    wrong = [each for each in findings if each.level == "wrong"]
    lines.append(f"{len(wrong)} wrong" if wrong else "nothing is wrong")
    values = {"wrong": len(wrong), "findings": [asdict(each) for each in findings]}
    give(values, lines, as_json=as_json)
    return wrong[0].exit_code if wrong else None


def version(as_json: bool) -> None:
    """Prints the versions that two nodes compare."""
    from importlib.metadata import version as version_of

    from parties.wire import PROTOCOL_VERSION
    from psi import _core

    values = {
        "greenlane": version_of("greenlane"),
        "protocol": PROTOCOL_VERSION,
        "normaliser": _core.normaliser_version(),
        "normaliser_digest": _core.normaliser_digest().hex(),
    }
    give(values, [f"{name} {value}" for name, value in values.items()], as_json=as_json)
