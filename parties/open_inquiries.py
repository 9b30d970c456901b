"""Inquiries that were answered and of which the two nodes have not exchanged receipts yet.

Each has a row from when it is counted until the peer's receipt is kept. What became of it is known
later, and is written with whatever is written next: a question costs one write, and who is killed
before that says "lost".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from parties.audit.facts import DONE
from parties.audit.inquiries import LOST, MOST, MOST_NAMES, InquiryReceipt
from parties.limits import Charge
from parties.refusals import Refusal
from parties.store import Connection, Values, microseconds
from parties.store.clock import latest, machine_time, time_at
from psi.lazily import NamedTuple

MOST_OPEN: Final = 4 * MOST
"""Of a partner's, until it is answered no more. A receipt is due for each `MOST`; meanwhile others
are asked, by several programs, of which each may be killed before it has given its own."""
REMEMBERED: Final = timedelta(days=7)
"""For which an inquiry without a receipt counts, as long as a session that is over: what a partner
has forgotten, as its store was put back from a copy, does not shut it out for ever; nor does a
holder that takes no receipt."""
ENDLESS: Final = timedelta(days=1)
"""After which one without an end is taken for lost: an asker that fetches a table first has one."""

_HERE: Final = "whose = :whose AND peer = :peer"
_COUNTS: Final = f"{_HERE} AND at > :after"
_COLUMNS: Final = "session, ticket, digest, stage, at, elements, outcome, transcript, said, heard"
_BEGIN: Final = """
    INSERT INTO inquiries (whose, peer, session, ticket, digest, stage, at, elements)
    VALUES (:whose, :peer, :session, :ticket, :digest, :stage, :at, :elements)
    ON CONFLICT DO NOTHING"""
_END: Final = f"""
    UPDATE inquiries SET stage = :stage, outcome = :outcome, transcript = :transcript,
        said = :said, heard = :heard
    WHERE {_HERE} AND session = :session AND outcome = ''"""  # noqa: S608  # our own words
_COUNT: Final = f"SELECT count(*) FROM inquiries WHERE {_COUNTS}"  # noqa: S608
_FORGET: Final = "DELETE FROM inquiries WHERE at <= :after"
_FIND: Final = f"SELECT {_COLUMNS} FROM inquiries WHERE {_HERE} AND session = :session"  # noqa: S608
_DUE: Final = f"""
    SELECT {_COLUMNS} FROM inquiries WHERE {_COUNTS} AND receipt = '' AND outcome = '{DONE}'
    ORDER BY at, session LIMIT {MOST}"""  # noqa: S608
_BROKEN: Final = f"""
    SELECT {_COLUMNS} FROM inquiries
    WHERE {_COUNTS} AND receipt = '' AND outcome <> '{DONE}'
        AND (outcome <> '' OR at <= :endless)
    ORDER BY at, session LIMIT 1"""  # noqa: S608
_SIGN: Final = f"UPDATE inquiries SET receipt = :receipt WHERE {_HERE} AND session = :session"  # noqa: S608
_SIGNED: Final = f"SELECT DISTINCT receipt FROM inquiries WHERE {_COUNTS} AND receipt <> ''"  # noqa: S608
_DROP: Final = f"DELETE FROM inquiries WHERE {_HERE} AND session = :session"  # noqa: S608
_CLOSE: Final = f"DELETE FROM inquiries WHERE {_HERE} AND receipt = :receipt"  # noqa: S608


class Place(NamedTuple):
    """Whose inquiries, and with whom.

    Attributes:
        whose: who asks, ours or theirs.
        peer: the partner.
    """

    whose: str
    peer: str


class Ended(NamedTuple):
    """What became of an inquiry.

    Attributes:
        stage: of the ticket.
        outcome: "done" or a code word.
        transcript: SHA-256 of what both said, hexadecimal; empty if it was not done.
        said: bytes of messages.
        heard: likewise.
    """

    stage: str
    outcome: str
    transcript: str
    said: int
    heard: int


class Open(NamedTuple):
    """An inquiry as its row has it.

    Attributes:
        inquiry: what a receipt says of it.
        ticket: under which.
        digest: of the ticket.
        stage: of the ticket.
        at: when it was counted.
    """

    inquiry: InquiryReceipt
    ticket: str
    digest: str
    stage: str
    at: datetime

    @property
    def under(self) -> tuple[str, str, str]:
        """What all inquiries of one receipt have in common."""
        return self.ticket, self.digest, self.stage


class Endings:
    """What became of inquiries, until it is written. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[tuple[Place, str], Ended] = {}

    def __bool__(self) -> bool:
        return bool(self._ended)

    def add(self, place: Place, session: str, ended: Ended) -> None:
        """Remembers what became of an inquiry."""
        with self._lock:
            self._ended[place, session] = ended

    def write(self, connection: Connection) -> Sequence[tuple[Place, str]]:
        """Writes down all that is remembered; returns what to forget once that is on the disk."""
        with self._lock:
            ended = list(self._ended.items())
        for (place, session), each in ended:
            row: Values = {**place._asdict(), "session": session, **each._asdict()}
            connection.execute(_END, row)
        return [of for of, _ in ended]

    def forget(self, written: Sequence[tuple[Place, str]]) -> None:
        """Forgets what `write` has written."""
        with self._lock:
            for of in written:
                self._ended.pop(of, None)


