"""What may come into the inbox: a ticket for these two nodes that a side has signed for a run."""

from __future__ import annotations

from parties.errors import TicketRefused
from parties.operators import Party
from parties.settings import PeerSettings, Settings
from parties.tickets import trust_in
from parties.tickets.verifying import Verified, examine_once
from psi import _core


def check(settings: Settings, peer: PeerSettings, data: bytes, by: Party) -> Verified:
    """Checks what time does not change of a ticket that is submitted.

    Nothing of it is remembered: a peer may submit as many as it likes.

    Args:
        settings: of this node.
        peer: the other, with which the ticket must be.
        data: the bytes of the file.
        by: the side that must have signed for a run, with both of its duties.

    Raises:
        TicketRefused: it is malformed, for other nodes, under other rules for identifiers, forged,
            signed twice by one person or not by this side.
        SettingsError, CertificateError: this node cannot tell.
    """
    verified = examine_once(data, trust_in(settings, peer))
    if verified.ticket.normaliser != _core.normaliser_digest().hex():
        raise TicketRefused(
            "ticket-other-normaliser", "the ticket was made under other rules for identifiers"
        )
    if any(key.party == by and key.stage == "run" for key in verified.missing):
        raise TicketRefused(
            "ticket-unsigned", f"{by} submits a ticket that both of its duties have not signed"
        )
    return verified
