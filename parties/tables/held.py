"""The folder of a table that this node holds for one asker and one set of identifiers.

manifest.json           what is served now
previous.json           what was served before, whose files stay for those who still fetch them
shards/DIGEST           the files that both name
epochs/EPOCH/key.json   the sealed key
epochs/.../evaluated/   what was evaluated under it, sealed
epochs/.../contents/    what its tables hold, sealed
lock                    held by who prepares
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from parties.errors import LocalFault, TableRefused
from parties.kept import Kept
from parties.settings import PeerSettings, TableSettings
from parties.tables.files import Journal, alone, remove_others
from parties.tables.manifest import Manifest, ShardFile
from parties.tables.sealing import Wrapping, read_key, write_key
from parties.whole_files import read_whole, write_whole
from psi import _core


class Held:
    """A table of ours.

    Args:
        settings: where tables are.
        peer: for whom it is.
        name: of the identifier set.
    """

    def __init__(self, settings: TableSettings, peer: PeerSettings, name: str) -> None:
        self._folder = settings.folder / "held" / peer.name / name
        self._shards = self._folder / "shards"

    def alone(self) -> AbstractContextManager[None]:
        """Keeps other threads and processes from preparing this table meanwhile; they wait.

        Raises:
            LocalFault: the folder cannot be used.
        """
        return alone(self._folder)

    def manifest(self) -> Manifest | None:
        """What is served now, or None.

        Raises:
            LocalFault: it cannot be read, or is damaged.
        """
        return self._read("manifest.json")

    def served(self) -> tuple[Manifest, bytes] | None:
        """As `manifest`, and its encoding; read again when it has changed.

        Raises:
            LocalFault: it cannot be read, or is damaged.
        """
        return _served.get(self._folder / "manifest.json")

    def key(self, epoch: str, by: Wrapping) -> _core.VoprfKey | None:
        """The key of an epoch, or None if it has none yet.

        Raises:
            LocalFault: its file cannot be read, or is none.
            SettingsError: it does not open.
        """
        path = self._folder / "epochs" / epoch / "key.json"
        return read_key(path, by) if path.exists() else None

    def has_evaluated(self, epoch: str) -> bool:
        """Whether anything was evaluated under the key of an epoch."""
        return (self._folder / "epochs" / epoch / "evaluated").exists()

    def new_key(self, epoch: str, by: Wrapping) -> _core.VoprfKey:
        """Draws the key of an epoch, and seals it on the disk before anything is made with it.

        Raises:
            LocalFault: it cannot be written.
        """
        key = _core.VoprfKey.draw(_core.Entropy.from_os())
        write_key(self._folder / "epochs" / epoch / "key.json", key, by)
        return key

    def journal(self, epoch: str, shard: int, shards: int) -> Journal:
        """What was evaluated of one shard of so many."""
        return Journal(self._folder / "epochs" / epoch / "evaluated" / f"{shard:04x}-{shards:04x}")

    def contents(self, epoch: str, shard: int, shards: int) -> Journal:
        """What the tables of an epoch hold of one shard of so many."""
        return Journal(self._folder / "epochs" / epoch / "contents" / f"{shard:04x}-{shards:04x}")

    def write_shard(self, data: bytes) -> ShardFile:
        """Writes a shard.

        Raises:
            LocalFault: it cannot be written.
        """
        file = ShardFile.of(data)
        write_whole(self._shards / file.digest, data)
        return file

    def read_shard(self, file: ShardFile, start: int, size: int) -> bytes:
        """Reads a part of a shard that is served.

        Raises:
            LocalFault: it cannot be read, or is not there.
        """
        path = self._shards / file.digest
        try:
            with path.open("rb") as opened:
                opened.seek(start)
                data = opened.read(size)
        except OSError as fault:
            raise LocalFault(f"{path}: cannot be read: {fault.strerror}") from None
        if len(data) < size:
            raise LocalFault(f"{path}: is cut off; prepare the table again with --whole")
        return data

    def publish(self, manifest: Manifest) -> None:
        """Serves a table from now on, and removes files that neither it nor the last one names.

        Raises:
            LocalFault: a file cannot be written or removed.
        """
        before = self.manifest()
        if before is not None:
            write_whole(self._folder / "previous.json", before.encode())
        write_whole(self._folder / "manifest.json", manifest.encode())
        named = {file.digest for each in self._named() for file in each.files()}
        remove_others(self._shards, named)

    def _named(self) -> Iterator[Manifest]:
        for name in ("manifest.json", "previous.json"):
            if (manifest := self._read(name)) is not None:
                yield manifest

    def _read(self, name: str) -> Manifest | None:
        return _read(self._folder / name)


def _read(path: Path) -> Manifest | None:
    data = read_whole(path)
    if data is None:
        return None
    try:
        return Manifest.decode(data)
    except TableRefused:
        raise LocalFault(
            f"{path}: is damaged; put {path.with_name('previous.json')} in its place, or else "
            "prepare with a new epoch until its number is above the last one that was served"
        ) from None


def _read_served(path: Path) -> tuple[Manifest, bytes] | None:
    manifest = _read(path)
    return None if manifest is None else (manifest, manifest.encode())


_served: Final = Kept(_read_served)
"""Manifests that this process serves, and their encodings."""
