"""Adds the keys of a window to the rows of a file, for a node to match by.

The file that is written is the node's source then: it has all columns that it had, and the keys as
texts, which go into a composite set beside a plate or a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from arro3.core import RecordBatch

from parties.errors import SourceError
from parties.models.windows import Window
from parties.sources import Source
from parties.sources.source import wanted
from psi.lazily import NamedTuple

Side: TypeAlias = Literal["claims", "records"]
PREFIX: Final = "window_"
"""Of the columns that are added; a number follows."""


class Windowed(NamedTuple):
    """Rows with the keys of a window.

    Attributes:
        source: of the rows.
        column: with the time of each.
        window: whose keys are added.
        side: whether the rows are claims or records.
        ended: column with the time at which each record ended, where it has.
    """

    source: Source
    column: str
    window: Window
    side: Side
    ended: str | None = None

    def names(self) -> list[str]:
        """Returns the columns that are added.

        Raises:
            SourceError: the source has one of this name.
        """
        none = pa.array([], pa.timestamp("us"))
        names = [f"{PREFIX}{at}" for at in range(len(self._keys(none, None)))]
        if taken := [name for name in names if name in self.source.schema.names]:
            raise SourceError(
                f"{self.source.label}: there is a column {taken[0]!r} already; rename it there"
            )
        return names

    def batches(self) -> Iterator[RecordBatch]:
        """Yields all rows with the columns that are added.

        Raises:
            SourceError: there is no such column, or a row is bad, or holds no time.
        """
        names, rows = self.names(), 0
        times = [self.column] if self.ended is None else [self.column, self.ended]
        wanted(self.source.schema, list(dict.fromkeys(times)), self.source.label)
        empty = True
        for batch in self.source.batches():
            yield self._extended(pa.record_batch(batch), names, rows)
            rows, empty = rows + batch.num_rows, False
        if empty:
            schema = pa.schema(self.source.schema)
            yield self._extended(schema.empty_table().to_batches()[0], names, 0)

    def _extended(self, batch: pa.RecordBatch, names: list[str], before: int) -> RecordBatch:
        ended = None if self.ended is None else self._times(batch, self.ended, before)
        keys = self._keys(self._times(batch, self.column, before), ended)
        columns = [*batch.columns, *keys]
        whole = pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names, *names])
        return RecordBatch.from_arrow(whole)

    def _keys(self, times: pa.Array, ended: pa.Array | None) -> list[pa.Array]:
        if self.side == "claims":
            return self.window.of_claims(times)
        return self.window.of_records(times, ended)

    def _times(self, batch: pa.RecordBatch, column: str, before: int) -> pa.Array:
        cells = batch.column(column)
        try:
            if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
                cells = pc.utf8_trim_whitespace(cells)
                cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
            elif not pa.types.is_timestamp(cells.type) or cells.type.tz is not None:
                raise pa.ArrowInvalid  # a day or a number is no time, and a zone is not agreed
            return pc.cast(cells, pa.timestamp("us"))
        except (pa.ArrowException, ValueError):
            pass  # raised below, outside of the handler: Arrow's text quotes the cell
        raise SourceError(
            f"{self.source.label}, column {column!r}: holds something else than a local time "
            f"like 2026-11-30 07:00:00, in rows {before + 1:,} to {before + len(cells):,}"
        )
