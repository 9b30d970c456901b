"""An exported log: one JSON object a line, which proves itself without a database.

    {"first":1,"greenlane_audit":1,"id":"…","last":9,"node":"…","start":"…"}
    {"body":{…},"hash":"…"}                            each line of the log
    {"head":{…}}                                       a signed head, after the line it is about
    {"data":{…},"line":8,"signer":"ours"}              a receipt, after the line with its digest

All is canonical JSON, so that the bytes of a body can be cut out and hashed as they stand. Heads
stand where they belong and not in the header, which so stays small; the last one is the newest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from parties import canonical
from parties.audit.chain import (
    FORM,
    ID_BYTES,
    LONGEST_BODY,
    Genesis,
    Place,
    number_in,
)
from parties.audit.facts import DIGEST, NAME, is_number
from parties.audit.heads import Head
from parties.audit.reading import BATCH, Batch, Kept, Line, Source
from parties.audit.receipt import LONGEST_RECEIPT
from parties.errors import AuditRefused, LocalFault

_BODY: Final = b'{"body":'
_HASH: Final = b',"hash":"'
_END: Final = b'"}\n'
_TAIL: Final = len(_HASH) + 64 + len(_END)
_RECEIPT: Final = b'{"data":'
_LONGEST: Final = LONGEST_BODY + LONGEST_RECEIPT
"""Bytes of one line of a file: more than each of what stands in one."""


def header_of(source: Source) -> bytes:
    """Returns the first line of an export."""
    return _object(
        {
            "first": source.start.number + 1,
            "greenlane_audit": FORM,
            "id": source.genesis.id.hex(),
            "last": source.last,
            "node": source.genesis.node,
            "start": source.start.hash.hex(),
        }
    )


def lines_of(batch: Batch) -> Iterator[bytes]:
    """Yields a batch as lines of an export."""
    beside: dict[int, list[bytes]] = {}
    for head in batch.heads:
        beside.setdefault(head.place.number, []).append(_object({"head": head.as_values()}))
    for each in batch.receipts:
        data = b"".join(
            (_RECEIPT, each.data, b',"line":%d,"signer":"' % each.line, each.signer.encode(), _END)
        )
        beside.setdefault(each.line, []).insert(0, data)
    for number, body, digest, _, _ in batch.lines:
        yield b"".join((_BODY, body, _HASH, digest.hex().encode(), _END))
        if beside:
            yield from beside.pop(number, ())
    for rest in beside.values():
        yield from rest


class ExportedLog:
    """A log that was exported; one's own or that of another node.

    Args:
        path: of the file.

    Raises:
        AuditRefused: it does not begin as an export does.
        LocalFault: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            try:
                header = _values(self._line(file))
                if set(header) != {"first", "greenlane_audit", "id", "last", "node", "start"}:
                    raise ValueError("fields")
                if header["greenlane_audit"] != FORM or not NAME.fullmatch(header["node"]):
                    raise ValueError("form")
                self.genesis = Genesis(header["node"], _bytes(header["id"]))
                self.start = Place(_number(header["first"]) - 1, _bytes(header["start"]))
                self.last = _number(header["last"])
                if self.start.number < 0 or len(self.genesis.id) != ID_BYTES:
                    raise ValueError("start")
            except (ValueError, TypeError):
                self._refuse(1)
            self._begin = file.tell()

    def batches(self) -> Iterator[Batch]:
        """Reads lines, heads and receipts.

        Raises:
            AuditRefused: a line is none of an export; names it.
            LocalFault: the file cannot be read.
        """
        lines: list[Line] = []
        heads: list[Head] = []
        receipts: list[Kept] = []
        for at, raw in self._raw():
            if raw.startswith(_BODY):
                if len(lines) >= BATCH:
                    yield Batch(lines, heads, receipts)
                    lines, heads, receipts = [], [], []
                body = raw[len(_BODY) : -_TAIL]
                if raw[-_TAIL : -_TAIL + len(_HASH)] != _HASH or not raw.endswith(_END):
                    self._refuse(at)
                try:
                    digest = bytes.fromhex(raw[-67:-3].decode("ascii"))
                except ValueError:
                    self._refuse(at)
                lines.append((number_in(body), body, digest, None, ""))
            elif raw.startswith(_RECEIPT):
                receipts.append(self._receipt(at, raw))
            else:
                heads.append(self._head(at, raw))
            if len(heads) + len(receipts) > 2 * BATCH:
                self._refuse(at)  # each line has one of each at most
        yield Batch(lines, heads, receipts)

    def receipts(self) -> Iterator[Kept]:
        """Reads receipts alone; as `batches`."""
        for at, raw in self._raw():
            if raw.startswith(_RECEIPT):
                yield self._receipt(at, raw)

    def _raw(self) -> Iterator[tuple[int, bytes]]:
        """Lines of the file after the header, with their numbers."""
        with self._open() as file:
            file.seek(self._begin)
            at = 1
            while raw := self._line(file):
                at += 1
                yield at, raw

    def _line(self, file: BinaryIO) -> bytes:
        try:
            return file.readline(_LONGEST)
        except OSError as fault:
            raise LocalFault(f"{self._path}: cannot be read: {fault.strerror}") from None

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as fault:
            raise LocalFault(f"{self._path}: cannot be read: {fault.strerror}") from None

    def _head(self, at: int, raw: bytes) -> Head:
        try:
            values = _values(raw)
            if set(values) == {"head"}:
                return Head.of(values["head"])
        except (ValueError, TypeError, KeyError):
            pass
        self._refuse(at)

    def _receipt(self, at: int, raw: bytes) -> Kept:
        try:
            values = _values(raw)
            if set(values) == {"data", "line", "signer"} and values["signer"] in ("ours", "theirs"):
                data = canonical.encode(values["data"])
                return Kept(_number(values["line"]), None, values["signer"], data)
        except (ValueError, TypeError):
            pass
        self._refuse(at)

    def _refuse(self, at: int) -> NoReturn:
        raise AuditRefused(
            "export-malformed",
            f"{self._path}: line {at} of the file is not one of an exported audit log; ask for the "
            "file again",
        )


def _object(values: dict[str, Any]) -> bytes:
    return canonical.encode(values) + b"\n"


def _values(raw: bytes) -> dict[str, Any]:
    if not raw.endswith(b"\n"):
        raise ValueError("not a whole line")
    return canonical.decode(raw[:-1])


def _number(value: Any) -> int:
    if not is_number(value):
        raise ValueError("number")
    return int(value)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or not DIGEST.fullmatch(value):
        raise ValueError("bytes")
    return bytes.fromhex(value)
