"""Certificates and keys as they are read from PEM files, and what they say.

A node proves its name with the two files of an `Identity`. They are looked at for each call and
read anew when they have changed, and whatever would make TLS fail is found here first and named
with its file.
Certificates are public; keys are secret and leave this file only as bytes in `Credentials.key_pem`.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning

from parties.errors import CertificateError
from parties.kept import Kept
from psi.lazily import NamedTuple

# A renewal replaces two files, one just after the other; whoever reads in between looks again.
_RENEWAL_GAP_SECONDS: Final = 0.1

# The library warns of a serial number that is not positive (RFC 5280, section 4.1.2.2), and means
# to refuse it. What a peer says must not write to stderr.
warnings.filterwarnings("error", "Parsed a serial number", CryptographyDeprecationWarning)
_UNREADABLE: Final = (ValueError, CryptographyDeprecationWarning)
_MALFORMED: Final = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What is raised of a certificate whose extensions cannot be read."""

CLOCK_SKEW: Final = timedelta(hours=1)
"""Two organisations' clocks may differ; an hour also covers a clock set without summer time."""

LONGEST_CERTIFICATE: Final = 1 << 14
"""Bytes: an RSA key of 8,192 bits, its authority's signature and a page of names are 4 KiB."""
MOST_RSA_BITS: Final = 8192
"""Of a node's key: its signatures have 1,024 bytes (`parties.signatures.LONGEST`)."""

KNOWN: Final = 256
"""Certificates of which is remembered what never changes of them: more than a node has peers."""


class Identity(NamedTuple):
    """The two PEM files with which a node, or an authority, proves its name.

    Attributes:
        certificate: the leaf first, then intermediate authorities if there are any.
        key: the private key of the leaf, without a passphrase; secret.
    """

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the files of an `Identity` held when they were read and found sound.

    Attributes:
        leaf: the node's own certificate.
        chain_pem: the whole certificate file.
        key_pem: the private key; secret, and left out of the representation.
    """

    leaf: x509.Certificate
    chain_pem: bytes
    key_pem: bytes

    @property
    def leaf_der(self) -> bytes:
        """The node's own certificate."""
        return self.leaf.public_bytes(Encoding.DER)

    def __repr__(self) -> str:
        return f"Credentials({fingerprint(self.leaf)})"


def read_credentials(files: Identity) -> Credentials:
    """Reads a node's certificate and key and checks that they can be used now.

    Raises:
        CertificateError: a file cannot be read, the key is not the certificate's or of a kind that
            TLS does not accept, or the certificate is not valid today. Names the file.
    """
    try:
        credentials = _CREDENTIALS.get(*files)
    except _PairMismatch:
        time.sleep(_RENEWAL_GAP_SECONDS)
        credentials = _CREDENTIALS.get(*files)
    if why := why_not_now(credentials.leaf):
        raise CertificateError(f"{files.certificate} {why}: renew it, or set this machine's clock")
    return credentials


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Returns the certificates of a PEM file, of which there is at least one.

    Raises:
        CertificateError: the file cannot be read or holds no certificate.
    """
    return _CERTIFICATES.get(path)


@lru_cache(maxsize=KNOWN)
def read_der(data: bytes) -> x509.Certificate | None:
    """Reads a certificate in DER that somebody else has given; None if it is none."""
    try:
        return x509.load_der_x509_certificate(data)
    except (*_UNREADABLE, x509.InvalidVersion):
        return None


@lru_cache(maxsize=KNOWN)
def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Returns the DNS names of the subject, in lower case; none if it has no such extension."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, *_MALFORMED):
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))


@lru_cache(maxsize=KNOWN)
def is_authority(certificate: x509.Certificate) -> bool:
    """Whether the certificate may sign others (RFC 5280, 4.2.1.9 and 4.2.1.3)."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        if not constraints.value.ca:
            return False
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid  # which restricts, and need not be there
    except _MALFORMED:
        return False
    return usage.value.key_cert_sign


@lru_cache(maxsize=KNOWN)
def fingerprint(certificate: x509.Certificate) -> str:
    """Returns "sha256:" and the hexadecimal digest of the DER form."""
    return f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"


def why_not_now(certificate: x509.Certificate) -> str | None:
    """Returns why the certificate is not valid at this moment, or None if it is."""
    now = datetime.now(UTC)
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if now > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    return None


class _PairMismatch(CertificateError):
    """The key is not the certificate's; perhaps a renewal is under way."""


def _read_credentials(certificate: Path, key_file: Path) -> Credentials:
    files = Identity(certificate, key_file)
    chain_pem, key_pem = _read(files.certificate), _read(files.key)
    leaf = _parse(chain_pem, files.certificate)[0]
    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"{files.key} holds no PEM private key that can be read without a passphrase"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CertificateError(f"{files.key} is neither an ECDSA nor an RSA key: make one on P-256")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size > MOST_RSA_BITS:
        raise CertificateError(f"{files.key} has more than {MOST_RSA_BITS} bits: make one on P-256")
    if len(leaf.public_bytes(Encoding.DER)) > LONGEST_CERTIFICATE:
        raise CertificateError(
            f"{files.certificate}: a node's certificate has at most {LONGEST_CERTIFICATE} bytes"
        )
    if _public_bytes(key) != _public_bytes(leaf):
        raise _PairMismatch(f"{files.key} is not the key of the certificate in {files.certificate}")
    return Credentials(leaf, chain_pem, key_pem)


def _public_bytes(of: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | x509.Certificate) -> bytes:
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _parse(pem: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except _UNREADABLE as error:
        raise CertificateError(f"{path} holds no PEM certificate that can be read") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from error


_CERTIFICATES: Final = Kept(lambda path: _parse(_read(path), path), in_place=True)
_CREDENTIALS: Final = Kept(_read_credentials, in_place=True)
"""Of a node's own, the key as well."""
