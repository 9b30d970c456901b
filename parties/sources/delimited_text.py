"""A delimited text file as blocks of whole rows in checked UTF-8, ready for a fast parser.

Arrow's parser is fast and forgiving: a quote that is never closed, or that stands inside a cell,
makes it swallow rows without a word. So each block is checked first: that it is in the
encoding named, and quoted as RFC 4180 section 2 says. This file does not know in which row it is;
`delimited_rows` finds that out, once, after a refusal.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 8 << 20
"""Bytes read at a time: 8 MiB is `BATCH_ROWS` rows of 128 bytes, a common width of a claim."""

ROW_BYTES = BLOCK_BYTES
"""The longest row that is surely read. A longer one is most likely a quote that was never closed,
and would make the rest of the file one row."""

MARKS = {"utf-8": b"\xef\xbb\xbf", "gb18030": b"\x84\x31\x95\x33"}
"""The byte-order mark U+FEFF in each encoding."""

QUOTE = ord('"')


def blocks_of_rows(path: Path, encoding: str, delimiter: str) -> Iterator[bytes]:
    """Yields the file in blocks that each end with a row, in UTF-8 without a mark.

    Args:
        path: of the file.
        encoding: "utf-8" or "gb18030".
        delimiter: one ASCII character.

    Raises:
        ValueError: the text is not what it should be. Its own text holds nothing of the file.
        OSError: the file cannot be read.
    """
    quoting = Quoting(delimiter)
    rest = b""
    for block in decoded(path, encoding):
        end = quoting.last_row_end(block)
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
        if len(rest) > ROW_BYTES:
            raise ValueError("a row is too long")
    if quoting.inside:
        raise ValueError("a quote is not closed")
    if rest:
        yield rest + b"\n"


def decoded(path: Path, encoding: str) -> Iterator[bytes]:
    """Yields the file in UTF-8, checked, without its mark; a block may end within a character."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb", buffering=0) as file:
        if file.read(len(MARKS[encoding])) != MARKS[encoding]:
            file.seek(0)
        ended = False
        while not ended:
            raw = file.read(BLOCK_BYTES)
            ended = not raw
            text = None
            with suppress(UnicodeDecodeError):  # it holds the bytes: no context for our error
                text = decoder.decode(raw, ended)
            if text is None or "\0" in text:
                raise ValueError(f"the text is not {encoding}")
            yield raw if encoding == "utf-8" else text.encode()


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


class Quoting:
    """What is known of the quotes up to a block, so that the next can be checked and cut.

    Every second quote closes. In text as RFC 4180 has it, a quote that closes has an edge after
    it: a delimiter, a line end, or the second quote of a doubled pair; one that opens has an edge
    before it. These are checked for a whole block at a time.

    Attributes:
        inside: 1 if the next byte stands inside of quotes, else 0.
    """

    def __init__(self, delimiter: str) -> None:
        self.inside = 0
        self._last = ord("\n")  # the byte before the block; a file starts like a line
        self._edge = np.zeros(256, dtype=np.bool_)
        self._edge[[ord(delimiter), ord("\n"), ord("\r"), QUOTE]] = True

    def last_row_end(self, block: bytes) -> int:
        """Returns where the last row that ends in this block ends; 0 if none does.

        Raises:
            ValueError: a quote neither opens nor closes a cell nor is doubled inside of one.
        """
        if not block:
            return 0
        view = np.frombuffer(block, dtype=np.uint8)
        quotes = np.flatnonzero(view == QUOTE)
        self._check(view, quotes)
        # A carriage return alone ends a row too; the last byte may be half of CR LF.
        end = row_end(block, b"\n", len(block), quotes, self.inside) or row_end(
            block, b"\r", len(block) - 1, quotes, self.inside
        )
        self.inside = (self.inside + quotes.size) % 2
        self._last = block[-1]
        return end

    def _check(self, view: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64]) -> None:
        opening, closing = quotes[self.inside :: 2], quotes[1 - self.inside :: 2]
        before = np.where(opening > 0, view[opening - 1], self._last)
        after = view[closing[closing + 1 < view.size] + 1]
        # A closing quote at the very end of a block has its edge at the start of this one.
        awaited = self._last == QUOTE and not self.inside
        if not (
            self._edge[before].all()
            and self._edge[after].all()
            and (not awaited or self._edge[view[0]])
        ):
            raise ValueError("a quote stands inside a cell")


def row_end(
    block: bytes, mark: bytes, stop: int, quotes: npt.NDArray[np.int64], inside: int
) -> int:
    """Returns the position after the last mark before `stop` that is outside of quotes, or 0."""
    while (found := block.rfind(mark, 0, stop)) >= 0:
        before = int(np.searchsorted(quotes, found))
        if (inside + before) % 2 == 0:
            return found + 1
        if before == 0:
            return 0
        stop = int(quotes[before - 1])
    return 0
