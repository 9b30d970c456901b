"""A ticket for a first try of two nodes on one machine, with made-up rows.

It is signed as any other, by eight operators whom the authorities of `greenlane init` name for it
and whose keys are dropped at once. It holds for what both settings say, for a month.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.errors import SettingsError
from parties.identifiers import domain
from parties.operators import DUTIES, Party
from parties.operators.issuing import issued_to
from parties.operators.roles import APPROVER, other
from parties.settings import PeerSettings, Settings
from parties.settings_file import MOST_ELEMENTS
from parties.tickets.drafting import Wish, draft
from parties.tickets.files import SUFFIX, write_ticket
from parties.tickets.signing import SignedTicket, sign
from parties.tickets.ticket import MOST_RUNS, WAYS, TicketSet, Way
from psi import PROTOCOLS

PURPOSE: Final = "a first try, with made-up rows"
NUMBER: Final = "trial"
"""Of the case and of the approval, of which there is none."""


def file_of(way: Way, peer: str) -> str:
    """Returns the name of the file, in a folder of tickets; a newer one takes its place.

    Args:
        way: that the ticket allows.
        peer: with which it is, as the node of the folder calls it.
    """
    return f"trial-{way}-{peer}{SUFFIX}"


def write_trial(ours: Settings, theirs: Settings, at: datetime) -> None:
    """Puts tickets of `make_trial` into the folders of tickets of both nodes, one for each way.

    No way thus waits for another, as the stages of one ticket do.

    Raises:
        SettingsError, CertificateError: as `make_trial`.
        LocalFault: a file cannot be written.
    """
    for way in WAYS:
        signed = make_trial(ours, theirs, at, (way,))
        for settings, peer in ((ours, _peer(ours, theirs)), (theirs, _peer(theirs, ours))):
            write_ticket(settings.tickets.folder / file_of(way, peer.name), signed)


def make_trial(
    ours: Settings,
    theirs: Settings,
    at: datetime,
    ways: Sequence[Way] = WAYS,
    runs: int = MOST_RUNS,
    floor: int = 0,
) -> SignedTicket:
    """Signs a ticket for two nodes whose authorities are on this machine.

    It allows every protocol and identifier set; columns are those that the settings disclose.

    Args:
        ours: settings of one node; of a set that the nodes have of different kinds, its is taken.
        theirs: settings of the other.
        at: now, UTC.
        ways: that it allows.
        runs: how many, but for inquiries.
        floor: the least number of hits that is told.

    Raises:
        SettingsError: one does not know the other, or names no authority of operators.
        CertificateError: the authorities are not those of `greenlane init`.
    """
    peer = _peer(ours, theirs)
    wish = Wish(
        purpose=PURPOSE,
        legal_basis=PURPOSE,
        case=NUMBER,
        ways=ways,
        floor=floor,
        learns="both",
        get=_peer(theirs, ours).disclose,
        runs=runs if {*ways} != {"inquire"} else 0,
        inquiries=MOST_ELEMENTS if "inquire" in ways else 0,
        protocols=tuple(PROTOCOLS),
    )
    ticket = draft(ours, peer, wish, at)
    sets = {each.name: TicketSet(each.name, domain(each)) for each in theirs.identifiers}
    sets |= {each.name: each for each in ticket.sets}
    signed = SignedTicket(ticket._replace(sets=tuple(sorted(sets.values()))))
    us = ours.node.role
    sides: dict[Party, Settings] = {us: ours, other(us): theirs}
    for party, settings in sides.items():
        authority = settings.operators.authority
        if authority is None:
            raise SettingsError(f"{settings.path}: [operators] lacks authority")
        for duty in DUTIES[party]:
            key = Ed25519PrivateKey.generate()
            certificate = issued_to(settings.node.name, f"trial-{duty}", duty, key, authority)
            for stage in ticket.stages():
                number = NUMBER if duty == APPROVER else ""
                signed = sign(signed, stage, key, [certificate], at, number)
    return signed


def _peer(settings: Settings, other: Settings) -> PeerSettings:
    for peer in settings.peers:
        if peer.san == other.node.name:
            return peer
    raise SettingsError(f"{settings.path}: no peer is the node {other.node.name}")
