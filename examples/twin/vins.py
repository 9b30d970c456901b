"""VINs: from a number to 17 characters (ISO 3779), check digit by 49 CFR 565.

Every one is made up; any resemblance to a vehicle is chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pools import Cells, Index, Mask, Pool, Scatter
from .serials import DIGITS, Serials

LUXURY = ("WBA", "WDD", "WAU", "WP0", "ZFF", "SAL")
"""European makes: their place 9 is no check digit, and here it is Z, which never is one."""
MAKERS = (
    *("LSV", "LFV", "LSG", "LHG", "LVS", "LGX", "LBV", "LE4", "LVH", "LDC", "LB3", "LGB", "LFM"),
    *("LGW", "LSJ", "LZW", "LS5", "LVV", "LJD", "LNB", "L6T", "LRW", "5YJ", "1FT", *LUXURY),
)
"""World manufacturer identifiers: 22 Chinese, 2 of North America, 6 European."""
_MODELS = (
    *("A1B23", "C2D45", "F4E67", "H1G89", "K3J12", "L5M34", "N2P56", "R4S78", "T1U90", "V3W21"),
    *("X5Y43", "B2A65", "D4C87", "E1F09", "G3H11", "J5K22", "M2L33", "P4N44", "S1R55", "U3T66"),
)
_YEARS, _PLANTS = "ABCDEFGHJKLMNPR", "12AN"
"""Model years 2010-2024."""
_SERIALS = Serials((DIGITS,) * 6)

_TRANSLITERATED = np.zeros(256, np.int64)
for _value, _letters in enumerate(("AJ", "BKS", "CLT", "DMU", "ENV", "FW", "GPX", "HY", "RZ"), 1):
    _TRANSLITERATED[list(_letters.encode())] = _value
_TRANSLITERATED[ord("0") : ord("9") + 1] = range(10)
_WEIGHTS = np.array((8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2))
_CHECKS = np.frombuffer(b"0123456789X", np.uint8)
_MAKERS = np.array([list(maker.encode()) for maker in MAKERS], np.uint8)
_MODEL_CELLS = np.array([list(model.encode()) for model in _MODELS], np.uint8)

GAPS, TRAIL, LANES = (3, 10), 19, 22
_PLACES = np.array([lane for lane in range(19) if lane not in GAPS])
"""The lanes of the 17 characters."""


@dataclass(frozen=True, slots=True)
class Vins:
    """VINs: lanes 0-2 maker, 4-9 model and check digit, 11-18 year, plant, serial; the rest empty.

    A near-miss differs in its last character only, so that its check digit is wrong: a warning, not
    a reject, since the check digit is not mandatory everywhere.
    """

    pool: Pool
    scatter: Scatter
    luxury: Index

    @classmethod
    def drawn(cls, pool: Pool, luxury: list[int], rng: np.random.Generator) -> Vins:
        """Draws the map from numbers to identifiers."""
        each = len(_MODELS) * len(_YEARS) * len(_PLANTS) * _SERIALS.count
        return cls(pool, Scatter.over(len(MAKERS) * each, rng), np.array(luxury))

    def cells(self, index: Index) -> Cells:
        """Returns the identifier of each number, in its lanes, without dirt."""
        base, twin = self.pool.untwin(index)
        x = self.scatter(base)
        vin = np.empty((len(index), 17), np.uint8)
        x, maker = x // len(MAKERS), x % len(MAKERS)
        x, model = x // len(_MODELS), x % len(_MODELS)
        x, year = x // len(_YEARS), x % len(_YEARS)
        x, plant = x // len(_PLANTS), x % len(_PLANTS)
        vin[:, :3] = _MAKERS[maker]
        vin[:, 3:8] = _MODEL_CELLS[model]
        vin[:, 9] = np.frombuffer(_YEARS.encode(), np.uint8)[year]
        vin[:, 10] = np.frombuffer(_PLANTS.encode(), np.uint8)[plant]
        vin[:, 11:] = _SERIALS.cells(x, np.zeros(len(x), np.bool_))
        self._make_luxury(vin, base)
        vin[:, 8] = ord("0")
        check = _CHECKS[_TRANSLITERATED[vin] @ _WEIGHTS % 11]
        vin[:, 8] = np.where(_european(vin), ord("Z"), check)
        vin[:, 16] ^= twin.astype(np.uint8)
        cells = np.zeros((len(index), LANES), np.uint8)
        cells[:, _PLACES] = vin
        return cells

    def _make_luxury(self, vin: Cells, base: Index) -> None:
        """Gives the listed numbers a European make and a plant that no other number has.

        The place in the list sets maker and serial, so that they stay apart from each other.
        """
        place = np.searchsorted(self.luxury, base).clip(max=len(self.luxury) - 1)
        rows = np.flatnonzero(self.luxury[place] == base)
        serial, maker = place[rows] // len(LUXURY), place[rows] % len(LUXURY)
        vin[rows, :3] = _MAKERS[len(MAKERS) - len(LUXURY) + maker]
        vin[rows, 10] = ord("X")
        spread = serial * 7919 % _SERIALS.count  # by a prime, so that none falls on another
        vin[rows, 11:] = _SERIALS.cells(spread, np.zeros(len(rows), np.bool_))

    def canonical(self, cells: Cells) -> Cells:
        """Returns the normalised form of clean cells: here the same."""
        return cells

    def regular(self, index: Index) -> Mask:
        """Returns where the identifier is of the usual form: here everywhere."""
        return np.ones(len(index), np.bool_)


def _european(vin: Cells) -> Mask:
    mask: Mask = (vin[:, None, :3] == _MAKERS[-len(LUXURY) :]).all(axis=2).any(axis=1)
    return mask
