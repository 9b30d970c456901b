"""Whether a signed ticket holds: read, signed by two people a side, valid now, not revoked.

What never changes of the same bytes under the same trust is found once and remembered, since each
inquiry says its ticket again: the reading (1), the names (2), the signatures (3), and that they are
of several people (4). Times (5), revocations (6) and missing keys (7) are looked at each time.
Whether the ticket allows a job is for `parties.tickets.permitting`, and what was used of it for who
counts.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from parties import signatures
from parties.credentials import CLOCK_SKEW
from parties.errors import CertificateError, TicketRefused
from parties.operators import PARTIES, Operator, read_operator
from parties.operators.chains import read_der
from parties.tickets.signing import Key, Signature, SignedTicket, must_be_several
from parties.tickets.ticket import Stage, Ticket
from parties.tickets.trust import Side, Trust
from psi.lazily import NamedTuple

EARLIEST: Final = timedelta(days=90)
"""Before a ticket begins it may be signed, as long as a node's certificate lasts. The time of a
signature is its signer's claim: a key whose certificate expired longer ago signs nothing more."""
KNOWN: Final = 256
"""Tickets that are remembered: more than are in use at once, and 16 MiB if all were as large as
one may be. Only such as both sides have signed soundly get in."""


class Signer(NamedTuple):
    """Who has signed a ticket.

    Attributes:
        key: which signature it is.
        operator: the person, as the authority of that side says.
        at: when, UTC, as the signer says.
        approval: number of the approval; of an approver, else empty.
    """

    key: Key
    operator: Operator
    at: datetime
    approval: str


class Verified(NamedTuple):
    """A ticket that holds.

    Attributes:
        ticket: what is allowed.
        digest: SHA-256 of the ticket, hexadecimal.
        signers: who has signed it, in order.
        missing: the keys without which not all that it allows can be used.
    """

    ticket: Ticket
    digest: str
    signers: tuple[Signer, ...]
    missing: tuple[Key, ...]


def verify(data: bytes, trust: Trust, at: datetime, revoked: Collection[str]) -> Verified:
    """Checks a signed ticket for a run; for detail, `permits` looks for more signatures.

    Args:
        data: the bytes of the file.
        trust: whom to believe.
        at: now, UTC.
        revoked: ids of tickets and fingerprints of certificates that were revoked.

    Raises:
        TicketRefused: it does not hold; the code says in which way.
    """
    verified = examine(data, trust)
    must_count(verified, at, revoked)
    if at < verified.ticket.not_before:
        raise TicketRefused(
            "ticket-early", f"the ticket is valid from {verified.ticket.not_before} on"
        )
    must_be_signed(verified, "run")
    return verified


def must_count(verified: Verified, at: datetime, revoked: Collection[str]) -> None:
    """Checks that a ticket counts, whoever has signed it so far and whether it has begun or not.

    Args:
        verified: the ticket.
        at: now, UTC.
        revoked: as of `verify`.

    Raises:
        TicketRefused: it was revoked, or one who signed was; it has expired, or was signed long
            before it begins or at a time that has not come.
    """
    ticket = verified.ticket
    if ticket.id in revoked:
        raise TicketRefused("ticket-revoked", "the ticket was revoked; draft a new one")
    for signer in verified.signers:
        if signer.operator.fingerprint in revoked:
            raise TicketRefused(
                "ticket-signer-revoked", f"the certificate of {signer.key} was revoked"
            )
        if signer.at < ticket.not_before - EARLIEST:
            raise TicketRefused(
                "ticket-forged",
                f"{signer.key} signs more than {EARLIEST.days} days before the ticket begins",
            )
        if signer.at > at + CLOCK_SKEW:
            raise TicketRefused(
                "ticket-early", f"{signer.key} signs at a time that has not come; compare clocks"
            )
    if at > ticket.not_after:
        raise TicketRefused("ticket-expired", f"the ticket was valid until {ticket.not_after}")


def must_be_signed(verified: Verified, stage: Stage) -> None:
    """Checks that all keys of a stage are there.

    Raises:
        TicketRefused: one is missing.
    """
    lacking = [str(key) for key in verified.missing if key.stage == stage]
    if lacking:
        raise TicketRefused("ticket-unsigned", f"the ticket is not signed by {', '.join(lacking)}")


@lru_cache(maxsize=KNOWN)
def examine(data: bytes, trust: Trust) -> Verified:
    """As `examine_once`, and remembers it."""
    return examine_once(data, trust)


def examine_once(data: bytes, trust: Trust) -> Verified:
    """Checks what time does not change of a ticket, signed by all or not.

    Raises:
        TicketRefused: it is malformed, for other nodes, forged, or signed twice by one person.
    """
    signed = SignedTicket.decode(data)  # (1)
    ticket, digest = signed.ticket, signed.ticket.digest
    for party in PARTIES:  # (2)
        if ticket.node(party) != trust.side(party).node:
            raise TicketRefused("ticket-other-peer", f"the ticket names another node as {party}")
    signers = tuple(_signer(each, digest, trust) for each in signed.signatures)  # (3)
    must_be_several([(each.key, each.operator) for each in signers])  # (4)
    return Verified(ticket, digest, signers, signed.missing())


def _signer(signature: Signature, digest: str, trust: Trust) -> Signer:
    key = signature.key
    operator = believed(signature.certificates, trust.side(key.party), signature.at, str(key))
    if operator.role != key.duty:
        raise _forged(key, "the certificate is for another role")
    leaf = read_der(signature.certificates[0])
    if leaf is None or not signatures.is_signed(
        signature.signed(digest), signature.signature, leaf
    ):
        raise _forged(key, "it is not that of the certificate over this ticket")
    return Signer(key, operator, signature.at, signature.approval)


def believed(certificates: tuple[bytes, ...], side: Side, at: datetime, whose: str) -> Operator:
    """Returns the operator of a side whose certificates these are.

    Args:
        certificates: DER, the operator's first, then intermediate authorities.
        side: the operator's node and whom it lets issue certificates.
        at: when they must have been valid.
        whose: for the sentence.

    Raises:
        TicketRefused: they are none, or not of this side.
    """
    chain = [read_der(each) for each in certificates]
    read = [each for each in chain if each is not None]
    if len(read) < len(chain):
        raise _forged(whose, "the certificate cannot be read")
    try:
        operator = read_operator(read, side.authorities, at)
    except CertificateError as error:
        raise _forged(whose, str(error)) from None
    if operator.node != side.node:
        raise _forged(whose, "the certificate is for another node")
    return operator


def _forged(whose: object, why: str) -> TicketRefused:
    return TicketRefused("ticket-forged", f"the signature of {whose}: {why}")
