"""A ticket as people and programs read it: what is allowed, who has signed, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from parties.operators import PARTIES
from parties.tickets.signing import Signature, SignedTicket, operator_of_signature
from parties.tickets.ticket import Ticket

_WIDTH = 14


def as_json(signed: SignedTicket) -> dict[str, Any]:
    """A ticket as one object; its signatures without their bytes."""
    return {
        "ticket": signed.ticket.values(),
        "digest": signed.ticket.digest,
        "signatures": [_signature(each) for each in signed.signatures],
        "missing": [key._asdict() for key in signed.missing()],
    }


def lines(signed: SignedTicket, packs: Mapping[str, str]) -> list[str]:
    """A ticket as a table of two columns.

    Args:
        signed: the ticket.
        packs: digest -> name and version of packs of rules that are known here.

    Raises:
        TicketRefused: a signature comes with no operator's certificate.
    """
    said = [*_allowed(signed.ticket, packs), *_signatures(signed)]
    return [f"{name:<{_WIDTH}}{text}".rstrip() for name, text in said]


def _allowed(ticket: Ticket, packs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "ticket", ticket.id
    yield "digest", ticket.digest
    yield "purpose", ticket.purpose
    yield "legal basis", ticket.legal_basis
    yield "case", ticket.case
    for party in PARTIES:
        yield party, f"{ticket.node(party)}, at most {ticket.max_elements[party]:,} elements"
    yield "sets", ", ".join(f"{each.name} ({each.domain})" for each in ticket.sets)
    yield "ways", ", ".join(ticket.ways)
    if ticket.protocols:
        yield "protocols", ", ".join(ticket.protocols)
    for party, columns in ticket.learns.items():
        yield "learns", f"{party}, columns: {', '.join(columns) or 'none'}"
    yield "told from", f"{ticket.floor:,} hits on"
    yield "runs", f"{ticket.runs:,}"
    yield "inquiries", f"{ticket.inquiries:,}"
    for rule in ticket.rules:
        yield "rules", f"{rule} ({packs.get(rule, 'a pack that this release does not have')})"
    yield "normaliser", ticket.normaliser
    yield (
        "valid",
        f"{ticket.not_before:%Y-%m-%d %H:%M:%S} to {ticket.not_after:%Y-%m-%d %H:%M:%S} UTC",
    )


def _signatures(signed: SignedTicket) -> Iterator[tuple[str, str]]:
    for each in signed.signatures:
        approval = f", approval {each.approval}" if each.approval else ""
        operator = operator_of_signature(each)
        who = f"{operator.person} of {operator.node}"
        yield "signed", f"by {each.key}: {who}, {each.at:%Y-%m-%d %H:%M:%S} UTC{approval}"
    for key in signed.missing():
        yield "missing", str(key)


def _signature(signature: Signature) -> dict[str, Any]:
    operator = operator_of_signature(signature)
    values = signature.values()
    kept = {name: values[name] for name in ("party", "stage", "duty", "at", "approval")}
    return kept | {
        "node": operator.node,
        "person": operator.person,
        "certificate": operator.fingerprint,
    }
