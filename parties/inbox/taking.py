"""Taking in what a peer submits: once, within its bounds, and with a line of the log."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from parties import decisions
from parties.errors import TicketRefused
from parties.inbox import entries
from parties.inbox.entries import Entry
from parties.inbox.states import settled
from parties.operators import Party
from parties.store import Connection
from parties.tickets import SignedTicket, Verified
from parties.tickets.signing import merged
from parties.tickets.verifying import must_count


def is_known(entry: Entry, signed: SignedTicket) -> bool:
    """Whether a ticket says nothing that the inbox does not have already.

    Raises:
        TicketRefused: `ticket-twice`, it is another one of the same id.
    """
    if entry.signed.ticket != signed.ticket:
        raise TicketRefused("ticket-twice", "two tickets that differ have one id")
    return {each.key for each in signed.signatures} <= {
        each.key for each in entry.signed.signatures
    }


def take(
    connection: Connection,
    at: datetime,
    peer: str,
    us: Party,
    verified: Verified,
    signed: SignedTicket,
    revoked: Collection[str],
) -> Entry:
    """Takes a ticket in, or adds the signatures that are new; in the caller's transaction.

    Args:
        connection: in a transaction that writes.
        at: of the store's clock.
        peer: who submits it, as this node calls it.
        us: the party of this node.
        verified: the ticket, as `check` found it.
        signed: the same, with its signatures.
        revoked: what was revoked at this node.

    Raises:
        TicketRefused: it has expired or was revoked; or is another one of an id that is there.
        Refusal: `inbox-full`.
    """
    known = entries.find(connection, peer, signed.ticket.id)
    if known is not None:
        if is_known(known, signed):
            return known
        together = merged(known.signed, signed)
        # A refusal stands, whatever else is signed for.
        state = known.state if known.state == "refused" else settled(together, us)
        more = known._replace(signed=together, state=state)
        entries.change(connection, more)
        return more
    must_count(verified, at, revoked)
    entry = Entry(peer, signed, at, settled(signed, us))
    entries.add(connection, at, entry)
    decisions.received(connection, at, peer, signed.ticket)
    return entry
