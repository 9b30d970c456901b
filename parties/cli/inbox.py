"""`greenlane inbox`: tickets that peers have submitted, for people of this node to decide on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from parties.cli.acting import As, admitted, admitted_to_sign
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give
from parties.cli.tickets import CertificatePath, KeyPath, StageName, operator_files, packs_of

if TYPE_CHECKING:
    from parties.inbox import Entry, State
    from parties.settings import Settings
    from parties.store import Store
    from parties.tickets import Key

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the ticket.")]
_Peer = Annotated[
    str | None, typer.Option("--peer", help="Who has submitted it, if several have one of this id.")
]


def list_tickets(
    settings: SettingsPath,
    every: Annotated[
        bool, typer.Option("--all", help="Those too on which nobody has to decide any more.")
    ] = False,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Lists tickets that wait, the oldest first."""
    from parties import inbox
    from parties.settings_file import load

    loaded = load(settings)
    admitted(loaded, "inbox list", as_)
    with _opened(loaded) as (store, gone), store.reading() as connection:
        at = store.now(connection)
        found = [(each, inbox.state_of(each, at, gone)) for each in inbox.find_all(connection)]
    shown = [(entry, state) for entry, state in found if every or state == "waiting"]
    lines = [
        f"{entry.signed.ticket.id}  {entry.came:%Y-%m-%d %H:%M}  {entry.peer}  {state}: "
        f"{entry.signed.ticket.purpose}"
        for entry, state in shown
    ]
    values = {"tickets": [_values(loaded, entry, state) for entry, state in shown]}
    give(values, lines or ["no ticket waits"], as_json=as_json)


def show(
    ticket: _Id,
    settings: SettingsPath,
    peer: _Peer = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Shows what a ticket allows, who has signed it, and how it stands."""
    from parties import inbox
    from parties.settings_file import load
    from parties.tickets.telling import as_json as values_of
    from parties.tickets.telling import lines as lines_of

    loaded = load(settings)
    admitted(loaded, "inbox show", as_)
    with _opened(loaded) as (store, gone), store.reading() as connection:
        entry = inbox.one_of(connection, ticket, peer)
        state = inbox.state_of(entry, store.now(connection), gone)
    packs = packs_of(entry.signed.ticket.rules)
    values = values_of(entry.signed) | {"packs": packs} | _values(loaded, entry, state)
    said = lines_of(entry.signed, packs) + _lines(loaded, entry, state)
    give(values, said, as_json=as_json)


def approve(
    ticket: _Id,
    settings: SettingsPath,
    key: KeyPath,
    certificate: CertificatePath,
    stage: Annotated[StageName, typer.Option(help="For a run, or for detail to be told.")],
    approval: Annotated[str, typer.Option(help="Number of the approval, of an approver.")] = "",
    peer: _Peer = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Signs a ticket for a stage, as the duty that the certificate names; read it by `show`."""
    from functools import partial

    from parties import inbox

    by = _By(settings, "inbox approve", key, certificate, as_)
    approved = partial(inbox.approve, stage=stage.value, approval=approval)
    _decide(by, ticket, peer, approved, as_json=as_json)


def refuse(
    ticket: _Id,
    settings: SettingsPath,
    key: KeyPath,
    certificate: CertificatePath,
    reason: Annotated[str, typer.Option(help="Why, in words that the peer gets.")],
    peer: _Peer = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Refuses a ticket, for good."""
    from functools import partial

    from parties import inbox

    by = _By(settings, "inbox refuse", key, certificate, as_)
    _decide(by, ticket, peer, partial(inbox.refuse, reason=reason), as_json=as_json)


class _By(NamedTuple):
    """At which node is decided, by which command, and by whom."""

    settings: Path
    command: str
    key: Path
    certificate: Path
    shown: Path | None


def _decide(
    by: _By, ticket: str, peer: str | None, decide: Callable[..., Entry], *, as_json: bool
) -> None:
    from parties import inbox
    from parties.cli.noting import writing
    from parties.settings_file import load
    from parties.tickets import revoked

    loaded = load(by.settings)
    key, chain = operator_files(by.key, by.certificate)
    admitted_to_sign(loaded, by.command, key, chain, by.shown)
    gone = revoked(loaded)
    with writing(loaded) as (connection, at):
        entry = inbox.one_of(connection, ticket, peer)
        entry = decide(connection, at, loaded, entry, key=key, chain=chain, revoked=gone)
    state = inbox.state_of(entry, at, gone)
    give(_values(loaded, entry, state), _lines(loaded, entry, state), as_json=as_json)


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Store, frozenset[str]]]:
    """The store, and what was revoked at this node."""
    from parties.store import Store
    from parties.tickets import revoked

    with closing(Store(settings.store.url)) as store:
        yield store, revoked(settings)


def _values(settings: Settings, entry: Entry, state: State) -> dict[str, Any]:
    ticket = entry.signed.ticket
    return {
        "id": ticket.id,
        "peer": entry.peer,
        "came": entry.came.isoformat(),
        "state": state,
        "reason": entry.reason,
        "purpose": ticket.purpose,
        "case": ticket.case,
        "lacks": [key._asdict() for key in _lacks(settings, entry, state)],
    }


def _lines(settings: Settings, entry: Entry, state: State) -> list[str]:
    told = [f"{entry.peer} submitted it at {entry.came:%Y-%m-%d %H:%M} UTC: {state}"]
    if entry.reason:
        told.append(f"reason: {entry.reason}")
    return told + [f"to be signed by {key}" for key in _lacks(settings, entry, state)]


def _lacks(settings: Settings, entry: Entry, state: State) -> list[Key]:
    """The signatures of our people for what the peer's have signed for."""
    from parties.operators.roles import other

    us = settings.node.role
    asked = entry.signed.signed_by(other(us)) if state == "waiting" else ()
    return [key for key in entry.signed.missing() if key.party == us and key.stage in asked]
