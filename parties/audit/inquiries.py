"""What a receipt says of inquiries: one receipt is of one or of several that were asked in turn.

A receipt has a certificate and a signature, some 1.5 KB, and 200 bytes for an inquiry of one set:
who asks thousands gets one for every `MOST` of them, and who asks one, of that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from parties.audit import facts
from parties.audit.facts import DONE
from psi.lazily import NamedTuple

MOST: Final = 64
"""Inquiries of one receipt."""
MOST_NAMES: Final = 128
"""Names of sets in one receipt: an inquiry may have 64, and most have one."""
LOST: Final = "lost"
"""What became of an inquiry of which the signer does not know: its process was killed."""


class InquiryReceipt(NamedTuple):
    """One inquiry, as the signer of a receipt saw it. What was found is not in it.

    Attributes:
        session: of the inquiry.
        elements: about how many was asked, by set; ordered by name.
        said_bytes: of messages, as the signer counted them.
        heard_bytes: likewise.
        transcript: SHA-256 of what both said, hexadecimal; empty if it was not done.
        outcome: "done" or a code word.
    """

    session: str
    elements: tuple[tuple[str, int], ...]
    said_bytes: int
    heard_bytes: int
    transcript: str
    outcome: str

    def as_values(self) -> dict[str, Any]:
        """As plain values."""
        return self._asdict() | {"elements": dict(self.elements)}


def transcript_of(inquiries: Sequence[InquiryReceipt]) -> str:
    """Returns what stands for all transcripts, hexadecimal; empty unless all are done."""
    if outcome_of(inquiries) != DONE:
        return ""
    return sha256(b"".join(bytes.fromhex(each.transcript) for each in inquiries)).hexdigest()


def outcome_of(inquiries: Sequence[InquiryReceipt]) -> str:
    """Returns what became of all of them: "done", or the first word that says something else."""
    return next((each.outcome for each in inquiries if each.outcome != DONE), DONE)


def inquiries_of(values: Any) -> tuple[InquiryReceipt, ...]:
    """Reads inquiries of values that somebody else has written.

    Raises:
        ValueError: a value is not what it must be; also TypeError, KeyError or AttributeError.
    """
    if not isinstance(values, list) or not 0 < len(values) <= MOST:
        raise ValueError("inquiries")
    inquiries = tuple(map(_inquiry, values))
    if len({each.session for each in inquiries}) < len(inquiries):
        raise ValueError("an inquiry stands there twice")
    if sum(len(each.elements) for each in inquiries) > MOST_NAMES:
        raise ValueError("sets")
    return inquiries


def sessions_in(data: bytes) -> tuple[str, ...]:
    """Returns the inquiries of a signed receipt, of which nothing is checked; none if it has none.

    Args:
        data: as it is kept.
    """
    if b'"inquiries":[' not in data:
        return ()
    try:
        return tuple(
            each.session for each in inquiries_of(json.loads(data)["receipt"]["inquiries"])
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()  # verifying the log tells that it is none


_ANSWERED: Final = facts.EVENTS["inquiry_answered"]
_DIGEST: Final = facts.EVENTS["receipt"]["digest"].has
_WORD: Final = facts.EVENTS["receipt"]["outcome"].has


def _inquiry(values: Mapping[str, Any]) -> InquiryReceipt:
    if set(values) != {*InquiryReceipt._fields} or not _ANSWERED["elements"].has(
        values["elements"]
    ):
        raise ValueError("inquiry")
    elements = tuple(sorted(values["elements"].items()))
    each = InquiryReceipt(**{**values, "elements": elements})
    if not (
        elements
        and all(count for _, count in elements)
        and _ANSWERED["session"].has(each.session)
        and facts.is_number(each.said_bytes)
        and facts.is_number(each.heard_bytes)
        and _WORD(each.outcome)
        and (_DIGEST(each.transcript) if each.outcome == DONE else each.transcript == "")
    ):
        raise ValueError("inquiry")
    return each
