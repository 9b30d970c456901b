"""Whom this node believes about operators: the authorities of its own side and of a peer's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.credentials import is_authority, read_certificates
from parties.errors import CertificateError, SettingsError, TicketRefused
from parties.operators import Operator, Party, read_operator
from parties.operators.chains import BROKEN
from parties.operators.roles import OperatorRole, other
from parties.settings import PeerSettings, Settings
from parties.tickets.ticket import Ticket
from psi.lazily import NamedTuple


class Side(NamedTuple):
    """One party of a ticket, as this node knows it.

    Attributes:
        node: the name that the certificate of its node carries.
        authorities: that issue the certificates of its operators.
    """

    node: str
    authorities: tuple[x509.Certificate, ...]


class Trust(NamedTuple):
    """Both parties, as this node knows them."""

    insurer: Side
    police: Side

    def side(self, party: Party) -> Side:
        """One of the two."""
        return self.insurer if party == "insurer" else self.police


def trust_in(settings: Settings, peer: PeerSettings) -> Trust:
    """Returns whom this node believes about tickets with a peer. Files are read when they change.

    Raises:
        SettingsError: the settings do not say.
        CertificateError: a file cannot be read, or holds another certificate than an authority's.
    """
    theirs = Side(peer.san.lower(), authorities_of(settings, peer))
    ours = own_side(settings)
    return Trust(ours, theirs) if settings.node.role == "insurer" else Trust(theirs, ours)


def own_side(settings: Settings) -> Side:
    """Returns this node's own side.

    Raises:
        SettingsError, CertificateError: as `trust_in`.
    """
    path = settings.operators.authority
    if path is None:
        raise SettingsError(
            f"{settings.path}: [operators] lacks authority, which issues the certificates of those "
            "who sign tickets"
        )
    return Side(settings.node.name, _read(path))


def own_signer(
    settings: Settings,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
    roles: Collection[OperatorRole],
    does: str,
) -> Operator:
    """Returns the operator of this node who signs something.

    Args:
        settings: of this node.
        key: with which is signed.
        chain: the certificate of it, then intermediate authorities.
        at: when the certificate must hold, UTC.
        roles: of which the operator must have one.
        does: what only these do, for the sentence.

    Raises:
        CertificateError: the certificate does not hold, is of another node or role, or the key is
            not that of it; or as `trust_in`.
        SettingsError: as `trust_in`.
    """
    side = own_side(settings)
    operator = read_operator(chain, side.authorities, at)
    if operator.node != side.node or operator.role not in roles:
        raise CertificateError(f"only {' and '.join(roles)} of {side.node} {does}")
    if operator.key != key.public_key().public_bytes_raw():
        raise CertificateError("the key is not that of the certificate")
    return operator


def authorities_of(settings: Settings, peer: PeerSettings) -> tuple[x509.Certificate, ...]:
    """Returns the authorities of a peer's operators.

    Raises:
        SettingsError, CertificateError: as `trust_in`.
    """
    path = peer.operators or peer.ca
    if path is None:
        raise SettingsError(
            f"{settings.path}: [peers.{peer.name}] lacks operators, the authority of those who "
            "sign its tickets; it must be named where the peer is not pinned by ca"
        )
    return _read(path)


def peer_of(settings: Settings, ticket: Ticket) -> PeerSettings:
    """Returns the peer with which a ticket is.

    Raises:
        TicketRefused: it is not for this node, or the settings name no such peer.
    """
    party = settings.node.role
    if ticket.node(party) != settings.node.name:
        raise TicketRefused("ticket-other-peer", f"the ticket names another node as {party}")
    for peer in settings.peers:
        if peer.san.lower() == ticket.node(other(party)):
            return peer
    raise TicketRefused(
        "ticket-other-peer", f"the ticket is with a node that {settings.path} names as no peer"
    )


def _read(path: Path) -> tuple[x509.Certificate, ...]:
    authorities = read_certificates(path)
    for authority in authorities:
        try:
            sound = is_authority(authority)
        except BROKEN:
            sound = False
        if not sound:
            raise CertificateError(f"{path} holds a certificate that is not an authority's")
    return authorities
