"""What both sides must agree on, and the first words of every dialogue.

Unequal parameters would not fail: the intersection would be empty, and nobody would know. So each
side says a digest of all of them first (the lesson of `hash_params` in python-spake2).
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, hear, say
from psi.errors import BoundExceeded, MalformedMessage, PeerIncompatible, PeerMisbehaved
from psi.lazily import NamedTuple
from psi.wire.v1 import messages_pb2 as wire

KAPPA: Final = 128
"""Computational security in bits."""
LAMBDA: Final = 40
"""Statistical security in bits: how unlikely a wrong result is for one session."""
NONCE: Final = 32
"""Bytes of a nonce: two of 2^64 sessions share one with 2^-128."""
CHECK: Final = KAPPA // 8
"""Bytes that show a session."""


class Output(Enum):
    """Who learns what."""

    RECEIVER = "receiver"
    """The receiver learns which of its elements the sender holds."""
    BOTH = "both"
    """So does the sender, of the receiver's."""
    CARDINALITY = "cardinality"
    """The receiver learns how many, and nobody learns which."""


class Role(Enum):
    """The two roles of a protocol."""

    RECEIVER = wire.ROLE_RECEIVER
    SENDER = wire.ROLE_SENDER


class Parameters(NamedTuple):
    """What both sides must agree on before anything that depends on their sets is said.

    Attributes:
        protocol: its name in `psi.protocols`.
        output: who learns what.
        domain: the one in which the elements were hashed.
        context: whatever else must be the same, such as the names of both parties, the version of
            the rules that normalise identifiers, a ticket.
        max_elements: the most elements, and records, that a side may bring.
        max_label_width: the widest label that a side may attach, in bytes.
    """

    protocol: str
    output: Output
    domain: str
    context: bytes = b""
    max_elements: int = 1 << 24
    max_label_width: int = 1024

    def digest(self) -> bytes:
        """32 bytes that are the same exactly if all attributes are (SHA-256)."""
        fields = [
            b"greenlane/parameters/1",
            self.protocol.encode(),
            self.output.value.encode(),
            self.domain.encode(),
            self.context,
            str(self.max_elements).encode(),
            str(self.max_label_width).encode(),
        ]
        framed = b"".join(len(field).to_bytes(8, "little") + field for field in fields)
        return hashlib.sha256(framed).digest()


class Offer(NamedTuple):
    """What one side brings into a session; the other side learns all of it.

    Attributes:
        role: of the side.
        elements: how many, decoys and padding included; 0 for a sender, who tells its entries.
        entries: how many it says, decoys and padding included; 0 for a side that tells no records.
        label_width: of their labels, in bytes.
    """

    role: Role
    elements: int
    entries: int
    label_width: int


class Traffic(NamedTuple):
    """About what the two sides of a protocol say.

    Attributes:
        receiver: bytes that it says.
        sender: bytes that it says.
        flights: how often one waits for the other before it can go on.
    """

    receiver: int
    sender: int
    flights: int


class Session(NamedTuple):
    """One run between two sides.

    Attributes:
        id: 32 bytes that depend on all that both sides said in their Hello.
        theirs: what the other side brings.
        heard: 16 bytes that show which Hello of the other side this one has heard.
    """

    id: bytes
    theirs: Offer
    heard: bytes

    @property
    def check(self) -> bytes:
        """16 bytes that show the other side which session this one believes to be in."""
        return hashlib.sha256(b"greenlane/session/check" + self.id).digest()[:CHECK]


def agree(
    parameters: Parameters, ours: Offer, bound: int, entropy: _core.Entropy
) -> Dialogue[Session]:
    """Says our parameters and what we bring, hears the same of the peer; the first thing said.

    Args:
        parameters: ours.
        ours: what we bring.
        bound: the most elements or entries, decoys and padding included, that either may bring.
        entropy: where our nonce comes from.

    Raises:
        PeerError: as of `hear_hello`.
    """
    said = yield from say_hello(parameters, ours, entropy)
    return (yield from hear_hello(parameters, said, bound))


def say_hello(parameters: Parameters, ours: Offer, entropy: _core.Entropy) -> Dialogue[wire.Hello]:
    """Says our parameters and what we bring, and returns what was said; arguments as of `agree`."""
    said = wire.Hello(
        parameters=parameters.digest(),
        nonce=entropy.bytes(NONCE),
        role=ours.role.value,
        elements=ours.elements,
        entries=ours.entries,
        label_width=ours.label_width,
    )
    yield from say(said)
    return said


def hear_hello(parameters: Parameters, said: wire.Hello, bound: int) -> Dialogue[Session]:
    """Hears the peer's parameters and what it brings.

    Args:
        parameters: ours.
        said: what `say_hello` returned.
        bound: as of `agree`.

    Raises:
        PeerIncompatible: the peer's parameters are not ours, or it has our role.
        PeerMisbehaved: the peer sent our own words back.
        BoundExceeded: the peer brings more than was agreed.
        MalformedMessage: its digest or nonce has another length.
    """
    role = Role(said.role)
    hello = yield from hear(wire.Hello)
    if len(hello.parameters) != hashlib.sha256().digest_size or len(hello.nonce) != NONCE:
        raise MalformedMessage("Hello: a digest or nonce of another length")
    if hello.parameters != parameters.digest():
        raise PeerIncompatible(
            f"the peer runs other parameters than {parameters.protocol}, "
            f"output {parameters.output.value}, domain {parameters.domain}"
        )
    if hello.nonce == said.nonce:
        raise PeerMisbehaved("the peer sent our own nonce back")
    if hello.role != _other(role).value:
        raise PeerIncompatible(f"both sides want to be {role.name.lower()}")
    if max(hello.elements, hello.entries) > bound:
        raise BoundExceeded(
            f"the peer brings {max(hello.elements, hello.entries)}, agreed are at most {bound}"
        )
    if hello.label_width > parameters.max_label_width:
        raise BoundExceeded(
            f"the peer's labels have {hello.label_width} bytes, "
            f"agreed are at most {parameters.max_label_width}"
        )
    hellos = (said, hello) if role is Role.RECEIVER else (hello, said)
    return Session(
        id=hashlib.sha256(b"greenlane/session/1" + b"".join(map(_framed, hellos))).digest(),
        theirs=Offer(_other(role), hello.elements, hello.entries, hello.label_width),
        heard=check_of(hello),
    )


def check_of(hello: wire.Hello) -> bytes:
    """16 bytes that show which Hello was said, for a side that does not wait for the other's."""
    return hashlib.sha256(b"greenlane/hello/check" + _framed(hello)).digest()[:CHECK]


def _framed(hello: wire.Hello) -> bytes:
    sizes = (hello.role, hello.elements, hello.entries, hello.label_width)
    return hello.parameters + hello.nonce + b"".join(n.to_bytes(8, "little") for n in sizes)


def _other(role: Role) -> Role:
    return Role.SENDER if role is Role.RECEIVER else Role.RECEIVER
