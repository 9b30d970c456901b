"""Units of parameters: how a whole number becomes a typed value, and how people read it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeAlias

Value: TypeAlias = int | timedelta | Decimal

UNITS: Final = ("count", "percent", "hour", "yuan", "minutes", "hours", "days")
"""DuckDB gets a span of time as an INTERVAL, which it compares with nothing but spans; `hour` is
one of the day. All are whole numbers, so that a pack has one encoding (`parties.canonical` knows no
fractions)."""
MOST: Final = {"percent": 100, "hour": 24, "minutes": 1 << 22, "hours": 1 << 17, "days": 1 << 13}
"""The largest values: about eight to fifteen years for spans; beyond it no window is meant."""
MOST_OF_ALL: Final = 10**12
"""The largest value of any other unit: a trillion of yuan fits DECIMAL(18,2)."""


def typed(number: int, unit: str) -> Value:
    """Returns a parameter as DuckDB gets it."""
    match unit:
        case "yuan":
            return Decimal(number)
        case "minutes" | "hours" | "days":
            return timedelta(**{unit: number})
        case _:
            return number


def worded(number: int, unit: str) -> str:
    """Returns a parameter as people read it."""
    match unit:
        case "percent":
            return f"{number} %"
        case "hour":
            return f"{number:02d}:00"
        case "count":
            return f"{number:,}"
        case "minutes" | "hours" | "days" if number == 1:
            return f"1 {unit.removesuffix('s')}"
        case _:
            return f"{number:,} {unit}"
