"""What files held when they were read, for as long as they are the same files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Stamp: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]
"""Of some files, what changes when one of them does: times, size and place on the disk."""
_TICK_NS: Final = 2_000_000_000
"""Nanoseconds between two times that a file can have, at the most: FAT has two seconds."""


class Kept(Generic[T]):
    """Values of files, one for each path, or for some that belong together; for several threads.

    A file is looked at each time and read again when its times, size or place on the disk have
    changed. It is looked at before it is read: one that changes in between is read again next time,
    and so is one that is not there.

    Args:
        read: makes the value of files.
        in_place: whether people write into them. One that was changed just now is then read again,
            too: with another text of its length it may have the same stamp. What programs put into
            the place of a file never has.
    """

    def __init__(self, read: Callable[..., T], *, in_place: bool = False) -> None:
        self._read, self._in_place = read, in_place
        self._values: dict[tuple[Path, ...], tuple[Stamp, T]] = {}

    def get(self, *paths: Path) -> T:
        """The value of files.

        Raises whatever `read` raises.
        """
        stamp = stamp_of(*paths)
        is_told = None not in stamp and not (self._in_place and _changed_just_now(stamp))
        known = self._values.get(paths)
        if is_told and known is not None and known[0] == stamp:
            return known[1]
        value = self._read(*paths)
        if is_told:
            self._values[paths] = stamp, value
        else:
            self._values.pop(paths, None)
        return value


def stamp_of(*paths: Path | None) -> Stamp:
    """Returns the stamp of files; of one that is not there None, and reading it will say why."""
    return tuple(_stamp(path) for path in paths if path is not None)


def _changed_just_now(stamp: Stamp) -> bool:
    settled = time.time_ns() - _TICK_NS
    return any(each is not None and max(each[:2]) > settled for each in stamp)


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # Programs can set the first back, but not the second.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
