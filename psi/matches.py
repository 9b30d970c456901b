"""What goes into a match beside the elements, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

from arro3.core import Array

from psi.errors import ApiMisuse
from psi.lazily import NamedTuple, np, npt


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


class Matches:
    """The elements that both parties hold, as one of them learns it: m of its own.

    Also an Arrow array by PyCapsule: the positions.

    Args:
        positions: as the attribute, in any buffer of uint32.
        records: as the attribute; one each if None.
        labels: as the attribute; of width 0 if None.
    """

    __slots__ = ("_labels", "_positions", "_records")

    def __init__(
        self,
        positions: memoryview[int],
        records: npt.NDArray[np.uint32] | None = None,
        labels: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        self._positions, self._records, self._labels = positions, records, labels

    @property
    def positions(self) -> npt.NDArray[np.uint32]:
        """Of its own elements, ascending, uint32, m entries."""
        return np.frombuffer(self._positions, np.uint32)

    @property
    def records(self) -> npt.NDArray[np.uint32]:
        """How many records the other party has for each of them, uint32, m entries."""
        return np.ones(len(self), np.uint32) if self._records is None else self._records

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """Those of the records, uint8, sum(records) x width, in the order of positions."""
        return np.empty((len(self), 0), np.uint8) if self._labels is None else self._labels

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._positions)

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Returns the capsules of schema and array: the positions, not copied."""
        return Array.from_buffer(self._positions).__arrow_c_array__(requested_schema)


class Result(NamedTuple):
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
