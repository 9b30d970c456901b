"""An operator: a person of a node with one role, as a certificate of the organisation says it.

The form of the certificate: a key on Ed25519 (RFC 8410); one subject alternative name, the URI
`urn:greenlane:operator:NODE:ROLE:PERSON`; key usage for signatures and for content commitment, as
RFC 5280, section 4.2.1.3, has it for non-repudiation; no authority. It has no DNS name and is for
no server or client, so that it never is a node's certificate, and a node's is never one of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, cast, get_args

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from parties.credentials import KNOWN, read_certificates
from parties.errors import CertificateError
from parties.operators.chains import BROKEN, why_not_chained
from parties.operators.roles import OperatorRole
from parties.settings_file import NAME
from psi.lazily import NamedTuple

PREFIX: Final = "urn:greenlane:operator:"
_OF_NODES: Final = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    }
)


class Operator(NamedTuple):
    """A person of a node.

    Attributes:
        node: the node's name.
        role: of this person.
        person: a staff number or a short name.
        fingerprint: SHA-256 of what the authority has signed (tbsCertificate, RFC 5280, section
            4.1), "sha256:" and hexadecimal digits.
        not_before: from when it is valid, UTC.
        not_after: until when, UTC.
        key: the public key, 32 bytes, by which two certificates of one person are known.
    """

    node: str
    role: OperatorRole
    person: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    key: bytes

    @property
    def urn(self) -> str:
        """The name that the certificate carries."""
        return f"{PREFIX}{self.node}:{self.role}:{self.person}"


def read_operator(
    chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], at: datetime
) -> Operator:
    """Returns who has a certificate, if a pinned authority says so.

    Args:
        chain: the person's certificate, then intermediate authorities if there are any.
        authorities: those that are pinned for operators of the node.
        at: when the certificate must have been valid: the time of a signature, UTC.

    Raises:
        CertificateError: it is no operator's, or does not chain (`parties.operators.chains`). The
            text is a clause, "the certificate ...", that names nobody.
    """
    operator = operator_of(chain[0])
    if why := why_not_chained(chain, authorities, at):
        raise CertificateError(f"the certificate {why}")
    return operator


@lru_cache(maxsize=KNOWN)
def operator_of(certificate: x509.Certificate) -> Operator:
    """Returns whom a certificate names; who has issued it is not looked at. It is remembered.

    Raises:
        CertificateError: it does not have the form of an operator's. As `read_operator`.
    """
    try:
        return _operator_of(certificate)
    except BROKEN:
        pass  # raised below: the text may quote the certificate
    raise CertificateError("the certificate cannot be read")


def read_operator_file(path: Path) -> tuple[Operator, tuple[x509.Certificate, ...]]:
    """Reads a PEM file with an operator's certificate, then intermediate authorities if any.

    Returns:
        Whom it names, and the certificates without such as have signed themselves: these are for
        the others to pin.

    Raises:
        CertificateError: the file cannot be read, or is not an operator's. Names the file.
    """
    leaf, *others = read_certificates(path)
    try:
        operator = operator_of(leaf)
        between = tuple(each for each in others if each.subject != each.issuer)
    except (CertificateError, ValueError) as error:
        raise CertificateError(f"{path}: {error}") from None
    return operator, (leaf, *between)


def _operator_of(certificate: x509.Certificate) -> Operator:
    key = certificate.public_key()
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise CertificateError("the certificate of an operator has a key on Ed25519, this has not")
    found = {each.oid: each.value for each in certificate.extensions}
    constraints = found.get(x509.BasicConstraints.oid)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        raise CertificateError("the certificate is that of an authority, not of an operator")
    usage = found.get(x509.KeyUsage.oid)
    if not isinstance(usage, x509.KeyUsage) or not (
        usage.digital_signature and usage.content_commitment and not usage.key_cert_sign
    ):
        raise CertificateError(
            "the certificate of an operator has key usage digitalSignature and nonRepudiation"
        )
    purposes = found.get(x509.ExtendedKeyUsage.oid)
    if isinstance(purposes, x509.ExtendedKeyUsage) and not _OF_NODES.isdisjoint(purposes):
        raise CertificateError("the certificate is for servers or clients, not of an operator")
    names = found.get(x509.SubjectAlternativeName.oid)
    uris = list(names) if isinstance(names, x509.SubjectAlternativeName) else []
    node, role, person = _named(uris)
    return Operator(
        node=node,
        role=role,
        person=person,
        # Of what is signed: to an ECDSA signature of the authority there is a second one, which
        # anybody can compute, and what was revoked would have another name.
        fingerprint="sha256:" + hashlib.sha256(certificate.tbs_certificate_bytes).hexdigest(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=key.public_bytes_raw(),
    )


def _named(names: Sequence[x509.GeneralName]) -> tuple[str, OperatorRole, str]:
    """The node, the role and the person that the only name of a certificate says."""
    text = names[0].value if len(names) == 1 else None
    if isinstance(text, str) and isinstance(names[0], x509.UniformResourceIdentifier):
        match text.removeprefix(PREFIX).split(":"):
            case [node, role, person] if (
                text.startswith(PREFIX)
                and NAME.fullmatch(node)
                and role in get_args(OperatorRole)
                and NAME.fullmatch(person)
            ):
                return node, cast(OperatorRole, role), person
    raise CertificateError(f"the certificate of an operator has one name, {PREFIX}NODE:ROLE:PERSON")
