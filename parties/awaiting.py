"""The hallway of a node whose people want a ticket: submitted to a peer, and waited for.

No time ends the waiting, nor does a peer that is down, nor the end of this program: the ticket lies
in the peer's inbox, and who asks again goes on. What the peer's people have signed is verified and
kept in the folder of tickets, where jobs find it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from parties import decisions, inbox
from parties.books import Books
from parties.channel import Identity, Peer
from parties.errors import PeerLost, PeerRefused, PeerUnreachable, TicketRefused
from parties.inbox import State
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.submissions import Told, ask
from parties.tickets import SignedTicket, Stage, Ticket, revoked, ticket_in
from parties.tickets.files import SUFFIX, read_ticket, write_ticket
from parties.tickets.signing import merged
from parties.tickets.verifying import must_be_signed, must_count
from psi.errors import MalformedMessage
from psi.lazily import NamedTuple

FIRST_PAUSE: Final = 1.0
"""Seconds until one asks again for the first time: somebody may sit at the other end."""
LONGEST_PAUSE: Final = 60.0
"""Seconds between two questions at most: people take minutes to years, and each question costs both
nodes a handshake, some milliseconds."""
LONGER: Final = 1.5
"""By what a pause is longer than the one before: the longest is reached after three minutes."""
_PASSES: Final = ("inbox-full", "local")
"""Code words of a peer that may be others the next time."""


class Standing(NamedTuple):
    """How a ticket stands at a peer.

    Attributes:
        ticket: its id.
        peer: as we call it.
        state: there.
        reason: why it was refused, in the words of the peer's people; empty if it was not.
        approved: stages for which both sides have signed.
        file: where the ticket is kept, with their signatures; None as long as there are none.
    """

    ticket: str
    peer: str
    state: State
    reason: str
    approved: tuple[Stage, ...]
    file: Path | None

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return self._asdict() | {"file": None if self.file is None else str(self.file)}

    def lines(self) -> list[str]:
        """For people."""
        said = [f"ticket {self.ticket} at {self.peer}: {self.state}"]
        if self.reason:
            said.append(f"reason: {self.reason}")
        if self.approved:
            said.append(f"approved: {', '.join(self.approved)}")
        if self.file is not None:
            said.append(f"wrote {self.file}")
        return said


class Desk:
    """Where this node submits tickets to a peer, and asks how they stand.

    Args:
        settings: of this node.
        peer: the name of the other.

    Raises:
        SettingsError: there is no such peer.
    """

    def __init__(self, settings: Settings, peer: str) -> None:
        self._settings = settings
        self._peer: PeerSettings = settings.peer(peer)
        self._noted: set[tuple[str, str]] = set()

    def submit(self, file: Path) -> Standing:
        """Submits the ticket of a file; once more changes nothing.

        Raises:
            TicketRefused: our people have not signed it for a run, it is with another node, or it
                does not count.
            PartyError, PeerError: as `Peer.call`.
        """
        settings, peer = self._settings, self._peer
        data = read_ticket(file)
        verified = inbox.check(settings, peer, data, settings.node.role)
        must_count(verified, datetime.now(UTC), revoked(settings))
        told = self._ask(ticket=data)
        self._note(verified.ticket, told.state)
        return self._standing(verified.ticket.id, told)

    def state(self, ticket: str) -> Standing:
        """Asks how a ticket stands that was submitted; by its id.

        Raises:
            PartyError, PeerError: as `Peer.call`; `PeerRefused` with `ticket-unknown` if it is not
                there.
        """
        told = self._ask(about=ticket)
        standing = self._standing(ticket, told)
        if (own := self._own(ticket)) is not None:
            self._note(own[1].ticket, told.state)
        return standing

    def _note(self, ticket: Ticket, state: State) -> None:
        """Writes into our log that the ticket is there, and that it was refused; each once."""
        if (ticket.id, state) in self._noted:
            return
        name = self._peer.name
        with closing(Books(self._settings)) as books, books.writing() as (connection, at):
            decisions.received(connection, at, name, ticket)
            if state == "refused":
                decisions.refused_by_peer(connection, at, name, ticket)
        self._noted.add((ticket.id, state))

    def _ask(self, **about: Any) -> Told:
        node = self._settings.node
        identity = Identity(node.certificate, node.key)
        peer = Peer(identity, self._peer, patience=node.patience)
        return peer.exchange(ask(self._settings, self._peer, **about), secrets.token_hex(16))

    def _standing(self, ticket: str, told: Told) -> Standing:
        file, approved = None, tuple[Stage, ...]()
        if told.data:
            file, signed = self._keep(ticket, told.data)
            us = self._settings.node.role
            theirs = signed.signed_by(other(us))
            approved = tuple(stage for stage in signed.signed_by(us) if stage in theirs)
        return Standing(ticket, self._peer.name, told.state, told.reason, approved, file)

    def _keep(self, ticket: str, data: bytes) -> tuple[Path, SignedTicket]:
        """Verifies what the peer's people have signed, and keeps it with what is there.

        Raises:
            TicketRefused: it does not hold.
            MalformedMessage: it is another ticket.
            LocalFault: it cannot be kept.
        """
        settings = self._settings
        verified = inbox.check(settings, self._peer, data, settings.node.role)
        must_count(verified, datetime.now(UTC), revoked(settings))
        must_be_signed(verified, "run")
        signed = SignedTicket.decode(data)
        if signed.ticket.id != ticket:
            raise MalformedMessage("TicketAnswer: another ticket than was asked about")
        own = self._own(ticket)
        path = settings.tickets.folder / f"{ticket}{SUFFIX}"
        if own is not None:
            path, there = own
            signed = merged(there, signed)
            if signed == there:
                return path, there
        write_ticket(path, signed)
        return path, signed

    def _own(self, ticket: str) -> tuple[Path, SignedTicket] | None:
        """The file in the folder of tickets that has a ticket, under whatever name."""
        for path in sorted(self._settings.tickets.folder.glob(f"*{SUFFIX}")):
            try:
                data = read_ticket(path)
                if ticket_in(data).id == ticket:
                    return path, SignedTicket.decode(data)
            except TicketRefused:
                continue  # `match` says what is wrong with it, if it is asked
        return None


def wait(
    asked: Callable[[], Standing],
    tell: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Standing:
    """Asks again and again until people have decided on all that was asked.

    Args:
        asked: submits, or asks how it stands.
        tell: gets a sentence for people each time that something is otherwise than before.
        pause: waits for so many seconds.

    Returns:
        How it stands, approved.

    Raises:
        TicketRefused: it was refused or revoked, or has expired.
        PartyError, PeerError: what waiting does not change.
    """
    last, seconds = "", FIRST_PAUSE
    while True:
        try:
            standing = asked()
        except (PeerUnreachable, PeerLost) as error:
            said = f"{error}; asked again until it answers"
        except PeerRefused as refused:
            if refused.code not in _PASSES:
                raise
            said = f"{refused}; asked again until it does"
        else:
            if standing.state != "waiting":
                return _decided(standing)
            so_far = f", approved so far: {', '.join(standing.approved)}"
            said = f"{standing.peer}'s people have not decided yet" + (
                so_far if standing.approved else ""
            )
        if said != last:
            tell(said)
            last, seconds = said, FIRST_PAUSE
        pause(seconds)
        seconds = min(seconds * LONGER, LONGEST_PAUSE)


def _decided(standing: Standing) -> Standing:
    words: dict[State, str] = {
        "refused": f"{standing.peer}'s people have refused the ticket: {standing.reason}",
        "expired": f"the ticket has expired before {standing.peer}'s people had decided",
        "revoked": f"{standing.peer} has revoked the ticket, or one who has signed it",
    }
    if standing.state in words:
        raise TicketRefused(f"ticket-{standing.state}", words[standing.state])
    return standing
