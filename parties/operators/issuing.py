"""Certificates of operators by the authority that `greenlane init` makes, for a first try.

An organisation that runs its own authority uses that; only the form counts, which
`parties.operators.operator` says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from parties.credentials import CLOCK_SKEW, Identity, is_authority, read_credentials
from parties.errors import CertificateError, LocalFault, SettingsError
from parties.operators.keys import write_operator_key
from parties.operators.operator import PREFIX, Operator, operator_of
from parties.operators.papers import CERTIFICATE, KEY
from parties.operators.roles import ROLES, OperatorRole
from parties.settings import Settings
from parties.settings_file import NAME
from parties.whole_files import write_whole

LIFETIME: Final = timedelta(days=365)
"""Of a certificate: who has which role is looked at once a year, as the programmes are."""


def issue_operator(
    settings: Settings, person: str, role: OperatorRole, folder: Path, passphrase: str
) -> Operator:
    """Makes a person's key and certificate, signed by the node's own authority.

    Args:
        settings: of the node; the authority's key is beside the certificate of
            `operators.authority`, with the suffix .key.
        person: a staff number or short name.
        role: of the person.
        folder: where the two files go; nothing is overwritten.
        passphrase: which seals the key.

    Raises:
        SettingsError: the person's name or the passphrase does not have its form, no authority is
            named, or the role is one of the other party.
        CertificateError: the authority's files are not sound.
        LocalFault: a file is there already, or cannot be written.
    """
    if not NAME.fullmatch(person):
        raise SettingsError(
            "a person is named by a staff number or short name of small letters, digits, dots and "
            "hyphens"
        )
    party = settings.node.role
    if role not in ROLES[party]:
        raise SettingsError(f"{party} has no {role}; its roles are {', '.join(ROLES[party])}")
    authority = settings.operators.authority
    if authority is None:
        raise SettingsError(f"{settings.path}: [operators] lacks authority, which issues them")
    for path in (folder / CERTIFICATE, folder / KEY):
        if path.exists():
            raise LocalFault(f"{path} is there already; choose another folder or move it away")
    key = Ed25519PrivateKey.generate()
    certificate = issued_to(settings.node.name, person, role, key, authority)
    write_operator_key(folder / KEY, key, passphrase)
    write_whole(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM))
    return operator_of(certificate)


def issued_to(
    node: str, person: str, role: OperatorRole, key: Ed25519PrivateKey, authority: Path
) -> x509.Certificate:
    """Returns a certificate by an authority that `greenlane init` has made.

    Args:
        node: whose operator the person is.
        person: a staff number or short name.
        role: of the person.
        key: of the person.
        authority: its certificate; the key is beside it.

    Raises:
        CertificateError: the authority's files are not sound, or are another's.
    """
    signer = read_credentials(Identity(authority, authority.with_suffix(".key")))
    signing_key = load_pem_private_key(signer.key_pem, password=None)
    if not is_authority(signer.leaf) or not isinstance(signing_key, EllipticCurvePrivateKey):
        raise CertificateError(
            f"{authority} is not the authority that `greenlane init` makes; let your "
            "own issue the certificate"
        )
    name = f"{PREFIX}{node}:{role}:{person}"
    now, public_key = datetime.now(UTC), key.public_key()
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, person)]))
        .issuer_name(signer.leaf.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(now + LIFETIME, signer.leaf.not_valid_after_utc))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(issuer_id, critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_USAGE, critical=True)
        .sign(signing_key, hashes.SHA256())
    )


_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=True,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
