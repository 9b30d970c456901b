"""What is told of a ticket in the inbox: a word, and what people of both sides have signed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args

from parties.inbox.entries import Entry, Kept
from parties.operators import Party
from parties.operators.roles import other
from parties.tickets import SignedTicket
from parties.tickets.signing import operator_of_signature

State: TypeAlias = Literal["waiting", "approved", "refused", "expired", "revoked"]
STATES: Final[tuple[State, ...]] = get_args(State)


def state_of(entry: Entry, at: datetime, revoked: Collection[str]) -> State:
    """Returns how a ticket stands now.

    Args:
        entry: the ticket.
        at: now, of the store's clock.
        revoked: ids of tickets and fingerprints of certificates that were revoked at this node.
    """
    ticket = entry.signed.ticket
    if revoked and revoked_in(entry.signed, revoked):
        return "revoked"
    if entry.state == "refused":
        return "refused"
    return "expired" if at > ticket.not_after else entry.state


def revoked_in(signed: SignedTicket, revoked: Collection[str]) -> frozenset[str]:
    """Returns all by which a ticket may be revoked, as far as it was."""
    signers = (operator_of_signature(each).fingerprint for each in signed.signatures)
    return frozenset((signed.ticket.id, *signers)).intersection(revoked)


def settled(signed: SignedTicket, us: Party) -> Kept:
    """Returns whether our people have signed for all stages that it needs and the peer's have."""
    asked, answered = signed.signed_by(other(us)), signed.signed_by(us)
    needed = signed.ticket.stages()
    return "approved" if {*asked} & {*needed} <= {*answered} else "waiting"


def given(signed: SignedTicket, us: Party) -> SignedTicket | None:
    """Returns the ticket as the peer gets it; None as long as both sides have not signed for a run.

    Of our people's signatures those that decide something: for a stage that both have signed.
    """
    whole = signed.signed_by(us)
    if "run" not in whole:
        return None
    kept = [each for each in signed.signatures if each.key.party != us or each.key.stage in whole]
    return SignedTicket(signed.ticket, tuple(kept))
