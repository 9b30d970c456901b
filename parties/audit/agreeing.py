"""Whether two receipts of a run agree: what one node said the other must have heard."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from parties.audit.receipt import DONE, Receipt, SetReceipt

SKEW_SECONDS: Final = 3600
"""How far the clocks of two organisations may differ, as for certificates."""


def agree(ours: Receipt, theirs: Receipt) -> tuple[str, ...]:
    """Returns the fields in which two receipts of a run do not agree.

    What one said the other heard, and what both know is the same; times may differ by an hour, as
    clocks do. Of a run that either did not end well only that is compared which was fixed before:
    both count and name what they saw of a connection that broke.
    """
    names = ["session", "ticket", "ticket_digest", "insurer", "police", "way", "stage", "learns"]
    wrong = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
    if ours.signer == theirs.signer:
        wrong.append("signer")
    if (ours.outcome == DONE) != (theirs.outcome == DONE):
        wrong.append("outcome")
    wrong += [name for name in ("started", "ended") if _apart(ours, theirs, name)]
    if [each.name for each in ours.sets] != [each.name for each in theirs.sets]:
        return (*wrong, "sets")
    if ours.outcome != DONE or theirs.outcome != DONE:
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


def _differ(one: object, other: object) -> bool:
    return one is not None and other is not None and one != other


def _apart(ours: Receipt, theirs: Receipt, name: str) -> bool:
    here, there = (datetime.fromisoformat(getattr(each, name)) for each in (ours, theirs))
    return abs((here - there).total_seconds()) > SKEW_SECONDS
