"""The second pass: own rows that name a matched identifier, with the peer's records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parties.errors import SourceError
from parties.identifiers import IdentifiedSet, Places, reread
from parties.settings import IdentifierSettings
from parties.sources import BATCH_ROWS, Source
from psi import _core
from psi.errors import ApiMisuse

Positions = npt.NDArray[np.int64]
Rows = npt.NDArray[np.uint32]

COLUMNS = pa.schema(
    [
        ("greenlane_set", pa.large_string()),
        ("greenlane_match", pa.int64()),
        ("greenlane_column", pa.large_string()),
        ("greenlane_own_records", pa.uint32()),
        ("greenlane_their_records", pa.int64()),
    ]
)
"""The columns that a join adds: name of the identifier set; number of the hit within the set, from
0; the columns of the row that gave the identifier, joined by "+"; how many own rows name it; how
many records the peer has of it, null if it did not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What a run learnt for one identifier set: m matches, and the peer's records for them.

    Attributes:
        own: the set.
        positions: int64, m entries: of the matched elements in the set, ascending.
        own_records: uint32, m entries: how many own rows name each.
        their_records: int64, m entries: how many records the peer has of each; None if unknown.
        records: the agreed columns of the peer's records, match by match, as many for each as
            `their_records` says; None if no columns were agreed.
    """

    own: IdentifiedSet = field(repr=False)
    positions: Positions = field(repr=False)
    own_records: npt.NDArray[np.uint32] = field(repr=False)
    their_records: Positions | None = field(default=None, repr=False)
    records: pa.Table | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Returns how many matches there are."""
        return self.positions.size

    @classmethod
    def at(
        cls,
        positions: npt.NDArray[np.integer],
        identified: IdentifiedSet,
        their_records: npt.NDArray[np.integer] | None = None,
        records: pa.Table | None = None,
    ) -> Hits:
        """Makes hits of what a protocol returns.

        Args:
            positions: of the matched elements in the own set, ascending.
            identified: the own set.
            their_records: as the attribute.
            records: as the attribute.

        Raises:
            ApiMisuse: the arguments do not fit each other.
        """
        at = positions.astype(np.int64)
        if at.size and (at[0] < 0 or at[-1] >= len(identified) or (np.diff(at) <= 0).any()):
            raise ApiMisuse("positions of matches ascend and lie within the set")
        told = None if their_records is None else their_records.astype(np.int64)
        if told is not None and (told.shape != at.shape or (told < 0).any()):
            raise ApiMisuse(f"{at.size} matches need as many numbers of records")
        if records is not None and (told is None or told.sum() != records.num_rows):
            raise ApiMisuse(f"{records.num_rows} records are not what their numbers add up to")
        return cls(identified, at, np.asarray(identified.counts)[at], told, records)

    def joined_rows(self) -> int:
        """How many rows a join has, if every row names each identifier in one way."""
        if self.records is None or self.their_records is None:
            return int(self.own_records.sum(dtype=np.int64))
        return int(self.own_records.astype(np.int64) @ np.maximum(self.their_records, 1))

    def offsets(self) -> Positions | None:
        """Returns m + 1 positions in `records`: match i has those from i up to i + 1."""
        if self.records is None or self.their_records is None:
            return None
        return np.concatenate([[0], np.cumsum(self.their_records)])


def join(
    source: Source, spec: IdentifierSettings, hits: Hits, peer: str
) -> Iterator[pa.RecordBatch]:
    """Yields the own rows that name a matched identifier, joined with the peer's records.

    A row comes once for each identifier that it names and that was matched, and each record of
    the peer on it; once for the identifier if the peer discloses no columns, or has no record to
    it. Rows keep the order of the source. At least one batch is yielded, maybe without
    rows, so that a result always has its columns.

    Args:
        source: the rows, as they were when the set was made.
        spec: of the set.
        hits: what was matched.
        peer: its name, before the names of its columns.

    Raises:
        SourceError: a row is bad, the source changed, or one of its columns has a name that
            the join adds.
    """
    schema = joined_schema(source, hits, peer)
    batches = reread(source, spec, hits.own)
    return _join(batches, spec, hits, schema)


