"""Receipts of inquiries: who has asked gives its own, and gets the other node's; both ends.

An inquiry is answered before anything is signed: two signatures and a write to the disk of each
node would be most of what it takes. Its receipts follow in an exchange of their own, one for as
many as were asked meanwhile. Whoever has none of the other's in the end shows it: an asker that
gives none is answered no more (`parties.open_inquiries`), and a holder that gives none is asked no
more (`parties.inquiring`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parties import audit, logs, open_inquiries
from parties.audit import receipt as receipts
from parties.audit.chain import Place as LogPlace
from parties.audit.chain import stamp
from parties.audit.inquiries import outcome_of, transcript_of
from parties.books import Books
from parties.channel.pinning import read_pin
from parties.credentials import Credentials, Identity, read_credentials
from parties.errors import AuditRefused
from parties.inquiry_books import InquiryBooks
from parties.open_inquiries import Open, Place
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.standing import check_standing, hear, parse, standing
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue
from psi.errors import MalformedMessage

MOST_TOLD: Final = 4
"""Fields in which receipts differ that a line of the log names: a peer can make them differ in all,
some four for each inquiry."""


def is_of_receipts(proposal: wire.Proposal) -> bool:
    """Whether what a caller proposes is no job, but to exchange receipts."""
    return proposal.way == wire.WAY_RECEIPT


def answer(
    settings: Settings,
    peer: PeerSettings,
    proposal: wire.Proposal,
    session: str,
    books: InquiryBooks,
) -> Dialogue[None]:
    """Takes a receipt of inquiries that the caller has asked, and gives ours; the answering end.

    Args:
        settings: of this node.
        peer: the node that called.
        proposal: that `is_of_receipts`.
        session: of the call.
        books: in which is written down what is done.

    Raises:
        AuditRefused: it is no receipt of the caller's, of this call, of inquiries that are open and
            over; something else was done in this session; or it says otherwise than we know.
        Refusal: the caller stands where nothing makes sense.
        MalformedMessage: what comes is not about receipts alone.
        LocalFault: it cannot be written.
    """
    alone = wire.Proposal(standing=proposal.standing, way=wire.WAY_RECEIPT)
    if proposal != alone or proposal.standing.columns:
        raise MalformedMessage("Proposal: of receipts, and more than that")
    heard = parse(wire.Receipt, (yield from hear()))
    with books.refusals(peer.name, session):
        check_standing(settings, peer, proposal.standing)
        ours = _exchanged(settings, peer, _signed_in(heard), session, books)
    logs.Log(peer=peer.name, session=session).info("receipts_given")
    yield wire.Receipt(signed=ours).SerializeToString(deterministic=True)


def give(settings: Settings, peer: PeerSettings, signed: bytes) -> Dialogue[bytes]:
    """Gives a receipt of ours and returns the peer's, of which nothing is checked yet.

    Says all before it hears anything. Arguments as of `answer`; `signed` is ours.

    Raises:
        MalformedMessage: what comes is no receipt.
    """
    proposal = wire.Proposal(standing=standing(settings, peer, ()), way=wire.WAY_RECEIPT)
    yield proposal.SerializeToString(deterministic=True)
    yield wire.Receipt(signed=signed).SerializeToString(deterministic=True)
    return _signed_in(parse(wire.Receipt, (yield from hear())))


def is_due(peer: PeerSettings, books: Books) -> bool:
    """Whether there are inquiries of which we have no receipt of the peer's.

    Raises:
        LocalFault: the store cannot be read.
    """
    place, store = Place("ours", peer.partner), books.limits.store
    with store.reading() as connection:
        return bool(
            open_inquiries.signed(connection, place)
            or open_inquiries.due(connection, place, store.now(connection))
        )


def pending(peer: PeerSettings, books: Books) -> list[receipts.Signed]:
    """Returns receipts that we have signed and that the peer may not have got.

    Raises:
        LocalFault: the store cannot be read.
    """
    place = Place("ours", peer.partner)
    with books.limits.store.reading() as connection:
        kept = [
            audit.find_receipt(connection, session, "ours")
            for session in open_inquiries.signed(connection, place)
        ]
    return [receipts.read(data) for data in kept if data is not None]


def sign_next(settings: Settings, peer: PeerSettings, books: Books) -> receipts.Signed | None:
    """Signs a receipt of what we have asked the peer; None if none is due.

    Raises:
        LocalFault: it cannot be written.
        CertificateError: this node's certificate or key cannot be used now.
    """
    place = Place("ours", peer.partner)
    with books.writing() as (connection, at):
        taken = open_inquiries.due(connection, place, at)
        if not taken:
            return None
        session = secrets.token_hex(16)
        ours = _receipt_of(settings, peer, session, taken, at, we_asked=True)
        open_inquiries.sign(connection, place, taken, session)
        return audit.keep_ours(connection, at, ours, _credentials(settings))


def keep_answer(
    settings: Settings, peer: PeerSettings, ours: receipts.Receipt, data: bytes, books: Books
) -> None:
    """Keeps the peer's receipt of what ours is of.

    Raises:
        AuditRefused: it is none of that, or says something else than ours.
        LocalFault: it cannot be written.
        CertificateError: this node's certificate or key cannot be used now.
    """
    theirs = receipts.read_answer(data, ours, read_pin(peer).why_not)
    _must_not_contradict(peer, ours, theirs.receipt)
    with books.writing() as (connection, at):
        # Another process of this node may have given the same receipt, and be faster.
        if open_inquiries.close(connection, Place("ours", peer.partner), ours.session):
            audit.keep_theirs(connection, at, theirs, _credentials(settings))


def give_up(peer: PeerSettings, ours: receipts.Receipt, books: Books) -> None:
    """Expects no receipt of the peer's any more; ours stays in the log, alone.

    Raises:
        LocalFault: it cannot be written.
    """
    with books.writing() as (connection, _):
        open_inquiries.close(connection, Place("ours", peer.partner), ours.session)


def _signed_in(heard: wire.Receipt) -> bytes:
    if heard.padding:
        raise MalformedMessage("Receipt: of inquiries it has no padding")
    return heard.signed


def _exchanged(
    settings: Settings, peer: PeerSettings, data: bytes, session: str, books: InquiryBooks
) -> bytes:
    """Keeps the caller's receipt together with ours, and returns that."""
    theirs, credentials, why_not = (
        receipts.read(data),
        _credentials(settings),
        read_pin(peer).why_not,
    )
    place, told = Place("theirs", peer.partner), theirs.receipt
    asked = [each.session for each in told.inquiries]
    with books.writing() as (connection, at):
        known, ours = (
            audit.find_receipt(connection, session, signer) for signer in ("theirs", "ours")
        )
        if known is not None and ours is not None and receipts.read(known).receipt == told:
            receipts.must_answer(theirs, receipts.read(ours).receipt, why_not)
            return ours  # it was given already, and the answer was lost
        if not books.limits.spend(connection, peer.partner, session):
            raise AuditRefused(
                "receipt-other",
                f"{peer.name} gave a receipt in a session in which something else was done",
            )
        if any(books.is_under_way(peer, each) for each in asked):
            raise AuditRefused(
                "receipt-other", f"{peer.name} gave a receipt of an inquiry that is not over"
            )
        taken = open_inquiries.find(connection, place, asked)
        if not taken or len({each.under[:2] for each in taken}) > 1:
            raise AuditRefused(
                "receipt-other",
                f"{peer.name} gave a receipt of inquiries of which none is due, or of several "
                "tickets",
            )
        receipt = _receipt_of(settings, peer, session, taken, at, we_asked=False)
        receipts.must_answer(theirs, receipt, why_not)
        _must_not_contradict(peer, receipt, told)
        for each in asked:
            open_inquiries.drop(connection, place, each)
        return audit.keep_both(connection, at, theirs, receipt, credentials).data


