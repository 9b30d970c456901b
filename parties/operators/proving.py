"""Whether somebody has the key of a certificate: it signs a challenge that is new each time."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties import canonical, signatures
from parties.errors import CertificateError, OperatorRefused
from parties.operators.acting import Acting, acting_by
from parties.operators.operator import read_operator
from parties.operators.roles import ROLES, Party

DOMAIN: Final = b"greenlane/operator/1/challenge\n"
"""Stands before what is signed, so that it is never a signature under a ticket or a revocation."""
NONCE: Final = 16
"""Random bytes of a challenge."""


def challenge_of(node: str, command: str, at: datetime) -> bytes:
    """Returns what is to be signed: for this node, this command and this time, and new."""
    nonce = os.urandom(NONCE).hex()
    values = {"node": node, "command": command, "at": at.isoformat(), "nonce": nonce}
    return DOMAIN + canonical.encode(values)


def proven(
    key: Ed25519PrivateKey,
    chain: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    revoked: Collection[str],
    node: str,
    party: Party,
    command: str,
    at: datetime,
) -> Acting:
    """Returns who shows a certificate, if they have its key and it counts here and now.

    Args:
        key: of the person.
        chain: the certificate, then intermediate authorities.
        authorities: of this node's operators.
        revoked: fingerprints among what was revoked at this node.
        node: the name of this node.
        party: that it is of.
        command: that is given.
        at: now, UTC.

    Raises:
        OperatorRefused: `operator-forged`, `operator-other` or `operator-revoked`.
    """
    try:
        operator = read_operator(chain, authorities, at)
    except CertificateError as error:
        raise OperatorRefused("operator-forged", f"who gives this command: {error}") from None
    if operator.node != node or operator.role not in ROLES[party]:
        raise OperatorRefused(
            "operator-other", f"the certificate is not that of an operator of {node}"
        )
    challenge = challenge_of(node, command, at)
    if not signatures.is_signed(challenge, signatures.sign(challenge, key), chain[0]):
        raise OperatorRefused("operator-forged", "the key is not that of the certificate")
    acting = acting_by(operator)
    if operator.fingerprint in revoked:
        raise OperatorRefused(
            "operator-revoked", "the certificate was revoked at this node", acting.facts()
        )
    return acting
