"""One clue of several insurers: the police propose, each insurer's node agrees or refuses.

An insurer is told that its clue would be merged, and whether it was: not with what, of whom, or how
many. One clue then stands for the others and counts once; they follow it. Until all have answered,
or the police withdraw, nothing else is done with any of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parties.clues import clue as clues
from parties.clues import outbox
from parties.clues.clue import Clue
from parties.clues.deciding import body_of
from parties.clues.history import BY_MERGE, PEER, Who, note
from parties.clues.letters import MOST_LETTERS
from parties.clues.outbox import Names
from parties.clues.states import STEPS
from parties.clues.steps import must_be, step
from parties.errors import ClueRefused
from parties.operators.roles import Party
from parties.store import Connection, Values

OPEN: Final = "open"
"""A merge that has been proposed, of which somebody has not answered."""
AGREED: Final = "agreed"
REFUSED: Final = "refused"
HEADS: Final = ("received", "accepted", "filed")
"""States of a clue that may stand for others; these must be received, so that nothing was counted
of them yet."""
MOST: Final = 64
"""Clues in one merge: all insurers of a country that insure vehicles are about as many."""
LEFT: Final = 12
"""Letters that must be left for what becomes of a clue when one more merge is proposed."""
_ADD: Final = """
    INSERT INTO clue_merges (merge, clue, head, answer) VALUES (:merge, :clue, :head, '')"""
_ANSWER: Final = """
    UPDATE clue_merges SET answer = :answer
    WHERE merge = :merge AND clue = :clue AND answer = ''"""
_FIND: Final = "SELECT clue, head, answer FROM clue_merges WHERE merge = :merge ORDER BY clue"


def propose(
    connection: Connection,
    at: datetime,
    party: Party,
    who: Who,
    head: Clue,
    others: Sequence[Clue],
    names: Names,
) -> Clue:
    """Asks the insurers of some clues whether these may be merged.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: of the police.
        head: the clue that will stand for the others.
        others: these.
        names: of nodes.

    Raises:
        ClueRefused: `clue-role`; `clue-state`, one of them is not in a state in which it may be
            merged; `clue-merging`, one of them takes part in a merge, or was merged;
            `clue-limit`, they are too many.
    """
    must_be(party, "police", who)
    every = [head, *others]
    if len({each.id for each in every}) != len(every) or not others:
        raise ClueRefused("clue-merging", "a merge is of two or more clues, each named once")
    if len(every) > MOST:
        raise ClueRefused("clue-limit", f"a merge is of {MOST} clues at the most")
    for each in every:
        states = HEADS if each is head else HEADS[:1]
        if each.state not in states:
            raise ClueRefused(
                "clue-state",
                f"clue {each.id} is {each.state}; the first that is named must be "
                f"{' or '.join(HEADS)}, and the others {HEADS[0]}",
            )
        if each.merge or each.head or (each is not head and each.merged):
            raise ClueRefused("clue-merging", f"clue {each.id} is merged, or a merge is open")
        if each.said > MOST_LETTERS - LEFT:
            raise ClueRefused("clue-limit", f"clue {each.id}: too many merges were proposed")
    merge = os.urandom(16).hex()
    asked = []
    for each in every:
        row: Values = {"merge": merge, "clue": each.id, "head": head.id}
        connection.execute(_ADD, row)
        each = each._replace(merge=merge, asked=OPEN)
        each = outbox.put(connection, at, each, names, "merge-asked", {"merge": merge})
        note(connection, at, each, "merge-asked", who, facts={"merge": merge})
        asked.append(each)
    return asked[0]


def withdraw(
    connection: Connection, at: datetime, party: Party, who: Who, clue: Clue, names: Names
) -> Clue:
    """Gives up a merge in which a clue takes part, and that is open.

    Raises:
        ClueRefused: `clue-role`, or `clue-merging`, none is open.
    """
    must_be(party, "police", who)
    if not clue.merge:
        raise ClueRefused("clue-merging", "no merge of this clue is open")
    _end(connection, at, clue.merge, who, names, "withdrawn")
    return clue._replace(merge="", asked="")


def answer(
    connection: Connection,
    at: datetime,
    party: Party,
    who: Who,
    clue: Clue,
    names: Names,
    *,
    agrees: bool,
) -> Clue:
    """Answers, as an insurer, whether its clue may be merged.

    Raises:
        ClueRefused: `clue-role`, or `clue-merging`, nobody asks, or it was answered.
    """
    must_be(party, "insurer", who)
    if clue.asked != OPEN:
        raise ClueRefused("clue-merging", "the police do not ask, or were answered already")
    said = AGREED if agrees else REFUSED
    clue = clue._replace(asked=said)
    kind, body = f"merge-{said}", {"merge": clue.merge}
    clue = outbox.put(connection, at, clue, names, kind, body)
    note(connection, at, clue, kind, who, facts={"merge": clue.merge})
    return clue


def hear_answer(
    connection: Connection, at: datetime, clue: Clue, merge: str, said: str, names: Names
) -> None:
    """Takes an insurer's answer; with the last that agrees the clues are merged.

    An answer to what was ended meanwhile changes nothing.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        clue: of the insurer that answers.
        merge: to which.
        names: of nodes.
        said: `AGREED` or `REFUSED`.
    """
    if clue.merge != merge:
        return
    row: Values = {"merge": merge, "clue": clue.id, "answer": said}
    if not connection.execute(_ANSWER, row).rowcount:
        return
    note(connection, at, clue, f"merge-{said}", PEER, facts={"merge": merge})
    if said == REFUSED:
        _end(connection, at, merge, BY_MERGE, names, REFUSED)
    elif all(each[2] == AGREED for each in _rows(connection, merge)):
        _complete(connection, at, merge, names)


def hear_asked(connection: Connection, at: datetime, clue: Clue, merge: str) -> None:
    """Takes the police's question at an insurer."""
    clue = clues.change(connection, clue._replace(merge=merge, asked=OPEN))
    note(connection, at, clue, "merge-asked", PEER, facts={"merge": merge})


