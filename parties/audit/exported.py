"""An exported log: one JSON object a line, which proves itself without a database.

    {"first":1,"greenlane_audit":1,"id":"…","last":9,"node":"…","start":"…"}
    {"body":{…},"hash":"…"}                            each line of the log
    {"head":{…}}                                       a signed head, after the line it is about
    {"data":{…},"line":8,"signer":"ours"}              a receipt, after the line with its digest

All is canonical JSON, so that the bytes of a body can be cut out and hashed as they stand. Heads
stand where they belong and not in the header, which so stays small; the last one is the newest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from parties import canonical
from parties.audit.chain import (
    FORM,
    ID_BYTES,
    LONGEST_BODY,
    TAIL,
    Genesis,
    Place,
    number_in,
)
from parties.audit.facts import is_digest, is_name, is_number
from parties.audit.heads import Head
from parties.audit.reading import BATCH, Batch, Kept, Line, Source
from parties.audit.receipt import LONGEST_RECEIPT
from parties.errors import AuditRefused, LocalFault

_BODY: Final = b'{"body":'
_HASH: Final = b',"hash":"'
_END: Final = b'"}'
_TAIL: Final = len(_HASH) + 64 + len(_END)
_HASHED: Final = re.compile(_HASH + b"[0-9a-f]{64}" + re.escape(_END))
_RECEIPT: Final = b'{"data":'
_HEADER: Final = 1024
"""Bytes of a header and more: three hexadecimal numbers, two decimal ones and a name."""
_PIECE: Final = 1 << 20
"""Bytes of a file that are read at once: some thousand lines."""
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
            (
                _RECEIPT,
                each.data,
                b',"line":%d,"signer":"' % each.line,
                each.signer.encode(),
                _END,
                b"\n",
            )
        )
        beside.setdefault(each.line, []).insert(0, data)
    for number, body, digest, _, _ in batch.lines:
        yield b"".join((_BODY, body, _HASH, digest.hex().encode(), _END, b"\n"))
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
                line = self._read(file, _HEADER).partition(b"\n")
                header = canonical.decode(line[0])
                if set(header) != {"first", "greenlane_audit", "id", "last", "node", "start"}:
                    raise ValueError("fields")
                if header["greenlane_audit"] != FORM or not is_name(header["node"]):
                    raise ValueError("form")
                self.genesis = Genesis(header["node"], _bytes(header["id"]))
                self.start = Place(_number(header["first"]) - 1, _bytes(header["start"]))
                self.last = _number(header["last"])
                if not line[1] or self.start.number < 0 or len(self.genesis.id) != ID_BYTES:
                    raise ValueError("start")
            except (ValueError, TypeError):
                self._refuse(1)
            self._begin = len(line[0]) + 1

    def batches(self, *, beside: bool = True) -> Iterator[Batch]:
        """Reads lines, heads and receipts; nothing stands beside lines.

        Raises:
            AuditRefused: a line is none of an export; names it.
            LocalFault: the file cannot be read.
        """
        raw: list[tuple[int, bytes]] = []
        heads: list[Head] = []
        receipts: list[Kept] = []
        at = 1
        for lines in self._raw():
            for line in lines:
                at += 1
                if line.startswith(_BODY):
                    if len(raw) >= BATCH:
                        yield Batch(self._lines(raw), heads, receipts)
                        raw, heads, receipts = [], [], []
                    raw.append((at, line))
                elif line.startswith(_RECEIPT):
                    receipts.append(self._receipt(at, line))
                else:
                    heads.append(self._head(at, line))
                if len(heads) + len(receipts) > 2 * BATCH:
                    self._refuse(at)  # each line has one of each at most
        yield Batch(self._lines(raw), heads, receipts)

    def receipts(self) -> Iterator[Kept]:
        """Reads receipts alone; as `batches`."""
        at = 1
        for lines in self._raw():
            for line in lines:
                at += 1
                if line.startswith(_RECEIPT):
                    yield self._receipt(at, line)

    def _raw(self) -> Iterator[list[bytes]]:
        """Lines of the file after the header, some at a time, without what ends them."""
        with self._open() as file:
            file.seek(self._begin)
            rest, at = b"", 1
            while piece := self._read(file, _PIECE):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > _LONGEST:
                    self._refuse(at + len(lines) + 1)
                at += len(lines)
                yield lines
            if rest:
                self._refuse(at + 1)  # the last line is not whole

    def _lines(self, raw: Sequence[tuple[int, bytes]]) -> list[Line]:
        """Cuts lines of the file, with their numbers there, into those of the log."""
        # All at once, since there may be millions; in the one way to write a hash.
        text = b"".join([line[-_TAIL + len(_HASH) : -len(_END)] for _, line in raw])
        around = [line[-_TAIL : -_TAIL + len(_HASH)] + line[-len(_END) :] for _, line in raw]
        try:
            hashes = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            hashes = b""
        if hashes.hex().encode() != text or around.count(_HASH + _END) < len(raw):
            self._refuse(next(at for at, line in raw if not _HASHED.fullmatch(line[-_TAIL:])))
        bodies = [line[len(_BODY) : -_TAIL] for _, line in raw]
        digests = [hashes[place : place + 32] for place in range(0, len(hashes), 32)]
        return list(zip(_numbers(bodies), bodies, digests, repeat(None), repeat("")))

    def _read(self, file: BinaryIO, most: int) -> bytes:
        try:
            return file.read(most)
        except OSError as fault:
            raise LocalFault(f"{self._path}: cannot be read: {fault.strerror}") from None

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as fault:
            raise LocalFault(f"{self._path}: cannot be read: {fault.strerror}") from None

    def _head(self, at: int, raw: bytes) -> Head:
        try:
            values = canonical.decode(raw)
            if set(values) == {"head"}:
                return Head.of(values["head"])
        except (ValueError, TypeError, KeyError):
            pass
        self._refuse(at)

    def _receipt(self, at: int, raw: bytes) -> Kept:
        try:
            values = canonical.decode(raw)
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


def _numbers(bodies: Sequence[bytes]) -> Sequence[int]:
    """The numbers that bodies say; most often each one more than the one before."""
    if bodies:
        guess = range(number_in(bodies[0]), number_in(bodies[0]) + len(bodies))
        tail = slice(TAIL - len(b',"number":%d' % guess[-1]), TAIL)
        if [body[tail] for body in bodies] == [b',"number":%d' % number for number in guess]:
            return guess
    return [number_in(body) for body in bodies]


def _object(values: dict[str, Any]) -> bytes:
    return canonical.encode(values) + b"\n"


def _number(value: Any) -> int:
    if not is_number(value):
        raise ValueError("number")
    return int(value)


def _bytes(value: Any) -> bytes:
    if not is_digest(value):
        raise ValueError("bytes")
    return bytes.fromhex(value)
