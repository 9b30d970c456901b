"""Rings as one page that an investigator reads and prints.

All that is filled in is escaped.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import Final

from parties.models.rings.picture import MOST_CLAIMS, MOST_TIES, drawn
from parties.models.rings.ring import Found, Ring
from parties.models.rings.words import INNOCENT, amount_of, left_out, said, score_of
from parties.models.wording import worded
from parties.pages import page

_STYLE: Final = """\
li { overflow-wrap: anywhere; }
svg { width: 100%; height: auto; font-size: 12px; }
svg text { fill: #111; }
line { stroke-width: 1; stroke-opacity: 0.6; }
rect.claim { fill: #fff; stroke: #555; }
.person { stroke: #1f5fa8; fill: #1f5fa8; }
.vehicle { stroke: #a8501f; fill: #a8501f; }
.phone { stroke: #2c7d32; fill: #2c7d32; }
.account { stroke: #7b1fa2; fill: #7b1fa2; }
.record { stroke: #b00020; fill: #b00020; }
.shop, .hospital { stroke: #666; fill: #666; }
line.apart { stroke-dasharray: 4 3; }
"""
_BODY: Final = Template("""\
<p>$number; $told told here: those beyond chance first, of
these and of the others those of the highest score. A ring is a lead: that its claims
share what is drawn, and nothing more about anybody. It is innocent if $innocent.</p>
$left
$rings
<h2>How to read this page</h2>
<p>Claims stand in the middle; a line leads from each to what it names. The score is the product of
how many claims a ring has, how many parties (different persons insured or different vehicles,
whichever are more) its widest tie is of, how many kinds of ties a quarter of its claims share, and
how many digits the amount in whole yuan has. Rings beyond chance are those that a table of this
size would hardly have if who names what were drawn by lot; of these only what is beyond chance is
counted. Things with broken lines put no claims together:
people who have nothing in common go to one shop. Of a ring at most $claims claims and $ties things
a side are drawn.</p>
""")


def page_of(found: Found) -> str:
    """Returns the page."""
    body = _BODY.substitute(
        number="1 ring was found" if found.number == 1 else f"{found.number:,} rings were found",
        told=len(found.rings),
        innocent=escape(INNOCENT),
        left="\n".join(f"<p>Left out: {escape(line)}.</p>" for line in left_out(found)),
        rings="\n".join(map(_ring, found.rings)),
        claims=MOST_CLAIMS,
        ties=MOST_TIES,
    )
    return page("Rings", body, style=_STYLE, size="A4")


def _ring(ring: Ring) -> str:
    ties = "\n".join(f"<li>{escape(said(tie))}</li>" for tie in ring.ties)
    claims = ", ".join(escape(worded(claim)) for claim in ring.claims)
    return (
        f"<h2>Ring {ring.rank}: {escape(amount_of(ring))}</h2>\n<p>{escape(score_of(ring))}.</p>\n"
        f"{drawn(ring)}\n<ul>\n{ties}\n</ul>\n<p>Claims: {claims}.</p>"
    )
