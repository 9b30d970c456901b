"""An oblivious key-value store: how many bins, how large, how wide its values; its cells, masked.

Source: Raghuraman and Rindal, CCS 2022 ("Blazing Fast PSI from Improved OKVS and Subfield VOLE"),
        sections 2 and 3.2: clusters of weight 3 with a dense part. docs/protocols.md derives every
        number here. The arithmetic is in `rust/src/okvs.rs`.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, lgamma, log, log1p, log2
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, around, hear_piece, say_whole
from psi.errors import ApiMisuse, blame_the_peer
from psi.lazily import NamedTuple
from psi.parameters import LAMBDA
from psi.subprotocols import bins
from psi.wire.v1.messages_pb2 import MaskedBin

BIN: Final = 1 << 14
"""Elements of a bin on average: its cells, peeling and decoding stay in a core's second cache."""
SMALLEST: Final = 1 << 10
"""Elements that the smallest bin has room for; failures are not measured below."""
DENSE: Final = 56
"""Dense cells: a 2-core of g elements is then not solved with 2^(g - 56); docs sum it up."""
MARGIN: Final = LAMBDA + 3
"""Bits for each of the events of which a session must be safe; with them all, LAMBDA (docs)."""
_CORE: Final = 1.223
"""Cells an element above which a random graph of weight 3 has no large 2-core (RR22, section 4)."""


class Shape(NamedTuple):
    """How a set of some size is encoded; public, the same on both sides.

    Attributes:
        bins: elements are hashed to bins, each encoded by itself.
        capacity: elements that a bin has room for.
        third: sparse cells of a bin, by three; an element has one position in each third.
    """

    bins: int
    capacity: int
    third: int

    @property
    def cells(self) -> int:
        """Cells of a bin, sparse and dense."""
        return 3 * self.third + DENSE


@lru_cache(maxsize=64)
def shape(elements: int) -> Shape:
    """The shape for a set of so many elements, decoys and padding included."""
    bins = max(1, -(-elements // BIN))
    capacity = max(SMALLEST, elements if bins == 1 else _capacity(elements, bins))
    bits = MARGIN + log2(bins)
    w = log2(3)
    slope = 2 ** (0.555 * log2(capacity) + 0.093 * w**3 - 1.01 * w**2 + 2.925 * w - 0.133)
    expansion = _CORE + (bits + 9.2) / slope
    return Shape(bins, capacity, ceil(expansion * capacity / 3))


def value_width(elements: int) -> int:
    """Bits of a value, so that no element of the sender is mistaken for one of the receiver.

    An element outside the receiver's set decodes to its own value with 2^-width; over all elements
    of the sender that shall stay below 2^-(LAMBDA + 1). A multiple of 8, and at least 64.

    Args:
        elements: of the sender, padding and decoys included.
    """
    return max(64, 8 * ceil((LAMBDA + 1 + log2(elements)) / 8))


def groups(shape: Shape, width: int) -> list[tuple[int, int]]:
    """Bins that one message holds, at least one: the first, and how many.

    Args:
        shape: of all bins.
        width: bits of a cell.
    """
    step = max(1, bins.MESSAGE // (shape.cells * width // 8))
    return [(first, min(step, shape.bins - first)) for first in range(0, shape.bins, step)]


def share(elements: int, first: int, count: int, shape: Shape) -> int:
    """About how many of the elements these bins have; over all bins their number."""
    return (first + count) * elements // shape.bins - first * elements // shape.bins


def say_blinded(
    rows: _core.Rows,
    bins: tuple[int, int],
    shape: Shape,
    width: int,
    correlations: _core.VoleReceiver,
    salt: bytes | None = None,
) -> Dialogue[None]:
    """Encodes and masks bins of our own set, and says their cells.

    There is no second try with other rows: that some did not do would tell something of the set.

    Args:
        rows: of the set.
        bins: the first, and how many.
        shape: of all bins.
        width: bits of a cell.
        correlations: that mask the cells.
        salt: of outputs that are bound to elements.

    Raises:
        ApiMisuse: the set cannot be encoded.
    """
    first, count = bins
    head, tail = around(MaskedBin, first, count * shape.cells * width // 8, salt or b"")
    try:
        message = rows.blind(first, count, shape.capacity, correlations, salt, head, tail)
    except _core.SolveError as error:
        raise ApiMisuse(
            f"{error}; elements must be hashes, of which no two begin with the same 16 bytes (or "
            "this is the one session in 2^42 that fails, and another one will do)"
        ) from error
    yield from say_whole(message)


def hear_blinded(
    rows: _core.Rows,
    bins: tuple[int, int],
    shape: Shape,
    width: int,
    correlations: _core.VoleSender,
    salt: int = 0,
) -> Dialogue[None]:
    """Hears the masked cells of the receiver's bins, and computes our outputs from them.

    Args:
        rows: of our own set.
        bins: the first, and how many.
        shape: of all bins.
        width: bits of a cell.
        correlations: that the cells are masked with.
        salt: bytes of the receiver's salt, if outputs are bound to elements.

    Raises:
        PeerError: the cells are not those that are due, or not whole.
    """
    first, count = bins
    length = count * shape.cells * width // 8
    heard = yield from hear_piece(MaskedBin, first, length, salt)
    with blame_the_peer("MaskedBin"):
        bound = heard.salt if salt else None
        where = (heard.start, heard.end)
        rows.evaluate(first, count, heard.message, correlations, bound, *where)


def _capacity(elements: int, bins: int) -> int:
    """The least capacity that all bins keep but with 2^-MARGIN: union bound over the bins."""
    mean = elements / bins
    low, high = int(mean), min(elements, int(mean + 20 * mean**0.5) + 64)
    while low < high:
        middle = (low + high) // 2
        if log2(bins) + _log2_tail(elements, bins, middle) <= -MARGIN:
            high = middle
        else:
            low = middle + 1
    return low


def _log2_tail(elements: int, bins: int, capacity: int) -> float:
    """log2 of the probability that Bin(elements, 1 / bins) exceeds capacity, capacity >= mean."""
    at = capacity + 1
    odds = 1 / (bins - 1)
    first = (
        lgamma(elements + 1)
        - lgamma(at + 1)
        - lgamma(elements - at + 1)
        - at * log(bins)
        + (elements - at) * log1p(-1 / bins)
    )
    # Each term is the one before it times (n - k) / (k + 1) / (bins - 1), less than 1 here.
    total, term, k = 0.0, 1.0, at
    while term > 1e-18 and k <= elements:
        total += term
        term *= (elements - k) / (k + 1) * odds
        k += 1
    return (first + log(total)) / log(2)
