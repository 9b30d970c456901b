"""Two nodes agree on a job with whole sets: the first three messages of its dialogue.

The caller says a proposal; the answering node refuses it with a code word, or accepts and says the
sizes of its sets, as it would show them anyway. The caller then chooses how each set is matched.
What was agreed goes into the context of each set's dialogue, where both ends prove once more that
they mean the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from parties.clearance import Clearance, cover
from parties.disclosure import WIDEST, Column
from parties.errors import TicketRefused
from parties.identifiers import domain
from parties.job import Chosen, Job
from parties.operators.roles import other
from parties.refusals import Refusal
from parties.runs import Side
from parties.settings import IdentifierSettings, PeerSettings, Settings, Way
from parties.standing import check_answer, check_standing, hear, own_sets, parse, standing
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Parameters
from psi.errors import BoundExceeded, MalformedMessage
from psi.lazily import NamedTuple
from psi.planner import able
from psi.subprotocols.decoys import DECOYS, size_class

MOST_SETS: Final = 64
"""Identifier sets of one job; ten kinds of identifiers, each in a few combinations."""

COMMITMENT: Final = 32
"""Bytes of a commitment (`psi.Elements.commitment`)."""
_DIGEST: Final = hashlib.sha256().digest_size

_WAYS: Final[dict[Way, wire.Way]] = {
    "count": wire.WAY_COUNT,
    "list": wire.WAY_LIST,
    "match": wire.WAY_MATCH,
    "inquire": wire.WAY_INQUIRE,
}


class Terms(NamedTuple):
    """What both nodes have agreed on for a job.

    Attributes:
        peer: the other node's name.
        context: 32 bytes over everything agreed, the same on both nodes.
        max_elements: the largest set, or number of records, of either.
        ours: size of our side of each set, as it is shown.
        theirs: size of the peer's side, of which it may show no more.
        their_columns: what they disclose for matches.
        with_labels: whether a side discloses columns, so that labels have a width at all.
        chosen: how each set is matched.
    """

    peer: str
    context: bytes
    max_elements: int
    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    their_columns: tuple[Column, ...]
    with_labels: bool
    chosen: tuple[Chosen, ...]

    def parameters(self, job: Job, spec: IdentifierSettings, chosen: Chosen) -> Parameters:
        """What both sides of one set's dialogue must agree on."""
        return Parameters(
            protocol=chosen.protocol,
            output=job.output,
            domain=domain(spec),
            context=self.context + spec.name.encode(),
            max_elements=self.max_elements,
            max_label_width=WIDEST if self.with_labels else 0,
        )


class Accepted(NamedTuple):
    """A job that the peer accepts.

    Attributes:
        job: what is asked.
        ours: what we bring.
        theirs: what the peer brings.
        standing: where the peer stands.
        sizes: of its side of each set, as it says.
        most: the largest set, or number of records, that we may bring.
        may: the protocols that both and the ticket allow and that tell what is to be learnt.
        words: all that was said and heard.
    """

    job: Job
    ours: Side
    theirs: Side
    standing: wire.Standing
    sizes: tuple[int, ...]
    most: int
    may: tuple[str, ...]
    words: bytes


def propose(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    ours: Side,
    clearance: Clearance,
) -> Dialogue[Accepted]:
    """Proposes a job and hears whether it is accepted; the calling end.

    Args:
        settings: ours.
        peer: the node we call.
        job: what we ask.
        ours: what we bring; columns only if they learn.
        clearance: the ticket under which we ask.

    Raises:
        PeerIncompatible: the peer accepts but stands elsewhere than an honest node would.
        MalformedMessage: what comes is no acceptance.
        BoundExceeded: the peer brings more than we accept.
        TicketRefused: the ticket does not cover what the peer would tell.
    """
    proposal = wire.Proposal(
        standing=standing(settings, peer, ours.columns),
        way=_WAYS[job.way],
        caller_receives=job.we_receive,
        both_learn=job.both_learn,
        sets=[wire.IdentifierSet(name=each.name, domain=domain(each)) for each in job.sets],
        ticket=clearance.data,
        inputs=ours.inputs,
    )
    said = proposal.SerializeToString(deterministic=True)
    yield said
    heard = yield from hear()
    acceptance = parse(wire.Acceptance, heard)
    theirs = acceptance.standing
    check_answer(settings, peer, theirs)
    _check_sizes("Acceptance", settings, peer, job, clearance, acceptance.sizes)
    brought = _side("Acceptance", job, theirs, acceptance.inputs)
    now = datetime.now(UTC)
    cover(settings, peer, job, clearance.data, now, ours=ours.columns, theirs=brought.columns)
    return Accepted(
        job=job,
        ours=ours,
        theirs=brought,
        standing=theirs,
        sizes=tuple(acceptance.sizes),
        most=_most(peer, theirs),
        may=tuple(_able(peer, job, ours.columns, theirs, clearance)),
        words=said + heard,
    )