def _must_not_contradict(
    peer: PeerSettings, ours: receipts.Receipt, theirs: receipts.Receipt
) -> None:
    if wrong := audit.contradict(ours, theirs):
        more = f" and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
        raise AuditRefused(
            "receipt-other",
            f"the receipt of {peer.name} says otherwise than ours: "
            f"{', '.join(wrong[:MOST_TOLD])}{more}",
        )


def _receipt_of(
    settings: Settings,
    peer: PeerSettings,
    session: str,
    taken: Sequence[Open],
    at: datetime,
    *,
    we_asked: bool,
) -> receipts.Receipt:
    us = settings.node.role
    names = {us: settings.node.name, other(us): peer.partner}
    inquiries = tuple(each.inquiry for each in taken)
    return receipts.Receipt(
        session=session,
        ticket=taken[0].ticket,
        ticket_digest=taken[0].digest,
        insurer=names["insurer"],
        police=names["police"],
        way=receipts.INQUIRE,
        stage=taken[0].stage,
        learns=us if we_asked else other(us),
        sets=(),
        said_bytes=sum(each.said_bytes for each in inquiries),
        heard_bytes=sum(each.heard_bytes for each in inquiries),
        transcript=transcript_of(inquiries),
        started=stamp(min(each.at for each in taken)),
        ended=stamp(max(at, *(each.at for each in taken))),  # the clock may have been set back
        outcome=outcome_of(inquiries),
        signer=us,
        place=LogPlace(0, bytes(32)),
        inquiries=inquiries,
    )


def _credentials(settings: Settings) -> Credentials:
    return read_credentials(Identity(settings.node.certificate, settings.node.key))
