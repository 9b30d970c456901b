"""`greenlane prepare`, `greenlane fetch` and `greenlane inquire`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, PeerName, Sets, SettingsPath, TicketFile, start
from parties.cli.output import give

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parties.operators.acting import Acting
    from parties.settings import Settings

Peers = Annotated[
    list[str] | None,
    typer.Option("--peer", help="A node to ask, as in [peers.NAME]; default: all."),
]


def prepare(
    settings: SettingsPath,
    peer: PeerName,
    sets: Sets = None,
    epoch: Annotated[
        str | None, typer.Option(help="Name of the key; a new name draws a new one.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Build tables anew, not only what has changed.")
    ] = False,
    changed: Annotated[
        Path | None,
        typer.Option(help="File of all rows that name what has changed, in place of the source."),
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option(
            help="File of rows that name what has changed, as they were and as they are; default: "
            "that of --changed."
        ),
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Prepares tables of our records for a peer, which may then inquire."""
    if about is not None and changed is None:
        raise typer.BadParameter("--about: give --changed as well, without rows if none is left")
    if changed is not None and (whole or epoch is not None):
        raise typer.BadParameter("--changed: a table of a new epoch, or --whole, needs all rows")
    from parties.cli.progress import Progress
    from parties.preparing import prepare as prepare_tables
    from parties.preparing import prepare_change
    from parties.sources import open_beside
    from psi import Meter

    loaded, named = start(settings), tuple(sets or ())
    admitted(loaded, "prepare", as_)
    meter = Meter()
    with Progress(meter):
        if changed is None:
            made = prepare_tables(loaded, peer, named, epoch, meter, whole=whole)
        else:
            rows = open_beside(loaded.source, changed)
            other = None if about is None else open_beside(loaded.source, about)
            made = prepare_change(loaded, peer, named, rows, other, meter)
    values = {"peer": peer, "tables": [each.as_json() for each in made]}
    give(values, [line for each in made for line in each.lines()], as_json=as_json)


def fetch(
    settings: SettingsPath,
    peers: Annotated[
        list[str] | None, typer.Option("--peer", help="Whose tables; default: all peers'.")
    ] = None,
    sets: Sets = None,
    ticket: TicketFile = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Fetches what is new of the tables that peers have prepared for us; asks nothing."""
    from parties.errors import PeerRefused

    loaded = start(settings)
    acting = admitted(loaded, "fetch", as_)
    named = loaded.sets(tuple(sets or ()))
    wanted = [each.name for each in named if sets or not each.parts]
    reports, lines = [], []
    for peer in _peers(loaded, peers):
        for name in wanted:
            try:
                (report,) = _asked(loaded, [peer], {name: ()}, ticket, acting)
            except PeerRefused as refused:
                # Of all sets, those that were prepared; of one that is named, the reason.
                if sets or refused.code != "no-table":
                    raise
                lines.append(f"{peer}: has prepared no table of {name}")
                continue
            reports.append(report.as_json())
            lines.append(
                f"{peer}: {name} of epoch {report.epochs[name]}, {report.heard_bytes:,} bytes heard"
            )
    give({"peers": reports}, lines, as_json=as_json)


def inquire(
    settings: SettingsPath,
    peers: Peers = None,
    plates: Annotated[list[str] | None, typer.Option("--plate", help="Of a set plate.")] = None,
    persons: Annotated[list[str] | None, typer.Option("--person", help="Of a set person.")] = None,
    vins: Annotated[list[str] | None, typer.Option("--vin", help="Of a set vin.")] = None,
    phones: Annotated[list[str] | None, typer.Option("--phone", help="Of a set phone.")] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="SET=VALUE", help="Of any set.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="CSV in UTF-8; each column is named as its set.")
    ] = None,
    ticket: TicketFile = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Asks peers about a few identifiers; they learn how many, and nothing else."""
    named = {"plate": plates, "person": persons, "vin": vins, "phone": phones}
    asked = {name: list(values) for name, values in named.items() if values}
    for each in ids or ():
        name, equals, value = each.partition("=")
        if not equals:
            raise typer.BadParameter("--id: is SET=VALUE, and one has no =")
        asked.setdefault(name, []).append(value)
    if not asked and file is None:
        raise typer.BadParameter("nothing is asked; give --plate, --person, --id or --file")
    loaded = start(settings)
    acting = admitted(loaded, "inquire", as_)
    if file is not None:
        from parties.question_files import read_questions

        sets = [each.name for each in loaded.identifiers]
        for name, values in read_questions(file, sets).items():
            asked.setdefault(name, []).extend(values)
    _inquire(loaded, peers, asked, ticket, acting, as_json=as_json)


def _inquire(
    loaded: Settings,
    peers: list[str] | None,
    asked: Mapping[str, Sequence[str]],
    ticket: Path | None,
    acting: Acting | None,
    *,
    as_json: bool,
) -> None:
    from parties.errors import exit_code
    from parties.inquiry_reports import InquiryFailure

    reports = _asked(loaded, _peers(loaded, peers), asked, ticket, acting)
    failed = [each.error for each in reports if isinstance(each, InquiryFailure)]
    values = {"peers": [report.as_json() for report in reports]}
    lines = [line for report in reports for line in report.lines()]
    give(values, lines, as_json=as_json)
    if failed:
        raise typer.Exit(exit_code(failed[0]))


def _asked(
    loaded: Settings,
    peers: list[str],
    asked: Mapping[str, Sequence[str]],
    ticket: Path | None,
    acting: Acting | None,
) -> list[Any]:
    """Asks, and shows how far it is; the error of the one peer that was to be asked is raised."""
    from parties.cli.progress import Progress
    from parties.inquiring import inquire_all
    from parties.inquiry_reports import InquiryFailure
    from psi import Meter

    meter = Meter()
    with Progress(meter):
        reports = inquire_all(loaded, peers, asked, meter, ticket, acting)
    if len(reports) == 1 and isinstance(reports[0], InquiryFailure):
        raise reports[0].error
    return reports


def _peers(loaded: Settings, named: list[str] | None) -> list[str]:
    """The peers to ask, each once; wrong names are told before anybody is."""
    names = list(dict.fromkeys(named or [peer.name for peer in loaded.peers]))
    return [loaded.peer(name).name for name in names]
