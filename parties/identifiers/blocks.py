"""Blocks of numbers: which identifiers of a kind there may be, of which some few characters differ.

Whoever tries out all numbers of a region asks about most of each block; whoever asks about cars or
people that have to do with a case does not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import Final, NamedTuple

TAILS: Final = {"phone": 4, "plate": 3}
"""Characters in which the identifiers of a block differ, by kind: the ten thousand telephone
numbers that an operator is given at a time, and a thousand plates that follow one another."""
DIGITS: Final = "0123456789"
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of a plate: all but I and O."""
SMALLEST: Final = 100
"""Identifiers of the smallest block that is looked at: of fewer a few are a large share."""
LARGEST: Final = 1 << 17
"""Identifiers, and rows, of the largest set that is looked at: a tenth of a second. A ticket says
how large a list may be, and one that allows more has allowed whole blocks."""
MOST: Final = 1024
"""Beginnings of identifiers that are looked at in a set, those with which most begin: a few
milliseconds of writing. To hide a block in larger questions takes so many others, each with as many
identifiers, every time."""


class Block(NamedTuple):
    """A block of numbers.

    Attributes:
        name: what its identifiers have in common. As secret as they are.
        size: how many of them there may be.
    """

    name: str
    size: int


class Asked:
    """The identifiers of one kind that are asked about; secret.

    Args:
        kind: of them; one without blocks is not looked at.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._texts: set[str] = set()
        self._rows = 0

    @property
    def is_full(self) -> bool:
        """Whether more are not looked at."""
        return self._kind not in TAILS or self._rows > LARGEST

    def add(self, texts: Iterable[str | None]) -> None:
        """Adds normalised identifiers, None for what is missing."""
        if not self.is_full:
            for text in texts:
                self._rows += 1
                if text is not None:
                    self._texts.add(text)
            if self.is_full:
                self._texts.clear()

    def blocks(self) -> Mapping[Block, Set[int]]:
        """Which of each block there are; none if the set is too large to be looked at."""
        found = defaultdict[Block, set[int]](set)
        if self.is_full:
            return found
        tail = TAILS[self._kind]
        begin = Counter(text[:-tail] for text in self._texts)
        looked = {name for name, _ in begin.most_common(MOST)}
        for text in self._texts:
            if text[:-tail] in looked:
                block, place = block_of(self._kind, text)
                if block.size >= SMALLEST:
                    found[block].add(place)
        return found


def block_of(kind: str, text: str) -> tuple[Block, int]:
    """Returns the block of a normalised identifier of a kind that has some, and its place in it."""
    tail = TAILS[kind]
    name, size, place = [text[:-tail]], 1, 0
    for sign in text[-tail:]:
        for signs, stands in ((DIGITS, "#"), (LETTERS, "@")):
            if sign in signs:
                size, place = size * len(signs), place * len(signs) + signs.index(sign)
                sign = stands  # in none of the signs
        name.append(sign)
    return Block("".join(name), size), place
