"""How far a share can be trusted: Wilson's interval for a binomial proportion.

E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
American Statistical Association 22 (1927). L. D. Brown, T. T. Cai and A. DasGupta, "Interval
estimation for a binomial proportion", Statistical Science 16 (2001), recommend it in section 5 for
40 trials or fewer, and find its coverage near what it says for more of them as well; the textbook's
interval has no width where all or none are found, which is what is mostly found here.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Final

from psi.lazily import NamedTuple

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""Of the normal distribution."""


class Share(NamedTuple):
    """So many of so many.

    Attributes:
        number: how many.
        of: of how many; 0 if there were none to be counted.
    """

    number: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None of none."""
        return self.number / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of 95 %, within 0 to 1; None of none."""
        return wilson(self.number, self.of) if self.of else None


def wilson(number: int, of: int) -> tuple[float, float]:
    """Returns Wilson's interval of 95 %, within 0 to 1.

    Equation (4) of Brown, Cai and DasGupta. At its ends it is exact: rounding may not put the limit
    of none above 0, or that of all below 1.

    Args:
        number: how many.
        of: of how many, at least one.
    """
    share, square = number / of, Z * Z
    middle = (number + square / 2) / (of + square)
    half = Z * sqrt(of) / (of + square) * sqrt(share * (1 - share) + square / (4 * of))
    return 0.0 if number == 0 else middle - half, 1.0 if number == of else middle + half
