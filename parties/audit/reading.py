"""A log as it is read: in batches of lines with the heads and receipts among them, in order.

`StoredLog` reads a node's store, `parties.audit.exported.ExportedLog` a file. Nothing here is
verified, and no batch is larger than it must be: memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import sqlalchemy as sql

from parties.audit.chain import Genesis, Place, stamp
from parties.audit.heads import Head, head_of
from parties.audit.log import find
from parties.audit.schema import HEADS, LINES, RECEIPTS
from parties.errors import LocalFault

BATCH: Final = 4096
"""Lines of a batch: some 2 MB, and so many that what each batch costs does not count."""

_NEXT: Final = (
    "SELECT number, body, hash, {beside} FROM audit_lines "
    "WHERE number > :done AND number <= :last ORDER BY number LIMIT :most"
)
_WITH_COLUMNS: Final = sql.text(_NEXT.format(beside="at, event"))
_WITHOUT: Final = sql.text(_NEXT.format(beside="NULL, ''"))

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
        connection: sql.Connection,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self._connection = connection
        genesis = find(connection)
        if genesis is None:
            raise LocalFault("the store has no audit log yet; start the node, which begins it")
        self.genesis = genesis
        # Heads first: a line that comes while we read is then beyond the end and not before it.
        head = connection.scalar(sql.select(sql.func.max(HEADS.c.number))) or 0
        newest = connection.scalar(sql.select(sql.func.max(LINES.c.number))) or 0
        self.last = newest if until is None else self._until(until, newest)
        self._beyond = until is None and head > newest
        self.start = self._start(since)

    def batches(self, *, beside: bool = True) -> Iterator[Batch]:
        """Reads lines, heads and receipts; and what stands beside lines, which takes longer."""
        done, read = self.start.number, _WITH_COLUMNS if beside else _WITHOUT
        while lines := self._lines(read, done):
            first, done = done + 1, lines[-1][0]
            yield Batch(lines, self._heads(first, done), self._kept(first, done))
        if self._beyond:
            yield Batch((), self._heads(done + 1, None), self._kept(done + 1, None))

    def receipts(self) -> Iterator[Kept]:
        """Reads receipts alone."""
        done = self.start.number
        read = sql.select(RECEIPTS).order_by(RECEIPTS.c.line).limit(BATCH)
        while rows := self._rows(read.where(RECEIPTS.c.line > done, RECEIPTS.c.line <= self.last)):
            yield from map(_kept, rows)
            done = rows[-1].line

    def _lines(self, read: sql.TextClause, done: int) -> Sequence[Line]:
        """Reads the next lines."""
        result = self._connection.execute(read, {"done": done, "last": self.last, "most": BATCH})
        # As the driver gives them: SQLAlchemy's rows take as long as all that is checked of them.
        assert isinstance(result, sql.CursorResult)  # noqa: S101  # of text, always
        assert result.cursor is not None, "a SELECT has rows"  # noqa: S101
        lines: Sequence[Line] = result.cursor.fetchall()
        result.close()
        return lines

    def _rows(self, statement: sql.Select[Any]) -> Sequence[Any]:
        return self._connection.execute(statement).all()

    def _heads(self, first: int, last: int | None) -> list[Head]:
        return [head_of(row) for row in self._between(HEADS, HEADS.c.number, first, last)]

    def _kept(self, first: int, last: int | None) -> list[Kept]:
        return [_kept(row) for row in self._between(RECEIPTS, RECEIPTS.c.line, first, last)]

    def _between(
        self, table: sql.Table, column: sql.Column[Any], first: int, last: int | None
    ) -> Sequence[Any]:
        among = sql.select(table).where(column >= first).order_by(column)
        return self._rows(among if last is None else among.where(column <= last))

    def _until(self, until: datetime, newest: int) -> int:
        among = sql.select(sql.func.max(LINES.c.number)).where(LINES.c.at < stamp(until))
        last = self._connection.scalar(among) or 0
        head = sql.select(sql.func.min(HEADS.c.number)).where(HEADS.c.number >= last)
        return min(self._connection.scalar(head) or newest, newest) if last else 0

    def _start(self, since: datetime | None) -> Place:
        first = 1
        if since is not None:
            among = sql.select(sql.func.min(LINES.c.number)).where(LINES.c.at >= stamp(since))
            first = self._connection.scalar(among) or self.last + 1
        if first > 1:
            before = sql.select(LINES.c.hash).where(LINES.c.number == first - 1)
            row = self._connection.execute(before).first()
            if row is not None:
                return Place(first - 1, bytes(row.hash))
        return Place(0, self.genesis.hash)


def _kept(row: Any) -> Kept:
    return Kept(row.line, row.session, row.signer, bytes(row.data))
