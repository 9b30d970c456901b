"""What runs leave behind, and when the tickets end under which they did: what is to be erased when.

Written down before a file is there, so that a node that is killed forgets none.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from parties.store import Connection, microseconds
from psi.lazily import NamedTuple

_END: Final = """
    INSERT INTO ticket_ends (ticket, at) VALUES (:ticket, :at)
    ON CONFLICT (ticket) DO UPDATE SET at = excluded.at"""
_LEAVE: Final = """
    INSERT INTO results (session, ticket, path) VALUES (:session, :ticket, :path)
    ON CONFLICT (session) DO UPDATE SET path = excluded.path"""
_DUE: Final = """
    SELECT results.session, results.path FROM results
    JOIN ticket_ends ON ticket_ends.ticket = results.ticket
    WHERE ticket_ends.at < :before ORDER BY results.session"""
_ONE: Final = "SELECT session, path FROM results WHERE session = :session"
_OTHERS: Final = "SELECT count(*) FROM results WHERE path = :path AND session <> :session"
_GONE: Final = "DELETE FROM results WHERE session = :session"


class Left(NamedTuple):
    """What a session has left.

    Attributes:
        session: whose folder in that of results holds it.
        path: of a result that an operator wanted elsewhere; None if there is none.
    """

    session: str
    path: Path | None


def end(connection: Connection, ticket: str, at: datetime) -> None:
    """Writes down when a ticket ends.

    Args:
        connection: in a transaction that writes.
        ticket: its id.
        at: the last moment at which it is valid.
    """
    connection.execute(_END, {"ticket": ticket, "at": microseconds(at)})


def leave(connection: Connection, session: str, ticket: str, path: Path | None) -> None:
    """Writes down that a session is about to leave something, or more than was said before.

    Args:
        connection: in a transaction that writes.
        session: of which run.
        ticket: under which it is.
        path: of a result outside of the session's folder.
    """
    where = "" if path is None else str(path.absolute())
    connection.execute(_LEAVE, {"session": session, "ticket": ticket, "path": where})


def due(connection: Connection, before: datetime) -> list[Left]:
    """Returns what was left under tickets that had ended before a time."""
    rows = connection.execute(_DUE, {"before": microseconds(before)}).fetchall()
    return [_left(*row) for row in rows]


def of_session(connection: Connection, session: str) -> Left | None:
    """Returns what a session has left; None if nothing, or if it was erased."""
    row = connection.execute(_ONE, {"session": session}).fetchone()
    return None if row is None else _left(*row)


def is_of_another(connection: Connection, left: Left) -> bool:
    """Whether another session has written its result where this one had."""
    values = {"path": str(left.path), "session": left.session}
    (count,) = connection.execute(_OTHERS, values).fetchone()
    return bool(count)


def gone(connection: Connection, session: str) -> None:
    """Forgets what a session has left."""
    connection.execute(_GONE, {"session": session})


def _left(session: str, path: str) -> Left:
    return Left(session, Path(path) if path else None)
