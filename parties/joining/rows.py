"""The second pass: own rows that name a matched identifier, with the peer's records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from parties.errors import SourceError
from parties.identifiers import IdentifiedSet, Places, reread
from parties.settings import IdentifierSettings
from parties.sources import BATCH_ROWS, Source
from psi import _core
from psi.elements import ArrowArray
from psi.errors import ApiMisuse
from psi.lazily import np, npt, pa

COLUMNS = Schema(
    [
        Field("greenlane_set", DataType.large_string()),
        Field("greenlane_match", DataType.int64()),
        Field("greenlane_column", DataType.large_string()),
        Field("greenlane_own_records", DataType.uint32()),
        Field("greenlane_their_records", DataType.int64()),
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
        positions: uint32, m entries: of the matched elements in the set, ascending.
        matched: the same, to look them up.
        own_records: uint32, m entries: how many own rows name each.
        their_records: int64, m entries: how many records the peer has of each; None if unknown.
        records: the agreed columns of the peer's records, match by match, as many for each as
            `their_records` says; None if no columns were agreed.
    """

    own: IdentifiedSet = field(repr=False)
    positions: Array = field(repr=False)
    matched: _core.Matched = field(repr=False)
    own_records: Array = field(repr=False)
    their_records: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    records: pa.Table | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Returns how many matches there are."""
        return len(self.own_records)

    @classmethod
    def at(
        cls,
        positions: ArrowArray,
        identified: IdentifiedSet,
        their_records: npt.NDArray[np.integer] | None = None,
        records: pa.Table | None = None,
    ) -> Hits:
        """Makes hits of what a protocol returns.

        Args:
            positions: uint32, of the matched elements in the own set, ascending.
            identified: the own set.
            their_records: as the attribute.
            records: as the attribute.

        Raises:
            ApiMisuse: the arguments do not fit each other.
        """
        try:
            matched = _core.Matched(positions, len(identified))
        except ValueError:
            raise ApiMisuse("positions of matches ascend and lie within the set") from None
        at = Array.from_arrow(positions)
        own_records = identified.counts.take(at)
        told = None if their_records is None else their_records.astype(np.int64)
        if told is not None and (told.shape != (len(own_records),) or (told < 0).any()):
            raise ApiMisuse(f"{len(own_records)} matches need as many numbers of records")
        if records is not None and (told is None or told.sum() != records.num_rows):
            raise ApiMisuse(f"{records.num_rows} records are not what their numbers add up to")
        return cls(identified, at, matched, own_records, told, records)

    def joined_rows(self) -> int:
        """How many rows a join has, if every row names each identifier in one way."""
        if self.records is None or self.their_records is None:
            return _core.total(self.own_records)
        own = np.asarray(self.own_records).astype(np.int64)
        return int(own @ np.maximum(self.their_records, 1))

    def offsets(self) -> npt.NDArray[np.int64] | None:
        """Returns m + 1 positions in `records`: match i has those from i up to i + 1."""
        if self.records is None or self.their_records is None:
            return None
        return np.concatenate([[0], np.cumsum(self.their_records)])


def join(source: Source, spec: IdentifierSettings, hits: Hits, peer: str) -> Iterator[RecordBatch]:
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


def joined_schema(source: Source, hits: Hits, peer: str) -> Schema:
    """Returns names and types of the joined columns.

    Raises:
        SourceError: a column of the source has a name that the join adds.
    """
    theirs = [] if hits.records is None else fields(Schema.from_arrow(hits.records.schema))
    check_names(source, peer, [field.name for field in theirs])
    named = [field.with_name(f"{peer}.{field.name}") for field in theirs]
    return Schema([*fields(source.schema), *fields(COLUMNS), *named])


def fields(schema: Schema) -> list[Field]:
    """Returns the fields of a schema."""
    return [schema.field(at) for at in range(len(schema))]


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
    batches: Iterator[tuple[RecordBatch, list[Places]]],
    spec: IdentifierSettings,
    hits: Hits,
    schema: Schema,
) -> Iterator[RecordBatch]:
    offsets = hits.offsets()
    set_name = texts([spec.name])
    labels = texts(["+".join(way) for way in spec.columns])
    for batch, places in batches:
        for rows, ways, matches, records in pieces(hits.matched.find(places), offsets):
            columns = [
                *(cells_at(column, rows) for column in batch.columns),
                repeated(set_name, len(rows)),
                matches,
                cells_at(labels, ways),
                hits.own_records.take(matches),
                their_numbers(hits, matches),
            ]
            if hits.records is not None and records is not None:
                # A record of -1 is none: null in every column of the peer.
                taken = hits.records.take(pa.array(records, pa.int64(), mask=records < 0))
                columns += [Array.from_arrow(column.combine_chunks()) for column in taken.columns]
            yield RecordBatch.from_arrays(columns, schema=as_they_are(schema, columns))
        if not len(hits):
            return


def as_they_are(schema: Schema, columns: Sequence[Array]) -> Schema:
    """Returns a schema with the types of these columns.

    Files of one source may call the inner columns of a column differently, as may what took the
    rows; and what is said never to be null may be.
    """
    named = zip(fields(schema), columns, strict=True)
    return Schema([field.with_type(cells.type).with_nullable(True) for field, cells in named])


def texts(values: Sequence[str]) -> Array:
    """Returns texts as an array."""
    return Array(values, DataType.large_string())


def repeated(one: Array, count: int) -> Array:
    """Returns an array of one cell so many times, at most `BATCH_ROWS`."""
    return one.take(Array.from_buffer(memoryview(bytes(4 * count)).cast("I")))


def cells_at(column: Array, rows: Array) -> Array:
    """Returns the cells of a column at some rows."""
    if DataType.is_large_string(column.type):
        return _core.take_texts(column, rows)
    return Array.from_arrow(pa.array(column).take(pa.array(rows)))


def their_numbers(hits: Hits, matches: Array) -> Array:
    """Returns how many records the peer has of each match, null if that is unknown."""
    if hits.their_records is None:
        return repeated(Array([None], DataType.int64()), len(matches))
    return Array.from_numpy(hits.their_records[np.asarray(matches)])


def pieces(
    found: tuple[Array, Array, Array], offsets: npt.NDArray[np.int64] | None
) -> Iterator[tuple[Array, Array, Array, npt.NDArray[np.int64] | None]]:
    """Yields the rows of a join, at most `BATCH_ROWS` at a time and at least once.

    Args:
        found: row, way and match of each hit in a batch.
        offsets: of the records of each match; None if there are none.

    Yields:
        row, way and match of each joined row, and the position of its record, -1 for none; None if
        there are no offsets.
    """
    if offsets is None:
        hits = len(found[0])
        for low in range(0, max(1, hits), BATCH_ROWS):
            rows, ways, matches = (each.slice(low, min(BATCH_ROWS, hits - low)) for each in found)
            yield rows, ways, matches, None
        return
    every = [np.asarray(each) for each in found]
    for pick, record in pairs(every[2], offsets):
        rows, ways, matches = (Array.from_numpy(each[pick]) for each in every)
        yield rows, ways, matches, record


def pairs(
    matches: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yields which hit goes with which record, at most `BATCH_ROWS` pairs at a time.

    The pairs of hit h are numbered one after the other from starts[h]; a piece of that numbering is
    turned back into hits by bisection, so the product of heavy hitters is never laid out.

    Args:
        matches: n matches.
        offsets: of the records of each match.

    Yields:
        positions in `matches`, and positions of records, -1 for none; at least once.
    """
    first, counts = offsets[matches], offsets[matches + 1] - offsets[matches]
    ends = np.cumsum(np.maximum(counts, 1))
    starts = ends - np.maximum(counts, 1)
    total = int(ends[-1]) if ends.size else 0
    for low in range(0, max(1, total), BATCH_ROWS):
        pair = np.arange(low, min(low + BATCH_ROWS, total))
        hit = np.searchsorted(ends, pair, side="right")
        record = np.where(counts[hit] > 0, first[hit] + pair - starts[hit], -1)
        yield hit, record
