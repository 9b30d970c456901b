"""VOLE with noise at the same places of the same trees in all chunks of a session.

As `reference.correlations`, with three differences. Of each tree 32 leaves serve, and they are
seeds: leaf l of a chunk is a hash of seed l. In each chunk the trees stand in another order, and
the leaves of each tree are turned by an offset, so that noise falls on other columns of the code.
And a chunk after the first needs no transfers: the sender says one block a tree.

Source: stationary syndrome decoding, ePrint 2025/295.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import numpy.typing as npt
from reference import correlations, cot
from reference.aes_hashes import Hash, label
from reference.blocks import Blocks, from_bytes, unpack, widen, xor
from reference.correlations import COTS, DEPTH, EACH, TREES, Keys, Positions
from reference.dh import Entropy

LEAVES = 32
LENGTH = TREES * LEAVES
TAKEN = LENGTH // 2 - TREES
BATCH = 4
SUMS = TREES * 16
"""Bytes that the sender says of a chunk."""
LEAF = np.array([0b1111111 ^ int(f"{4 * k:07b}"[::-1], 2) for k in range(LEAVES)])
"""The leaf of a tree of 128 that is seed k: both levels next to the root turn right."""
TOLD = DEPTH + 1
"""Blocks that the sender says of a tree once; the sum of its leaves is not among them."""

Turns = npt.NDArray[np.intp]


class Receiver(correlations.Receiver):
    """The side that gets a, of `width` bits, and c."""

    def __init__(self, sid: bytes, width: int, ots: cot.Receiver, entropy: Entropy) -> None:
        super().__init__(sid, width, ots, entropy)
        self._code = correlations.code(sid, LENGTH)
        self._missing: Positions
        self._rows: Blocks
        self._seeds: Blocks

    def request(self) -> bytes:
        """What this side says to get the next chunk: nothing after the first."""
        self._asked += 1
        if self._asked > 1:
            return b""
        values = self._entropy.bytes(TREES * self._width // 8)
        base, rows = self._ots.extend_checked(0, unpack(values), self._entropy)
        self._noise = (
            widen(values, self._width // 8),
            correlations._base(rows, self._width),
        )
        self._missing = np.frombuffer(self._entropy.bytes(TREES), np.uint8) % LEAVES
        leaves = LEAF[self._missing]
        choices = np.stack([1 - (leaves >> DEPTH - i & 1) for i in range(1, DEPTH + 1)], axis=1)
        spare = unpack(self._entropy.bytes((COTS - TREES * DEPTH) // 8))
        bits = np.concatenate([choices.astype(np.uint8).reshape(-1), spare])
        masked, rows = self._ots.extend_checked(1, bits, self._entropy)
        self._rows = forced(rows)
        return base + masked

    def absorb(self, correction: bytes) -> None:
        """Completes the next chunks, as many as there are sums for."""
        if self._absorbed == 0:
            told = from_bytes(correction[: TREES * TOLD * 16], TREES, TOLD)
            correction = correction[TREES * TOLD * 16 :]
            none: Blocks = np.zeros((TREES, 2), np.uint64)
            whole = np.concatenate([told, none[:, None]], axis=1)
            leaves = correlations.regrow(
                Keys(self._sid, 0), LEAF[self._missing], self._rows, none, whole.tobytes()
            )
            self._seeds = leaves[:, LEAF]
        for at in range(0, len(correction), SUMS):
            self._complete(from_bytes(correction[at : at + SUMS], TREES))

    def _complete(self, sums: Blocks) -> None:
        """Completes the next chunk."""
        order, turns, leaf = chunk(self._sid, self._absorbed)
        self._absorbed += 1
        leaves = turned(self._seeds, order, turns, leaf)
        places = self._missing[order] ^ turns
        values, blocks = self._noise
        # What stands at the place was made of nothing; it goes out of the sum again.
        leaves[EACH, places] ^= xor(leaves, 1) ^ sums ^ blocks
        errors: Blocks = np.zeros((TREES, LEAVES, 2), np.uint64)
        errors[EACH, places] = values
        a, c = (self._code.compress(correlations.vector(x)) for x in (errors, leaves))
        self._noise = a[:TREES], c[:TREES]
        pool = zip(self._pool, (a[TREES:], c[TREES:]), strict=True)
        old, new = (np.concatenate(pair) for pair in pool)
        self._pool = old, new


class Sender(correlations.Sender):
    """The side that has Delta and gets b."""

    def __init__(
        self, sid: bytes, width: int, delta: int, ots: cot.Sender, entropy: Entropy
    ) -> None:
        super().__init__(sid, width, delta, ots, entropy)
        self._code = correlations.code(sid, LENGTH)
        self._seeds: Blocks

    def answer(self, request: bytes) -> bytes:
        """What completes a chunk at the other side; this side has it now."""
        said = b""
        if self._answered == 0:
            count = TREES * self._width
            length = cot.GROUPS * (count + cot.SACRIFICED) // 8 + 32
            base = self._ots.extend_checked(0, request[:length], count)
            self._noise = correlations._base(base, self._width)
            rows = self._ots.extend_checked(1, request[length:], COTS)
            rows = forced(rows)
            roots = from_bytes(self._entropy.bytes(16 * TREES), TREES)
            none: Blocks = np.zeros((TREES, 2), np.uint64)
            leaves, whole = correlations.grow(Keys(self._sid, 0), self.delta, roots, rows, none)
            self._seeds = leaves[:, LEAF]
            said = from_bytes(whole, TREES, TOLD + 1)[:, :TOLD].tobytes()
        elif request:
            raise ValueError("a later request says nothing")
        order, turns, leaf = chunk(self._sid, self._answered)
        self._answered += 1
        leaves = turned(self._seeds, order, turns, leaf)
        said += (xor(leaves, 1) ^ self._noise).tobytes()
        b = self._code.compress(correlations.vector(leaves))
        self._noise = b[:TREES]
        self._pool = np.concatenate([self._pool, b[TREES:]])
        return said


def forced(rows: Blocks) -> Blocks:
    """The rows of each tree; those of the two levels next to the root are zero.

    So what opens the side without the seeds is said in clear: the receiver cannot choose the other.
    """
    by_tree = rows[: TREES * DEPTH].reshape(TREES, DEPTH, 2).copy()
    by_tree[:, :2] = 0
    return by_tree


def chunk(sid: bytes, number: int) -> tuple[Turns, Turns, Hash]:
    """For each place of a tree the tree and the offset of its leaves; the hash of the seeds."""
    counted = number.to_bytes(4, "little")
    stream = correlations.words(sha256(b"greenlane/vole/1/stationary" + sid + counted).digest())
    order = correlations.permutation(TREES, stream)
    drawn = b"".join(next(stream).to_bytes(8, "little") for _ in range(TREES // 8))
    turns = np.frombuffer(drawn, np.uint8).astype(np.intp) % LEAVES
    return order, turns, Hash(sid, label("leaf", number))


def turned(seeds: Blocks, order: Turns, turns: Turns, leaf: Hash) -> Blocks:
    """The leaves of a chunk."""
    places = np.arange(LEAVES) ^ turns[:, None]
    return leaf.mmo(seeds[order[:, None], places])
