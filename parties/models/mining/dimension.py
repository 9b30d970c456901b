"""A dimension: what claims may be told by, as a term of SQL over the joined tables.

The same term counts claims and stands in the draft of a rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from parties.models.mining.bands import Sort
from psi.lazily import NamedTuple


class Dimension(NamedTuple):
    """What claims may be told by.

    Attributes:
        name: of its column and its parameters.
        sort: of its values.
        title: what it is, as the head of a table.
        says: of a claim in a band, where {} is the band.
        by: which of `tables.DIMENSIONS`.
        needs: columns that its SQL reads, as table.column.
        value: SQL of its value, over claims and the join; a span is one of `begin` to `end`.
        reason: as `says`, where {} is a column of the result of a rule; none says what holds.
        shown: name and SQL of that column.
        cuts: where values are cut; none of quantiles, names and flags.
        join: SQL that brings in a table of its own.
        begin, end: SQL of both ends of a span.
    """

    name: str
    sort: Sort
    title: str
    says: str
    by: tuple[str, ...]
    needs: tuple[str, ...]
    value: str
    reason: str
    shown: tuple[str, str] | None = None
    cuts: Sequence[int] = ()
    join: str = ""
    begin: str = ""
    end: str = ""
