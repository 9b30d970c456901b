"""Blocks of 128 bits, many at a time: what the layers of the VOLE match are computed on.

Blocks stand in arrays of shape (..., 2) of 64-bit words, the low word first, so that the bytes of
an array are those of its blocks, little-endian. As an element of GF(2^128), bit i of a block is the
coefficient of x^i, modulo x^128 + x^7 + x^2 + x + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Blocks: TypeAlias = npt.NDArray[np.uint64]
Bits: TypeAlias = npt.NDArray[np.uint8]

MODULUS = 0b1000_0111
"""x^128 modulo the modulus."""


def from_bytes(data: bytes, *shape: int) -> Blocks:
    """Blocks of this shape from their bytes, which must be exactly as many."""
    return np.frombuffer(data, "<u8").reshape(*shape, 2)


def from_numbers(numbers: Iterable[int]) -> Blocks:
    """Blocks from numbers below 2^128."""
    return from_bytes(b"".join(number.to_bytes(16, "little") for number in numbers), -1)


def to_numbers(blocks: Blocks) -> list[int]:
    """The blocks as numbers."""
    return [int(low) | int(high) << 64 for low, high in blocks.reshape(-1, 2)]


def to_number(block: Blocks) -> int:
    """One block as a number."""
    return to_numbers(block)[0]


def xor(blocks: Blocks, axis: int) -> Blocks:
    """The sum of all blocks along an axis."""
    return np.bitwise_xor.reduce(blocks, axis=axis)


def widen(data: bytes, width: int) -> Blocks:
    """Blocks from values of `width` bytes, zeros above them."""
    values = np.frombuffer(data, np.uint8).reshape(-1, width)
    return from_bytes(np.pad(values, ((0, 0), (0, 16 - width))).tobytes(), -1)


def narrow(blocks: Blocks, width: int) -> bytes:
    """The low `width` bytes of each block."""
    return blocks.reshape(-1, 2).view(np.uint8)[:, :width].tobytes()


def pack(bits: Bits) -> bytes:
    """Bits to bytes: bit p in byte p / 8 as its bit p % 8."""
    return np.packbits(bits, bitorder="little").tobytes()


def unpack(data: bytes) -> Bits:
    """Bytes to bits, in the same order."""
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")


def bit(blocks: Blocks, i: int) -> Blocks:
    """Bit i of each block, as 0 or 1 in one word."""
    return (blocks[..., i // 64] >> (i % 64)) & 1


def double(blocks: Blocks) -> Blocks:
    """Each block times x."""
    low, high = blocks[..., 0], blocks[..., 1]
    return np.stack([low << 1 ^ (high >> 63) * MODULUS, high << 1 | low >> 63], axis=-1)


def times(blocks: Blocks, by: int) -> Blocks:
    """Each block times one element: the sum of by x^i for each bit i that is set."""
    product, power = np.zeros_like(blocks), from_numbers([by])
    for i in range(128):
        product ^= bit(blocks, i)[..., None] * power
        power = double(power)
    return product


def multiplier(by: int) -> Callable[[Blocks], Blocks]:
    """`times` by one element for many blocks: a table of the products of each byte."""
    powers = [by]
    while len(powers) < 128:
        power = powers[-1] << 1
        powers.append((power ^ (power >> 128) * MODULUS) % 2**128)
    of_bits = from_numbers(powers).reshape(16, 8, 2)
    table = np.zeros((256, 16, 2), np.uint64)
    for i in range(8):  # values with bit i as their highest are those before them, and bit i
        table[1 << i : 2 << i] = table[: 1 << i] ^ of_bits[:, i]

    def multiply(blocks: Blocks) -> Blocks:
        digits = np.ascontiguousarray(blocks).view(np.uint8).reshape(-1, 16)
        return xor(table[digits, np.arange(16)], 1)

    return multiply


def combine(bits: Sequence[Blocks]) -> Blocks:
    """The sum of x^k times term k (Horner)."""
    total = np.zeros_like(bits[0])
    for term in reversed(bits):
        total = double(total) ^ term
    return total
