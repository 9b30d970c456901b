"""Phones: from a number to a mobile number of the public plan, now and then a landline.

Every one is made up; any resemblance to a line is chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cells import digits
from .pools import Cells, Index, Mask, Pool, Scatter

LANES = 19


@dataclass(frozen=True, slots=True)
class Phones:
    """Phones: lanes 0-4 country prefix, 5-7 9-12 14-17 a mobile number; the rest empty.

    Every 25th number of a private range is a landline: lanes 4-7 area code, 8 hyphen, 8 digits.
    The last digit of a mobile number has the parity of the seven before it; in a near-miss the
    other one.
    """

    pool: Pool
    mobile: Scatter
    fixed: Scatter

    @classmethod
    def drawn(cls, pool: Pool, rng: np.random.Generator) -> Phones:
        """Draws the map from numbers to identifiers."""
        return cls(
            pool,
            Scatter.over(len(PREFIXES) * 10**7 * 5, rng),
            Scatter.over(len(LANDLINES) * 7 * 10**7, rng),
        )

    def regular(self, index: Index) -> Mask:
        """Returns where the phone is a mobile one."""
        mobile: Mask = (index < self.pool.own_start) | (index % 25 != 7)
        return mobile

    def cells(self, index: Index) -> Cells:
        """Returns the identifier of each number, in its lanes, without dirt."""
        base, twin = self.pool.untwin(index)
        x = self.mobile(base)
        serial = x % (10**7 * 5)
        body = digits(serial // 5, 7)
        cells = np.zeros((len(index), LANES), np.uint8)
        cells[:, 5:8] = digits(PREFIXES[x // (10**7 * 5)], 3)
        cells[:, 9:13] = body[:, :4]
        cells[:, 14:17] = body[:, 4:]
        # ASCII '0' is even, so that the sum of the codes has the parity of seven zeros: none.
        last = 2 * (serial % 5) + body.sum(axis=1, dtype=np.int64) % 2
        cells[:, 17] = (last ^ twin) + ord("0")
        fixed = ~self.regular(index)
        cells[fixed] = self._landlines(index[fixed])
        return cells

    def _landlines(self, index: Index) -> Cells:
        x = self.fixed(index)
        cells = np.zeros((len(index), LANES), np.uint8)
        cells[:, 4:8] = LANDLINES[x // (7 * 10**7)]
        cells[:, 8] = ord("-")
        body = digits(2 * 10**7 + x % (7 * 10**7), 8)
        cells[:, 9:13], cells[:, 14:18] = body[:, :4], body[:, 4:]
        return cells

    def canonical(self, cells: Cells) -> Cells:
        """E.164: +86, then the mobile number, or the area code without its zero and the number."""
        cells = cells.copy()
        cells[:, 1:4] = np.frombuffer(b"+86", np.uint8)
        cells[cells[:, 4] == ord("0"), 4] = 0
        cells[:, 8] = 0
        return cells


PREFIXES = np.array(
    [
        *range(130, 140), 145, 147, 149, *range(150, 154), *range(155, 160), 166, 167,
        172, 173, *range(175, 179), *range(180, 190), 191, 193, 195, 196, 197, 198, 199,
    ]
)  # fmt: skip
"""First three digits in use for mobile phones (public numbering plan)."""

_AREA_CODES = (
    *("010", "020", "021", "022", "023", "024", "025", "027", "028", "029", "0571", "0755"),
)
LANDLINES = np.array(
    [list(code.encode().ljust(4, b"\0")) for code in _AREA_CODES],
    np.uint8,
)
"""Area codes of twelve cities with numbers of eight digits."""
