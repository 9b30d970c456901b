"""What files held when they were read, for as long as they are the same files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from parties.credentials import Stamp, stamp_of

T = TypeVar("T")


class Kept(Generic[T]):
    """Values of files, one for each path; for several threads.

    A file is looked at each time and read again when its times, size or place on the disk have
    changed. It is looked at before it is read: one that changes in between is read again next time.

    Args:
        read: makes the value of a file; None if it is not there.
    """

    def __init__(self, read: Callable[[Path], T | None]) -> None:
        self._read = read
        self._values: dict[Path, tuple[Stamp, T]] = {}

    def get(self, path: Path) -> T | None:
        """The value of a file, or None if it is not there.

        Raises whatever `read` raises.
        """
        stamp = stamp_of(path)
        known = self._values.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        value = self._read(path)
        if value is None or None in stamp:
            self._values.pop(path, None)
        else:
            self._values[path] = stamp, value
        return value
