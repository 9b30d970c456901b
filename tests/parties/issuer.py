"""An issuer of tokens with keys of every kind, and tokens of any form that a test wants."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import api_jws
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from parties.settings import TokenSettings

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ISSUER = "https://id.example/realms/staff"
AUDIENCE = "greenlane"
ROLES = (
    ("gl-investigators", "investigator"),
    ("gl-approvers", "approver"),
    ("gl-analysts", "analyst"),
    ("gl-compliance", "compliance"),
    ("gl-auditors", "auditor"),
    ("gl-machines", "administrator"),
)
SHOWS = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


@cache
def keys() -> dict[str, Key]:
    """One key for each algorithm, made once."""
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


def shown(algorithm: str, key: Any, **more: Any) -> dict[str, Any]:
    """A public key as an issuer shows it."""
    values: dict[str, Any] = SHOWS[algorithm].to_jwk(key.public_key(), as_dict=True)  # type: ignore[attr-defined]
    values.pop("key_ops", None)
    return values | {"use": "sig", "alg": algorithm, "kid": f"k-{algorithm}"} | more


@dataclass
class Issuer:
    """One that signs for people of a party.

    Attributes:
        folder: where its key set is.
        changes: of the settings.
    """

    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.show([shown(algorithm, key) for algorithm, key in keys().items()])

    def show(self, values: list[dict[str, Any]]) -> None:
        self.path.write_text(json.dumps({"keys": values}), encoding="utf-8")

    @property
    def path(self) -> Path:
        return self.folder / "keys.json"

    @property
    def settings(self) -> TokenSettings:
        told: Any = {"roles": ROLES, "keys": self.path} | self.changes
        return TokenSettings(ISSUER, AUDIENCE, **told)

    @staticmethod
    def claims(**changes: Any) -> dict[str, Any]:
        """Those of a good token; None takes one away."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "0117",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "roles": ["offline_access", "gl-investigators"],
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, algorithm: str = "ES256", *, header: Any = None, **changes: Any) -> str:
        """A token, signed by the key of the algorithm."""
        headers = {"kid": f"k-{algorithm}"} | (header or {})
        headers = {name: value for name, value in headers.items() if value is not None}
        payload = json.dumps(self.claims(**changes)).encode()
        return api_jws.encode(payload, keys()[algorithm], algorithm, headers)


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token that no library would make."""
    return f"{part(header)}.{part(claims)}.{part(signature)}"


def by_public_key(algorithm: str, digest: str, form: str) -> str:
    """A token whose signature is an HMAC under the issuer's public key (RFC 8725, section 2.1)."""
    public = keys()[algorithm].public_key()
    secret = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if form == "pem"
        else public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    header = {"alg": f"HS{digest}", "typ": "JWT", "kid": f"k-{algorithm}"}
    signed = f"{part(header)}.{part(Issuer.claims())}"
    hashed = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{digest}")).digest()
    return f"{signed}.{part(hashed)}"
