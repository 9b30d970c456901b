"""Part of the last step: joined rows as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from parties.errors import SourceError
from parties.joining.rows import fields
from psi import _core
from psi.lazily import pa

NUMBERS = (DataType.int64(), DataType.uint32())
"""What the kernel writes besides texts; these are the types of the columns that a join adds."""


class CsvWriter:
    """Writes batches as pyarrow's `CSVWriter` does, without pyarrow.

    A header, commas and line feeds; texts and names are in quotes, other cells are not. Null is an
    empty cell and an empty text is "".

    Args:
        file: takes the text and stays open.
        schema: of the batches.

    Raises:
        SourceError: a column has no text.
    """

    def __init__(self, file: BinaryIO, schema: Schema) -> None:
        self._file = file
        self._quoted = [is_quoted(field) for field in fields(schema)]
        names = [Array([name], DataType.large_string()) for name in schema.names]
        self._write(names, [True] * len(names))

    def write_batch(self, batch: RecordBatch) -> None:
        """Appends a batch.

        Raises:
            OSError: the disk is full.
            SourceError: a value cannot be written as text.
        """
        named = zip(batch.columns, batch.column_names, strict=True)
        self._write([as_cells(column, name) for column, name in named], self._quoted)

    def close(self) -> None:
        """Does nothing: all is written."""

    def _write(self, columns: Sequence[Array], quoted: list[bool]) -> None:
        self._file.writelines(_core.write_rows(list(columns), quoted))


def is_quoted(field: Field) -> bool:
    """Returns whether values of a column are texts, which stand in quotes.

    Raises:
        SourceError: they have no text.
    """
    if DataType.is_large_string(field.type):
        return True
    if field.type in NUMBERS:
        return False
    types, kind = pa.types, pa.field(field).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if not has_text(kind):
        raise SourceError(
            f"column {field.name!r} is {kind}, which CSV cannot hold; "
            "write Parquet or Arrow instead"
        )
    return bool(types.is_large_string(kind) or types.is_string(kind) or types.is_string_view(kind))


def has_text(kind: pa.DataType) -> bool:
    """Returns whether values are texts, or have one form as text that everybody would expect."""
    types = pa.types
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


def as_cells(column: Array, name: str) -> Array:
    """Returns a column as the kernel takes it: texts, or some numbers.

    Raises:
        SourceError: a value cannot be written as text.
    """
    if DataType.is_large_string(column.type) or column.type in NUMBERS:
        return column
    cells = pa.array(column)
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    try:
        return Array.from_arrow(cells.cast(pa.large_string()))
    except pa.ArrowException:
        pass  # raised below, outside of the handler: Arrow's text may quote a value
    raise SourceError(
        f"column {name!r} is {cells.type}, and a value of it has no text; "
        "write Parquet or Arrow instead"
    )
