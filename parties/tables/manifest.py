"""The manifest of a table: what it is, of which files it consists, signed by its holder.

Canonical JSON (sorted names, no spaces, ASCII), signed with the key of the node's certificate
(ECDSA with SHA-256, or RSA-PSS). The files are named by their SHA-256; the root over all of them is
that of a Merkle tree as in RFC 6962, section 2.1, so that an auditor can later be shown one file
and its path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from parties import canonical, signatures
from parties.credentials import Credentials, read_der
from parties.disclosure import LONGEST_NAME, MOST_COLUMNS, TYPES, WIDEST, Column
from parties.errors import TableRefused
from parties.signatures import SigningKey
from psi.lazily import NamedTuple
from psi.protocols.inquiry import Function
from psi.tables import HEADER, MOST_SHARDS

FORM: Final = 1
LABEL_STEP: Final = 64
"""Widths of labels are multiples of this, so that one longer record does not show, or make the
whole table be built anew."""
MOST_GENERATIONS: Final = 64
"""Of a table: a question looks into each."""
WIDEST_LABEL: Final = -(-WIDEST // LABEL_STEP) * LABEL_STEP
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EPOCH: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
"""A name of an epoch: what is also a folder's name."""


class ShardFile(NamedTuple):
    """One file of a table.

    Attributes:
        digest: its SHA-256, hexadecimal.
        size: in bytes.
    """

    digest: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> ShardFile:
        """Describes a file."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))


class Files(NamedTuple):
    """The files of one generation; see `psi.tables.Generation`."""

    shards: tuple[ShardFile, ...]
    removed: ShardFile | None = None

    def all(self) -> tuple[ShardFile, ...]:
        """All of them, in order."""
        return self.shards if self.removed is None else (*self.shards, self.removed)


class Manifest(NamedTuple):
    """A table, as its holder describes it.

    Attributes:
        holder: the name of the node whose records these are.
        asker: the name of the node for which it was prepared.
        set: of identifiers.
        domain: in which these are hashed.
        normaliser: digest of the rules that normalise them, hexadecimal.
        epoch: the name of the key.
        number: counts what was published of this set for this asker, in all epochs.
        public: the function's public key, hexadecimal.
        columns: what is told of each record.
        label: bytes of a label; None if members alone are told.
        made: the day on which it was (UTC), as 2026-11-30.
        generations: the youngest first.
    """

    holder: str
    asker: str
    set: str
    domain: str
    normaliser: str
    epoch: str
    number: int
    public: str
    columns: tuple[Column, ...]
    label: int | None
    made: str
    generations: tuple[Files, ...]

    @property
    def function(self) -> Function:
        """The function whose outputs read the table."""
        return Function(bytes.fromhex(self.public))

    def files(self) -> tuple[ShardFile, ...]:
        """All files, in order."""
        return tuple(file for generation in self.generations for file in generation.all())

    def encode(self) -> bytes:
        """The manifest as canonical JSON."""
        values = self._asdict() | {"greenlane_table": FORM, "root": root(self.files()).hex()}
        return canonical.encode(values)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoding."""
        return hashlib.sha256(self.encode()).digest()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Reads a manifest that somebody else has written.

        Raises:
            TableRefused: it is none, or not in the form in which `encode` writes it.
        """
        try:
            manifest = cls._of(canonical.decode(data))
            if manifest.encode() == data:
                return manifest
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass  # raised below, outside of the handler: the error's text may quote the file
        raise TableRefused("manifest-malformed", "the manifest of a table is none")

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Manifest:
        files = tuple(
            Files(tuple(map(_file, shards)), None if removed is None else _file(removed))
            for shards, removed in values["generations"]
        )
        texts = {name: _text(values[name]) for name in _TEXTS}
        label = values["label"]
        manifest = cls(
            **texts,
            number=_number(values["number"]),
            columns=tuple(_column(*column) for column in values["columns"]),
            label=None if label is None else _number(label),
            generations=files,
        )
        if not 0 < len(files) <= MOST_GENERATIONS or not DIGEST.fullmatch(manifest.public):
            raise ValueError("generations or key")
        if not EPOCH.fullmatch(manifest.epoch) or not DATE.fullmatch(manifest.made):
            raise ValueError("epoch or day")
        names = {column.name for column in manifest.columns}
        if len(names) < len(manifest.columns) or len(names) > MOST_COLUMNS:
            raise ValueError("columns")
        if bool(names) != (label is not None) or (label or 0) > WIDEST_LABEL:
            raise ValueError("label")
        for generation in files:
            count = len(generation.shards)
            if count.bit_count() != 1 or count > MOST_SHARDS:
                raise ValueError("shards")
        return manifest


_TEXTS: Final = ("holder", "asker", "set", "domain", "normaliser", "epoch", "public", "made")


class Signed(NamedTuple):
    """A manifest as it crosses and as it is kept.

    Attributes:
        manifest: its encoding.
        signature: of that.
        certificate: of the signer, DER.
    """

    manifest: bytes
    signature: bytes
    certificate: bytes


def sign(manifest: Manifest, credentials: Credentials) -> Signed:
    """Signs a manifest with the key of this node's certificate."""
    key = load_pem_private_key(credentials.key_pem, password=None)
    assert isinstance(key, SigningKey), "read_credentials takes no other"  # noqa: S101
    data = manifest.encode()
    return Signed(data, signatures.sign(data, key), credentials.leaf_der)


def verify(signed: Signed) -> tuple[Manifest, x509.Certificate]:
    """Reads a signed manifest; who signed it is for the caller to judge.

    Raises:
        TableRefused: it is none, or the signature is not that of the certificate over it.
    """
    certificate = read_der(signed.certificate)
    if certificate is None or not signatures.is_signed(
        signed.manifest, signed.signature, certificate
    ):
        raise TableRefused(
            "manifest-forged", "the signature of a manifest is not that of its signer over it"
        )
    return Manifest.decode(signed.manifest), certificate


def root(files: Sequence[ShardFile]) -> bytes:
    """The root over the digests of files (RFC 6962, section 2.1)."""
    return _root([hashlib.sha256(b"\0" + bytes.fromhex(file.digest)).digest() for file in files])


def _root(hashed: list[bytes]) -> bytes:
    while len(hashed) > 1:
        pairs: Iterable[tuple[bytes, bytes]] = zip(hashed[::2], hashed[1::2], strict=False)
        above = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
        # One without a partner goes up as it is: so the RFC's tree has it at its right edge.
        hashed = above + hashed[len(hashed) & ~1 :]
    return hashed[0] if hashed else hashlib.sha256().digest()


def _file(values: Any) -> ShardFile:
    digest, size = values
    if not DIGEST.fullmatch(digest) or _number(size) < HEADER:
        raise ValueError("file")
    return ShardFile(digest, size)


def _column(name: Any, kind: Any) -> Column:
    if kind not in TYPES or not _text(name).isprintable() or len(name) > LONGEST_NAME:
        raise ValueError("column")
    return Column(name, kind)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 256:
        raise ValueError("text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError("number")
    return value
