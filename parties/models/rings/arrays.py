"""Arrays of numbers as rings use them: distinct pairs, and what hangs together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def distinct(first: Numbers, second: Numbers) -> tuple[Numbers, Numbers]:
    """Returns each pair of two columns once, in order.

    Args:
        first: numbers from 0, n of them.
        second: likewise; the product of both ranges is below 2^63, as that of a billion claims and
            a billion things is.
    """
    width = int(second.max(initial=0)) + 1
    keys = np.sort(first * width + second)
    keys = keys[np.diff(keys, prepend=-1) != 0]
    first = keys // width
    return first, keys - first * width


def renumbered(values: Numbers) -> tuple[Numbers, Numbers]:
    """Returns which numbers stand in an array, ascending, and the place of each entry among them.

    Args:
        values: numbers from 0, whose largest has room in a table.
    """
    there = np.zeros(int(values.max(initial=-1)) + 1, bool)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]


def components(first: Numbers, second: Numbers, nodes: int) -> Numbers:
    """Returns the component of each node: the lowest of its nodes.

    Each node points at a lower one that it hangs together with; in each round the higher end of all
    edges is hooked to the lower one, pointers are followed to their ends, and edges become edges
    between these (Shiloach and Vishkin, "An O(log n) parallel connectivity algorithm", 1982).
    Rounds are few, and each is a handful of passes over arrays.

    Args:
        first: one end of each edge.
        second: the other.
        nodes: how many there are.
    """
    small = np.int32 if nodes < 1 << 31 else np.int64  # half the memory to walk through
    label, ends = np.arange(nodes, dtype=small), (first.astype(small), second.astype(small))
    while len(ends[0]):
        np.minimum.at(label, np.maximum(*ends), np.minimum(*ends))
        while not np.array_equal(on := label[label], label):
            label = on
        ends = label[ends[0]], label[ends[1]]
        apart = ends[0] != ends[1]
        ends = ends[0][apart], ends[1][apart]
    return label.astype(np.int64)
