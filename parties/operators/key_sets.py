"""The public keys of an issuer of tokens: a JSON Web Key Set (RFC 7517), from a file or by https.

Only three algorithms are known, and each has one kind of key: RS256 (RFC 7518, section 3.3) RSA of
2,048 bits or more, ES256 (section 3.4) P-256, EdDSA (RFC 8037) Ed25519. Keys of any other kind, or
that say they are for something else, are passed over, as RFC 7517, section 5, wants it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from parties.errors import OperatorRefused
from parties.settings import TokenSettings
from psi.lazily import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

LONGEST: Final = 64 << 10
"""Bytes of a key set. An RSA key with its chain of certificates takes some 6 KiB; providers show
the keys of today, of yesterday and of tomorrow."""
MOST_KEYS: Final = 32
_LEAST_RSA_BITS: Final = 2048
"""RFC 7518, section 3.3."""


class IssuerKey(NamedTuple):
    """A key that may stand behind a token.

    Attributes:
        algorithm: the only one by which it may be used.
        name: its `kid`; None if it has none.
        key: public.
    """

    algorithm: str
    name: str | None
    key: PublicKey


def _is_rsa(key: object) -> bool:
    return isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS


def _is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _is_ed25519(key: object) -> bool:
    return isinstance(key, ed25519.Ed25519PublicKey)


ALGORITHMS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    "RS256": ("RSA", _is_rsa),
    "ES256": ("EC", _is_p256),
    "EdDSA": ("OKP", _is_ed25519),
}
"""By which tokens may be signed, with the `kty` of the key and what it must be."""


def read_keys(settings: TokenSettings) -> Sequence[IssuerKey]:
    """Reads an issuer's keys.

    Raises:
        OperatorRefused: `token-keys`; they cannot be had, or are no key set with a key for tokens.
    """
    where = settings.keys_url or settings.keys
    try:
        data = _data(settings)
    except OSError as fault:
        raise _unusable(where, fault.strerror or type(fault).__name__) from None
    except ValueError as error:
        raise _unusable(where, str(error)) from None
    try:
        keys = tuple(_keys(data))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _unusable(where, f"is no JSON Web Key Set of at most {MOST_KEYS} keys") from None
    if not keys:
        raise _unusable(where, f"has no public key for {', '.join(ALGORITHMS)}")
    return keys


def _data(settings: TokenSettings) -> bytes:
    if settings.keys_url is not None:
        from parties.operators.fetching import fetched  # ssl and http, for this alone

        return fetched(settings.keys_url, LONGEST, settings.ca)
    assert settings.keys is not None, "the settings name one of both"  # noqa: S101
    with settings.keys.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError(f"has more than {LONGEST} bytes")
    return data


def _keys(data: bytes) -> Iterator[IssuerKey]:
    keys = json.loads(data)["keys"]
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise ValueError
    for values in keys:
        if not isinstance(values, dict):
            raise ValueError
        for algorithm, (kind, is_fit) in ALGORITHMS.items():
            if values.get("kty") != kind or not _is_meant(values, algorithm):
                continue
            key = _public(values, algorithm)
            if is_fit(key):
                name = values.get("kid")
                yield IssuerKey(algorithm, name if isinstance(name, str) else None, key)


def _is_meant(values: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key may be used so, by what it says (RFC 7517, sections 4.2 to 4.4)."""
    operations = values.get("key_ops", ["verify"])
    return (
        values.get("use", "sig") == "sig"
        and values.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in values  # a private key, which no issuer shows
    )


def _public(values: dict[str, Any], algorithm: str) -> Any:
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    try:
        return PyJWK(values, algorithm).key
    except PyJWTError:
        return None  # on a curve that is not known, for example: passed over


def _unusable(where: object, why: str) -> OperatorRefused:
    return OperatorRefused("token-keys", f"the keys of the issuer of tokens, {where}: {why}")
