"""What a rule says in words: its reason, filled with the values that made it fire."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

SHOWN: Final = 6
"""Names of a list that a reason shows; how many more there are is said."""


def fields_of(template: str) -> list[str]:
    """Returns the names between braces, in order.

    Raises:
        ValueError: braces do not pair, or hold something else than a name.
    """
    names = []
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError
        names.append(name)
    return names


def filled(template: str, row: Mapping[str, Any], said: Mapping[str, str]) -> str:
    """Returns a reason with the values of a row, and with what is said of the parameters."""
    return template.format_map({**{name: worded(value) for name, value in row.items()}, **said})


def worded(value: Any) -> str:
    """Returns a value of a result as people read it; its type says its unit."""
    match value:
        case None:
            return "(not known)"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case date():
            return f"{value:%Y-%m-%d}"
        case timedelta():
            return span(value)
        case Decimal():
            return f"{value:,.2f} yuan"
        case int():
            return f"{value:,}"
        case str():
            return "".join(c if c.isprintable() else "�" for c in value)
        case _:
            return listed(value)


def span(value: timedelta) -> str:
    """Returns a span of time in its largest unit, and in the next if there is some of it."""
    seconds = int(abs(value).total_seconds())
    parts: list[str] = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number:,} {unit}{'' if number == 1 else 's'}")
        elif parts:
            break
    return " ".join(parts[:2]) or "no time"


def listed(values: Iterable[Any]) -> str:
    """Returns a list as people read it."""
    words = [worded(value) for value in values]
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
