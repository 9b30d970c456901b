"""The folders of one session's results, readable by their owner only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from parties.errors import LocalFault


@contextmanager
def session_folder(results: Path, session: str) -> Iterator[Path]:
    """Makes the folder for what a session leaves; it goes again if the session leaves nothing.

    Raises:
        LocalFault: it cannot be made.
    """
    folder = results / session
    try:
        results.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as fault:
        raise LocalFault(
            f"{results}: the results folder cannot be used: {fault.strerror}"
        ) from None
    try:
        yield folder
    finally:
        with suppress(OSError):  # it holds something
            folder.rmdir()
