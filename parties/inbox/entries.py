"""What is in the inbox: a row for each ticket of each peer, at most so many of one peer.

A peer fills only its own part. What its people submit, and this node's have settled, makes room for
more; what waits for people does not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, cast

from parties.errors import LocalFault, TicketRefused
from parties.refusals import Refusal
from parties.store import Connection, Values, microseconds
from parties.store.clock import time_at
from parties.tickets import SignedTicket
from psi.lazily import NamedTuple

Kept: TypeAlias = Literal["waiting", "approved", "refused"]
"""What people have decided so far: nothing, or not on all; on all that was asked; no."""

MOST_WAITING: Final = 32
"""Tickets of one peer that wait: what two people read in a working day, at ten minutes each."""
MOST_KEPT: Final = 256
"""Tickets of one peer that are kept, settled ones included: 16 MiB if all are as long as they may
be. One a day are kept for most of a year; who asks later has got its ticket."""
MOST_A_DAY: Final = 32
"""New tickets of one peer in a day (UTC): as many as may wait. Each is a line of the log."""
_COLUMNS: Final = "peer, ticket, data, came, state, reason"
_FIND: Final = f"SELECT {_COLUMNS} FROM inbox WHERE peer = :peer AND ticket = :ticket"  # noqa: S608  # our own words
_FIND_NAMED: Final = f"SELECT {_COLUMNS} FROM inbox WHERE ticket = :ticket ORDER BY peer"  # noqa: S608  # our own words
_FIND_ALL: Final = f"SELECT {_COLUMNS} FROM inbox ORDER BY came, peer, ticket"  # noqa: S608  # our own words
_COUNT: Final = """
    SELECT count(*), count(CASE WHEN state = 'waiting' AND until >= :now THEN 1 END)
    FROM inbox WHERE peer = :peer"""
_OLDEST: Final = """
    SELECT ticket FROM inbox WHERE peer = :peer AND (state <> 'waiting' OR until < :now)
    ORDER BY came, ticket LIMIT 1"""
_ADD: Final = """
    INSERT INTO inbox (peer, ticket, data, came, until, state, reason)
    VALUES (:peer, :ticket, :data, :came, :until, :state, :reason)"""
_CHANGE: Final = """
    UPDATE inbox SET data = :data, state = :state, reason = :reason
    WHERE peer = :peer AND ticket = :ticket"""
_FORGET: Final = "DELETE FROM inbox WHERE peer = :peer AND ticket = :ticket"

_FIND_TAKEN: Final = "SELECT taken FROM submissions WHERE peer = :peer AND day = :day"
_TAKE: Final = """
    INSERT INTO submissions (peer, day, taken) VALUES (:peer, :day, 1)
    ON CONFLICT (peer, day) DO UPDATE SET taken = submissions.taken + 1"""
_FORGET_TAKEN: Final = "DELETE FROM submissions WHERE peer = :peer AND day < :day"


class Entry(NamedTuple):
    """A ticket in the inbox.

    Attributes:
        peer: who has submitted it, as this node calls it.
        signed: the ticket, with the signatures of both sides so far.
        came: when, by the store's clock.
        state: what people of this node have decided.
        reason: why it was refused, in their words; empty if it was not.
    """

    peer: str
    signed: SignedTicket
    came: datetime
    state: Kept = "waiting"
    reason: str = ""


def find(connection: Connection, peer: str, ticket: str) -> Entry | None:
    """Returns a peer's ticket by its id; None if there is none."""
    row = connection.execute(_FIND, {"peer": peer, "ticket": ticket}).fetchone()
    return None if row is None else _entry(row)


def find_all(connection: Connection) -> list[Entry]:
    """Returns all that is in the inbox, the oldest first."""
    return [_entry(row) for row in connection.execute(_FIND_ALL).fetchall()]


def one_of(connection: Connection, ticket: str, peer: str | None = None) -> Entry:
    """Returns the ticket that an operator means.

    Args:
        connection: of the store.
        ticket: its id.
        peer: of which peer; None if only one has submitted a ticket of this id.

    Raises:
        TicketRefused: there is none, or several peers' are meant.
    """
    rows = connection.execute(_FIND_NAMED, {"ticket": ticket}).fetchall()
    found = [entry for entry in map(_entry, rows) if peer in (None, entry.peer)]
    if not found:
        raise TicketRefused("ticket-unknown", "no ticket of this id is in the inbox")
    if len(found) > 1:
        names = ", ".join(entry.peer for entry in found)
        raise TicketRefused("ticket-twice", f"tickets of {names} have this id: name one by --peer")
    return found[0]


def must_have_room(connection: Connection, at: datetime, peer: str) -> int:
    """Checks that a new ticket of a peer could be kept now; returns how many are kept already.

    Raises:
        Refusal: `inbox-full`, the peer has as many as it may.
    """
    here: Values = {"peer": peer, "now": microseconds(at)}
    kept, waiting = connection.execute(_COUNT, here).fetchone()
    taken = taken_on(connection, at, peer)
    if waiting >= MOST_WAITING or taken >= MOST_A_DAY:
        raise Refusal(
            "inbox-full",
            f"{waiting} tickets of {peer} wait, of {MOST_WAITING} that may, and {taken} came "
            f"today, of {MOST_A_DAY}; greenlane inbox list shows what is to be decided",
        )
    return int(kept)


def add(connection: Connection, at: datetime, entry: Entry) -> None:
    """Keeps a new ticket.

    Raises:
        Refusal: as `must_have_room`.
    """
    if must_have_room(connection, at, entry.peer) >= MOST_KEPT:
        # One that is settled there is: fewer wait than are kept.
        here: Values = {"peer": entry.peer, "now": microseconds(at)}
        (ticket,) = connection.execute(_OLDEST, here).fetchone()
        connection.execute(_FORGET, {"peer": entry.peer, "ticket": ticket})
    until = microseconds(entry.signed.ticket.not_after)
    times: Values = {"came": microseconds(entry.came), "until": until}
    connection.execute(_ADD, {**_values(entry), **times})
    of_day: Values = {"peer": entry.peer, "day": at.date().isoformat()}
    connection.execute(_FORGET_TAKEN, of_day)
    connection.execute(_TAKE, of_day)


def change(connection: Connection, entry: Entry) -> None:
    """Keeps what has become of a ticket."""
    connection.execute(_CHANGE, _values(entry))


def taken_on(connection: Connection, at: datetime, peer: str) -> int:
    """Returns how many new tickets of a peer were taken in on a day."""
    here: Values = {"peer": peer, "day": at.date().isoformat()}
    row = connection.execute(_FIND_TAKEN, here).fetchone()
    return 0 if row is None else int(row[0])


def _values(entry: Entry) -> dict[str, str | int | bytes]:
    return {
        "peer": entry.peer,
        "ticket": entry.signed.ticket.id,
        "data": entry.signed.encode(),
        "state": entry.state,
        "reason": entry.reason,
    }


def _entry(row: Any) -> Entry:
    peer, ticket, data, came, state, reason = row
    try:
        signed = SignedTicket.decode(bytes(data))
    except TicketRefused:
        raise LocalFault(
            f"the store's inbox holds no ticket where {peer} submitted {ticket}; put back a backup"
        ) from None
    return Entry(peer, signed, time_at(came), cast(Kept, state), reason)