def begin(connection: Connection, at: datetime, asked: Charge, stage: str) -> None:
    """Writes down an inquiry that is counted; in the same transaction.

    Args:
        connection: in a transaction that writes.
        at: of the store's clock.
        asked: what is counted.
        stage: of the ticket.

    Raises:
        Refusal: `receipts-due`, the partner owes as many receipts as it may; or `replayed`, there
            is one of this session, which may be forgotten as a session and not here: each goes by
            the clock as it was then, and that may have been set back.
    """
    here: Values = {"whose": asked.whose, "peer": asked.peer}
    (count,) = connection.execute(_COUNT, {**here, **_after(at)}).fetchone()
    if asked.whose == "theirs" and count >= MOST_OPEN:
        raise Refusal(
            "receipts-due",
            f"{asked.peer} has given no receipts of its last {count} inquiries, of at most "
            f"{MOST_OPEN}",
        )
    elements = {name: number for name, number in sorted(asked.elements.items()) if number}
    row: Values = {"session": asked.session, "ticket": asked.ticket, "digest": asked.digest}
    more: Values = {"stage": stage, "at": microseconds(at), "elements": json.dumps(elements)}
    if not connection.execute(_BEGIN, {**here, **row, **more}).rowcount:
        who = asked.peer if asked.whose == "theirs" else "this node"
        raise Refusal("replayed", f"{who} asks again in a session that is over")


def forget(connection: Connection, at: datetime) -> None:
    """Forgets those that count no more."""
    connection.execute(_FORGET, _after(at))


def drop(connection: Connection, place: Place, session: str) -> None:
    """Forgets one that was not answered, or of which receipts were exchanged."""
    connection.execute(_DROP, {**place._asdict(), "session": session})


def find(connection: Connection, place: Place, sessions: Sequence[str]) -> list[Open] | None:
    """Returns open inquiries of these sessions, in this order; None if one of them is not open."""
    found = []
    for session in sessions:
        row = connection.execute(_FIND, {**place._asdict(), "session": session}).fetchone()
        if row is None:
            return None
        found.append(_open(row))
    return found


def due(connection: Connection, place: Place, at: datetime) -> list[Open]:
    """Returns inquiries for one receipt, the oldest first; none if none is due.

    Those that are done go together, under one ticket and stage. Of one that broke the peer may know
    nothing, and would refuse the whole receipt: it goes alone.
    """
    here: Values = {**place._asdict(), **_after(at)}
    done = [_open(row) for row in connection.execute(_DUE, here).fetchall()]
    if not done:
        here = {**here, "endless": microseconds(at - ENDLESS)}
        return [_open(row) for row in connection.execute(_BROKEN, here).fetchall()]
    taken: list[Open] = []
    names = 0
    for each in done:
        names += len(each.inquiry.elements)
        if each.under == done[0].under and names <= MOST_NAMES:
            taken.append(each)
    return taken


def sign(connection: Connection, place: Place, taken: Sequence[Open], receipt: str) -> None:
    """Notes that a receipt of ours was signed of these."""
    for each in taken:
        row = {**place._asdict(), "session": each.inquiry.session, "receipt": receipt}
        connection.execute(_SIGN, row)


def signed(connection: Connection, place: Place) -> list[str]:
    """Returns receipts that we have signed, that the peer has not answered, and that still count.

    The time is the store's, as its clock tells it in a transaction that reads.
    """
    at = max(time_at(latest(connection)), machine_time())
    here: Values = {**place._asdict(), **_after(at)}
    return [row[0] for row in connection.execute(_SIGNED, here).fetchall()]


def close(connection: Connection, place: Place, receipt: str) -> bool:
    """Forgets the inquiries of a receipt; whether there were any."""
    row: Values = {**place._asdict(), "receipt": receipt}
    return bool(connection.execute(_CLOSE, row).rowcount)


def _after(at: datetime) -> Values:
    return {"after": microseconds(at - REMEMBERED)}


def _open(row: Any) -> Open:
    session, ticket, digest, stage, at, elements, outcome, transcript, said, heard = row
    inquiry = InquiryReceipt(
        session=session,
        elements=tuple(sorted(json.loads(elements).items())),
        said_bytes=said,
        heard_bytes=heard,
        transcript=transcript,
        outcome=outcome or LOST,
    )
    return Open(inquiry, ticket, digest, stage, time_at(at))
