"""Whether two receipts of one thing agree: what one node said the other must have heard."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from parties.audit.facts import DONE
from parties.audit.receipt import INQUIRE, Receipt, SetReceipt

if TYPE_CHECKING:
    from parties.audit.inquiries import InquiryReceipt

SKEW_SECONDS: Final = 3600
"""How far the clocks of two organisations may differ, as for certificates."""


def agree(ours: Receipt, theirs: Receipt) -> tuple[str, ...]:
    """Returns the fields in which two receipts of a run, or of inquiries, do not agree.

    What one said the other heard, and what both know is the same; times may differ by an hour, as
    clocks do. Of what either did not see end well only that is compared which was fixed before:
    both count and name what they saw of a connection that broke.
    """
    names = ["session", "ticket", "ticket_digest", "insurer", "police", "way", "learns"]
    done = ours.outcome == theirs.outcome == DONE
    # Who asks learns whether columns are told, and so for which stage it is, from the answer.
    names += ["stage"] if done or ours.way != INQUIRE else []
    wrong = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
    if ours.signer == theirs.signer:
        wrong.append("signer")
    # Receipts of inquiries are signed when they can be exchanged, which may be days apart.
    times = ("started",) if ours.way == INQUIRE else ("started", "ended")
    wrong += [name for name in times if _apart(ours, theirs, name)]
    if ours.way == INQUIRE:
        return (*wrong, *_of_inquiries(ours, theirs))
    if (ours.outcome == DONE) != (theirs.outcome == DONE):
        wrong.append("outcome")
    if [each.name for each in ours.sets] != [each.name for each in theirs.sets]:
        return (*wrong, "sets")
    if not done:
        return tuple(wrong)
    if ours.said_bytes != theirs.heard_bytes:
        wrong.append("said_bytes")
    if ours.heard_bytes != theirs.said_bytes:
        wrong.append("heard_bytes")
    if ours.transcript != theirs.transcript:
        wrong.append("transcript")
    for one, other in zip(ours.sets, theirs.sets, strict=True):
        wrong += [
            f"sets.{one.name}.{name}"
            for name in SetReceipt._fields[1:]
            if _differ(getattr(one, name), getattr(other, name))
        ]
    return tuple(wrong)


def contradict(ours: Receipt, theirs: Receipt) -> tuple[str, ...]:
    """As `agree`, but for what became of inquiries: who was killed does not know, and says so."""
    return tuple(name for name in agree(ours, theirs) if not name.endswith(_OUTCOME))


_OUTCOME: Final = ".outcome"


def _of_inquiries(ours: Receipt, theirs: Receipt) -> list[str]:
    if [each.session for each in ours.inquiries] != [each.session for each in theirs.inquiries]:
        return ["inquiries"]
    return [
        f"inquiries.{one.session}{name}"
        for one, other in zip(ours.inquiries, theirs.inquiries, strict=True)
        for name in _of_inquiry(one, other)
    ]


def _of_inquiry(ours: InquiryReceipt, theirs: InquiryReceipt) -> list[str]:
    wrong = [".elements"] if ours.elements != theirs.elements else []
    if (ours.outcome == DONE) != (theirs.outcome == DONE):
        return [*wrong, _OUTCOME]
    if ours.outcome != DONE:
        return wrong
    crossed = (
        (".said_bytes", ours.said_bytes, theirs.heard_bytes),
        (".heard_bytes", ours.heard_bytes, theirs.said_bytes),
        (".transcript", ours.transcript, theirs.transcript),
    )
    return wrong + [name for name, one, other in crossed if one != other]


def _differ(one: object, other: object) -> bool:
    return one is not None and other is not None and one != other


def _apart(ours: Receipt, theirs: Receipt, name: str) -> bool:
    here, there = (datetime.fromisoformat(getattr(each, name)) for each in (ours, theirs))
    return abs((here - there).total_seconds()) > SKEW_SECONDS
