"""Sealed files: the age format, version 1, for Ed25519 keys as certificates of operators have them.

The format is that of age-encryption.org/v1 (C2SP, age.md), with recipients of the kind ssh-ed25519
as `agessh` of FiloSottile/age makes them, so that the program `age` opens the file as well. A fresh
key of the file is wrapped for each recipient by X25519 with a fresh share; the content is sealed in
pieces by ChaCha20-Poly1305, each under its number, the last one marked (STREAM, ePrint 2015/189).
That one Ed25519 key signs and is used in X25519 is shown to be sound in ePrint 2021/509.

Only the recipients can open it, not even the node that wrote it; who wrote it is not proven.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
import re
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

INTRO: Final = b"age-encryption.org/v1\n"
PIECE: Final = 1 << 16
"""Bytes of the content that are sealed together; of the format."""
TAG: Final = 16
_LABEL: Final = b"age-encryption.org/v1/ssh-ed25519"
_FILE_KEY: Final = 16
_KEY: Final = 32
_NONCE: Final = 16
_NO_NONCE: Final = bytes(12)  # each key that wraps is used once
_P: Final = 2**255 - 19
_MOST_HEADER: Final = 64 << 10
"""Bytes of a header: each recipient takes about 120, and an operator's file has a few."""
_STANZA: Final = re.compile(
    rb"-> ssh-ed25519 ([A-Za-z0-9+/]{6}) ([A-Za-z0-9+/]{43})\n([A-Za-z0-9+/]{43})\n"
)
_MAC: Final = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")


class NotForUs(Exception):
    """A file is sealed to other keys."""


class SealedFile(io.RawIOBase):
    """Seals what is written to it; nothing is whole before it is closed.

    Args:
        file: takes the sealed bytes, and stays open.
        recipients: public keys on Ed25519, 32 bytes each; at least one.
    """

    def __init__(self, file: BinaryIO, recipients: Sequence[bytes]) -> None:
        if not recipients:
            raise ValueError("a file that is sealed to nobody opens for nobody")
        self._file = file
        key = os.urandom(_FILE_KEY)
        head = INTRO + b"".join(_wrapped(key, each) for each in recipients) + b"---"
        nonce = os.urandom(_NONCE)
        file.write(head + b" " + _text(_mac(key, head)) + b"\n" + nonce)
        self._cipher = ChaCha20Poly1305(_derived(key, nonce, b"payload"))
        self._waiting = bytearray()
        self._number = self._length = 0

    def writable(self) -> bool:
        """Whether it takes bytes: always."""
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self._length

    def write(self, data: object) -> int:
        """Seals what is full of pieces; the rest waits.

        Raises:
            OSError: the disk is full.
        """
        given = rest = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._length += len(given)
        # A piece is sealed when it is known not to be the last: when something comes after it.
        if self._waiting:
            room = PIECE - len(self._waiting)
            self._waiting += rest[:room]
            rest = rest[room:]
            if not rest:
                return len(given)
            self._seal(self._waiting, last=False)
            self._waiting.clear()
        while len(rest) > PIECE:
            self._seal(rest[:PIECE], last=False)
            rest = rest[PIECE:]
        self._waiting += rest
        return len(given)

    def close(self) -> None:
        """Seals the last piece.

        Raises:
            OSError: the disk is full.
        """
        if not self.closed:
            super().close()
            self._seal(self._waiting, last=True)

    def _seal(self, data: bytearray | memoryview, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_place(self._number, last=last), data, None))
        self._number += 1


def opened(file: BinaryIO, key: Ed25519PrivateKey) -> Iterator[bytes]:
    """Yields what was sealed, piece by piece; it is whole only when this ends.

    Args:
        file: as `SealedFile` writes it.
        key: of a recipient; secret.

    Raises:
        NotForUs: it is sealed to others.
        ValueError: it is no such file, or was altered or cut. The text quotes nothing.
        OSError: it cannot be read.
    """
    file_key = _unwrapped(file, key)
    nonce = file.read(_NONCE)
    cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
    piece, number = file.read(PIECE + TAG), 0
    while True:
        after = file.read(PIECE + TAG)
        try:
            data = cipher.decrypt(_place(number, last=not after), piece, None)
        except InvalidTag:
            raise ValueError("it was altered or cut") from None
        if not data and number:
            raise ValueError("its last piece is empty")
        yield data
        if not after:
            return
        piece, number = after, number + 1


