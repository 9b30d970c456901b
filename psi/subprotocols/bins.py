"""Bins: a set in messages of about 1 MiB, so that computing and sending overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from psi.elements import WIDTH
from psi.errors import MalformedMessage, UnexpectedMessage
from psi.wire.v1.messages_pb2 import BlindedBin, EvaluatedBin

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


def check_number(name: str, number: int, due: int) -> None:
    """Checks that the message that came is the one that is due.

    Raises:
        UnexpectedMessage: it is another one.
    """
    if number != due:
        raise UnexpectedMessage(f"{name} {due} is due, {number} came")


def check(name: str, number: int, due: int, length: int, length_due: int) -> None:
    """Checks that the message that came is the one that is due, and whole.

    Args:
        name: of its kind.
        number: that came.
        due: the number that is due.
        length: bytes that came.
        length_due: bytes that are due.

    Raises:
        UnexpectedMessage: it is another one.
        MalformedMessage: it has another length.
    """
    check_number(name, number, due)
    if length != length_due:
        raise MalformedMessage(f"{name} {due}: {length} bytes, {length_due} are due")


def points(heard: BlindedBin | EvaluatedBin, bin: int, count: int) -> bytes:
    """Returns the points of a bin, which must be the one that is due.

    Raises:
        UnexpectedMessage: it is another bin.
        MalformedMessage: it has another number of points.
    """
    check(type(heard).__name__, heard.bin, bin, len(heard.points), count * WIDTH)
    return heard.points
