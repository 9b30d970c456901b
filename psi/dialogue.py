"""Dialogues: protocols as generators that say and hear messages, bytes in and bytes out.

A role's `converse()` is a generator. It says with `yield from say(message)`, hears with
`yield from hear(MessageType)` and returns what the role has learnt. It opens nothing, waits for
nothing and reads no clock, so the same code runs in memory, over gRPC and on random bytes.
`Side` turns a dialogue into bytes in, bytes out; `converse` runs two sides against each other.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from google.protobuf.message import DecodeError

from psi.errors import ApiMisuse, MalformedMessage, UnexpectedMessage
from psi.wire.v1.messages_pb2 import (
    BaseOtChoice,
    BaseOtOffer,
    BlindedBin,
    Confirmation,
    CotTrees,
    DecoySeed,
    DecoyTags,
    EntryBin,
    EvaluatedBin,
    Hello,
    MaskedBin,
    Message,
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
    Confirmation,
    CotTrees,
    DecoySeed,
    DecoyTags,
    EntryBin,
    EvaluatedBin,
    Hello,
    MaskedBin,
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
    field.message_type.name: field.name
    for field in Message.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type is not None
}


def say(body: B) -> Dialogue[None]:
    """Says one message."""
    field: dict[str, Any] = {_FIELDS[type(body).__name__]: body}
    yield Message(**field).SerializeToString(deterministic=True)


def hear(kind: type[B]) -> Dialogue[B]:
    """Hears one message, which must be of this kind.

    Raises:
        MalformedMessage: the bytes do not parse.
        UnexpectedMessage: they parse as a message of another kind.
    """
    data = yield HEAR
    if data is None:
        raise ApiMisuse("a driver must answer HEAR with bytes")
    try:
        message = Message.FromString(data)
    except DecodeError as error:
        raise MalformedMessage("not a psi.wire.v1.Message") from error
    name = message.WhichOneof("body")
    body = getattr(message, name) if name else None
    if not isinstance(body, kind):
        due = _FIELDS[kind.DESCRIPTOR.name]
        raise UnexpectedMessage(f"{due} is due, {name or 'nothing'} came")
    return body


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
