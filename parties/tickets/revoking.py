"""What was revoked at this node: tickets by their id, certificates of operators by fingerprint.

A revocation is a file of its own in the folder `revoked` of the tickets: canonical JSON, named by
what it revokes, signed by who answers for this side. It stays for ever; one that is not sound is a
fault, since it may have been meant. The other party revokes on its own node.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from parties import canonical, signatures
from parties.errors import LocalFault, SettingsError, TicketRefused
from parties.operators import ANSWERING, Party
from parties.operators.chains import MOST_INTERMEDIATES, read_der
from parties.settings import Settings
from parties.tickets.fields import Fields, Malformed, bytes_of, text_of, told
from parties.tickets.revocations import FOLDER
from parties.tickets.ticket import LONGEST_PURPOSE
from parties.tickets.trust import Side, own_signer
from parties.tickets.verifying import believed
from parties.whole_files import read_whole, write_whole
from psi.lazily import NamedTuple

FORM: Final = 1
DOMAIN: Final = b"greenlane/revocation/1/signature\n"
"""Stands before what is signed, as with tickets."""
REVOCABLE: Final = re.compile(r"[0-9a-f]{32}|sha256:[0-9a-f]{64}")
"""A ticket's id, or a certificate's fingerprint."""


class Revocation(NamedTuple):
    """One revocation, as its signer has said it.

    Attributes:
        revoked: id of a ticket, or fingerprint of a certificate.
        reason: in words.
        at: when, UTC, whole seconds.
        certificates: DER, the signer's first, then intermediate authorities.
        signature: over all of it.
    """

    revoked: str
    reason: str
    at: datetime
    certificates: tuple[bytes, ...]
    signature: bytes

    def signed(self) -> bytes:
        """What is signed."""
        values = self._said() | {
            "certificates": [hashlib.sha256(each).hexdigest() for each in self.certificates]
        }
        return DOMAIN + canonical.encode(values)

    def encode(self) -> bytes:
        """The bytes of the file."""
        values = self._said() | {
            "certificates": [text_of(each) for each in self.certificates],
            "signature": text_of(self.signature),
        }
        return canonical.encode(values)

    @classmethod
    def decode(cls, data: bytes) -> Revocation:
        """Reads a file; who signed it is not looked at.

        Raises:
            ValueError: it is none. The text says where, and quotes nothing.
        """
        names = ("format", "revoked", "reason", "at", "certificates", "signature")
        fields = Fields(canonical.decode(data), "the revocation", names)
        fields.number("format", FORM, FORM)
        made = cls(
            revoked=fields.form("revoked", REVOCABLE),
            reason=fields.text("reason", LONGEST_PURPOSE),
            at=fields.time("at"),
            certificates=fields.each("certificates", MOST_INTERMEDIATES + 1, bytes_of),
            signature=fields.bytes("signature"),
        )
        if not made.certificates:
            raise Malformed("the revocation has no certificate")
        return made

    def _said(self) -> dict[str, Any]:
        return {
            "format": FORM,
            "revoked": self.revoked,
            "reason": self.reason,
            "at": told(self.at),
        }


def revoke(
    settings: Settings,
    revoked: str,
    reason: str,
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
) -> Path:
    """Signs a revocation and writes it down; from then on this node refuses what it names.

    Args:
        settings: of this node.
        revoked: id of a ticket, or fingerprint of an operator's certificate.
        reason: in words.
        key: of who answers for this side.
        chain: the certificate of that person, then intermediate authorities.
        at: now, UTC.

    Returns:
        The file.

    Raises:
        SettingsError: what is to be revoked, or the reason, does not have its form, or the settings
            name no authority of operators.
        CertificateError: the person may not revoke here, or the key is another's.
        LocalFault: the file cannot be written.
    """
    if not REVOCABLE.fullmatch(revoked):
        raise SettingsError(
            'what is revoked is a ticket\'s id of 32 hexadecimal digits, or "sha256:" and the 64 '
            "of a certificate's fingerprint"
        )
    answers = (ANSWERING[settings.node.role],)
    own_signer(settings, key, chain, at, answers, "revokes on this node")
    certificates = tuple(each.public_bytes(Encoding.DER) for each in chain)
    unsigned = Revocation(revoked, reason, at.replace(microsecond=0), certificates, b"")
    made = unsigned._replace(signature=signatures.sign(unsigned.signed(), key))
    data = made.encode()
    try:
        Revocation.decode(data)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    path = settings.tickets.folder / FOLDER / _file_of(revoked)
    write_whole(path, data)
    return path


def read(path: Path, side: Side, party: Party) -> str:
    """Returns what a file revokes.

    Args:
        path: of the file.
        side: of this node.
        party: of this node.

    Raises:
        LocalFault: it is not sound.
    """
    data = read_whole(path)
    try:
        made = Revocation.decode(data or b"")
        operator = believed(made.certificates, side, made.at, ANSWERING[party])
    except (ValueError, TicketRefused) as error:
        raise LocalFault(
            f"{path}: is no revocation: {error}; put it back as it was, or revoke again"
        ) from None
    leaf = read_der(made.certificates[0])
    if (
        leaf is None
        or operator.role != ANSWERING[party]
        or path.name != _file_of(made.revoked)
        or not signatures.is_signed(made.signed(), made.signature, leaf)
    ):
        raise LocalFault(
            f"{path}: is no revocation by {ANSWERING[party]} of this node; put it back as it was, "
            "or revoke again"
        )
    return made.revoked


def _file_of(revoked: str) -> str:
    return f"{revoked.removeprefix('sha256:')}.json"
