"""Which claims were in which case, and how it was concluded: of the ledger, or of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from parties.clues.concluded import INNOCENT, Concluded
from parties.clues.states import OUTCOMES
from parties.errors import SourceError
from parties.models.mapping import opened
from psi.lazily import NamedTuple

CONFIRMED: Final = ("confirmed", "prosecution", "administrative")
"""Outcomes by which a case is confirmed: handed to the prosecutor, or an administrative penalty."""
NOT_CONFIRMED: Final = ("not-confirmed", "withdrawn", INNOCENT)
"""By which it is not: withdrawn, or returned because there is another explanation."""
OPEN: Final = tuple(each for each in OUTCOMES if each not in (*CONFIRMED, *NOT_CONFIRMED))
"""Which say neither; such cases are left out."""
COLUMNS: Final = ("claim", "outcome", "case")
"""Of a file of outcomes; the last may be missing, and each claim is then a case of its own."""


class Case(NamedTuple):
    """A case that was concluded.

    Attributes:
        name: by which cases are told apart; it is not told.
        confirmed: whether it was.
    """

    name: str
    confirmed: bool


class Outcomes(NamedTuple):
    """What was concluded.

    Attributes:
        cases: claim -> its case; of several the first that was confirmed, else the first.
        neither: claims of which the outcome says neither.
        erased: cases of which no claim is known any more.
    """

    cases: Mapping[str, Case]
    neither: frozenset[str]
    erased: int = 0


def of_ledger(concluded: Iterable[Concluded]) -> Outcomes:
    """Returns what the clues of a ledger came to."""
    rows = list(concluded)
    said = ((claim, each.outcome, each.case) for each in rows for claim in each.claims)
    return _gathered(said)._replace(erased=sum(not each.claims for each in rows))


def of_file(path: Path) -> Outcomes:
    """Reads a file of outcomes: CSV, Parquet or Arrow.

    Raises:
        SettingsError: it has no format that can be read.
        SourceError: it is missing or bad, lacks a column, or a cell is no outcome; says in which
            row, and quotes nothing.
    """
    source = opened((path,))
    names = [name for name in COLUMNS if name in source.schema.names]
    for name in COLUMNS[:2]:
        if name not in names:
            raise SourceError(f"{source.label}: has no column {name!r}; it needs claim and outcome")
    rows: list[tuple[str, str, str]] = []
    known = pa.array([*CONFIRMED, *NOT_CONFIRMED, *OPEN], pa.large_string())
    for batch in source.batches(names):
        cells = {
            name: pc.utf8_trim_whitespace(column.cast(pa.large_string())).fill_null("")
            for name, column in zip(names, pa.record_batch(batch).columns, strict=True)
        }
        claims, outcomes = cells["claim"], cells["outcome"]
        for name, good in (
            ("claim", pc.not_equal(claims, "")),
            ("outcome", pc.is_in(outcomes, known)),
        ):
            if (place := pc.index(good, False).as_py()) >= 0:
                hint = (
                    "is empty" if name == "claim" else f"is none of {', '.join(known.to_pylist())}"
                )
                raise SourceError(f"{source.label}, row {len(rows) + place + 1}: {name} {hint}")
        cases = cells.get("case", claims)
        cases = pc.if_else(pc.equal(cases, ""), claims, cases)
        rows += zip(claims.to_pylist(), outcomes.to_pylist(), cases.to_pylist(), strict=True)
    return _gathered(rows)


def _gathered(rows: Iterable[tuple[str, str, str]]) -> Outcomes:
    cases: dict[str, Case] = {}
    neither: set[str] = set()
    for claim, outcome, name in rows:
        if outcome in OPEN:
            neither.add(claim)
            continue
        confirmed = outcome in CONFIRMED
        if claim not in cases or confirmed > cases[claim].confirmed:
            cases[claim] = Case(name, confirmed)
    return Outcomes(cases, frozenset(neither - cases.keys()))
