"""Bins: a set in messages of about 1 MiB, so that computing and sending overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from psi.elements import WIDTH
from psi.errors import MalformedMessage, UnexpectedMessage
from psi.wire.v1.messages_pb2 import BlindedBin, EntryBin, EvaluatedBin, MaskedBin

MESSAGE: Final = 1 << 20
"""Bytes of a bin: a message of 1 MiB is the fastest on gRPC, and the bound on what waits."""
BIN: Final = MESSAGE // WIDTH
"""Points of a bin."""


def sizes(points: int) -> Iterator[int]:
    """Yields the number of points in each bin."""
    for start in range(0, points, BIN):
        yield min(BIN, points - start)


def part(block: bytes, bin: int) -> bytes:
    """Returns the bin with this number of a block of points or elements."""
    return block[bin * MESSAGE : (bin + 1) * MESSAGE]


def check(
    heard: BlindedBin | EvaluatedBin | EntryBin | MaskedBin, bin: int, length: int, due: int
) -> None:
    """Checks that the bin that came is the one that is due, and whole.

    Args:
        heard: the bin.
        bin: the number that is due.
        length: bytes that came.
        due: bytes that are due.

    Raises:
        UnexpectedMessage: it is another bin.
        MalformedMessage: it has another length.
    """
    name = type(heard).__name__
    if heard.bin != bin:
        raise UnexpectedMessage(f"{name} {bin} is due, {heard.bin} came")
    if length != due:
        raise MalformedMessage(f"{name} {bin}: {length} bytes, {due} are due")


def points(heard: BlindedBin | EvaluatedBin, bin: int, count: int) -> bytes:
    """Returns the points of a bin, which must be the one that is due.

    Raises:
        UnexpectedMessage: it is another bin.
        MalformedMessage: it has another number of points.
    """
    check(heard, bin, len(heard.points), count * WIDTH)
    return heard.points
