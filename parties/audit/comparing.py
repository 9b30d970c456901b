"""Comparing two nodes' logs: each has the receipts of both, and each receipt a place of a log.

What one node signs the other keeps. So a run or an inquiry that one log leaves out, a receipt that
was signed twice with other contents, and a log that was written anew after a receipt was given all
show in what the other node kept; also to one who holds the key of the node that did it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from parties.audit import receipt as receipts
from parties.audit.agreeing import SKEW_SECONDS, agree
from parties.audit.facts import DONE
from parties.audit.findings import Finding, Findings, Report, found
from parties.audit.inquiries import InquiryReceipt
from parties.audit.reading import Source
from parties.audit.receipt import INQUIRE, Receipt
from parties.audit.verifying import Walk
from parties.errors import AuditRefused
from psi.lazily import NamedTuple


class Comparison(NamedTuple):
    """What comparing two logs has shown.

    Attributes:
        ours: what our log shows by itself.
        theirs: what theirs shows by itself.
        sessions: runs of the two nodes with each other, in either log.
        agreed: how many of them both logs say the same of.
        open: runs that did not end well, of which a receipt is missing: it got lost with the peer.
        beyond: runs of our log that are outside of what was exported.
        inquiries: of one of the two nodes by the other, in receipts of either log.
        inquiries_agreed: how many of them both logs say the same of, and that they were answered.
        findings: what does not hold between the two, at most `findings.MOST`.
        more: how many findings are left out.
    """

    ours: Report
    theirs: Report
    sessions: int
    agreed: int
    open: int
    beyond: int
    inquiries: int
    inquiries_agreed: int
    findings: tuple[Finding, ...]
    more: int

    @property
    def holds(self) -> bool:
        """Whether nothing was found in either log or between them."""
        return self.ours.holds and self.theirs.holds and not self.findings

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain values."""
        return self._asdict() | {
            "ours": self.ours.as_json(),
            "theirs": self.theirs.as_json(),
            "findings": [each._asdict() for each in self.findings],
            "holds": self.holds,
        }

    def text(self) -> list[str]:
        """The comparison as lines for people."""
        return [
            *self.ours.text(),
            *self.theirs.text(),
            f"between them: {self.sessions:,} runs, {self.agreed:,} agreed, {self.open:,} broken "
            f"without all receipts, {self.beyond:,} outside of the export; "
            f"{self.inquiries:,} inquiries, {self.inquiries_agreed:,} agreed",
            *found(self.findings, self.more),
        ]


class _Run:
    """The receipts of one run, by the node that signed each: in our log and in theirs.

    Receipts of inquiries are of one exchange of such, and stand in the same place.
    """

    __slots__ = ("here", "there")

    def __init__(self) -> None:
        self.here: dict[str, Receipt] = {}
        self.there: dict[str, Receipt] = {}

    def all(self) -> list[Receipt]:
        return [*self.here.values(), *self.there.values()]

    @property
    def inquires(self) -> bool:
        """Whether it is an exchange of receipts of inquiries."""
        return self.all()[0].way == INQUIRE

    def inquiries(self) -> dict[str, list[InquiryReceipt]]:
        """What receipts say of each inquiry, by its session."""
        told: dict[str, list[InquiryReceipt]] = {}
        for receipt in self.all():
            for each in receipt.inquiries:
                told.setdefault(each.session, []).append(each)
        return told


def compare(ours: Source, theirs: Source) -> Comparison:
    """Compares our log with the other node's.

    Memory is some kilobytes for each run of the two nodes, and one for each inquiry; it does not
    grow with other lines.

    Args:
        ours: our store, or our export.
        theirs: the other node's export.

    Raises:
        AuditRefused: a file is none of an exported log, or both are logs of one node.
        LocalFault: one cannot be read.
    """
    if ours.genesis.node == theirs.genesis.node:
        raise AuditRefused(
            "export-malformed",
            f"both logs are of {ours.genesis.node}; compare this node's with the other node's",
        )
    return _Comparing(ours, theirs).run()


