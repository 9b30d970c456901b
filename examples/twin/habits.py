"""What clerks do to identifiers, at stated rates, kind by kind.

A way that *keeps* leaves a text that means the same identifier after normalising; a way that loses
leaves one that has to be rejected or counted as missing. The rates are shares of the filled cells
(made up: no published figures were found); a way that does not fit a cell leaves it clean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from . import people, plates, vins
from .cells import HYPHEN, MIDDLE_DOT, SPACE, WIDE_SPACE
from .pools import Cells, Mask

Edit = Callable[[Cells, np.random.Generator], None]
"""Changes cells in place."""
Fit = Callable[[Cells], Mask]


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of dirt: its share of the filled cells, and what it does to them."""

    share: float
    keeps: bool
    edit: Edit
    fits: Fit | None = None


@dataclass(frozen=True, slots=True)
class Habits:
    """The dirt of one kind of identifier.

    wide, junk, blank: shares of cells in full-width characters, replaced by a word, left empty.
    """

    ways: dict[str, Way]
    wide: float
    junk: float
    blank: float
    words: pa.StringArray

    @property
    def names(self) -> tuple[str, ...]:
        """All ways, in the order of the codes 1, 2, ...; code 0 is clean."""
        return (*self.ways, "full-width", "placeholder", "blank")

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of the ways, in the order of `names`."""
        return (*(way.share for way in self.ways.values()), self.wide, self.junk, self.blank)

    @property
    def keeping(self) -> Mask:
        """Per code from 0 on: whether the identifier survives."""
        return np.array([True, *(way.keeps for way in self.ways.values()), True, False, False])


def _put(lanes: tuple[int, ...], *byte: int) -> Edit:
    """Writes a character of one or more bytes from each of the lanes on."""

    def edit(cells: Cells, rng: np.random.Generator) -> None:
        for lane in lanes:
            cells[:, lane : lane + len(byte)] = byte

    return edit


def _drop(*lanes: int) -> Edit:
    def edit(cells: Cells, rng: np.random.Generator) -> None:
        cells[:, lanes] = 0

    return edit


def _lower(cells: Cells, rng: np.random.Generator) -> None:
    cells[(cells >= ord("A")) & (cells <= ord("Z"))] |= 0x20


def _is(lane: int, character: str) -> Fit:
    return lambda cells: cells[:, lane] == ord(character)


def _one_wrong_digit(cells: Cells, rng: np.random.Generator) -> None:
    """MOD 11-2 finds every single wrong digit, so the check character is wrong from now on."""
    lanes = np.r_[people.AREA, people.BIRTH, people.SEQUENCE]
    rows, lane = np.arange(len(cells)), lanes[rng.integers(0, len(lanes), len(cells))]
    step = rng.integers(1, 10, len(cells))
    cells[rows, lane] = (cells[rows, lane].astype(np.int64) - ord("0") + step) % 10 + ord("0")


def _country(prefix: str, *, spaced: bool) -> Edit:
    code = np.frombuffer(prefix.encode(), np.uint8)

    def edit(cells: Cells, rng: np.random.Generator) -> None:
        cells[:, : len(code)] = code
        if spaced:
            cells[:, (8, 13)] = SPACE

    return edit


def _born_1900s(cells: Cells) -> Mask:
    mask: Mask = (cells[:, list(people.CENTURY)] == (ord("1"), ord("9"))).all(axis=1)
    return mask


def _ordinary(cells: Cells) -> Mask:
    """Returns where the serial has five characters and nothing after them."""
    mask: Mask = (cells[:, 11] == 0) & (cells[:, plates.SUFFIX] == 0)
    return mask


HABITS = {
    "person": Habits(
        {
            "spaced": Way(0.03, True, _put(people.GAPS, SPACE)),
            "hyphenated": Way(0.01, True, _put(people.GAPS, HYPHEN)),
            "padded": Way(0.01, True, _put((people.TRAIL,), *WIDE_SPACE)),
            # 1 in 11 ends in X, so that about half a percent of the cells end in x.
            "lower-case": Way(0.05, True, _lower, _is(people.CHECK, "X")),
            "fifteen-digits": Way(0.06, True, _drop(*people.CENTURY, people.CHECK), _born_1900s),
            "wrong-digit": Way(0.01, False, _one_wrong_digit),
            "truncated": Way(0.005, False, _drop(people.CHECK)),
        },
        wide=0.01,
        junk=0.015,
        blank=0.02,
        words=pa.array(["000000000000000000", "111111111111111111", "123456789012345678",
                        "无", "不详", "未知", "/", "-", "  ", "身份证丢失"]),
    ),
    "plate": Habits(
        {
            "dotted": Way(0.25, True, _put((plates.GAP,), *MIDDLE_DOT)),
            "spaced": Way(0.05, True, _put((plates.GAP,), SPACE)),
            "hyphenated": Way(0.01, True, _put((plates.GAP,), HYPHEN)),
            "lower-case": Way(0.02, True, _lower),
            "padded": Way(0.01, True, _put((plates.TRAIL,), SPACE)),
            # One character less than an ordinary plate has; less than a longer one has would be
            # another plate.
            "truncated": Way(0.005, False, _drop(10), _ordinary),
        },
        wide=0.01,
        junk=0.01,
        blank=0.01,
        words=pa.array(["无", "不详", "无牌", "未上牌", "新车", "临时", "00000", "/", "-"]),
    ),
    "vin": Habits(
        {
            "lower-case": Way(0.05, True, _lower),
            "spaced": Way(0.02, True, _put(vins.GAPS, SPACE)),
            "hyphenated": Way(0.005, True, _put(vins.GAPS, HYPHEN)),
            "padded": Way(0.01, True, _put((vins.TRAIL,), *WIDE_SPACE)),
            "truncated": Way(0.015, False, _drop(18)),
            "letter-o": Way(0.005, False, _put((18,), ord("O"))),
        },
        wide=0.01,
        junk=0.01,
        blank=0.03,
        # Seventeen zeros pass the check digit, but no region has a leading zero (ISO 3780).
        words=pa.array(["00000000000000000", "无", "不详", "未知", "/", "-", "车架号不清", "0000"]),
    ),
    "phone": Habits(
        {
            "spaced": Way(0.05, True, _put((8, 13), SPACE)),
            "hyphenated": Way(0.05, True, _put((8, 13), HYPHEN)),
            "plus-86": Way(0.04, True, _country("+86", spaced=False)),
            "plus-86-spaced": Way(0.02, True, _country("+86 ", spaced=True)),
            "0086": Way(0.02, True, _country("0086", spaced=False)),
            "0086-hyphen": Way(0.01, True, _country("0086-", spaced=False)),
            "truncated": Way(0.01, False, _drop(17)),
        },
        wide=0.01,
        junk=0.01,
        blank=0.02,
        words=pa.array(["00000000000", "11111111111", "无", "不详", "未留", "1", "-", "/"]),
    ),
}  # fmt: skip
