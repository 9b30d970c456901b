"""Tickets: for which purpose two nodes may match what, signed by two people a side.

`ticket` is what is allowed and `signing` what is signed; `verifying` says whether a ticket holds
and `permitting` whether it allows a job; `trust` is whom to believe, and `revocations` what counts
no more, by `revoking`; `drafting`, `files` and `telling` are for people.
"""

from __future__ import annotations

from parties.tickets.permitting import Asked, permits, suits
from parties.tickets.revocations import revoked
from parties.tickets.signing import Key, SignedTicket, ticket_in
from parties.tickets.ticket import Stage, Ticket, TicketSet, Way
from parties.tickets.trust import Side, Trust, peer_of, trust_in
from parties.tickets.verifying import Signer, Verified, verify

__all__ = [
    "Asked",
    "Key",
    "Side",
    "SignedTicket",
    "Signer",
    "Stage",
    "Ticket",
    "TicketSet",
    "Trust",
    "Verified",
    "Way",
    "peer_of",
    "permits",
    "revoked",
    "suits",
    "ticket_in",
    "trust_in",
    "verify",
]
