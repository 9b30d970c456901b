"""What a node writes down of what it does: budgets and the audit log, in one transaction each time.

Here is what is said of tickets and refusals; `parties.runs` has runs, `parties.inquiry_books`
inquiries.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from parties import audit, decisions
from parties.clearance import Clearance
from parties.disclosure import Column
from parties.errors import (
    AuditRefused,
    PeerRefused,
    TicketRefused,
)
from parties.job import Job
from parties.limits import Charge, Limits, Whose
from parties.operators import Party
from parties.operators.acting import Acting
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from parties.store import Connection, Store
from parties.tickets.ticket import Ticket, stages_of
from psi.lazily import unread
from psi.subprotocols.decoys import size_class

with unread("parties.refused", "parties.retaining"):  # for a refusal, and for what leaves results
    from parties import refused, retaining

MOST_REMEMBERED: Final = 1024
"""Tickets of which is remembered that they came: four times as many as are remembered as sound."""


class Books:
    """The books of one node; opened when they are first needed.

    Attributes:
        settings: of this node.
        by: facts of the log about who asks; none where that is not known.

    Args:
        settings: of this node.
        acting: who asks; None where a peer does, or nobody has said who they are.
    """

    def __init__(self, settings: Settings, acting: Acting | None = None) -> None:
        self.settings = settings
        self.by: Mapping[str, str] = {} if acting is None else acting.facts()
        self._lock = threading.Lock()
        self._limits: Limits | None = None
        self._received: set[tuple[str, str]] = set()

    @property
    def limits(self) -> Limits:
        """The counts.

        Raises:
            LocalFault: the store cannot be opened, or is another node's.
        """
        with self._lock:
            if self._limits is None:
                store = Store(self.settings.store.url)
                with store.writing() as connection:
                    audit.begin(connection, self.settings.node.name)
                self._limits = Limits(store)
            return self._limits

    def close(self) -> None:
        """Closes the store, if it was opened."""
        limits = self._limits
        if limits is not None:
            limits.close()  # without the lock: waits for who writes, and they may want `limits`
            with self._lock:
                self._limits = None

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, datetime]]:
        """One transaction, and the time of the store's clock in it.

        Raises:
            LocalFault: it cannot be written.
        """
        store = self.limits.store
        with store.writing() as connection:
            yield connection, store.now(connection)

    def refused(self, peer: str, session: str, code: str) -> None:
        """Writes down that something was refused, here or by the peer.

        Raises:
            LocalFault: it cannot be written.
        """
        facts = {"peer": peer, "session": session, "code": code, **self.by}
        with self.writing() as (connection, at):
            refused.write_down(connection, at, facts)

    @contextmanager
    def refusals(self, peer: str, session: str) -> Iterator[None]:
        """Writes down what is refused within the block, here or by the peer; it is raised on.

        Raises:
            LocalFault: it cannot be written.
        """
        try:
            yield
        except (AuditRefused, PeerRefused, Refusal, TicketRefused) as error:
            self.refused(peer, session, error.code)
            raise

    def received(self, peer: PeerSettings, clearance: Clearance) -> None:
        """Writes down that a ticket came, if it is for the first time.

        Args:
            peer: who has said it.
            clearance: that was verified.

        Raises:
            LocalFault: it cannot be written.
        """
        verified = clearance.verified
        place = peer.name, verified.digest
        if place in self._received:
            return
        with self.writing() as (connection, at):
            decisions.received(connection, at, peer.name, verified.ticket)
        if len(self._received) >= MOST_REMEMBERED:
            self._received.clear()
        self._received.add(place)

    def leaves(self, session: str, clearance: Clearance, path: Path | None = None) -> None:
        """Writes down that a run is about to leave results, so that they go in time.

        Args:
            session: of the run.
            clearance: under which ticket.
            path: of a result outside of the session's folder.

        Raises:
            LocalFault: it cannot be written.
        """
        with self.writing() as (connection, _):
            retaining.leave(connection, session, clearance.verified.ticket.id, path)

    def facts_of(
        self,
        connection: Connection,
        at: datetime,
        peer: PeerSettings,
        job: Job,
        clearance: Clearance,
        columns: Sequence[Column] = (),
    ) -> dict[str, Any]:
        """What lines say of a job that is asked or answered; its decision gets its own line first.

        Args:
            connection: in a transaction that writes.
            at: of the store's clock.
            peer: with whom.
            job: what is asked.
            clearance: under which ticket.
            columns: that are told.
        """
        verified, told = clearance.verified, bool(columns)
        line = decisions.decided(connection, at, peer.name, verified, job.way, columns=told)
        facts = {"peer": peer.name, "session": job.session, **self.by}
        return facts | under(job, clearance, columns) | {"decision": line}


def charge_of(
    peer: PeerSettings, job: Job, clearance: Clearance, asked: Mapping[str, int], whose: Whose
) -> Charge:
    """What is counted of a job.

    Args:
        peer: the partner.
        job: what is asked.
        clearance: under which ticket.
        asked: how many elements, by identifier set.
        whose: who asks.
    """
    ticket, digest = clearance.verified.ticket.id, clearance.verified.digest
    return Charge(peer.partner, job.session, job.way, asked, ticket, digest, whose)


def in_all(ticket: Ticket, party: Party) -> int:
    """Returns how many elements of a set a party may bring under a ticket, by its other bounds.

    The size of a set is seen as its class.
    """
    return ticket.runs * size_class(ticket.max_elements[party]) + ticket.inquiries


def under(job: Job, clearance: Clearance, columns: Sequence[Column]) -> dict[str, str]:
    """Returns under which ticket a job is and for which of its stages, as facts of lines."""
    *_, stage = stages_of(job.way, columns=bool(columns))
    return {"ticket": clearance.verified.ticket.id, "stage": stage}
