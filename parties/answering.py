"""The hallway of the answering node: what it does for one caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from parties import inquiries, logs, receipting, submissions
from parties.agreement import Proposed, accept, read_proposal
from parties.channel.codes import TooManyCalls
from parties.clearance import cover
from parties.commitments import commit, key_of
from parties.disclosure import disclosed
from parties.errors import PartyError, PeerLost, TicketRefused, code_of
from parties.folders import session_folder
from parties.holdings import Holdings
from parties.identifiers.rejects import NAME
from parties.inquiry_books import InquiryBooks
from parties.jobs import (
    deliver,
    deliver_list,
    facts_of,
    found_by_both,
    largest,
    prepare,
    run,
    sizes,
    withhold,
)
from parties.parting import part
from parties.recipients import named, recipients
from parties.refusals import Refusal
from parties.reports import totals
from parties.runs import Side, digests_of, running
from parties.settings import PeerSettings, Settings
from parties.sources import Source, open_source
from parties.standing import hear, parse
from parties.tally import Tally
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Meter, PsiError
from psi.errors import UnexpectedMessage
from psi.lazily import NamedTuple

JOBS: Final = 4
"""Jobs with whole sets that are answered at once: each holds a set, and an inquiry does not."""


class _Node(NamedTuple):
    """What the answers to all callers share.

    Attributes:
        settings: of this node.
        source: rows to answer with; those of the settings if None.
        holdings: what inquiries need.
        books: in which is written down what is done.
        jobs: places of jobs with whole sets.
    """

    settings: Settings
    source: Source | None
    holdings: Holdings
    books: InquiryBooks
    jobs: threading.BoundedSemaphore


class Hallway:
    """Makes this node's side of a caller's dialogue, from the caller's name and the session.

    Args:
        settings: of this node.
        source: rows to answer with; those of the settings if None.
    """

    def __init__(self, settings: Settings, source: Source | None) -> None:
        jobs = threading.BoundedSemaphore(JOBS)
        self._node = _Node(settings, source, Holdings(settings), InquiryBooks(settings), jobs)

    def __call__(self, name: str, session: str) -> Dialogue[None]:
        """Of a dialogue that is carried as it is said."""
        return _answer(self._node, name, session, at_once=False)

    @property
    def books(self) -> InquiryBooks:
        """In which is written down what is done."""
        return self._node.books

    def handed(self, name: str, session: str) -> Dialogue[None]:
        """Of one in which the caller hands over a letter about a clue."""
        from parties.clues.posting import take  # most nodes are handed none

        return take(self._node.settings, self._node.books, name, session)

    def at_once(self, name: str, session: str) -> Dialogue[None]:
        """Of one of which the caller says all at once: inquiries of tables that it knows, tickets.

        Everything else may say more than is held at once, or compute for longer than who hears
        nothing meanwhile should wait.
        """
        return _answer(self._node, name, session, at_once=True)


def answers(settings: Settings, source: Source | None = None) -> Hallway:
    """Returns what makes this node's side of a caller's dialogue.

    Args:
        settings: of this node.
        source: rows to answer with, for example an `ArrowSource`; those of the settings if None.
    """
    return Hallway(settings, source)


def _answer(node: _Node, name: str, session: str, *, at_once: bool) -> Dialogue[None]:
    log, tally = logs.Log(peer=name, session=session), Tally()
    try:
        heard = yield from tally.of(hear())
        proposal = parse(wire.Proposal, heard)
        if submissions.is_about_ticket(proposal):
            peer = node.settings.peer(name)
            yield from submissions.answer(node.settings, peer, proposal, session, node.books)
            return
        if receipting.is_of_receipts(proposal):
            peer = node.settings.peer(name)
            yield from receipting.answer(node.settings, peer, proposal, session, node.books)
            return
        with node.books.refusals(name, session):
            yield from _converse(node, name, session, heard, tally, log, at_once=at_once)
    except (PartyError, PsiError) as error:
        # The peer gets the code alone; the sentence is for this node's operator.
        event = "job_refused" if isinstance(error, (Refusal, TicketRefused)) else "job_failed"
        log.warning(event, code=code_of(error), why=str(error))
        raise


@contextmanager
def _one_of(jobs: threading.BoundedSemaphore) -> Iterator[None]:
    """Takes a place of a job that brings whole sets, if there is one."""
    if not jobs.acquire(blocking=False):
        raise TooManyCalls(f"this node runs {JOBS} jobs with whole sets at once")
    try:
        yield
    finally:
        jobs.release()


@contextmanager
def _swept(folder: Path) -> Iterator[None]:
    """Removes the report of rejects if the job was refused, or the peer has ended it.

    Else callers could fill the disk.
    """
    try:
        yield
    except (GeneratorExit, PsiError, PeerLost, Refusal, TicketRefused):
        (folder / NAME).unlink(missing_ok=True)
        raise


def _converse(
    node: _Node,
    name: str,
    session: str,
    heard: bytes,
    tally: Tally,
    log: logs.Log,
    *,
    at_once: bool,
) -> Dialogue[None]:
    settings = node.settings
    peer = settings.peer(name)
    proposed = read_proposal(settings, peer, session, heard)
    job, clearance = proposed.job, proposed.clearance
    if at_once and not proposed.tables:
        raise UnexpectedMessage("Proposal: all at once, and of no inquiry of known tables")
    log.info("job_proposed", way=job.way, we_receive=job.we_receive, both_learn=job.both_learn)
    logs.must_be_writable()
    node.books.received(peer, clearance)
    if job.way == "inquire":
        yield from _inquired(node, peer, proposed, tally, log)
        return
    writes = job.way != "count" and job.we_learn
    sealed_to = recipients(settings, None, datetime.now(UTC)) if writes else ()
    with (
        _one_of(node.jobs),
        # Charged before a row is read: what is refused from then on may tell something of a set.
        # And before there is a folder: of a session that is said again there is one already.
        running(node.books, peer, job, clearance) as begun,
        session_folder(settings.node.results, session) as folder,
        _swept(folder),
    ):
        source = node.source or open_source(settings.source)  # 1 rows
        columns = disclosed(source, peer.disclose) if job.we_disclose else ()
        data, now, told = clearance.data, datetime.now(UTC), proposed.theirs.columns
        cover(settings, peer, job, data, now, ours=columns, theirs=told)
        leaves = partial(node.books.leaves, session, clearance)
        key = key_of(settings, clearance.verified.digest)
        ours = prepare(  # 2, 3 elements
            source, job.sets, columns, folder, we_learn=job.we_learn, leaves=leaves, key=key
        )
        exact = not settings.node.pad_sizes
        said = sizes(job, ours, proposed.max_elements, exact=exact)
        inputs = commit(key, ours.sets)
        digests = digests_of(settings, job, ours.sets)
        brought = Side(columns, inputs, largest(job, ours), digests, ours.blocks)
        begun.bring(brought, proposed.theirs)
        terms = yield from tally.of(accept(settings, peer, proposed, brought, said))
        begun.count(terms.ours, terms.theirs)
        dialogue = run(job, terms, ours, exact=exact, meter=Meter())  # 4, 5
        learnt = yield from tally.of(dialogue)
        learnt = withhold(learnt, clearance.verified.ticket.floor)
        receipt = begun.end(facts_of(terms, learnt, tally))
        yield from part(begun, receipt, found_by_both(job, learnt))
        rows = None
        if any(each.hits is not None for each in learnt):
            leaves()
            if job.way == "list":
                result = named(folder / "list.parquet", sealed_to)
                rows = deliver_list(learnt, source, result, "parquet", sealed_to)
            else:  # 6 joined rows
                result = named(folder / "joined.parquet", sealed_to)
                rows = deliver(learnt, source, peer.name, result, "parquet", sealed_to)
    log.info("job_done", rows=rows, **totals(job, learnt))


def _inquired(
    node: _Node, peer: PeerSettings, proposed: Proposed, tally: Tally, log: logs.Log
) -> Dialogue[None]:
    settings, holdings, job = node.settings, node.holdings, proposed.job
    dialogue = inquiries.answer(
        settings, peer, proposed, holdings.key, holdings.sign, node.books, tally
    )
    asked = yield from tally.of(dialogue)
    log.info("inquiry_answered", sets=[spec.name for spec in job.sets], elements=asked)
