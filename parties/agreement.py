"""Two nodes agree on a job: the first two messages of every dialogue between them.

The caller says a proposal; the answering node refuses it with a code word, or accepts. Nothing that
depends on either file has been said by then. What was agreed goes into the context of each set's
dialogue, where both ends prove once more that they mean the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from parties.disclosure import TYPES, WIDEST, Column
from parties.identifiers import domain
from parties.refusals import Refusal
from parties.settings import IdentifierSettings, PeerSettings, Settings, Way
from parties.wire import PROTOCOL_VERSION
from parties.wire.v1 import job_pb2 as wire
from psi import PROTOCOLS, Dialogue, Output, Parameters, _core
from psi.dialogue import HEAR
from psi.errors import ApiMisuse, MalformedMessage, PeerIncompatible
from psi.subprotocols.decoys import DECOYS, size_class

MOST_SETS: Final = 64
"""Identifier sets of one job; ten kinds of identifiers, each in a few combinations."""
LONGEST_NAME: Final = 128
"""Characters of a column's name; databases allow 63 to 128."""
MOST_COLUMNS: Final = 256
"""Columns that a node discloses; a label of 1,024 bytes holds fewer."""

M = TypeVar("M", bound=Message)

_WAYS: Final[dict[Way, wire.Way]] = {"count": wire.WAY_COUNT, "match": wire.WAY_MATCH}


@dataclass(frozen=True, slots=True)
class Job:
    """What one node asks another, seen from this node.

    Attributes:
        session: 32 hexadecimal digits, in both logs.
        way: count or match.
        sets: identifier sets, in order; each is a dialogue of its own.
        we_receive: whether we are the receiver.
        both_learn: whether the sender learns its matches too.
        protocol: its name in `psi.protocols`.
    """

    session: str
    way: Way
    sets: tuple[IdentifierSettings, ...]
    we_receive: bool
    both_learn: bool = False
    protocol: str = "dh"

    @property
    def we_learn(self) -> bool:
        """Whether this node learns matches or a count."""
        return self.we_receive or self.both_learn

    @property
    def they_learn(self) -> bool:
        """Whether the other node learns matches or a count."""
        return not self.we_receive or self.both_learn

    @property
    def we_disclose(self) -> bool:
        """Whether the other node gets the agreed columns of ours for matches."""
        return self.way == "match" and self.they_learn

    @property
    def output(self) -> Output:
        """Who learns what, in the words of the toolkit."""
        if self.way == "count":
            return Output.CARDINALITY
        return Output.BOTH if self.both_learn else Output.RECEIVER


@dataclass(frozen=True, slots=True)
class Terms:
    """What both nodes have agreed on for a job.

    Attributes:
        peer: the other node's name.
        context: 32 bytes over everything agreed, the same on both nodes.
        max_elements: the largest set, or number of records, of either.
        their_columns: what they disclose for matches.
        with_labels: whether a side discloses columns, so that labels have a width at all.
    """

    peer: str
    context: bytes
    max_elements: int
    their_columns: tuple[Column, ...]
    with_labels: bool

    def parameters(self, job: Job, spec: IdentifierSettings) -> Parameters:
        """What both sides of one set's dialogue must agree on."""
        return Parameters(
            protocol=job.protocol,
            output=job.output,
            domain=domain(spec),
            context=self.context + spec.name.encode(),
            max_elements=self.max_elements,
            max_label_width=WIDEST if self.with_labels else 0,
        )


def propose(
    settings: Settings, peer: PeerSettings, job: Job, columns: Sequence[Column]
) -> Dialogue[Terms]:
    """Proposes a job, hears whether it is accepted; the calling end.

    Args:
        settings: ours.
        peer: the node we call.
        job: what we ask.
        columns: what we disclose for matches, if they learn.

    Raises:
        PeerIncompatible: the peer accepts but stands elsewhere than an honest node would.
        MalformedMessage: what comes is no acceptance.
    """
    proposal = wire.Proposal(
        standing=_standing(settings, peer, columns),
        way=_WAYS[job.way],
        protocol=job.protocol,
        caller_receives=job.we_receive,
        both_learn=job.both_learn,
        sets=[wire.IdentifierSet(name=each.name, domain=domain(each)) for each in job.sets],
    )
    said = proposal.SerializeToString(deterministic=True)
    yield said
    heard = yield from _hear()
    acceptance = _parse(wire.Acceptance, heard)
    try:
        _check_standing(settings, peer, acceptance.standing)
    except Refusal as refusal:
        raise PeerIncompatible(str(refusal)) from refusal
    return _terms(settings, peer, job, columns, acceptance.standing, said + heard)


