"""Sets and scorecard as one page that people read and print: no script, no network.

All that is filled in is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Final

from parties.models.mining.bands import called
from parties.models.mining.finding import Mined, Rated
from parties.models.mining.plot import drawn
from parties.models.mining.scorecard import DOUBLED, POINTS, Scored
from parties.models.mining.standing_out import RATE, Proposed
from parties.models.mining.words import area_of, brier_of, of_all, percent, title
from parties.pages import page

_STYLE: Final = """\
body { max-width: 180mm; }
th, td { text-align: right; }
th:first-child, td:first-child { min-width: 60mm; text-align: left; }
tr.of td { padding-top: 3mm; font-weight: bold; }
svg { width: 120mm; height: auto; font-size: 12px; break-inside: avoid; }
svg text { fill: #111; }
line.grid { stroke: #ddd; }
line.agree { stroke: #555; stroke-dasharray: 4 3; }
line.interval { stroke: #1f5fa8; stroke-width: 1.5; }
circle.tenth { fill: #1f5fa8; }
"""
_BODY: Final = Template("""\
<p>$all. What follows is $whom. It says where to look first, and nothing about anybody.</p>
<h2>Sets of facts</h2>
$sets
<h2>Scorecard</h2>
<p>A claim begins with $start points; those of its bands are added. $points points are the odds of
all cases, and each $doubled more double them. Weights are weights of evidence; a dimension of which
no points stand here told no more than chance does, or nothing besides the others.</p>
$card
<h2>Calibration</h2>
$plot
<p>Every case was held out once: the scorecard that judged it was made of the other four fifths of
the cases. A point is a group of cases of about the same probability, with the interval at 95&nbsp;%
of the share that was confirmed; on the broken line, what was said is what was. $brier. $area.</p>
""")


def page_of(mined: Mined, rated: Rated) -> str:
    """Returns the page."""
    card = rated.scorecard
    told = [each for each in card.dimensions if each.counts]
    body = _BODY.substitute(
        all=escape(_begun(of_all(mined.cases))),
        whom=escape(mined.whom),
        sets=_sets(mined.proposed),
        start=card.start,
        points=POINTS,
        doubled=DOUBLED,
        card=_card(told),
        plot=drawn(rated.held_out),
        brier=escape(brier_of(rated.held_out)),
        area=escape(area_of(rated.held_out)),
    )
    return page("What concluded cases have in common", body, style=_STYLE, size="A4")


def _sets(proposed: Sequence[Proposed]) -> str:
    if not proposed:
        return "<p>No set of facts stands out.</p>"
    rows = "\n".join(map(_set, proposed))
    return (
        "<table>\n<tr><th>set</th><th>cases</th><th>confirmed</th><th>support</th>"
        "<th>confidence (95&nbsp;%)</th><th>lift</th><th>claims that have it</th></tr>\n"
        f"{rows}\n</table>\n<p>Support, confidence and lift are of cases; a case has a set if half "
        f"of its claims do. Of the sets at most {percent(RATE)} are expected to stand here by "
        "chance.</p>"
    )


def _set(each: Proposed) -> str:
    low, high = each.interval
    cells = (
        escape(title(each)),
        f"{each.counts.cases:,}",
        f"{each.counts.confirmed:,}",
        percent(each.support),
        f"{percent(each.confidence)} ({percent(low)} to {percent(high)})",
        f"{each.lift:.2f}",
        f"{each.claims:,}",
    )
    return _row(cells)


def _card(told: Sequence[Scored]) -> str:
    if not told:
        return "<p>No dimension tells more than chance does.</p>"
    rows = "\n".join(row for each in told for row in _dimension(each))
    return (
        "<table>\n<tr><th>band</th><th>cases</th><th>weight</th><th>points</th></tr>\n"
        f"{rows}\n</table>"
    )


def _dimension(each: Scored) -> list[str]:
    head = f"{each.shares.dimension.title}; information {each.weights.information:.2f}"
    rows = [f'<tr class="of"><td colspan="4">{escape(head)}</td></tr>']
    columns = each.shares.shares.sum(axis=0).tolist()
    weights = each.weights.weights.tolist()
    for band, cases, weight, points in zip(
        each.shares.bands, columns, weights, each.points, strict=True
    ):
        if cases:
            name = "not known" if band is None else called(each.shares.dimension.sort, band)
            rows.append(_row((escape(name), f"{cases:,.1f}", f"{weight:+.2f}", f"{points:+d}")))
    return rows


def _row(cells: Sequence[str]) -> str:
    first, *numbers = cells
    told = "".join(f'<td class="n">{each}</td>' for each in numbers)
    return f"<tr><td>{first}</td>{told}</tr>"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]
