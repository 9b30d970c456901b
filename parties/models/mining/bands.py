"""Where numbers are cut, and how a band is called.

No cut looks at an outcome: either it is one of a calendar or of doubling counts, or a quantile of
all claims. A test that is made afterwards is then of a set that was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import floor, log10
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from parties.models.units import worded
from psi.lazily import NamedTuple

Floats: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int16]
Sort: TypeAlias = Literal["name", "flag", "hour", "count", "nights", "yuan", "span"]

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
HOURS: Final = (0, 6, 12, 18, 24)
"""Quarters of a day."""
SPANS: Final = tuple(days * DAY for days in (0, 7, 30, 90, 365))
"""Seconds: a week, a month, a quarter, a year, and what comes before any of it. The published lists
of what to look at say less than 30 days after a policy began."""
SHORT_SPANS: Final = (0, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY)
"""Seconds: as `SPANS`, of what may follow within a day."""
COUNTS: Final = (1, 2, 3, 5, 9, 17, 33)
"""1, 2, 3 and 4, 5 to 8, and so on: each band reaches twice as far, since of counts the order of
magnitude tells."""
QUANTILES: Final = (0.2, 0.4, 0.6, 0.8)
"""Fifths of all claims."""
DIGITS: Final = 2
"""To which quantiles are rounded, so that a cut can be said."""


REACH: Final[dict[Sort, Literal["up", "down"]]] = {
    "count": "up",
    "nights": "up",
    "yuan": "up",
    "span": "down",
}
"""Sorts of which a set does not take a band, but all from one on, or up to one: a rule says many,
or much, or soon. Of a scorecard bands stand apart."""


class Band(NamedTuple):
    """What the claims of a band have in common.

    Attributes:
        low: least number, included, in the unit of the dimension (seconds of a span); None if
            there is none.
        high: the number that is not reached; None likewise.
        name: the value, of a dimension of names; empty else.
    """

    low: int | None = None
    high: int | None = None
    name: str = ""


UNKNOWN: Final = -1
"""Code of a claim that is in no band, for what it would be told by is not known."""


def ranges(sort: Sort, bands: int) -> list[tuple[int, int]]:
    """Returns which bands, from the first to the last, make a fact; wider ones first.

    Args:
        sort: of values.
        bands: how many there are. The whole of them makes none.
    """
    match REACH.get(sort):
        case "up":
            return [(code, bands - 1) for code in range(1, bands)]
        case "down":
            return [(0, code) for code in reversed(range(bands - 1))]
    return [(code, code) for code in range(sort == "flag", bands)]


def cut(values: Floats, cuts: Sequence[int]) -> tuple[Codes, list[Band]]:
    """Cuts numbers at given places; NaN is in no band.

    Args:
        values: a number for each claim, NaN where it is not known.
        cuts: ascending. The first band is what lies below the first of them.
    """
    bounds: list[int | None] = [None, *cuts, None]
    bands = [Band(low, high) for low, high in pairwise(bounds)]
    codes = np.searchsorted(np.asarray(cuts, np.float64), values, side="right").astype(np.int16)
    codes[np.isnan(values)] = UNKNOWN
    return codes, bands


def quantiles(values: Floats) -> list[int]:
    """Returns cuts at fifths of the values, rounded to whole numbers of two digits."""
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    return sorted({_rounded(float(each)) for each in np.quantile(known, QUANTILES)} - {0})


def _rounded(value: float) -> int:
    if value < 1:
        return 0
    step: int = 10 ** max(0, floor(log10(value)) + 1 - DIGITS)
    return step * round(value / step)


def called(sort: Sort, band: Band) -> str:
    """Returns a band as people read it, without what it is a band of."""
    low, high = band.low, band.high
    match sort:
        case "name":
            return band.name
        case "flag":
            return "yes" if band.low else "no"
        case "count" | "nights" if low is not None and high == low + 1:
            return f"{low:,}"
        case "count" | "nights" if low is not None and high is not None:
            return f"{low:,} to {high - 1:,}"
        case "hour":
            return f"{low:02d}:00 to {high:02d}:00"
    if low is None:
        return f"less than {number(sort, high)}"
    return (
        f"{number(sort, low)} or more"
        if high is None
        else (f"{number(sort, low)} to less than {number(sort, high)}")
    )


def number(sort: Sort, value: Any) -> str:
    """Returns a bound as people read it."""
    return worded(*parameter(sort, value))


def parameter(sort: Sort, value: int) -> tuple[int, str]:
    """Returns a bound as a parameter of a rule has it: a whole number and its unit."""
    match sort:
        case "span" if value % DAY == 0:
            return value // DAY, "days"
        case "span":
            return value // HOUR, "hours"
        case "yuan" | "hour":
            return value, sort
        case _:
            return value, "count"


def seconds(begin: str, end: str) -> str:
    """Returns the SQL of a span of time in seconds."""
    return f"(epoch_us({end}) - epoch_us(CAST({begin} AS TIMESTAMP))) / 1e6"
