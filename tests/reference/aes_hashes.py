"""Hashing blocks with AES-128 under public keys, one for each session and use.

Sources: FIPS 197 (AES, here that of pycryptodome); Matyas, Meyer, Oseas, 1985 (the one-way form);
Guo, Katz, Wang, Yu, S&P 2020, section 7.3 (the circular correlation robust form).
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from Crypto.Cipher import AES
from reference.blocks import Blocks, from_bytes


class Hash:
    """AES under a key of a session."""

    def __init__(self, sid: bytes, label: str) -> None:
        self._key = sha256(b"greenlane/vole/1/" + label.encode() + sid).digest()[:16]

    def mmo(self, blocks: Blocks) -> Blocks:
        """AES(x) + x."""
        return encrypt(self._key, blocks) ^ blocks

    def ccr(self, blocks: Blocks) -> Blocks:
        """AES(sigma(x)) + sigma(x)."""
        return self.mmo(sigma(blocks))


def label(use: str, number: int) -> str:
    """The label of a key that serves for one chunk, or for one bin, alone."""
    return f"{use}/{number}"


def encrypt(key: bytes, blocks: Blocks) -> Blocks:
    """AES of each block."""
    encrypted = AES.new(key, AES.MODE_ECB).encrypt(blocks.tobytes())
    return from_bytes(encrypted, *blocks.shape[:-1])


def sigma(blocks: Blocks) -> Blocks:
    """(low, high) to (high, low + high): linear, and so is x -> sigma(x) + x, both invertible."""
    low, high = blocks[..., 0], blocks[..., 1]
    return np.stack([high, low ^ high], axis=-1)
