"""What leaves this node for matches: the records of each identifier, with the agreed columns.

A record is a row that names the identifier. Its label holds the agreed columns as text, padded to
one width for all records, so that the width tells nothing about any of them; the peer can open the
labels of matches and no others (`psi.protocols.dh`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from arro3.core import DataType, RecordBatch

from parties.errors import SourceError
from parties.identifiers import NOWHERE, IdentifiedSet, columns_of, reread
from parties.settings import IdentifierSettings
from parties.sources import Source
from psi import Labels, _core
from psi.errors import MalformedMessage
from psi.lazily import NamedTuple, np, npt, pa

TYPES: Final = {
    "text": DataType.large_string(),
    "whole": DataType.int64(),
    "number": DataType.float64(),
    "flag": DataType.bool(),
    "date": DataType.date32(),
    "time": DataType.timestamp("us"),
}
"""Types of columns that cross; every other type crosses as text."""
STEP: Final = 16
"""Widths of labels are multiples of this: the peer learns the longest row to 16 bytes."""
WIDEST: Final = 1024
"""Bytes of the widest label: a dozen columns. The sender says this much for each of its records."""

LONGEST_NAME: Final = 128
"""Characters of a column's name; databases allow 63 to 128."""
MOST_COLUMNS: Final = 256
"""Columns that a node discloses; a label of 1,024 bytes holds fewer."""


class Column(NamedTuple):
    """A column that leaves a node.

    Attributes:
        name: of the column.
        type: one of `TYPES`.
    """

    name: str
    type: str


def disclosed(source: Source, names: Sequence[str]) -> tuple[Column, ...]:
    """Returns the columns with these names.

    Raises:
        SourceError: one of them is not in the source.
    """
    for name in names:
        if name not in source.schema.names:
            raise SourceError(
                f"{source.label}: there is no column {name!r} to disclose; "
                "correct `disclose` of the peer"
            )
        kind = pa.field(source.schema.field(name)).type
        if pa.types.is_nested(kind) or _is_bytes(kind):
            raise SourceError(
                f"{source.label}: column {name!r} is {kind} and cannot be disclosed; "
                "make it text or a number"
            )
    return tuple(Column(name, _type(pa.field(source.schema.field(name)).type)) for name in names)


def records(
    source: Source, spec: IdentifierSettings, own: IdentifiedSet, columns: Sequence[Column]
) -> Labels:
    """Reads a source once more and returns a label for each record of each identifier.

    Memory: the width of a label and 4 bytes for each record.

    Args:
        source: the rows, as they were when the set was made.
        spec: of the set.
        own: the set.
        columns: what the labels hold; none for labels of width 0.

    Raises:
        SourceError: a row is bad, the source changed, or a row's columns are too long for a label.
    """
    names = [column.name for column in columns]
    wanted = list(dict.fromkeys([*columns_of(spec), *names]))
    positions: list[npt.NDArray[np.uint32]] = []
    blocks: list[npt.NDArray[np.uint8]] = []
    for batch, ways in reread(source, spec, own, wanted):
        block = _packed(batch, names, source.label)
        for places in map(np.asarray, ways):
            rows = np.flatnonzero(places != NOWHERE)
            positions.append(places[rows])
            blocks.append(block[rows])
    width = max((block.shape[1] for block in blocks), default=0)
    merged = np.zeros((sum(map(len, blocks)), width), np.uint8)
    end = len(merged)
    while blocks:  # which go as they are merged
        block = blocks.pop()
        merged[end - len(block) : end, : block.shape[1]] = block
        end -= len(block)
    return Labels(np.concatenate(positions) if positions else np.empty(0, np.uint32), merged)


def table(labels: npt.NDArray[np.uint8], columns: Sequence[Column]) -> pa.Table:
    """Returns the peer's records from their labels.

    Shapes: n labels to n rows.

    Raises:
        MalformedMessage: a label does not hold what was agreed.
    """
    if not len(labels):
        return pa.schema([(each.name, _crossing(each.type)) for each in columns]).empty_table()
    try:
        block = _core.unpack_labels(labels.tobytes(), labels.shape[1], len(columns))
        texts = [pa.array(column) for column in block]
        cells = [text.cast(_crossing(each.type)) for text, each in zip(texts, columns, strict=True)]
    except (ValueError, pa.ArrowException):
        cells = None  # raised below, outside of the handler: these texts may hold what was sent
    # No file of records has control characters, and terminals obey some.
    if cells is None or _core.have_controls(block):
        raise MalformedMessage("a label does not hold the columns that were agreed")
    return pa.table(cells, names=[each.name for each in columns])


def cells(
    labels: npt.NDArray[np.uint8], columns: Sequence[Column]
) -> list[dict[str, str | int | float | bool | None]]:
    """Returns the peer's records from their labels, as JSON can hold them.

    Days and times are as in ISO 8601; a number that is none is its name.

    Raises:
        MalformedMessage: a label does not hold what was agreed.
    """
    rows = None
    with suppress(ValueError, OverflowError, pa.ArrowException):  # raised below: may hold a value
        rows = table(labels, columns).to_pylist()
    if rows is None:
        raise MalformedMessage("a label does not hold the columns that were agreed")
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def plain(value: Any) -> str | int | float | bool | None:
    """A cell as JSON can hold it; as `cells` says."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value.isoformat())


def _packed(batch: RecordBatch, names: Sequence[str], label: str) -> npt.NDArray[np.uint8]:
    if not names:
        return np.empty((batch.num_rows, 0), np.uint8)
    width = 0
    try:
        texts = [_text(pa.array(batch.column(name))) for name in names]
        width = -(-_core.label_width(texts) // STEP) * STEP
    except (pa.ArrowException, ValueError):
        pass  # raised below, outside of the handler: Arrow's text may quote a value
    if not width:
        raise SourceError(
            f"{label}: a value of the columns to disclose is out of range or too long; correct it "
            "or disclose fewer columns"
        )
    if width > WIDEST:
        raise SourceError(
            f"{label}: the columns to disclose need {width} bytes in one row, at most {WIDEST} "
            "may leave; disclose fewer or shorter ones"
        )
    packed = _core.pack_labels(texts, width)
    return np.frombuffer(packed, np.uint8).reshape(batch.num_rows, width)


def _text(column: pa.Array) -> pa.Array:
    crossing = _crossing(_type(column.type))
    if column.type != crossing and not pa.types.is_string(column.type):
        column = column.cast(crossing)
    return column.cast(pa.large_string())


def _crossing(name: str) -> pa.DataType:
    return pa.field(TYPES[name]).type


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return "time"
    if pa.types.is_signed_integer(kind) or kind in (pa.uint8(), pa.uint16(), pa.uint32()):
        return "whole"
    for name in TYPES:
        if kind == _crossing(name):
            return name
    return "number" if pa.types.is_floating(kind) else "text"
