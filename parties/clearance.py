"""Whether a ticket covers a job: both nodes look before anything is said that depends on data.

The asking node says the ticket with its proposal. Each node verifies it for itself, against the
authorities that its own settings name, and again when more is known of what would be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from parties.disclosure import Column
from parties.errors import LocalFault, TicketRefused
from parties.identifiers import domain
from parties.job import Job
from parties.operators import Party
from parties.operators.acting import Acting
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.tickets import (
    Asked,
    Verified,
    permits,
    revoked,
    suits,
    ticket_in,
    trust_in,
    verify,
)
from parties.tickets.files import SUFFIX, read_ticket
from psi import _core
from psi.lazily import NamedTuple


class Clearance(NamedTuple):
    """A ticket that covers a job.

    Attributes:
        data: the bytes of its file, as they cross.
        verified: what they say, and who has signed it.
    """

    data: bytes
    verified: Verified

    @property
    def protocols(self) -> Collection[str]:
        """By which sets may be matched."""
        return self.verified.ticket.protocols

    def most(self, party: Party) -> int:
        """The largest set that a party may bring."""
        return self.verified.ticket.max_elements[party]


def cover(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    data: bytes,
    at: datetime,
    *,
    ours: Sequence[Column] = (),
    theirs: Sequence[Column] = (),
    sizes: Mapping[Party, int] | None = None,
    protocols: Collection[str] = (),
) -> Clearance:
    """Checks that a ticket covers a job, as far as it is known.

    Args:
        settings: of this node.
        peer: the other.
        job: what is asked.
        data: the bytes of the ticket's file.
        at: now, UTC.
        ours: columns of ours that the peer would get.
        theirs: columns of theirs that we would get.
        sizes: of each party's largest set, as far as they are known.
        protocols: that somebody has asked for; otherwise those of the ticket are chosen from.

    Raises:
        TicketRefused: it does not; the code says in which way.
        SettingsError, CertificateError, LocalFault: this node cannot tell.
    """
    if not data:
        raise TicketRefused("ticket-missing", "no ticket was said")
    verified = verify(data, trust_in(settings, peer), at, revoked(settings))
    permits(verified, _asked(settings, peer, job, ours, theirs, sizes or {}, protocols))
    return Clearance(data, verified)


def must_be_another(acting: Acting | None, clearance: Clearance, party: Party) -> None:
    """Checks that who asks under a ticket has not signed it in another role.

    Whoever answers for a ticket thus does not use it as well, whatever they show each time: people
    are known by their names.

    Args:
        acting: who asks; None if nobody has said so, and this node does not want to know.
        clearance: the ticket.
        party: of this node, whose people are looked at.

    Raises:
        TicketRefused: `ticket-one-person`.
    """
    if acting is None:
        return
    for signer in clearance.verified.signers:
        if (
            signer.key.party == party
            and signer.operator.person == acting.person
            and signer.operator.role != acting.role
        ):
            raise TicketRefused(
                "ticket-one-person",
                f"who asks as {acting.role} has signed the ticket as {signer.key}",
            )


def find(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    at: datetime,
    *,
    ours: Sequence[Column] = (),
    protocols: Collection[str] = (),
    path: Path | None = None,
) -> Clearance:
    """Finds the ticket under which a job is asked; the asking end.

    Args:
        settings: of this node.
        peer: the other.
        job: what is asked.
        at: now, UTC.
        ours: columns of ours that the peer would get.
        protocols: that somebody has asked for.
        path: the ticket's file; None for the only one in the folder of tickets that covers the job.

    Raises:
        TicketRefused: none covers it; or several do, and somebody must say which.
        SettingsError, CertificateError, LocalFault: as of `cover`, or a file cannot be read.
    """
    if path is not None:
        data = read_ticket(path)
        return cover(settings, peer, job, data, at, ours=ours, protocols=protocols)
    folder = settings.tickets.folder
    try:
        paths = sorted(folder.glob(f"*{SUFFIX}"))
    except OSError as fault:
        raise LocalFault(f"{folder}: cannot be read: {fault.strerror}") from None
    found, refused = list[Clearance](), list[TicketRefused]()
    asked = _asked(settings, peer, job, ours, (), {}, protocols)
    for each in paths:
        try:
            data = read_ticket(each)
            suits(ticket_in(data), asked)  # before signatures, which take longer
            found.append(cover(settings, peer, job, data, at, ours=ours, protocols=protocols))
        except TicketRefused as error:
            refused.append(error)
    if len(found) == 1:
        return found[0]
    if found:
        raise TicketRefused(
            "ticket-missing",
            f"{len(found)} tickets in {folder} cover this: name one by --ticket",
        )
    if len(refused) == 1:
        raise refused[0]
    why = Counter(error.code for error in refused)
    counts = ", ".join(f"{count} {code}" for code, count in sorted(why.items()))
    raise TicketRefused(
        "ticket-missing",
        f"no ticket in {folder} covers this ({counts or 'there is none'}): "
        "greenlane ticket draft makes one",
    )


def _asked(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    ours: Sequence[Column],
    theirs: Sequence[Column],
    sizes: Mapping[Party, int],
    protocols: Collection[str],
) -> Asked:
    """What is asked, as tickets say it; arguments as of `cover`."""
    us = settings.node.role
    names = {us: settings.node.name, other(us): peer.san.lower()}
    learns = {us: job.we_learn, other(us): job.they_learn}
    told = {us: [column.name for column in theirs], other(us): [column.name for column in ours]}
    return Asked(
        insurer=names["insurer"],
        police=names["police"],
        way=job.way,
        sets=[(spec.name, domain(spec)) for spec in job.sets],
        protocols=protocols,
        learners=[party for party in learns if learns[party]],
        columns={party: told[party] for party in told if told[party]},
        sizes=sizes,
        normaliser=_core.normaliser_digest().hex(),
    )
