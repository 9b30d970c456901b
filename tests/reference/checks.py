"""What the malicious profile checks: trees of transfers, and all leaves of all chunks.

Sources: Roy, CRYPTO 2022, and Boyle et al., CCS 2019 (trees); Weng, Yang, Katz, Wang, S&P 2021
(leaves). docs/protocols.md, "The malicious profile", has both.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from reference import correlations, cot
from reference.aes_hashes import Hash
from reference.blocks import (
    Blocks,
    combine,
    from_bytes,
    from_numbers,
    multiplier,
    times,
    to_number,
    to_numbers,
    xor,
)
from reference.correlations import CORRECTION, DEPTH, LANES, LEAVES, TREES

GROUPS = TREES // LANES
LENGTH = LANES * CORRECTION * 16
"""Bytes of a group's correction."""
TAKEN, BATCH = correlations.TAKEN, correlations.BATCH


def images(sid: bytes, seeds: Blocks) -> Blocks:
    """Two hashes of each leaf of the trees of transfers, (groups, leaves, 2)."""
    return np.stack([Hash(sid, f"cot/check/{i}").mmo(seeds) for i in (0, 1)], axis=2)


def digest(sid: bytes, all_images: Blocks) -> bytes:
    """One digest of all of them in order."""
    return sha256(b"greenlane/vole/1/cot/trees" + sid + all_images.tobytes()).digest()


def trees(sid: bytes, ots: cot.Receiver) -> bytes:
    """What the receiver says of its trees: what opens them, sums of images, and the digest."""
    all_images = images(sid, ots.seeds)
    said = ots.trees + xor(all_images, 1).tobytes() + digest(sid, all_images)
    ots.planted = cot.planted(sid, said)
    return said


def opened(sid: bytes, delta: int, keys: Blocks, said: bytes) -> cot.Sender:
    """Rebuilds the trees; ValueError if the leaves are not the receiver's."""
    length = cot.GROUPS * cot.K * 2 * 16
    ots = cot.Sender(sid, delta, keys, said[:length])
    all_images = images(sid, ots.seeds)
    all_images[cot.ALL, ots.hole] = 0
    sums = from_bytes(said[length:-32], cot.GROUPS, 2)
    all_images[cot.ALL, ots.hole] = sums ^ xor(all_images, 1)
    if digest(sid, all_images) != said[-32:]:
        raise ValueError("the trees are not whole")
    ots.planted = cot.planted(sid, said)
    return ots


class Tally:
    """The weighed sums of all leaves of all chunks, and of their noise."""

    def __init__(self, sid: bytes) -> None:
        self._chain = sha256(b"greenlane/vole/1/leaves" + sid).digest()
        self.sums = from_numbers([0, 0])

    def chunk(self, correction: bytes, leaves: Blocks, errors: Blocks) -> None:
        """Adds a chunk, (trees, leaves)."""
        both = np.stack([leaves, errors]).reshape(2, GROUPS, LANES, LEAVES, 2)
        digests, sums = b"", []
        for g in range(GROUPS):
            said = correction[g * LENGTH :][:LENGTH]
            number = g.to_bytes(4, "little")
            weights = sha256(b"greenlane/vole/1/leaves/group" + self._chain + number + said)
            digests += weights.digest()
            chi, psi = to_numbers(from_bytes(weights.digest(), -1))
            places = both[:, g, :, ROWS].reshape(LEAVES, 2 * LANES, 2)
            lanes = horner(list(places), chi).reshape(2, LANES, 2)
            sums.append(horner([lanes[:, lane] for lane in range(LANES)], psi))
        self._chain = sha256(b"greenlane/vole/1/leaves/chunk" + self._chain + digests).digest()
        eta, omega = to_numbers(from_bytes(self._chain, -1))
        self.sums = self.sums ^ times(horner(sums, eta), omega)


def _row(leaf: int) -> int:
    """Where a leaf counts: bit i - 1 is the complement of the bit that level i decides."""
    return sum((1 - (leaf >> DEPTH - i & 1)) << i - 1 for i in range(1, DEPTH + 1))


ROWS = np.argsort([_row(leaf) for leaf in range(LEAVES)])
"""The leaf of each row."""


def horner(terms: list[Blocks], by: int) -> Blocks:
    """terms[0] by + terms[1] by^2 + ..."""
    multiply, total = multiplier(by), np.zeros_like(terms[0])
    for term in reversed(terms):
        total = multiply(total ^ term).reshape(term.shape)
    return total


def proof(sid: bytes, total: int) -> bytes:
    """What the sender says in the end."""
    return sha256(b"greenlane/vole/1/leaves/proof" + sid + total.to_bytes(16, "little")).digest()


class Receiver(correlations.Receiver):
    """The side that gets a and c, and checks what it hears."""

    MORE = 128

    def drawn(self, more: bytes, rows: Blocks) -> None:
        """The value that masks the noise."""
        self._tally = Tally(self._sid)
        self._mask = int.from_bytes(more, "little"), _product(rows)

    def expanded(self, correction: bytes, leaves: Blocks, errors: Blocks) -> None:
        """Adds a chunk."""
        self._tally.chunk(correction, leaves, errors)

    def masked(self) -> bytes:
        """The noise of all chunks, summed and masked."""
        _, noise = to_numbers(self._tally.sums)
        return (noise ^ self._mask[0]).to_bytes(16, "little")

    def due(self) -> bytes:
        """What the sender has to prove."""
        leaves, _ = to_numbers(self._tally.sums)
        return proof(self._sid, leaves ^ self._mask[1])


class Sender(correlations.Sender):
    """The side that has Delta and gets b, and shows that it is honest."""

    MORE = 128

    def drawn(self, rows: Blocks) -> None:
        """What goes with the value that masks the noise."""
        self._tally = Tally(self._sid)
        self._mask = _product(rows)

    def expanded(self, correction: bytes, leaves: Blocks) -> None:
        """Adds a chunk."""
        self._tally.chunk(correction, leaves, np.zeros_like(leaves))

    def prove(self, masked: bytes) -> bytes:
        """The leaves of all chunks, summed, and hashed with what the mask makes of them."""
        noise = to_number(times(from_bytes(masked, 1), self.delta))
        leaves, _ = to_numbers(self._tally.sums)
        return proof(self._sid, leaves ^ self._mask ^ noise)


def _product(rows: Blocks) -> int:
    """The sum of x^k times row k."""
    return to_number(combine([row[None] for row in rows]))
