"""Delimited text: CSV as RFC 4180 says, in UTF-8 or GB18030, with any delimiter and line end.

Every cell is text, as it stands: numbers with leading zeros and of eighteen digits survive. An
empty cell, quoted or not, is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from arro3.core import DataType, Field, RecordBatch, Schema

from parties.errors import SourceError
from parties.sources.delimited_rows import first_fault, header
from parties.sources.delimited_text import MARKS, columns_of_rows, looks_like_utf8
from parties.sources.files import Files
from parties.sources.source import distinct_names, wanted


class DelimitedSource:
    """Rows of delimited text files that have one header.

    Args:
        paths: in the order in which they are read.
        encoding: "utf-8" or "gb18030", with or without a byte-order mark. Python's table of
            GB18030-2000 decodes it.
        delimiter: one ASCII character other than a quote and a line end.

    Raises:
        SourceError: a file is missing, empty, or without a good header, or its header differs
            from that of the first.
    """

    def __init__(self, paths: Sequence[Path], encoding: str, delimiter: str) -> None:
        if encoding not in MARKS:
            raise SourceError(f"no encoding {encoding!r} is read; use {' or '.join(MARKS)}")
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            raise SourceError("a delimiter is one ASCII character, no quote and no line end")
        self._encoding, self._delimiter = encoding, delimiter
        self._files = Files(paths)
        headers = [(self._header(path, label), label) for path, label in self._files]
        self._names, first = headers[0]
        for names, label in headers[1:]:
            if names != self._names:
                raise SourceError(f"{label}: its columns are not those of {first}, in that order")

    @property
    def label(self) -> str:
        """As `Source.label` says."""
        return self._files.label

    @property
    def schema(self) -> Schema:
        """As `Source.schema` says: every column is large_string."""
        return Schema([Field(name, DataType.large_string()) for name in self._names])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
        """As `Source.batches` says."""
        names = wanted(self.schema, columns, self.label)
        return self._files.walk(lambda path, label: self._read(path, label, names))

    def place(self, row: int) -> tuple[str, int]:
        """As `Source.place` says."""
        return self._files.place(row)

    def _header(self, path: Path, label: str) -> list[str]:
        try:
            with path.open("rb") as file:
                start = file.read(4)  # the longest mark
            for encoding, mark in MARKS.items():
                if encoding != self._encoding and start.startswith(mark):
                    raise SourceError(
                        f"{label}: begins with the mark of {encoding}; set encoding to {encoding}"
                    )
            if self._encoding == "gb18030" and looks_like_utf8(path):
                raise SourceError(f"{label}: is UTF-8 and not GB18030; set encoding to utf-8")
            names = header(path, label, self._encoding, self._delimiter)
        except OSError as fault:
            raise SourceError(f"{label}: cannot be read: {fault.strerror}") from None
        distinct_names(names, label)
        return names

    def _read(self, path: Path, label: str, names: list[str]) -> Iterator[RecordBatch]:
        positions = [self._names.index(name) for name in names]
        form = (self._encoding, self._delimiter, len(self._names))
        try:
            for columns in columns_of_rows(path, *form, positions):
                yield RecordBatch.from_arrays(columns, names=names)
            return
        except OSError as fault:
            problem = fault.strerror
        except ValueError:
            problem = ""  # where it is takes another look; raised outside of the handler
        if problem:
            raise SourceError(f"{label}: cannot be read: {problem}")
        raise first_fault(path, label, self._encoding, self._delimiter, len(self._names))
