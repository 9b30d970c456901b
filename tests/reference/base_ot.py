"""128 base OTs: one side ends with two keys for each, the other with the one it chose.

Source: endemic OT of Masny and Rindal, CCS 2019, figure 2, over ristretto255. Here the sender of
the match chooses, with the bits of its Delta; the receiver of the match offers.
"""

from __future__ import annotations

from hashlib import sha256, sha512

from reference import ristretto255 as group
from reference.blocks import Blocks, from_bytes
from reference.dh import Entropy

COUNT = 128
POINT = 32


def draw_scalar(entropy: Entropy) -> int:
    """A uniform scalar."""
    return int.from_bytes(entropy.bytes(64), "little") % group.ORDER


def offer(scalar: int) -> bytes:
    """B = [b] G."""
    return group.encode(group.multiply(scalar, group.GENERATOR))


def choose(sid: bytes, delta: int, offered: bytes, entropy: Entropy) -> tuple[bytes, Blocks]:
    """What the choosing side says, and its 128 keys.

    The point that was not chosen is random; the other is such that only the sum with its hash has a
    known logarithm. ValueError for a B that is none, or the identity.
    """
    b_point = group.decode(offered)
    if group.encode(b_point) == group.encode(group.IDENTITY):
        raise ValueError("the identity is offered")
    said, shared = [], []
    for i in range(COUNT):
        chosen = delta >> i & 1
        scalar = draw_scalar(entropy)
        other = group.from_uniform_bytes(entropy.bytes(64))
        hashed = _hash(sid, i, group.encode(other))
        point = group.add(group.multiply(scalar, group.GENERATOR), group.negate(hashed))
        pair = (point, other) if chosen == 0 else (other, point)
        said.append(b"".join(map(group.encode, pair)))
        shared.append(group.multiply(scalar, b_point))
    keys = [_key(sid, i, delta >> i & 1, offered + said[i], shared[i]) for i in range(COUNT)]
    return b"".join(said), from_bytes(b"".join(keys), COUNT)


def both_keys(sid: bytes, scalar: int, choice: bytes) -> Blocks:
    """The 128 pairs of keys of the offering side; ValueError for a point that is none."""
    if len(choice) != COUNT * 2 * POINT:
        raise ValueError("not 128 pairs of points")
    offered, keys = offer(scalar), []
    for i in range(COUNT):
        said = choice[i * 2 * POINT :][: 2 * POINT]
        encoded = said[:POINT], said[POINT:]
        for c in (0, 1):
            hashed = _hash(sid, i, encoded[1 - c])
            shared = group.multiply(scalar, group.add(group.decode(encoded[c]), hashed))
            keys.append(_key(sid, i, c, offered + said, shared))
    return from_bytes(b"".join(keys), COUNT, 2)


def _hash(sid: bytes, i: int, encoded: bytes) -> group.Point:
    label = b"greenlane/vole/1/base-ot/point"
    return group.from_uniform_bytes(sha512(label + sid + bytes([i]) + encoded).digest())


def _key(sid: bytes, i: int, c: int, said: bytes, shared: group.Point) -> bytes:
    label = b"greenlane/vole/1/base-ot/key"
    return sha256(label + sid + bytes([i, c]) + said + group.encode(shared)).digest()[:16]
