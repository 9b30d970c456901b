"""Flights: all that one end of an exchange says, as it is written and as the other end reads it.

The wire is `proto/parties/wire/v1/node.proto`. Sizes are in bytes. Nothing here is secret but the
messages themselves, which are never looked into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import DecodeError

from parties.channel.frames import LONGEST_MESSAGE, WIRE_VERSION, read_opening
from parties.wire.v1 import node_pb2 as wire
from psi.errors import ApiMisuse, BoundExceeded, MalformedMessage
from psi.lazily import NamedTuple

MOST_MESSAGES: Final = 64
"""Messages of a flight; an inquiry has four there and two back."""


class Flight(NamedTuple):
    """All that one end says.

    Attributes:
        session: 32 hexadecimal digits.
        said: its messages, in order.
    """

    session: str
    said: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of the messages."""
        return sum(map(len, self.said))


def write_flight(session: str, said: Sequence[bytes]) -> bytes:
    """Returns the bytes of a flight.

    Raises:
        ApiMisuse: its messages are too many, or too long together.
    """
    flight = Flight(session, tuple(said))
    if len(flight.said) > MOST_MESSAGES or flight.size > LONGEST_MESSAGE:
        raise ApiMisuse(f"{len(flight.said)} messages of {flight.size} bytes: use a stream")
    opening = wire.Opening(session=session, version=WIRE_VERSION)
    return wire.Flight(opening=opening, said=flight.said).SerializeToString(deterministic=True)


def read_flight(raw: bytes) -> Flight:
    """Returns the flight that the other end has written.

    Raises:
        MalformedMessage: the bytes are none, or a field does not have its form.
        BoundExceeded: its messages are too many, or too long together.
        PeerIncompatible: the other end speaks another version of the wire.
    """
    if len(raw) > 2 * LONGEST_MESSAGE:
        raise BoundExceeded(f"a flight of {len(raw)} bytes came")
    try:
        message = wire.Flight.FromString(raw)
    except DecodeError as error:
        raise MalformedMessage("not a parties.wire.v1.Flight") from error
    session = read_opening(message.opening).session
    if len(message.said) > MOST_MESSAGES:
        raise BoundExceeded(f"{len(message.said)} messages came, {MOST_MESSAGES} are allowed")
    flight = Flight(session, tuple(message.said))
    if flight.size > LONGEST_MESSAGE:
        raise BoundExceeded(f"{flight.size} bytes came, {LONGEST_MESSAGE} are allowed")
    return flight
