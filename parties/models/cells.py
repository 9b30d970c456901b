"""How cells of files become those of a joined table: Arrow batches, and SQL terms over them.

Names of columns are ours, and texts from a mapping are quoted, so that no term can be more than a
term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from parties.errors import PartyError
from parties.models.mapping import Taken
from parties.models.tables import DIMENSIONS, RECORD_KINDS, TABLES
from parties.sources import Source
from parties.sources.duck import quoted
from psi import _core

_KNOWN: Final = {("records", "kind"): RECORD_KINDS, ("links", "dimension"): DIMENSIONS[:5]}
"""Columns that hold words of ours."""
_FLIGHT: Final = "flight"
_DAY: Final = "2000-01-01"
"""Any day: a flight is an identifier with its day only; here the day has a column of its own."""
_NOT_LEFT_OUT: Final = ("", "empty")
"""Reasons of the normaliser that are none; warnings keep the identifier."""


class Cells:
    """The cells of one joined table, on their way from a source to DuckDB.

    Args:
        table: of ours.
        picked: our columns, and from what they are filled.
        line: of business; claims of others are left out, if `line` is among the columns. None for
            all.

    Attributes:
        left_out: column -> cells that are no identifier of their kind.
        there: column -> cells that hold something, for columns of which a cell may not fit.
    """

    def __init__(self, table: str, picked: Mapping[str, Taken], line: str | None) -> None:
        self._table, self._picked, self._line = table, picked, line
        self.left_out: Counter[str] = Counter()
        self.there: Counter[str] = Counter()
        self._fault: PartyError | None = None

    @contextmanager
    def read(self, source: Source) -> Iterator[pa.RecordBatchReader]:
        """Gives the rows of a source under the names of ours, identifiers normalised.

        They are read while DuckDB asks for them, so that reading and putting in overlap.

        Raises:
            SourceError: the source is bad; DuckDB's own error would only quote ours.
        """
        try:
            yield pa.RecordBatchReader.from_batches(self._schema(source), self._batches(source))
        except duckdb.Error:
            if self._fault is None:
                raise
        if self._fault is not None:
            raise self._fault

    def _schema(self, source: Source) -> pa.Schema:
        theirs = pa.schema(source.schema)
        types = {
            name: pa.large_string() if taken.kind else theirs.field(taken.column).type
            for name, taken in self._picked.items()
        }
        return pa.schema(list(types.items()))

    def _batches(self, source: Source) -> Iterator[pa.RecordBatch]:
        names = list(dict.fromkeys(taken.column for taken in self._picked.values()))
        schema = self._schema(source)
        try:
            for batch in source.batches(names):
                rows = self._of_line(pa.record_batch(batch))
                columns = [self._cells(rows, name, taken) for name, taken in self._picked.items()]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        except PartyError as error:
            self._fault = error
            raise

    def _of_line(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        taken = self._picked.get("line")
        if taken is None or self._line is None or self._table != "claims":
            return batch
        words = [theirs for theirs, ours in taken.words.items() if ours == self._line]
        if self._line not in taken.words:
            words.append(self._line)
        cells = pc.utf8_trim_whitespace(batch.column(taken.column).cast(pa.large_string()))
        return batch.filter(pc.is_in(cells, pa.array(words, pa.large_string())))

    def _cells(self, batch: pa.RecordBatch, name: str, taken: Taken) -> pa.Array:
        cells = batch.column(taken.column)
        if taken.kind:
            return self._identifiers(cells, name, taken.kind)
        column = TABLES[self._table][name]
        if column.type != "VARCHAR" or (self._table, name) in _KNOWN:
            empty = pc.sum(pc.equal(pc.utf8_trim_whitespace(cells), "")) if texts(cells) else None
            self.there[name] += len(cells) - cells.null_count - ((empty and empty.as_py()) or 0)
        return cells

    def _identifiers(self, cells: pa.Array, name: str, kind: str) -> pa.Array:
        cells = cells.cast(pa.large_string())
        if kind == _FLIGHT:
            day, between = (pa.scalar(text, pa.large_string()) for text in (_DAY, "|"))
            cells = pc.binary_join_element_wise(cells, day, between)
        found, _, counts = _core.normalise(kind, cells)
        self.left_out[name] += sum(
            number
            for reason, number in zip(_core.reasons(), counts, strict=True)
            if reason not in _NOT_LEFT_OUT and not reason.startswith("warning")
        )
        if kind == _FLIGHT:
            return pc.list_element(pc.split_pattern(pa.array(found), "|"), 0)
        return pa.array(found)

    def term(self, name: str) -> str:
        """Returns the SQL of a column."""
        taken, column = self._picked[name], TABLES[self._table][name]
        if taken.kind:
            return quoted(name)
        if column.type != "VARCHAR":
            return f"TRY_CAST({quoted(name)} AS {column.type})"
        said = f"nullif(trim(CAST({quoted(name)} AS VARCHAR)), '')"
        if taken.up_to:
            end = literal(taken.up_to)
            at = f"strpos({said}, {end})"
            said = f"CASE WHEN {at} > 0 THEN left({said}, {at} + length({end}) - 1) ELSE {said} END"
        if taken.words:
            cases = (f"WHEN {literal(old)} THEN {literal(new)}" for old, new in taken.words.items())
            said = f"CASE {said} {' '.join(cases)} ELSE {said} END"
        if known := _KNOWN.get((self._table, name)):
            other = "'other'" if "other" in known else "NULL"
            among = ", ".join(map(literal, known))
            said = f"CASE WHEN {said} IN ({among}) THEN {said} WHEN {said} <> '' THEN {other} END"
        return said


def texts(cells: pa.Array) -> bool:
    """Whether an array holds texts."""
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def literal(value: str) -> str:
    """Returns a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
