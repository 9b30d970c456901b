"""Pieces of what is too long for a message: written by hand, byte for byte as protobuf does."""

from __future__ import annotations

import pytest

from psi.dialogue import HEAR, Piece, around, hear_piece
from psi.errors import MalformedMessage, UnexpectedMessage
from psi.wire.v1.messages_pb2 import EntryBin, MaskedBin, Message

NUMBERS = [0, 1, 127, 128, 2**32 - 1]
LENGTHS = [0, 1, 127, 128, 20_000]


def said(number: int, cells: bytes, salt: bytes = b"") -> bytes:
    body = MaskedBin(bin=number, cells=cells, salt=salt)
    return Message(masked_bin=body).SerializeToString(deterministic=True)


def heard(message: bytes, number: int, length: int, salt: int = 0) -> Piece:
    dialogue = hear_piece(MaskedBin, number, length, salt)
    assert dialogue.send(None) is HEAR
    with pytest.raises(StopIteration) as stop:
        dialogue.send(message)
    piece: Piece = stop.value.value
    return piece


@pytest.mark.parametrize("salt", [b"", b"s" * 16])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("number", NUMBERS)
def test_what_stands_around_a_piece_is_what_protobuf_says(
    number: int, length: int, salt: bytes
) -> None:
    cells = b"c" * length
    head, tail = around(MaskedBin, number, length, salt)
    assert head + cells + tail == said(number, cells, salt)
    piece = heard(head + cells + tail, number, length, len(salt))
    assert (piece.block, piece.salt) == (cells, salt)
    # It was not copied out, unless there is nothing to copy.
    assert piece.end - piece.start == length
    assert len(piece.message) == len(head) + length + len(tail)


@pytest.mark.parametrize("salt", [b"", b"s" * 16])
def test_other_encodings_of_the_same_piece_are_heard(salt: bytes) -> None:
    """A parser takes fields in any order; the fast way knows one."""
    fields = [MaskedBin(bin=7), MaskedBin(cells=b"c" * 300), MaskedBin(salt=salt)]
    body = b"".join(field.SerializeToString() for field in reversed(fields))
    # Field 14 of `Message`, which is bytes.
    length = bytes((len(body) & 127 | 128, len(body) >> 7))
    piece = heard(bytes((14 << 3 | 2,)) + length + body, 7, 300, len(salt))
    assert (piece.block, piece.salt) == (b"c" * 300, salt)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (said(8, bytes(300), bytes(16)), UnexpectedMessage),
        (said(7, bytes(299), bytes(16)), MalformedMessage),
        (said(7, bytes(301), bytes(16)), MalformedMessage),
        (said(7, bytes(300), bytes(15)), MalformedMessage),
        (said(7, bytes(300), bytes(17)), MalformedMessage),
        (said(7, bytes(300)), MalformedMessage),
        (said(7, bytes(300), bytes(16))[:-1], MalformedMessage),
        (said(7, bytes(300), bytes(16)) + b"\0", MalformedMessage),
        (
            Message(entry_bin=EntryBin(bin=7, entries=bytes(300))).SerializeToString(),
            UnexpectedMessage,
        ),
        (b"", UnexpectedMessage),
    ],
)
def test_another_piece_than_is_due_is_refused(message: bytes, error: type[Exception]) -> None:
    dialogue = hear_piece(MaskedBin, 7, 300, 16)
    assert dialogue.send(None) is HEAR
    with pytest.raises(error):
        dialogue.send(message)
