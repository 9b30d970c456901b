"""What a node writes down of what it does: budgets and the audit log, in one transaction each time.

Here is what is said of tickets, refusals, inquiries and tables; `parties.runs` has runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from parties import audit, decisions, open_inquiries, refused, retaining
from parties.audit.inquiries import DONE
from parties.clearance import Clearance, cover
from parties.disclosure import Column
from parties.errors import (
    AuditRefused,
    PeerRefused,
    TicketRefused,
)
from parties.identifiers import Block
from parties.job import Job
from parties.limits import Allowance, Charge, Limits, Whose
from parties.open_inquiries import Ended, Endings, Place
from parties.operators import Party
from parties.operators.acting import Acting
from parties.operators.roles import other
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from parties.store import Connection, Store
from parties.sweeps import Sweeps
from parties.tally import Tally
from parties.tickets.ticket import Ticket, stages_of
from psi.subprotocols.decoys import size_class

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
        self._endings = Endings()
        self._under_way: set[tuple[str, str]] = set()
        self._forgot: date | None = None
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
        """Writes down what became of inquiries, and closes the store, if it was opened.

        Raises:
            LocalFault: it cannot be written.
        """
        if self._endings:
            with self.writing():
                pass
        with self._lock:
            if self._limits is not None:
                self._limits.close()
                self._limits = None

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, datetime]]:
        """One transaction, and the time of the store's clock in it.

        What became of inquiries of before is written in it first.

        Raises:
            LocalFault: it cannot be written.
        """
        store = self.limits.store
        with store.writing() as connection:
            written = self._endings.write(connection)
            yield connection, store.now(connection)
        self._endings.forget(written)

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
        with self.limits.store.reading() as connection:
            known = decisions.was_received(connection, *place)
        if not known:
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

    def inquiry_asked(
        self,
        peer: PeerSettings,
        job: Job,
        clearance: Clearance,
        asked: Mapping[str, int],
        blocks: Mapping[str, Mapping[Block, Set[int]]],
    ) -> None:
        """Counts what this node inquires and writes it down: it keeps to the ticket by itself.

        Args:
            peer: who is asked.
            job: the inquiry.
            clearance: under which ticket.
            asked: about how many identifiers of each set.
            blocks: which of which block of numbers, by set. Secret.

        Raises:
            TicketRefused: the ticket does not cover it, by the clock of the store.
            Refusal: `replayed`, `ticket-spent`, `ticket-twice` or `sweep`.
            LocalFault: it cannot be written.
        """
        sizes = {self.settings.node.role: sum(asked.values())}
        charge = charge_of(peer, job, clearance, asked, "ours")
        with self.writing() as (connection, at):
            cover(self.settings, peer, job, clearance.data, at, sizes=sizes)
            ticket = clearance.verified.ticket
            most = dict.fromkeys(asked, in_all(ticket, self.settings.node.role))
            allowed = Allowance(inquiries=ticket.inquiries, elements=most)
            self.limits.charge(connection, charge, allowed)
            sweeps = Sweeps(self.settings, peer)
            for name, each in blocks.items():
                sweeps.keep(connection, name, each, at)
            facts = self.facts_of(connection, at, peer, job, clearance)
            audit.append(connection, at, "inquiry_asked", facts | {"elements": dict(asked)})
            self._open(connection, at, charge, facts)

    def was_answered(
        self, peer: PeerSettings, job: Job, clearance: Clearance, asked: Mapping[str, int]
    ) -> None:
        """Writes down that receipts are due of an inquiry that was answered and refused here.

        Arguments as `inquiry_asked`, which has refused it.

        Raises:
            LocalFault: it cannot be written.
        """
        charge = charge_of(peer, job, clearance, asked, "ours")
        with self.writing() as (connection, at):
            self._open(connection, at, charge, under(job, clearance, ()))

    def inquiry_not_answered(
        self, peer: PeerSettings, job: Job, clearance: Clearance, asked: Mapping[str, int]
    ) -> None:
        """Takes back the count of an inquiry of which nothing was learnt; as `inquiry_asked`.

        The line that it was asked stays, and one says that it was not answered.
        """
        with self.writing() as (connection, at):
            if self.limits.take_back(connection, charge_of(peer, job, clearance, asked, "ours")):
                facts = {"peer": peer.name, "session": job.session}
                audit.append(connection, at, "inquiry_not_answered", facts)
                open_inquiries.drop(connection, Place("ours", peer.partner), job.session)

    def inquiry(
        self,
        peer: PeerSettings,
        job: Job,
        clearance: Clearance,
        asked: Mapping[str, int],
        columns: Sequence[Column],
    ) -> None:
        """Counts an inquiry and writes it down; on disk when this returns.

        Args:
            peer: who asks.
            job: the inquiry.
            clearance: under which ticket.
            asked: about how many identifiers of each set.
            columns: that tables tell.

        Raises:
            TicketRefused: the ticket does not cover it, by the clock of the store.
            Refusal: `replayed`, `over-limit`, `receipts-due`, `ticket-spent` or `ticket-twice`.
            LocalFault: it cannot be written.
        """
        ticket, asker = clearance.verified.ticket, other(self.settings.node.role)
        sizes = {asker: sum(asked.values())}
        with self.writing() as (connection, at):
            cover(self.settings, peer, job, clearance.data, at, ours=columns, sizes=sizes)
            charge = charge_of(peer, job, clearance, asked, "theirs")
            most = dict.fromkeys(asked, in_all(ticket, asker))
            daily = peer.daily_inquiries
            allowed = Allowance(daily=daily, inquiries=ticket.inquiries, elements=most)
            self.limits.charge(connection, charge, allowed)
            facts = self.facts_of(connection, at, peer, job, clearance, columns)
            audit.append(connection, at, "inquiry_answered", facts | {"elements": dict(asked)})
            self._open(connection, at, charge, facts)

    @contextmanager
    def under_way(self, peer: PeerSettings, job: Job) -> Iterator[None]:
        """Within it an inquiry is being answered, and no receipt is given of it."""
        here = (peer.partner, job.session)
        self._under_way.add(here)
        try:
            yield
        finally:
            self._under_way.discard(here)

    def is_under_way(self, peer: PeerSettings, session: str) -> bool:
        """Whether this process is answering an inquiry."""
        return (peer.partner, session) in self._under_way

    def answered(
        self,
        peer: PeerSettings,
        job: Job,
        columns: Sequence[Column],
        tally: Tally,
        failed: str | None = None,
    ) -> None:
        """Remembers what became of an inquiry, until something is written, or receipts are made.

        Args:
            peer: with whom.
            job: the inquiry.
            columns: that tables tell.
            tally: of all messages.
            failed: the word for what broke it; None if it is done.
        """
        asks = job.we_learn
        *_, stage = stages_of(job.way, columns=bool(columns))
        transcript = tally.transcript(asks=asks) if failed is None else ""
        ended = Ended(stage, failed or DONE, transcript, tally.said_bytes, tally.heard_bytes)
        place = Place("ours" if asks else "theirs", peer.partner)
        self._endings.add(place, job.session, ended)

    def tables_given(
        self, peer: PeerSettings, job: Job, clearance: Clearance, columns: Sequence[Column]
    ) -> None:
        """Writes down that files of tables leave; on disk when this returns.

        Args:
            peer: who fetches them.
            job: the inquiry.
            clearance: under which ticket.
            columns: that the tables tell.

        Raises:
            TicketRefused: the ticket does not cover it, by the clock of the store.
            LocalFault: it cannot be written.
        """
        with self.writing() as (connection, at):
            cover(self.settings, peer, job, clearance.data, at, ours=columns)
            facts = self.facts_of(connection, at, peer, job, clearance, columns)
            names = [spec.name for spec in job.sets]
            audit.append(connection, at, "tables_given", facts | {"sets": names})

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

    def _open(
        self, connection: Connection, at: datetime, charge: Charge, facts: Mapping[str, Any]
    ) -> None:
        """Writes down that receipts of an inquiry are due."""
        if self._forgot != at.date():
            open_inquiries.forget(connection, at)
            self._forgot = at.date()
        open_inquiries.begin(connection, at, charge, facts["stage"])


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