def choose(
    settings: Settings,
    peer: PeerSettings,
    accepted: Accepted,
    chosen: Sequence[Chosen],
    sizes: Sequence[int],
) -> Dialogue[Terms]:
    """Says how each set is matched; the calling end.

    Args:
        settings: ours.
        peer: the node we call.
        accepted: what it has accepted.
        chosen: one for each set.
        sizes: of our side of each set, as the peer may see them.
    """
    choice = wire.Choice(
        plans=[wire.Plan(protocol=c.protocol, caller_receives=c.we_receive) for c in chosen],
        sizes=sizes,
    ).SerializeToString(deterministic=True)
    yield choice
    job, theirs, words = accepted.job, accepted.standing, accepted.words + choice
    told = bool(accepted.ours.columns or theirs.columns)
    both = tuple(sizes), accepted.sizes
    return _terms(settings, peer, job, theirs, tuple(chosen), both, words, with_labels=told)


def read_proposal(settings: Settings, peer: PeerSettings, session: str, heard: bytes) -> Proposed:
    """Reads a proposal of a job and checks that this node's settings allow it; the answering end.

    Args:
        settings: of this node.
        peer: the node that called.
        session: of the call.
        heard: the first message.

    Raises:
        Refusal: the settings do not allow it, with the code word that the peer gets.
        TicketRefused: the ticket does not.
        MalformedMessage: what comes is no proposal of a job.
    """
    proposal = parse(wire.Proposal, heard)
    check_standing(settings, peer, proposal.standing)
    ways = {number: way for way, number in _WAYS.items()}
    if proposal.way not in ways or (
        proposal.both_learn and proposal.way not in (wire.WAY_LIST, wire.WAY_MATCH)
    ):
        raise MalformedMessage("Proposal: no such way")
    if not 0 < len(proposal.sets) <= MOST_SETS:
        raise MalformedMessage(f"Proposal: {len(proposal.sets)} sets, from 1 to {MOST_SETS} may be")
    way = ways[proposal.way]
    if way not in peer.may:
        raise Refusal("way-not-allowed", f"peers.{peer.name} may not {way}")
    job = Job(
        session=session,
        way=way,
        sets=own_sets(settings, proposal.sets),
        we_receive=not proposal.caller_receives,
        both_learn=proposal.both_learn,
    )
    if job.they_learn and not peer.may_receive:
        raise Refusal("role-not-allowed", f"peers.{peer.name} may not receive")
    if way == "inquire" and job.we_receive:
        raise MalformedMessage("Proposal: who inquires is who learns")
    if proposal.about:
        raise MalformedMessage("Proposal: of a job, and about a ticket")
    if len(proposal.tables) not in ((0, _DIGEST) if way == "inquire" else (0,)):
        raise MalformedMessage("Proposal: tables by a digest of another length, or of no inquiry")
    brought = _side("Proposal", job, proposal.standing, proposal.inputs)
    data, now = proposal.ticket, datetime.now(UTC)
    clearance = cover(settings, peer, job, data, now, theirs=brought.columns)
    if way != "inquire" and not _able(peer, job, (), proposal.standing, clearance):
        if able(set(peer.protocols) & set(proposal.standing.protocols), job.output):
            raise TicketRefused(
                "ticket-other-protocol", "no protocol of the ticket is one that both nodes allow"
            )
        raise Refusal(
            "protocol-not-allowed",
            f"peers.{peer.name}: no protocol that both nodes allow tells what is to be learnt "
            f"({job.output.value}); compare `protocols` on both nodes",
        )
    most = _most(peer, proposal.standing)
    return Proposed(job, brought, proposal.standing, heard, most, clearance, proposal.tables)


class Proposed(NamedTuple):
    """A proposal that this node's settings allow.

    Attributes:
        job: what is asked.
        theirs: what the caller brings.
        standing: where the caller stands.
        said: its bytes.
        max_elements: the largest set, or number of records, that we may bring.
        clearance: the ticket under which it is asked.
        tables: of an inquiry, SHA-256 of the Tables that the caller expects; empty if of none.
    """

    job: Job
    theirs: Side
    standing: wire.Standing
    said: bytes
    max_elements: int
    clearance: Clearance
    tables: bytes = b""


