"""How many different sets a partner brings, by its commitments: all that a node sees of them.

Sets that differ by a few tell of these few (`parties.differences`). Who brings them is the one that
can tell; whoever answers can bound only how many there are in a day.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from parties.refusals import Refusal
from parties.store import Connection, Values

_IS_KNOWN: Final = """
    SELECT 1 FROM inputs WHERE peer = :peer AND "set" = :set AND input = :input"""
_COUNT_NEW: Final = """
    SELECT count(*) FROM inputs WHERE peer = :peer AND "set" = :set AND day = :day"""
_NOTE: Final = """
    INSERT INTO inputs (peer, "set", input, day) VALUES (:peer, :set, :input, :day)"""
"""To which sets a partner has committed itself, and on which day first; kept."""


def count(
    connection: Connection, peer: str, name: str, commitment: bytes, at: datetime, most: int
) -> None:
    """Counts a set that a partner brings, unless it has brought it before.

    Args:
        connection: in a transaction that writes.
        peer: the partner.
        name: of the set.
        commitment: the partner's, which is another for another set or ticket.
        at: now, of the store's clock.
        most: how many new ones it may bring in a day.

    Raises:
        Refusal: `over-limit`; nothing was counted.
    """
    here: Values = {"peer": peer, "set": name}
    if connection.execute(_IS_KNOWN, {**here, "input": commitment}).fetchone() is not None:
        return
    day = at.date().isoformat()
    (new,) = connection.execute(_COUNT_NEW, {**here, "day": day}).fetchone()
    if new >= most:
        raise Refusal(
            "over-limit",
            f"{peer} brings another set of identifiers.{name}, after {new} of the {most} of a day",
        )
    connection.execute(_NOTE, {**here, "input": commitment, "day": day})