def _unwrapped(file: BinaryIO, key: Ed25519PrivateKey) -> bytes:
    if file.readline(len(INTRO)) != INTRO:
        raise ValueError("it is no sealed file")
    head, found = INTRO, None
    public = key.public_key().public_bytes_raw()
    while len(head) < _MOST_HEADER:
        line = file.readline(_MOST_HEADER)
        if mac := _MAC.fullmatch(line):
            head += b"---"
            if found is None:
                raise NotForUs
            if not hmac.compare_digest(_text(_mac(found, head)), mac[1]):
                raise ValueError("its header was altered")
            return found
        stanza = line + file.readline(_MOST_HEADER)
        head += stanza
        said = _STANZA.fullmatch(stanza)
        if said is None:
            raise ValueError("its header is none for operators")
        if said[1] == _tag(public) and found is None:
            found = _opened(said[2], said[3], key, public)
    raise ValueError("its header is too long")


def _opened(share: bytes, body: bytes, key: Ed25519PrivateKey, public: bytes) -> bytes | None:
    """The key of the file; None if the stanza is for another key with the same tag."""
    # RFC 8032, section 5.1.5: what a seed is hashed to is the scalar; X25519 clamps it.
    scalar = X25519PrivateKey.from_private_bytes(
        hashlib.sha512(key.private_bytes_raw()).digest()[:_KEY]
    )
    theirs = _bytes(share)
    shared = scalar.exchange(X25519PublicKey.from_public_bytes(theirs))
    wrapping = _wrapping(shared, theirs, public)
    try:
        return ChaCha20Poly1305(wrapping).decrypt(_NO_NONCE, _bytes(body), None)
    except InvalidTag:
        return None


def _wrapped(key: bytes, recipient: bytes) -> bytes:
    """A stanza of the header: the key of the file for one recipient."""
    fresh = X25519PrivateKey.generate()
    share = fresh.public_key().public_bytes_raw()
    shared = fresh.exchange(X25519PublicKey.from_public_bytes(montgomery(recipient)))
    sealed = ChaCha20Poly1305(_wrapping(shared, share, recipient)).encrypt(_NO_NONCE, key, None)
    words = b" ".join([b"->", b"ssh-ed25519", _tag(recipient), _text(share)])
    return words + b"\n" + _text(sealed) + b"\n"


def _wrapping(shared: bytes, share: bytes, recipient: bytes) -> bytes:
    tweak = HKDF(hashes.SHA256(), _KEY, _wire(recipient), _LABEL).derive(b"")
    point = X25519PublicKey.from_public_bytes(shared)
    tweaked = X25519PrivateKey.from_private_bytes(tweak).exchange(point)
    return HKDF(hashes.SHA256(), _KEY, share + montgomery(recipient), _LABEL).derive(tweaked)


def montgomery(public: bytes) -> bytes:
    """Returns the point of an Ed25519 key on Curve25519 (RFC 7748, section 4.1)."""
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    return ((1 + y) * pow(1 - y, -1, _P) % _P).to_bytes(_KEY, "little")


def _wire(public: bytes) -> bytes:
    """A public key as SSH has it (RFC 8709, section 4)."""
    name = b"ssh-ed25519"
    return struct.pack(">I", len(name)) + name + struct.pack(">I", len(public)) + public


def _tag(public: bytes) -> bytes:
    return _text(hashlib.sha256(_wire(public)).digest()[:4])


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(key, b"", b"header"), head, "sha256")


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY, salt, info).derive(key)


def _place(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if _text(data) != text:
        raise ValueError("its header is not in the one form")
    return data
