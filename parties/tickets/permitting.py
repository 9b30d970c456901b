"""Whether a ticket allows what one node asks of another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from parties.errors import TicketRefused
from parties.operators import Party
from parties.tickets.ticket import Ticket, TicketSet, Way, stages_of
from parties.tickets.verifying import Verified, must_be_signed
from psi.lazily import NamedTuple


class Asked(NamedTuple):
    """What is asked, as both nodes see it.

    Attributes:
        insurer: the name of the node.
        police: the name of the other.
        way: in which is asked.
        sets: name and domain of each.
        protocols: by which they are, or may be, matched; none for `inquire`.
        learners: who learns.
        columns: for each party, the columns of the other side that it gets; may lack a party that
            gets none.
        sizes: of each party's largest set, as far as they are known yet; of `inquire`, how many
            identifiers are asked.
        normaliser: SHA-256 of the rules for identifiers that run here, hexadecimal.
    """

    insurer: str
    police: str
    way: Way
    sets: Sequence[tuple[str, str]]
    protocols: Collection[str]
    learners: Collection[Party]
    columns: Mapping[Party, Collection[str]]
    sizes: Mapping[Party, int]
    normaliser: str


def permits(verified: Verified, asked: Asked) -> None:
    """Checks that a ticket allows what is asked.

    How often it was used, and whether the same sets are brought at each stage, is not looked at.

    Raises:
        TicketRefused: it does not; the code says which part.
    """
    suits(verified.ticket, asked)
    for stage in stages_of(asked.way, columns=any(asked.columns.values())):
        must_be_signed(verified, stage)


def suits(ticket: Ticket, asked: Asked) -> None:
    """Checks what a ticket says, whoever has signed it.

    Raises:
        TicketRefused: it does not allow what is asked; as `permits`.
    """
    if (asked.insurer, asked.police) != (ticket.insurer, ticket.police):
        raise TicketRefused("ticket-other-peer", "the ticket is for other nodes")
    if asked.normaliser != ticket.normaliser:
        raise TicketRefused(
            "ticket-other-normaliser", "the ticket was made under other rules for identifiers"
        )
    if asked.way not in ticket.ways:
        raise TicketRefused("ticket-other-way", f"the ticket does not allow {asked.way}")
    for name, domain in asked.sets:
        if TicketSet(name, domain) not in ticket.sets:
            raise TicketRefused(
                "ticket-other-set", "an identifier set, or its kind, is not that of the ticket"
            )
    if not set(asked.protocols) <= set(ticket.protocols):
        raise TicketRefused("ticket-other-protocol", "a protocol is not one of the ticket")
    for party in asked.learners:
        if party not in ticket.learns:
            raise TicketRefused("ticket-other-learner", f"the ticket does not let {party} learn")
    for party, columns in asked.columns.items():
        if not set(columns) <= _columns(ticket, asked, party):
            raise TicketRefused(
                "ticket-other-columns", f"the ticket does not give {party} a column that is asked"
            )
    for party, size in asked.sizes.items():
        if size > ticket.max_elements[party]:
            raise TicketRefused(
                "ticket-too-large",
                f"the set of {party} is larger than the {ticket.max_elements[party]} of the ticket",
            )


def _columns(ticket: Ticket, asked: Asked, party: Party) -> frozenset[str]:
    """What a party may get: nothing before stage three, or if it does not learn."""
    if asked.way in ("count", "list") or party not in asked.learners:
        return frozenset()
    return frozenset(ticket.learns[party])
