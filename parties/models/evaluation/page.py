"""An evaluation as one page to read and print.

All that is filled in is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from string import Template
from typing import Final

from parties.models.evaluation.bars import bar
from parties.models.evaluation.evaluating import Evaluation
from parties.models.evaluation.scoring import FalseLead, Score, together
from parties.models.evaluation.words import (
    CAUTION,
    amount_of,
    because,
    false,
    missed_said,
    more,
    named,
    settings,
    share,
    unknown,
)
from parties.models.intervals import Share
from parties.models.pack import Rule
from parties.models.wording import worded
from parties.pages import page

_STYLE: Final = """\
h3 { font-size: 10pt; margin: 5mm 0 1mm; break-after: avoid; }
tr.all td { border-top: 2px solid #555; }
li { overflow-wrap: anywhere; }
svg { display: block; width: 50mm; height: auto; }
line.scale { stroke: #bbb; }
rect.interval { fill: #9db8d9; }
line.value { stroke: #1f3f68; stroke-width: 2; }
"""
_BODY: Final = Template("""\
<p>Pack <code>$pack</code>, version $version, digest <code>$digest</code>; $groups groups of claims
of which it is known what rules have to say$unknown. It ran with $settings.</p>
<table>
<tr><th>rule</th><th>groups found</th><th>near-misses found</th><th>leads that are right</th></tr>
$rows
</table>
$lists
<h2>How to read this page</h2>
<p>A group is found if one lead holds all of its claims. A near-miss is found if a lead holds any of
its claims: that is to be none. A lead is right if it holds a claim at which its rule must or may
point; every other one is false, and the list says what it says and why it counts as false. Its
claims do share what it says. In the bars a stroke stands at the share, and the box is its interval.
$caution.</p>
""")


def page_of(evaluation: Evaluation) -> str:
    """Returns the page."""
    pack = evaluation.trial.pack
    every = ("all rules", "all", *together(evaluation.scores))
    body = _BODY.substitute(
        pack=escape(pack.name),
        version=pack.version,
        digest=pack.digest,
        groups=f"{len(evaluation.groups):,}",
        unknown=unknown(evaluation),
        settings=escape(settings(evaluation)),
        rows="\n".join([*map(_row, evaluation.scores), _shares(*every)]),
        lists="\n".join(_lists(evaluation)),
        caution=CAUTION,
    )
    return page(f"Evaluation of {pack.title}", body, style=_STYLE)


def _row(score: Score) -> str:
    name = escape(score.rule.name)
    if score.not_counted:
        return f'<tr><td>{name}</td><td colspan="3">{escape(score.not_counted)}</td></tr>'
    return _shares(name, "", score.found, score.near_found, score.right)


def _shares(name: str, kind: str, *shares: Share) -> str:
    cells = "".join(f"<td>{share(each)}{bar(each)}</td>" for each in shares)
    return f'<tr class="{kind}"><td>{name}</td>{cells}</tr>'


def _lists(evaluation: Evaluation) -> Iterator[str]:
    missed = [
        f"{each.rule.name}: {missed_said(m)}" for each in evaluation.scores for m in each.missed
    ]
    near = [
        f"{each.rule.name}: {named(group)}" for each in evaluation.scores for group in each.near
    ]
    yield "<h2>Missed</h2>"
    yield _listed(map(escape, missed))
    yield "<h2>Near-misses that were found</h2>"
    yield _listed(map(escape, near))
    yield "<h2>False leads</h2>"
    if not any(score.wrong for score in evaluation.scores):
        yield _listed([])
    for score in evaluation.scores:
        if score.wrong:
            yield f"<h3>{escape(score.rule.name)}: {false(score.right):,}</h3>"
            yield f"<p>Innocent if: {escape(score.rule.innocent)}</p>"
            told = [_false(each, score.rule) for each in score.wrong]
            rest = more(score)
            yield _listed([*told, rest] if rest else told)


def _false(each: FalseLead, rule: Rule) -> str:
    claims = ", ".join(worded(claim) for claim in each.lead.claims)
    return escape(
        f"{each.lead.reason} {amount_of(each).capitalize()}. Claims: {claims}. "
        f"False because {because(each, rule)}."
    )


def _listed(items: Iterable[str]) -> str:
    lines = [f"<li>{item}</li>" for item in items]
    return "\n".join(["<ul>", *lines, "</ul>"]) if lines else "<p>None.</p>"
