"""Letters that wait until the other node has them: written with what they tell, sent when it goes.

Whoever is killed, or cut off, between two steps sends again: the other end knows a letter by its
number and digest, and gives the receipt that it gave before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from parties import audit, canonical
from parties.clues import clue as clues
from parties.clues.clue import Clue
from parties.clues.letters import MOST_LETTERS, Letter, digest_of
from parties.errors import ClueRefused, SettingsError
from parties.store import Connection, Values, microseconds
from psi.lazily import NamedTuple

AGAIN: Final = timedelta(seconds=30)
"""After which a letter that was refused is told again, and twice as long each time."""
MOST_DOUBLED: Final = 7
"""An hour and four minutes, at the most: somebody has mended it meanwhile, or nobody will today."""
_PLACE: Final = "SELECT coalesce(max(place), 0) + 1 FROM clue_letters"
_PUT: Final = """
    INSERT INTO clue_letters (place, peer, clue, number, kind, digest, data, at, sent, tries, next,
                              code, receipt)
    VALUES (:place, :peer, :clue, :number, :kind, :digest, :data, :at, 0, 0, 0, '', :none)"""
_WAITING: Final = """
    SELECT place, peer, clue, number, kind, digest, tries, next, code FROM clue_letters
    WHERE sent = 0 AND place > :after ORDER BY place LIMIT :most"""
_COUNT: Final = "SELECT count(*) FROM clue_letters WHERE sent = 0"
_DATA: Final = "SELECT data FROM clue_letters WHERE place = :place AND sent = 0"
_SENT: Final = """
    UPDATE clue_letters SET sent = :at, code = '', data = :none, receipt = :receipt
    WHERE place = :place AND sent = 0"""
_REFUSED: Final = """
    UPDATE clue_letters SET tries = tries + 1, next = :next, code = :code
    WHERE place = :place AND sent = 0"""
BATCH: Final = 1_000
"""Letters that are looked at in one go: a node of the pilots wrote 545 clues in all."""


class Waiting(NamedTuple):
    """A letter that waits.

    Attributes:
        place: in the order in which letters were written.
        peer: to whom, as in [peers.NAME].
        clue: about which.
        number: of the letter.
        kind: one of `letters.KINDS`.
        digest: of what it says.
        tries: how often it was refused.
        next: when it is told again, in microseconds since 1970.
        code: with which it was refused last; empty if it was not.
    """

    place: int
    peer: str
    clue: str
    number: int
    kind: str
    digest: str
    tries: int
    next: int
    code: str


class Names(NamedTuple):
    """Names of nodes, as certificates have them.

    Attributes:
        ours: of this node.
        peers: of each peer's, by its name in [peers.NAME].
    """

    ours: str
    peers: Mapping[str, str]

    def of(self, peer: str) -> str:
        """Returns the name of a peer's node.

        Raises:
            SettingsError: the settings do not name the peer any more.
        """
        if peer not in self.peers:
            raise SettingsError(
                f"no peer [peers.{peer}], with which there are clues; put it back, or what becomes "
                "of them cannot be told"
            )
        return self.peers[peer]


def put(
    connection: Connection,
    at: datetime,
    clue: Clue,
    names: Names,
    kind: str,
    body: Mapping[str, Any],
) -> Clue:
    """Writes the next letter about a clue, in the transaction of what it tells.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        clue: about which.
        names: of nodes.
        kind: one of `letters.KINDS`.
        body: what it says.

    Returns:
        The clue, with the number of the letter; with its digest if it hands the clue over.

    Raises:
        ClueRefused: `clue-limit`, there have been too many about this clue.
        SettingsError: the settings do not name the peer any more.
    """
    clue = clue._replace(said=clue.said + 1)
    if clue.said > MOST_LETTERS:
        raise ClueRefused("clue-limit", f"more than {MOST_LETTERS} letters about one clue")
    letter = Letter(kind, names.ours, names.of(clue.peer), clue.id, clue.said, body)
    data = canonical.encode(letter.values())
    digest = digest_of(data)
    row: Values = {
        "place": connection.execute(_PLACE, {}).fetchone()[0],
        "peer": clue.peer,
        "clue": clue.id,
        "number": clue.said,
        "kind": kind,
        "digest": digest,
        "data": data,
        "at": microseconds(at),
        "none": b"",
    }
    connection.execute(_PUT, row)
    return clues.change(connection, clue._replace(digest=digest) if kind == "clue" else clue)


def waiting(connection: Connection, after: int = 0) -> list[Waiting]:
    """Returns letters that wait, the oldest first, at most `BATCH` of those after a place."""
    rows = connection.execute(_WAITING, {"after": after, "most": BATCH}).fetchall()
    return [Waiting(*row) for row in rows]


def count(connection: Connection) -> int:
    """Returns how many letters wait."""
    return int(connection.execute(_COUNT).fetchone()[0])


def data_of(connection: Connection, letter: Waiting) -> bytes | None:
    """Returns what a letter says; None if it is sent already, or was erased."""
    row = connection.execute(_DATA, {"place": letter.place}).fetchone()
    return None if row is None else bytes(row[0])


def sent(connection: Connection, at: datetime, letter: Waiting, receipt: bytes) -> None:
    """Notes that the peer has a letter. What it says is not kept: the peer has it, and the ledger.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        letter: which.
        receipt: what the peer has signed.
    """
    row: Values = {
        "place": letter.place,
        "at": microseconds(at),
        "receipt": receipt,
        "none": b"",
    }
    if connection.execute(_SENT, row).rowcount:  # else another process was as fast
        facts = {"clue": letter.clue, "peer": letter.peer, "letter": letter.kind}
        numbers = {"number": letter.number, "digest": letter.digest}
        audit.append(connection, at, "clue_sent", facts | numbers)


def refused(connection: Connection, at: datetime, letter: Waiting, code: str) -> None:
    """Notes that a letter was refused, with a code word, and when it is told again."""
    then = microseconds(at + AGAIN * (1 << min(letter.tries, MOST_DOUBLED)))
    connection.execute(_REFUSED, {"place": letter.place, "next": then, "code": code})
