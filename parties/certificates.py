"""Certificates of the nodes: made, renewed, read and inspected.

`create_authority` and `issue` make what `greenlane init` needs to try two nodes out: a private
authority and a certificate that carries the node's name as its only subject alternative name (SAN).
An organisation that runs its own authority uses that instead; the nodes only read files.

All keys are ECDSA on P-256 (FIPS 186-5): gRPC's TLS library refuses Ed25519 certificates (no common
signature algorithm). The form of the certificates is that of RFC 5280. Key files are secret and are
made with mode 0600; everything else here is public.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parties.credentials import (
    CLOCK_SKEW,
    Identity,
    fingerprint,
    is_authority,
    names_of,
    read_certificates,
    read_credentials,
)
from parties.errors import CertificateError, LocalFault

# There is no revocation list, so its lifetime bounds how long a stolen key is of use. A quarter of
# a year is short enough for that and long enough to be renewed by hand.
NODE_LIFETIME: Final = timedelta(days=90)

# A new authority must be pinned by hand at every peer, so it outlives some twenty of its nodes'
# certificates.
AUTHORITY_LIFETIME: Final = timedelta(days=5 * 365)

# When to renew: a third of the lifetime, so that a month of inattention breaks nothing.
RENEW_BEFORE_DAYS: Final = NODE_LIFETIME.days // 3

# Host-name syntax (RFC 1123), since TLS compares names by it; at most 64 characters, the bound of
# a common name (RFC 5280, appendix A.1).
_LABEL: Final = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,64}}\Z){_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a person wants to know about a certificate.

    Attributes:
        names: the DNS names it is valid for.
        issuer: the distinguished name of who signed it (RFC 4514).
        not_before: from when it is valid, UTC.
        not_after: until when it is valid, UTC.
        days_left: whole days from now until `not_after`, negative if it has expired.
        fingerprint: "sha256:" and the hexadecimal digest of its DER form.
        authority: whether it may sign other certificates.
    """

    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime
    days_left: int
    fingerprint: str
    authority: bool

    @property
    def renewal_is_due(self) -> bool:
        """Whether less than a third of a node certificate's usual lifetime is left."""
        return self.days_left < RENEW_BEFORE_DAYS


def create_authority(name: str, files: Identity) -> None:
    """Makes a private authority that signs the certificates of one organisation's nodes.

    Raises:
        CertificateError: the name is no host name.
        LocalFault: a file is there already, or cannot be written.
    """
    _refuse_to_overwrite(files)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{_checked(name)}-authority"[:64])
    builder = _builder(subject, subject, key, key.public_key(), AUTHORITY_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    _write(files, key, builder.sign(key, hashes.SHA256()))


def issue(name: str, files: Identity, authority: Identity) -> None:
    """Makes a node's key and certificate, signed by `authority`.

    Args:
        name: the node's name, which becomes the certificate's only SAN.
        files: where to write; nothing is overwritten.
        authority: files of `create_authority`.

    Raises:
        CertificateError: the name is no host name, or the authority's files are not sound.
        LocalFault: a file is there already, or cannot be written.
    """
    _refuse_to_overwrite(files)
    _issue(_checked(name), files, authority)


def renew(files: Identity, authority: Identity) -> None:
    """Replaces a node's certificate and key by new ones for the same name.

    Running nodes notice the new files by themselves. A peer that has pinned the certificate and
    not the authority must be given the new one.

    Raises:
        CertificateError: a file is not sound; an expired certificate is.
        LocalFault: a file cannot be written.
    """
    names = names_of(read_certificates(files.certificate)[0])
    if not names:
        raise CertificateError(f"{files.certificate} carries no name to renew; issue a new one")
    _issue(_checked(names[0]), files, authority)


def inspect(path: Path) -> Inspection:
    """Returns what is in the first certificate of a PEM file.

    Raises:
        CertificateError: the file cannot be read or holds no certificate.
    """
    certificate = read_certificates(path)[0]
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return Inspection(
        names_of(certificate),
        certificate.issuer.rfc4514_string(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        left // timedelta(days=1),
        fingerprint(certificate),
        is_authority(certificate),
    )


def _issue(name: str, files: Identity, authority: Identity) -> None:
    signer = read_credentials(authority)
    if not is_authority(signer.leaf):
        raise CertificateError(f"{authority.certificate} may not sign other certificates")
    signing_key = load_pem_private_key(signer.key_pem, password=None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{authority.key} is not an ECDSA key, as `greenlane init` makes it")
    key = ec.generate_private_key(ec.SECP256R1())
    lifetime = min(NODE_LIFETIME, signer.leaf.not_valid_after_utc - datetime.now(UTC))
    public_key = key.public_key()
    builder = _builder(_subject(name), signer.leaf.subject, signing_key, public_key, lifetime)
    san = x509.SubjectAlternativeName([x509.DNSName(name)])
    no_authority = x509.BasicConstraints(ca=False, path_length=None)
    builder = builder.add_extension(san, critical=False)
    builder = builder.add_extension(no_authority, critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    # Both, since a node calls as well as answers.
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    _write(files, key, builder.sign(signing_key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    public_key: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CertificateError(
            "a node's name must be a host name: at most 64 of a-z, 0-9, hyphen and dot, "
            "for example city-police"
        )
    return name


def _refuse_to_overwrite(files: Identity) -> None:
    for path in (files.certificate, files.key):
        if path.exists():
            raise LocalFault(f"{path} is there already: renew it, or move it away first")


def _write(files: Identity, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _replace(
        [
            (files.key, key_pem, 0o600),
            (files.certificate, certificate.public_bytes(Encoding.PEM), 0o644),
        ]
    )


def _replace(files: Sequence[tuple[Path, bytes, int]]) -> None:
    """Writes all files whole under other names, and only then puts them in place."""
    renames = []
    try:
        for path, content, mode in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.new")
            fresh.unlink(missing_ok=True)  # of a run that was killed
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            renames.append((fresh, path))
        for fresh, path in renames:
            fresh.replace(path)
    except OSError as error:
        raise LocalFault(f"{path} cannot be written: {error.strerror}") from error