class _Comparing:
    def __init__(self, ours: Source, theirs: Source) -> None:
        self._ours, self._theirs = ours, theirs
        self._nodes = (ours.genesis.node, theirs.genesis.node)
        self._findings = Findings()
        self._runs: dict[str, _Run] = {}
        self._known: dict[str, Receipt] = {}
        self._exchanges: dict[str, str] = {}  # in which each inquiry has its receipts

    def run(self) -> Comparison:
        us, them = self._nodes
        # Ours first, for the places of their log that we hold. What is wrong with a receipt in our
        # log is told when that is walked.
        for kept in self._ours.receipts():
            with suppress(AuditRefused):
                signed = receipts.read(kept.data)
                self._known[signed.digest] = signed.receipt
                self._see(signed.receipt, here=True)
        there = self._walk(self._theirs, them, here=True)
        seen_there = there.run()
        here = self._walk(self._ours, us, here=False)
        seen_here = here.run()
        for walk, node in ((there, them), (here, us)):
            for session in walk.amiss:
                text = f"signed a place of its log that is not on the chain that {node} shows"
                self._add("history-rewritten", session, f"{node} {text}")
        ended, inquiries = Counter[str](), Counter[str]()
        for session, run in self._runs.items():
            how = self._judge(session, run, seen_here, seen_there)
            if run.inquires:
                inquiries.update(self._ended(session, run, how))
            else:
                ended[how] += 1
        return Comparison(
            ours=seen_here,
            theirs=seen_there,
            sessions=ended.total(),
            agreed=ended["agreed"],
            open=ended["open"],
            beyond=ended["beyond"],
            inquiries=inquiries.total(),
            inquiries_agreed=inquiries["agreed"],
            findings=tuple(self._findings.told),
            more=self._findings.more,
        )

    def _see(self, receipt: Receipt, *, here: bool) -> None:
        """Takes a receipt of a log, if it is of a run of these two nodes."""
        if {receipt.insurer, receipt.police} == set(self._nodes):
            run = self._runs.setdefault(receipt.session, _Run())
            copies = run.here if here else run.there
            copies.setdefault(receipt.node, receipt)

    def _walk(self, source: Source, node: str, *, here: bool) -> Walk:
        """A walk through a node's log, past the places of it that the other log has signed."""
        marks: dict[int, list[tuple[bytes, str]]] = {}
        for session, run in self._runs.items():
            copy = (run.here if here else run.there).get(node)
            if copy is not None:
                place = copy.place
                marks.setdefault(place.number, []).append((place.hash, session))
        return Walk(
            source,
            marks=marks,
            thorough=False,
            see=lambda _, receipt: self._see(receipt, here=not here),
            known=self._known,
        )

    def _judge(self, session: str, run: _Run, ours: Report, theirs: Report) -> str:
        """How a run stands: agreed, open, beyond what was exported, or wrong, which is told."""
        us, them = self._nodes
        before = self._findings.count
        for node in self._nodes:
            copies = [copies[node] for copies in (run.here, run.there) if node in copies]
            # What they say counts: of one text a key has many signatures (ECDSA, RSA-PSS).
            if len({*copies}) > 1:
                self._add("receipt-twice", session, f"{node} has signed two receipts that differ")
        one = run.here.get(us) or run.there.get(us)
        other = run.there.get(them) or run.here.get(them)
        if one is not None and other is not None:
            fields = agree(one, other)
            if fields:
                text = f"{us} and {them} say different things of {', '.join(fields)}"
                self._add("receipts-disagree", session, text)
        lacking = [
            (holder, signer)
            for holder, copies, report in ((us, run.here, ours), (them, run.there, theirs))
            for signer in self._nodes
            if signer not in copies and _covers(report, holder, run)
        ]
        copies = run.all()
        done = any(copy.outcome == DONE for copy in copies)
        # One that is lost does not speak for the others of its receipt.
        done |= any(each.outcome == DONE for copy in copies for each in copy.inquiries)
        for holder, signer in lacking if done else ():
            self._add("receipt-missing", session, f"the log of {holder} lacks {signer}'s receipt")
        if self._findings.count > before:
            return "wrong"
        if lacking:
            return "open"
        return "agreed" if len(run.all()) == 2 * len(self._nodes) else "beyond"

    def _ended(self, exchange: str, run: _Run, how: str) -> Iterator[str]:
        """How each inquiry of an exchange stands; one that stands in another exchange is told."""
        for session, told in run.inquiries().items():
            first = self._exchanges.setdefault(session, exchange)
            if first != exchange:
                text = f"inquiry {session} has receipts there and in {first}"
                self._add("receipt-twice", exchange, text)
            done = all(each.outcome == DONE for each in told)
            yield how if done or how != "agreed" else "open"

    def _add(self, code: str, session: str, text: str) -> None:
        what = "receipts" if session in self._runs and self._runs[session].inquires else "run"
        self._findings.add(code, None, f"{what} {session}: {text}")


def _covers(report: Report, holder: str, run: _Run) -> bool:
    """Whether what we have of a node's log reaches over a run, so that a receipt must be there."""
    own = [copy.place.number for copy in run.all() if copy.node == holder]
    if own:  # after this line of its log the node signed
        return report.first - 1 <= own[0] < report.last
    # Another clock says when it ended: what is near an edge is left out.
    ended = datetime.fromisoformat(run.all()[0].ended)
    edge = timedelta(seconds=SKEW_SECONDS)
    begins = report.first == 1 or (
        report.since != "" and datetime.fromisoformat(report.since) + edge <= ended
    )
    ends = report.until != "" and ended <= datetime.fromisoformat(report.until) - edge
    return begins and ends
