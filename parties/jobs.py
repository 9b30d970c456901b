"""One job between two nodes, after they have agreed: a dialogue for each identifier set, in order.

Both ends run this file; which of them called makes no difference any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from parties.agreement import Job, Terms
from parties.disclosure import Column, records, table
from parties.identifiers import IdentifiedSet, RejectReport, identify
from parties.joining import Format, Hits, check_names, join, write
from parties.refusals import Refusal
from parties.settings import IdentifierSettings
from parties.sources import Source
from psi import PROTOCOLS, Dialogue, Elements, Meter, Result
from psi.errors import BoundExceeded

MOST_ROWS: Final = 1 << 28
"""Joined rows of a set: some 30 GB as Parquet. A peer that says many records for one identifier
multiplies all of our rows that name it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one side brings into a job.

    Attributes:
        source: its rows.
        sets: its identifiers, one for each set of the job.
        columns: what it discloses of its records of matches.
        rejected: how many cells were rejected.
    """

    source: Source
    sets: tuple[IdentifiedSet, ...]
    columns: tuple[Column, ...]
    rejected: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one side learnt of one set.

    Attributes:
        spec: of the set.
        own: this side's identifiers.
        cardinality: how many identifiers both sides hold; None if this side does not learn.
        peer_size: what the peer's messages showed of the size of its set; None as above.
        hits: which, with the peer's records; None if only the number was learnt.
    """

    spec: IdentifierSettings
    own: IdentifiedSet
    cardinality: int | None = None
    peer_size: int | None = None
    hits: Hits | None = field(default=None, repr=False)


def prepare(
    source: Source,
    sets: Sequence[IdentifierSettings],
    columns: Sequence[Column],
    folder: Path,
) -> Prepared:
    """Reads the identifiers of all sets of a job; rejects, if any, go to a report in the folder.

    Raises:
        SourceError: the source is wrong, or a set has no identifier.
        LocalFault: the report cannot be written.
    """
    report = RejectReport(folder)
    try:
        with report:
            identified = tuple(identify(source, spec, report) for spec in sets)
    finally:
        if not report.counted:
            report.path.unlink(missing_ok=True)
    return Prepared(source, identified, tuple(columns), report.counted)


def run(
    job: Job, terms: Terms, ours: Prepared, *, exact: bool, meter: Meter
) -> Dialogue[list[Learnt]]:
    """Runs the dialogues of all sets; the same on both ends.

    Raises:
        Refusal: one of our sets is larger than was agreed.
        SourceError: the source changed since it was prepared, or has columns that the join adds.
        PeerError: the peer said something else than an honest one.
    """
    for own in ours.sets:  # all of them, before anything is said of the first
        _check_size(own, terms.max_elements, with_records=job.we_disclose)
    if job.way == "match" and job.we_learn:
        check_names(ours.source, terms.peer, [column.name for column in terms.their_columns])
    learnt = []
    for spec, own in zip(job.sets, ours.sets, strict=True):
        labels = records(ours.source, spec, own, ours.columns) if job.we_disclose else None
        receiver, sender = PROTOCOLS[job.protocol]
        role = receiver if job.we_receive else sender
        result = yield from role(
            Elements(own.elements),
            terms.parameters(job, spec),
            labels,
            exact=exact,
            meter=meter,
        ).converse()
        learnt.append(_learnt(spec, own, result, terms))
    return learnt


def deliver(learnt: Sequence[Learnt], source: Source, peer: str, path: Path, format: Format) -> int:
    """Writes the joined rows of all sets into one file and returns how many there are.

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
    return write(_joined(learnt, source, peer), path, format)


def _joined(learnt: Sequence[Learnt], source: Source, peer: str) -> Iterator[pa.RecordBatch]:
    return chain.from_iterable(
        join(source, each.spec, each.hits, peer) for each in learnt if each.hits is not None
    )


def _learnt(
    spec: IdentifierSettings, own: IdentifiedSet, result: Result | None, terms: Terms
) -> Learnt:
    if result is None:
        return Learnt(spec, own)
    hits = None
    if (matches := result.matches) is not None:
        theirs = table(matches.labels, terms.their_columns)
        hits = Hits.at(matches.positions, own, matches.records, theirs)
    return Learnt(spec, own, result.cardinality, result.peer_entries, hits)


def _check_size(own: IdentifiedSet, bound: int, *, with_records: bool) -> None:
    # A record is a row that names an identifier, so there are at least as many of them.
    size = int(np.asarray(own.counts).sum(dtype=np.int64)) if with_records else len(own)
    if size > bound:
        raise Refusal(
            "set-too-large",
            f"identifiers.{own.name}: {size} {'records' if with_records else 'identifiers'}, the "
            f"nodes have agreed on at most {bound}; raise max_elements of the peer on both nodes",
        )
