"""Authorities, operators and signed tickets, of any form that a test wants."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from parties import canonical
from parties.operators import Party, operator_of
from parties.tickets import SignedTicket, Stage, Ticket, Trust
from parties.tickets.signing import Key, Signature, sign
from parties.tickets.trust import Side

AnyKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
NODES: dict[Party, str] = {"insurer": "acme", "police": "city-police"}
NORMALISER = "0a" * 32
BODY: dict[str, Any] = {
    "format": 1,
    "id": "00112233445566778899aabbccddeeff",
    "purpose": "联合打击 staged accidents",
    "legal_basis": "Data Security Law art. 35",
    "case": "2026-11",
    "insurer": NODES["insurer"],
    "police": NODES["police"],
    "sets": [
        {"name": "person", "domain": "greenlane/1/resident_id"},
        {"name": "plate", "domain": "greenlane/1/plate"},
        {"name": "ride", "domain": "greenlane/1/composite/plate+text"},
    ],
    "ways": ["count", "inquire", "list", "match"],
    "protocols": ["dh", "vole"],
    "learns": {"police": {"columns": ["amount", "claim_no"]}},
    "max_elements": {"insurer": 1_000_000, "police": 50_000},
    "floor": 5,
    "runs": 4,
    "inquiries": 100,
    "rules": ["0b" * 32],
    "normaliser": NORMALISER,
    "not_before": "2026-11-30T07:00:00Z",
    "not_after": "2027-11-30T07:00:00Z",
}
USAGE: dict[str, bool] = {
    "digital_signature": True,
    "content_commitment": True,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def issued(
    subject: str,
    key: AnyKey,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    by: Authority | None = None,
    *,
    begin: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    hashed: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    """A certificate, signed by an authority or by itself."""
    builder = x509.CertificateBuilder(
        named(by.name if by else subject), named(subject), key.public_key(), 7
    )
    builder = builder.not_valid_before(begin).not_valid_after(end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = by.key if by else key
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return builder.sign(signer, None)
    return builder.sign(signer, hashed or hashes.SHA256())  # type: ignore[arg-type]


@dataclass
class Authority:
    """One that issues certificates.

    The keyword arguments of `under` and of the class are those of `issued`.
    """

    name: str
    key: AnyKey
    certificate: x509.Certificate

    @classmethod
    def new(
        cls,
        name: str,
        by: Authority | None = None,
        *,
        path_length: int | None = None,
        ca: bool = True,
        signs: bool = True,
        key: AnyKey | None = None,
        more: Sequence[tuple[x509.ExtensionType, bool]] = (),
        **options: Any,
    ) -> Authority:
        key = key or ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca, path_length if ca else None)
        usage = x509.KeyUsage(**(USAGE | {"key_cert_sign": signs}))
        extensions = [(constraints, True), (usage, True), *more]
        return cls(name, key, issued(name, key, extensions, by, **options))


@dataclass
class Person:
    """One who signs.

    Attributes:
        key: the private key.
        chain: certificate, then intermediates.
    """

    key: ed25519.Ed25519PrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def fingerprint(self) -> str:
        return operator_of(self.chain[0]).fingerprint


def urn(party: Party, role: str, person: str) -> str:
    return f"urn:greenlane:operator:{NODES[party]}:{role}:{person}"


def leaf_extensions(name: str, **usage: bool) -> list[tuple[x509.ExtensionType, bool]]:
    return [
        (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)]), False),
        (x509.BasicConstraints(False, None), True),
        (x509.KeyUsage(**(USAGE | usage)), True),
    ]


@dataclass
class People:
    """The authorities of both sides, and the four people who sign."""

    insurer: Authority = field(default_factory=lambda: Authority.new("acme-authority"))
    police: Authority = field(default_factory=lambda: Authority.new("police-authority"))

    def __post_init__(self) -> None:
        self.signers = {
            ("insurer", "analyst"): self.person("insurer", "analyst", "wu"),
            ("insurer", "compliance"): self.person("insurer", "compliance", "sun"),
            ("police", "investigator"): self.person("police", "investigator", "0117"),
            ("police", "approver"): self.person("police", "approver", "0004"),
        }

    def authority(self, party: Party) -> Authority:
        return self.insurer if party == "insurer" else self.police

    @property
    def trust(self) -> Trust:
        sides = [
            Side(NODES[party], (self.authority(party).certificate,))
            for party in ("insurer", "police")
        ]
        return Trust(*sides)

    def person(
        self,
        party: Party,
        role: str,
        person: str,
        *,
        key: ed25519.Ed25519PrivateKey | None = None,
        by: Authority | None = None,
        between: Sequence[Authority] = (),
        name: str | None = None,
        **options: Any,
    ) -> Person:
        key = key or ed25519.Ed25519PrivateKey.generate()
        extensions = leaf_extensions(name or urn(party, role, person))
        leaf = issued(person, key, extensions, by or self.authority(party), **options)
        return Person(key, (leaf, *(each.certificate for each in between)))

    def signed(
        self,
        stages: Sequence[Stage] = ("run", "disclosure"),
        *,
        without: Sequence[tuple[str, str, str]] = (),
        at: datetime = NOW - DAY,
        instead: dict[tuple[str, str], Person] | None = None,
        **changes: Any,
    ) -> bytes:
        """A signed ticket: `without` these keys, signed by others `instead`, otherwise filled."""
        signed = SignedTicket(Ticket.of(BODY | changes))
        for (party, duty), person in (self.signers | (instead or {})).items():
            for stage in stages:
                if (party, stage, duty) not in without:
                    number = "A-17" if duty == "approver" else ""
                    signed = sign(signed, stage, person.key, person.chain, at, number)
        return signed.encode()


def forged(
    data: bytes, key: tuple[str, str, str], person: Person, at: datetime, approval: str = ""
) -> bytes:
    """The ticket with one signature in another's place, made by a signer that checks nothing."""
    signed = SignedTicket.decode(data)
    certificates = tuple(each.public_bytes(Encoding.DER) for each in person.chain)
    made = Signature(Key(*key), at, approval, certificates, b"")  # type: ignore[arg-type]
    made = made._replace(signature=person.key.sign(made.signed(signed.ticket.digest)))
    others = [each for each in signed.signatures if each.key != made.key]
    return SignedTicket(signed.ticket, tuple(sorted((*others, made)))).encode()


def changed(data: bytes, change: Any) -> bytes:
    """A file whose JSON values a function has changed, in canonical form again."""
    values = json.loads(data)
    change(values)
    return canonical.encode(values)


def spliced(text: str, place: int, byte: int) -> str:
    """Base64 text of which one byte is another."""
    data = bytearray(base64.b64decode(text))
    data[place] ^= byte
    return base64.b64encode(data).decode()
