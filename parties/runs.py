"""A run with whole sets, as the books have it: charged, begun, counted, and ended with receipts.

It is written down as begun, and charged, before anything is said that depends on data; what is
refused then has changed nothing. It ends with receipts that both nodes sign, or as failed. A
process that was killed leaves a run that was begun and has no end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from parties import audit, logs, partner_inputs, stages
from parties.audit import receipt as receipts
from parties.audit.chain import Place, stamp
from parties.audit.facts import DONE
from parties.books import Books, charge_of, in_all, under
from parties.channel.pinning import read_pin
from parties.clearance import Clearance, cover
from parties.credentials import Credentials, Identity, read_credentials
from parties.disclosure import Column
from parties.errors import AuditRefused, LocalFault, PartyError, code_of
from parties.identifiers import Block, IdentifiedSet
from parties.job import Job
from parties.limits import Allowance, Whose
from parties.operators import Party
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.store import Connection
from psi import PsiError
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple, unread
from psi.subprotocols.decoys import size_class

with unread("parties.differences", "parties.sweeps"):  # which counts need, and lists of few alone
    from parties import differences, sweeps

if TYPE_CHECKING:
    from parties.differences import Digest

DAILY_SETS: Final = 10
"""Sets of the largest size that a partner may bring in a day, where the settings do not say: the
three stages of the three kinds of identifiers that a claim has (a person, a car, a phone), and one
more, for a run that broke."""


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


def digests_of(settings: Settings, job: Job, sets: Sequence[IdentifiedSet]) -> Sequence[Digest]:
    """Returns what is kept of sets with which this node counts; nothing of others.

    Args:
        settings: of this node.
        job: what is run.
        sets: what we bring into it. Secret.

    Raises:
        LocalFault: the key of digests cannot be kept.
    """
    return differences.digests_of(settings, sets) if job.we_count else ()


def may_ask(books: Books, peer: PeerSettings, job: Job, clearance: Clearance, ours: Side) -> None:
    """Looks whether we may ask with our sets, after those of before, and writes nothing.

    Raises:
        Refusal: `difference` or `sweep`.
        LocalFault: the store cannot be read.
    """
    store = books.limits.store  # opened here, before the peer is called
    if not ours.digests and not any(ours.blocks):
        return
    with store.reading() as connection:
        _must_be_apart(connection, peer, job, clearance, ours)
        at, swept = store.now(connection), sweeps.Sweeps(books.settings, peer)
        for spec, blocks in zip(job.sets, ours.blocks, strict=False):
            swept.look(connection, spec.name, blocks, at)


@contextmanager
def running(books: Books, peer: PeerSettings, job: Job, clearance: Clearance) -> Iterator[Run]:
    """Charges a run and writes down that it begins, and how it ends.

    Whatever happens within the block, and whatever is told then, has cost the run: so nobody
    finds out for nothing whether a set has changed, or how large it is.

    Args:
        books: of this node.
        peer: with whom.
        job: what is run.
        clearance: under which ticket.

    Raises:
        TicketRefused: the ticket does not cover it, by the clock of the store.
        Refusal: `replayed`, `ticket-spent`, `ticket-twice` or `ticket-stage`; nothing was
            counted.
        LocalFault: it cannot be written.
    """
    run = Run(books, peer, job, clearance)
    run.begin()
    try:
        yield run
    except BaseException as error:
        run.fail(error)
        raise
    if not run.is_over:
        raise ApiMisuse("a run that was begun has no end")


class Run:
    """One run, from when it was charged to the receipts; made by `running`.

    Attributes:
        is_over: whether its end was written down.
    """

    def __init__(self, books: Books, peer: PeerSettings, job: Job, clearance: Clearance) -> None:
        self.is_over = False
        self._books, self._settings = books, books.settings
        self._peer, self._job, self._clearance = peer, job, clearance
        self._facts = {"peer": peer.name, "session": job.session, "way": job.way}
        self._facts |= under(job, clearance, ())
        self._sides = (Side((), ()),) * 2  # until they are known
        self._names = [spec.name for spec in job.sets]
        self._began: datetime | None = None
        self._ours: receipts.Receipt | None = None

    def begin(self) -> None:
        """Charges it and writes down that it begins; as `running`."""
        job, peer, ticket = self._job, self._peer, self._clearance.verified.ticket
        charge = charge_of(peer, job, self._clearance, {}, _asker(job))
        # Writes nothing; but a connection for reading takes longer to open than this.
        with self._books.writing() as (connection, at):
            cover(self._settings, peer, job, self._clearance.data, at)
            facts = self._books.facts_of(connection, at, peer, job, self._clearance)
            facts |= {"way": job.way, "sets": self._names, "learns": self._learns()}
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
            LocalFault: the store cannot be read or locked.
        """
        job, peer, ticket = self._job, self._peer, self._clearance.verified.ticket
        data, told, learnt = self._clearance.data, ours.columns, theirs.columns
        us, size = self._settings.node.role, ours.largest
        sizes = {} if size is None else {us: size}
        # Writes nothing; but a connection for reading takes longer to open than this.
        with self._books.writing() as (connection, at):
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
            if any(own.blocks):
                swept = sweeps.Sweeps(self._settings, peer)
                for name, blocks in zip(self._names, own.blocks, strict=False):
                    swept.keep(connection, name, blocks, at)
            if job.they_learn:
                for name, commitment in zip(self._names, other_side.inputs, strict=True):
                    partner_inputs.count(
                        connection, peer.partner, name, commitment, at, peer.daily_sets
                    )
            for whose, sizes, party, most in asked:
                elements = dict(zip(self._names, sizes, strict=True))
                charge = charge_of(peer, job, self._clearance, elements, whose)
                most_in_all = dict.fromkeys(self._names, in_all(ticket, party))
                allowed = Allowance(daily=most, elements=most_in_all)
                self._books.limits.bring(connection, charge, allowed)

    def end(self, facts: Facts) -> bytes:
        """Writes down that it ended well, and returns our receipt, for the peer.

        Raises:
            LocalFault: it cannot be written.
            CertificateError: this node's certificate or key cannot be used now.
        """
        job, names = self._job, self._names
        ours, theirs = self._sides
        credentials = self._credentials
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
        credentials = self._credentials
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

    @cached_property
    def _credentials(self) -> Credentials:
        """With which both receipts of a run are kept, ours and then the peer's."""
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
            outcome=DONE,
            signer=us,
            place=Place(0, bytes(32)),
        )


def _must_be_apart(
    connection: Connection, peer: PeerSettings, job: Job, clearance: Clearance, ours: Side
) -> None:
    floor = clearance.verified.ticket.floor
    for spec, digest in zip(job.sets, ours.digests, strict=False):  # none, unless we count
        differences.must_be_apart(connection, peer.partner, spec.name, digest, floor)


def _asker(job: Job) -> Whose:
    """Who a run is for; the partner, if it is for both."""
    return "theirs" if job.they_learn else "ours"


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
