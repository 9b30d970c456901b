"""The hallway of the asking node: from its rows to joined rows, one room a step."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from parties import logs
from parties.agreement import choose, propose
from parties.books import Books
from parties.channel import Identity, Peer
from parties.clearance import Clearance, find, must_be_another
from parties.commitments import commit, key_of
from parties.disclosure import disclosed
from parties.errors import LocalFault
from parties.folders import session_folder
from parties.job import Job
from parties.jobs import (
    Learnt,
    Prepared,
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
from parties.joining import Format
from parties.operators.acting import Acting
from parties.parting import part
from parties.planning import choices
from parties.recipients import named, recipients
from parties.reports import JobReport, set_reports, totals
from parties.runs import Side, digests_of, may_ask, running
from parties.settings import PeerSettings, Settings, Way
from parties.sources import Source, open_source
from parties.tally import Tally
from psi import Dialogue, Meter
from psi.lazily import NamedTuple


class Question(NamedTuple):
    """What an operator asks.

    Attributes:
        way: count, list or match.
        peer: the name of the node to ask.
        sets: names of identifier sets; none for all.
        receive: whether we are the receiver; else the peer is, and learns instead of us.
        both: whether both learn.
        protocol: the one to run; None for what the planner finds fastest.
        out: the file for joined rows; None for one in the results folder.
        format: of that file.
        ticket: the file of the ticket; None for the only one in the folder of tickets that covers
            the job.
        acting: who asks; None if nobody has said so.
        sealed_to: public keys to which the file is sealed; None for those that the settings want.
    """

    way: Way
    peer: str
    sets: tuple[str, ...] = ()
    receive: bool = True
    both: bool = False
    protocol: str | None = None
    out: Path | None = None
    format: Format = "parquet"
    ticket: Path | None = None
    acting: Acting | None = None
    sealed_to: tuple[bytes, ...] | None = None


def ask(
    settings: Settings, question: Question, meter: Meter, source: Source | None = None
) -> JobReport:
    """Asks another node, and writes what was learnt.

    Args:
        settings: of this node.
        question: what is asked.
        meter: counts what is done.
        source: rows to ask with, for example an `ArrowSource`; those of the settings if None.

    Raises:
        PartyError: see `parties.errors`; nothing was learnt.
        PeerError: the peer said something else than an honest one; nothing was learnt.
    """
    began = time.monotonic()
    peer = settings.peer(question.peer)
    job = Job(
        session=secrets.token_hex(16),
        way=question.way,
        sets=settings.sets(question.sets),
        we_receive=question.receive,
        both_learn=question.both,
    )
    if question.out is not None and not os.access(question.out.parent, os.W_OK | os.X_OK):
        raise LocalFault(f"{question.out}: its folder is missing or may not be written")
    sealed_to = question.sealed_to
    if sealed_to is None:
        writes = job.way != "count" and job.we_learn
        now = datetime.now(UTC)
        sealed_to = recipients(settings, question.acting, now) if writes else ()
    log = logs.Log(peer=peer.name, session=job.session)
    log.info("job_asked", way=job.way, we_receive=job.we_receive, both_learn=job.both_learn)
    logs.must_be_writable()
    identity = Identity(settings.node.certificate, settings.node.key)
    node = Peer(identity, peer, patience=settings.node.patience)
    rows, result, books = None, None, Books(settings, question.acting)
    with closing(books), session_folder(settings.node.results, job.session) as folder:
        source = source or open_source(settings.source)  # 1 rows
        columns = disclosed(source, peer.disclose) if job.we_disclose else ()
        with books.refusals(peer.name, job.session):
            clearance = find(
                settings,
                peer,
                job,
                datetime.now(UTC),
                ours=columns,
                protocols=() if question.protocol is None else (question.protocol,),
                path=question.ticket,
            )
            must_be_another(question.acting, clearance, settings.node.role)
        leaves = partial(books.leaves, job.session, clearance)
        key = key_of(settings, clearance.verified.digest)
        ours = prepare(  # 2, 3 elements
            source, job.sets, columns, folder, we_learn=job.we_learn, leaves=leaves, key=key
        )
        dialogue = _converse(settings, peer, job, ours, clearance, question.protocol, books, meter)
        with books.refusals(peer.name, job.session):
            learnt = node.call(dialogue, job.session)  # 4, 5
        if any(each.hits is not None for each in learnt):
            leaves(question.out and named(question.out, sealed_to))
            name = "list" if job.way == "list" else "joined"
            result = named(question.out or folder / f"{name}.{question.format}", sealed_to)
            if job.way == "list":
                rows = deliver_list(learnt, source, result, question.format, sealed_to)
            else:  # 6 joined rows
                rows = deliver(learnt, source, peer.name, result, question.format, sealed_to)
    log.info("job_done", rows=rows, **totals(job, learnt))
    return JobReport(
        session=job.session,
        way=job.way,
        peer=peer.name,
        sets=set_reports(learnt),
        said_bytes=node.carried.said_bytes,
        heard_bytes=node.carried.heard_bytes,
        seconds=round(time.monotonic() - began, 3),
        rows=rows,
        result=result,
        rejects=folder / "rejects.csv" if ours.rejected else None,
    )


def _converse(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    ours: Prepared,
    clearance: Clearance,
    protocol: str | None,
    books: Books,
    meter: Meter,
) -> Dialogue[list[Learnt]]:
    exact, tally = not settings.node.pad_sizes, Tally()
    inputs = commit(key_of(settings, clearance.verified.digest), ours.sets)
    digests = digests_of(settings, job, ours.sets)
    brought = Side(ours.columns, inputs, largest(job, ours), digests, ours.blocks)
    may_ask(books, peer, job, clearance, brought)
    accepted = yield from tally.of(propose(settings, peer, job, brought, clearance))
    with running(books, peer, job, clearance) as begun:
        begun.bring(brought, accepted.theirs)
        own = sizes(job, ours, accepted.most, exact=exact)
        begun.count(own, accepted.sizes)
        chosen = choices(settings, peer, job, own, protocol, accepted.sizes, accepted.may)
        terms = yield from tally.of(choose(settings, peer, accepted, chosen, own))
        learnt = yield from tally.of(run(job, terms, ours, exact=exact, meter=meter))
        learnt = withhold(learnt, clearance.verified.ticket.floor)
        receipt = begun.end(facts_of(terms, learnt, tally))
    yield from part(begun, receipt, found_by_both(job, learnt))
    return learnt
