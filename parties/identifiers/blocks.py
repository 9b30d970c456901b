"""Blocks of numbers: which identifiers of a kind there may be, of which some few characters differ.

Whoever tries out all numbers of a region asks about most of each block; whoever asks about cars or
people that have to do with a case does not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Final

from arro3.core import Array

from psi.lazily import NamedTuple

TAILS: Final = {"phone": 4, "plate": 3}
"""Characters in which the identifiers of a block differ, by kind: the ten thousand telephone
numbers that an operator is given at a time, and a thousand plates that follow one another."""
DIGITS: Final = "0123456789"
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of a plate: all but I and O."""
SMALLEST: Final = 100
"""Identifiers of the smallest block that is looked at: of fewer a few are a large share."""
LARGEST: Final = 1 << 17
"""Identifiers, and rows, of the largest set that is looked at: some tenths of a second. A ticket
says how large a list may be, and one that allows more has allowed whole blocks."""
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
        self._texts: list[Array] = []
        self._rows = 0

    @property
    def is_full(self) -> bool:
        """Whether more are not looked at."""
        return self._kind not in TAILS or self._rows > LARGEST

    def add(self, texts: Array) -> None:
        """Adds normalised identifiers, null for what is missing; read when all of them are there.

        So a set that turns out to be too large has cost nothing.
        """
        if not self.is_full:
            self._rows += len(texts)
            self._texts.append(texts)
            if self.is_full:
                self._texts.clear()

    def blocks(self) -> Mapping[Block, Set[int]]:
        """Which of each block there are; none if the set is too large to be looked at."""
        if self.is_full:
            return {}
        tail = TAILS[self._kind]
        texts = {text for each in self._texts for text in each.to_pylist() if text is not None}
        begin = Counter(text[:-tail] for text in texts)
        looked = {name for name, _ in begin.most_common(MOST)}
        found = defaultdict[tuple[str, int], set[int]](set)
        for text in texts:
            if (name := text[:-tail]) in looked:
                signs, size, place = _read(text[-tail:])
                if size >= SMALLEST:
                    found[name + signs, size].add(place)
        return {Block(*each): places for each, places in found.items()}


@lru_cache(maxsize=1 << 16)
def _read(tail: str) -> tuple[str, int, int]:
    """What stands for the last characters in a block's name, how many there are, and which it is.

    There are fewer than are remembered.
    """
    signs, size, place = "", 1, 0
    for sign in tail:
        for among, stands in ((DIGITS, "#"), (LETTERS, "@")):
            if sign in among:
                size, place = size * len(among), place * len(among) + among.index(sign)
                sign = stands  # in none of the others
        signs += sign
    return signs, size, place
