"""What a node writes down of what it does: budgets and the audit log, in one transaction each time.

A run is written down as begun, and charged, before anything is said that depends on data; what is
refused then has changed nothing. It ends with receipts that both nodes sign, or as failed. A
process that was killed leaves a run that was begun and has no end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from parties import audit, decisions, differences, logs, refused, retaining, stages
from parties.audit import receipt as receipts
from parties.audit.chain import Place, stamp
from parties.channel.pinning import read_pin
from parties.clearance import Clearance, cover
from parties.credentials import Credentials, Identity, read_credentials
from parties.differences import Digest
from parties.disclosure import Column
from parties.errors import (
    AuditRefused,
    LocalFault,
    PartyError,
    PeerRefused,
    TicketRefused,
    code_of,
)
from parties.identifiers import Block
from parties.job import Job
from parties.limits import Allowance, Charge, Limits, Whose
from parties.operators import Party
from parties.operators.acting import Acting
from parties.operators.roles import other
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from parties.store import Connection, Store
from parties.sweeps import Sweeps
from parties.tickets.ticket import Ticket, stages_of
from psi import PsiError
from psi.errors import ApiMisuse
from psi.subprotocols.decoys import size_class

DAILY_SETS: Final = 10
"""Sets of the largest size that a partner may bring in a day, where the settings do not say: the
three stages of the three kinds of identifiers that a claim has (a person, a car, a phone), and one
more, for a run that broke."""

MOST_REMEMBERED: Final = 1024
"""Tickets of which is remembered that they came: four times as many as are remembered as sound."""


class Side(NamedTuple):
    """What one side brings into a run.

    Attributes:
        columns: of its own that the other gets.
        inputs: its commitments to its sets, in the order of the job.
        largest: how many identifiers or records its largest set has; None if only it knows.
        digests: of its sets, where it counts with them; only it knows them.
        blocks: of numbers, for each set, as of `parties.jobs.Prepared`; likewise.
    """

    columns: Sequence[Column]
    inputs: Sequence[bytes]
    largest: int | None = None
    digests: Sequence[Digest] = ()
    blocks: Sequence[Mapping[Block, Set[int]]] = ()


class Facts(NamedTuple):
    """What this node knows of a run that is over.

    Attributes:
        protocols: by which each set was matched, in the order of the job.
        ours: size of our side of each set, as it was shown.
        theirs: size of the other side.
        found: how many are in common, for each set, None where that is withheld; None if this node
            did not learn.
        transcript: 32 bytes that stand for all that both said.
        said_bytes: of messages.
        heard_bytes: likewise.
    """

    protocols: Sequence[str]
    ours: Sequence[int]
    theirs: Sequence[int]
    found: Sequence[int | None] | None
    transcript: bytes
    said_bytes: int
    heard_bytes: int


class Books:
    """The books of one node; opened when they are first needed.

    Attributes:
        by: facts of the log about who asks; none where that is not known.

    Args:
        settings: of this node.
        acting: who asks; None where a peer does, or nobody has said who they are.
    """

    def __init__(self, settings: Settings, acting: Acting | None = None) -> None:
        self._settings = settings
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
                store = Store(self._settings.store.url)
                with store.writing() as connection:
                    audit.begin(connection, self._settings.node.name)
                self._limits = Limits(store)
            return self._limits

    def close(self) -> None:
        """Closes the store, if it was opened."""
        with self._lock:
            if self._limits is not None:
                self._limits.close()
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
        with self.limits.store.reading() as connection:
            known = decisions.was_received(connection, *place)
        if not known:
            with self.writing() as (connection, at):
                decisions.received(connection, at, peer.name, verified.ticket, verified.digest)
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
        ticket = clearance.verified.ticket
        with self.writing() as (connection, _):
            retaining.end(connection, ticket.id, ticket.not_after)
            retaining.leave(connection, session, ticket.id, path)

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
            Refusal: `ticket-spent`, `ticket-twice` or `sweep`.
            LocalFault: it cannot be written.
        """
        sizes = {self._settings.node.role: sum(asked.values())}
        charge = _charge(peer, job, clearance, asked, "ours")
        with self.writing() as (connection, at):
            cover(self._settings, peer, job, clearance.data, at, sizes=sizes)
            ticket = clearance.verified.ticket
            most = dict.fromkeys(asked, _in_all(ticket, self._settings.node.role))
            allowed = Allowance(inquiries=ticket.inquiries, elements=most)
            self.limits.charge(connection, charge, allowed)
            sweeps = Sweeps(self._settings, peer)
            for name, each in blocks.items():
                sweeps.keep(connection, name, each, at)
            facts: dict[str, Any] = {"peer": peer.name, "session": job.session}
            facts["elements"] = dict(asked)
            facts |= self.by
            facts |= _under(job, clearance, ())
            facts |= _decided(connection, at, peer, job, clearance, ())
            audit.append(connection, at, "inquiry_asked", facts)

    def inquiry_not_answered(
        self, peer: PeerSettings, job: Job, clearance: Clearance, asked: Mapping[str, int]
    ) -> None:
        """Takes back the count of an inquiry of which nothing was learnt; as `inquiry_asked`.

        The line that it was asked stays.
        """
        with self.writing() as (connection, _):
            self.limits.take_back(connection, _charge(peer, job, clearance, asked, "ours"))

    def must_be_left(self, peer: PeerSettings, job: Job, clearance: Clearance) -> None:
        """Looks whether a run could begin now, before any row is read for it; counts nothing.

        Raises:
            Refusal: `replayed`, `ticket-spent`, `ticket-twice` or `ticket-stage`.
            LocalFault: the store cannot be read.
        """
        ticket = clearance.verified.ticket
        charge = _charge(peer, job, clearance, {}, _asker(job))
        with self.limits.store.reading() as connection:
            self.limits.look(connection, charge, Allowance(runs=ticket.runs))
            names = [spec.name for spec in job.sets]
            stages.must_have_ended(connection, ticket, job.way, names)

    def may_ask(self, peer: PeerSettings, job: Job, clearance: Clearance, ours: Side) -> None:
        """Looks whether we may ask with our sets, after those of before, and writes nothing.

        Raises:
            Refusal: `difference` or `sweep`.
            LocalFault: the store cannot be read.
        """
        store, sweeps = self.limits.store, Sweeps(self._settings, peer)
        with store.reading() as connection:
            _must_be_apart(connection, peer, job, clearance, ours)
            at = store.now(connection)
            for spec, blocks in zip(job.sets, ours.blocks, strict=False):
                sweeps.look(connection, spec.name, blocks, at)

    @contextmanager
    def run(self, peer: PeerSettings, job: Job, clearance: Clearance) -> Iterator[Run]:
        """Charges a run and writes down that it begins, and how it ends.

        Whatever happens within the block, and whatever is told then, has cost the run: so nobody
        finds out for nothing whether a set has changed, or how large it is.

        Args:
            peer: with whom.
            job: what is run.
            clearance: under which ticket.

        Raises:
            TicketRefused: the ticket does not cover it, by the clock of the store.
            Refusal: `replayed`, `ticket-spent`, `ticket-twice` or `ticket-stage`; nothing was
                counted.
            LocalFault: it cannot be written.
        """
        run = Run(self, self._settings, peer, job, clearance)
        run.begin()
        try:
            yield run
        except BaseException as error:
            run.fail(error)
            raise
        if not run.is_over:
            raise ApiMisuse("a run that was begun has no end")

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
            TicketRefused, Refusal, LocalFault: as `run`.
        """
        ticket = clearance.verified.ticket
        us = self._settings.node.role
        sizes = {us if job.we_receive else other(us): sum(asked.values())}
        with self.writing() as (connection, at):
            cover(self._settings, peer, job, clearance.data, at, ours=columns, sizes=sizes)
            charge = _charge(peer, job, clearance, asked, "theirs")
            most = dict.fromkeys(asked, _in_all(ticket, us if job.we_receive else other(us)))
            daily = peer.daily_inquiries
            allowed = Allowance(daily=daily, inquiries=ticket.inquiries, elements=most)
            self.limits.charge(connection, charge, allowed)
            facts: dict[str, Any] = {"peer": peer.name, "session": job.session}
            facts["elements"] = dict(asked)
            facts |= _under(job, clearance, columns)
            facts |= _decided(connection, at, peer, job, clearance, columns)
            audit.append(connection, at, "inquiry_answered", facts)

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
            cover(self._settings, peer, job, clearance.data, at, ours=columns)
            facts: dict[str, Any] = {"peer": peer.name, "session": job.session}
            facts["sets"] = [spec.name for spec in job.sets]
            facts |= _under(job, clearance, columns)
            facts |= _decided(connection, at, peer, job, clearance, columns)
            audit.append(connection, at, "tables_given", facts)


class Run:
    """One run, from when it was charged to the receipts; made by `Books.run`.

    Attributes:
        is_over: whether its end was written down.
    """

    def __init__(
        self,
        books: Books,
        settings: Settings,
        peer: PeerSettings,
        job: Job,
        clearance: Clearance,
    ) -> None:
        self.is_over = False
        self._books, self._settings = books, settings
        self._peer, self._job, self._clearance = peer, job, clearance
        self._facts = {"peer": peer.name, "session": job.session, "way": job.way}
        self._facts |= _under(job, clearance, ())
        self._sides = (Side((), ()),) * 2  # until they are known
        self._names = [spec.name for spec in job.sets]
        self._began: datetime | None = None
        self._ours: receipts.Receipt | None = None

    def begin(self) -> None:
        """Charges it and writes down that it begins; as `Books.run`."""
        job, peer, ticket = self._job, self._peer, self._clearance.verified.ticket
        charge = _charge(peer, job, self._clearance, {}, _asker(job))
        with self._books.writing() as (connection, at):
            cover(self._settings, peer, job, self._clearance.data, at)
            facts: dict[str, Any] = {"sets": self._names, "learns": self._learns()}
            facts |= {**self._facts, **self._books.by}
            facts |= _decided(connection, at, peer, job, self._clearance, ())
            audit.append(connection, at, "run_begun", facts)
            self._books.limits.charge(connection, charge, Allowance(runs=ticket.runs))
            stages.must_have_ended(connection, ticket, job.way, self._names)
        self._began = at

    def bring(self, ours: Side, theirs: Side) -> None:
        """Checks what both sides bring, before anything of it is said.

        Args:
            ours: what we bring.
            theirs: what the peer brings, as it says.

        Raises:
            TicketRefused: the ticket does not cover it, by the clock of the store.
            Refusal: `ticket-stage` or `ticket-other-input`.
            LocalFault: the store cannot be read.
        """
        job, peer, ticket = self._job, self._peer, self._clearance.verified.ticket
        data, told, learnt = self._clearance.data, ours.columns, theirs.columns
        us, size, store = self._settings.node.role, ours.largest, self._books.limits.store
        sizes = {} if size is None else {us: size}
        with store.reading() as connection:
            at = store.now(connection)
            cover(self._settings, peer, job, data, at, ours=told, theirs=learnt, sizes=sizes)
            inputs = ours.inputs, theirs.inputs
            stages.must_follow(connection, ticket, job.way, self._names, *inputs)
        self._sides = ours, theirs

    def count(self, ours: Sequence[int], theirs: Sequence[int]) -> None:
        """Counts what is brought by whoever learns, sets and elements; on disk when this returns.

        Args:
            ours: size of our side of each set, as it is shown.
            theirs: of the peer's.

        Raises:
            Refusal: `over-limit`, `ticket-spent`, `difference` or `sweep`.
            LocalFault: it cannot be written.
        """
        job, peer, ticket = self._job, self._peer, self._clearance.verified.ticket
        daily, us = peer.daily_elements, self._settings.node.role
        if daily is None:
            daily = DAILY_SETS * size_class(peer.max_elements)
        asked: list[tuple[Whose, Sequence[int], Party, int | None]] = []
        if job.they_learn:
            asked.append(("theirs", theirs, other(us), daily))
        if job.we_learn:
            asked.append(("ours", ours, us, None))
        own, other_side = self._sides
        with self._books.writing() as (connection, at):
            _must_be_apart(connection, peer, job, self._clearance, own)
            for name, digest in zip(self._names, own.digests, strict=False):
                differences.keep(connection, peer.partner, name, digest, at)
            sweeps = Sweeps(self._settings, peer)
            for name, blocks in zip(self._names, own.blocks, strict=False):
                sweeps.keep(connection, name, blocks, at)
            if job.they_learn:
                for name, commitment in zip(self._names, other_side.inputs, strict=True):
                    differences.count_input(
                        connection, peer.partner, name, commitment, at, peer.daily_sets
                    )
            for whose, sizes, party, most in asked:
                elements = dict(zip(self._names, sizes, strict=True))
                charge = _charge(peer, job, self._clearance, elements, whose)
                in_all = dict.fromkeys(self._names, _in_all(ticket, party))
                allowed = Allowance(daily=most, elements=in_all)
                self._books.limits.bring(connection, charge, allowed)

    def end(self, facts: Facts) -> bytes:
        """Writes down that it ended well, and returns our receipt, for the peer.

        Raises:
            LocalFault: it cannot be written.
            CertificateError: this node's certificate or key cannot be used now.
        """
        job, names = self._job, self._names
        ours, theirs = self._sides
        credentials = self._credentials()
        with self._books.writing() as (connection, at):
            line = self._facts | {
                "ours": dict(zip(names, facts.ours, strict=True)),
                "theirs": dict(zip(names, facts.theirs, strict=True)),
                "said_bytes": facts.said_bytes,
                "heard_bytes": facts.heard_bytes,
                "milliseconds": self._milliseconds(at),
            }
            if facts.found is not None:
                found = zip(names, facts.found, strict=True)
                line["found"] = {name: count for name, count in found if count is not None}
            audit.append(connection, at, "run_ended", line)
            if columns := [each.name for each in (*ours.columns, *theirs.columns)]:
                told = {"learns": self._learns(), "columns": sorted({*columns})}
                audit.append(connection, at, "disclosure", self._disclosed(told))
            self._books.limits.end_run(connection, self._peer.partner, job.session, "done")
            ticket, inputs = self._clearance.verified.ticket, (ours.inputs, theirs.inputs)
            stages.keep(connection, ticket, job.way, names, *inputs)
            receipt = self._receipt(facts, at)
            signed = audit.keep_ours(connection, at, receipt, credentials)
            self._ours = signed.receipt
        self.is_over = True
        return signed.data

    def confirm(self, data: bytes) -> None:
        """Keeps the peer's receipt.

        Raises:
            AuditRefused: it is none of this run, or says something else than ours.
            LocalFault: it cannot be written.
        """
        ours = self._ours
        if ours is None:
            raise ApiMisuse("a peer's receipt is kept after our own was given")
        theirs = receipts.read_answer(data, ours, read_pin(self._peer).why_not)
        if wrong := audit.agree(ours, theirs.receipt):
            raise AuditRefused(
                "receipt-other",
                f"the receipt of {self._peer.name} says otherwise than ours: {', '.join(wrong)}",
            )
        credentials = self._credentials()
        with self._books.writing() as (connection, at):
            audit.keep_theirs(connection, at, theirs, credentials)

    def fail(self, error: BaseException) -> None:
        """Writes down that it broke, unless its end was written down before."""
        if self.is_over:
            return
        self.is_over = True
        try:
            with self._books.writing() as (connection, at):
                facts = {"code": _word(error), "milliseconds": self._milliseconds(at)}
                audit.append(connection, at, "run_failed", self._facts | facts)
                session = self._job.session
                self._books.limits.end_run(connection, self._peer.partner, session, "failed")
        except (LocalFault, ApiMisuse) as fault:
            # Or its end was written, and only the database's answer was lost. The error that broke
            # the run is the one to be told.
            logs.Log(peer=self._peer.name).warning("books_failed", why=str(fault))

    def _credentials(self) -> Credentials:
        node = self._settings.node
        return read_credentials(Identity(node.certificate, node.key))

    def _learns(self) -> str:
        return "both" if self._job.both_learn else ("us" if self._job.we_learn else "peer")

    def _disclosed(self, told: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in self._facts.items() if name != "way"} | told

    def _milliseconds(self, at: datetime) -> int:
        assert self._began is not None, "a run is begun before it ends"  # noqa: S101
        # An administrator may have set the store's clock back meanwhile.
        return max(0, round((at - self._began).total_seconds() * 1000))

    def _receipt(self, facts: Facts, at: datetime) -> receipts.Receipt:
        job, us = self._job, self._settings.node.role
        assert self._began is not None, "a run is begun before it ends"  # noqa: S101
        verified = self._clearance.verified
        found = facts.found if job.both_learn else None
        order = 1 if us == "insurer" else -1
        insurer, police = (facts.ours, facts.theirs)[::order]
        of_insurer, of_police = self._sides[::order]
        sets = [
            receipts.SetReceipt(
                name=name,
                protocol=facts.protocols[n],
                insurer=insurer[n],
                police=police[n],
                found=None if found is None else found[n],
                insurer_input=of_insurer.inputs[n].hex(),
                police_input=of_police.inputs[n].hex(),
            )
            for n, name in enumerate(self._names)
        ]
        return receipts.Receipt(
            session=job.session,
            ticket=verified.ticket.id,
            ticket_digest=verified.digest,
            insurer=verified.ticket.insurer,
            police=verified.ticket.police,
            way=job.way,
            stage=str(self._facts["stage"]),
            learns="both" if job.both_learn else (us if job.we_learn else other(us)),
            sets=tuple(sets),
            said_bytes=facts.said_bytes,
            heard_bytes=facts.heard_bytes,
            transcript=facts.transcript.hex(),
            started=stamp(min(self._began, at)),
            ended=stamp(at),
            outcome=receipts.DONE,
            signer=us,
            place=Place(0, bytes(32)),
        )


def _charge(
    peer: PeerSettings, job: Job, clearance: Clearance, asked: Mapping[str, int], whose: Whose
) -> Charge:
    ticket, digest = clearance.verified.ticket.id, clearance.verified.digest
    return Charge(peer.partner, job.session, job.way, asked, ticket, digest, whose)


def _in_all(ticket: Ticket, party: Party) -> int:
    """Elements of a set that a party may bring under a ticket: what its other bounds come to.

    The size of a set is seen as its class.
    """
    return ticket.runs * size_class(ticket.max_elements[party]) + ticket.inquiries


def _must_be_apart(
    connection: Connection, peer: PeerSettings, job: Job, clearance: Clearance, ours: Side
) -> None:
    floor = clearance.verified.ticket.floor
    for spec, digest in zip(job.sets, ours.digests, strict=False):  # none, unless we count
        differences.must_be_apart(connection, peer.partner, spec.name, digest, floor)


def _asker(job: Job) -> Whose:
    """Who a run is for; the partner, if it is for both."""
    return "theirs" if job.they_learn else "ours"


def _under(job: Job, clearance: Clearance, columns: Sequence[Column]) -> dict[str, str]:
    """Under which ticket and for which of its stages."""
    *_, stage = stages_of(job.way, columns=bool(columns))
    return {"ticket": clearance.verified.ticket.id, "stage": stage}


def _decided(
    connection: Connection,
    at: datetime,
    peer: PeerSettings,
    job: Job,
    clearance: Clearance,
    columns: Sequence[Column],
) -> dict[str, Any]:
    """The line that says how people have decided on this stage."""
    verified, told = clearance.verified, bool(columns)
    line = decisions.decided(connection, at, peer.name, verified, job.way, columns=told)
    return {"decision": line}


def _word(error: BaseException) -> str:
    match error:
        case PartyError() | PsiError():
            return code_of(error)
        case KeyboardInterrupt():
            return "interrupted"
        case GeneratorExit():
            return "given-up"
        case _:
            return "internal"
