"""`greenlane check`: reads all that a node needs and says what is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from parties.certificates import inspect
from parties.channel.pinning import read_pin
from parties.credentials import Identity, read_credentials
from parties.disclosure import disclosed
from parties.errors import LocalFault, PartyError, SettingsError
from parties.identifiers import identify
from parties.inquiries import why_not_served
from parties.limits import Limits
from parties.operators.key_sets import read_keys
from parties.operators.roles import ROLES
from parties.recipients import recipients
from parties.settings import IdentifierSettings, PeerSettings, Settings
from parties.sources import Source, open_source
from parties.store import Store, in_words, sqlite_file
from parties.tables import Held, Wrapping, wrapping
from parties.tickets import revoked
from parties.tickets.trust import authorities_of, own_side

ORDINARY: Final = timedelta(minutes=1)
"""A step of the machine's clock that is nothing to speak of: what keeps clocks right makes smaller
ones, and a day is too long for them to matter."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: fine, doubt (works, but should be looked at), or wrong.
        where: an entry of the settings.
        text: one sentence.
        exit_code: with which the program leaves if it is wrong.
    """

    level: Literal["fine", "doubt", "wrong"]
    where: str
    text: str
    exit_code: int = 0


def check(settings: Settings) -> Iterator[Finding]:
    """Yields a finding for each thing that this node needs."""
    yield from _node(settings)
    yield from _store(settings)
    for peer in settings.peers:
        where = f"peers.{peer.name}"
        try:
            pin = read_pin(peer)
        except PartyError as error:
            yield _wrong(where, error)
        else:
            if pin.why_unusable:
                yield Finding("doubt", where, pin.why_unusable)
            else:
                yield Finding("fine", where, f"pinned; may {', '.join(peer.may) or 'ask nothing'}")
        if "inquire" in peer.may:
            yield from _inquiries(settings, peer)
    yield from _tickets(settings)
    yield from _people(settings)
    if not settings.peers:
        yield Finding("doubt", "peers", "no peer is named, so nobody can be asked or may ask")
    yield from _source(settings)


def _node(settings: Settings) -> Iterator[Finding]:
    node = settings.node
    try:
        read_credentials(Identity(node.certificate, node.key))
        seen = inspect(node.certificate)
    except PartyError as error:
        yield _wrong("node.certificate", error)
    else:
        if node.name not in seen.names:
            why = f"{node.certificate} is for {', '.join(seen.names) or 'no name'}, not {node.name}"
            yield _wrong("node.name", SettingsError(f"{why}; peers would refuse it"))
        elif seen.renewal_is_due:
            yield Finding("doubt", "node.certificate", f"{seen.days_left:.0f} days left: renew it")
        else:
            yield Finding("fine", "node.certificate", f"{seen.days_left:.0f} days left")
        if node.key.stat().st_mode & 0o077:
            yield Finding("doubt", "node.key", f"{node.key} is open to others: chmod 600 it")
    yield _writable("node.results", node.results)
    if node.log is not None:
        yield _writable("node.log", node.log.parent)


def _tickets(settings: Settings) -> Iterator[Finding]:
    try:
        count = len(own_side(settings).authorities)
        withdrawn = revoked(settings)
    except PartyError as error:
        yield _wrong("operators.authority", error)
        return
    yield Finding("fine", "operators.authority", f"{count} read; {len(withdrawn)} revoked")
    yield _writable("tickets.folder", settings.tickets.folder)
    for peer in settings.peers:
        where = f"peers.{peer.name}.operators"
        if peer.operators is None and peer.ca is not None:
            continue  # the pin has been looked at
        try:
            authorities_of(settings, peer)
        except SettingsError as missing:
            yield Finding("doubt", where, str(missing))
        except PartyError as error:
            yield _wrong(where, error)
        else:
            yield Finding("fine", where, "its operators' authority is known")


def _people(settings: Settings) -> Iterator[Finding]:
    operators, party = settings.operators, settings.node.role
    if operators.required:
        yield Finding("fine", "operators.required", "each command wants to know who gives it")
        authority = operators.authority
        if authority is not None and authority.with_suffix(".key").exists():
            text = (
                f"{authority.with_suffix('.key')} is on this machine: whoever can read it can make "
                "themselves any operator; take it away"
            )
            yield Finding("doubt", "operators.authority", text)
    if operators.sealed:
        yield _sealed(settings)
    oidc = operators.oidc
    if oidc is None:
        return
    for name, role in oidc.roles:
        if role not in ROLES[party]:
            where, has = f"operators.oidc.roles.{name}", ", ".join(ROLES[party])
            yield _wrong(where, SettingsError(f"{party} has no {role}; its roles are {has}"))
    if oidc.keys_url is not None:
        text = "is fetched when a token is shown; it was not looked at"
        yield Finding("fine", "operators.oidc.keys_url", text)
        return
    try:
        count = len(read_keys(oidc))
    except PartyError as error:
        yield _wrong("operators.oidc.keys", error)
    else:
        yield Finding("fine", "operators.oidc.keys", f"{count} for tokens")


def _sealed(settings: Settings) -> Finding:
    where = "operators.sealed_to"
    if not settings.operators.sealed_to:
        text = (
            "names nobody: results are sealed to who asks by a certificate; who shows a token, and "
            "peers, cannot ask so that this node learns"
        )
        return Finding("doubt", where, text)
    try:
        count = len(recipients(settings, None, datetime.now(UTC)))
    except PartyError as error:
        return _wrong(where, error)
    return Finding("fine", where, f"results are sealed to {count} certificates and to who asks")


def _store(settings: Settings) -> Iterator[Finding]:
    where, url = "store.url", settings.store.url
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield _writable(where, file)  # whoever serves makes it, and it is theirs then
        return
    try:
        store = Store(url)
        try:
            with store.writing():
                ahead = store.ahead()
        finally:
            store.close()
    except PartyError as error:
        yield _wrong(where, error)
        return
    if file is not None and file.stat().st_mode & 0o077:
        yield Finding("doubt", where, f"{file} is open to others: chmod 600 it")
    if ahead > ORDINARY:
        text = (
            f"its clock is ahead of this machine's by {in_words(ahead)}, and no day begins before "
        )
        text += "that is over; if this machine's clock is right: greenlane store set-clock"
        yield Finding("doubt", where, text)
    else:
        yield Finding("fine", where, f"{store.label}: can be written")


def _asked(settings: Settings, peer: PeerSettings) -> int:
    """About how many elements a peer has inquired today; a store is not made for this."""
    file = sqlite_file(settings.store.url)
    if file is not None and not file.exists():
        return 0
    limits = Limits(Store(settings.store.url))
    try:
        return limits.asked(peer.partner)
    finally:
        limits.close()


def _inquiries(settings: Settings, peer: PeerSettings) -> Iterator[Finding]:
    where, tables = f"peers.{peer.name}.may", settings.tables
    if not peer.may_receive:
        yield Finding("doubt", where, "may inquire, but may_receive is false, so it cannot")
    yield _writable("tables.folder", tables.folder)
    try:
        by = wrapping(tables.wrapping_key)
        asked = _asked(settings, peer)
    except PartyError as error:
        yield _wrong(where, error)
        return
    yield Finding("fine", where, f"has inquired {asked} of {peer.daily_inquiries} of today")
    for spec in settings.identifiers:
        if not spec.parts:
            yield _table(settings, peer, spec, by)


def _table(
    settings: Settings, peer: PeerSettings, spec: IdentifierSettings, by: Wrapping
) -> Finding:
    where = f"identifiers.{spec.name} for {peer.name}"
    held = Held(settings.tables, peer, spec.name)
    try:
        manifest = held.manifest()
        if manifest is None or (why := why_not_served(settings, peer, manifest, spec)):
            text = f"no table to inquire: greenlane prepare --peer {peer.name}"
            return Finding("doubt", where, text if manifest is None else str(why))
        key = held.key(manifest.epoch, by)
    except PartyError as error:
        return _wrong(where, error)
    if key is None or key.public().hex() != manifest.public:
        return _wrong(where, LocalFault(f"the key of epoch {manifest.epoch} is gone or another"))
    return Finding("fine", where, f"table {manifest.number} of epoch {manifest.epoch}")


def _writable(where: str, wanted: Path) -> Finding:
    folder = wanted
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if os.access(folder, os.W_OK | os.X_OK) and folder.is_dir():
        return Finding("fine", where, "can be written")
    return _wrong(where, LocalFault(f"{wanted} cannot be written"))


def _source(settings: Settings) -> Iterator[Finding]:
    try:
        source = open_source(settings.source)
    except PartyError as error:
        yield _wrong("source", error)
        return
    yield Finding("fine", "source", f"{source.label}: {len(source.schema)} columns")
    for peer in settings.peers:
        try:
            disclosed(source, peer.disclose)
        except PartyError as error:
            yield _wrong(f"peers.{peer.name}.disclose", error)
    yield from _identifiers(settings, source)


def _identifiers(settings: Settings, source: Source) -> Iterator[Finding]:
    for spec in settings.identifiers:
        where = f"identifiers.{spec.name}"
        try:
            own = identify(source, spec)
        except PartyError as error:
            yield _wrong(where, error)
            continue
        text = f"{len(own):,} identifiers in {own.rows:,} rows"
        if own.rejected:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(own.rejected.items()))
            yield Finding("doubt", where, f"{text}; rejected cells: {reasons}")
        else:
            yield Finding("fine", where, text)


def _wrong(where: str, error: PartyError) -> Finding:
    return Finding("wrong", where, str(error), error.exit_code)
