"""The hallway of an inquirer: from a few identifiers to what insurers or police hold under them."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from parties import logs
from parties.asking_again import Known, ask_again, fits, known_from, reopened
from parties.channel import Identity, Peer
from parties.channel.line import Carried
from parties.clearance import Clearance, cover, find, must_be_another
from parties.disclosure import cells
from parties.errors import (
    CertificateError,
    PartyError,
    PeerRefused,
    PeerUnreachable,
    TableRefused,
    TicketRefused,
    code_of,
)
from parties.few import match_few
from parties.identifiers import Block
from parties.inquiries import Answer, Question, ask
from parties.inquiry_books import InquiryBooks
from parties.inquiry_reports import Asked, InquiryFailure, InquiryReport, Told, question_of
from parties.job import Job
from parties.operators.acting import Acting
from parties.receipts_due import Receipts
from parties.refusals import Refusal
from parties.settings import Settings
from parties.tally import Tally
from psi import Dialogue, Meter, PsiError
from psi.lazily import NamedTuple, np

_NOT_ANSWERED: Final = (CertificateError, PeerRefused, PeerUnreachable, TableRefused)
"""Errors after which an inquiry is not counted here: it was not asked, or refused. After any other
the peer may have answered."""


class _Heard(NamedTuple):
    """What was heard of a peer.

    Attributes:
        answers: one for each question.
        tally: of the messages.
        carried: by the connection.
    """

    answers: list[Answer]
    tally: Tally
    carried: Carried


class Inquirer:
    """Asks one peer, again and again; stays connected until it is closed. For several threads.

    Args:
        settings: of this node.
        peer: the name of whom to ask.
        ticket: the file of the ticket; None for the only one in the folder of tickets that covers
            a question.
        acting: who asks; None if nobody has said so.

    Raises:
        SettingsError: there is no such peer.
    """

    def __init__(
        self,
        settings: Settings,
        peer: str,
        ticket: Path | None = None,
        acting: Acting | None = None,
    ) -> None:
        self._settings = settings
        self._ticket, self._acting = ticket, acting
        self._peer = settings.peer(peer)
        self._idle: list[Peer] = []  # taken and put back by one thread each
        self._known: dict[str, Known] = {}  # by set; one thread's is as good as another's
        self._books = InquiryBooks(settings, acting)
        self._noting = ThreadPoolExecutor(1, thread_name_prefix="noting")  # a store has one writer
        self._receipts = Receipts(settings, self._peer, self._books, self._give)
        self._cleared: dict[tuple[str, ...], Clearance] = {}  # by sets; likewise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(kind)

    def close(self) -> None:
        """Exchanges the receipts that are due, and hangs up.

        Raises:
            PartyError: the peer refuses its receipt, or it is none of what was asked; or something
                cannot be written. If it is not there any more, receipts wait for the next time.
            PeerError: the peer said something else than an honest one.
        """
        self._close(None)

    def _close(self, error: type[BaseException] | None) -> None:
        try:
            self._receipts.end(error)
        finally:
            while (node := self._taken()) is not None:
                node.__exit__()
            self._noting.shutdown()
            self._books.close()

    def ask(self, asked: Mapping[str, Sequence[str]], meter: Meter | None = None) -> InquiryReport:
        """Asks about identifiers; the peer learns how many of each set, and nothing else.

        Its tables are fetched first, as far as they are not here yet; sets without an identifier
        are fetched only.

        Args:
            asked: identifiers as people write them, by set.
            meter: counts what is done.

        Raises:
            PartyError: see `parties.errors`; nothing was learnt.
            PeerError: the peer said something else than an honest one; nothing was learnt.
        """
        began, session = time.monotonic(), secrets.token_hex(16)
        specs = self._settings.sets(tuple(asked))
        pairs = [question_of(spec, asked[spec.name]) for spec in specs]
        questions = [question for _, question in pairs]
        log = logs.Log(peer=self._peer.name, session=session)
        sizes = [len(question.elements) for question in questions]
        log.info("inquiry_asked", sets=[spec.name for spec in specs], elements=sizes)
        logs.must_be_writable()
        self._receipts.must_be_given()
        job = Job(session, "inquire", specs, we_receive=True)
        counts = {spec.name: size for spec, size in zip(specs, sizes, strict=True) if size}
        with self._books.refusals(self._peer.name, session):
            clearance = self._clearance(job)
            # The disk takes as long as the peer: both at once. It is written before anything that
            # was learnt is given to anybody, and if it cannot be, nothing is.
            blocks = {each.spec.name: each.blocks for each in questions}
            noted = self._noting.submit(self._note, job, clearance, counts, blocks)
            asking, is_refused = (job, questions, clearance, meter or Meter()), False
            try:
                try:
                    heard = self._heard(*asking)
                except PeerRefused as refusal:
                    if refusal.code != "receipts-due":
                        raise
                    is_refused = True  # whatever becomes of the receipts
                    self._receipts.give()
                    is_refused = False
                    heard = self._heard(*asking)
            except (PartyError, PsiError) as error:
                if noted.exception() is None:
                    if is_refused or isinstance(error, _NOT_ANSWERED):
                        self._noting.submit(self._take_back, job, clearance, counts).result()
                    elif counts:
                        self._books.answered(self._peer, job, (), Tally(), code_of(error))
                raise
            finally:
                wait([noted])
            if counts:
                if isinstance(noted.exception(), Refusal | TicketRefused):
                    # The answer is for nobody, and the peer is due a receipt of it all the same.
                    refused = self._books.was_answered
                    self._noting.submit(refused, self._peer, job, clearance, counts).result()
                columns = [column for each in heard.answers for column in each.manifest.columns]
                self._books.answered(self._peer, job, columns, heard.tally)
                self._receipts.one_more()
            noted.result()
        told = [
            each
            for (given, _), answer in zip(pairs, heard.answers, strict=True)
            for each in _told(given, answer)
        ]
        log.info("inquiry_done", elements=sizes, found=sum(each.records > 0 for each in told))
        return InquiryReport(
            session=session,
            peer=self._peer.name,
            epochs={each.manifest.set: each.manifest.epoch for each in heard.answers},
            reason="from the table that the peer has prepared",
            told=tuple(told),
            said_bytes=heard.carried.said_bytes,
            heard_bytes=heard.carried.heard_bytes,
            seconds=round(time.monotonic() - began, 3),
        )

    def _note(
        self,
        job: Job,
        clearance: Clearance,
        counts: Mapping[str, int],
        blocks: Mapping[str, Mapping[Block, Set[int]]],
    ) -> None:
        if counts:
            self._books.inquiry_asked(self._peer, job, clearance, counts, blocks)

    def _take_back(self, job: Job, clearance: Clearance, counts: Mapping[str, int]) -> None:
        if counts:
            self._books.inquiry_not_answered(self._peer, job, clearance, counts)

    def _clearance(self, job: Job) -> Clearance:
        """The ticket of a question: the one of before, as long as it covers it."""
        settings, peer, now = self._settings, self._peer, datetime.now(UTC)
        place = tuple(spec.name for spec in job.sets)
        if (known := self._cleared.get(place)) is not None:
            try:
                return cover(settings, peer, job, known.data, now)
            except TicketRefused:
                self._cleared.pop(place, None)  # another thread may have been faster
        found = find(settings, peer, job, now, path=self._ticket)
        must_be_another(self._acting, found, settings.node.role)
        self._cleared[place] = found
        return found

    def _heard(
        self, job: Job, questions: Sequence[Question], clearance: Clearance, meter: Meter
    ) -> _Heard:
        """Asks over a connection that nobody uses."""
        with self._connection() as node:
            return self._asked(node, job, questions, clearance, meter)

    def _asked(
        self,
        node: Peer,
        job: Job,
        questions: Sequence[Question],
        clearance: Clearance,
        meter: Meter,
    ) -> _Heard:
        """Asks. Whatever was refused before was not counted, so that the session is still good."""
        settings, peer, tally = self._settings, self._peer, Tally()
        known = self._known.get(questions[0].spec.name) if fits(questions) else None
        opened = None if known is None else reopened(settings, peer, questions[0], known)
        if known is not None and opened is not None:
            once, asked = Meter(), (questions[0], clearance, known, opened)
            again = ask_again(settings, peer, job, *asked, once, tally)
            try:
                answer = node.exchange(tally.of(again), job.session)
            except PeerRefused as refused:
                if refused.code != "other-tables":
                    raise  # else it has prepared since
            else:
                meter.total, meter.done = meter.total + once.total, meter.done + once.done
                return _Heard([answer], tally, node.carried)
        tally = Tally()
        try:
            dialogue = ask(settings, peer, job, questions, clearance, meter, tally)
            answers = node.call(tally.of(dialogue), job.session)
        except TableRefused as refused:
            if refused.code != "manifest-stale":
                raise
            # It is no fault of the peer's if another question of this node has fetched a younger
            # table since the peer said which one it has.
            tally = Tally()
            dialogue = ask(settings, peer, job, questions, clearance, meter, tally)
            answers = node.call(tally.of(dialogue), job.session)
        if (known := known_from(answers)) is not None:
            self._known[known.manifest.set] = known
        return _Heard(answers.sets, tally, node.carried)

    def _give(self, dialogue: Dialogue[bytes], session: str) -> bytes:
        """Carries a receipt to the peer."""
        with self._connection() as node:
            return node.exchange(dialogue, session)

    @contextmanager
    def _connection(self) -> Iterator[Peer]:
        """A connection that nobody uses meanwhile."""
        node = self._taken() or self._connected()
        try:
            yield node
        finally:
            self._idle.append(node)

    def _taken(self) -> Peer | None:
        """A connection that nobody uses, if there is one."""
        try:
            return self._idle.pop()
        except IndexError:  # or another thread was faster
            return None

    def _connected(self) -> Peer:
        node = self._settings.node
        identity = Identity(node.certificate, node.key)
        return Peer(identity, self._peer, patience=node.patience).__enter__()


class AsyncInquirer:
    """As `Inquirer`, for programs that run an event loop, which goes on meanwhile.

    Several questions may be asked at once; each runs in a thread of the loop's pool.
    """

    def __init__(
        self,
        settings: Settings,
        peer: str,
        ticket: Path | None = None,
        acting: Acting | None = None,
    ) -> None:
        self._inquirer = Inquirer(settings, peer, ticket, acting)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await asyncio.to_thread(self._inquirer.__exit__, kind)

    async def ask(self, asked: Mapping[str, Sequence[str]]) -> InquiryReport:
        """As `Inquirer.ask`."""
        return await asyncio.to_thread(self._inquirer.ask, asked)


def inquire(
    settings: Settings,
    peer: str,
    asked: Mapping[str, Sequence[str]],
    meter: Meter,
    ticket: Path | None = None,
    acting: Acting | None = None,
) -> InquiryReport:
    """Asks a peer once, as `Inquirer.ask`; without a table, if it has prepared none.

    A match says about as much for each question as a table does once, and works through all of the
    peer's records each time. So a table is taken where there is one, and else a match if the peer
    allows it.
    """
    try:
        with Inquirer(settings, peer, ticket, acting) as inquirer:
            return inquirer.ask(asked, meter)
    except PeerRefused as refused:
        if refused.code != "no-table" or not any(asked.values()):
            raise
        try:
            return match_few(settings, peer, asked, meter, ticket, acting)
        except PeerRefused as other:
            if other.code != "way-not-allowed":
                raise
            raise refused from None  # it does not allow a match: what it lacks is the table


def inquire_all(
    settings: Settings,
    peers: Sequence[str],
    asked: Mapping[str, Sequence[str]],
    meter: Meter,
    ticket: Path | None = None,
    acting: Acting | None = None,
) -> list[InquiryReport | InquiryFailure]:
    """Asks several peers at once; as `Inquirer.ask`, but one's error is not the others'."""
    if len(peers) == 1:
        return [_one(settings, peers[0], asked, meter, ticket, acting)]
    answers: dict[int, InquiryReport | InquiryFailure] = {}

    def ask_one(number: int) -> None:
        answers[number] = _one(settings, peers[number], asked, meter, ticket, acting)

    # Daemons: who interrupts the program does not wait for a peer.
    threads = [
        threading.Thread(target=ask_one, args=(number,), name="inquiry", daemon=True)
        for number in range(len(peers))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(peers))]


def _one(
    settings: Settings,
    peer: str,
    asked: Mapping[str, Sequence[str]],
    meter: Meter,
    ticket: Path | None,
    acting: Acting | None,
) -> InquiryReport | InquiryFailure:
    try:
        return inquire(settings, peer, asked, meter, ticket, acting)
    except (PartyError, PsiError) as error:
        return InquiryFailure(peer, error)


def _told(asked: Sequence[Asked], answer: Answer) -> list[Told]:
    manifest, found = answer.manifest, answer.found()
    rows: list[list[dict[str, Any]]] = [[] for _ in found.counts]
    if manifest.label is not None:
        records = cells(np.ascontiguousarray(found.labels), manifest.columns)
        for position, row in zip(found.positions.tolist(), records, strict=True):
            rows[position].append(row)
    return [
        Told(
            set=each.set,
            value=each.value,
            records=0 if each.element is None else int(found.counts[each.element]),
            rows=None
            if manifest.label is None
            else ([] if each.element is None else rows[each.element]),
            reason=each.reason,
            asked=each.element is not None,
        )
        for each in asked
    ]
