"""Part of the last step: joined rows as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
from pyarrow import types

from parties.errors import SourceError
from psi import _core

NUMBERS = (pa.int64(), pa.uint32())
"""What the kernel writes besides texts; these are the types of the columns that a join adds."""


class CsvWriter:
    """Writes batches as pyarrow's `CSVWriter` does, in half of its time.

    A header, commas and line feeds; texts and names are in quotes, other cells are not. Null is an
    empty cell and an empty text is "".

    Args:
        file: takes the text and stays open.
        schema: of the batches, without columns that `has_text` refuses.
    """

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file
        names = [pa.array([name], pa.large_string()) for name in schema.names]
        self._write(names, [True] * len(names))

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Appends a batch.

        Raises:
            OSError: the disk is full.
            SourceError: a value cannot be written as text.
        """
        columns = [
            as_cells(batch.column(at), batch.schema.names[at]) for at in range(batch.num_columns)
        ]
        self._write(columns, [is_text(kind) for kind in batch.schema.types])

    def close(self) -> None:
        """Does nothing: all is written."""

    def _write(self, columns: Sequence[pa.Array], quoted: list[bool]) -> None:
        self._file.writelines(_core.write_rows(list(columns), quoted))


def has_text(kind: pa.DataType) -> bool:
    """Returns whether values are texts, or have one form as text that everybody would expect."""
    return not (
        types.is_nested(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_interval(kind)
        or types.is_run_end_encoded(kind)
        or isinstance(kind, pa.BaseExtensionType)
    )


def is_text(kind: pa.DataType) -> bool:
    """Returns whether values are texts, which stand in quotes."""
    return bool(types.is_large_string(kind) or types.is_string(kind) or types.is_string_view(kind))


def as_cells(column: pa.Array, name: str) -> pa.Array:
    """Returns a column as the kernel takes it: texts, or some numbers.

    Raises:
        SourceError: a value cannot be written as text.
    """
    if column.type == pa.large_string() or column.type in NUMBERS:
        return column
    try:
        return column.cast(pa.large_string())
    except pa.ArrowException:
        pass  # raised below, outside of the handler: Arrow's text may quote a value
    raise SourceError(
        f"column {name!r} is {column.type}, and a value of it has no text; "
        "write Parquet or Arrow instead"
    )
