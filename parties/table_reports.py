"""What was prepared for a peer; for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psi.lazily import NamedTuple

FEW: Final = 5
"""So many changes ahead a report warns that the whole source will be needed: a week of days, less
two to read it."""


class Prepared(NamedTuple):
    """A table that was made.

    Attributes:
        set: of identifiers.
        epoch: the name of its key.
        number: of the table.
        identifiers: how many were told: all that are in it, or those of a change that was given.
        gone: how many a change that was given took out; None if the whole source was read.
        rejected: cells that were not identifiers, by reason.
        records: how many were told; None if members alone are.
        generations: how many changes it holds, and what they were made to.
        changes_left: about how many more changes, each like the last, it has room for; then it is
            built as a whole, from the whole source.
        shards: how many files.
        size: their bytes together.
        seconds: what it took.
    """

    set: str
    epoch: str
    number: int
    identifiers: int
    gone: int | None
    rejected: Mapping[str, int]
    records: int | None
    generations: int
    changes_left: int
    shards: int
    size: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return self._asdict()

    def lines(self) -> list[str]:
        """The report as lines for people."""
        told = "members" if self.records is None else f"{self.records:,} records"
        held = f"{self.identifiers:,} identifiers, {told}"
        if self.gone is not None:
            held = f"changed {held}, {self.gone:,} gone"
        lines = [
            f"{self.set}: table {self.number} of epoch {self.epoch}, {held}, {self.shards} files "
            f"of {self.size:,} bytes, {self.seconds:.1f} s"
        ]
        if self.rejected:
            counts = ", ".join(f"{n:,} {reason}" for reason, n in sorted(self.rejected.items()))
            lines.append(
                f"  rejected here, so nobody finds them: {counts}; greenlane check says more"
            )
        if self.gone is not None and self.changes_left < FEW:
            lines.append(
                f"  has room for about {self.changes_left} more such changes; prepare without "
                "--changed before, which reads the whole source"
            )
        return lines
