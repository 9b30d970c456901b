"""Part of room 2: the report of rejected cells, for the people who keep the source.

It stays on this machine, is readable by its owner only, and shows no character of a value. Even
the first would tell: the first character of a Chinese name is the family name, of a plate the
province, of an identity number the region. With file, row and column at hand nobody needs it. What
remains is the shape, which is what most rejections are about: how long, and made of what.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TextIO

from arro3.core import Array

from parties.errors import LocalFault
from parties.sources import Source

NAME = "rejects.csv"
HEADER = ("file", "row", "column", "kind", "reason", "value")

MOST_LINES = 100_000
"""Rejections that are written; all are counted. At some 100 bytes a line that is 10 MB and opens in
any spreadsheet (their limit is 1,048,576 rows). A source with more has a fault of the column, which
the first thousand show as well."""

LONGEST = 32
"""Longest length that is shown exactly; no identifier with a fixed form is longer."""


class RejectReport:
    """Writes rejects.csv into a folder while a source is read; a context manager.

    There is no file until a cell is rejected. A report that an earlier run left there is replaced
    then.

    Args:
        folder: where; it must exist.
        leaves: called before there is a file, to write down that there will be one.

    Attributes:
        path: of the report.
        counted: how many cells were rejected.
        written: how many of them stand in the report, at most `MOST_LINES`.
    """

    def __init__(self, folder: Path, leaves: Callable[[], None] | None = None) -> None:
        self.path = folder / NAME
        self.counted = 0
        self.written = 0
        self._leaves = leaves
        self._file: TextIO | None = None
        self._write_row: Callable[[Sequence[object]], object] | None = None

    @property
    def room(self) -> int:
        """How many more cells it takes."""
        return MOST_LINES - self.written

    def add(
        self,
        source: Source,
        start: int,
        column: str,
        kind: str,
        given: Array,
        rejected: Sequence[tuple[int, str]],
        count: int,
    ) -> None:
        """Adds the rejected cells of one column of a batch.

        Args:
            source: of the batch.
            start: the position in the source of the batch's first row.
            column: its name.
            kind: as what it was read.
            given: the cells as they stand in the source.
            rejected: positions in `given`, with reasons; as many as there is room for.
            count: how many there are.

        Raises:
            LocalFault: the file cannot be written, or what `leaves` raises.
        """
        self.counted += count
        for position, reason in rejected:
            file, row = source.place(start + position)
            self._write((file, row, column, kind, reason, masked(given[position].as_py())))
            self.written += 1

    def close(self) -> None:
        """Closes the report; says in its last line how many cells are not in it.

        Raises:
            LocalFault: the disk is full.
        """
        if self._file is None or self._file.closed:
            return
        if left := self.counted - self.written:
            self._write(("", "", "", "", f"{left} more are counted and not written", ""))
        try:
            self._file.close()
        except OSError as fault:
            raise LocalFault(f"{NAME} cannot be written: {fault.strerror}") from None

    def __enter__(self) -> RejectReport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: Sequence[object]) -> None:
        if self._file is None and self._leaves is not None:
            self._leaves()
        try:
            if self._write_row is None:
                self._file = _opened(self.path)
                self._write_row = csv.writer(self._file).writerow
                self._write_row(HEADER)
            self._write_row(line)
        except OSError as fault:
            raise LocalFault(f"{NAME} cannot be written: {fault.strerror}") from None


def _opened(path: Path) -> TextIO:
    # Not through a link that somebody else put there, and never readable in between.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    number = os.open(path, flags, 0o600)
    os.fchmod(number, 0o600)
    return os.fdopen(number, "w", encoding="utf-8", newline="")


def masked(value: str) -> str:
    """Returns the shape of a value: "17 characters: digits", and nothing of what it says."""
    length = f"{len(value)}" if len(value) <= LONGEST else f"more than {LONGEST}"
    classes = ", ".join(name for name, any_of in _searches() if any_of(value))
    return f"{length} characters: {classes}"


@cache
def _searches() -> list[tuple[str, Callable[[str], object]]]:
    """Compiled when the first value is shown: most sources have none to show."""
    return [(name, re.compile(characters).search) for name, characters in CLASSES.items()]


CLASSES = {
    "digits": r"[0-9]",
    "Latin letters": r"[A-Za-z]",
    "Chinese characters": r"[\u4e00-\u9fff]",  # the Unicode block of the common ideographs
    "spaces": r"\s",
    "others": r"[^0-9A-Za-z\u4e00-\u9fff\s]",
}
"""Full-width digits and letters are others, for they look alike. A large source has many rejects: a
loop over their characters would take longer than all else that is done to it."""
