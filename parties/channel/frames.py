"""Frames: what one end of a call writes, and what it accepts of the other end.

The wire is `proto/parties/wire/v1/node.proto`. Frames with a message of the dialogue, which are all
but a handful, are written and read here without protobuf, which would copy each message once more
each way; the bytes are the same (a test compares them). Sizes are in bytes. Nothing here is secret
but the messages themselves, which are never looked into. Frames are told apart by their classes; to
compare them says nothing.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError

from parties.wire.v1 import node_pb2 as wire
from psi.errors import BoundExceeded, MalformedMessage, PeerIncompatible, UnexpectedMessage
from psi.lazily import NamedTuple

# Messages are made to be about 1 MiB (64 KiB halves the rate, 16 MiB loses to copies); twice that
# leaves room for a full bin, and a queue of four stays at 8 MiB.
LONGEST_MESSAGE: Final = 2 * 1024 * 1024

# Tag and varint of a 64-bit sequence: 1 + 10. Tag and length of `said`: 1 + 4, since 2 MiB = 2^21
# needs four groups of 7 bits.
FRAME_MARGIN: Final = 1 + 10 + 1 + 4

WIRE_VERSION: Final = 1

_SEQUENCE_TAG: Final = 0x08  # field 1, varint
_SAID_TAG: Final = 0x1A  # field 3, length-delimited

_SESSION: Final = re.compile(r"[0-9a-f]{32}")
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,47}")


class Opening(NamedTuple):
    """The first frame of a direction: session as 32 hexadecimal digits."""

    session: str


class Said(NamedTuple):
    """One message of the dialogue."""

    data: bytes


class Heartbeat:
    """The other end is alive."""

    __slots__ = ()


class Ending:
    """The other end's dialogue is over."""

    __slots__ = ()


class Fault(NamedTuple):
    """The calling end gave up; `code` is a stable word."""

    code: str


Frame: TypeAlias = Opening | Said | Heartbeat | Ending | Fault


class Writer:
    """Numbers the frames of one direction and writes them."""

    def __init__(self) -> None:
        self._sequence = 0

    def write(self, frame: Frame) -> bytes:
        """Returns the bytes of the next frame."""
        self._sequence += 1
        match frame:
            case Said(data):
                head = bytes([_SEQUENCE_TAG, *_varint(self._sequence), _SAID_TAG])
                return b"".join((head, bytes(_varint(len(data))), data))
            case Opening(session):
                opening = wire.Opening(session=session, version=WIRE_VERSION)
                message = wire.Frame(sequence=self._sequence, opening=opening)
            case Heartbeat():
                message = wire.Frame(sequence=self._sequence, heartbeat=wire.Heartbeat())
            case Ending():
                message = wire.Frame(sequence=self._sequence, ending=wire.Ending())
            case Fault(code):
                message = wire.Frame(sequence=self._sequence, fault=wire.Fault(code=code))
        return message.SerializeToString(deterministic=True)


class Reader:
    """Reads the frames of one direction in their order.

    Raises, from `read`:
        MalformedMessage: the bytes are no frame, or a field does not have its form.
        BoundExceeded: a message is longer than `LONGEST_MESSAGE`.
        UnexpectedMessage: a frame was repeated, left out or moved, or is not due.
        PeerIncompatible: the other end speaks another version of the wire.
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._ended = False

    def read(self, raw: bytes) -> Frame:
        """Returns the next frame, which must be due."""
        sequence, frame = _parse(raw)
        self._sequence += 1
        if sequence != self._sequence:
            raise UnexpectedMessage(f"frame {self._sequence} is due, {sequence} came")
        name = type(frame).__name__
        if (self._sequence == 1) != isinstance(frame, Opening):
            raise UnexpectedMessage(f"frame {self._sequence} must not be {name}")
        if self._ended and not isinstance(frame, Heartbeat | Fault):
            raise UnexpectedMessage(f"frame {self._sequence} is {name}, after the end")
        self._ended = self._ended or isinstance(frame, Ending | Fault)
        return frame


def read_opening(opening: wire.Opening) -> Opening:
    """Checks what opens a direction.

    Raises:
        PeerIncompatible: the other end speaks another version of the wire.
        MalformedMessage: the session has another form.
    """
    if opening.version != WIRE_VERSION:
        raise PeerIncompatible(
            f"the peer speaks version {opening.version} of the wire, we speak "
            f"{WIRE_VERSION}: run the same release on both nodes"
        )
    if not session_is_well_formed(opening.session):
        raise MalformedMessage("the session is not 32 hexadecimal digits")
    return Opening(opening.session)


def session_is_well_formed(session: str) -> bool:
    """Whether this is 32 hexadecimal digits in lower case."""
    return _SESSION.fullmatch(session) is not None


def code_is_well_formed(code: str) -> bool:
    """Whether this is a word that may be shown and logged, whoever sent it."""
    return _CODE.fullmatch(code) is not None


def _parse(raw: bytes) -> tuple[int, Frame]:
    said = _parse_said(raw)
    if said is not None:
        return said
    try:
        message = wire.Frame.FromString(raw)
    except DecodeError as error:
        raise MalformedMessage("not a parties.wire.v1.Frame") from error
    return message.sequence, _body(message)


def _body(message: wire.Frame) -> Frame:
    match message.WhichOneof("body"):
        case "said":
            return Said(_bounded(message.said))
        case "opening":
            return read_opening(message.opening)
        case "heartbeat":
            return Heartbeat()
        case "ending":
            return Ending()
        case "fault":
            if not code_is_well_formed(message.fault.code):
                raise MalformedMessage("the code of a fault is not a word")
            return Fault(message.fault.code)
        case _:
            raise MalformedMessage("a frame without a body")


def _parse_said(raw: bytes) -> tuple[int, Said] | None:
    """Reads the one form in which a `Writer` writes `said`; None for every other, valid or not."""
    sequence, at = _read_varint(raw, 1)
    if at == 0 or raw[0] != _SEQUENCE_TAG or raw[at : at + 1] != bytes([_SAID_TAG]):
        return None
    length, at = _read_varint(raw, at + 1)
    if at == 0 or at + length != len(raw):
        return None
    return sequence, Said(_bounded(raw[at:]))


def _bounded(data: bytes) -> bytes:
    if len(data) > LONGEST_MESSAGE:
        raise BoundExceeded(f"a message of {len(data)} bytes came, {LONGEST_MESSAGE} are allowed")
    return data


def _varint(number: int) -> list[int]:
    """Returns the base-128 form of a number below 2^64, least significant group first."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return [*groups, number]


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    """Returns a number of at most 9 groups and the place after it, which is 0 if there is none.

    A tenth group could exceed 64 bits, where protobuf has rules of its own; so that is left to it.
    """
    number = 0
    for place, group in enumerate(raw[at : at + 9]):
        number |= (group & 0x7F) << (7 * place)
        if group < 0x80:
            return number, at + place + 1
    return 0, 0
