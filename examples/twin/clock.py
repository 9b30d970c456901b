"""The calendar of the made-up world: seconds of local wall-clock time since 1970."""

from __future__ import annotations

HOUR, DAY = 3_600, 86_400
FIRST = 18_628 * DAY
"""2021-01-01 00:00."""
SPAN = 4 * 365 * DAY
"""Four years, to the end of 2024-12-30."""
