"""Serials of plates and VINs: from a number to a few characters, and to the near-miss of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .pools import Cells, Index, Mask

DIGITS, LETTERS = "0123456789", "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The characters of plates; I and O are not used."""


@dataclass(frozen=True, slots=True)
class Serials:
    """One pattern of a serial: the alphabet of each place, the last of even size.

    Only half of the last alphabet is used: the places of the parity of all the others' places. The
    neighbour of the other parity is the near-miss: one character differs, and nobody else has it.
    """

    alphabets: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many serials the pattern has, near-misses not counted."""
        return math.prod(len(a) for a in self.alphabets) // 2

    def cells(self, x: Index, twin: Mask) -> Cells:
        """Returns n x places characters for numbers below `count`."""
        cells = np.empty((len(x), len(self.alphabets)), np.uint8)
        parity = np.zeros(len(x), np.int64)
        *firsts, last = self.alphabets
        for place, alphabet in enumerate(firsts):
            x, value = x // len(alphabet), x % len(alphabet)
            parity ^= value & 1
            cells[:, place] = np.frombuffer(alphabet.encode(), np.uint8)[value]
        cells[:, -1] = np.frombuffer(last.encode(), np.uint8)[(2 * x + parity) ^ twin]
        return cells
