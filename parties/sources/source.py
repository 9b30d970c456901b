"""What every source is and does: its names, its batches, the place of a row."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Protocol

from arro3.core import RecordBatch, Schema

from parties.errors import SourceError
from psi.lazily import pa

BATCH_ROWS = 1 << 16
"""Most rows of a batch. A batch passes through some 30 calls of about 30 us each, 1 ms in all, and
its normalising and hashing take about 1 us a row: at 65,536 rows the calls cost 1-2 %, and a batch
of thirty columns of 20 bytes is 40 MB, so that a few of them in flight fit anywhere."""


class Source(Protocol):
    """Rows that can be read again and again."""

    @property
    def label(self) -> str:
        """What errors and reports call it: a file's name without its folder."""
        ...

    @property
    def schema(self) -> Schema:
        """Names and types of all columns; no name occurs twice."""
        ...

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
        """Yields all rows, at most `BATCH_ROWS` at a time, in the same order in every pass.

        Args:
            columns: names in the order in which they are wanted; None for all.

        Raises:
            SourceError: a column is missing (at the call), a row is bad, or the source is not
                what it was when it was opened (while rows are read).
        """
        ...

    def place(self, row: int) -> tuple[str, int]:
        """Returns the file in which a row stands and its number there, counted from 1.

        Args:
            row: position in the whole source, counted from 0, among the rows read so far. A
                header and blank lines are no rows; a cell with line ends in it is one row still.
        """
        ...


def wanted(schema: Schema, columns: Sequence[str] | None, label: str) -> list[str]:
    """Returns the names of the columns to read.

    Raises:
        SourceError: a column is not there. Only names close to the one asked for are shown: where
            the header is missing, the first row stands in its place and must not be printed.
    """
    if columns is None:
        return list(schema.names)
    if not columns or len(set(columns)) < len(columns):
        raise ValueError("a projection names at least one column, and each once")
    for name in columns:
        if name not in schema.names:
            near = difflib.get_close_matches(name, schema.names)
            hint = f"the nearest are {', '.join(map(repr, near))}" if near else "none is near it"
            if len(schema) == 1:
                hint += "; is the delimiter right?"
            raise SourceError(f"{label}: there is no column {name!r} among {len(schema)}; {hint}")
    return list(columns)


def distinct_names(names: Sequence[str], label: str) -> None:
    """Refuses columns without a name of their own, named by position for the reason in `wanted`.

    Raises:
        SourceError: a name is empty or occurs twice.
    """
    first: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise SourceError(f"{label}: column {position} of {len(names)} has no name")
        if name in first:
            raise SourceError(
                f"{label}: columns {first[name]} and {position} have the same name; rename one"
            )
        first[name] = position


def sound(batches: Iterator[pa.RecordBatch], label: str) -> Iterator[RecordBatch]:
    """Passes batches on, each looked through: Arrow takes over bytes that are no UTF-8 as texts.

    What is said never to be null may be, here as elsewhere.

    Raises:
        SourceError: a batch is not what its types say.
    """
    rows = 0
    for batch in batches:
        try:
            batch.validate(full=True)
            fields = pa.schema([field.with_nullable(True) for field in batch.schema])
            columns = pa.RecordBatch.from_arrays(batch.columns, schema=fields)
            checked = RecordBatch.from_arrow(columns)
        except (pa.ArrowException, ValueError):
            break  # raised below, outside of the handler: Arrow's text may quote a value
        yield checked
        rows += batch.num_rows
    else:
        return
    raise SourceError(
        f"{label}: holds a text that is not UTF-8, or something else that its types do not allow, "
        f"after row {rows} (the first row is 1); write the file again"
    )


def slices(batch: RecordBatch) -> Iterator[RecordBatch]:
    """Yields a batch in pieces of at most `BATCH_ROWS`, and nothing of an empty one."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(start, min(BATCH_ROWS, batch.num_rows - start))
