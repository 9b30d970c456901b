"""A pack of rules as a value, and the digest by which a ticket names it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from parties import canonical
from parties.models.units import Value, typed
from psi.lazily import NamedTuple


class Parameter(NamedTuple):
    """A number of a rule that its operator may set.

    Attributes:
        unit: one of `units.UNITS`.
        default: what it is if nobody sets it.
        least, most: between which it may be set, both included.
        meaning: what it bounds, in words.
        source: what gives the default; empty if no source does, so that it is the operator's to
            set.
    """

    unit: str
    default: int
    least: int
    most: int
    meaning: str
    source: str


class Rule(NamedTuple):
    """A rule: what it looks for, and how it says what it found.

    Attributes:
        name: within its pack.
        version: goes up with each change; 0 of a draft, which nobody has accepted.
        title: what it looks for, in one line.
        dimensions: what it ties claims together by.
        needs: columns that its SQL reads, as table.column.
        subject: column of the result -> dimension: what the lead is about.
        sql: one SELECT. Its result has a row for each lead, and the columns `claims` (numbers),
            `amount`, those of the subject, maybe `records`, and others for the reason.
        reason: why, in words, with {columns} of the result and {parameters}.
        innocent: what would make it innocent.
        source: what was published.
        parameters: by name, as in the SQL after a $.
    """

    name: str
    version: int
    title: str
    dimensions: tuple[str, ...]
    needs: tuple[str, ...]
    subject: Mapping[str, str]
    sql: str
    reason: str
    innocent: str
    source: str
    parameters: Mapping[str, Parameter]

    def numbers(self, changed: Mapping[str, int]) -> dict[str, int]:
        """What each parameter is.

        Args:
            changed: those that are not at their default.
        """
        return {name: changed.get(name, each.default) for name, each in self.parameters.items()}

    def values(self, changed: Mapping[str, int]) -> dict[str, Value]:
        """The parameters as DuckDB gets them.

        Args:
            changed: those that are not at their default.
        """
        numbers = self.numbers(changed)
        return {name: typed(numbers[name], each.unit) for name, each in self.parameters.items()}

    @property
    def entries(self) -> dict[str, Any]:
        """All that it says, with parameters as entries too, as its digest and its file have it."""
        parameters = {name: each._asdict() for name, each in self.parameters.items()}
        return self._asdict() | {"parameters": parameters}


class Pack(NamedTuple):
    """A pack of rules for one line of business.

    Attributes:
        name: of the pack.
        version: goes up with each change; 0 of a pack in which drafts may stand.
        line: one of `tables.LINES`.
        title: what it is, in one line.
        columns: table -> column -> (type, unit), which its rules need.
        rules: in order of names.
    """

    name: str
    version: int
    line: str
    title: str
    columns: Mapping[str, Mapping[str, tuple[str, str]]]
    rules: tuple[Rule, ...]

    @property
    def drafts(self) -> list[str]:
        """Names of its rules that nobody has accepted."""
        return [rule.name for rule in self.rules if rule.version == DRAFT]

    @property
    def digest(self) -> str:
        """SHA-256 of all that the pack says, hexadecimal; it changes if anything does."""
        return hashlib.sha256(canonical.encode(self._told())).hexdigest()

    def _told(self) -> dict[str, Any]:
        rules = [rule.entries for rule in self.rules]
        return self._asdict() | {"format": FORM, "rules": rules}


FORM = 1
"""Of a pack; a part of its digest."""
DRAFT: Final = 0
"""The version of a rule that nobody has accepted. It may be tried; a lead of it becomes no clue."""
TO_WRITE: Final = "To be written by whoever accepts this rule."
"""What stands in a draft for what would make it innocent; no other rule may say so."""
