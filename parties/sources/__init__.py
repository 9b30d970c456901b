"""Room 1: files, tables and databases to Arrow record batches.

A `Source` can be read several times and gives the same rows in the same order each time: the first
pass makes identifiers of it, a later pass joins. It never sits in memory, and a change of it
between two passes is noticed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from parties.settings import SourceSettings
from parties.sources.arrow import ArrowSource
from parties.sources.delimited import DelimitedSource
from parties.sources.source import BATCH_ROWS, Source

__all__ = [
    "BATCH_ROWS",
    "ArrowSource",
    "DelimitedSource",
    "Source",
    "open_beside",
    "open_source",
]


def open_beside(settings: SourceSettings, path: Path) -> Source:
    """Opens a file with rows of the source that is not the source: CSV as that is, else Parquet.

    Raises:
        SourceError: as `open_source`.
    """
    kind: Literal["csv", "parquet"] = "csv" if settings.format == "csv" else "parquet"
    return open_source(settings._replace(format=kind, paths=(path,)))


def open_source(settings: SourceSettings) -> Source:
    """Opens what the settings name and looks at its header; reads no data row yet.

    DuckDB and Arrow's Parquet are imported where they are needed: a node that reads CSV would wait
    a tenth of a second for them each time it starts.

    Raises:
        SourceError: something is missing, unreadable, empty, or not of the format named.
    """
    match settings.format:
        case "csv":
            return DelimitedSource(settings.paths, settings.encoding, settings.delimiter)
        case "parquet":
            from parties.sources.parquet import ParquetSource

            return ParquetSource(settings.paths)
        case "duckdb":
            from parties.sources.duck import DuckSource

            return DuckSource(settings.paths, settings.table, settings.query)
