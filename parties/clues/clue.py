"""A clue as the ledger holds it: numbers, states, names of operators. What it says lies apart."""

from __future__ import annotations

import re
from typing import Any, Final

from parties.clues.content import Content
from parties.clues.states import OVER
from parties.errors import ClueRefused
from parties.store import Connection
from psi.lazily import NamedTuple

ID: Final = re.compile(r"[0-9a-f]{32}")
"""Of a clue, or of a merge: 128 random bits."""
SHORTEST_BEGINNING: Final = 6
"""Digits by which people may name a clue: of 10,000 clues 24 bits mean 1 in 1,700 for another."""
_COLUMNS: Final = """
    id, peer, line, rule, version, pack, ticket, state, author, owner, due, claimed, made, digest,
    filed, outcome, suspects, amount, recovered, merge, asked, merged, head, said, heard"""
_FIND: Final = f"SELECT {_COLUMNS} FROM clues WHERE id = :clue"  # noqa: S608  # our own words
_BEGIN: Final = f"SELECT {_COLUMNS} FROM clues WHERE id >= :low AND id < :high ORDER BY id LIMIT 2"  # noqa: S608  # our own words
_ALL: Final = f"SELECT {_COLUMNS} FROM clues ORDER BY made, id"  # noqa: S608  # our own words
_OF_TICKET: Final = f"SELECT {_COLUMNS} FROM clues WHERE ticket = :ticket ORDER BY made, id"  # noqa: S608  # our own words
_MEMBERS: Final = f"SELECT {_COLUMNS} FROM clues WHERE head = :clue ORDER BY made, id"  # noqa: S608  # our own words
_CONTENT: Final = "SELECT data FROM clue_contents WHERE clue = :clue"
_ADD: Final = f"""
    INSERT INTO clues ({_COLUMNS})
    VALUES (:id, :peer, :line, :rule, :version, :pack, :ticket, :state, :author, :owner, :due,
            :claimed, :made, :digest, :filed, :outcome, :suspects, :amount, :recovered,
            :merge, :asked, :merged, :head, :said, :heard)"""  # noqa: S608  # our own words
_CHANGE: Final = """
    UPDATE clues
    SET state = :state, owner = :owner, due = :due, digest = :digest, filed = :filed,
        outcome = :outcome, suspects = :suspects, amount = :amount, recovered = :recovered,
        merge = :merge, asked = :asked, merged = :merged, head = :head, said = :said,
        heard = :heard
    WHERE id = :id"""


class Clue(NamedTuple):
    """A clue.

    Attributes:
        id: 32 hexadecimal digits, drawn by the insurer.
        peer: the other node, as in [peers.NAME].
        line: of insurance.
        rule: that fired.
        version: of the rule.
        pack: SHA-256 of the pack that the rule is of, hexadecimal.
        ticket: under which was matched.
        state: of `states.STEPS`.
        author: who drafted it; empty at the police.
        owner: who works on it; empty if nobody.
        due: day by which something must be done, as ISO 8601 has it; empty if none.
        claimed: amount of the claims, in fen; `amounts.UNKNOWN` if it is not.
        made: when, in microseconds since 1970.
        digest: SHA-256 of the letter in which it was transferred, hexadecimal; empty before.
        filed: number of the case; empty if none was filed.
        outcome: of the case, one of `states.OUTCOMES`; empty before.
        suspects: how many, of the case that is concluded.
        amount: of the case, in fen; `amounts.UNKNOWN` if it is not told.
        recovered: likewise.
        merge: id of the merge that is open; empty if none is.
        asked: at the insurer what it answered to that, or "open"; at the police "open".
        merged: 1 if it stands for the clues of several insurers, or is one of these.
        head: the clue with which it was merged, and which stands for it; empty if none does.
        said: number of the last letter that we wrote about it.
        heard: number of the last that came.
    """

    id: str
    peer: str
    line: str
    rule: str
    version: int
    pack: str
    ticket: str
    state: str
    author: str
    owner: str
    due: str
    claimed: int
    made: int
    digest: str = ""
    filed: str = ""
    outcome: str = ""
    suspects: int = 0
    amount: int = -1
    recovered: int = -1
    merge: str = ""
    asked: str = ""
    merged: int = 0
    head: str = ""
    said: int = 0
    heard: int = 0

    def is_overdue(self, today: str) -> bool:
        """Whether something should have been done before today (ISO 8601)."""
        return bool(self.due) and self.due < today and self.state not in OVER


def find(connection: Connection, clue: str) -> Clue | None:
    """Returns a clue by its id; None if there is none."""
    row = connection.execute(_FIND, {"clue": clue}).fetchone()
    return None if row is None else Clue(*row)


def named(connection: Connection, name: str) -> Clue:
    """Returns the clue that a person names, by its id or enough of its beginning.

    Raises:
        ClueRefused: `clue-unknown`, there is none, or more than one.
    """
    rows: list[Any] = []
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST_BEGINNING},32}}", name):
        # The sign after "f", the last of an id: so the key is used, which it is not for LIKE.
        rows = connection.execute(_BEGIN, {"low": name, "high": f"{name}g"}).fetchall()
    if len(rows) != 1:
        raise ClueRefused(
            "clue-unknown",
            f"{'more than one' if rows else 'no'} clue begins with that; `greenlane clues list` "
            f"tells the ids, of which {SHORTEST_BEGINNING} digits or more are given",
        )
    return Clue(*rows[0])


def every(connection: Connection) -> list[Clue]:
    """Returns all clues, the oldest first."""
    return [Clue(*row) for row in connection.execute(_ALL, {}).fetchall()]


def of_ticket(connection: Connection, ticket: str) -> list[Clue]:
    """Returns the clues of a ticket, the oldest first."""
    rows = connection.execute(_OF_TICKET, {"ticket": ticket}).fetchall()
    return [Clue(*row) for row in rows]


def members(connection: Connection, head: Clue) -> list[Clue]:
    """Returns the clues for which this one stands."""
    if not head.merged:
        return []
    return [Clue(*row) for row in connection.execute(_MEMBERS, {"clue": head.id}).fetchall()]


def content_of(connection: Connection, clue: Clue) -> Content | None:
    """Returns what a clue says; None if that was erased."""
    row = connection.execute(_CONTENT, {"clue": clue.id}).fetchone()
    return None if row is None else Content.decode(bytes(row[0]))


def add(connection: Connection, clue: Clue) -> None:
    """Writes a clue that is new."""
    connection.execute(_ADD, clue._asdict())


def change(connection: Connection, clue: Clue) -> Clue:
    """Writes what has changed of a clue, and returns it."""
    fixed = ("peer", "line", "rule", "version", "pack", "ticket", "author", "claimed", "made")
    values = {name: value for name, value in clue._asdict().items() if name not in fixed}
    connection.execute(_CHANGE, values)
    return clue
