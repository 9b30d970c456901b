"""Two founded nodes with people who sign: the police submit tickets, the insurer has the inbox."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties import audit, inbox
from parties.answering import answers
from parties.audit.showing import lines_of
from parties.awaiting import Desk
from parties.channel import Answer, Identity, Node
from parties.founding import FILE, found, introduce
from parties.operators import DUTIES
from parties.operators.issuing import issued_to
from parties.settings import Settings
from parties.settings_file import load
from parties.store import Store
from parties.tickets import SignedTicket, Stage, revoked
from parties.tickets.drafting import Wish, draft
from parties.tickets.files import read_ticket, write_ticket
from parties.tickets.revoking import revoke
from parties.tickets.signing import sign

WISH = Wish(
    purpose="联合打击 staged accidents",
    legal_basis="Data Security Law art. 35",
    case="2026-11",
    ways=("count", "match"),
    floor=0,
    runs=4,
)


class Offices:
    """Both nodes, and a port at which the insurer can be served, again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        one = found(folder / "insurer", "insurer", "insurer", f"127.0.0.1:{self.port}")
        introduce(one, found(folder / "police", "police", "police", "127.0.0.1:1"))
        for settings in (self.insurer, self.police):
            for trial in settings.tickets.folder.glob("trial-*.json"):
                trial.unlink()
        self.people: dict[str, tuple[Ed25519PrivateKey, tuple[x509.Certificate, ...]]] = {}
        for settings in (self.insurer, self.police):
            authority = settings.operators.authority
            assert authority is not None
            for duty in DUTIES[settings.node.role]:
                key = Ed25519PrivateKey.generate()
                made = issued_to(settings.node.name, f"p-{duty}", duty, key, authority)
                self.people[duty] = key, (made,)

    @property
    def insurer(self) -> Settings:
        return load(self.folder / "insurer" / FILE)

    @property
    def police(self) -> Settings:
        return load(self.folder / "police" / FILE)

    @property
    def desk(self) -> Desk:
        return Desk(self.police, "insurer")

    @contextmanager
    def serving(self, answer: Answer | None = None) -> Iterator[Node]:
        """Runs the insurer; as another `answer` says, if there is one."""
        node = self.start(answer)
        try:
            yield node
        finally:
            node.stop(0)

    def start(self, answer: Answer | None = None) -> Node:
        settings = self.insurer
        hallway = answers(settings)
        node = Node(
            f"127.0.0.1:{self.port}",
            Identity(settings.node.certificate, settings.node.key),
            settings.peers,
            answer or hallway,
            at_once=answer or hallway.at_once,
        )
        node.start()
        return node

    def drafted(self, stages: Sequence[Stage] = ("run",), **changes: Any) -> Path:
        """A ticket that the police have signed for these stages."""
        settings, now = self.police, datetime.now(UTC)
        wish = WISH._replace(**changes)
        ticket = SignedTicket(draft(settings, settings.peers[0], wish, now))
        path = self.folder / f"{ticket.ticket.id}.json"
        write_ticket(path, ticket)
        self.signed(path, stages)
        return path

    def signed(self, path: Path, stages: Sequence[Stage]) -> None:
        """Has the police sign a file."""
        signed, now = SignedTicket.decode(read_ticket(path)), datetime.now(UTC)
        for duty in DUTIES["police"]:
            for stage in stages:
                number = "A-17" if duty == "approver" else ""
                signed = sign(signed, stage, *self.people[duty], now, number)
        write_ticket(path, signed)

    def approve(self, path: Path, *duties: str, stage: Stage = "run") -> None:
        """Has people of the insurer sign what lies in the inbox."""
        for duty in duties or DUTIES["insurer"]:
            with self.inbox() as (store, gone), store.writing() as connection:
                at, entry = store.now(connection), inbox.one_of(connection, id_of(path))
                key, chain = self.people[duty]
                inbox.approve(connection, at, self.insurer, entry, stage, key, chain, gone)

    def refuse(self, path: Path, reason: str) -> None:
        with self.inbox() as (store, gone), store.writing() as connection:
            at, entry = store.now(connection), inbox.one_of(connection, id_of(path))
            who = self.people["compliance"]
            inbox.refuse(connection, at, self.insurer, entry, reason, *who, gone)

    def revoke(self, path: Path) -> None:
        who, now = self.people["compliance"], datetime.now(UTC)
        revoke(self.insurer, id_of(path), "a mistake", *who, now)

    @contextmanager
    def inbox(self) -> Iterator[tuple[Store, frozenset[str]]]:
        settings = self.insurer
        with closing(Store(settings.store.url)) as store:
            with store.writing() as connection:
                audit.begin(connection, settings.node.name)
            yield store, revoked(settings)

    def entries(self) -> list[inbox.Entry]:
        with self.inbox() as (store, _), store.reading() as connection:
            return inbox.find_all(connection)

    def lines(self, settings: Settings, *events: str) -> list[dict[str, Any]]:
        with closing(Store(settings.store.url)) as store, store.reading() as connection:
            return list(lines_of(connection, events=events))


def id_of(path: Path) -> str:
    return SignedTicket.decode(read_ticket(path)).ticket.id
