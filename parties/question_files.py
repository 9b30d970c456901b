"""Files of identifiers to inquire: CSV in UTF-8, one column for each set, named as it is."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from parties.errors import SourceError


def read_questions(path: Path, sets: Collection[str]) -> dict[str, list[str]]:
    """Returns the cells of each column that are not empty, in their order.

    Args:
        path: of the file.
        sets: names that a column may have. Other names are not repeated: where the header is
            missing, the first row stands in its place.

    Raises:
        SourceError: the file cannot be read, is not UTF-8, has no header, or a row has another
            length.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            if not header or not all(header) or len(set(header)) < len(header):
                raise SourceError(f"{path}: the first row must name a set for each column, once")
            if not set(header) <= set(sets):
                raise SourceError(
                    f"{path}: the first row names a column as no set is; sets are {', '.join(sets)}"
                )
            asked: dict[str, list[str]] = {name: [] for name in header}
            for row in rows:
                if row and len(row) != len(header):
                    raise SourceError(
                        f"{path}, line {rows.line_num}: {len(row)} cells, the header has "
                        f"{len(header)}"
                    )
                for name, cell in zip(header, row, strict=False):
                    if cell.strip():
                        asked[name].append(cell)
    except OSError as fault:
        raise SourceError(f"{path}: cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: is not UTF-8 text") from None
    except csv.Error as fault:
        raise SourceError(f"{path}, line {rows.line_num}: {fault}") from None
    return asked
