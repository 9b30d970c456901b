"""A ticket between two nodes: one submits it, the other's people decide, and the one asks again.

One message there and one back. What the answering node says of a ticket is what its people have
decided, and nothing that depends on data. The caller gets a ticket of its own, and is told of no
other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from parties import inbox, logs
from parties.books import Books
from parties.errors import TicketRefused
from parties.inbox import Entry, State
from parties.inbox.deciding import is_reason
from parties.inbox.entries import must_have_room
from parties.inbox.taking import is_known
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.standing import check_answer, check_standing, hear, parse, standing
from parties.tickets import SignedTicket, revoked
from parties.tickets.ticket import LONGEST
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue
from psi.errors import BoundExceeded, MalformedMessage
from psi.lazily import NamedTuple

_STATES: Final[Mapping[State, wire.TicketState]] = {
    "waiting": wire.TICKET_STATE_WAITING,
    "approved": wire.TICKET_STATE_APPROVED,
    "refused": wire.TICKET_STATE_REFUSED,
    "expired": wire.TICKET_STATE_EXPIRED,
    "revoked": wire.TICKET_STATE_REVOKED,
}


class Told(NamedTuple):
    """What a peer says of a ticket that we have submitted.

    Attributes:
        state: how it stands there.
        reason: why it was refused, in their words; empty if it was not.
        data: the bytes of the file with the signatures of both sides; empty as long as they have
            not signed for a run. Not verified yet.
    """

    state: State
    reason: str
    data: bytes


def ask(
    settings: Settings, peer: PeerSettings, *, ticket: bytes = b"", about: str = ""
) -> Dialogue[Told]:
    """Submits a ticket, or asks how one stands; the calling end.

    Args:
        settings: ours.
        peer: the node that we call.
        ticket: the bytes of the file that is submitted; or
        about: the id of one that was.

    Raises:
        PeerIncompatible: a ticket with a node that stands there makes no sense.
        MalformedMessage, BoundExceeded: what comes is no answer.
    """
    yield wire.Proposal(
        standing=standing(settings, peer, ()), way=wire.WAY_TICKET, ticket=ticket, about=about
    ).SerializeToString(deterministic=True)
    answered = parse(wire.TicketAnswer, (yield from hear()))
    check_answer(settings, peer, answered.standing)
    states = {number: state for state, number in _STATES.items()}
    if answered.state not in states:
        raise MalformedMessage("TicketAnswer: no such state")
    told = Told(states[answered.state], answered.reason, answered.ticket)
    if bool(told.reason) != (told.state == "refused") or (
        told.reason and not is_reason(told.reason)
    ):
        raise MalformedMessage("TicketAnswer: a reason that is none, or of no refusal")
    if len(told.data) > LONGEST:
        raise BoundExceeded("TicketAnswer: a ticket that is longer than one may be")
    if told.state == "approved" and not told.data:
        raise MalformedMessage("TicketAnswer: approved, and no ticket")
    return told


def is_about_ticket(proposal: wire.Proposal) -> bool:
    """Whether what a caller proposes is no job, but about a ticket itself."""
    return proposal.way == wire.WAY_TICKET


def answer(
    settings: Settings,
    peer: PeerSettings,
    proposal: wire.Proposal,
    session: str,
    books: Books,
) -> Dialogue[None]:
    """Takes a ticket in, or says how one stands; the answering end.

    Args:
        settings: of this node.
        peer: the node that called.
        proposal: that `is_about_ticket`.
        session: of the call.
        books: in which is written down what is done.

    Raises:
        TicketRefused: the ticket is not one that may come in, or there is none.
        Refusal: `inbox-full`, or the caller stands where nothing makes sense.
        MalformedMessage: what comes is not about a ticket alone.
    """
    if (
        bool(proposal.ticket) == bool(proposal.about)
        or proposal.sets
        or proposal.tables
        or proposal.inputs
        or proposal.standing.columns
        or proposal.caller_receives
        or proposal.both_learn
    ):
        raise MalformedMessage("Proposal: about a ticket, and more or less than that")
    if proposal.ticket:
        with books.refusals(peer.name, session):
            check_standing(settings, peer, proposal.standing)
            entry = _submitted(settings, peer, proposal.ticket, session, books)
    else:
        check_standing(settings, peer, proposal.standing)
        entry = _asked(peer, proposal.about, books)  # which the log need not keep, known or not
    us, gone, store = settings.node.role, revoked(settings), books.limits.store
    with store.reading() as connection:
        state = inbox.state_of(entry, store.now(connection), gone)
    given = None if state in ("expired", "revoked") else inbox.given(entry.signed, us)
    yield wire.TicketAnswer(
        standing=standing(settings, peer, ()),
        state=_STATES[state],
        reason=entry.reason if state == "refused" else "",
        ticket=b"" if given is None else given.encode(),
    ).SerializeToString(deterministic=True)


def _submitted(
    settings: Settings, peer: PeerSettings, data: bytes, session: str, books: Books
) -> Entry:
    signed, store = SignedTicket.decode(data), books.limits.store
    with store.reading() as connection:
        entry = inbox.find(connection, peer.name, signed.ticket.id)
        if entry is None:
            must_have_room(connection, store.now(connection), peer.name)
    if entry is not None and is_known(entry, signed):
        return entry  # nothing is verified or written of what comes again
    us = settings.node.role
    verified = inbox.check(settings, peer, data, other(us))
    gone = revoked(settings)
    with books.writing() as (connection, at):
        taken = inbox.take(connection, at, peer.name, us, verified, signed, gone)
    log = logs.Log(peer=peer.name, session=session)
    log.info("ticket_came", ticket=signed.ticket.id, stages=list(signed.signed_by(other(us))))
    return taken


def _asked(peer: PeerSettings, ticket: str, books: Books) -> Entry:
    with books.limits.store.reading() as connection:
        entry = inbox.find(connection, peer.name, ticket)
    if entry is None:
        raise TicketRefused("ticket-unknown", f"no ticket of {peer.name} has this id")
    return entry
