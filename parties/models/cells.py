"""How a cell of a file becomes one of a joined table: SQL terms over a batch, and normalised texts.

Names of columns are ours, and texts from a mapping are quoted, so that no term can be more than a
term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import pyarrow as pa
from arro3.core import RecordBatch

from parties.models.mapping import Taken
from parties.models.shape import quoted
from parties.models.tables import DIMENSIONS, RECORD_KINDS, TABLES
from psi import _core

_KNOWN: Final = {("records", "kind"): RECORD_KINDS, ("links", "dimension"): DIMENSIONS[:5]}
"""Columns that hold words of ours."""
_NOT_LEFT_OUT: Final = ("", "empty")
"""Reasons of the normaliser that are none; warnings keep the identifier."""


def normalised(batch: RecordBatch, picked: Mapping[str, Taken], left_out: Counter[str]) -> pa.Table:
    """Returns the columns of a batch under the names of ours, with identifiers normalised.

    Args:
        batch: of the source.
        picked: our columns.
        left_out: counts the cells that are no such identifier.
    """
    columns: dict[str, pa.Array] = {}
    for name, taken in picked.items():
        cells = pa.array(batch.column(taken.column))
        if taken.kind:
            cells, _, counts = _core.normalise(taken.kind, cells.cast(pa.large_string()))
            left_out[name] += sum(
                number
                for reason, number in zip(_core.reasons(), counts, strict=True)
                if reason not in _NOT_LEFT_OUT and not reason.startswith("warning")
            )
        columns[name] = pa.array(cells)
    return pa.table(columns)


def term(table: str, name: str, taken: Taken, texts: Collection[str]) -> str:
    """Returns the SQL of a cell.

    Args:
        table: of ours.
        name: of the column.
        taken: from what it is filled.
        texts: columns that hold texts in the batch; others have types of their own.
    """
    column = TABLES[table][name]
    said = text(name) if name in texts else quoted(name)
    if column.type != "VARCHAR":
        return f"TRY_CAST({said} AS {column.type})"
    said = text(name)
    if taken.up_to:
        end = literal(taken.up_to)
        at = f"strpos({said}, {end})"
        said = f"CASE WHEN {at} > 0 THEN left({said}, {at} + length({end}) - 1) ELSE {said} END"
    if taken.words:
        cases = (f"WHEN {literal(old)} THEN {literal(new)}" for old, new in taken.words.items())
        said = f"CASE {said} {' '.join(cases)} ELSE {said} END"
    known = _KNOWN.get((table, name))
    if known:
        other = "'other'" if "other" in known else "NULL"
        among = ", ".join(map(literal, known))
        said = f"CASE WHEN {said} IN ({among}) THEN {said} WHEN {said} <> '' THEN {other} END"
    return said


def checked_columns(
    table: str, picked: Mapping[str, Taken], texts: Collection[str]
) -> dict[str, str]:
    """Returns, for columns of which a cell may not fit, the SQL that says whether it holds one."""
    typed = {name for name in picked if TABLES[table][name].type != "VARCHAR"}
    typed |= {name for name in picked if (table, name) in _KNOWN}
    return {name: text(name) if name in texts else quoted(name) for name in sorted(typed)}


def text(name: str) -> str:
    """Returns the SQL of a cell as a text without space around it; null if it is empty."""
    return f"nullif(trim(CAST({quoted(name)} AS VARCHAR)), '')"


def literal(value: str) -> str:
    """Returns a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
