"""Writes tables block by block, as Parquet or CSV."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

FORMATS = ("parquet", "csv")

_REPEATING = (
    "company",
    "line",
    "accident_place",
    "repair_shop",
    "hospital",
    "flight_no",
    "ring",
    "record_type",
    "station",
    "place",
    "file",
    "set",
    "planted_as",
    "insured_name",
    "driver_name",
    "claimant_name",
    "person_name",
)
"""Columns with few values; only for these is a dictionary worth its time."""


class TableFile:
    """One file that is written in blocks; made with the first block, from its schema."""

    def __init__(self, path: Path, format: str) -> None:
        self.path, self.format = path, format
        self._writer: parquet.ParquetWriter | csv.CSVWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Appends a block; one row group in Parquet."""
        if self.format == "csv":
            table = _whole_seconds(table)
        if self._writer is None:
            self._writer = self._opened(table.schema)
        self._writer.write_table(table)

    def __enter__(self) -> TableFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def _opened(self, schema: pa.Schema) -> parquet.ParquetWriter | csv.CSVWriter:
        if self.format == "csv":
            return csv.CSVWriter(self.path, schema)
        repeating = [name for name in schema.names if name in _REPEATING]
        return parquet.ParquetWriter(
            self.path, schema, compression="zstd", compression_level=1, use_dictionary=repeating
        )


def _whole_seconds(table: pa.Table) -> pa.Table:
    """Makes timestamps print as 2024-05-06 07:08:09, without fractions."""
    fields = [
        field.with_type(pa.timestamp("s")) if pa.types.is_timestamp(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
