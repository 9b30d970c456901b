"""Words that judge, and so stand on no lead and no clue.

A hit is a lead: whether something was done, and what, others find. The words are in a file of their
own, so that no text of the program has them.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

WORDS: Final = Path(__file__).with_name("judgements.txt")
"""One a line, in small letters."""


def judges(text: str) -> bool:
    """Whether a text says one of the words, in whatever letters (Unicode NFKC, case folded)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return any(word in folded for word in _words())


@cache
def _words() -> tuple[str, ...]:
    return tuple(WORDS.read_text(encoding="utf-8").split())
