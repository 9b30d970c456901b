"""Exporting the log: all of it, or what is between two times, for an auditor.

An export says all that the log says, dealings with other peers and numbers that a peer did not
learn among it. It is for auditors whom this node trusts, and not for the peer.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias

from parties.audit.chain import stamp
from parties.audit.exported import header_of, lines_of
from parties.audit.heads import sign_head
from parties.audit.log import append, begin
from parties.audit.reading import StoredLog
from parties.credentials import Credentials
from parties.errors import LocalFault
from parties.store import Connection

Format: TypeAlias = Literal["jsonl", "html"]
BUFFER: Final = 1 << 20
"""Bytes that are written at once: a thousandth of what a million lines take."""


def announce(
    connection: Connection,
    at: datetime,
    node: str,
    credentials: Credentials,
    format: Format,
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Says in the log that it is exported, and signs where it ends: what is exported then ends so.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        node: the name of this node.
        credentials: of this node.
        format: of the export.
        since: of the export.
        until: of the export.
    """
    begin(connection, node)
    times = {"since": since, "until": until}
    facts = {name: stamp(time) for name, time in times.items() if time is not None}
    append(connection, at, "exported", {"format": format, **facts})
    sign_head(connection, credentials, at)


def export(
    connection: Connection,
    path: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    format: Format = "jsonl",
) -> int:
    """Writes the log to a file, whole or not at all, readable by its owner only.

    Args:
        connection: in one transaction that reads.
        path: of the file; what stood there is replaced.
        since: of the first line; None for the first there is.
        until: before which the last line is, or the next one that is under a signed head; None for
            the last there is.
        format: `jsonl`, which `verify` and `compare` read, or `html`, a page for people.

    Returns:
        How many lines were read.

    Raises:
        LocalFault: no log was begun, or the file cannot be written.
    """
    log = StoredLog(connection, since, until)
    with _fresh(path) as file:
        if format == "html":
            from parties.audit.page import page_of

            file.write(page_of(log).encode())
        else:
            file.write(header_of(log))
            for batch in log.batches(beside=False):
                file.writelines(lines_of(batch))
    return max(log.last - log.start.number, 0)


@contextmanager
def _fresh(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole and on the disk."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(number, "wb", buffering=BUFFER) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
    except OSError as fault:
        raise LocalFault(f"{path}: cannot be written: {fault.strerror}") from None
