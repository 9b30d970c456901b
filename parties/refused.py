"""Refusals in the log: a line for each, up to so many a day, and then one each time they double.

Whoever may call a node can be refused as often as they like. So that this fills no disk and hides
nothing else, the log of a day has `LINES` lines of refusals for each peer, and some thirty more for
as many as there can be; how many there were is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from parties import audit
from parties.store import Connection

LINES: Final = 1000
"""Of one peer and day. A ticket that is mended until it fits is refused some ten times, a program
that asks every minute 1,440 times; three years of this many are 0.5 GB."""

_COUNT: Final = """
    INSERT INTO refusals (peer, day, refused) VALUES (:peer, :day, 1)
    ON CONFLICT (peer, day) DO UPDATE SET refused = refusals.refused + 1"""
_FIND: Final = "SELECT refused FROM refusals WHERE peer = :peer AND day = :day"
_FORGET: Final = "DELETE FROM refusals WHERE peer = :peer AND day < :day"


def write_down(connection: Connection, at: datetime, facts: Mapping[str, str]) -> None:
    """Writes down that something was refused.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        facts: of `job_refused`.
    """
    of = {"peer": facts["peer"], "day": at.date().isoformat()}
    connection.execute(_COUNT, of)
    (count,) = connection.execute(_FIND, of).fetchone()
    if count == 1:
        connection.execute(_FORGET, of)
    if count <= LINES:
        audit.append(connection, at, "job_refused", facts)
    elif has_line(count):
        audit.append(connection, at, "refusals_counted", {"peer": of["peer"], "refusals": count})


def has_line(count: int) -> bool:
    """Whether the refusal of this number of a day, beyond `LINES`, is told: at twice the last."""
    times, rest = divmod(count, LINES)
    return rest == 0 and times & (times - 1) == 0
