"""A ticket that nobody has signed: what people want, filled up from the settings of a node."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from parties.errors import TicketRefused
from parties.identifiers import domain
from parties.operators import Party
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.tickets.fields import told
from parties.tickets.ticket import FORM, LONGEST_VALID, Ticket, Way, new_id
from psi import _core
from psi.lazily import NamedTuple

DAYS: Final = 30
"""For how long a ticket is valid if nobody says: the case at hand, and no programme."""
MOST_DAYS: Final = LONGEST_VALID.days


class Wish(NamedTuple):
    """What people want of a ticket.

    Attributes:
        purpose, legal_basis, case, floor: as in `Ticket`.
        ways: in which ways.
        sets: names of identifier sets; none for all.
        learns: who learns.
        get: columns of theirs that we get.
        give: columns of ours that they get; None for what the settings disclose to them.
        ours: our largest set; None for what the settings accept.
        theirs: their largest set; None likewise.
        runs: how many; None for one, if there is a way that runs.
        inquiries: how many identifiers.
        protocols: by which; none for those that the settings allow.
        rules: digests of packs of rules.
        days: for how long it is valid.
    """

    purpose: str
    legal_basis: str
    case: str
    ways: Sequence[Way]
    floor: int
    sets: Sequence[str] = ()
    learns: Literal["us", "peer", "both"] = "us"
    get: Sequence[str] = ()
    give: Sequence[str] | None = None
    ours: int | None = None
    theirs: int | None = None
    runs: int | None = None
    inquiries: int = 0
    protocols: Sequence[str] = ()
    rules: Sequence[str] = ()
    days: int = DAYS


def draft(settings: Settings, peer: PeerSettings, wish: Wish, begin: datetime) -> Ticket:
    """Returns a ticket for this node and a peer.

    Args:
        settings: of this node.
        peer: the other.
        wish: what people want.
        begin: from when it is valid, UTC.

    Raises:
        SettingsError: there is no such set.
        TicketRefused: what is wanted makes no ticket; the sentence says which entry.
    """
    if not 1 <= wish.days <= MOST_DAYS:
        raise TicketRefused(
            "ticket-malformed", f"a ticket is valid for 1 to {MOST_DAYS} days, then signed anew"
        )
    party = settings.node.role
    nodes: dict[Party, str] = {party: settings.node.name, other(party): peer.san.lower()}
    whole = set(wish.ways) != {"inquire"}
    begin = begin.replace(microsecond=0)
    given = peer.disclose if wish.give is None else wish.give
    # Columns are told at stage three and in inquiries, and at no other.
    tells = not {"match", "inquire"}.isdisjoint(wish.ways)
    columns = {"us": (party, wish.get), "peer": (other(party), given)}
    learners = [columns[each] for each in ("us", "peer") if wish.learns in (each, "both")]
    sizes = {party: wish.ours, other(party): wish.theirs}
    return Ticket.of(
        {
            "format": FORM,
            "id": new_id(),
            "purpose": wish.purpose,
            "legal_basis": wish.legal_basis,
            "case": wish.case,
            **nodes,
            "sets": [
                {"name": each.name, "domain": domain(each)}
                for each in sorted(settings.sets(wish.sets))
            ],
            "ways": sorted(set(wish.ways)),
            "protocols": sorted(set(wish.protocols or peer.protocols)) if whole else [],
            "learns": {
                learner: {"columns": sorted(set(names)) if tells else []}
                for learner, names in learners
            },
            "max_elements": {
                each: peer.max_elements if size is None else size for each, size in sizes.items()
            },
            "floor": wish.floor,
            "runs": int(whole) if wish.runs is None else wish.runs,
            "inquiries": wish.inquiries,
            "rules": sorted(set(wish.rules)),
            "normaliser": _core.normaliser_digest().hex(),
            "not_before": told(begin),
            "not_after": told(begin + timedelta(days=wish.days)),
        }
    )