def hear_end(connection: Connection, at: datetime, clue: Clue, merge: str, kind: str) -> None:
    """Takes at an insurer how a merge ended: `merged` or `merge-ended`."""
    if clue.merge != merge:
        raise ClueRefused("clue-state", "the letter ends a merge that is not open")
    merged = 1 if kind == "merged" else clue.merged
    clue = clues.change(connection, clue._replace(merge="", asked="", merged=merged))
    note(connection, at, clue, kind, PEER, facts={"merge": merge})


def _complete(connection: Connection, at: datetime, merge: str, names: Names) -> None:
    rows = _rows(connection, merge)
    head = _found(connection, rows[0][1])
    for row in rows:
        each = _found(connection, row[0])
        of = "" if each.id == head.id else head.id
        each = each._replace(merge="", asked="", merged=1, head=of)
        each = outbox.put(connection, at, each, names, "merged", {"merge": merge})
        note(connection, at, each, "merged", BY_MERGE, facts={"merge": merge})
        if of:
            _follow(connection, at, each, head, names)


def _follow(connection: Connection, at: datetime, clue: Clue, head: Clue, names: Names) -> None:
    """Brings a clue to where the one is that stands for it, each step told to its insurer."""
    for what, each in STEPS["police"].items():
        if clue.state in each.was and HEADS.index(head.state) >= _place(each.state):
            facts = {"case": head.filed} if what == "file" else {}
            clue = step(connection, at, "police", BY_MERGE, clue, what, code="merged", facts=facts)
            body = body_of(what, clue)
            clue = outbox.put(connection, at, clue, names, what, body)


def _place(state: str) -> int:
    return HEADS.index(state) if state in HEADS else len(HEADS)


def _end(
    connection: Connection, at: datetime, merge: str, who: Who, names: Names, code: str
) -> None:
    for row in _rows(connection, merge):
        each = _found(connection, row[0])._replace(merge="", asked="")
        body = {"merge": merge}
        each = outbox.put(connection, at, each, names, "merge-ended", body)
        note(connection, at, each, "merge-ended", who, code=code, facts=body)


def _rows(connection: Connection, merge: str) -> list[tuple[str, str, str]]:
    return [
        (row[0], row[1], row[2]) for row in connection.execute(_FIND, {"merge": merge}).fetchall()
    ]


def _found(connection: Connection, clue: str) -> Clue:
    found = clues.find(connection, clue)
    if found is None:
        raise ClueRefused("clue-unknown", "a clue that takes part in a merge is not in the ledger")
    return found
