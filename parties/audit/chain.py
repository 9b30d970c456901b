r"""The chain: each line's hash goes over the hash before it and over the line.

    hash_0 = SHA-256("greenlane/audit/1/genesis\n" || canonical {"format", "id", "node"})
    hash_i = SHA-256("greenlane/audit/1/line\n" || hash_{i-1} || body_i)

A body is canonical JSON with the names at, event, facts, number and salt, in this order. So time
and event stand at fixed places at its beginning, and number and salt at its end, where they are
read without parsing. The salt is there because a receipt shows the peer the newest hash: without
it the peer could try out what the lines before say, above all a count that it must not learn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from parties import canonical
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple

FORM: Final = 1
LINE: Final = b"greenlane/audit/1/line\n"
GENESIS: Final = b"greenlane/audit/1/genesis\n"
ID_BYTES: Final = 32
"""Of a log: drawn once, so that no two logs have a hash in common."""
SALT_BYTES: Final = 16
"""128 bits, the security level of all else."""
SETS_BACK: Final = "clock_set"
"""The one event after which time may go back: somebody has said so."""
LONGEST_BODY: Final = 1 << 18
"""Bytes: 256 names of columns, of 128 characters, of 6 bytes in ASCII, are 197,000."""

STAMP: Final = 27
"""Characters of a time: 2026-11-30T07:00:00.000000Z."""
AT: Final = slice(7, 7 + STAMP)
"""Where a body says its time: after `{"at":"`."""
EVENT: Final = 45
"""Where a body's event begins: after the time and `","event":"`."""
TAIL: Final = -(len(',"salt":""}') + 2 * SALT_BYTES)
"""Where a body's number ends, from its end."""


class Genesis(NamedTuple):
    """Where a log begins.

    Attributes:
        node: the name of the node.
        id: of the log.
    """

    node: str
    id: bytes

    @property
    def hash(self) -> bytes:
        """The hash before the first line."""
        body = canonical.encode({"format": FORM, "id": self.id.hex(), "node": self.node})
        return hashlib.sha256(GENESIS + body).digest()


class Place(NamedTuple):
    """A place on a chain: a line and all before it.

    Attributes:
        number: of the line; 0 for the genesis.
        hash: of the line.
    """

    number: int
    hash: bytes


def link(before: bytes, body: bytes) -> bytes:
    """Returns the hash of a line after the one with this hash."""
    return hashlib.sha256(LINE + before + body).digest()


def body_of(number: int, at: str, event: str, facts: Mapping[str, Any], salt: bytes) -> bytes:
    """Encodes a line.

    Raises:
        ApiMisuse: it is too long.
    """
    body = canonical.encode(
        {"at": at, "event": event, "facts": facts, "number": number, "salt": salt.hex()}
    )
    if len(body) > LONGEST_BODY:
        raise ApiMisuse(f"{event}: a line of the audit log has at most {LONGEST_BODY} bytes")
    return body


def number_in(body: bytes) -> int:
    """Returns the number that a body of a line says; -1, or any, if it is none of a line."""
    try:
        return int(body[body.rfind(b":", 0, TAIL) + 1 : TAIL])
    except ValueError:
        return -1


def event_in(body: bytes) -> str:
    """Returns the event that a body says; its facts are not read."""
    return body[EVENT : body.find(b'"', EVENT)].decode("ascii", "replace")


def stamp(at: datetime) -> str:
    """Returns a time as the log writes it: UTC, microseconds, `STAMP` characters.

    Raises:
        ApiMisuse: it is of no time zone.
    """
    if at.tzinfo is None:
        raise ApiMisuse("a time in the audit log needs its zone")
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"
