"""`greenlane audit show`, `verify`, `compare`, `export` and `key`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give, keep_imported

if TYPE_CHECKING:
    from parties.settings import Settings
    from parties.store import Store

DOES_NOT_HOLD = 8
"""The exit code of a log in which something is wrong, as of a peer that misbehaved."""
_FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
_Since = Annotated[
    datetime | None, typer.Option(formats=_FORMS, help="From this time on (UTC); default: all.")
]
_Until = Annotated[
    datetime | None, typer.Option(formats=_FORMS, help="Before this time (UTC); default: all.")
]


class ExportFormat(StrEnum):
    """Of an export."""

    JSONL = "jsonl"
    HTML = "html"


def show(
    settings: SettingsPath,
    since: _Since = None,
    until: _Until = None,
    event: Annotated[
        list[str] | None, typer.Option(help="Lines of this event; may be repeated.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Lines of this session.")] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Shows lines of this node's log."""
    from parties.audit.facts import EVENTS
    from parties.audit.showing import lines_of, text_of
    from parties.settings_file import load

    for each in event or ():
        if each not in EVENTS:
            raise typer.BadParameter(f"--event: there is: {', '.join(EVENTS)}")
    keep_imported()
    loaded = load(settings)
    admitted(loaded, "audit show", as_)
    with _store(loaded) as store, store.reading() as connection:
        found = lines_of(connection, _utc(since), _utc(until), event or (), session)
        if as_json:
            give({"lines": list(found)}, (), as_json=True)
            return
        for line in found:
            give({}, (text_of(line),), as_json=False)


def verify(
    settings: SettingsPath,
    file: Annotated[
        Path | None, typer.Option(help="An export to verify; default: this node's log.")
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Verifies a log: every line, every signed head, every receipt."""
    from parties.audit.exported import ExportedLog
    from parties.audit.reading import StoredLog
    from parties.audit.verifying import verify as verified
    from parties.credentials import read_certificates
    from parties.settings_file import load

    keep_imported()
    loaded = load(settings)
    admitted(loaded, "audit verify", as_)
    if file is not None:
        report = verified(ExportedLog(file))
    else:
        certificate = read_certificates(loaded.node.certificate)[0]
        with _store(loaded) as store, store.reading() as connection:
            report = verified(StoredLog(connection), certificate)
    give(report.as_json(), report.text(), as_json=as_json)
    if not report.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def compare(
    settings: SettingsPath,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The other node's export.")],
    file: Annotated[
        Path | None, typer.Option(help="An export of this node; default: its log.")
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Compares this node's log with an export of the other node's."""
    from parties.audit.comparing import compare as compared
    from parties.audit.exported import ExportedLog
    from parties.audit.reading import StoredLog
    from parties.settings_file import load

    keep_imported()
    loaded = load(settings)
    admitted(loaded, "audit compare", as_)
    theirs = ExportedLog(other)
    if file is not None:
        comparison = compared(ExportedLog(file), theirs)
    else:
        with _store(loaded) as store, store.reading() as connection:
            comparison = compared(StoredLog(connection), theirs)
    give(comparison.as_json(), comparison.text(), as_json=as_json)
    if not comparison.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def export(
    settings: SettingsPath,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format: Annotated[ExportFormat, typer.Option(help="Of that file.")] = ExportFormat.JSONL,
    since: _Since = None,
    until: _Until = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Exports this node's log for an auditor, and says so in it."""
    from parties.audit.exporting import announce
    from parties.audit.exporting import export as exported
    from parties.credentials import Identity, read_credentials
    from parties.settings_file import load

    keep_imported()
    loaded = load(settings)
    admitted(loaded, "audit export", as_)
    node = loaded.node
    credentials = read_credentials(Identity(node.certificate, node.key))
    with _store(loaded) as store:
        with store.writing() as connection:
            now = store.now(connection)
            times = _utc(since), _utc(until)
            announce(connection, now, node.name, credentials, format.value, *times)
        with store.reading() as connection:
            lines = exported(connection, out, *times, format.value)
    values = {"file": str(out), "format": format.value, "lines": lines}
    give(values, [f"{lines:,} lines in {out}"], as_json=as_json)


def key(
    digest: Annotated[
        str, typer.Argument(metavar="DIGEST", help="Of the ticket, as receipts say.")
    ],
    settings: SettingsPath,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Shows the key of this node's commitments under a ticket, for an auditor who has a source."""
    from parties.audit.facts import is_digest
    from parties.commitments import key_of
    from parties.settings_file import load

    if not is_digest(digest):
        raise typer.BadParameter("DIGEST: of a ticket has 64 hexadecimal digits in lower case")
    loaded = load(settings)
    admitted(loaded, "audit key", as_)
    found = key_of(loaded, digest).hex()
    give({"ticket_digest": digest, "key": found}, [found], as_json=as_json)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    from parties.store import Store

    store = Store(settings.store.url)
    try:
        yield store
    finally:
        store.close()


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
