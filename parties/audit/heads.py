"""Signed heads: a node says under its key where its log ends, and so all that is before.

A head stops nobody who holds the node's key from writing the whole log anew. The other node does:
each receipt carries a place of its signer's log, and stays at the peer (`parties.audit.comparing`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from parties import canonical
from parties.audit import signing
from parties.audit.chain import Genesis, Place, stamp
from parties.audit.facts import is_number, is_time
from parties.audit.log import append, find, place
from parties.credentials import LONGEST_CERTIFICATE, Credentials, read_der
from parties.signatures import LONGEST
from parties.store import Connection
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple

DOMAIN: Final = b"greenlane/audit/1/head\n"
COLUMNS: Final = "number, hash, at, signature, certificate"
"""Of the table of heads, in the order in which `head_of` reads them."""
_ADD: Final = f"""
    INSERT INTO audit_heads ({COLUMNS}) VALUES (:number, :hash, :at, :signature, :certificate)"""  # noqa: S608  # our own words
_NEWEST: Final = f"SELECT {COLUMNS} FROM audit_heads ORDER BY number DESC LIMIT 1"  # noqa: S608  # our own words


class Head(NamedTuple):
    """A signed head.

    Attributes:
        place: on the chain.
        at: when it was signed.
        signature: over `said`, under the key of the certificate.
        certificate: of the signer, DER.
    """

    place: Place
    at: str
    signature: bytes
    certificate: bytes

    def said(self, genesis: Genesis) -> bytes:
        """What is signed."""
        return canonical.encode(
            {
                "at": self.at,
                "hash": self.place.hash.hex(),
                "log": genesis.id.hex(),
                "node": genesis.node,
                "number": self.place.number,
            }
        )

    def is_signed(self, genesis: Genesis) -> bool:
        """Whether a certificate of the node's name signed it."""
        certificate = read_der(self.certificate)
        return certificate is not None and signing.is_signed(
            DOMAIN, self.said(genesis), self.signature, certificate, genesis.node
        )

    @property
    def signer(self) -> str:
        """The SHA-256 of the certificate, hexadecimal."""
        return hashlib.sha256(self.certificate).hexdigest()

    def as_values(self) -> dict[str, Any]:
        """The head for an export."""
        return {
            "at": self.at,
            "certificate": base64.b64encode(self.certificate).decode(),
            "hash": self.place.hash.hex(),
            "number": self.place.number,
            "signature": base64.b64encode(self.signature).decode(),
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Head:
        """Reads a head of an export; it is not verified.

        Raises:
            ValueError: it is none.
        """
        if set(values) != {"at", "certificate", "hash", "number", "signature"}:
            raise ValueError("no head")
        if not is_number(values["number"]) or not is_time(values["at"]):
            raise ValueError("no head")
        return cls(
            Place(values["number"], _hash(values["hash"])),
            values["at"],
            unpack(values["signature"], LONGEST),
            unpack(values["certificate"], LONGEST_CERTIFICATE),
        )


def sign_head(connection: Connection, credentials: Credentials, at: datetime) -> Head:
    """Signs where the log ends; in the caller's transaction.

    If the certificate is another one than that of the last head, a line says so first: by it an
    older certificate is known to be ours. A head that is there already is returned as it is.

    Raises:
        ApiMisuse: the log was not begun.
    """
    genesis = find(connection)
    if genesis is None:
        raise ApiMisuse("the audit log was not begun")
    last = newest_head(connection)
    certificate = credentials.leaf_der
    if last is None or last.certificate != certificate:
        name = hashlib.sha256(certificate).hexdigest()
        append(connection, at, "certificate_used", {"certificate": name})
    end = place(connection)
    if last is not None and last.place == end:
        return last
    head = Head(end, stamp(at), b"", certificate)
    head = head._replace(signature=signing.sign(DOMAIN, head.said(genesis), credentials))
    connection.execute(
        _ADD,
        {
            "number": end.number,
            "hash": end.hash,
            "at": head.at,
            "signature": head.signature,
            "certificate": certificate,
        },
    )
    return head


def newest_head(connection: Connection) -> Head | None:
    """Returns the last head; None if nothing was signed."""
    row = connection.execute(_NEWEST).fetchone()
    return None if row is None else head_of(row)


def head_of(row: Any) -> Head:
    """Returns the head that stands in a row of `COLUMNS`."""
    number, hashed, at, signature, certificate = row
    return Head(Place(number, hashed), at, signature, certificate)


def unpack(text: Any, longest: int) -> bytes:
    """Reads bytes in base 64 (RFC 4648, section 4), in the one form in which they are written.

    Raises:
        ValueError: they are not, or are too many.
    """
    if not isinstance(text, str) or len(text) > (longest + 2) // 3 * 4:
        raise ValueError("no bytes in base 64")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("no bytes in base 64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("no bytes in base 64")
    return data


def _hash(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) != 64 or text != text.lower():
        raise ValueError("no hash")
    return bytes.fromhex(text)
