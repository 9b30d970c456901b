"""The history of a clue: what was done, when and by whom. Nothing changes a line of it.

What people wrote stands apart, so that it can be erased: a comment may name somebody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from parties import audit, canonical
from parties.clues import words
from parties.clues.amounts import UNKNOWN
from parties.clues.clue import Clue
from parties.errors import ClueRefused
from parties.operators.roles import OperatorRole
from parties.store import Connection, Values, microseconds
from psi.lazily import NamedTuple

_NEXT: Final = "SELECT coalesce(max(number), 0) + 1 FROM clue_history WHERE clue = :clue"
_ADD: Final = """
    INSERT INTO clue_history (clue, number, at, act, state, person, role, code, facts)
    VALUES (:clue, :number, :at, :act, :state, :person, :role, :code, :facts)"""
_ADD_TEXT: Final = "INSERT INTO clue_texts (clue, number, text) VALUES (:clue, :number, :text)"
_FIND: Final = """
    SELECT h.number, h.at, h.act, h.state, h.person, h.role, h.code, h.facts,
           coalesce(t.text, '')
    FROM clue_history h LEFT JOIN clue_texts t ON t.clue = h.clue AND t.number = h.number
    WHERE h.clue = :clue ORDER BY h.number"""
_COUNTED: Final = ("suspects", "amount", "recovered", "merge")
"""Facts that the audit log has as well."""


class Who(NamedTuple):
    """Who did something.

    Attributes:
        person: an operator of this node; empty if the other node's letter did it.
        role: of the person; empty likewise.
        certificate: its fingerprint, hexadecimal; empty likewise, or if a token was shown.
        subject: of the token, as in `parties.operators.acting`; else empty.
    """

    person: str = ""
    role: OperatorRole | str = ""
    certificate: str = ""
    subject: str = ""


PEER: Final = Who()
"""The other node, by a letter."""
BY_MERGE: Final = Who(role="merge")
"""Nobody now: the clue follows the one with which it was merged."""


class Entry(NamedTuple):
    """A line of the history.

    Attributes:
        number: of the line, from 1.
        at: when, in microseconds since 1970.
        act: what was done.
        state: of the clue afterwards.
        person: who did it; empty if the other node did.
        role: of the person.
        code: why, or how, in a word; "merged" if it came with the clue that stands for this one.
        facts: what else was said, in numbers and names.
        text: what was written; empty if nothing was, or it was erased.
    """

    number: int
    at: int
    act: str
    state: str
    person: str
    role: str
    code: str
    facts: Mapping[str, Any]
    text: str


def note(
    connection: Connection,
    at: datetime,
    clue: Clue,
    act: str,
    who: Who,
    *,
    code: str = "",
    facts: Mapping[str, str | int] | None = None,
    text: str = "",
) -> None:
    """Writes a line, and one in the audit log.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        clue: as it is now.
        act: what was done.
        who: did it.
        code: why, in a word.
        facts: what else was said; no identifier and no name of a person but an operator's.
        text: what a person wrote.

    Raises:
        ClueRefused: `clue-words`, the text is none for a clue.
    """
    if text and (why := words.why_not(text)):
        raise ClueRefused("clue-words", f"what is written about a clue {why}")
    said = facts or {}
    number = connection.execute(_NEXT, {"clue": clue.id}).fetchone()[0]
    line: Values = {
        "clue": clue.id,
        "number": number,
        "at": microseconds(at),
        "act": act,
        "state": clue.state,
        "person": who.person,
        "role": who.role,
        "code": code,
        "facts": canonical.encode(said),
    }
    connection.execute(_ADD, line)
    if text:
        written: Values = {"clue": clue.id, "number": number, "text": text}
        connection.execute(_ADD_TEXT, written)
    _audit(connection, at, clue, act, who, code, said)


def of_clue(connection: Connection, clue: Clue) -> list[Entry]:
    """Returns the history of a clue."""
    rows = connection.execute(_FIND, {"clue": clue.id}).fetchall()
    entries = []
    for number, at, act, state, person, role, code, facts, text in rows:
        said = canonical.decode(bytes(facts))
        entries.append(Entry(number, at, act, state, person, role, code, said, text))
    return entries


def _audit(
    connection: Connection,
    at: datetime,
    clue: Clue,
    act: str,
    who: Who,
    code: str,
    said: Mapping[str, str | int],
) -> None:
    facts: dict[str, Any] = {"clue": clue.id, "peer": clue.peer, "act": act, "state": clue.state}
    if who.person:
        facts |= {"operator": who.person, "role": who.role}
        by = {"certificate": who.certificate, "subject": who.subject}
        facts |= {name: digest for name, digest in by.items() if digest}
    if code:
        facts["code"] = code
    facts |= {name: said[name] for name in _COUNTED if said.get(name, UNKNOWN) != UNKNOWN}
    if act in ("add", "receive"):
        facts |= {"rule": clue.rule, "ticket": clue.ticket}
        facts |= {"claimed": clue.claimed} if clue.claimed != UNKNOWN else {}
    audit.append(connection, at, "clue_moved", facts)
