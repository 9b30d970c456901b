"""One job between two nodes, after they have agreed: a dialogue for each identifier set, in order.

Both ends run this file; which of them called makes no difference any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Final

from arro3.core import RecordBatch

from parties.agreement import Terms
from parties.disclosure import Column, records, table
from parties.identifiers import Asked, Block, IdentifiedSet, RejectReport, identify
from parties.job import Chosen, Job
from parties.joining import Format, Hits, check_names, join, masked, write
from parties.refusals import Refusal
from parties.runs import Facts
from parties.settings import IdentifierSettings
from parties.sources import Source
from parties.tally import Tally
from psi import PROTOCOLS, Dialogue, Meter, Result, _core
from psi.errors import BoundExceeded
from psi.lazily import NamedTuple
from psi.subprotocols.offers import shown

MOST_ROWS: Final = 1 << 28
"""Joined rows of a set: some 30 GB as Parquet. A peer that says many records for one identifier
multiplies all of our rows that name it."""


class Prepared(NamedTuple):
    """What one side brings into a job.

    Attributes:
        source: its rows.
        sets: its identifiers, one for each set of the job.
        columns: what it discloses of its records of matches.
        rejected: how many cells were rejected.
        blocks: of numbers, and which identifiers of each there are, for each set; empty where
            that is not looked at. Secret.
    """

    source: Source
    sets: tuple[IdentifiedSet, ...]
    columns: tuple[Column, ...]
    rejected: int
    blocks: tuple[Mapping[Block, Set[int]], ...] = ()


class Learnt(NamedTuple):
    """What one side learnt of one set.

    Attributes:
        spec: of the set.
        own: this side's identifiers.
        chosen: how the set was matched.
        cardinality: how many identifiers both sides hold; None if this side does not learn.
        peer_size: what the peer's messages showed of the size of its set; None as above.
        hits: which, with the peer's records; None if only the number was learnt.
        transcript: 32 bytes that stand for all that both sides said of it.
        withheld: whether there are fewer in common than the ticket lets anybody learn of.
    """

    spec: IdentifierSettings
    own: IdentifiedSet
    chosen: Chosen
    cardinality: int | None = None
    peer_size: int | None = None
    hits: Hits | None = None
    transcript: bytes = b""
    withheld: bool = False


def prepare(
    source: Source,
    sets: Sequence[IdentifierSettings],
    columns: Sequence[Column],
    folder: Path,
    *,
    we_learn: bool = False,
    leaves: Callable[[], None] | None = None,
    key: bytes | None = None,
) -> Prepared:
    """Reads the identifiers of all sets of a job; rejects, if any, go to a report in the folder.

    Args:
        source: the rows.
        sets: which columns hold identifiers.
        columns: what is disclosed.
        folder: of the report.
        we_learn: whether it is looked at how much of which block of numbers is asked about.
        leaves: called before there is a report.
        key: of the commitments to the sets; None if nobody commits to them. Secret.

    Raises:
        SourceError: the source is wrong, or a set has no identifier.
        LocalFault: the report cannot be written.
    """
    asked = [Asked(spec.kind if we_learn else "") for spec in sets]
    with RejectReport(folder, leaves) as report:
        identified = tuple(
            identify(source, spec, report, key=key, asked=each)
            for spec, each in zip(sets, asked, strict=True)
        )
    blocks = tuple(each.blocks() for each in asked)
    return Prepared(source, identified, tuple(columns), report.counted, blocks)


def sizes(job: Job, ours: Prepared, most: int, *, exact: bool) -> list[int]:
    """Our size of each set, as the first message of its dialogue shows it.

    Args:
        job: what is run.
        ours: what we bring into it.
        most: the largest set, or number of records, that both nodes accept.
        exact: whether the peer may see sizes instead of classes.

    Raises:
        Refusal: one of our sets is larger; nothing has been said of any.
    """
    with_records = _tells_records(job, ours)
    return [shown(_size(own, most, with_records=with_records), exact) for own in ours.sets]


def largest(job: Job, ours: Prepared) -> int:
    """Our largest set, as a ticket counts: records where they are told, else identifiers."""
    with_records = _tells_records(job, ours)
    return max(_count(own, with_records=with_records) for own in ours.sets)


def run(
    job: Job, terms: Terms, ours: Prepared, *, exact: bool, meter: Meter
) -> Dialogue[list[Learnt]]:
    """Runs the dialogues of all sets; the same on both ends.

    Raises:
        SourceError: the source changed since it was prepared, or has columns that the join adds.
        PeerError: the peer said something else than an honest one.
    """
    if job.way == "match" and job.we_learn:
        check_names(ours.source, terms.peer, [column.name for column in terms.their_columns])
    learnt = []
    sets = zip(job.sets, ours.sets, terms.chosen, terms.theirs, strict=True)
    for spec, own, chosen, most in sets:
        told = _tells_records(job, ours)
        labels = records(ours.source, spec, own, ours.columns) if told else None
        protocol = PROTOCOLS[chosen.protocol]
        role = protocol.receiver if chosen.we_receive else protocol.sender
        side = role(
            own.elements,
            terms.parameters(job, spec, chosen),
            labels,
            exact=exact,
            meter=meter,
            most=most,
        )
        tally = Tally()
        result = yield from tally.of(side.converse())
        learnt.append(_learnt(spec, own, chosen, result, terms, tally))
    return learnt


def deliver(
    learnt: Sequence[Learnt],
    source: Source,
    peer: str,
    path: Path,
    format: Format,
    sealed_to: Sequence[bytes] = (),
) -> int:
    """Writes the joined rows of all sets into one file and returns how many there are.

    Args:
        learnt: of all sets.
        source: of our rows.
        peer: its name, before its columns.
        path: of the file.
        format: of it.
        sealed_to: the public keys for whom alone it opens; none leaves it in clear.

    Raises:
        BoundExceeded: a set would have too many joined rows.
        SourceError: the source changed since it was prepared.
        LocalFault: the file cannot be written.
    """
    for each in learnt:
        if each.hits is not None and (rows := each.hits.joined_rows()) > MOST_ROWS:
            raise BoundExceeded(
                f"identifiers.{each.spec.name}: {rows} joined rows, at most {MOST_ROWS} are "
                "written; many rows of ours meet many records of the peer's, which has to explain "
                "that or to disclose no columns"
            )
    return write(_joined(learnt, source, peer), path, format, sealed_to)


def deliver_list(
    learnt: Sequence[Learnt],
    source: Source,
    path: Path,
    format: Format,
    sealed_to: Sequence[bytes] = (),
) -> int:
    """Writes the masked list of all sets into one file and returns how many matches there are.

    Arguments are those of `deliver`.

    Raises:
        SourceError: the source changed since it was prepared.
        LocalFault: the file cannot be written.
    """
    lists = (masked(source, each.spec, each.hits) for each in learnt if each.hits is not None)
    return write(chain.from_iterable(lists), path, format, sealed_to)


def _joined(learnt: Sequence[Learnt], source: Source, peer: str) -> Iterator[RecordBatch]:
    return chain.from_iterable(
        join(source, each.spec, each.hits, peer) for each in learnt if each.hits is not None
    )


def _learnt(
    spec: IdentifierSettings,
    own: IdentifiedSet,
    chosen: Chosen,
    result: Result | None,
    terms: Terms,
    tally: Tally,
) -> Learnt:
    # Each side says last what all that both have said comes to (`psi.subprotocols.transcript`).
    ends = (tally.last_said, tally.last_heard)[:: 1 if chosen.we_receive else -1]
    transcript = hashlib.sha256(terms.context + spec.name.encode() + b"".join(ends)).digest()
    learnt = Learnt(spec, own, chosen, transcript=transcript)
    if result is None:
        return learnt
    hits = None
    if (matches := result.matches) is not None:
        told = theirs = None
        if terms.their_columns:
            told, theirs = matches.records, table(matches.labels, terms.their_columns)
        hits = Hits.at(matches, own, told, theirs)
    return learnt._replace(cardinality=result.cardinality, peer_size=result.peer_entries, hits=hits)


def withhold(learnt: Sequence[Learnt], floor: int) -> list[Learnt]:
    """Forgets what was learnt of sets of which fewer are in common than a floor, none included.

    Args:
        learnt: of all sets.
        floor: the least number of hits that is told.
    """
    return [
        each._replace(cardinality=None, hits=None, withheld=True)
        if each.cardinality is not None and each.cardinality < floor
        else each
        for each in learnt
    ]


def found_by_both(job: Job, learnt: Sequence[Learnt]) -> list[int | None]:
    """How many are in common, for each set, as receipts say: nothing unless both learn it."""
    return [each.cardinality if job.both_learn else None for each in learnt]


def facts_of(terms: Terms, learnt: Sequence[Learnt], tally: Tally) -> Facts:
    """What a node writes down of a job that is over.

    Args:
        terms: of the job.
        learnt: of its sets.
        tally: of all its messages so far.
    """
    told = any(each.cardinality is not None for each in learnt)
    return Facts(
        protocols=[each.chosen.protocol for each in learnt],
        ours=terms.ours,
        theirs=terms.theirs,
        found=[each.cardinality for each in learnt] if told else None,
        transcript=hashlib.sha256(b"".join(each.transcript for each in learnt)).digest(),
        said_bytes=tally.said_bytes,
        heard_bytes=tally.heard_bytes,
    )


def _tells_records(job: Job, ours: Prepared) -> bool:
    """Whether the peer gets our records of matches, and so how many there are of each.

    Without columns there is nothing in a record: which identifiers match is then all that is told,
    and a protocol may say much less for that.
    """
    return job.we_disclose and bool(ours.columns)


def _size(own: IdentifiedSet, bound: int, *, with_records: bool) -> int:
    size = _count(own, with_records=with_records)
    if size > bound:
        raise Refusal(
            "set-too-large",
            f"identifiers.{own.name}: {size} {'records' if with_records else 'identifiers'}, the "
            f"nodes have agreed on at most {bound}; raise max_elements of the peer on both nodes",
        )
    return size


def _count(own: IdentifiedSet, *, with_records: bool) -> int:
    # A record is a row that names an identifier, so there are at least as many of them.
    return _core.total(own.counts) if with_records else len(own)
