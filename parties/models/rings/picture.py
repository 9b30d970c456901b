"""A ring as a picture: claims in the middle, persons and vehicles to the left, the rest right.

It is SVG, drawn by place alone: the same ring is the same picture. All texts are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Final
from unicodedata import east_asian_width

from parties.models.rings.ring import Ring, Tie
from parties.models.wording import worded

MOST_CLAIMS: Final = 120
"""Claims of a ring that are drawn: three printed pages. The largest published ring with one thing
in common has 89."""
MOST_TIES: Final = 40
"""Things of a side that are drawn, those of most claims first."""
STEP: Final = 22
"""Pixels from one line of text to the next: letters are 12 high."""
WIDTH: Final = 1000
"""Pixels of the picture, which a browser fits to the page."""
_LEFT, _CLAIMS, _RIGHT = 310, (430, 570), 690
"""Where things end and begin, and where claims stand between them; 40 letters have room."""
_LONGEST: Final = 40
"""Latin letters, or half as many Chinese ones, of a thing that are drawn: 12 high they are some 7
and 12 wide. The list under the picture has all."""
_LONGEST_CLAIM: Final = 18
"""Letters of the number of a claim that are drawn, its end, by which numbers differ."""


def drawn(ring: Ring) -> str:
    """Returns the picture of a ring as an element of HTML."""
    claims = _ordered(ring)[:MOST_CLAIMS]
    left = [tie for tie in ring.ties if tie.kind in ("person", "vehicle")][:MOST_TIES]
    right = [tie for tie in ring.ties if tie.kind not in ("person", "vehicle")][:MOST_TIES]
    height = STEP * (max(len(claims), len(left), len(right)) + 1)
    at = dict(zip(claims, _spread(len(claims), height), strict=True))
    parts = [
        *_side(left, at, height, _LEFT, _CLAIMS[0]),
        *_side(right, at, height, _RIGHT, _CLAIMS[1]),
    ]
    lines = [line for line, _ in parts]
    texts = [text for _, text in parts]
    middle = sum(_CLAIMS) / 2
    boxes = [
        f'<rect class="claim" x="{_CLAIMS[0]}" y="{y - 9:.1f}" width="{_CLAIMS[1] - _CLAIMS[0]}" '
        f'height="18" rx="3"/><text x="{middle:.0f}" y="{y + 4:.1f}" text-anchor="middle">'
        f"{escape(_end(worded(claim)))}</text>"
        for claim, y in at.items()
    ]
    title = f"Ring {ring.rank}: {len(ring.claims)} claims and what ties them"
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
            *(line for group in lines for line in group),
            *boxes,
            *texts,
            "</svg>",
        ]
    )


def _ordered(ring: Ring) -> list[str]:
    """Returns the claims so that those with the same ties stand beside each other."""
    named = [frozenset(tie.claims) for tie in ring.ties]
    return sorted(ring.claims, key=lambda claim: ([claim not in each for each in named], claim))


def _side(
    ties: Sequence[Tie], at: Mapping[str, float], height: int, x: int, end: int
) -> Iterator[tuple[list[str], str]]:
    """Yields lines and text of each thing of a side, where its claims are on the average."""
    ends = {tie.name: [at[claim] for claim in tie.claims if claim in at] for tie in ties}
    there = sorted(
        (tie for tie in ties if ends[tie.name]),
        key=lambda tie: (sum(ends[tie.name]) / len(ends[tie.name]), tie.name),
    )
    anchor = "end" if x < end else "start"
    for tie, y in zip(there, _spread(len(there), height), strict=True):
        kind = escape(tie.kind if tie.joins else f"{tie.kind} apart")
        lines = [
            f'<line class="{kind}" x1="{x}" y1="{y:.1f}" x2="{end}" y2="{to:.1f}"/>'
            for to in ends[tie.name]
        ]
        text_at = x - 8 if anchor == "end" else x + 8
        label = f"{tie.name}: {' / '.join(tie.values.values())}"
        yield (
            lines,
            f'<circle class="{kind}" cx="{x}" cy="{y:.1f}" r="4"/>'
            f'<text x="{text_at}" y="{y + 4:.1f}" text-anchor="{anchor}">'
            f"{escape(_start(label))}</text>",
        )


def _spread(number: int, height: int) -> list[float]:
    """Returns heights at equal distances, the same room above and below."""
    return [height * (place + 0.5) / number for place in range(number)]


def _start(text: str) -> str:
    """Returns as much of a text as has room."""
    wide = [*accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in text)]
    if not wide or wide[-1] <= _LONGEST:
        return text
    return text[: sum(each < _LONGEST for each in wide)] + "…"


def _end(text: str) -> str:
    return text if len(text) <= _LONGEST_CLAIM else "…" + text[1 - _LONGEST_CLAIM :]