def accept(
    settings: Settings,
    peer: PeerSettings,
    proposed: Proposed,
    ours: Side,
    sizes: Sequence[int],
) -> Dialogue[Terms]:
    """Accepts a proposal and hears how each set is matched; the answering end.

    Args:
        settings: ours.
        peer: the node that called.
        proposed: what it proposed.
        ours: what we bring; columns only if it learns.
        sizes: of our side of each set, as the peer may see them.

    Raises:
        MalformedMessage: what comes is no choice for these sets.
        Refusal: it chose a protocol that is not allowed, or that the two do not have in common.
    """
    job, clearance, theirs = proposed.job, proposed.clearance, proposed.standing
    columns = ours.columns
    acceptance = wire.Acceptance(
        standing=standing(settings, peer, columns), sizes=sizes, inputs=ours.inputs
    )
    said = acceptance.SerializeToString(deterministic=True)
    yield said
    heard = yield from hear()
    choice = parse(wire.Choice, heard)
    _check_sizes("Choice", settings, peer, job, clearance, choice.sizes)
    chosen = _chosen(peer, job, _able(peer, job, columns, theirs, clearance), choice)
    words, both = proposed.said + said + heard, (tuple(sizes), tuple(choice.sizes))
    told = bool(columns or theirs.columns)
    return _terms(settings, peer, job, theirs, chosen, both, words, with_labels=told)


def _chosen(
    peer: PeerSettings, job: Job, may: Collection[str], choice: wire.Choice
) -> tuple[Chosen, ...]:
    if len(choice.plans) != len(job.sets):
        raise MalformedMessage("Choice: not one plan for each set")
    for plan in choice.plans:
        if plan.protocol not in may:
            raise Refusal(
                "protocol-not-allowed", f"peers.{peer.name} chose a protocol that it may not"
            )
        if plan.caller_receives == job.we_receive and not job.both_learn:
            raise MalformedMessage("Choice: the receiver is not the one that is to learn")
    return tuple(Chosen(plan.protocol, not plan.caller_receives) for plan in choice.plans)


def _able(
    peer: PeerSettings,
    job: Job,
    columns: Sequence[Column],
    theirs: wire.Standing,
    clearance: Clearance,
) -> list[str]:
    """The protocols that nodes and ticket allow and that tell all that is to be learnt."""
    allowed = set(peer.protocols) & set(theirs.protocols) & set(clearance.protocols)
    return able(allowed, job.output, labels=bool(columns) or bool(theirs.columns))


def _most(peer: PeerSettings, theirs: wire.Standing) -> int:
    # Rounded up to what fills a size class: a refusal then tells no more than the class.
    return size_class(min(peer.max_elements, theirs.max_elements)) - DECOYS


def _check_sizes(
    message: str,
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    clearance: Clearance,
    sizes: Sequence[int],
) -> None:
    """Checks what a peer says of the sizes of its sides."""
    if len(sizes) != len(job.sets):
        raise MalformedMessage(f"{message}: not one size for each set")
    if min(sizes) < DECOYS:
        raise MalformedMessage(f"{message}: a size that no set has")
    if max(sizes) > size_class(peer.max_elements):
        raise BoundExceeded(
            f"{peer.name} brings more elements or records than the {peer.max_elements} of "
            f"peers.{peer.name}.max_elements"
        )
    if max(sizes) > size_class(clearance.most(other(settings.node.role))):
        raise TicketRefused(
            "ticket-too-large",
            f"{peer.name} brings more elements or records than the ticket allows",
        )


def _side(message: str, job: Job, standing: wire.Standing, inputs: Sequence[bytes]) -> Side:
    """What a peer says that it brings."""
    due = 0 if job.way == "inquire" else len(job.sets)
    if [len(digest) for digest in inputs] != [COMMITMENT] * due:
        raise MalformedMessage(f"{message}: not one commitment for each set")
    return Side(_columns(standing), tuple(inputs))


def _columns(standing: wire.Standing) -> tuple[Column, ...]:
    return tuple(Column(column.name, column.type) for column in standing.columns)


def _terms(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    theirs: wire.Standing,
    chosen: tuple[Chosen, ...],
    sizes: tuple[tuple[int, ...], tuple[int, ...]],
    words: bytes,
    *,
    with_labels: bool,
) -> Terms:
    names = {settings.node.role: settings.node.name, theirs.role: peer.san}
    agreed = [job.session, names["insurer"], names["police"]]
    return Terms(
        peer=peer.name,
        context=hashlib.sha256("\n".join(agreed).encode() + b"\n" + words).digest(),
        max_elements=_most(peer, theirs),
        ours=sizes[0],
        theirs=sizes[1],
        their_columns=_columns(theirs),
        with_labels=with_labels,
        chosen=chosen,
    )
