"""Key files: the secret key of a table's function, sealed.

A key file is JSON. The key inside is sealed under 32 bytes that only a passphrase gives (scrypt,
RFC 7914), or the holder of a private key (PKCS#8; ECDH with an ephemeral key, then HKDF, RFC 5869).
The function's key itself never leaves the core in clear.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from parties.errors import LocalFault, SettingsError
from parties.whole_files import write_whole
from psi import _core

PASSPHRASE: Final = "GREENLANE_PASSPHRASE"  # noqa: S105 the name of a variable
"""The variable that holds the passphrase, if there is no wrapping key."""
VERSION: Final = 1
COST: Final = 1 << 17
"""scrypt's N with r = 8 and p = 1: 128 MiB and about half a second a guess (OWASP Password Storage
Cheat Sheet)."""
MOST_COST: Final = 1 << 20
"""A file that says more would only make this node run out of memory."""
SHORTEST: Final = 12
"""Characters of a passphrase: 12 random letters and digits are 71 bits, and a guess costs COST."""
_SALT: Final = 16
_INFO: Final = b"greenlane/key-file/1"


class Wrapping(Protocol):
    """What gives the 32 bytes under which a key is sealed."""

    def new(self) -> tuple[dict[str, Any], bytes]:
        """Returns fresh bytes, and what a file must say for them to be found again."""
        ...

    def again(self, said: Mapping[str, Any]) -> bytes:
        """Returns the bytes for what a file says; KeyError or ValueError if it says nonsense."""
        ...


class Passphrase:
    """A passphrase, stretched."""

    def __init__(self, passphrase: str) -> None:
        if len(passphrase) < SHORTEST:
            raise SettingsError(f"{PASSPHRASE}: a passphrase has {SHORTEST} characters or more")
        self._passphrase = passphrase.encode(errors="surrogateescape")  # whatever bytes it had

    def new(self) -> tuple[dict[str, Any], bytes]:
        """See `Wrapping`."""
        salt = os.urandom(_SALT)
        said = {"by": "passphrase", "scrypt": COST, "salt": salt.hex()}
        return said, self.again(said)

    def again(self, said: Mapping[str, Any]) -> bytes:
        """See `Wrapping`."""
        cost, salt = int(said["scrypt"]), bytes.fromhex(said["salt"])
        if said["by"] != "passphrase" or cost > MOST_COST:
            raise ValueError("sealed in another way")
        return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(self._passphrase)


class WrappingKey:
    """A private key of an elliptic curve, in a PEM file without a passphrase."""

    def __init__(self, path: Path) -> None:
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as fault:
            raise SettingsError(f"{path}: cannot be read: {fault.strerror}") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SettingsError(f"{path}: is no private key in PEM without a passphrase") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SettingsError(f"{path}: the key that wraps must be one of an elliptic curve")
        self._key = key

    def new(self) -> tuple[dict[str, Any], bytes]:
        """See `Wrapping`."""
        ephemeral = ec.generate_private_key(self._key.curve)
        public = ephemeral.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        said = {"by": "pkcs8", "ephemeral": public.hex()}
        return said, self._derived(ephemeral.exchange(ec.ECDH(), self._key.public_key()), public)

    def again(self, said: Mapping[str, Any]) -> bytes:
        """See `Wrapping`."""
        public = bytes.fromhex(said["ephemeral"])
        ephemeral = load_der_public_key(public)
        if said["by"] != "pkcs8" or not isinstance(ephemeral, ec.EllipticCurvePublicKey):
            raise ValueError("sealed in another way")
        return self._derived(self._key.exchange(ec.ECDH(), ephemeral), public)

    @staticmethod
    def _derived(shared: bytes, public: bytes) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt=public, info=_INFO).derive(shared)


def wrapping(key: Path | None) -> Wrapping:
    """Returns what seals this node's key files: its wrapping key, or else the passphrase.

    Raises:
        SettingsError: the file is none, or there is neither.
    """
    if key is not None:
        return WrappingKey(key)
    if passphrase := os.environ.get(PASSPHRASE):
        return Passphrase(passphrase)
    raise SettingsError(
        f"keys of tables are sealed: set tables.wrapping_key to a PEM file, or {PASSPHRASE} in the "
        "environment"
    )


def write_key(path: Path, key: _core.VoprfKey, by: Wrapping) -> None:
    """Seals a key into a new file.

    Raises:
        LocalFault: the file cannot be written.
    """
    said, secret = by.new()
    public = key.public()
    sealed = key.seal(secret, _INFO + public, _core.Entropy.from_os())
    values = {
        "greenlane_key": VERSION,
        "public": public.hex(),
        "wrapped": said,
        "sealed": sealed.hex(),
    }
    write_whole(path, json.dumps(values, indent=1).encode())


def read_key(path: Path, by: Wrapping) -> _core.VoprfKey:
    """Opens a key file.

    Raises:
        LocalFault: it cannot be read, or is none.
        SettingsError: the passphrase or the wrapping key is another one.
    """
    try:
        values = json.loads(path.read_bytes())
        public, sealed = (bytes.fromhex(values[name]) for name in ("public", "sealed"))
        if values["greenlane_key"] != VERSION:
            raise ValueError("another version")
        secret = by.again(values["wrapped"])
    except OSError as fault:
        raise LocalFault(f"{path}: the key file cannot be read: {fault.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise LocalFault(
            f"{path}: is no key file, or was sealed by a passphrase where tables.wrapping_key is "
            "set, or the other way round"
        ) from None
    try:
        key = _core.VoprfKey.unseal(secret, _INFO + public, sealed)
    except ValueError:
        key = None
    if key is None or key.public() != public:
        raise SettingsError(
            f"{path}: does not open; the passphrase or tables.wrapping_key is not the one it was "
            "sealed with"
        )
    return key
