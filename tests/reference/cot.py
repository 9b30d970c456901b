"""Correlated OTs: rows t with chosen bits at one side, rows q = t + choice * Delta at the other.

Source: SoftSpoken OT of Roy, CRYPTO 2022, with k = 4, the semi-honest part. The sender of the match
has Delta, whose bits come in 32 groups of 4. For each group there is a tree of 16 seeds; the
receiver has all of them, the sender all but the one whose number is the group's part of Delta.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import numpy.typing as npt
from reference.aes_hashes import Hash, encrypt
from reference.blocks import (
    Bits,
    Blocks,
    from_bytes,
    from_numbers,
    multiplier,
    pack,
    times,
    to_number,
    to_numbers,
    unpack,
    xor,
)
from reference.dh import Entropy

K = 4
GROUPS = 128 // K
LEAVES = 1 << K
SACRIFICED = 256
"""Rows that only serve the check of an extension: their random choices hide the others' sum."""
DOMAIN = b"greenlane/vole/1/cot/check"
ALL = np.arange(GROUPS)


class Receiver:
    """The side with all seeds, and with the choices."""

    def __init__(self, sid: bytes, keys: Blocks, entropy: Entropy) -> None:
        """Draws the trees; `keys` are the pairs of the base OTs, (128, 2)."""
        nodes, sums = from_bytes(entropy.bytes(16 * GROUPS), GROUPS, 1), []
        for level in range(1, K + 1):
            nodes = _children(sid, nodes)
            pairs = keys[K * ALL + K - level]
            # Who chose 1 in OT i opens side 0: it knows the sum of what is not on its path.
            sums.append(pairs[:, ::-1] ^ _sides(nodes))
        self.seeds = nodes
        """Of all leaves, (groups, leaves)."""
        self.trees = np.stack(sums, axis=1).tobytes()
        """What this side says: in the order group, level, side."""
        self.planted = planted(sid, self.trees)

    def extend_checked(self, number: int, choices: Bits, entropy: Entropy) -> tuple[bytes, Blocks]:
        """The same, with rows to sacrifice, and the sums of all choices and rows behind it."""
        every = np.concatenate([choices, unpack(entropy.bytes(SACRIFICED // 8))])
        masked, rows = self.extend(number, every)
        ones = np.zeros((len(every), 2), np.uint64)
        ones[:, 0] = every
        weights = _weights(self.planted, number, masked)
        sums = [_check_sum(weights, ones), _check_sum(weights, rows)]
        return masked + b"".join(each.tobytes() for each in sums), rows[: len(choices)]

    def extend(self, number: int, choices: Bits) -> tuple[bytes, Blocks]:
        """What this side says of so many choices, and its rows t."""
        streams = _streams(self.seeds, number, len(choices))
        masked = np.bitwise_xor.reduce(streams, axis=1) ^ np.frombuffer(pack(choices), np.uint8)
        return masked.tobytes(), _rows(streams, np.zeros(GROUPS, np.intp))


class Sender:
    """The side with Delta."""

    def __init__(self, sid: bytes, delta: int, keys: Blocks, trees: bytes) -> None:
        """Rebuilds the trees; `keys` are those chosen in the base OTs, (128)."""
        self.planted = planted(sid, trees)
        sums = from_bytes(trees, GROUPS, K, 2)
        bits = np.array([delta >> i & 1 for i in range(128)])
        self._delta = bits
        self.hole = np.zeros(GROUPS, np.intp)
        """The number of the node on the path, which stands there as zeros."""
        nodes: Blocks = np.zeros((GROUPS, 1, 2), np.uint64)
        for level in range(1, K + 1):
            i = K * ALL + K - level
            nodes = _children(sid, nodes)
            # The children of the unknown node are not those that were computed from zeros.
            nodes[ALL, 2 * self.hole] = nodes[ALL, 2 * self.hole + 1] = 0
            side, path = 1 - bits[i], 2 * self.hole + bits[i]
            known = sums[ALL, level - 1, side] ^ keys[i]
            nodes[ALL, path ^ 1] = known ^ _sides(nodes)[ALL, side]
            self.hole = path
        self.seeds = nodes

    def extend_checked(self, number: int, said: bytes, count: int) -> Blocks:
        """The rows q, if the sums behind what was said of the choices agree with them."""
        masked, sums = said[:-32], from_bytes(said[-32:], -1)
        rows = self.extend(number, masked, count + SACRIFICED)
        delta = sum(int(b) << i for i, b in enumerate(self._delta))
        due = sums[1:] ^ times(sums[:1], delta)
        if to_number(_check_sum(_weights(self.planted, number, masked), rows)) != to_number(due):
            raise ValueError("the groups do not agree")
        return rows[:count]

    def extend(self, number: int, masked: bytes, count: int) -> Blocks:
        """The rows q, from what the other side said of its `count` choices."""
        planes = np.frombuffer(masked, np.uint8).reshape(GROUPS, count // 8)
        streams = _streams(self.seeds, number, count)
        streams[ALL, self.hole] = 0
        correction = planes.repeat(K, axis=0) * self._delta.astype(np.uint8)[:, None]
        return _rows(streams, self.hole) ^ _transpose(correction)


def planted(sid: bytes, trees: bytes) -> bytes:
    """The digest of the trees, all that is said of them."""
    return sha256(b"greenlane/vole/1/cot/planted" + sid + trees).digest()


def _weights(planted: bytes, number: int, masked: bytes) -> list[int]:
    """The two numbers x and y of an extension: a hash of what was said, and of where."""
    digest = sha256(DOMAIN + planted + number.to_bytes(4, "little") + masked).digest()
    return to_numbers(from_bytes(digest, -1))


def _check_sum(weights: list[int], rows: Blocks) -> Blocks:
    """Row 64k + j counts x^k y^j times (Horner, twice)."""
    by_x, by_y = map(multiplier, weights)
    abreast = from_numbers([0] * 64)
    for start in reversed(range(0, len(rows), 64)):
        abreast = by_x(abreast) ^ rows[start : start + 64]
    total = from_numbers([0])
    for row in abreast[::-1]:
        total = by_y(total) ^ row
    return total


def _children(sid: bytes, nodes: Blocks) -> Blocks:
    """Of each group's nodes, left and right in turn."""
    sides = [Hash(sid, label).mmo(nodes) for label in ("cot/left", "cot/right")]
    return np.stack(sides, axis=2).reshape(GROUPS, -1, 2)


def _sides(nodes: Blocks) -> Blocks:
    """For each group the sums of its left and of its right children."""
    return np.stack([xor(nodes[:, 0::2], 1), xor(nodes[:, 1::2], 1)], axis=1)


def _streams(seeds: Blocks, number: int, count: int) -> Bits:
    """For each seed count / 8 bytes: AES under the seed of a counter, `number` in its high half."""
    if count % 128:
        raise ValueError("not whole blocks")
    counters = np.array([(m, number) for m in range(count // 128)], np.uint64)
    streams = [encrypt(seed.tobytes(), counters).tobytes() for seed in seeds.reshape(-1, 2)]
    return np.frombuffer(b"".join(streams), np.uint8).reshape(GROUPS, LEAVES, count // 8).copy()


def _rows(streams: Bits, hole: npt.NDArray[np.intp]) -> Blocks:
    """Row i: bit 4g + b is bit i of the sum of the streams x of group g with bit b of x + hole."""
    planes = []
    for g in range(GROUPS):
        numbers = np.arange(LEAVES) ^ hole[g]
        for b in range(K):
            planes.append(np.bitwise_xor.reduce(streams[g, (numbers >> b & 1) == 1], axis=0))
    return _transpose(np.array(planes))


def _transpose(planes: Bits) -> Blocks:
    """128 planes of count / 8 bytes to count rows of 128 bits."""
    bits = unpack(planes.tobytes()).reshape(128, -1)
    return from_bytes(pack(bits.T), -1)
