"""VOLE: values a and blocks c at the receiver, blocks b and Delta at the sender, c = b + a Delta.

Chunk by chunk, from correlated OTs: the receiver draws one position for each of 816 trees, the
sender draws the trees, and the receiver learns all leaves but one of each. That one it learns with
a value of its noise times Delta added. A public compressing code makes random values of the few
noisy ones; the first of them are the noise of the next chunk.

Sources: Boyle et al., CCS 2019 (VOLE from dual LPN); Guo et al., EUROCRYPT 2023 (half-trees).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from Crypto.Cipher import ChaCha20
from reference import code48, cot
from reference.aes_hashes import Hash, label
from reference.blocks import (
    Blocks,
    combine,
    from_bytes,
    from_numbers,
    unpack,
    widen,
    xor,
)
from reference.dh import Entropy

TREES = 816
"""Noise positions of a chunk, one in each tree."""
DEPTH = 7
LEAVES = 1 << DEPTH
LANES = 8
"""Trees whose leaves take turns in a vector."""
LENGTH = TREES * LEAVES
OUTPUTS = LENGTH // 2
TAKEN = OUTPUTS - TREES
"""Outputs of a chunk that leave; the first 816 feed the next chunk."""
BATCH = 1
"""Chunks of one message."""
COTS = -(-TREES * DEPTH // 128) * 128
"""Correlated OTs of a chunk, in whole blocks."""
CORRECTION = DEPTH - 1 + 2 + 1
"""Blocks that the sender says of a tree."""

EACH = np.arange(TREES)
Positions = npt.NDArray[np.intp]


class Receiver:
    """The side that gets a, of `width` bits, and c."""

    MORE = 0
    """Bits of what is drawn beside the first values, as `checks` wants it."""

    def __init__(self, sid: bytes, width: int, ots: cot.Receiver, entropy: Entropy) -> None:
        self._sid, self._width, self._ots = sid, width, ots
        self._entropy, self._code = entropy, code(sid)
        self._asked = self._absorbed = 0
        self._waiting: deque[tuple[Positions, Blocks]] = deque()
        self._noise: tuple[Blocks, Blocks]
        self._pool = from_numbers([]), from_numbers([])

    def request(self) -> bytes:
        """What this side says to get the next chunk; with the first one, the base values' part."""
        said = b""
        if self._asked == 0:
            count = TREES * self._width
            drawn = self._entropy.bytes((count + self.MORE) // 8)
            said, rows = self._ots.extend_checked(0, unpack(drawn), self._entropy)
            values = widen(drawn[: count // 8], self._width // 8)
            self._noise = values, _base(rows[:count], self._width)
            self.drawn(drawn[count // 8 :], rows[count:])
        self._asked += 1
        positions = np.frombuffer(self._entropy.bytes(TREES), np.uint8).astype(np.intp) % LEAVES
        choices = np.stack([1 - (positions >> DEPTH - i & 1) for i in range(1, DEPTH + 1)], axis=1)
        spare = unpack(self._entropy.bytes((COTS - TREES * DEPTH) // 8))
        bits = np.concatenate([choices.astype(np.uint8).reshape(-1), spare])
        masked, rows = self._ots.extend_checked(self._asked, bits, self._entropy)
        self._waiting.append((positions, rows[: TREES * DEPTH].reshape(TREES, DEPTH, 2)))
        return said + masked

    def absorb(self, correction: bytes) -> None:
        """Completes the oldest chunk that was asked for."""
        positions, rows = self._waiting.popleft()
        values, blocks = self._noise
        leaves = regrow(Keys(self._sid, self._absorbed), positions, rows, blocks, correction)
        self._absorbed += 1
        errors: Blocks = np.zeros((TREES, LEAVES, 2), np.uint64)
        errors[EACH, positions] = values
        self.expanded(correction, leaves, errors)
        a, c = self._code.compress(vector(errors)), self._code.compress(vector(leaves))
        self._noise = a[:TREES], c[:TREES]
        pool = zip(self._pool, (a[TREES:], c[TREES:]), strict=True)
        old, new = (np.concatenate(pair) for pair in pool)
        self._pool = old, new

    def available(self) -> int:
        """Correlations in the pool."""
        return len(self._pool[0])

    def take(self, count: int) -> tuple[Blocks, Blocks]:
        """The next values and blocks."""
        a, c = self._pool
        if len(a) < count:
            raise IndexError("the pool is empty")
        self._pool = a[count:], c[count:]
        return a[:count], c[:count]

    def drawn(self, more: bytes, rows: Blocks) -> None:
        """What was drawn beside the first values, and its rows."""

    def expanded(self, correction: bytes, leaves: Blocks, errors: Blocks) -> None:
        """All leaves of a chunk and its noise, (trees, leaves)."""


class Sender:
    """The side that has Delta and gets b."""

    MORE = 0

    def __init__(
        self, sid: bytes, width: int, delta: int, ots: cot.Sender, entropy: Entropy
    ) -> None:
        self._sid, self._width, self._ots = sid, width, ots
        self._entropy, self._code = entropy, code(sid)
        self.delta = delta
        self._answered = 0
        self._noise: Blocks
        self._pool = from_numbers([])

    def answer(self, request: bytes) -> bytes:
        """What completes a chunk at the other side; this side has it now."""
        if self._answered == 0:
            base = TREES * self._width
            length = cot.GROUPS * (base + self.MORE + cot.SACRIFICED) // 8 + 32
            said, request = request[:length], request[length:]
            rows = self._ots.extend_checked(0, said, base + self.MORE)
            self._noise = _base(rows[:base], self._width)
            self.drawn(rows[base:])
        keys = Keys(self._sid, self._answered)
        self._answered += 1
        rows = self._ots.extend_checked(self._answered, request, COTS)
        rows = rows[: TREES * DEPTH].reshape(TREES, DEPTH, 2)
        roots = from_bytes(self._entropy.bytes(16 * TREES), TREES)
        leaves, correction = grow(keys, self.delta, roots, rows, self._noise)
        self.expanded(correction, leaves)
        b = self._code.compress(vector(leaves))
        self._noise = b[:TREES]
        self._pool = np.concatenate([self._pool, b[TREES:]])
        return correction

    def available(self) -> int:
        """Correlations in the pool."""
        return len(self._pool)

    def take(self, count: int) -> Blocks:
        """The next blocks."""
        if len(self._pool) < count:
            raise IndexError("the pool is empty")
        taken, self._pool = self._pool[:count], self._pool[count:]
        return taken

    def drawn(self, rows: Blocks) -> None:
        """The rows of what the receiver draws beside the first values."""

    def expanded(self, correction: bytes, leaves: Blocks) -> None:
        """All leaves of a chunk, (trees, leaves)."""


def _base(rows: Blocks, width: int) -> Blocks:
    """One block for each tree from `width` correlated OTs: the sum of x^k times row k (Gilboa)."""
    by_tree = rows.reshape(TREES, width, 2)
    return combine([by_tree[:, k] for k in range(width)])


class Keys:
    """The two hashes of a chunk, which has keys of its own."""

    def __init__(self, sid: bytes, chunk: int) -> None:
        self.tree, self.mask = (Hash(sid, label(use, chunk)) for use in ("tree", "mask"))


def grow(keys: Keys, delta: int, roots: Blocks, rows: Blocks, base: Blocks) -> tuple[Blocks, bytes]:
    """All leaves of all trees, and what the sender says of them.

    The nodes of each level but the last have the sum Delta, so that one sum opens either side.
    """
    d = from_numbers([delta])
    nodes = np.stack([roots, roots ^ d], axis=1)
    said = [rows[:, 0] ^ nodes[:, 0]]
    for level in range(2, DEPTH):
        nodes = _children(keys.tree, nodes)
        said.append(rows[:, level - 1] ^ xor(nodes[:, 0::2], 1))
    leaves = _leaves(keys.tree, nodes)
    last = rows[:, DEPTH - 1]
    said.append(keys.mask.ccr(last) ^ xor(leaves[:, 0::2], 1))
    said.append(keys.mask.ccr(last ^ d) ^ xor(leaves[:, 1::2], 1))
    said.append(xor(leaves, 1) ^ base)
    return leaves, np.stack(said, axis=1).tobytes()


def regrow(
    keys: Keys, positions: Positions, rows: Blocks, base: Blocks, correction: bytes
) -> Blocks:
    """The same leaves, but that at the position: it has the noise times Delta added."""
    said = from_bytes(correction, TREES, CORRECTION)
    nodes: Blocks = np.zeros((TREES, 2, 2), np.uint64)
    hole = np.zeros(TREES, np.intp)
    for level in range(1, DEPTH + 1):
        if level == DEPTH:
            nodes = _leaves(keys.tree, nodes)
        elif level > 1:
            nodes = _children(keys.tree, nodes)
        # The children of the unknown node are not those that were computed from zeros.
        nodes[EACH, 2 * hole] = nodes[EACH, 2 * hole + 1] = 0
        path = 2 * hole + (positions >> DEPTH - level & 1)
        side = 1 - path % 2
        if level < DEPTH:
            known = rows[:, level - 1] ^ said[:, level - 1]
        else:
            known = keys.mask.ccr(rows[:, level - 1]) ^ said[EACH, level - 1 + side]
        sides = np.stack([xor(nodes[:, 0::2], 1), xor(nodes[:, 1::2], 1)], axis=1)
        nodes[EACH, path ^ 1] = known ^ sides[EACH, side]
        hole = path
    nodes[EACH, hole] = said[:, -1] ^ xor(nodes, 1) ^ base
    return nodes


def _children(tree: Hash, nodes: Blocks) -> Blocks:
    """Left and right in turn; the two add up to their parent."""
    left = tree.ccr(nodes)
    return np.stack([left, nodes ^ left], axis=2).reshape(TREES, -1, 2)


def _leaves(tree: Hash, nodes: Blocks) -> Blocks:
    """Left and right in turn; the two have nothing in common."""
    one = from_numbers([1])
    return np.stack([tree.ccr(nodes), tree.ccr(nodes ^ one)], axis=2).reshape(TREES, -1, 2)


def vector(leaves: Blocks) -> Blocks:
    """Leaf l of tree j to place (j / 8) * 8 * leaves + l * 8 + j % 8."""
    lanes = leaves.reshape(TREES // LANES, LANES, -1, 2)
    return lanes.transpose(0, 2, 1, 3).reshape(-1, 2)


class Code:
    """The compressing code of a session, from 104,448 blocks to half as many; linear."""

    def __init__(self, sid: bytes, length: int = LENGTH) -> None:
        stream = words(sha256(b"greenlane/vole/1/code" + sid).digest())
        self._slots = [permutation(length, stream) for _ in range(2)]
        self._checks = code48.checks()

    def compress(self, x: Blocks) -> Blocks:
        """Twice prefix sums and a permutation, then to each 24 the checks of 24 others."""
        for slots in self._slots:
            scattered = np.empty_like(x)
            scattered[slots] = np.bitwise_xor.accumulate(x, axis=0)
            x = scattered
        upper, others = (half.reshape(-1, code48.SIZE, 2) for half in np.split(x, 2))
        out = upper.copy()
        for i, checks in enumerate(self._checks):
            out[:, i] ^= xor(others[:, checks], 1)
        return out.reshape(-1, 2)


@lru_cache(maxsize=2)
def code(sid: bytes, length: int = LENGTH) -> Code:
    """The same code for both sides of a session, drawn once."""
    return Code(sid, length)


def words(seed: bytes) -> Iterator[int]:
    """The words of 64 bits of ChaCha20 under a seed: nonce 0, a counter of 64 bits from 0."""
    stream = ChaCha20.new(key=seed, nonce=bytes(8))
    while True:
        yield from np.frombuffer(stream.encrypt(bytes(1 << 16)), "<u8").tolist()


def below(bound: int, stream: Iterator[int]) -> int:
    """A uniform number below a bound (Lemire, ACM TOMACS 29 (2019), algorithm 5)."""
    while True:
        product = next(stream) * bound
        if product % 2**64 >= 2**64 % bound:
            return product >> 64


def permutation(rows: int, stream: Iterator[int]) -> npt.NDArray[np.intp]:
    """The slot of each row (Knuth, TAOCP 2, algorithm P)."""
    slots = list(range(rows))
    for i in range(rows - 1, 0, -1):
        j = below(i + 1, stream)
        slots[i], slots[j] = slots[j], slots[i]
    return np.array(slots)
