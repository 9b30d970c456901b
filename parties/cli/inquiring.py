"""`greenlane prepare`, `greenlane fetch` and `greenlane inquire`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.asking import AsJson, PeerName, Sets, SettingsPath, start
from parties.cli.output import give

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    as_json: AsJson = False,
) -> None:
    """Prepares tables of our records for a peer, which may then inquire."""
    from parties.cli.progress import Progress
    from parties.preparing import prepare as prepare_tables
    from psi import Meter

    loaded = start(settings)
    meter = Meter()
    with Progress(meter):
        made = prepare_tables(loaded, peer, tuple(sets or ()), epoch, meter, whole=whole)
    values = {"peer": peer, "tables": [each.as_json() for each in made]}
    give(values, [each.line() for each in made], as_json=as_json)


def fetch(
    settings: SettingsPath, peers: Peers = None, sets: Sets = None, as_json: AsJson = False
) -> None:
    """Fetches what is new of the tables that peers have prepared for us; asks nothing."""
    loaded = start(settings)
    names = [each.name for each in loaded.sets(tuple(sets or ()))]
    _inquire(loaded, peers, {name: () for name in names}, as_json=as_json)


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
    if file is not None:
        from parties.question_files import read_questions

        sets = [each.name for each in loaded.identifiers]
        for name, values in read_questions(file, sets).items():
            asked.setdefault(name, []).extend(values)
    _inquire(loaded, peers, asked, as_json=as_json)


def _inquire(
    loaded: Settings, peers: list[str] | None, asked: Mapping[str, Sequence[str]], *, as_json: bool
) -> None:
    from parties.cli.progress import Progress
    from parties.errors import exit_code
    from parties.inquiring import InquiryFailure, inquire_all
    from psi import Meter

    meter = Meter()
    with Progress(meter):
        names = peers or [peer.name for peer in loaded.peers]
        reports = inquire_all(loaded, names, asked, meter)
    failed = [each.error for each in reports if isinstance(each, InquiryFailure)]
    if failed and len(names) == 1:
        raise failed[0]
    values = {"peers": [report.as_json() for report in reports]}
    lines = [line for report in reports for line in report.lines()]
    give(values, lines, as_json=as_json)
    if failed:
        raise typer.Exit(exit_code(failed[0]))
