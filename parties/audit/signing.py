"""Signatures of a node under its certificate, and what is asked of a certificate that signed.

What is signed begins with a domain of its own, so that no signature of one thing passes for one of
another, and with the digest of the certificate, of which nothing else would be bound but its key.
Whether a certificate that carries a node's name is that node's is told by where it was seen: a
peer's over pinned TLS, our own in our files, an older one in a line of the log.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from parties import signatures
from parties.credentials import Credentials, fingerprint, names_of
from parties.signatures import SigningKey


def sign(domain: bytes, data: bytes, credentials: Credentials) -> bytes:
    """Signs with the key of this node's certificate."""
    key = load_pem_private_key(credentials.key_pem, password=None)
    assert isinstance(key, SigningKey), "read_credentials takes no other"  # noqa: S101
    return signatures.sign(_bound(domain, data, credentials.leaf), key)


def is_signed(
    domain: bytes, data: bytes, signature: bytes, certificate: x509.Certificate, node: str
) -> bool:
    """Whether the signature is that of the certificate, and this carries the node's name."""
    return node in names_of(certificate) and signatures.is_signed(
        _bound(domain, data, certificate), signature, certificate
    )


def _bound(domain: bytes, data: bytes, certificate: x509.Certificate) -> bytes:
    return domain + fingerprint(certificate).encode() + data
