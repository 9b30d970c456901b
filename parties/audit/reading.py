"""A log as it is read: in batches of lines with the heads and receipts among them, in order.

`StoredLog` reads a node's store, `parties.audit.exported.ExportedLog` a file. Nothing here is
verified, and no batch is larger than it must be: memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from parties.audit.chain import Genesis, Place, stamp
from parties.audit.heads import COLUMNS, Head, head_of
from parties.audit.log import find
from parties.errors import LocalFault
from parties.store import Connection
from psi.lazily import NamedTuple

T = TypeVar("T")
BATCH: Final = 256
"""Lines of a batch: some 150 kB as Python holds them, which stay in a core's cache while all that
is checked of them is. With 4,096 verifying takes a third longer."""
PAGE: Final = 32 * BATCH
"""Rows that one statement asks for: some 3 MB, and so many that a statement's cost is little."""
_NEXT: Final = (
    "SELECT number, body, hash, {beside} FROM audit_lines "
    "WHERE number > :done AND number <= :last ORDER BY number LIMIT :most"
)
_WITH_COLUMNS: Final = _NEXT.format(beside="at, event")
_WITHOUT: Final = _NEXT.format(beside="NULL, ''")
_HEADS: Final = f"""
    SELECT {COLUMNS} FROM audit_heads WHERE number > :done ORDER BY number LIMIT :most"""  # noqa: S608  # our own words
_RECEIPTS: Final = """
    SELECT line, session, signer, data FROM audit_receipts
    WHERE line > :done ORDER BY line LIMIT :most"""
_NEWEST_HEAD: Final = "SELECT max(number) FROM audit_heads"
_HEAD_FROM: Final = "SELECT min(number) FROM audit_heads WHERE number >= :number"
_NEWEST: Final = "SELECT max(number) FROM audit_lines"
_LAST_BEFORE: Final = "SELECT max(number) FROM audit_lines WHERE at < :at"
_FIRST_FROM: Final = "SELECT min(number) FROM audit_lines WHERE at >= :at"
_HASH: Final = "SELECT hash FROM audit_lines WHERE number = :number"

Line: TypeAlias = tuple[int, bytes, bytes, str | None, str]
"""A line as it stands: number from 1, body, hash; and the time and event that a store writes beside
them, which an export does not: None and nothing. A plain tuple: there may be millions."""


class Kept(NamedTuple):
    """A receipt as it stands.

    Attributes:
        line: the number of the line that has its digest.
        session: as it is written beside it; None in an export, which does not write it.
        signer: "ours" or "theirs".
        data: the signed receipt.
    """

    line: int
    session: str | None
    signer: str
    data: bytes


class Batch(NamedTuple):
    """A piece of a log.

    Attributes:
        lines: in order.
        heads: up to the last of these lines; in the last batch also what is beyond it.
        receipts: likewise.
    """

    lines: Sequence[Line]
    heads: Sequence[Head] = ()
    receipts: Sequence[Kept] = ()


class Source(Protocol):
    """A log that can be read, more than once."""

    @property
    def genesis(self) -> Genesis:
        """Where the log begins."""

    @property
    def start(self) -> Place:
        """The place before the first line that is read: the genesis, or what the export says."""

    @property
    def last(self) -> int:
        """The number of the last line that must be there."""

    def batches(self, *, beside: bool = True) -> Iterator[Batch]:
        """Reads lines, heads and receipts; and what stands beside lines, if there is such."""

    def receipts(self) -> Iterator[Kept]:
        """Reads receipts alone."""


class StoredLog:
    """The log of this node's store, whole or between two times.

    Args:
        connection: in one transaction that reads.
        since: of the first line; None for the first there is.
        until: before which the last line is; it goes on to the next signed head, so that the end
            is proven. None for the last there is.

    Raises:
        LocalFault: no log was begun.
    """

    def __init__(
        self,
        connection: Connection,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self._connection = connection
        genesis = find(connection)
        if genesis is None:
            raise LocalFault("the store has no audit log yet; start the node, which begins it")
        self.genesis = genesis
        # Heads first: a line that comes while we read is then beyond the end and not before it.
        head, newest = self._number(_NEWEST_HEAD) or 0, self._number(_NEWEST) or 0
        self.last = newest if until is None else self._until(until, newest)
        self._beyond = until is None and head > newest
        self.start = self._start(since)

    def batches(self, *, beside: bool = True) -> Iterator[Batch]:
        """Reads lines, heads and receipts; and what stands beside lines, which takes longer."""
        heads = _Ahead(self._all(_HEADS, head_of), lambda head: head.place.number)
        receipts = _Ahead(self._all(_RECEIPTS, _kept), lambda kept: kept.line)
        for lines in self._lines(_WITH_COLUMNS if beside else _WITHOUT):
            last = lines[-1][0]
            yield Batch(lines, heads.up_to(last), receipts.up_to(last))
        if self._beyond:
            yield Batch((), heads.up_to(None), receipts.up_to(None))

    def receipts(self) -> Iterator[Kept]:
        """Reads receipts alone."""
        for kept in self._all(_RECEIPTS, _kept):
            if kept.line > self.last:
                break
            yield kept

    def _lines(self, read: str) -> Iterator[Sequence[Line]]:
        done, count = self.start.number, PAGE
        while count == PAGE:
            page = {"done": done, "last": self.last, "most": PAGE}
            rows, count = self._connection.execute(read, page), 0
            while lines := rows.fetchmany(BATCH):
                count, done = count + len(lines), lines[-1][0]
                yield lines

    def _all(self, read: str, made: Callable[[Any], T]) -> Iterator[T]:
        """Reads all rows of a table from the start on, some at a time."""
        done = self.start.number
        while rows := self._connection.execute(read, {"done": done, "most": BATCH}).fetchall():
            yield from map(made, rows)
            done = rows[-1][0]

    def _until(self, until: datetime, newest: int) -> int:
        last = self._number(_LAST_BEFORE, at=stamp(until)) or 0
        return min(self._number(_HEAD_FROM, number=last) or newest, newest) if last else 0

    def _start(self, since: datetime | None) -> Place:
        first = 1
        if since is not None:
            first = self._number(_FIRST_FROM, at=stamp(since)) or self.last + 1
        if first > 1:
            row = self._connection.execute(_HASH, {"number": first - 1}).fetchone()
            if row is not None:
                return Place(first - 1, row[0])
        return Place(0, self.genesis.hash)

    def _number(self, read: str, **values: str | int) -> int | None:
        number: int | None = self._connection.execute(read, values).fetchone()[0]
        return number


class _Ahead(Generic[T]):
    """What is read beside lines, in the order of these.

    Args:
        items: in order.
        number: of the line of each.
    """

    def __init__(self, items: Iterator[T], number: Callable[[T], int]) -> None:
        self._items, self._number = items, number
        self._next = next(items, None)

    def up_to(self, last: int | None) -> list[T]:
        """Returns what comes next, up to this line, or all that is left."""
        taken = []
        while self._next is not None and (last is None or self._number(self._next) <= last):
            taken.append(self._next)
            self._next = next(self._items, None)
        return taken


def _kept(row: Any) -> Kept:
    return Kept(*row)
