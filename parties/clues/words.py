"""Words that people and rules write into the ledger: bounds, and what no clue may say."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST: Final = 2_000
"""Characters of a reason or a comment: a page."""
NEVER: Final = ("fraud", "欺诈", "诈骗", "骗保")
"""Words that stand on no clue, in whatever letters. A hit is a lead: whether something was done,
and what, others find."""


def why_not(text: object, longest: int = LONGEST) -> str | None:
    """Returns why this may not stand on a clue, a clause for people; None if it may."""
    if not isinstance(text, str) or not 0 < len(text) <= longest or text != text.strip():
        return f"must be a text of 1 to {longest:,} characters, without space around it"
    if not text.isprintable():
        return "must be printable characters in one line"
    folded = unicodedata.normalize("NFKC", text).casefold()
    if any(word in folded for word in NEVER):
        return "says more than a clue may: write what was seen, which is a lead and no judgement"
    return None
