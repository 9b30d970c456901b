"""Whether a certificate chains to an authority that is pinned, at a time.

`x509.verification` of `cryptography` knows certificates of servers and clients, and no leaf on
Ed25519; so the rules are stated here, a part of RFC 5280, section 6.1. Each certificate

1. is valid at the time in question (6.1.3 a 2), the authority's own included (stricter: 6.1.1 d);
2. is signed by the next, whose subject is its issuer (6.1.3 a 1, a 4), under SHA-256 or better or
   on Ed25519, by a key of 2,048 bits or more if that is RSA;
3. has no critical extension that is not looked at here (6.1.4 o, 6.1.5 f); so one with name
   constraints or policies that are critical is refused;

and each that has signed another

4. is an authority by its basic constraints (6.1.4 k), and by its key usage if there is one (n);
5. may have as many authorities below it as there are (6.1.4 m).

Nothing is fetched; what was revoked is for `parties.tickets` to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from parties import credentials
from parties.credentials import KNOWN, is_authority

MOST_INTERMEDIATES: Final = 3
"""Authorities between a person and the one that is pinned: of a country, an organisation, a place
are the longest chains in use."""
BROKEN: Final = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises while it reads a certificate that somebody has made up."""
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_LEAST_RSA_BITS: Final = 2048
"""NIST SP 800-131A, table 2: shorter ones are disallowed."""
_LOOKED_AT: Final = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
    }
)


@lru_cache(maxsize=KNOWN)
def read_der(data: bytes) -> x509.Certificate | None:
    """Reads a certificate that somebody has sent, the same bytes once; None if it is none.

    A person signs a ticket for two stages, and the certificate comes with each signature.
    """
    certificate = credentials.read_der(data)
    try:  # both are parsed when they are first asked for
        _ = certificate and (certificate.extensions, certificate.public_key())
    except BROKEN:
        return None
    return certificate


def why_not_chained(
    chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], at: datetime
) -> str | None:
    """Returns why a certificate does not chain to one of these authorities, or None if it does.

    Args:
        chain: the certificate, then intermediate authorities in order; without the pinned one.
        authorities: those that are pinned.
        at: the time in question, UTC.

    Returns:
        A clause for people, which quotes nothing.
    """
    if len(chain) > MOST_INTERMEDIATES + 1:
        return f"comes with more than {MOST_INTERMEDIATES} intermediate authorities"
    for place, certificate in enumerate(chain):
        if why := _why_not_valid(certificate, at):
            return why
        if place and not _may_sign(certificate, below=place - 1):
            return "was issued by one that may not issue it"
    for certificate, issuer in pairwise(chain):
        if not _signed(issuer, certificate):
            return "does not lead to the authorities that come with it"
    pinned = [
        authority
        for authority in authorities
        if _may_sign(authority, below=len(chain) - 1) and _signed(authority, chain[-1])
    ]
    if not pinned:
        return "was not issued by an authority that is pinned"
    if all(_why_not_valid(authority, at) for authority in pinned):
        return "was issued by an authority that was not valid then"
    return None


def _why_not_valid(certificate: x509.Certificate, at: datetime) -> str | None:
    if at < certificate.not_valid_before_utc:
        return "was not valid yet then"
    if at > certificate.not_valid_after_utc:
        return "had expired then"
    critical = {each.oid for each in certificate.extensions if each.critical}
    if not critical <= _LOOKED_AT:
        return "has a critical extension that this release does not know"
    return None


def _may_sign(certificate: x509.Certificate, below: int) -> bool:
    """Whether it may sign others, with so many authorities in between."""
    if not is_authority(certificate):
        return False
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    return constraints.path_length is None or below <= constraints.path_length


@lru_cache(maxsize=KNOWN)
def _signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether an issuer's signature stands under a certificate, which time does not change."""
    try:
        key, algorithm = issuer.public_key(), certificate.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
            return False
        if algorithm is not None and not isinstance(algorithm, _HASHES):
            return False
        certificate.verify_directly_issued_by(issuer)
    except BROKEN:
        return False
    return True
