"""What operators of this node do with a ticket in the inbox: sign it for a stage, or refuse it.

Who does so shows it by a certificate of this node's authority and the key to it. Two people sign
for each stage, in whatever order; one of them is enough to refuse. What people have refused stays
refused; what they have signed they withdraw by revoking it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties import audit, decisions
from parties.errors import CertificateError, SettingsError, TicketRefused
from parties.inbox import entries
from parties.inbox.entries import Entry
from parties.inbox.states import settled, state_of
from parties.operators import DUTIES, Operator
from parties.operators.acting import acting_by
from parties.operators.roles import other
from parties.settings import Settings
from parties.store import Connection
from parties.tickets import Stage
from parties.tickets.signing import sign
from parties.tickets.ticket import LONGEST_PURPOSE, STAGES
from parties.tickets.trust import own_signer

_WORDS: Final = {
    "refused": "was refused, and stays so; another one is to be submitted",
    "expired": "has expired",
    "revoked": "was revoked, or one who has signed it was",
}


def approve(
    connection: Connection,
    at: datetime,
    settings: Settings,
    entry: Entry,
    stage: Stage,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    revoked: Collection[str],
    approval: str = "",
) -> Entry:
    """Adds an operator's signature for a stage; in the caller's transaction.

    Args:
        connection: in a transaction that writes, in which the entry was found.
        at: of the store's clock.
        settings: of this node.
        entry: the ticket.
        stage: for what the operator signs; `disclosure` after our side has signed for `run`.
        key: of the operator.
        chain: the certificate, then intermediate authorities.
        revoked: what was revoked at this node.
        approval: number of the approval; of an approver.

    Raises:
        TicketRefused: it waits for nothing more, or not for this; the person has signed for another
            duty, or this duty is signed already.
        CertificateError: the person does not sign for this node, or was revoked; the key is not
            that of the certificate.
    """
    operator = _decides(settings, key, chain, at, revoked)
    _must_be_open(entry, at, revoked)
    us = settings.node.role
    if stage not in entry.signed.signed_by(other(us)):
        raise TicketRefused("ticket-unsigned", f"{entry.peer} has not signed it for {stage}")
    earlier = STAGES[: STAGES.index(stage)]
    if not set(earlier) <= set(entry.signed.signed_by(us)):
        raise TicketRefused(
            "ticket-unsigned", f"both duties of this node sign for {earlier[-1]} before {stage}"
        )
    # By the machine's clock, if the store's is ahead: the peer compares it with its own.
    more = sign(entry.signed, stage, key, chain, min(at, datetime.now(UTC)), approval)
    made = entry._replace(signed=more, state=settled(more, us))
    entries.change(connection, made)
    facts = _facts(entry, operator) | {"stage": stage}
    audit.append(connection, at, "ticket_approved", facts)
    return made


def refuse(
    connection: Connection,
    at: datetime,
    settings: Settings,
    entry: Entry,
    reason: str,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    revoked: Collection[str],
) -> Entry:
    """Refuses a ticket, for good; in the caller's transaction.

    Args:
        connection: as of `approve`, as all that follows but the reason.
        at: of the store's clock.
        settings: of this node.
        entry: the ticket.
        reason: why, in words that the peer gets.
        key: of the operator.
        chain: the certificate, then intermediate authorities.
        revoked: what was revoked at this node.

    Raises:
        SettingsError: the reason is no line of text.
        TicketRefused: the ticket is decided already.
        CertificateError: as of `approve`.
    """
    if not is_reason(reason):
        raise SettingsError(
            f"the reason is one line of 1 to {LONGEST_PURPOSE} printable characters, without space "
            "around it"
        )
    operator = _decides(settings, key, chain, at, revoked)
    _must_be_open(entry, at, revoked)
    made = entry._replace(state="refused", reason=reason)
    entries.change(connection, made)
    facts = _facts(entry, operator) | {"code": decisions.REFUSED_CODE, "peer": entry.peer}
    audit.append(connection, at, "ticket_refused", facts)
    return made


def is_reason(text: str) -> bool:
    """Whether a text may be why a ticket was refused."""
    return 0 < len(text) <= LONGEST_PURPOSE and text.isprintable() and text == text.strip()


def _decides(
    settings: Settings,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
    revoked: Collection[str],
) -> Operator:
    """The operator, if this person decides on tickets of this node."""
    duties = DUTIES[settings.node.role]
    operator = own_signer(settings, key, chain, at, duties, "decide on its tickets")
    if operator.fingerprint in revoked:
        raise CertificateError("the certificate was revoked at this node")
    return operator


def _must_be_open(entry: Entry, at: datetime, revoked: Collection[str]) -> None:
    state = state_of(entry, at, revoked)
    if state in _WORDS:
        raise TicketRefused(f"ticket-{state}", f"the ticket {_WORDS[state]}")
    if state == "approved":
        raise TicketRefused(
            "ticket-one-person", "the ticket is signed already for all that the peer has signed for"
        )


def _facts(entry: Entry, operator: Operator) -> dict[str, str]:
    ticket = entry.signed.ticket
    return {"ticket": ticket.id, "digest": ticket.digest} | acting_by(operator).facts()
