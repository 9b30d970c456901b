"""An operator's private key: a PEM file that a passphrase opens.

PKCS#8 (RFC 5958) under PBES2 (RFC 8018, section 6.2): PBKDF2 with HMAC-SHA-256, then AES-256-CBC,
which every tool reads. It is written here byte by byte since `cryptography` stretches a passphrase
by 2,048 rounds only, and lets nobody say more.
"""

from __future__ import annotations

import base64
import os
import textwrap
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from parties.errors import CertificateError, SettingsError
from parties.whole_files import write_whole

PASSPHRASE: Final = "GREENLANE_OPERATOR_PASSPHRASE"  # noqa: S105 the name of a variable
"""The variable that holds an operator's passphrase; without it the program asks for it."""
SHORTEST: Final = 12
"""Characters of a passphrase: 12 random letters and digits are 71 bits, a guess costs ROUNDS."""
ROUNDS: Final = 600_000
"""Of PBKDF2 with HMAC-SHA-256 (OWASP Password Storage Cheat Sheet)."""
_SALT: Final = 16
_BLOCK: Final = 16

# Object identifiers in DER: PBES2, PBKDF2, hmacWithSHA256 (RFC 8018, appendix C), aes256-CBC.
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2: Final = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256: Final = bytes.fromhex("06082a864886f70d0209")
_AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")
_NULL: Final = b"\x05\x00"


def checked(passphrase: str) -> str:
    """Returns a passphrase that is long enough.

    Raises:
        SettingsError: it is not.
    """
    if len(passphrase) < SHORTEST:
        raise SettingsError(f"{PASSPHRASE}: a passphrase has {SHORTEST} characters or more")
    return passphrase


def write_operator_key(path: Path, key: Ed25519PrivateKey, passphrase: str) -> None:
    """Writes a key for its owner only, mode 0600.

    Raises:
        SettingsError: the passphrase is too short.
        LocalFault: the file cannot be written.
    """
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = base64.b64encode(_sealed(plain, _bytes(checked(passphrase)), ROUNDS)).decode()
    lines = "\n".join(textwrap.wrap(sealed, 64))
    kind = "ENCRYPTED PRIVATE KEY"
    write_whole(path, f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n".encode())


def read_operator_key(path: Path, passphrase: str) -> Ed25519PrivateKey:
    """Opens a key file.

    Raises:
        SettingsError: the passphrase is too short.
        CertificateError: the file cannot be read, is not sealed by this passphrase or by none, or
            its key is of another kind.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), _bytes(checked(passphrase)))
    except OSError as fault:
        raise CertificateError(f"{path}: cannot be read: {fault.strerror}") from None
    except TypeError:
        raise CertificateError(
            f"{path}: is open to whoever has the file; seal it by a passphrase"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            f"{path}: is no private key in PEM, or another passphrase opens it"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateError(f"{path}: the key of an operator is one on Ed25519, this is not")
    return key


def _bytes(passphrase: str) -> bytes:
    return passphrase.encode(errors="surrogateescape")  # whatever bytes it had


def _sealed(plain: bytes, passphrase: bytes, rounds: int) -> bytes:
    """EncryptedPrivateKeyInfo (RFC 5958, section 3)."""
    salt, start = os.urandom(_SALT), os.urandom(_BLOCK)
    derived = PBKDF2HMAC(hashes.SHA256(), 32, salt, rounds).derive(passphrase)
    padder = padding.PKCS7(_BLOCK * 8).padder()
    encryptor = Cipher(algorithms.AES(derived), modes.CBC(start)).encryptor()
    data = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    stretched = _sequence(_octets(salt), _integer(rounds), _sequence(_HMAC_SHA256, _NULL))
    scheme = _sequence(
        _PBES2,
        _sequence(_sequence(_PBKDF2, stretched), _sequence(_AES_256_CBC, _octets(start))),
    )
    return _sequence(scheme, _octets(data))


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _octets(data: bytes) -> bytes:
    return _der(0x04, data)


def _integer(value: int) -> bytes:
    # One bit more than it has, which is the sign.
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    """Tag, length, content (X.690, section 8.1); everything here has fewer than 256 bytes."""
    length = len(content)
    return bytes([tag, length] if length < 0x80 else [tag, 0x81, length]) + content
