"""Signed documents between ledgers: canonical JSON with the certificate and signature of a node.

As receipts of runs (`parties.audit.receipt`), under domains of their own.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from cryptography import x509

from parties import canonical
from parties.audit import signing
from parties.audit.heads import unpack
from parties.channel.pinning import Pin
from parties.credentials import LONGEST_CERTIFICATE, Credentials, read_der
from parties.errors import ClueRefused
from parties.signatures import LONGEST
from psi.lazily import NamedTuple

_NAMES: Final = {"certificate", "said", "signature"}


class Domain(NamedTuple):
    """A kind of document.

    Attributes:
        prefix: stands before what is signed.
        longest: bytes of one.
        words: what it is called.
    """

    prefix: bytes
    longest: int
    words: str


def seal(domain: Domain, values: dict[str, Any], credentials: Credentials) -> bytes:
    """Signs what is said, with the key of this node's certificate."""
    signature = signing.sign(domain.prefix, canonical.encode(values), credentials)
    return canonical.encode(
        {
            "certificate": base64.b64encode(credentials.leaf_der).decode(),
            "said": values,
            "signature": base64.b64encode(signature).decode(),
        }
    )


def opened(domain: Domain, data: bytes, pin: Pin) -> Any:
    """Returns what a peer has said; its form is not looked at.

    Args:
        domain: which kind of document is due.
        data: what came.
        pin: of the peer.

    Raises:
        ClueRefused: `clue-malformed`, it is no such document; `clue-forged`, it is not signed by
            the peer.
    """
    if len(data) > domain.longest:
        raise ClueRefused(
            "clue-malformed", f"{domain.words} of {len(data)} bytes; {domain.longest} are allowed"
        )
    parsed = _parsed(data)
    if parsed is None:
        raise ClueRefused("clue-malformed", f"what should be {domain.words} is none")
    said, signature, certificate = parsed
    why = pin.why_not(certificate)
    if why is None and not signing.is_signed(
        domain.prefix, canonical.encode(said), signature, certificate, pin.san
    ):
        why = f"is not one of {pin.san} that signed it"
    if why is not None:
        raise ClueRefused("clue-forged", f"the certificate under {domain.words} {why}")
    return said


def _parsed(data: bytes) -> tuple[dict[str, Any], bytes, x509.Certificate] | None:
    try:
        values = canonical.decode(data)
        signature = unpack(values["signature"], LONGEST)
        certificate = read_der(unpack(values["certificate"], LONGEST_CERTIFICATE))
        said = values["said"]
    except (ValueError, TypeError, KeyError):
        return None
    if set(values) != _NAMES or certificate is None or not isinstance(said, dict):
        return None
    return said, signature, certificate
