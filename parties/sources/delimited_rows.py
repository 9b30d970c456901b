"""Delimited text row by row: slow and exact. Reads headers, and finds the row of a fault.

Rows are counted as every part of the house counts them: the first row after the header is 1, blank
lines are no rows, and a cell with line ends in it belongs to one row. Lines are counted as
an editor counts them.

Rows are cut at line ends outside of quotes, on bytes: in UTF-8 and in GB18030 the bytes of
quote, carriage return and line feed never occur inside another character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from parties.errors import SourceError
from parties.sources.delimited_text import MARKS, ROW_BYTES
from psi.lazily import NamedTuple

READ_BYTES = 1 << 20
"""Bytes read at a time: Python's part per block is below 1 % of cutting it into lines."""

FIRST_BYTES = 1 << 12
"""Bytes read first: a header is in them, which is all that is wanted of most files."""


class Row(NamedTuple):
    """One row as it stands in the file.

    Attributes:
        line: the line on which it starts, from 1.
        raw: its bytes with the line end.
        closed: whether every quote in it is closed.
    """

    line: int
    raw: bytes
    closed: bool


def header(path: Path, label: str, encoding: str, delimiter: str) -> list[str]:
    """Returns the names in the first row that is not blank.

    Raises:
        SourceError: there is none, or it cannot be read.
    """
    for row in rows(path, encoding):
        cells, fault = parse(row, encoding, delimiter)
        if fault:
            raise SourceError(f"{label}: the header (line {row.line}) {fault}")
        return cells
    raise SourceError(f"{label}: has no header; the first line must name the columns")


def first_fault(path: Path, label: str, encoding: str, delimiter: str, width: int) -> SourceError:
    """Returns the error that names the first bad row.

    Args:
        path: of a file that the fast reader refused.
        label: of the file.
        encoding: of the file.
        delimiter: of the file.
        width: how many cells the header has.
    """
    for number, row in enumerate(rows(path, encoding)):
        cells, fault = parse(row, encoding, delimiter)
        if not fault and len(cells) != width:
            fault = f"has {len(cells)} of the {width} cells that the header names"
            if len(cells) > width:
                fault = f"has {len(cells)} cells, more than the {width} that the header names"
        if fault and number == 0:
            return SourceError(f"{label}: the header (line {row.line}) {fault}")
        if fault:
            return SourceError(f"{label}: row {number} after the header (line {row.line}) {fault}")
    return SourceError(f"{label}: cannot be read as {encoding} text with delimiter {delimiter!r}")


def rows(path: Path, encoding: str) -> Iterator[Row]:
    """Yields the rows of a file with its header; ends after one that is too long."""
    pending: list[bytes] = []
    start, length, inside = 1, 0, 0
    for number, line in enumerate(lines(path, encoding), start=1):
        if not pending:
            if not line.strip(b"\r\n"):
                continue
            start = number
        pending.append(line)
        length += len(line)
        inside = (inside + line.count(b'"')) % 2
        if not inside or length > 2 * ROW_BYTES:
            yield Row(start, b"".join(pending), not inside)
            pending, length = [], 0
        if inside and not pending:
            return
    if pending:
        yield Row(start, b"".join(pending), closed=False)


def lines(path: Path, encoding: str) -> Iterator[bytes]:
    """Yields the lines of a file with their ends: LF, CRLF or CR."""
    with path.open("rb") as file:
        mark = MARKS[encoding]
        tail = file.read(len(mark))
        if tail == mark:
            tail = b""
        size = FIRST_BYTES
        while block := file.read(size):
            size = READ_BYTES
            # The last line is held back: it may go on, or its CR may be half of a CRLF.
            *whole, tail = (tail + block).splitlines(keepends=True)
            yield from whole
            if len(tail) > 2 * ROW_BYTES:
                break
        if tail:
            yield from tail.splitlines(keepends=True)


def parse(row: Row, encoding: str, delimiter: str) -> tuple[list[str], str]:
    """Returns the cells of a row, or what is wrong with it."""
    too_long = f"is longer than {ROW_BYTES >> 20} MiB; is a quote in it not closed?"
    if len(row.raw) > 2 * ROW_BYTES:  # cut off, so that it may not decode
        return [], too_long
    text = None
    with suppress(UnicodeDecodeError):
        text = row.raw.decode(encoding)
    if text is None:
        other = "gb18030" if encoding == "utf-8" else "utf-8"
        return [], f"is not {encoding} text; is the encoding {other}, or the file damaged?"
    if "\0" in text:
        return [], "holds a zero byte; is the file UTF-16 text, or no text at all?"
    if len(text.encode()) > ROW_BYTES:
        return [], too_long
    if not row.closed:
        return [], "opens a quote that is never closed"
    # Possessive quantifiers: a cell has one reading, and none is tried twice.
    bare = rf'[^"\r\n{re.escape(delimiter)}]*+'
    cell = re.compile(rf'(?:"((?:[^"]|"")*+)"|({bare}))({re.escape(delimiter)}|\r\n|\r|\n|\Z)')
    cells, position = [], 0
    while found := cell.match(text, position):
        quoted, plain, end = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        position = found.end()
        if end != delimiter:
            break
    if not found or position < len(text):
        return [], "has a quote inside a cell that is not quoted as a whole; quotes are doubled"
    return cells, ""
