"""Tags: what the sender says of its elements when nothing but the match is to be learnt.

A tag is the first bits of an element's output. All of them are said ascending, so their order tells
nothing, and without their high parts, which are counted instead (as Elias and Fano coded ascending
numbers): about log2(n) - 2 bits a tag less.
"""

from __future__ import annotations

from bisect import bisect_left
from math import ceil
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, around, hear_piece, say_piece, say_whole
from psi.errors import blame_the_peer
from psi.lazily import NamedTuple
from psi.matches import Matches
from psi.parameters import KAPPA, LAMBDA
from psi.subprotocols import bins
from psi.subprotocols.decoys import SHARED, check_counts
from psi.wire.v1.messages_pb2 import TagBin, TagCounts

PIECE: Final = 1 << 17
"""Tags of a message: 1 MiB of low parts of 64 bits."""


class Form(NamedTuple):
    """The form of all tags of a run.

    Attributes:
        total: how many there are.
        bits: of a tag.
        low: bits that are said of each; a multiple of 8.
    """

    total: int
    bits: int
    low: int

    @property
    def unary(self) -> int:
        """Bytes of the bits that count: one for each tag and one for each high part."""
        return -(-(self.total + (1 << max(0, self.bits - self.low))) // 8)


def form(receiver: int, sender: int) -> Form:
    """The form for these numbers of elements, decoys and padding included.

    So that a tag is taken for that of another element with at most 2^-(LAMBDA + 3), it has
    LAMBDA + 3 + log2(receiver x sender) bits.
    """
    bits = LAMBDA + 3 + (receiver * sender - 1).bit_length()  # rounded up, without floats
    return Form(sender, bits, 8 * ceil((bits - sender.bit_length() + 1) / 8))


def whole(sender: int) -> Form:
    """The form in which tags are whole outputs, for this number of the sender's elements."""
    return Form(sender, KAPPA, 8 * ceil((KAPPA - sender.bit_length() + 1) / 8))


def say_tags(rows: _core.Rows, form: Form) -> Dialogue[None]:
    """Says the tags of all rows, ascending."""
    ascending = _core.AscendingTags(rows, form.bits)
    unary = ascending.unary()
    for piece, start in enumerate(range(0, len(unary), bins.MESSAGE)):
        yield from say_piece(TagCounts, piece, unary[start : start + bins.MESSAGE])
    for bin, start in enumerate(range(0, form.total, PIECE)):
        count = min(PIECE, form.total - start)
        head, _ = around(TagBin, bin, count * form.low // 8)
        yield from say_whole(ascending.lows(start, count, head))


def hear_tags(rows: _core.Rows, form: Form) -> Dialogue[memoryview[int]]:
    """Hears the sender's tags and returns which of our rows are among them, ascending.

    Raises:
        UnexpectedMessage: a piece is not the one that is due.
        MalformedMessage: a piece has another length, or the counts are not those of the tags.
    """
    unary = bytearray()
    for piece, start in enumerate(range(0, form.unary, bins.MESSAGE)):
        due = min(bins.MESSAGE, form.unary - start)
        unary += (yield from hear_piece(TagCounts, piece, due)).block
    with blame_the_peer("TagCounts"):
        join = _core.TagJoin(rows, form.bits, form.total, bytes(unary))
    for bin, start in enumerate(range(0, form.total, PIECE)):
        due = min(PIECE, form.total - start) * (form.low // 8)
        told = yield from hear_piece(TagBin, bin, due)
        with blame_the_peer("TagBin"):
            join.probe(told.message, told.start, told.end)
    return memoryview(join.matched()).cast("I")


def hear_matches(rows: _core.Rows, form: Form, real: int) -> Dialogue[Matches]:
    """Hears the sender's tags and returns which of our real elements match, one record each.

    Args:
        rows: of all our elements in their order, decoys behind the real ones.
        form: of the tags.
        real: how many of them are real.

    Raises:
        PeerError: as `hear_tags`.
        DecoyMismatch: a shared decoy is not among them, or another is.
    """
    found = yield from hear_tags(rows, form)
    end, shared = bisect_left(found, real), bisect_left(found, real + SHARED)
    check_counts(SHARED - (shared - end), len(found) - shared)
    return Matches(found[:end])
