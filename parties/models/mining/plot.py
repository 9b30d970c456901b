"""The calibration of a scorecard as a picture: what it said, and what was.

It is SVG, drawn by place alone: the same numbers are the same picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from parties.models.mining.holding_out import HeldOut, Tenth
from parties.models.mining.words import percent

SIDE: Final = 420
"""Pixels of the square in which shares from 0 to the largest stand, which a browser fits."""
LEFT: Final = 60
ABOVE: Final = 16
BELOW: Final = 44
"""Room for the numbers at the axes, 12 high, and their titles."""
STEPS: Final = (0.01, 0.02, 0.05, 0.1)
"""Between lines: the first of which ten are enough."""


def drawn(held_out: HeldOut) -> str:
    """Returns the picture as an element of HTML."""
    reach = max(max(each.said, each.interval[1]) for each in held_out.tenths)
    step = next(each for each in STEPS if 10 * each >= min(reach, 1.0))
    most = step * min(round(1 / step), int(reach / step) + 1)
    width, height = LEFT + SIDE + ABOVE, ABOVE + SIDE + BELOW
    title = "Calibration: the share of cases that were confirmed, by what the scorecard said"
    return "\n".join(
        [
            f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
            *_axes(step, most),
            f'<line class="agree" x1="{_x(0, most)}" y1="{_y(0, most)}" x2="{_x(most, most)}" '
            f'y2="{_y(most, most)}"/>',
            *(line for each in held_out.tenths for line in _tenth(each, most)),
            "</svg>",
        ]
    )


def _axes(step: float, most: float) -> Iterator[str]:
    for number in range(round(most / step) + 1):
        share = number * step
        x, y, text = _x(share, most), _y(share, most), f"{100 * share:.0f} %"
        yield f'<line class="grid" x1="{x}" y1="{ABOVE}" x2="{x}" y2="{ABOVE + SIDE}"/>'
        yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{LEFT + SIDE}" y2="{y}"/>'
        yield f'<text x="{x}" y="{ABOVE + SIDE + 16}" text-anchor="middle">{text}</text>'
        yield f'<text x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{text}</text>'
    middle, lowest = LEFT + SIDE // 2, ABOVE + SIDE + 36
    yield f'<text x="{middle}" y="{lowest}" text-anchor="middle">said by the scorecard</text>'
    yield (
        f'<text transform="translate(14 {ABOVE + SIDE // 2}) rotate(-90)" text-anchor="middle">'
        "confirmed</text>"
    )


def _tenth(tenth: Tenth, most: float) -> Iterator[str]:
    low, high = tenth.interval
    share = tenth.confirmed / tenth.cases
    x = _x(tenth.said, most)
    said = f"said {percent(tenth.said)}, confirmed {tenth.confirmed:,} of {tenth.cases:,}"
    yield f'<line class="interval" x1="{x}" y1="{_y(low, most)}" x2="{x}" y2="{_y(high, most)}"/>'
    yield (
        f'<circle class="tenth" cx="{x}" cy="{_y(share, most)}" r="4"><title>{said}</title>'
        "</circle>"
    )


def _x(share: float, most: float) -> str:
    return f"{LEFT + SIDE * share / most:.1f}"


def _y(share: float, most: float) -> str:
    return f"{ABOVE + SIDE * (1 - share / most):.1f}"
