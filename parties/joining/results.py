"""The last step: joined rows to a file that is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

from arro3.core import RecordBatch, Schema

from parties.errors import LocalFault
from parties.joining.delimited import CsvWriter

Format = Literal["parquet", "csv", "arrow"]


def write(
    batches: Iterator[RecordBatch], path: Path, format: Format, sealed_to: Sequence[bytes] = ()
) -> int:
    """Writes batches to a file and returns how many rows it has.

    The file is readable by its owner only and gets its name when it is complete and on the disk.
    Whatever stood there is replaced then. Until then it has no name, so that a program that is
    killed leaves nothing; or a hidden one beside its place, where a file system needs one.

    Args:
        batches: at least one; all have one schema.
        path: of the file.
        format: "parquet", "csv" (UTF-8 without a mark, quoted as RFC 4180 says; null is an empty
            cell and an empty text is ""), or "arrow" (the IPC file format).
        sealed_to: public keys of those for whom alone the file opens (`parties.age`); if there are
            none it is in clear.

    Raises:
        LocalFault: the disk is full, or the folder is missing or may not be written.
        SourceError: CSV was asked for, and a column holds lists, structures, bytes or something
            else without a text; or `batches` raised it.
    """
    with whole(path) as file:
        if not sealed_to:
            return write_all(batches, file, format)
        from parties.age import SealedFile  # for this alone

        with SealedFile(file, sealed_to) as sealed:
            return write_all(batches, cast(BinaryIO, sealed), format)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Gives a file that gets its name when the block ends, and is on the disk then; as `write`.

    Raises:
        LocalFault: as `write`.
    """
    temporary: Path | None = None
    try:
        number, temporary = created(path)
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary = temporary or named(number, path)
        temporary.replace(path)
        temporary = None
        keep(path.parent)
    except OSError as fault:
        reason = fault.strerror or type(fault).__name__
        raise LocalFault(f"{path.name} cannot be written: {reason}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def created(path: Path) -> tuple[int, Path | None]:
    """Opens a new file in the folder of `path`; returns its number, and its name if it needs one.

    Raises:
        OSError: the folder is missing or may not be written, or the disk is full.
    """
    try:
        return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600), None
    except OSError:  # not every file system can; or there is a reason that the next line meets too
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        return number, Path(name)


def named(number: int, path: Path) -> Path:
    """Gives a file without a name one beside `path`; a name cannot be given over an existing one.

    Raises:
        OSError: the system does not give it.
    """
    name = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    # The folder goes with an absolute path for nothing; but only with one does Python follow links.
    os.link(f"/proc/self/fd/{number}", name, src_dir_fd=number, follow_symlinks=True)
    return name


class Writer(Protocol):
    """What the writers of all formats have in common."""

    def write_batch(self, batch: RecordBatch) -> None:
        """Appends a batch."""

    def close(self) -> None:
        """Writes what is left."""


def write_all(batches: Iterator[RecordBatch], file: BinaryIO, format: Format) -> int:
    """Writes all batches to an open file and returns how many rows they have."""
    writer: Writer | None = None
    rows = 0
    for batch in batches:
        if writer is None:
            writer = opened(file, batch.schema, format)
        if batch.num_rows:
            writer.write_batch(batch)
        rows += batch.num_rows
    if writer is None:
        raise ValueError("without a batch the columns are not known")
    writer.close()
    return rows


def opened(file: BinaryIO, schema: Schema, format: Format) -> Writer:
    """Returns the writer of a format.

    Raises:
        SourceError: it cannot hold a column.
    """
    if format == "csv":
        return CsvWriter(file, schema)
    from parties.joining.columnar import ColumnarWriter  # pyarrow, for these formats alone

    return ColumnarWriter(file, schema, format)


def keep(folder: Path) -> None:
    """Makes the name of a new file survive a power cut."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
