"""Who learns nothing from a count beside what it is told: a simulator of either side's peer.

A simulator knows one side's own input and randomness, the size classes, and for the receiver the
number that it learns. It knows nothing of the other side's set, and nothing of which element of the
receiver is in common. What it says must look to that side like what an honest peer says.

Source: simulation of semi-honest parties as in Lindell, *How to simulate it*, 2017, section 4; the
protocol is that of De Cristofaro, Gasti, Tsudik, CANS 2012. Its steps are in `reference.dh`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from reference import curve25519
from reference.dh import (
    DECOYS,
    OWN,
    SHARED,
    Entropy,
    derive,
    draw_key,
    evaluated_output,
    hello,
    place,
    session_id,
    size_class,
    tag_width,
)

from psi.wire.v1 import messages_pb2 as wire

BASE = (9).to_bytes(32, "little")
"""The base point of Curve25519 (RFC 7748, section 4.1): its multiples are the subgroup."""

Steps = Generator[Any, Any, None]
"""What a simulator does, in order: yields a message that it says, or the kind that it hears."""


@dataclass(frozen=True)
class Tape:
    """What the receiver has drawn: all of its randomness, from its seed.

    Attributes:
        order: the place at which it asks about each element; real ones first, then shared decoys,
            own decoys, padding.
        key: its secret scalar, and the one that undoes it.
        seed: of its own decoys.
    """

    order: Sequence[int]
    key: tuple[int, int]
    seed: bytes

    @classmethod
    def of(cls, seed: bytes, elements: int) -> Tape:
        """That of an honest receiver of so many elements."""
        entropy, total = Entropy(seed), size_class(elements)
        entropy.bytes(32)  # its nonce
        decoys, order = entropy.bytes(32), entropy.shuffle(total)
        entropy.bytes(32 * (total - elements - DECOYS))  # padding
        return cls(order, draw_key(entropy), decoys)


def sender(
    parameters: bytes, total: int, entries: int, count: int, tape: Tape, entropy: Entropy, step: int
) -> Steps:
    """Says what a sender says in a count, to a receiver that is to learn this number.

    Args:
        parameters: the digest on which both agree.
        total: the receiver's size class.
        entries: the sender's.
        count: how many are in common.
        tape: the receiver's.
        entropy: of the simulator.
        step: points of a message.
    """
    nonce = entropy.bytes(32)
    yield wire.Hello(parameters=parameters, nonce=nonce, role=2, entries=entries)
    heard = yield wire.Hello
    sid = session_id(
        hello(parameters, heard.nonce, 1, total, 0, 0), hello(parameters, nonce, 2, 0, entries, 0)
    )
    bins = -(-total // step)
    for _ in range(bins):
        yield wire.BlindedBin
    # Points of no element.
    points = [point(entropy) for _ in range(total)]
    for bin in range(bins):
        part = b"".join(points[bin * step : (bin + 1) * step])
        yield wire.EvaluatedBin(bin=bin, points=part)
    width = tag_width(total, entries, 0)
    tags = [derive(evaluated_output(sid, each, tape.key), 0, 0)[:width] for each in points]
    # Any of them may be matches and decoys, in any order.
    chosen = place(tags, entropy.shuffle(total))
    match, shared = chosen[:count], chosen[count : count + SHARED]
    own = chosen[count + SHARED : count + SHARED + OWN]
    padding = [entropy.bytes(width) for _ in range(entries - count - SHARED)]
    said = sorted(match + shared + padding)
    rows = 32 * step // width
    for bin in range(-(-entries // rows)):
        part = b"".join(said[bin * rows : (bin + 1) * rows])
        yield wire.EntryBin(bin=bin, entries=part)
    yield wire.DecoySeed
    yield wire.DecoyTags(shared=b"".join(shared), receivers=b"".join(own))


def receiver(parameters: bytes, total: int, entropy: Entropy, step: int) -> Steps:
    """Says what a receiver says in a count.

    Args:
        parameters: the digest on which both agree.
        total: the receiver's size class.
        entropy: of the simulator.
        step: points of a message.
    """
    nonce = entropy.bytes(32)
    yield wire.Hello(parameters=parameters, nonce=nonce, role=1, elements=total)
    theirs = yield wire.Hello
    sid = session_id(
        hello(parameters, nonce, 1, total, 0, 0),
        hello(parameters, theirs.nonce, 2, 0, theirs.entries, 0),
    )
    shown = sha256(b"greenlane/session/check" + sid).digest()[:16]
    bins = list(range(0, total, step))
    for bin, start in enumerate(bins):
        part = b"".join(point(entropy) for _ in range(min(step, total - start)))
        yield wire.BlindedBin(bin=bin, points=part, session=shown)
    for _ in bins:
        yield wire.EvaluatedBin
    heard, width = 0, tag_width(total, theirs.entries, 0)
    while heard < theirs.entries * width:
        heard += len((yield wire.EntryBin).entries)
    yield wire.DecoySeed(seed=entropy.bytes(32))
    yield wire.DecoyTags


def point(entropy: Entropy) -> bytes:
    """A random point of the subgroup of prime order."""
    scalar, _ = draw_key(entropy)
    return curve25519.encode(curve25519.multiply(scalar, curve25519.decode(BASE)))
