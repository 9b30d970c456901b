"""Erasing what clues say of persons and things, when the time of their ticket is over.

Numbers, states and the history stay: they name nobody but operators, and the report is made of
them. What was not sent yet is not sent any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from parties import audit
from parties.clues.clue import Clue, of_ticket
from parties.clues.history import Who, note
from parties.store import Connection, Values, microseconds

BY_TIME: Final = Who(role="retention")
"""Nobody: the time is over."""
_CONTENT: Final = "DELETE FROM clue_contents WHERE clue = :clue"
_TEXTS: Final = "DELETE FROM clue_texts WHERE clue = :clue"
_LETTERS: Final = """
    UPDATE clue_letters SET sent = :at, data = :none, code = 'erased'
    WHERE clue = :clue AND sent = 0 AND kind IN ('clue', 'return')"""

_DUE: Final = """
    SELECT DISTINCT clues.ticket FROM clues JOIN ticket_ends ON ticket_ends.ticket = clues.ticket
    WHERE ticket_ends.at < :before
      AND (EXISTS (SELECT 1 FROM clue_contents WHERE clue_contents.clue = clues.id)
           OR EXISTS (SELECT 1 FROM clue_texts WHERE clue_texts.clue = clues.id)
           OR EXISTS (SELECT 1 FROM clue_letters
                      WHERE clue_letters.clue = clues.id AND sent = 0
                        AND kind IN ('clue', 'return')))
    ORDER BY clues.ticket"""


def due(connection: Connection, before: datetime) -> list[str]:
    """Returns the tickets that had ended before a time, and of whose clues something is there."""
    rows = connection.execute(_DUE, {"before": microseconds(before)}).fetchall()
    return [ticket for (ticket,) in rows]


def erase(connection: Connection, at: datetime, ticket: str) -> int:
    """Erases what the clues of a ticket say, and what people wrote about them.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        ticket: its id.

    Returns:
        Of how many clues something was erased; a second time of none.
    """
    erased = sum(_erase(connection, at, each) for each in of_ticket(connection, ticket))
    if erased:
        audit.record_erasure(connection, at, "clues", None, erased)
    return erased


def _erase(connection: Connection, at: datetime, clue: Clue) -> bool:
    key: Values = {"clue": clue.id}
    gone = connection.execute(_CONTENT, key).rowcount + connection.execute(_TEXTS, key).rowcount
    letters: Values = {"clue": clue.id, "at": microseconds(at), "none": b""}
    gone += connection.execute(_LETTERS, letters).rowcount
    if gone:
        note(connection, at, clue, "erase", BY_TIME)
    return gone > 0
