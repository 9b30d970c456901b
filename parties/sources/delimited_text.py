"""A delimited text file as columns of whole rows, fast.

The kernel is strict: text in another encoding than the one named, or quoted otherwise than RFC 4180
section 2 says, is refused before it can swallow rows. It does not say in which row that is;
`delimited_rows` finds that out, once, after a refusal.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

from arro3.core import Array

from parties.sources.source import BATCH_ROWS
from psi import _core

BLOCK_BYTES = 2 << 20
"""Bytes read at a time: some 100,000 rows of one column, or a few thousand wide ones, for which the
calls of a batch are below a tenth of the work. Larger blocks would be fresh memory each time, which
takes longer to come by than to read."""

ROW_BYTES = 8 << 20
"""The longest row that is surely read. A longer one is most likely a quote that was never closed,
and would make the rest of the file one row."""

MARKS = {"utf-8": b"\xef\xbb\xbf", "gb18030": b"\x84\x31\x95\x33"}
"""The byte-order mark U+FEFF in each encoding."""


def columns_of_rows(
    path: Path, encoding: str, delimiter: str, width: int, wanted: Sequence[int]
) -> Iterator[list[Array]]:
    """Yields the rows after the header as columns, at most `BATCH_ROWS` rows at a time.

    Args:
        path: of the file.
        encoding: "utf-8" or "gb18030".
        delimiter: one ASCII character.
        width: cells of the header, and so of each row.
        wanted: which columns, counted from 0.

    Raises:
        ValueError: the text is not what it should be. Its own text holds nothing of the file.
        OSError: the file cannot be read.
    """
    blocks = told(path) if encoding == "utf-8" else decoded(path, encoding)
    most = 1  # the header alone comes first
    last, start = False, None
    with closing(blocks):
        while not last:
            text, last = next(blocks) if start is None else blocks.send(start)
            start = 0
            while True:
                columns, start = _core.read_rows(
                    text, start, ord(delimiter), width, list(wanted), most, last
                )
                if not len(columns[0]):
                    break
                if most == BATCH_ROWS:
                    yield columns
                most = BATCH_ROWS
            if len(text) - start > ROW_BYTES:
                raise ValueError("a row is too long")


Blocks: TypeAlias = Generator[tuple[bytes, bool], int, None]
"""Yields text in UTF-8 without its mark, and whether it is the last; is sent how much of it was
read. The rest comes again, with more behind it."""


def told(path: Path) -> Blocks:
    """Yields a file that is said to be UTF-8, which is not checked here.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        mark = MARKS["utf-8"]
        at = len(mark) if file.read(len(mark)) == mark else 0
        size = BLOCK_BYTES
        while True:
            text = b""
            # A file system may give less than is there; nothing is the end.
            while more := os.pread(file.fileno(), size - len(text), at + len(text)):
                text += more
            read = yield text, len(text) < size
            at += read
            size = BLOCK_BYTES if read else 2 * size


def decoded(path: Path, encoding: str) -> Blocks:
    """Yields a file in another encoding.

    Raises:
        ValueError: the text is not in the encoding.
        OSError: the file cannot be read.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb", buffering=0) as file:
        if file.read(len(MARKS[encoding])) != MARKS[encoding]:
            file.seek(0)
        rest, last = b"", False
        while not last:
            raw = file.read(BLOCK_BYTES)
            last = not raw
            text = None
            with suppress(UnicodeDecodeError):  # it holds the bytes: no context for our error
                text = decoder.decode(raw, last)
            if text is None:
                raise ValueError(f"the text is not {encoding}")
            rest += text.encode()
            read = yield rest, last
            rest = rest[read:]


UTF8_CHARACTERS = 12
"""So many characters beyond ASCII make a file UTF-8 beyond doubt. Text in UTF-8 mostly is GB18030
as well, with other characters; the reverse is rare: of the two bytes of a common character the
first is one of 72 and the second one of 94, of which 30 and 31 make two bytes of UTF-8. That is
one in seven, and twelve in a row are less than 2^-33."""


def looks_like_utf8(path: Path) -> bool:
    """Whether the beginning of a file is UTF-8 and no ASCII.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(1 << 20)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(raw)  # may end within a character
    except UnicodeDecodeError:
        return False
    return sum(not character.isascii() for character in text) >= UTF8_CHARACTERS