def hear_proposal(settings: Settings, peer: PeerSettings, session: str) -> Dialogue[Proposed]:
    """Hears a proposal and checks that this node's settings allow it; the answering end.

    Raises:
        Refusal: the settings do not allow it, with the code word that the peer gets.
        MalformedMessage: what comes is no proposal.
    """
    heard = yield from _hear()
    proposal = _parse(wire.Proposal, heard)
    _check_standing(settings, peer, proposal.standing)
    ways = {number: way for way, number in _WAYS.items()}
    if proposal.way not in ways or (proposal.both_learn and proposal.way != wire.WAY_MATCH):
        raise MalformedMessage("Proposal: no such way")
    if not 0 < len(proposal.sets) <= MOST_SETS:
        raise MalformedMessage(f"Proposal: {len(proposal.sets)} sets, from 1 to {MOST_SETS} may be")
    way = ways[proposal.way]
    if way not in peer.may:
        raise Refusal("way-not-allowed", f"peers.{peer.name} may not {way}")
    if proposal.protocol not in PROTOCOLS:
        raise Refusal("unknown-protocol", "the peer proposes a protocol that this node lacks")
    job = Job(
        session=session,
        way=way,
        sets=_own_sets(settings, proposal.sets),
        we_receive=not proposal.caller_receives,
        both_learn=proposal.both_learn,
        protocol=proposal.protocol,
    )
    if job.they_learn and not peer.may_receive:
        raise Refusal("role-not-allowed", f"peers.{peer.name} may not receive")
    return Proposed(job, proposal.standing, heard)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal that this node's settings allow."""

    job: Job
    standing: wire.Standing
    said: bytes


def accept(
    settings: Settings, peer: PeerSettings, proposed: Proposed, columns: Sequence[Column]
) -> Dialogue[Terms]:
    """Accepts a proposal; the answering end.

    Args:
        settings: ours.
        peer: the node that called.
        proposed: what it proposed.
        columns: what we disclose for matches, if it learns.
    """
    acceptance = wire.Acceptance(standing=_standing(settings, peer, columns))
    said = acceptance.SerializeToString(deterministic=True)
    yield said
    words = proposed.said + said
    return _terms(settings, peer, proposed.job, columns, proposed.standing, words)


def _standing(settings: Settings, peer: PeerSettings, columns: Sequence[Column]) -> wire.Standing:
    return wire.Standing(
        protocol_version=PROTOCOL_VERSION,
        role=settings.node.role,
        normaliser_version=_core.normaliser_version(),
        normaliser_digest=_rules(),
        columns=[wire.Column(name=each.name, type=each.type) for each in columns],
        max_elements=peer.max_elements,
    )


@cache
def _rules() -> bytes:
    """The digest over the normaliser's behaviour: it runs all rules, which takes 40 ms, once."""
    return _core.normaliser_digest()


def _check_standing(settings: Settings, peer: PeerSettings, theirs: wire.Standing) -> None:
    if theirs.protocol_version != PROTOCOL_VERSION:
        raise Refusal(
            "other-version",
            f"{peer.name} runs protocol version {theirs.protocol_version}, "
            f"this node {PROTOCOL_VERSION}; update the older node",
        )
    if theirs.normaliser_digest != _rules():
        raise Refusal(
            "other-normaliser",
            f"{peer.name} normalises identifiers by other rules than version "
            f"{_core.normaliser_version()} of this node; both nodes need the same release",
        )
    if {theirs.role, settings.node.role} != {"insurer", "police"}:
        raise Refusal("same-role", f"{peer.name} and this node must be one insurer and one police")
    if len(theirs.columns) > MOST_COLUMNS:
        raise MalformedMessage(f"Standing: {len(theirs.columns)} columns, at most {MOST_COLUMNS}")
    if len({column.name for column in theirs.columns}) < len(theirs.columns):
        raise MalformedMessage("Standing: a column stands there twice")
    for column in theirs.columns:
        if not 0 < len(column.name) <= LONGEST_NAME or not column.name.isprintable():
            raise MalformedMessage(
                f"Standing: a column's name has 1 to {LONGEST_NAME} printable characters"
            )
        if column.type not in TYPES:
            raise MalformedMessage("Standing: a column of an unknown type")
    if not theirs.max_elements:
        raise MalformedMessage("Standing: no bound on set sizes")


def _terms(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    ours: Sequence[Column],
    theirs: wire.Standing,
    words: bytes,
) -> Terms:
    names = {settings.node.role: settings.node.name, theirs.role: peer.san}
    agreed = [job.session, names["insurer"], names["police"]]
    return Terms(
        peer=peer.name,
        context=hashlib.sha256("\n".join(agreed).encode() + b"\n" + words).digest(),
        # Rounded up to what fills a size class: a refusal then tells no more than the class.
        max_elements=size_class(min(peer.max_elements, theirs.max_elements)) - DECOYS,
        their_columns=tuple(Column(column.name, column.type) for column in theirs.columns),
        with_labels=bool(theirs.columns or ours),
    )


def _own_sets(
    settings: Settings, named: Sequence[wire.IdentifierSet]
) -> tuple[IdentifierSettings, ...]:
    ours = {each.name: each for each in settings.identifiers}
    sets = []
    for each in named:
        if each.name not in ours:
            raise Refusal(
                "unknown-set", "the peer names an identifier set that is not in [identifiers]"
            )
        if each.domain != domain(ours[each.name]):
            raise Refusal("other-kind", f"the peer has another kind for identifiers.{each.name}")
        sets.append(ours[each.name])
    if len({each.name for each in sets}) < len(sets):
        raise MalformedMessage("Proposal: a set stands there twice")
    return tuple(sets)


def _hear() -> Dialogue[bytes]:
    heard = yield HEAR
    if heard is None:
        raise ApiMisuse("a driver must answer HEAR with bytes")
    return heard


def _parse(kind: type[M], data: bytes) -> M:
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise MalformedMessage(f"not a parties.wire.v1.{kind.DESCRIPTOR.name}") from error
    return message
