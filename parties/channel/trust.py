"""Trust: whose certificates the answering end accepts, and which it shows, kept up to date.

The files are looked at for each TLS handshake and read again when they have changed, so a renewed
certificate or a new pin counts without a restart. New files that are not sound change nothing: the
old ones stay in use and the log says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from parties.channel.pinning import Pin, read_pin
from parties.channel.probe import learn_leaf
from parties.credentials import Credentials, Identity, read_credentials
from parties.errors import PartyError
from parties.kept import Stamp, stamp_of
from parties.logs import Log
from parties.settings import PeerSettings
from psi.lazily import NamedTuple

_log = Log()

# Unsound files are read again even though they did not change: a certificate may have become valid.
_RETRY_SECONDS: Final = 60.0


class _Snapshot(NamedTuple):
    stamp: Stamp
    credentials: Credentials
    pins: tuple[Pin, ...]


class Trust:
    """Our certificate and the pins of our peers.

    Raises:
        CertificateError, SettingsError: a file or a pin is not sound.
    """

    def __init__(self, identity: Identity, peers: Sequence[PeerSettings]) -> None:
        self._identity = identity
        self._peers = tuple(peers)
        self._learnt: dict[str, Pin] = {}
        self._failed: tuple[Stamp, float] | None = None
        self._now = self._read(self._stamp())
        for pin in self._now.pins:
            if pin.why_unusable:
                _log.warning("peer_cannot_call", peer=pin.peer, reason=pin.why_unusable)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials that demand a certificate from the caller and follow the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            self._renewed,  # type: ignore[arg-type]  # the stubs forget None, "nothing new"
            require_client_authentication=True,
        )

    def peer_of(self, certificate: x509.Certificate) -> str | None:
        """Returns the name of the peer whose certificate this is, or None if it is nobody's."""
        for pin in self._now.pins:
            if pin.accepts(certificate):
                return pin.peer
        return None

    def learn(self) -> bool:
        """Fetches the certificates of peers of which only the fingerprint is known.

        TLS needs the certificate itself to accept a caller. The peer shows it at its own address.

        Returns:
            Whether all are known now.
        """
        addresses = {peer.name: peer.address for peer in self._peers}
        missing = [pin for pin in self._now.pins if not pin.anchors]
        for pin in missing:
            try:
                self._learnt[pin.peer] = learn_leaf(addresses[pin.peer], pin)
            except PartyError as error:
                _log.warning("peer_certificate_not_learnt", peer=pin.peer, reason=str(error))
            except Exception as error:  # whoever answers there must not stop us from asking again
                reason = type(error).__name__
                _log.warning("peer_certificate_not_learnt", peer=pin.peer, reason=reason)
        if not self._learnt.keys().isdisjoint(pin.peer for pin in missing):
            pins = tuple(self._learnt.get(pin.peer, pin) for pin in self._now.pins)
            # No file has an empty stamp, so the next handshake gives TLS the new roots.
            self._now = _Snapshot((), self._now.credentials, pins)
        return all(pin.anchors for pin in self._now.pins)

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns what is new since the last handshake, or None."""
        stamp = self._stamp()
        if stamp == self._now.stamp:
            return None
        if self._failed and self._failed[0] == stamp and monotonic() < self._failed[1]:
            return None
        try:
            self._now = self._read(stamp)
        except PartyError as error:
            self._failed = (stamp, monotonic() + _RETRY_SECONDS)
            _log.warning("certificates_not_renewed", reason=str(error))
            return None
        leaf = self._now.credentials.leaf
        _log.info("certificates_read", valid_until=leaf.not_valid_after_utc.isoformat())
        return self._configuration()

    def _read(self, stamp: Stamp) -> _Snapshot:
        credentials = read_credentials(self._identity)
        pins = [read_pin(peer) for peer in self._peers]
        learnt = [self._learnt.get(pin.peer, pin) for pin in pins]
        return _Snapshot(stamp, credentials, tuple(learnt))

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        credentials = self._now.credentials
        roots = b"".join(pin.anchors_pem for pin in self._now.pins)
        return grpc.ssl_server_certificate_configuration(
            [(credentials.key_pem, credentials.chain_pem)],
            # gRPC wants a root. As long as no peer's is known, our own leaf stands there, which
            # lets nobody in: no pin accepts it.
            root_certificates=roots or credentials.leaf.public_bytes(Encoding.PEM),
        )

    def _stamp(self) -> Stamp:
        """Returns what changes when one of the files does: time, size and place on the disk."""
        pinned = [path for peer in self._peers for path in (peer.ca, peer.certificate)]
        return stamp_of(self._identity.certificate, self._identity.key, *pinned)
