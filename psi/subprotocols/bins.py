"""Bins: a set in messages of about 1 MiB, so that computing and sending overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from psi.dialogue import check_piece
from psi.elements import WIDTH
from psi.wire.v1.messages_pb2 import BlindedBin, EvaluatedBin, ProvenBin

MESSAGE: Final = 1 << 20
"""Bytes of a bin: a message of 1 MiB is the fastest on gRPC, and the bound on what waits."""
BIN: Final = MESSAGE // WIDTH
"""Points of a bin."""


def sizes(points: int, most: int | None = None) -> Iterator[int]:
    """Yields the number of points in each bin: at most so many, or `BIN`."""
    most = most or BIN
    for start in range(0, points, most):
        yield min(most, points - start)


def part(block: bytes, bin: int) -> bytes:
    """Returns the bin with this number of a block of points or elements."""
    return block[bin * MESSAGE : (bin + 1) * MESSAGE]


def points(heard: BlindedBin | EvaluatedBin | ProvenBin, bin: int, count: int) -> bytes:
    """Returns the points of a bin, which must be the one that is due.

    Raises:
        UnexpectedMessage: it is another bin.
        MalformedMessage: it has another number of points.
    """
    check_piece(type(heard), heard.bin, bin, len(heard.points), count * WIDTH)
    return heard.points
