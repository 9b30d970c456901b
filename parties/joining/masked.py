"""A list of matches with masked identifiers: enough to decide about detail, and no more.

    greenlane_set  greenlane_match  greenlane_identifier  greenlane_own_records

One row for each match, with the identifier as it stands in the first own row that names it, masked.
"""

from __future__ import annotations

from collections.abc import Iterator

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from parties.identifiers import columns_of, reread
from parties.joining.rows import Hits
from parties.settings import IdentifierSettings
from parties.sources import Source
from psi.lazily import np

COLUMNS = Schema(
    [
        Field("greenlane_set", DataType.large_string()),
        Field("greenlane_match", DataType.int64()),
        Field("greenlane_identifier", DataType.large_string()),
        Field("greenlane_own_records", DataType.uint32()),
    ]
)
"""Name of the identifier set; number of the hit within it, from 0; the masked identifier, its parts
joined by "+"; how many own rows name it."""


def mask(text: str) -> str:
    """Hides the middle of an identifier: at least half of its characters, all but of one of two.

    A quarter is left in front, where plates and numbers of persons say the region, and a sixth at
    the end, by which people tell two of them apart. It hides from whoever reads over a shoulder,
    and not from whoever has the rows.
    """
    front, back = (len(text) + 1) // 4, len(text) // 6
    return text[:front] + "*" * (len(text) - front - back) + text[len(text) - back :]


def masked(source: Source, spec: IdentifierSettings, hits: Hits) -> Iterator[RecordBatch]:
    """Yields the matches of a set, masked; at least one batch.

    Args:
        source: the rows, as they were when the set was made.
        spec: of the set.
        hits: what was matched.

    Raises:
        SourceError: a row is bad, or the source changed.
    """
    seen = np.zeros(len(hits), dtype=bool)
    own_records = np.asarray(hits.own_records)
    for batch, places in reread(source, spec, hits.own, columns_of(spec)):
        rows, ways, matches = (np.asarray(each) for each in hits.matched.find(places))
        _, first = np.unique(matches, return_index=True)
        first = np.sort(first[~seen[matches[first]]])
        seen[matches[first]] = True
        cells = {name: batch.column(name) for name in columns_of(spec)}
        texts = [
            "+".join(mask(_text(cells[name], row)) for name in spec.columns[way])
            for row, way in zip(rows[first].tolist(), ways[first].tolist(), strict=True)
        ]
        columns = [
            Array([spec.name] * len(first), DataType.large_string()),
            Array.from_numpy(matches[first].astype(np.int64)),
            Array(texts, DataType.large_string()),
            Array.from_numpy(own_records[matches[first]]),
        ]
        yield RecordBatch.from_arrays(columns, schema=COLUMNS)
        if seen.all():
            return


def _text(column: Array, row: int) -> str:
    return str(column[row].as_py())
