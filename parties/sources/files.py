"""The files of a source: one after the other, in the order of the settings, and unchanged."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from arro3.core import RecordBatch

from parties.errors import SourceError

Stamp = tuple[int, int, int, int]


class Files:
    """Files that are read in several passes.

    A change is noticed by device, inode, size and time of modification, before and after each file
    in each pass, and by the number of rows. A program that puts back both size and time defeats it.

    Args:
        paths: in the order in which they are read.

    Raises:
        SourceError: a file is missing, a folder, empty, or may not be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise SourceError("the source names no file; write one under paths")
        self._paths = tuple(paths)
        names = Counter(path.name for path in paths)
        self._labels = {
            path: path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}"
            for path in paths
        }
        self._stamps = {path: stamp(path, self._labels[path]) for path in paths}
        self._ends: list[int] = []  # rows up to the end of each file that was read to its end

    @property
    def label(self) -> str:
        """The name of the first file, and how many more there are."""
        first, more = self._labels[self._paths[0]], len(self._paths) - 1
        return first if more == 0 else f"{first} and {more} more"

    def __iter__(self) -> Iterator[tuple[Path, str]]:
        """Yields path and label of each file."""
        return ((path, self._labels[path]) for path in self._paths)

    def walk(self, read: Callable[[Path, str], Iterator[RecordBatch]]) -> Iterator[RecordBatch]:
        """Yields the batches of all files.

        Args:
            read: gives the batches of one file, from its path and label.

        Raises:
            SourceError: a file changed since it was opened, or `read` refused it.
        """
        rows = 0
        for number, (path, label) in enumerate(self):
            self.check(path)
            try:
                for batch in read(path, label):
                    rows += batch.num_rows
                    yield batch
            except SourceError:
                self.check(path)  # a change explains the refusal better than its trace does
                raise
            self.check(path)
            if number == len(self._ends):
                self._ends.append(rows)
            elif self._ends[number] != rows:
                raise SourceError(f"{label}: gives another number of rows than in the first pass")

    def check(self, path: Path) -> None:
        """Refuses a file that is not what it was.

        Raises:
            SourceError: it changed, or is gone.
        """
        if stamp(path, self._labels[path]) != self._stamps[path]:
            raise SourceError(
                f"{self._labels[path]}: changed while it was in use; "
                "run again when nobody writes to it"
            )

    def place(self, row: int) -> tuple[str, int]:
        """Returns label of the file and number of the row in it, as `Source.place` says."""
        number = bisect_right(self._ends, row)
        start = self._ends[number - 1] if number else 0
        return self._labels[self._paths[number]], row - start + 1


def stamp(path: Path, label: str) -> Stamp:
    """Returns what changes when a file changes.

    Raises:
        SourceError: the file is missing, no regular file, empty, or may not be read.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise SourceError(f"{label}: there is no such file; see paths in the settings") from None
    except OSError as fault:
        raise SourceError(f"{label}: cannot be read: {fault.strerror}") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{label}: is a folder; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{label}: is no regular file, and so cannot be read twice")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{label}: cannot be read: this user has no permission")
    if status.st_size == 0:
        raise SourceError(f"{label}: is empty")
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
