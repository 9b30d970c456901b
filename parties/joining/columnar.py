"""Part of the last step: joined rows as Parquet or Arrow."""

from __future__ import annotations

from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from arro3.core import RecordBatch, Schema

from parties.sources import BATCH_ROWS


class ColumnarWriter:
    """Writes batches, small ones together, at least `BATCH_ROWS` rows at a time.

    Hits are few in a batch of rows, and a Parquet row group or an IPC message of each few would
    cost more for its head than for its rows. Dictionaries change between batches, which the formats
    cannot hold; their values are written instead.

    Args:
        file: takes the bytes and stays open.
        schema: of the batches.
        format: "parquet" or "arrow", the IPC file format.
    """

    def __init__(self, file: BinaryIO, schema: Schema, format: Literal["parquet", "arrow"]) -> None:
        self._schema = pa.schema([plain(field) for field in pa.schema(schema)])
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | pa.ipc.RecordBatchFileWriter = (
            pq.ParquetWriter(file, self._schema, compression="zstd")
            if format == "parquet"
            else pa.ipc.new_file(file, self._schema)
        )

    def write_batch(self, batch: RecordBatch) -> None:
        """Appends a batch."""
        columns = [decoded(column) for column in pa.record_batch(batch).columns]
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._rows += batch.num_rows
        if self._rows >= BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        """Writes what is left, and the end of the file."""
        if self._waiting:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_batch(pa.concat_batches(self._waiting))
        self._waiting, self._rows = [], 0


def plain(field: pa.Field) -> pa.Field:
    """Returns a column of the values of a dictionary; any other as it is."""
    if pa.types.is_dictionary(field.type):
        return field.with_type(field.type.value_type)
    return field


def decoded(column: pa.Array) -> pa.Array:
    """Returns the values of a dictionary; any other column as it is."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
