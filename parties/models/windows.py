"""Windows of time as identifiers, so that a match itself decides whether two rows meet in one.

A claim and a record meet if the claim happened at least `after` and at most `until` later than the
record, and before the record ended, if it has. Time is cut into buckets of a grain, and of twice,
four times, ... the grain. A claim is named by its bucket of each size; a record by the fewest
buckets that make up its window. Among these is the claim's bucket of one size and no more if the
claim lies in the window, and of none if not. Each becomes a part of a composite identifier, beside
a plate or a person: what is matched is "this plate in this bucket", and a row outside of the window
is not matched at all.

What is learnt beyond the rule: of matched rows the size of the bucket that they share; and where
the window ends within a bucket of the grain, rows of that whole bucket, which the exact rule
afterwards drops. With a grain of a second, and times in whole seconds, there are none.

Sources: canonical covers of a range by dyadic intervals as in segment trees (de Berg and others,
Computational Geometry, chapter 10.3).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parties.errors import SettingsError
from psi.lazily import NamedTuple

Times = npt.NDArray[np.int64]

MICROSECONDS: Final = 1_000_000
"""Of a second. Times are held in microseconds, as DuckDB does."""
MOST_GRAINS: Final = 1 << 25
"""Of a window: a year in seconds has 2^24.9. A claim then has 26 keys, and a record some of 51."""
MOST_SECONDS: Final = 10 * 366 * 86_400
"""From a record to a claim: ten years."""


class Window(NamedTuple):
    """When a claim meets a record: from `after` to `until` later, both included.

    Attributes:
        after: seconds; negative if the claim may come before the record.
        until: seconds, not less than `after`.
        grain: seconds of the smallest bucket.
    """

    after: int
    until: int
    grain: int

    def checked(self) -> Window:
        """Returns the window.

        Raises:
            SettingsError: it is none, or has more grains than are meant.
        """
        if not -MOST_SECONDS <= self.after <= self.until <= MOST_SECONDS or self.grain < 1:
            raise SettingsError(
                "a window ends not before it begins, within "
                f"{MOST_SECONDS // 86_400} days, and has a grain of 1 second or more"
            )
        if self._grains > MOST_GRAINS:
            raise SettingsError(
                f"a window of {self.until - self.after:,} s has more than {MOST_GRAINS:,} grains "
                f"of {self.grain} s; take a larger grain"
            )
        return self

    @property
    def _grains(self) -> int:
        """How many buckets of the grain a window can touch."""
        return (self.until - self.after) // self.grain + 2

    @property
    def levels(self) -> int:
        """How many sizes of buckets there are; a window has at most one of the largest."""
        return self._grains.bit_length()

    def of_claims(self, happened: pa.Array) -> list[pa.Array]:
        """Returns the keys of claims: for each size one, null where the time is.

        Args:
            happened: timestamps without a zone.
        """
        times, missing = _microseconds(happened)
        buckets = np.floor_divide(times, self.grain * MICROSECONDS)
        return [self._keys(level, buckets >> level, missing) for level in range(self.levels)]

    def of_records(self, begun: pa.Array, ended: pa.Array | None = None) -> list[pa.Array]:
        """Returns the keys of records: in columns, of which most are null in most rows.

        Args:
            begun: timestamps without a zone.
            ended: likewise, null where a record has not ended; None if none has.
        """
        times, missing = _microseconds(begun)
        grain = self.grain * MICROSECONDS
        low = np.floor_divide(times + self.after * MICROSECONDS, grain)
        last = times + self.until * MICROSECONDS
        if ended is not None:
            ends, open_ = _microseconds(ended)
            last = np.where(open_, last, np.minimum(last, ends - 1))  # the end is not included
        high = np.floor_divide(last, grain)
        left, keys = low <= high, []
        for level in range(self.levels - 1):
            # A bucket at an end of which the other half lies outside is taken as it is; what is
            # left begins and ends where buckets of twice the size do. Where nothing is left, that
            # stays so: halves of ends that have passed each other may be equal.
            first = left & (low & 1 == 1)
            keys.append(self._keys(level, low, missing | ~first))
            low = low + first
            left = left & (low <= high)
            second = left & (high & 1 == 0)
            keys.append(self._keys(level, high, missing | ~second))
            high = high - second
            left = left & (low <= high)
            low, high = low >> 1, high >> 1
        # n grains, n < 2^levels, and at each size no more than half were left: here one at most.
        keys.append(self._keys(self.levels - 1, low, missing | ~left))
        return keys

    def _keys(self, level: int, buckets: Times, missing: npt.NDArray[np.bool_]) -> pa.Array:
        """Returns buckets as texts that no other window has, nor another size of this one."""
        numbers = pa.array(buckets, pa.int64(), mask=missing).cast(pa.large_string())
        window = f"window/{self.after}/{self.until}/{self.grain}/{level}"
        between = pa.scalar("/", pa.large_string())
        return pc.binary_join_element_wise(pa.scalar(window, pa.large_string()), numbers, between)


_TIMES: Final = pa.timestamp("us")


def _microseconds(times: pa.Array) -> tuple[Times, npt.NDArray[np.bool_]]:
    """Returns times as numbers, and where there are none."""
    numbers = pc.cast(times, _TIMES).cast(pa.int64())
    return (
        numbers.fill_null(0).to_numpy(zero_copy_only=False),
        pc.is_null(times).to_numpy(zero_copy_only=False),
    )
