"""What a node writes down of inquiries and tables, and which receipts are due of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from parties import audit, open_inquiries
from parties.audit.facts import DONE
from parties.books import Books, charge_of, in_all, under
from parties.clearance import Clearance, cover
from parties.disclosure import Column
from parties.identifiers import Block
from parties.job import Job
from parties.limits import Allowance, Charge
from parties.open_inquiries import Ended, Endings, Place
from parties.operators.acting import Acting
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.store import Connection
from parties.sweeps import Sweeps
from parties.tally import Tally
from parties.tickets.ticket import stages_of


class InquiryBooks(Books):
    """The books of a node that inquires or answers; as `Books`."""

    def __init__(self, settings: Settings, acting: Acting | None = None) -> None:
        super().__init__(settings, acting)
        self._endings = Endings()
        self._under_way: set[tuple[str, str]] = set()
        self._forgot: date | None = None

    def close(self) -> None:
        """Writes down what became of inquiries, and closes the store, if it was opened.

        Raises:
            LocalFault: it cannot be written.
        """
        if self._endings:
            with self.writing():
                pass
        super().close()

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, datetime]]:
        """As of `Books`; what became of inquiries of before is written in it first."""
        with super().writing() as (connection, at):
            written = self._endings.write(connection)
            yield connection, at
        self._endings.forget(written)

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

    def _open(
        self, connection: Connection, at: datetime, charge: Charge, facts: Mapping[str, Any]
    ) -> None:
        """Writes down that receipts of an inquiry are due."""
        if self._forgot != at.date():
            open_inquiries.forget(connection, at)
            self._forgot = at.date()
        open_inquiries.begin(connection, at, charge, facts["stage"])
