"""Which numbers are whose: identities as integers, and the ranges that keep the sides apart.

An identity of one kind (person, plate, VIN, phone) is a number. The numbers fall into ranges, and
a range says on which side they may stand. Numbers turn into identifiers one to one, so two
identifiers are equal exactly if their numbers are, and nothing meets by accident: the truth is
known from the numbers alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]
"""One number a row; -1 where the row has none."""
Mask = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.uint8]
"""One row of bytes a cell: the text in UTF-8, in fixed lanes; a zero byte is an empty lane."""

KINDS = ("person", "plate", "vin", "phone")


@dataclass(frozen=True, slots=True)
class Pool:
    """The ranges of one kind, in this order; each field is a size.

    joint: on both sides, and with the same number in all four kinds: one person with their vehicle
        and phone.
    solo: on both sides, each kind for itself.
    rings: those of planted rings; on one side or on both.
    near: insurer only; the number `near` further on is its near-miss, police only.
    own, their: on the insurer's side only, on the police's only.
    """

    joint: int
    solo: int
    rings: int
    near: int
    own: int
    their: int

    @property
    def solo_start(self) -> int:
        """The first shared number of one kind alone."""
        return self.joint

    @property
    def rings_start(self) -> int:
        """The first number of a ring."""
        return self.joint + self.solo

    @property
    def tracked(self) -> int:
        """Numbers below this are counted one by one; only they can meet."""
        return self.rings_start + self.rings

    @property
    def near_start(self) -> int:
        """The first number whose near-miss the police have."""
        return self.tracked

    @property
    def twins_start(self) -> int:
        """The first near-miss."""
        return self.near_start + self.near

    @property
    def own_start(self) -> int:
        """The first number on the insurer's side only."""
        return self.twins_start + self.near

    @property
    def their_start(self) -> int:
        """The first number on the police's side only."""
        return self.own_start + self.own

    @property
    def size(self) -> int:
        """All numbers of the kind are below this."""
        return self.their_start + self.their

    def untwin(self, index: Index) -> tuple[Index, Mask]:
        """Returns the number to render, and where its near-miss is wanted instead of it."""
        twin = (index >= self.twins_start) & (index < self.own_start)
        return np.where(twin, index - self.near, index), twin


@dataclass(frozen=True, slots=True)
class Scatter:
    """A one-to-one map of 0 ... size-1 onto itself: x -> (factor x + shift) mod size.

    The largest size is that of the VINs, below 2^36, and a twin has less than 2^27 identities of a
    kind, so that the product fits 63 bits.
    """

    factor: int
    shift: int
    size: int

    def __call__(self, x: Index) -> Index:
        """Maps each number to its place."""
        return (x * self.factor + self.shift) % self.size

    @classmethod
    def over(cls, size: int, rng: np.random.Generator) -> Scatter:
        """Draws a map; one to one because the factor has no divisor in common with the size."""
        factor = int(rng.integers(size // 3 + 1, size // 3 * 2 + 2))
        while math.gcd(factor, size) != 1:
            factor += 1
        return cls(factor, int(rng.integers(0, size)), size)


def heavy(rng: np.random.Generator, count: int, size: int) -> Index:
    """Draws numbers below size, few of them often: density of k proportional to k^(-1/3).

    u sqrt(u) instead of a power: products and square roots are rounded the same on every machine.
    """
    u = rng.random(count)
    return np.minimum((u * np.sqrt(u) * size).astype(np.int64), max(size - 1, 0))


def mixed(x: Index, salt: int) -> Index:
    """Returns 62 bits of splitmix64 of each number: attributes that follow from an identity."""
    z = x.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % (1 << 64))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)
