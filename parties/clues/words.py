"""Words that people and rules write into the ledger: bounds, and what no clue may say."""

from __future__ import annotations

from typing import Final

from parties.judgements import judges

LONGEST: Final = 2_000
"""Characters of a reason or a comment: a page."""


def why_not(text: object, longest: int = LONGEST) -> str | None:
    """Returns why this may not stand on a clue, a clause for people; None if it may."""
    if not isinstance(text, str) or not 0 < len(text) <= longest or text != text.strip():
        return f"must be a text of 1 to {longest:,} characters, without space around it"
    if not text.isprintable():
        return "must be printable characters in one line"
    if judges(text):
        return "says more than a clue may: write what was seen, which is a lead and no judgement"
    return None
