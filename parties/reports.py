"""What a job came to, for people and for programs. Counts, sizes, names and durations only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parties.job import Job
from parties.jobs import Learnt
from psi import _core
from psi.lazily import NamedTuple


class SetReport(NamedTuple):
    """One identifier set.

    Attributes:
        name: of the set.
        kind: of its identifiers.
        rows: own rows read.
        identifiers: own distinct identifiers.
        missing: own cells without a value.
        rejected: own cells rejected, by reason.
        warned: own cells kept in spite of a doubt, by reason.
        matches: identifiers that both nodes hold; None if this node does not learn.
        withheld: whether they are fewer than the ticket lets anybody learn of; none then told.
        own_records: own rows that name a match; None if which was not learnt.
        their_records: the peer's rows that name a match; None as above, or if the peer discloses no
            columns and so tells of no rows.
        peer_size: what was seen of the size of the peer's set, decoys and padding included.
        protocol: how the set was matched.
        we_receive: whether this node was the receiver.
        reason: why so, one sentence; empty at the node that did not choose.
    """

    name: str
    kind: str
    rows: int
    identifiers: int
    missing: int
    rejected: Mapping[str, int]
    warned: Mapping[str, int]
    matches: int | None
    withheld: bool
    own_records: int | None
    their_records: int | None
    peer_size: int | None
    protocol: str
    we_receive: bool
    reason: str


class JobReport(NamedTuple):
    """A job.

    Attributes:
        session: the same in the logs of both nodes.
        way: count, list or match.
        peer: its name.
        sets: one report each.
        said_bytes: sent to the peer.
        heard_bytes: received from it.
        seconds: from the first row read to the last row written.
        rows: joined rows written; None if nothing was to be written.
        result: the file of joined rows, or of a list.
        rejects: the report of rejected cells.
    """

    session: str
    way: str
    peer: str
    sets: tuple[SetReport, ...]
    said_bytes: int
    heard_bytes: int
    seconds: float
    rows: int | None
    result: Path | None
    rejects: Path | None

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        values = self._asdict() | {"sets": [each._asdict() for each in self.sets]}
        for name in ("result", "rejects"):
            values[name] = None if values[name] is None else str(values[name])
        return values

    def lines(self) -> list[str]:
        """The report as lines for people."""
        lines = [f"{self.way} with {self.peer}, session {self.session}"]
        for each in self.sets:
            lines.append(f"  {each.name}: {_of(each)}")
            if each.reason:
                lines.append(f"    {each.reason}")
            if each.rejected:
                lines.append(f"    rejected here: {_counts(each.rejected)}")
            if each.warned:
                lines.append(f"    kept with a doubt: {_counts(each.warned)}")
        lines.append(
            f"  {self.said_bytes:,} bytes said, {self.heard_bytes:,} heard, {self.seconds:.1f} s"
        )
        if self.result is not None:
            what = "masked matches" if self.way == "list" else "joined rows"
            lines.append(f"  {self.rows:,} {what} in {self.result}")
        if self.rejects is not None:
            lines.append(f"  rejected cells in {self.rejects}")
        return lines


def set_reports(learnt: Sequence[Learnt]) -> tuple[SetReport, ...]:
    """Returns what was learnt of each set as numbers."""
    return tuple(_report(each) for each in learnt)


def totals(job: Job, learnt: Sequence[Learnt]) -> dict[str, object]:
    """The numbers of a job that go into the log."""
    return {
        "way": job.way,
        "we_receive": job.we_receive,
        "both_learn": job.both_learn,
        "sets": [each.spec.name for each in learnt],
        "protocols": [each.chosen.protocol for each in learnt],
        "identifiers": [len(each.own) for each in learnt],
        "matches": [each.cardinality for each in learnt],
    }


def _report(each: Learnt) -> SetReport:
    hits, own = each.hits, each.own
    theirs = None if hits is None else hits.their_records
    return SetReport(
        name=own.name,
        kind=own.kind,
        rows=own.rows,
        identifiers=len(own),
        missing=own.missing,
        rejected=dict(own.rejected),
        warned=dict(own.warned),
        matches=each.cardinality,
        withheld=each.withheld,
        own_records=None if hits is None else _core.total(hits.own_records),
        their_records=None if theirs is None else int(theirs.sum()),
        peer_size=each.peer_size,
        protocol=each.chosen.protocol,
        we_receive=each.chosen.we_receive,
        reason=each.chosen.reason,
    )


def _of(each: SetReport) -> str:
    own = f"{each.identifiers:,} identifiers of ours in {each.rows:,} rows"
    if each.withheld:
        return f"fewer in common than the ticket tells; {own}"
    if each.matches is None:
        return own
    if each.own_records is None:
        return f"{each.matches:,} in common; {own}"
    rows = f"{each.own_records:,} rows of ours"
    if each.their_records is not None:
        rows += f", {each.their_records:,} of theirs"
    return f"{each.matches:,} in common ({rows}); {own}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
