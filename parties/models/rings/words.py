"""What ties a ring, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from parties.models.rings.ring import Found, Ring, Tie
from parties.models.wording import listed, worded

SHOWN: Final = 12
"""Ties of a ring that are told in words, the ones of most claims first; the page shows more."""
INNOCENT: Final = (
    "the claims are of one family, firm or fleet, or one agent reports for many; or a number "
    "stands in a form by mistake"
)


def amount_of(ring: Ring) -> str:
    """Returns the amount of a ring as people read it."""
    return "amount not known" if ring.amount is None else worded(ring.amount)


def score_of(ring: Ring) -> str:
    """Returns how the score of a ring comes about."""
    score = ring.score
    return (
        f"score {score.whole:,} = {score.claims:,} claims x {score.parties:,} parties in one tie x "
        f"{_many(score.kinds, 'kind')} of ties x {_many(score.digits, 'digit')} of the amount; "
        f"{'beyond chance' if ring.beyond else 'chance may explain it'}"
    )


def said(tie: Tie) -> str:
    """Returns what a tie ties, in a sentence."""
    values = ", ".join(
        value if what == tie.kind else f"{what} {value}" for what, value in tie.values.items()
    )
    words = f"{tie.name} ({values}) {_how(tie)} {len(tie.claims):,} claims: {listed(tie.claims)}"
    if tie.elsewhere:
        words += f"; and in {_many(tie.elsewhere, 'claim')} outside of this ring"
    if not tie.joins:
        words += "; alone it would tie none"
    if tie.chance is not None:
        words += f"; by chance 1 in 10^{-tie.chance:.0f} such tables has one"
    return words


def explained(ring: Ring) -> list[str]:
    """Returns what ties a ring, a tie a line."""
    lines = [said(tie) for tie in ring.ties[:SHOWN]]
    if (more := len(ring.ties) - SHOWN) > 0:
        lines.append(f"and {_many(more, 'more tie')}")
    return lines


def left_out(found: Found) -> list[str]:
    """Returns what was not taken for a tie, and why."""
    lines = []
    if found.loose:
        lines.append(
            f"in no ring, for nothing but chance need tie them: {_many(found.loose, 'claim')}"
        )
    if found.too_wide:
        lines.append(f"tie nothing, for too many claims name them: {_counts(found.too_wide)}")
    if found.of_houses:
        lines.append(
            f"join nothing alone, for they are a repair shop's own: {_counts(found.of_houses)}"
        )
    return lines


def _how(tie: Tie) -> str:
    if tie.kind == "record":
        met = [role for role in tie.roles if role]
        return f"was met by {listed(met)} in" if met else "was met in"
    if tie.kind == "person":
        return f"is {_either(tie.roles)} in"
    return "is in"


def _either(roles: Sequence[str]) -> str:
    return " or ".join([", ".join(roles[:-1]), roles[-1]] if len(roles) > 1 else roles)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(_many(number, what) for what, number in counts.items())


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