def joined_schema(source: Source, hits: Hits, peer: str) -> pa.Schema:
    """Returns names and types of the joined columns.

    Raises:
        SourceError: a column of the source has a name that the join adds.
    """
    theirs = [] if hits.records is None else list(hits.records.schema)
    check_names(source, peer, [field.name for field in theirs])
    added = [*COLUMNS, *(field.with_name(f"{peer}.{field.name}") for field in theirs)]
    return pa.schema([*source.schema, *added])


def check_names(source: Source, peer: str, columns: Sequence[str]) -> None:
    """Checks, before anything is said about a set, that a join will have room for its columns.

    Args:
        source: own rows.
        peer: its name.
        columns: those that it discloses.

    Raises:
        SourceError: a column of the source has a name that the join adds.
    """
    for name in [*COLUMNS.names, *(f"{peer}.{column}" for column in columns)]:
        if name in source.schema.names:
            raise SourceError(
                f"{source.label}: the join adds a column {name!r}; rename that in the file"
            )


def _join(
    batches: Iterator[tuple[pa.RecordBatch, list[Places]]],
    spec: IdentifierSettings,
    hits: Hits,
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    yield pa.RecordBatch.from_pylist([], schema=schema)
    if not len(hits):
        return
    offsets = hits.offsets()
    labels = ["+".join(way) for way in spec.columns]
    matched = _core.Matched(as_arrow(hits.positions), len(hits.own))
    for batch, places in batches:
        found = matched.find([as_arrow(way) for way in places])
        rows, ways, matches = (np.asarray(each) for each in found)
        for pick, record in pairs(matches, offsets):
            match = matches[pick]
            columns = [
                *(cells_at(column, rows[pick]) for column in batch.columns),
                pa.repeat(pa.scalar(spec.name, pa.large_string()), match.size),
                as_arrow(match),
                label_column(labels, ways[pick]),
                as_arrow(hits.own_records[match]),
                pa.nulls(match.size, pa.int64())
                if hits.their_records is None
                else as_arrow(hits.their_records[match]),
            ]
            if hits.records is not None:
                # A record of -1 is none: null in every column of the peer.
                taken = hits.records.take(pa.array(record, pa.int64(), mask=record < 0))
                columns += [column.combine_chunks() for column in taken.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def cells_at(column: pa.Array, rows: Rows) -> pa.Array:
    """Returns the cells of a column at some rows."""
    if column.type == pa.large_string():
        return _core.take_texts(column, as_arrow(rows))
    return column.take(as_arrow(rows))  # imports what takes some 50 ms, for other types alone


def label_column(labels: Sequence[str], ways: Rows) -> pa.LargeStringArray:
    """Returns the label of each way."""
    if len(labels) == 1:
        return pa.repeat(pa.scalar(labels[0], pa.large_string()), ways.size)
    return cells_at(pa.array(labels, pa.large_string()), ways)


def as_arrow(numbers: npt.NDArray[np.integer]) -> pa.Array:
    """Returns the same numbers, not copied. `pa.array` would import 20 ms of numpy for it."""
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, numbers.size, [None, pa.py_buffer(numbers)])


def pairs(
    matches: Positions, offsets: Positions | None
) -> Iterator[tuple[Positions | slice, Positions]]:
    """Yields which hit goes with which record, at most `BATCH_ROWS` pairs at a time.

    The pairs of hit h are numbered one after the other from starts[h]; a piece of that numbering is
    turned back into hits by bisection, so the product of heavy hitters is never laid out.

    Args:
        matches: n matches.
        offsets: of the records of each match; None if there are none.

    Yields:
        positions in `matches`, and positions of records, -1 for none; no positions of records if
        there are no offsets.
    """
    if offsets is None:
        none = np.empty(0, dtype=np.int64)
        for low in range(0, matches.size, BATCH_ROWS):
            yield slice(low, low + BATCH_ROWS), none
        return
    first, counts = offsets[matches], offsets[matches + 1] - offsets[matches]
    ends = np.cumsum(np.maximum(counts, 1))
    starts = ends - np.maximum(counts, 1)
    total = int(ends[-1]) if ends.size else 0
    for low in range(0, total, BATCH_ROWS):
        pair = np.arange(low, min(low + BATCH_ROWS, total))
        hit = np.searchsorted(ends, pair, side="right")
        record = np.where(counts[hit] > 0, first[hit] + pair - starts[hit], -1)
        yield hit, record
