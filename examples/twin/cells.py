"""Bytes in fixed lanes, and how they become Arrow columns without a Python object per row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from .pools import Cells, Index, Mask

SPACE, HYPHEN = 0x20, 0x2D
MIDDLE_DOT = (0xC2, 0xB7)
"""U+00B7 in UTF-8, as printed on plates between the letter and the serial."""
WIDE_SPACE = (0xE3, 0x80, 0x80)
"""U+3000 in UTF-8."""


def text(cells: Cells, present: Mask | None = None) -> pa.StringArray:
    """Closes up the empty lanes of each row: n x w bytes to n strings, null where not present."""
    if present is not None:
        cells = np.where(present[:, None], cells, 0)
    full = cells != 0
    offsets = np.zeros(len(cells) + 1, np.int32)
    np.cumsum(full.sum(axis=1), out=offsets[1:])
    validity = None
    if present is not None:
        validity = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.StringArray.from_buffers(
        len(cells), pa.py_buffer(offsets), pa.py_buffer(cells[full]), validity
    )


def digits(values: Index, width: int) -> Cells:
    """Returns n x width ASCII digits, with leading zeros."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def numbered(prefix: str, values: Index, width: int) -> pa.StringArray:
    """Returns a prefix and a number of fixed width in each row."""
    cells = np.empty((len(values), len(prefix) + width), np.uint8)
    cells[:, : len(prefix)] = np.frombuffer(prefix.encode("ascii"), np.uint8)
    cells[:, len(prefix) :] = digits(values, width)
    return text(cells)


def full_width(cells: Cells) -> Cells:
    """Replaces ASCII 0x21-0x7E by the full-width forms U+FF01-U+FF5E: n x w to n x 3w lanes."""
    narrow = (cells > SPACE) & (cells < 0x7F)
    code = cells.astype(np.uint32) + 0xFEE0
    wide = np.zeros((*cells.shape, 3), np.uint8)
    wide[..., 0] = np.where(narrow, 0xE0 | code >> 12, cells)
    wide[..., 1] = np.where(narrow, 0x80 | code >> 6 & 0x3F, 0)
    wide[..., 2] = np.where(narrow, 0x80 | code & 0x3F, 0)
    return wide.reshape(len(cells), 3 * cells.shape[1])


def chosen(words: pa.StringArray, index: Index) -> pa.StringArray:
    """Takes one of the words for each row; null where the index is negative."""
    return words.take(pa.array(index, mask=index < 0))


def timestamps(seconds: Index) -> pa.TimestampArray:
    """Local wall-clock seconds since 1970; milliseconds, because Parquet has no seconds."""
    return pa.array(seconds.astype("M8[s]").astype("M8[ms]"), pa.timestamp("ms"), mask=seconds < 0)


def dates(days: Index) -> pa.Date32Array:
    """Days since 1970; null where negative."""
    return pa.array(days.astype("M8[D]"), pa.date32(), mask=days < 0)


def money(fen: Index) -> pa.Decimal128Array:
    """Yuan with two decimals from hundredths; the 64 low bits suffice, since none is negative."""
    words = np.zeros((len(fen), 2), np.int64)
    words[:, 0] = fen
    return pa.Decimal128Array.from_buffers(
        pa.decimal128(12, 2), len(fen), [None, pa.py_buffer(words)]
    )
