"""What goes into a match beside the elements, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from psi.errors import ApiMisuse


@dataclass(frozen=True, slots=True)
class Labels:
    """The records of a party's elements: for each record which element it belongs to, and a label.

    A label is what the other party learns about a record if, and only if, it holds the element too.

    Attributes:
        positions: one for each record, uint32; every element has at least one record.
        block: records x width bytes, uint8; width 0 if only the number of records is told.
    """

    positions: npt.NDArray[np.uint32] = field(repr=False)
    block: npt.NDArray[np.uint8] = field(repr=False)

    @classmethod
    def none(cls, elements: int) -> Labels:
        """One record without a label for each element."""
        return cls(np.arange(elements, dtype=np.uint32), np.empty((elements, 0), dtype=np.uint8))

    @property
    def width(self) -> int:
        """Bytes of a label."""
        return int(self.block.shape[1])

    def __len__(self) -> int:
        return len(self.positions)

    def check(self, elements: int) -> None:
        """Checks that the labels fit a set.

        Raises:
            ApiMisuse: shapes differ, a position is outside, or an element has no record.
        """
        if self.block.ndim != 2 or len(self.block) != len(self.positions):
            raise ApiMisuse("labels need one row of the block for each position")
        # Looked at before they are counted: a count takes memory up to the largest.
        if len(self) and not 0 <= self.positions.min() <= self.positions.max() < elements:
            raise ApiMisuse(f"a label belongs to element {self.positions.max()} of {elements}")
        records = np.bincount(self.positions, minlength=elements)
        if not records.all():
            raise ApiMisuse(f"element {int(np.argmin(records))} has no record")


@dataclass(frozen=True, slots=True)
class Matches:
    """The elements that both parties hold, as one of them learns it.

    Attributes:
        positions: of its own elements, ascending, uint32.
        records: how many records the other party has for each of them, uint32.
        labels: of those records, uint8, sum(records) x width, in the order of positions.
    """

    positions: npt.NDArray[np.uint32] = field(repr=False)
    records: npt.NDArray[np.uint32] = field(repr=False)
    labels: npt.NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a role has learnt.

    Attributes:
        cardinality: how many elements both parties hold.
        matches: which; None if only the number is to be learnt.
        peer_entries: how many elements or records the peer's messages stood for, decoys and padding
            included: all that is known of the size of its set.
    """

    cardinality: int
    matches: Matches | None
    peer_entries: int
