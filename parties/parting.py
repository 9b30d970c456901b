"""The last words of a job with whole sets: a receipt of each node, of one length whatever is in it.

Where both learn, receipts say how many are in common, or nothing below the ticket's floor. Written
in digits that would show in the length of the message, and so to whoever watches the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from parties.runs import Run
from parties.standing import hear, parse
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue
from psi.errors import MalformedMessage

WIDEST: Final = len(str(1 << 32))
"""Characters of the largest count, which is below 2^32: positions have 32 bits. `null` has four."""
LEAST: Final = 128
"""Bytes of the shortest padding. From there up to 16,383 protobuf writes a length in two bytes, so
that it makes no difference of its own; 64 sets of `WIDEST` are far below."""


def part(begun: Run, receipt: bytes, found: Sequence[int | None]) -> Dialogue[None]:
    """Says our receipt, hears the peer's, and keeps it.

    Args:
        begun: the run that has ended.
        receipt: ours.
        found: how many are in common as the receipt says, one for each set; None where it does not.

    Raises:
        AuditRefused: the peer's is none of this run, or says something else than ours.
        MalformedMessage: it is no receipt.
        LocalFault: it cannot be written.
    """
    yield padded(receipt, found)
    heard = parse(wire.Receipt, (yield from hear()))
    if heard.padding.strip(b"\0"):
        raise MalformedMessage("Receipt: something stands in its padding")
    begun.confirm(heard.signed)


def padded(receipt: bytes, found: Sequence[int | None]) -> bytes:
    """The message of a receipt, as long as if each count in it were as long as can be.

    Args:
        receipt: as it is signed.
        found: the counts in it.
    """
    written = sum(len("null" if count is None else str(count)) for count in found)
    room = WIDEST * len(found) - written
    # The length of `signed` is itself written in more bytes from 16,384 on.
    longest = wire.Receipt(signed=bytes(len(receipt) + room)).ByteSize()
    lacks = longest - wire.Receipt(signed=receipt).ByteSize()
    return wire.Receipt(signed=receipt, padding=bytes(LEAST + lacks)).SerializeToString()
