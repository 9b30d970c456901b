"""Oblivious key-value stores: cells of which three and some dense ones add up to a key's value.

Source: Raghuraman and Rindal, CCS 2022, sections 3 and 4, with weight 3, in bins, and 56 dense
cells in each. What a bin cannot hold ends the run; the shape makes that unlikely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, fsum, lgamma, log, log2, sqrt

import numpy as np
import numpy.typing as npt
from reference.aes_hashes import Hash
from reference.blocks import Blocks, from_bytes, from_numbers, to_numbers, xor

LAMBDA = 40
MARGIN = LAMBDA + 3
MEAN = 1 << 14
SMALLEST = 1 << 10
DENSE = 56


@dataclass(frozen=True)
class Shape:
    """Bins, keys that fit into one, and a third of its sparse cells."""

    bins: int
    capacity: int
    third: int

    @property
    def cells(self) -> int:
        """Cells of a bin."""
        return 3 * self.third + DENSE


def shape(elements: int) -> Shape:
    """The shape of a store for so many elements."""
    bins = max(1, ceil(elements / MEAN))
    capacity = max(SMALLEST, elements if bins == 1 else _capacity(elements, bins))
    w = log2(3)
    s = 2 ** (0.555 * log2(capacity) + 0.093 * w**3 - 1.01 * w**2 + 2.925 * w - 0.133)
    expansion = 1.223 + (MARGIN + log2(bins) + 9.2) / s
    return Shape(bins, capacity, ceil(expansion * capacity / 3))


def _capacity(elements: int, bins: int) -> int:
    """The smallest c with bins * P[Bin(elements, 1 / bins) > c] <= 2^-MARGIN."""
    mean = elements / bins
    terms: list[float] = []
    for c in range(min(elements, ceil(mean + 30 * sqrt(mean))), 0, -1):
        # `terms` are those above c.
        terms.append(
            lgamma(elements + 1)
            - lgamma(c + 1)
            - lgamma(elements - c + 1)
            + (elements - c) * log(bins - 1)
            - elements * log(bins)
        )
        if terms[-1] > -60 * log(2) and bins * fsum(map(exp, terms)) > 2.0**-MARGIN:
            return c
    raise ArithmeticError("no bound is reached")


def value_width(elements: int) -> int:
    """Bits of a value: 64 for up to 2^23 elements of the sender, else 72."""
    return 64 if elements <= 1 << 23 else 72


@dataclass(frozen=True)
class Rows:
    """For each element where it belongs.

    Attributes:
        bins: the number of its bin.
        cells: of three sparse cells in that bin, the numbers, (n, 3).
        dense: bit i says whether dense cell i belongs to it too.
        values: what its cells add up to.
    """

    bins: npt.NDArray[np.uint64]
    cells: npt.NDArray[np.uint64]
    dense: npt.NDArray[np.uint64]
    values: Blocks

    def of(self, bin: int) -> tuple[npt.NDArray[np.intp], Rows]:
        """The elements of a bin, by their positions, and their rows."""
        at = np.flatnonzero(self.bins == bin)
        return at, Rows(self.bins[at], self.cells[at], self.dense[at], self.values[at])


def rows(elements: Sequence[bytes], sid: bytes, form: Shape, width: int) -> Rows:
    """The rows of elements, whose first 16 bytes decide."""
    h = Hash(sid, "row").mmo(from_bytes(b"".join(e[:16] for e in elements), len(elements)))
    f = [h[:, k // 2] >> 32 * (k % 2) & 0xFFFF_FFFF for k in range(4)]
    cells = [k * form.third + (f[k + 1] * form.third >> 32) for k in range(3)]
    g = Hash(sid, "value").mmo(h)
    dense = g[:, 1] >> 8 if width <= 72 else Hash(sid, "dense").mmo(h)[:, 0] % 2**DENSE
    mask = from_numbers([2**width - 1])
    return Rows(f[0] * form.bins >> 32, np.stack(cells, axis=1), dense, g & mask)


def encode(rows: Rows, form: Shape) -> Blocks:
    """The cells of one bin for its rows; ValueError if there is none.

    First a row goes that has a cell to itself, again and again: its cell is set last, to what is
    missing. Those that stay are solved with the dense cells (Gauss). Cells that are left are zero.
    """
    if len(rows.dense) > form.capacity:
        raise ValueError("more keys than a bin has room for")
    sparse, dense = rows.cells.tolist(), rows.dense.tolist()
    values, cells = to_numbers(rows.values), [0] * form.cells
    peeled, left = _peel(sparse, 3 * form.third)
    masks = [
        sum(1 << cell for cell in three) | more << 3 * form.third
        for three, more in zip(sparse, dense, strict=True)
    ]
    _solve([(masks[row], values[row]) for row in left], cells)
    for row, cell in reversed(peeled):
        cells[cell] = values[row] ^ _sum(cells, masks[row] ^ 1 << cell)
    return from_numbers(cells)


def _peel(sparse: list[list[int]], cells: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Rows with a cell that no row that is left has, and that cell; and the rows that are left."""
    touching: list[set[int]] = [set() for _ in range(cells)]
    for row, three in enumerate(sparse):
        for cell in three:
            touching[cell].add(row)
    peeled = []
    lonely = [cell for cell in range(cells) if len(touching[cell]) == 1]
    while lonely:
        cell = lonely.pop()
        if not touching[cell]:
            continue  # its row went with another cell
        row = next(iter(touching[cell]))
        peeled.append((row, cell))
        for other in sparse[row]:
            touching[other].remove(row)
            if len(touching[other]) == 1:
                lonely.append(other)
    left = set(range(len(sparse))) - {row for row, _ in peeled}
    return peeled, sorted(left)


def _solve(equations: list[tuple[int, int]], cells: list[int]) -> None:
    """Sets cells so that those of each mask add up to its value."""
    pivots: list[tuple[int, int, int]] = []
    for mask, value in equations:
        for cell, pivot_mask, pivot_value in pivots:
            if mask >> cell & 1:
                mask, value = mask ^ pivot_mask, value ^ pivot_value
        if mask:
            pivots.append((mask.bit_length() - 1, mask, value))
        elif value:
            raise ValueError("the dense cells cannot hold what is left")
    for cell, mask, value in reversed(pivots):
        cells[cell] = value ^ _sum(cells, mask ^ 1 << cell)


def _sum(cells: list[int], mask: int) -> int:
    """The sum of the cells of a mask."""
    total = 0
    while mask:
        low = mask & -mask
        total ^= cells[low.bit_length() - 1]
        mask ^= low
    return total


def decode(cells: Blocks, rows: Rows) -> Blocks:
    """For each row the sum of its cells."""
    total = xor(cells[rows.cells.astype(np.intp)], 1)
    for i, cell in enumerate(cells[-DENSE:]):
        total ^= (rows.dense >> i & 1)[:, None] * cell
    return total
