"""Another pass over the rows of a set: which element each of them names is known from the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from arro3.core import RecordBatch

from parties.errors import SourceError
from parties.identifiers.sets import IdentifiedSet, Places, elements_of, named
from parties.settings import IdentifierSettings
from parties.sources import Source

LOOKS = 4
"""Rows at each end of a batch that are looked at again. A source gives its rows in one order; if it
does not, these are others. All rows would take as long as the first pass."""


def reread(
    source: Source,
    spec: IdentifierSettings,
    own: IdentifiedSet,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[RecordBatch, list[Places]]]:
    """Yields the batches of a source once more, with the places of their rows.

    Args:
        source: the rows, as they were when the set was made.
        spec: of the set.
        own: the set.
        columns: names of those that are wanted, those of the set among them; None for all.

    Yields:
        a batch, and for each way the places of its rows, as in `IdentifiedSet.places`.

    Raises:
        SourceError: a row is bad, or the source does not give the rows that it gave.
    """
    return _reread(source.batches(columns), source.label, spec, own)


def _reread(
    batches: Iterator[RecordBatch], label: str, spec: IdentifierSettings, own: IdentifiedSet
) -> Iterator[tuple[RecordBatch, list[Places]]]:
    start = 0
    for batch in batches:
        end = start + batch.num_rows
        if end > own.rows:
            break
        places = [way.slice(start, batch.num_rows) for way in own.places]
        if not _are_the_same(batch, places, spec, own):
            break
        yield batch, places
        start = end
    else:
        if start == own.rows:
            return
    raise SourceError(
        f"{label}: gives other rows than in the first pass; if it is a query, it must give the "
        "same rows in the same order each time"
    )


def _are_the_same(
    batch: RecordBatch, places: Sequence[Places], spec: IdentifierSettings, own: IdentifiedSet
) -> bool:
    """Whether the first and the last rows of a batch name what stands at their places."""
    looks = min(LOOKS, batch.num_rows)
    for start in {0, batch.num_rows - looks}:
        expected = [named(own.elements, way.slice(start, looks)) for way in places]
        if elements_of(batch.slice(start, looks), spec) != expected:
            return False
    return True
