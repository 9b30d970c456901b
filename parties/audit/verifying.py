"""Verifying a log: every line by the one before it, every head by its signature.

Each line is hashed with the hash that is *written* beside the line before, so that one altered line
is one finding and not the rest of the log. Bodies are not parsed: what is needed of them stands at
fixed places (`parties.audit.chain`). One pass, in constant memory; batches in which all is in order
are checked as a whole, and others line by line.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from parties import canonical
from parties.audit import facts
from parties.audit import receipt as receipts
from parties.audit.chain import AT, EVENT, LINE, SETS_BACK, TAIL, Place
from parties.audit.findings import Findings, Report
from parties.audit.following import are_chained, are_orderly
from parties.audit.heads import Head
from parties.audit.reading import Batch, Kept, Line, Source
from parties.audit.receipt import Receipt
from parties.errors import AuditRefused
from psi.errors import ApiMisuse

_SETS_BACK: Final = f'{SETS_BACK}"'.encode()
_LOOKED_INTO: Final = (b'receipt"', b'certificate_used"')
"""Events whose facts say what else must hold."""


class Walk:
    """One way through a log.

    Args:
        source: the log.
        certificate: of the node, under which its newest head must be; None to take any of its name.
        marks: places that must lie on the chain, by number; and for each a session.
        thorough: whether also that is checked which the newest head covers: the signatures of
            older ones, and what lines say of their own place.
        see: is given each receipt that holds, by its digest.
        known: receipts whose signatures hold, by digest; more are added.
    """

    def __init__(
        self,
        source: Source,
        certificate: x509.Certificate | None = None,
        *,
        marks: Mapping[int, Sequence[tuple[bytes, str]]] | None = None,
        thorough: bool = True,
        see: Callable[[str, Receipt], None] | None = None,
        known: dict[str, Receipt] | None = None,
    ) -> None:
        self.findings = Findings()
        self.amiss: list[str] = []  # sessions whose places do not lie on the chain
        self._source = source
        self._genesis = source.genesis
        self._whole = source.start.number == 0
        self._required = None if certificate is None else certificate.public_bytes(Encoding.DER)
        self._marks = marks or {}
        self._marked = sorted(self._marks)
        self._thorough = thorough
        self._known = known
        self._see = see
        self._place = source.start
        self._since = self._time = b""
        self._count = self._heads = self._receipts = 0
        self._ours: set[str] = set()  # certificates that a line names
        self._proven: Head | None = None
        self._last: Head | None = None
        self._due: dict[int, str] = {}  # digests of receipts that lines name

    def run(self) -> Report:
        """Reads the log from its beginning to its end."""
        source = self._source
        if self._whole and source.start.hash != self._genesis.hash:
            self._found("genesis-altered", 0, "the log does not begin with its own genesis")
        start = source.start
        self._check_marks(start.number, start.number, lambda _: start.hash)
        for batch in source.batches(beside=self._thorough):
            self._take(batch)
        self._finish()
        proven = self._proven
        return Report(
            node=self._genesis.node,
            log=self._genesis.id.hex(),
            first=source.start.number + 1,
            last=self._place.number,
            lines=self._count,
            since=_told(self._since),
            until=_told(self._time),
            heads=self._heads,
            receipts=self._receipts,
            proven=0 if proven is None else proven.place.number,
            signer="" if proven is None else f"sha256:{proven.signer}",
            signed="" if proven is None else proven.at,
            findings=tuple(self.findings.told),
            more=self.findings.more,
        )

    def _found(self, code: str, number: int | None, text: str) -> None:
        self.findings.add(code, number, text)

    def _take(self, batch: Batch) -> None:
        before, lines = self._place, batch.lines
        self._chain(lines)
        for head in batch.heads:
            number = head.place.number
            self._head(head, before.hash if number == before.number else _hash_of(number, lines))
        for kept in batch.receipts:
            self._receipt(kept)
        if lines:
            self._check_marks(lines[0][0], lines[-1][0], lambda number: _hash_of(number, lines))

    def _chain(self, lines: Sequence[Line]) -> None:
        """Checks that each line follows the one before."""
        if not lines:
            return
        self._since = self._since or lines[0][1][AT]
        if are_chained(self._place, lines) and (
            not self._thorough or are_orderly(self._time, lines)
        ):
            number, body, digest, _, _ = lines[-1]
            for line in [each for each in lines if each[1].startswith(_LOOKED_INTO, EVENT)]:
                self._look(line[0], line[1])
            self._place, self._time = Place(number, digest), body[AT]
            self._count += len(lines)
        else:
            self._chain_one_by_one(lines)

    def _chain_one_by_one(self, lines: Sequence[Line]) -> None:
        """Finds which lines do not follow, and why."""
        number, before = self._place
        time = self._time
        for at, body, digest, said_at, said_event in lines:
            if at != number + 1:
                if at <= number:
                    which = f"line {at}" if at > 0 else "a line without a number"
                    self._found("line-inserted", at, f"{which} stands after line {number}")
                    continue
                gone = (
                    f"line {number + 1} is"
                    if at == number + 2
                    else f"lines {number + 1} to {at - 1} are"
                )
                self._found("line-missing", number + 1, f"{gone} not there")
                before = b""  # what stands after a gap cannot be checked against what is not there
            if before and sha256(LINE + before + body).digest() != digest:
                self._found("line-altered", at, f"line {at} is not what was written")
            elif not body.endswith(b',"number":%d' % at, 0, TAIL):
                self._found("line-altered", at, f"line {at} says that it is another")
            elif said_at is not None and not body.startswith(
                b'{"at":"%b","event":"%b"' % (said_at.encode(), said_event.encode())
            ):
                text = f"the time or event beside line {at} is not that in it"
                self._found("line-altered", at, text)
            elif body[AT] < time and not body.startswith(_SETS_BACK, EVENT):
                self._found("line-altered", at, f"line {at} is earlier than the line before it")
            else:
                time = body[AT]
                if body.startswith(_LOOKED_INTO, EVENT):
                    self._look(at, body)
            number, before = at, digest
            self._count += 1
        self._place, self._time = Place(number, before), time

    def _look(self, number: int, body: bytes) -> None:
        try:
            values = canonical.decode(body)
            facts.check(values["event"], values["facts"])
        except (ValueError, KeyError, TypeError, AttributeError, ApiMisuse):
            self._found("line-altered", number, f"line {number} is none that a node writes")
            return
        if values["event"] == "receipt":
            self._due[number] = values["facts"]["digest"]
        else:
            self._ours.add(values["facts"]["certificate"])

    def _head(self, head: Head, digest: bytes | None) -> None:
        self._heads += 1
        number = head.place.number
        if digest is None and number > self._place.number:
            self._found(
                "log-cut", number, f"a head is signed for line {number}, and the log ends before it"
            )
        elif digest != head.place.hash:
            self._found("head-misfit", number, f"the head at line {number} is not of this log")
        elif self._thorough:
            self._judge(head)
        else:
            self._last = head

    def _judge(self, head: Head) -> None:
        number = head.place.number
        if not head.is_signed(self._genesis):
            text = f"the head at line {number} is not signed by a certificate of its node"
            self._found("head-forged", number, text)
        elif self._whole and head.signer not in self._ours:
            text = f"the head at line {number} is under a certificate that no line before it names"
            self._found("head-forged", number, text)
        else:
            self._proven = head

    def _receipt(self, kept: Kept) -> None:
        self._receipts += 1
        due = self._due.pop(kept.line, None)
        if due is None:
            text = f"a receipt is kept for line {kept.line}, which names none"
            self._found("receipt-altered", kept.line, text)
            return
        digest = sha256(kept.data).hexdigest()
        receipt = None if self._known is None else self._known.get(digest)
        try:
            receipt = receipt or receipts.read(kept.data).receipt
        except AuditRefused as refused:
            self._found(refused.code, kept.line, f"the receipt of line {kept.line}: {refused}")
            return
        if digest != due or kept.session not in (None, receipt.session):
            text = f"the receipt of line {kept.line} is not the one that was kept"
            self._found("receipt-altered", kept.line, text)
            return
        if self._known is not None:
            self._known[digest] = receipt
        if self._see is not None:
            self._see(digest, receipt)

    def _check_marks(self, first: int, last: int, hash_of: Callable[[int], bytes | None]) -> None:
        """Checks the places that must lie among these lines."""
        among = self._marked[bisect_left(self._marked, first) : bisect_right(self._marked, last)]
        for number in among:
            digest = hash_of(number)
            self.amiss += [session for due, session in self._marks[number] if due != digest]

    def _finish(self) -> None:
        end = self._place.number
        if end < self._source.last:
            text = f"the log ends with line {end}, and should with line {self._source.last}"
            self._found("log-cut", end + 1, text)
        if self._last is not None:
            self._judge(self._last)
        for number in self._due:
            text = f"line {number} names a receipt that is not kept"
            self._found("receipt-missing", number, text)
        if not self._count:
            return
        if self._proven is None:
            self._found("not-signed", None, "no signed head proves any of these lines")
        elif self._required not in (None, self._proven.certificate):
            text = "the newest head is not under the certificate that this node uses now"
            self._found("not-signed", self._proven.place.number, text)


def _hash_of(number: int, lines: Sequence[Line]) -> bytes | None:
    """The hash of the line with this number; None if it is not among them."""
    place = number - lines[0][0] if lines else -1
    if 0 <= place < len(lines) and lines[place][0] == number:
        return lines[place][2]
    return next((line[2] for line in lines if line[0] == number), None)  # where some are missing


def verify(source: Source, certificate: x509.Certificate | None = None) -> Report:
    """Verifies a log.

    Args:
        source: the log.
        certificate: that the node uses now, where the log is one's own: the newest head must be
            under it, and older ones under certificates that lines of the log name.

    Raises:
        AuditRefused: a file is none of an exported log.
        LocalFault: it cannot be read.
    """
    return Walk(source, certificate).run()


def _told(time: bytes) -> str:
    """The time that a line says; empty if it says none."""
    try:
        text = time.decode("ascii")
        return text if datetime.fromisoformat(text) else ""
    except ValueError:
        return ""
