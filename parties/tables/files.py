"""A folder of a table's files: one process at a time, and a journal of what was done."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from parties.errors import LocalFault
from parties.whole_files import for_the_owner, sync_folder

_LENGTH: Final = 4
"""Bytes that say how long a block of a journal is."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps other threads and processes out of a folder meanwhile, if they ask as well; they wait.

    Raises:
        LocalFault: the folder cannot be used.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = for_the_owner(str(path), os.O_RDWR | os.O_CREAT)
    except OSError as fault:
        raise LocalFault(f"{path}: cannot be used: {fault.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield
    finally:
        os.close(lock)


def remove_others(folder: Path, named: Collection[str]) -> None:
    """Removes all files of a folder but those of these names.

    Raises:
        LocalFault: one cannot be removed.
    """
    try:
        for path in folder.iterdir():
            if path.name not in named:
                path.unlink()
    except OSError as fault:
        raise LocalFault(f"{folder}: cannot be cleared: {fault.strerror}") from None


class Journal:
    """Blocks of bytes, one behind the other, each on the disk before `append` returns.

    Attributes:
        path: of the file.

    A block that was cut off when the machine stopped is not there. No block is empty.

    Raises:
        LocalFault: the file cannot be used, by any method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: list[tuple[int, int]] | None = None

    def __len__(self) -> int:
        """How many whole blocks there are."""
        return len(self._known())

    def blocks(self) -> Iterator[bytes]:
        """Yields all whole blocks."""
        places = list(self._known())
        if not places:
            return
        try:
            with self.path.open("rb") as file:
                for start, length in places:
                    file.seek(start)
                    yield file.read(length)
        except OSError as fault:
            raise self._fault(fault) from None

    def last(self) -> bytes:
        """Returns the last whole block; there must be one."""
        start, length = self._known()[-1]
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as fault:
            raise self._fault(fault) from None

    def append(self, block: bytes) -> None:
        """Writes a block behind the whole ones; what was cut off there goes."""
        places = self._known()
        end = sum(places[-1]) if places else 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.path, "ab", opener=for_the_owner) as file:
                file.truncate(end)
                file.write(len(block).to_bytes(_LENGTH, "little") + block)
                file.flush()
                os.fsync(file.fileno())
            if not places:
                sync_folder(self.path.parent)
        except OSError as fault:
            raise self._fault(fault) from None
        places.append((end + _LENGTH, len(block)))

    def drop(self) -> None:
        """Takes the last block for one that is not there; it goes when another is appended."""
        self._known().pop()

    def clear(self) -> None:
        """Removes all blocks."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as fault:
            raise self._fault(fault) from None
        self._places = []

    def _known(self) -> list[tuple[int, int]]:
        """Where each whole block begins, and how long it is."""
        if self._places is None:
            self._places = []
            try:
                with self.path.open("rb") as file:
                    end, start = os.fstat(file.fileno()).st_size, 0
                    while len(head := file.read(_LENGTH)) == _LENGTH:
                        length = int.from_bytes(head, "little")
                        if not length or (start := start + _LENGTH) + length > end:
                            break
                        self._places.append((start, length))
                        start = file.seek(start + length)
            except FileNotFoundError:
                pass
            except OSError as fault:
                raise self._fault(fault) from None
        return self._places

    def _fault(self, fault: OSError) -> LocalFault:
        return LocalFault(f"{self.path}: cannot be used: {fault.strerror}")
