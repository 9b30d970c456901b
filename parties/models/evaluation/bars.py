"""A share with its interval as a bar, in SVG."""

from __future__ import annotations

from typing import Final

from parties.models.evaluation.words import share
from parties.models.intervals import Share

WIDTH: Final = 200
"""Pixels of 100 %: two for each percent."""
HEIGHT: Final = 16
_EDGE: Final = 3
"""Pixels beside the scale, for the strokes at its ends."""


def bar(each: Share) -> str:
    """Returns the bar as an element of HTML: the interval as a box, the share as a stroke."""
    if each.value is None or each.interval is None:
        return ""
    low, high = (_EDGE + WIDTH * end for end in each.interval)
    at, middle = _EDGE + WIDTH * each.value, HEIGHT / 2
    return (
        f'<svg viewBox="0 0 {WIDTH + 2 * _EDGE} {HEIGHT}" role="img" aria-label="{share(each)}">'
        f'<line class="scale" x1="{_EDGE}" y1="{middle:.0f}" x2="{_EDGE + WIDTH}" '
        f'y2="{middle:.0f}"/>'
        f'<rect class="interval" x="{low:.1f}" y="3" width="{high - low:.1f}" height="10"/>'
        f'<line class="value" x1="{at:.1f}" y1="1" x2="{at:.1f}" y2="{HEIGHT - 1}"/></svg>'
    )
