"""Arrow data that a program already holds: for those who use Greenlane as a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from arro3.core import RecordBatch, Schema

from parties.errors import SourceError
from parties.sources.source import BATCH_ROWS, distinct_names, slices, sound, wanted
from psi.lazily import pa


class ArrowSource:
    """Rows of an object that speaks the Arrow PyCapsule interface.

    A stream can be drawn once only, so it is drawn at once and its rows stay in memory, held by
    this object; nothing is copied beyond that. For more rows than memory holds, use Parquet.

    Args:
        data: a table, record batch, record batch reader or any other object with
            `__arrow_c_stream__` or `__arrow_c_array__`.
        label: what errors and reports call it.

    Raises:
        SourceError: it is no Arrow data, or two columns have one name.
    """

    def __init__(self, data: object, label: str = "Arrow data") -> None:
        self._label = label
        table: pa.Table | None = None
        try:
            if hasattr(data, "__arrow_c_stream__"):
                table = pa.table(data)
            elif hasattr(data, "__arrow_c_array__"):
                table = pa.Table.from_batches([pa.record_batch(data)])
        except (pa.ArrowException, ValueError, TypeError):
            pass  # its text may quote a value; ours below says what was wrong
        if table is None:
            raise SourceError(f"{label}: is not a table, record batch or stream of batches")
        self._table = table
        distinct_names(table.column_names, label)

    @property
    def label(self) -> str:
        """The label given."""
        return self._label

    @property
    def schema(self) -> Schema:
        """As `Source.schema` says."""
        return Schema.from_arrow(self._table.schema)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
        """As `Source.batches` says."""
        names = wanted(self.schema, columns, self._label)
        batches = self._table.select(names).to_batches(max_chunksize=BATCH_ROWS)
        checked = sound((batch for batch in batches if batch.num_rows), self._label)
        return chain.from_iterable(map(slices, checked))

    def place(self, row: int) -> tuple[str, int]:
        """As `Source.place` says."""
        return self._label, row + 1
