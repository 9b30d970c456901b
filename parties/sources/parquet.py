"""Parquet files, read row group by row group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from arro3.core import RecordBatch, Schema

from parties.errors import SourceError
from parties.sources.files import Files
from parties.sources.source import BATCH_ROWS, distinct_names, slices, sound, wanted

READ_BYTES = 1 << 20
"""How much of a column is read at a time: without a buffer a whole column chunk of a row group is
held, which is the whole file where a writer made one group of it. 1 MiB is the usual page size."""


class ParquetSource:
    """Rows of Parquet files that have one schema.

    Args:
        paths: in the order in which they are read.

    Raises:
        SourceError: a file is missing or is not Parquet, or its columns differ from those of the
            first in name, order or type.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = Files(paths)
        schemas = [(schema_of(path, label), label) for path, label in self._files]
        schema, first = schemas[0]
        distinct_names(schema.names, first)
        for other, label in schemas[1:]:
            alike(schema, other, first, label)
        self._schema = Schema.from_arrow(schema)

    @property
    def label(self) -> str:
        """As `Source.label` says."""
        return self._files.label

    @property
    def schema(self) -> Schema:
        """As `Source.schema` says."""
        return self._schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
        """As `Source.batches` says."""
        names = wanted(self._schema, columns, self.label)
        return self._files.walk(lambda path, label: read(path, label, names))

    def place(self, row: int) -> tuple[str, int]:
        """As `Source.place` says."""
        return self._files.place(row)


def read(path: Path, label: str, names: list[str]) -> Iterator[RecordBatch]:
    """Yields the batches of one file.

    Raises:
        SourceError: the file is damaged, or uses a feature of Parquet that is not read.
    """
    rows = 0
    try:
        with pq.ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False) as file:
            for batch in sound(file.iter_batches(batch_size=BATCH_ROWS, columns=names), label):
                for piece in slices(batch.select(names)):
                    yield piece
                    rows += piece.num_rows
            return
    except (pa.ArrowException, OSError, ValueError):
        pass  # raised below, outside of the handler: Arrow's text may quote a value
    raise SourceError(f"{label}: is damaged after row {rows} (the first row is 1); write it again")


def schema_of(path: Path, label: str) -> pa.Schema:
    """Returns a file's schema without its metadata.

    Raises:
        SourceError: the file is not Parquet.
    """
    try:
        return pq.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError, ValueError):
        pass
    raise SourceError(f"{label}: is not a Parquet file, or is cut off")


def alike(first: pa.Schema, other: pa.Schema, first_label: str, label: str) -> None:
    """Refuses a file whose columns differ, and says where.

    Raises:
        SourceError: names, order or types differ.
    """
    if first.names != other.names:
        raise SourceError(f"{label}: its columns are not those of {first_label}, in that order")
    for mine, theirs in zip(first, other, strict=True):
        if mine.type != theirs.type:
            raise SourceError(
                f"{label}: column {mine.name!r} is {theirs.type}, but {mine.type} in {first_label}"
            )
