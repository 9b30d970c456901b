"""Plates: from a number to a plate of one of eight kinds (GA 36).

Every one is made up; any resemblance to a vehicle is chance. The kinds are those in daily use;
embassies, consulates and the army are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .geography import PROVINCES
from .pools import Cells, Index, Mask, Pool, Scatter
from .serials import DIGITS, LETTERS, Serials

_PAIRS = [(p.sign, letter, p.weight / len(p.letters)) for p in PROVINCES for letter in p.letters]
_MOST = max(weight for _, _, weight in _PAIRS)
_HEADS = np.array([list((sign + letter).encode()) for sign, letter, _ in _PAIRS], np.uint8)
_GUANGDONG_Z = np.frombuffer("粤Z".encode(), np.uint8)[None, :]


@dataclass(frozen=True, slots=True)
class Style:
    """One kind of plate: which hundredths of the numbers have it, its serials, its last character.

    heads: "all" provinces and letters, or the only one.
    """

    first: int
    share: int
    serials: tuple[Serials, ...]
    suffix: str = ""
    heads: str = "all"


_ORDINARY = tuple(
    Serials(tuple(DIGITS if c == "9" else LETTERS for c in pattern))
    for pattern in ("99999", "A9999", "9A999", "9999A", "AA999")
)
_NEW_ENERGY = Serials(("DF", DIGITS + LETTERS, *(DIGITS,) * 4))
_FOUR, _FIVE = Serials((DIGITS,) * 4), Serials((DIGITS,) * 5)
_FROM_HONG_KONG = Serials((DIGITS + LETTERS,) * 4)

STYLES = (
    Style(0, 79, _ORDINARY),
    Style(79, 14, (_NEW_ENERGY,)),  # small vehicles
    Style(93, 1, (_FIVE,), "D"),  # large vehicles, battery
    Style(94, 1, (_FIVE,), "F"),  # large vehicles, other new energy
    Style(95, 2, (_FOUR,), "挂"),  # trailers
    Style(97, 1, (_FOUR,), "学"),  # driving schools
    Style(98, 1, (_FOUR,), "警"),  # police
    Style(99, 1, (_FROM_HONG_KONG,), "港", "粤Z"),
)

GAP, SUFFIX, TRAIL, LANES = 4, 12, 15, 18


def _sizes(style: Style) -> Index:
    """Numbers behind each head (province and letter), in proportion to people per letter."""
    count = sum(serials.count for serials in style.serials)
    if style.heads == "粤Z":
        return np.array([count])
    return np.array([max(1, int(count * weight / _MOST)) for _, _, weight in _PAIRS])


@dataclass(frozen=True, slots=True)
class Plates:
    """Plates: lanes 0-2 province, 3 letter, 6-11 serial, 12-14 last character; the rest empty."""

    pool: Pool
    scatters: tuple[Scatter, ...]

    @classmethod
    def drawn(cls, pool: Pool, rng: np.random.Generator) -> Plates:
        """Draws the map from numbers to identifiers."""
        return cls(pool, tuple(Scatter.over(int(_sizes(style).sum()), rng) for style in STYLES))

    def cells(self, index: Index) -> Cells:
        """Returns the identifier of each number, in its lanes, without dirt."""
        base, twin = self.pool.untwin(index)
        cells = np.zeros((len(index), LANES), np.uint8)
        for style, scatter in zip(STYLES, self.scatters, strict=True):
            part = base % 100 - style.first
            rows = np.flatnonzero((part >= 0) & (part < style.share))
            x = scatter(base[rows] // 100 * style.share + part[rows])
            cells[rows] = _styled(style, x, twin[rows])
        return cells

    def canonical(self, cells: Cells) -> Cells:
        """Returns the normalised form of clean cells: here the same."""
        return cells

    def regular(self, index: Index) -> Mask:
        """Returns where the identifier is of the usual form: here everywhere."""
        return np.ones(len(index), np.bool_)


def _styled(style: Style, x: Index, twin: Mask) -> Cells:
    sizes = _sizes(style)
    ends = np.cumsum(sizes)
    head = np.searchsorted(ends, x, side="right")
    count = sum(serials.count for serials in style.serials)
    # Spread over all serials: without this, rare letters would have low serials only.
    serial = Scatter(_coprime(count), 0, count)(x - (ends - sizes)[head])
    cells = np.zeros((len(x), LANES), np.uint8)
    cells[:, :4] = (_GUANGDONG_Z if style.heads == "粤Z" else _HEADS)[head]
    for serials in style.serials:
        rows = np.flatnonzero((serial >= 0) & (serial < serials.count))
        cells[rows, 6 : 6 + len(serials.alphabets)] = serials.cells(serial[rows], twin[rows])
        serial = serial - serials.count
    suffix = np.frombuffer(style.suffix.encode(), np.uint8)
    cells[:, SUFFIX : SUFFIX + len(suffix)] = suffix
    return cells


def _coprime(size: int) -> int:
    """Returns the first factor from 0.618 size on with no divisor in common with the size."""
    factor = int(size * 0.618)
    while math.gcd(factor, size) != 1:
        factor += 1
    return factor
