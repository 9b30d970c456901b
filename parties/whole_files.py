"""Files that are there as a whole or not at all, and that their owner alone may read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from parties.errors import LocalFault


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there as a whole or not at all, whenever the machine stops.

    Raises:
        LocalFault: it cannot be written.
    """
    _write(path, data, Path.replace)


def write_first(path: Path, data: bytes) -> None:
    """Writes a file as `write_whole`, unless it is there; of several processes one writes it.

    Raises:
        LocalFault: it cannot be written.
    """
    _write(path, data, _link)


def read_whole(path: Path) -> bytes | None:
    """Reads a file; None if it is not there.

    Raises:
        LocalFault: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise LocalFault(f"{path}: cannot be read: {fault.strerror}") from None


def for_the_owner(path: str, flags: int) -> int:
    """Opens a file that, if it is made, nobody else may read."""
    return os.open(path, flags, 0o600)


def _write(path: Path, data: bytes, place: Callable[[Path, Path], object]) -> None:
    """Writes a file beside, which is then given its place."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(beside, "wb", opener=for_the_owner) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        place(beside, path)
        sync_folder(path.parent)
    except OSError as fault:
        with suppress(OSError):  # it was not made, or the disk does not let it go either
            beside.unlink(missing_ok=True)
        raise LocalFault(f"{path}: cannot be written: {fault.strerror}") from None


def _link(beside: Path, path: Path) -> None:
    with suppress(FileExistsError):
        path.hardlink_to(beside)
    beside.unlink()


def sync_folder(folder: Path) -> None:
    """Writes through to the disk which files a folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
