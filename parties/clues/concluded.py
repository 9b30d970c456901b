"""What clues came to, as far as cases say so: for those who look what they have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from parties.clues.content import Content
from parties.store import Connection
from psi.lazily import NamedTuple

INNOCENT: Final = "innocent"
"""The code of a return that says there is another explanation."""
_FIND: Final = """
    SELECT c.id, c.head, c.outcome, t.data
    FROM clues c LEFT JOIN clue_contents t ON t.clue = c.id
    WHERE c.state = 'concluded' OR (c.state = 'returned' AND EXISTS (
        SELECT 1 FROM clue_history h
        WHERE h.clue IN (c.id, c.head) AND h.act = 'return' AND h.code = :innocent))
    ORDER BY c.made, c.id"""


class Concluded(NamedTuple):
    """A clue of which it is known what it came to.

    Attributes:
        case: the clue that stands for it and others, or its own id.
        outcome: one of `states.OUTCOMES`, or `INNOCENT` if the police returned it as that.
        claims: numbers; none if what the clue says was erased.
    """

    case: str
    outcome: str
    claims: tuple[str, ...]


def concluded(connection: Connection) -> Iterator[Concluded]:
    """Yields clues that were concluded, or returned as innocent, the oldest first.

    Args:
        connection: that reads.
    """
    for clue, head, outcome, data in connection.execute(_FIND, {"innocent": INNOCENT}).fetchall():
        claims = () if data is None else Content.decode(bytes(data)).claims
        yield Concluded(head or clue, outcome or INNOCENT, claims)
