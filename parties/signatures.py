"""Signatures under the keys of certificates: ECDSA with SHA-256, RSA-PSS, or Ed25519.

Nodes have one of the first two (`parties.credentials`), operators the last. Whether the certificate
is that of whom it should be is for the caller to judge.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

SigningKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KEYS_KNOWN: Final = 256
"""Certificates of which the key is remembered: of more people than sign a node's tickets."""
LONGEST: Final = 1024
"""Bytes of a signature: of an RSA key of 8,192 bits."""


def sign(data: bytes, key: SigningKey) -> bytes:
    """Signs; with ECDSA and Ed25519 always the same (RFC 6979, RFC 8032)."""
    match key:
        case ec.EllipticCurvePrivateKey():
            # So that it does not tell one process or call from another.
            return key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        case rsa.RSAPrivateKey():
            return key.sign(data, _pss(), hashes.SHA256())
        case _:
            return key.sign(data)


def is_signed(data: bytes, signature: bytes, certificate: x509.Certificate) -> bool:
    """Whether this is the certificate's signature over the data."""
    try:
        match _key_of(certificate):
            case ec.EllipticCurvePublicKey() as key:
                key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey() as key:
                key.verify(signature, data, _pss(), hashes.SHA256())
            case ed25519.Ed25519PublicKey() as key:
                key.verify(signature, data)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


@lru_cache(maxsize=KEYS_KNOWN)
def _key_of(certificate: x509.Certificate) -> object:
    """The public key, decoded once: a person signs each ticket twice, a node all its receipts."""
    return certificate.public_key()


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
