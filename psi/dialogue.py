"""Dialogues: protocols as generators that say and hear messages, bytes in and bytes out.

A role's `converse()` is a generator. It says with `yield from say(message)`, hears with
`yield from hear(MessageType)` and returns what the role has learnt. It opens nothing, waits for
nothing and reads no clock, so the same code runs in memory, over gRPC and on random bytes.
`Side` turns a dialogue into bytes in, bytes out; `converse` runs two sides against each other.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage

from psi.errors import ApiMisuse, MalformedMessage, UnexpectedMessage
from psi.lazily import NamedTuple
from psi.wire.v1.messages_pb2 import (
    BaseOtChoice,
    BaseOtOffer,
    BlindedBin,
    CotTrees,
    DecoySeed,
    DecoyTags,
    EntryBin,
    EvaluatedBin,
    Hello,
    MaskedBin,
    Message,
    ProvenBin,
    TagBin,
    TagCounts,
    TranscriptDigest,
    VoleCheck,
    VoleCorrection,
    VoleProof,
    VoleRequest,
)


class _Turn(Enum):
    HEAR = "hear"


T = TypeVar("T")
U = TypeVar("U")
B = TypeVar(
    "B",
    BaseOtChoice,
    BaseOtOffer,
    BlindedBin,
    CotTrees,
    DecoySeed,
    DecoyTags,
    EntryBin,
    EvaluatedBin,
    Hello,
    MaskedBin,
    ProvenBin,
    TagBin,
    TagCounts,
    TranscriptDigest,
    VoleCheck,
    VoleCorrection,
    VoleProof,
    VoleRequest,
)

HEAR: Final = _Turn.HEAR
Dialogue: TypeAlias = Generator[bytes | Literal[_Turn.HEAR], bytes | None, T]

_FIELDS: Final = {
    field.message_type.name: field
    for field in Message.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type is not None
}
_INTEGER, _BYTES = 0, 2
"""Wire types of protobuf: an integer; bytes, or a message within a message."""


def say(body: B) -> Dialogue[None]:
    """Says one message."""
    # A `Message` holds its body and nothing else. To set it would copy it twice over.
    said = body.SerializeToString(deterministic=True)
    yield b"".join((_head(type(body), len(said)), said))


def hear(kind: type[B]) -> Dialogue[B]:
    """Hears one message, which must be of this kind.

    Raises:
        MalformedMessage: the bytes do not parse.
        UnexpectedMessage: they parse as a message of another kind.
    """
    return _parsed(kind, (yield from _heard()))


class Piece(NamedTuple):
    """One piece of what is too long for a message, within the message, which saves copying it.

    Attributes:
        message: as it came.
        start: where its bytes begin.
        end: behind the last of them.
        salt: what stands behind them.
    """

    message: bytes
    start: int
    end: int
    salt: bytes = b""

    @property
    def block(self) -> bytes:
        """The bytes themselves, copied."""
        return self.message[self.start : self.end]


def around(kind: type[B], number: int, length: int, salt: bytes = b"") -> tuple[bytes, bytes]:
    """What a message of one piece has in front of so many bytes, and behind them.

    Whoever makes the bytes makes the whole message, and `say_whole` says it.

    Args:
        kind: whose first fields are number and bytes, and a third the salt if there is one.
        number: of the piece.
        length: of its bytes.
        salt: what stands behind them.
    """
    # Protobuf's encoding: a field that is 0 or empty is not written.
    head = _varint(1 << 3 | _INTEGER) + _varint(number) if number else b""
    if length:
        head += _varint(2 << 3 | _BYTES) + _varint(length)
    tail = _varint(3 << 3 | _BYTES) + _varint(len(salt)) + salt if salt else b""
    return _head(kind, len(head) + length + len(tail)) + head, tail


def say_whole(message: bytes) -> Dialogue[None]:
    """Says one piece that already stands between head and tail of `around`."""
    yield message


def say_piece(kind: type[B], number: int, block: bytes) -> Dialogue[None]:
    """Says one piece: the same message as `say(kind(number, block))`, but copied once."""
    head, _ = around(kind, number, len(block))
    yield b"".join((head, block))


def hear_piece(kind: type[B], number: int, length: int, salt: int = 0) -> Dialogue[Piece]:
    """Hears the piece that is due.

    Args:
        kind: as of `around`; other fields must be empty.
        number: of the piece.
        length: of its bytes.
        salt: bytes of what stands behind them.

    Raises:
        MalformedMessage: the bytes do not parse, or the piece or its salt has another length.
        UnexpectedMessage: they parse as another piece, or as a message of another kind.
    """
    data = yield from _heard()
    head, tail = around(kind, number, length, bytes(salt))
    end = len(head) + length
    if (
        len(data) == end + len(tail)
        and data.startswith(head)
        and data.startswith(tail[: len(tail) - salt], end)
    ):
        return Piece(data, len(head), end, data[len(data) - salt :] if salt else b"")
    # Something is wrong, or the peer encodes in another order; the parser knows which.
    body = _parsed(kind, data)
    came, block, *others = (getattr(body, field.name) for field in kind.DESCRIPTOR.fields)
    check_piece(kind, came, number, len(block), length)
    name = kind.DESCRIPTOR.name
    behind = others.pop(0) if salt else b""
    if len(behind) != salt:
        raise MalformedMessage(f"{name} {number}: a salt of {len(behind)} bytes")
    if any(others):
        raise MalformedMessage(f"{name} {number}: a field that this protocol does not have")
    return Piece(bytes(block), 0, length, bytes(behind))


def check_piece(
    kind: type[ProtobufMessage], came: int, due: int, length: int, length_due: int
) -> None:
    """Checks that the piece that came is the one that is due, and whole.

    Raises:
        UnexpectedMessage: it is another one.
        MalformedMessage: it has another length.
    """
    check_number(kind, came, due)
    if length != length_due:
        name = kind.DESCRIPTOR.name
        raise MalformedMessage(f"{name} {due}: {length} bytes, {length_due} are due")


def check_number(kind: type[ProtobufMessage], came: int, due: int) -> None:
    """Checks that the piece that came is the one that is due.

    Raises:
        UnexpectedMessage: it is another one.
    """
    if came != due:
        raise UnexpectedMessage(f"{kind.DESCRIPTOR.name} {due} is due, {came} came")


def _heard() -> Dialogue[bytes]:
    data = yield HEAR
    if data is None:
        raise ApiMisuse("a driver must answer HEAR with bytes")
    return data


def _parsed(kind: type[B], data: bytes) -> B:
    try:
        message = Message.FromString(data)
    except DecodeError as error:
        raise MalformedMessage("not a psi.wire.v1.Message") from error
    name = message.WhichOneof("body")
    body = getattr(message, name) if name else None
    if not isinstance(body, kind):
        due = _FIELDS[kind.DESCRIPTOR.name].name
        raise UnexpectedMessage(f"{due} is due, {name or 'nothing'} came")
    return body


def _head(kind: type[B], length: int) -> bytes:
    """What stands before the body in a `Message` (protobuf's encoding)."""
    number = _FIELDS[kind.DESCRIPTOR.name].number
    return _varint(number << 3 | _BYTES) + _varint(length)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all bytes but the last have their top bit set."""
    low, high = number & 127, number >> 7
    return bytes((low | 128,)) + _varint(high) if high else bytes((low,))


class Side(Generic[T]):
    """One party between two messages: bytes in, bytes out.

    After an error the side is over: it says nothing more and has no result.
    """

    def __init__(self, dialogue: Dialogue[T]) -> None:
        self._dialogue = dialogue
        self._started = False
        self._over = False
        self._learnt: list[T] = []

    def start(self) -> list[bytes]:
        """Returns what the side says before it has heard anything."""
        if self._started:
            raise ApiMisuse("a side starts once")
        self._started = True
        return self._advance(None)

    def hear(self, data: bytes) -> list[bytes]:
        """Returns what the side says to one message of its peer.

        Raises:
            PeerError: the message is not what it must be; the side is over.
        """
        if not self._started:
            raise ApiMisuse("start the side before it hears")
        return self._advance(data)

    @property
    def finished(self) -> bool:
        """Whether the dialogue has ended with a result."""
        return bool(self._learnt)

    @property
    def result(self) -> T:
        """What the side has learnt.

        Raises:
            ApiMisuse: the dialogue has not ended with a result.
        """
        if not self._learnt:
            raise ApiMisuse("the dialogue has no result")
        return self._learnt[0]

    def _advance(self, heard: bytes | None) -> list[bytes]:
        if self._over:
            # A finished generator answers `send` with a bare StopIteration, which would pass for
            # success; so the side itself remembers that it is over.
            raise UnexpectedMessage("the dialogue is over")
        said: list[bytes] = []
        self._over = True  # unless it comes to listen again
        try:
            while (want := self._dialogue.send(heard)) is not HEAR:
                said.append(want)
                heard = None
            self._over = False
        except StopIteration as stop:
            self._learnt.append(stop.value)
        return said


def converse(ours: Side[T], theirs: Side[U]) -> tuple[T, U]:
    """Runs two sides against each other in memory; for tests and examples.

    Raises:
        ApiMisuse: both sides wait for each other.
    """
    to_them, to_us = ours.start(), theirs.start()
    while to_them or to_us:
        replies = [reply for data in to_them for reply in theirs.hear(data)]
        to_them = [reply for data in to_us for reply in ours.hear(data)]
        to_us = replies
    return ours.result, theirs.result
