"""`greenlane count`, `greenlane list` and `greenlane match`."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.output import give, keep_imported

if TYPE_CHECKING:
    from parties.asking import Question
    from parties.settings import Settings, Way

SettingsPath = Annotated[Path, typer.Option("--settings", help="The settings file of this node.")]
PeerName = Annotated[str, typer.Option("--peer", help="The node to ask, as in [peers.NAME].")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="An identifier set, as in [identifiers.NAME]; default: all."),
]
TicketFile = Annotated[
    Path | None,
    typer.Option("--ticket", help="Its file; default: the only one that covers this."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class Learns(StrEnum):
    """Who learns."""

    US = "us"
    PEER = "peer"
    BOTH = "both"


class Protocol(StrEnum):
    """How sets are matched."""

    VOLE = "vole"
    VOLE_MALICIOUS = "vole-malicious"
    VOLE_STATIONARY = "vole-stationary"
    DH = "dh"


class FileFormat(StrEnum):
    """Of joined rows."""

    PARQUET = "parquet"
    CSV = "csv"
    ARROW = "arrow"


_Learns = Annotated[Learns, typer.Option("--learns", help="Who learns which are in common.")]
_Out = Annotated[
    Path | None, typer.Option("--out", help="The file to write; default: in the results folder.")
]
_Format = Annotated[FileFormat, typer.Option("--format", help="Of that file.")]
_Protocol = Annotated[
    Protocol | None,
    typer.Option("--protocol", help="How; default: what the planner finds fastest."),
]


def match(
    settings: SettingsPath,
    peer: PeerName,
    sets: Sets = None,
    learns: _Learns = Learns.US,
    out: _Out = None,
    format: _Format = FileFormat.PARQUET,
    protocol: _Protocol = None,
    ticket: TicketFile = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Learns which of our identifiers the peer knows; joins our rows with its agreed columns."""
    question = _question("match", peer, sets, learns, ticket, out, format, protocol)
    _ask(settings, question, as_, as_json=as_json)


def list_matches(
    settings: SettingsPath,
    peer: PeerName,
    sets: Sets = None,
    learns: _Learns = Learns.US,
    out: _Out = None,
    format: _Format = FileFormat.PARQUET,
    protocol: _Protocol = None,
    ticket: TicketFile = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Lists which of our identifiers the peer knows, masked; no columns are told."""
    question = _question("list", peer, sets, learns, ticket, out, format, protocol)
    _ask(settings, question, as_, as_json=as_json)


def count(
    settings: SettingsPath,
    peer: PeerName,
    sets: Sets = None,
    learns: Annotated[Learns, typer.Option(help="Who learns how many; not both.")] = Learns.US,
    ticket: TicketFile = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Learns how many of our identifiers the peer knows, and nobody learns which."""
    if learns is Learns.BOTH:
        raise typer.BadParameter("a count is learnt by one side; run it once each way")
    _ask(settings, _question("count", peer, sets, learns, ticket), as_, as_json=as_json)


def start(path: Path) -> Settings:
    """Begins a command that works for long: reads the settings, and sets this process up for it."""
    from parties import logs
    from parties.machine import use
    from parties.settings_file import load

    keep_imported()
    # Whoever ends the program in another way than with Ctrl-C gets the same order as with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    settings = load(path)
    logs.set_up(settings.node.log)
    use(settings.node.threads)
    return settings


def _question(
    way: Way,
    peer: str,
    sets: list[str] | None,
    learns: Learns,
    ticket: Path | None,
    out: Path | None = None,
    format: FileFormat = FileFormat.PARQUET,
    protocol: Protocol | None = None,
) -> Question:
    from parties.asking import Question

    return Question(
        way=way,
        peer=peer,
        sets=tuple(sets or ()),
        receive=learns is not Learns.PEER,
        both=learns is Learns.BOTH,
        protocol=protocol.value if protocol else None,
        out=out,
        format=format.value,
        ticket=ticket,
    )


def _ask(path: Path, question: Question, as_: Path | None, *, as_json: bool) -> None:
    from parties.asking import ask
    from parties.cli.progress import Progress
    from psi import Meter

    settings = start(path)
    question = question._replace(acting=admitted(settings, question.way, as_))
    meter = Meter()
    with Progress(meter):
        report = ask(settings, question, meter)
    give(report.as_json(), report.lines(), as_json=as_json)
