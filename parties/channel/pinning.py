"""Pins: how a node knows that a certificate is the one peer's and nobody else's.

TLS checks that a certificate leads to one of the roots it was given, and that its holder has the
key. The answering end gives it the roots of all peers, so each of these could vouch for any name;
what binds a name to *its own* root is `Pin.accepts`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from parties.credentials import (
    KNOWN,
    fingerprint,
    is_authority,
    names_of,
    read_certificates,
    why_not_now,
)
from parties.errors import CertificateError, SettingsError
from parties.settings import PeerSettings
from psi.lazily import NamedTuple

_FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """What is known of a peer's certificate. Public.

    Attributes:
        peer: the peer's name in our settings.
        san: the name that its certificate must carry.
        authorities: those that may have issued it; if there are none, `leaf` counts.
        leaf: the fingerprint of the certificate itself.
        anchors: what TLS is to trust: the authorities, or the leaf; none if only the fingerprint
            is known yet.
    """

    peer: str
    san: str
    authorities: tuple[x509.Certificate, ...]
    leaf: str | None
    anchors: tuple[x509.Certificate, ...]

    def accepts(self, certificate: x509.Certificate) -> bool:
        """Whether this is the peer's certificate and is valid now."""
        return self.why_not(certificate) is None

    def why_not(self, certificate: x509.Certificate) -> str | None:
        """Returns why this is not the peer's certificate, or None if it is."""
        if self.leaf is not None and fingerprint(certificate) != self.leaf:
            return "is not the one that is pinned"
        if self.leaf is None and not any(_issued(one, certificate) for one in self.authorities):
            return "was not issued by the authority that is pinned"
        if self.san not in names_of(certificate):
            return f"does not carry the name {self.san}"
        return why_not_now(certificate)

    @property
    def anchors_pem(self) -> bytes:
        """The anchors as one PEM file."""
        return b"".join(anchor.public_bytes(Encoding.PEM) for anchor in self.anchors)

    @property
    def why_unusable(self) -> str | None:
        """Why no certificate at all can be accepted today, or None."""
        reasons = [why_not_now(anchor) for anchor in self.anchors]
        if not reasons or None in reasons:
            return None
        return f"what is pinned for {self.peer} {reasons[0]}: ask {self.peer} for a new one"

    def with_leaf(self, certificate: x509.Certificate) -> Pin:
        """Returns the pin with the certificate that has the pinned fingerprint as its anchor."""
        return Pin(self.peer, self.san, (), self.leaf, (certificate,))


def read_pin(peer: PeerSettings) -> Pin:
    """Reads what the settings say of a peer's certificate.

    Raises:
        SettingsError: not exactly one of `ca`, `certificate` and `fingerprint` is given.
        CertificateError: a file cannot be read, or is not what it must be. Names the file.
    """
    san = peer.san.lower()
    match (peer.ca, peer.certificate, peer.fingerprint):
        case (ca, None, None) if ca is not None:
            authorities = read_certificates(ca)
            for authority in authorities:
                if not is_authority(authority):
                    raise CertificateError(
                        f"{ca} (peer {peer.name}) is not an authority's certificate: pin a node's "
                        "own certificate with `certificate`"
                    )
            return Pin(peer.name, san, authorities, None, authorities)
        case (None, file, None) if file is not None:
            certificate = read_certificates(file)[0]
            pin = Pin(peer.name, san, (), fingerprint(certificate), (certificate,))
            if san not in names_of(certificate):
                raise CertificateError(
                    f"{file} (peer {peer.name}) does not carry the name {san}: correct `san`, or "
                    f"ask {peer.name} for its certificate"
                )
            return pin
        case (None, None, text) if text is not None and _FINGERPRINT.fullmatch(text.lower()):
            return Pin(peer.name, san, (), text.lower(), ())
        case _:
            raise SettingsError(
                f"peers.{peer.name}: give one of ca (a PEM file), certificate (a PEM file) and "
                'fingerprint ("sha256:" and 64 hexadecimal digits)'
            )


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    if why_not_now(authority):
        return False
    return _signed(authority, certificate)


@lru_cache(maxsize=KNOWN)
def _signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether an authority's signature stands under a certificate, which time does not change."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
