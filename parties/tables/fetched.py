"""The folder of a table that this node has fetched from a peer, for one set of identifiers.

manifest.json       as it was signed
shards/DIGEST       the files that it names
shards/DIGEST.part  one that is being fetched
lock                held by who fetches
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from parties.errors import LocalFault, TableRefused
from parties.kept import Kept
from parties.settings import PeerSettings, TableSettings
from parties.tables.files import alone, remove_others
from parties.tables.manifest import Manifest, ShardFile, Signed, verify
from parties.whole_files import for_the_owner, read_whole, write_whole
from psi import Elements
from psi.errors import PeerError
from psi.lazily import np
from psi.tables import Generation, Shard, shard_of

_sound: Final[set[tuple[str, int, int, int, int, int]]] = set()
"""Files that this process has found to be what they are named by; a change shows in the numbers."""


class Fetched:
    """A table of a peer.

    Args:
        settings: where tables are.
        peer: whose table it is.
        name: of the identifier set.
    """

    def __init__(self, settings: TableSettings, peer: PeerSettings, name: str) -> None:
        self._folder = settings.folder / "fetched" / peer.name / name
        self._shards = self._folder / "shards"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other threads and processes from fetching into this folder meanwhile; they wait.

        Raises:
            LocalFault: the folder cannot be used.
        """
        with alone(self._folder):
            try:
                self._shards.mkdir(exist_ok=True, mode=0o700)
            except OSError as fault:
                raise LocalFault(f"{self._shards}: cannot be made: {fault.strerror}") from None
            yield

    def manifest(self) -> Manifest | None:
        """What was fetched last, or None.

        Raises:
            LocalFault: it cannot be read, or is damaged.
        """
        kept = self.kept()
        return None if kept is None else kept[0]

    def kept(self) -> tuple[Manifest, bytes] | None:
        """As `manifest`, and its encoding; read again when it has changed.

        Raises:
            LocalFault: it cannot be read, or is damaged.
        """
        return _kept.get(self._folder / "manifest.json")

    def missing(self, manifest: Manifest) -> list[tuple[ShardFile, int]]:
        """Which files of a table are not here yet, and how many bytes of each are."""
        absent = []
        for file in dict.fromkeys(manifest.files()):
            if self._size(self._shards / file.digest) != file.size:
                here = self._size(self._part(file))
                absent.append((file, here if here <= file.size else 0))
        return absent

    def write_part(self, file: ShardFile, start: int, data: bytes) -> None:
        """Writes a part of a file that is being fetched.

        Raises:
            LocalFault: it cannot be written.
        """
        path = self._part(file)
        try:
            with open(path, "ab", opener=for_the_owner) as opened:
                opened.truncate(start)
                opened.write(data)
        except OSError as fault:
            raise LocalFault(f"{path}: cannot be written: {fault.strerror}") from None

    def complete(self, file: ShardFile) -> None:
        """Takes a file over of which all parts are here.

        Raises:
            TableRefused: it is not what the manifest says; it is removed.
            LocalFault: it cannot be read or written.
        """
        path = self._part(file)
        try:
            with path.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
                os.fsync(opened.fileno())
            if digest != file.digest:
                path.unlink()
                raise TableRefused(
                    "shard-altered",
                    f"{path.name}: what came is not the shard that its manifest names; removed",
                )
            path.replace(self._shards / file.digest)
        except OSError as fault:
            raise LocalFault(f"{path}: cannot be written: {fault.strerror}") from None

    def check(self, manifest: Manifest) -> None:
        """Checks that all files of a table, which are here, have the form that its manifest says.

        All, whatever is asked about: a peer that could make a part of its table one that fails when
        it is opened would see by the failure which part an element is in.

        Raises:
            LocalFault: a file cannot be read.
            TableRefused: a file is not what the manifest says.
        """
        for each in manifest.generations:
            for file in each.shards:
                self._open(file, manifest)
            if each.removed is not None:
                self._open(each.removed, manifest, members=True)

    def keep(self, signed: Signed, manifest: Manifest) -> None:
        """Keeps a manifest whose files were all checked, and removes those that it does not name.

        Raises:
            LocalFault: a file cannot be written or removed.
        """
        values = [part.hex() for part in signed]
        write_whole(self._folder / "manifest.json", json.dumps(values).encode())
        named = {file.digest for file in manifest.files()}
        remove_others(self._shards, named)

    def generations(self, manifest: Manifest, elements: Elements) -> list[Generation]:
        """Opens what a question needs of a table of which all files are here; mapped, not read.

        Raises:
            LocalFault: a file cannot be read.
            TableRefused: a file is not what the manifest says.
        """
        block = bytes(elements.block)
        if not block:
            return []
        return [
            Generation(
                {
                    int(number): self._open(each.shards[number], manifest)
                    for number in np.unique(shard_of(block, len(each.shards)))
                },
                len(each.shards),
                None if each.removed is None else self._open(each.removed, manifest, members=True),
            )
            for each in manifest.generations
        ]

    def _open(self, file: ShardFile, manifest: Manifest, *, members: bool = False) -> Shard:
        path = self._shards / file.digest
        try:
            with path.open("rb") as opened:
                status = os.fstat(opened.fileno())
                place, times = (
                    (status.st_dev, status.st_ino),
                    (status.st_mtime_ns, status.st_ctime_ns),
                )
                stamp = (file.digest, *place, status.st_size, *times)
                if stamp not in _sound:
                    if hashlib.file_digest(opened, "sha256").hexdigest() != file.digest:
                        path.unlink()
                        raise LocalFault(
                            f"{path}: is not any more what it was when it was fetched, and was "
                            "removed; ask again, it is fetched anew"
                        )
                    _sound.add(stamp)
                mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
                block = np.frombuffer(mapped, np.uint8)
        except (OSError, ValueError):
            raise LocalFault(f"{path}: cannot be read; ask again, it is fetched anew") from None
        try:
            shard = Shard.read(block)
        except PeerError:
            shard = None
        if shard is None or shard.label != (None if members else manifest.label):
            raise TableRefused(
                "shard-altered",
                f"a shard of {manifest.holder}'s table of identifiers.{manifest.set} is not what "
                "its manifest says it is",
            )
        return shard

    def _part(self, file: ShardFile) -> Path:
        return self._shards / f"{file.digest}.part"

    @staticmethod
    def _size(path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError:
            return 0


def _read(path: Path) -> tuple[Manifest, bytes] | None:
    data = read_whole(path)
    if data is None:
        return None
    try:
        signed = Signed(*map(bytes.fromhex, json.loads(data)))
        return verify(signed)[0], signed.manifest
    except (ValueError, TypeError, TableRefused):
        raise LocalFault(
            f"{path}: is damaged; remove {path.parent} and fetch the table again"
        ) from None


_kept: Final = Kept(_read)
"""Manifests of peers that were verified when this process read them."""
