"""Where two nodes stand, which each tells the other first, and how their words are heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from parties.disclosure import LONGEST_NAME, MOST_COLUMNS, TYPES, Column
from parties.identifiers import domain
from parties.refusals import Refusal
from parties.settings import IdentifierSettings, PeerSettings, Settings
from parties.wire import PROTOCOL_VERSION
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, _core
from psi.dialogue import HEAR
from psi.errors import ApiMisuse, MalformedMessage, PeerIncompatible

MOST_PROTOCOLS: Final = 64
"""Names of protocols that a node lists; there are fewer."""

M = TypeVar("M", bound=Message)


def standing(settings: Settings, peer: PeerSettings, columns: Sequence[Column]) -> wire.Standing:
    """Where this node stands, for a peer.

    Args:
        settings: ours.
        peer: whom it is told.
        columns: what we disclose in this job.
    """
    return wire.Standing(
        protocol_version=PROTOCOL_VERSION,
        role=settings.node.role,
        normaliser_version=_core.normaliser_version(),
        normaliser_digest=_core.normaliser_digest(),
        columns=[wire.Column(name=each.name, type=each.type) for each in columns],
        max_elements=peer.max_elements,
        protocols=sorted(peer.protocols),
    )


def check_standing(settings: Settings, peer: PeerSettings, theirs: wire.Standing) -> None:
    """Checks that a job with a node that stands there makes sense.

    Raises:
        Refusal: it does not, with the code word that the peer gets.
        MalformedMessage: no honest node stands there.
    """
    if theirs.protocol_version != PROTOCOL_VERSION:
        raise Refusal(
            "other-version",
            f"{peer.name} runs protocol version {theirs.protocol_version}, "
            f"this node {PROTOCOL_VERSION}; update the older node",
        )
    if theirs.normaliser_digest != _core.normaliser_digest():
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
    if len(theirs.protocols) > MOST_PROTOCOLS:
        raise MalformedMessage(f"Standing: more than {MOST_PROTOCOLS} protocols")
    if not theirs.max_elements:
        raise MalformedMessage("Standing: no bound on set sizes")


def check_answer(settings: Settings, peer: PeerSettings, theirs: wire.Standing) -> None:
    """Checks where a node that we called stands; there is nobody to refuse.

    Raises:
        PeerIncompatible: a job with it makes no sense.
        MalformedMessage: no honest node stands there.
    """
    try:
        check_standing(settings, peer, theirs)
    except Refusal as refusal:
        raise PeerIncompatible(str(refusal)) from refusal


def own_sets(
    settings: Settings, named: Sequence[wire.IdentifierSet]
) -> tuple[IdentifierSettings, ...]:
    """Returns our sets of the names that a peer has said.

    Raises:
        Refusal: there is none of a name, or it is of another kind.
        MalformedMessage: one stands there twice.
    """
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


def hear() -> Dialogue[bytes]:
    """Hears the bytes of one message."""
    heard = yield HEAR
    if heard is None:
        raise ApiMisuse("a driver must answer HEAR with bytes")
    return heard


def parse(kind: type[M], data: bytes) -> M:
    """Reads a message of this kind.

    Raises:
        MalformedMessage: it is none.
    """
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise MalformedMessage(f"not a parties.wire.v1.{kind.DESCRIPTOR.name}") from error
    return message
