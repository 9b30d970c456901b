"""What people of this node do with clues: each in one transaction, with who did it.

A step that the table of `states` does not have is refused, whoever asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from parties import packs_allowed
from parties.clues import clue as clues
from parties.clues import outbox, words
from parties.clues.clue import Clue
from parties.clues.content import digest_of_lead
from parties.clues.history import Who, note
from parties.clues.leads import Lead
from parties.clues.outbox import Names
from parties.clues.steps import after, must_work_here, step
from parties.errors import ClueRefused
from parties.operators.roles import Party
from parties.settings_file import NAME
from parties.store import Connection, Values, microseconds

_THERE: Final = """
    SELECT count(*) FROM clue_contents t JOIN clues c ON c.id = t.clue
    WHERE t.lead = :lead AND c.state NOT IN ('dropped', 'returned')"""
_KEEP: Final = "INSERT INTO clue_contents (clue, lead, data) VALUES (:clue, :lead, :data)"


def add(
    connection: Connection,
    at: datetime,
    party: Party,
    who: Who,
    leads: Sequence[Lead],
    peer: str,
    ticket: str,
) -> tuple[list[Clue], int]:
    """Drafts a clue of each lead, but of those that stand in the ledger already.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: drafts them.
        leads: of rules.
        peer: the police's node, as in [peers.NAME].
        ticket: under which was matched.

    Returns:
        The clues, and how many leads were there before.

    Raises:
        ClueRefused: `clue-role`, the person may not; `clue-malformed`, the ticket is no id; or as
            `packs_allowed.must_allow`.
    """
    state = after(party, "add", who)
    if not clues.ID.fullmatch(ticket):
        raise ClueRefused("clue-malformed", "a ticket's id has 32 hexadecimal digits")
    for pack in {lead.pack for lead in leads}:
        packs_allowed.must_allow(connection, peer, ticket, pack)
    made = []
    for lead in leads:
        content = lead.content.salted()
        same = digest_of_lead(peer, lead.rule, ticket, content)
        if connection.execute(_THERE, {"lead": same}).fetchone()[0]:
            continue
        clue = Clue(
            id=os.urandom(16).hex(),
            peer=peer,
            line=lead.line,
            rule=lead.rule,
            version=lead.version,
            pack=lead.pack,
            ticket=ticket,
            state=state,
            author=who.person,
            owner=who.person,
            due="",
            claimed=lead.amount,
            made=microseconds(at),
        )
        clues.add(connection, clue)
        keep(connection, clue, same, content.encode())
        note(connection, at, clue, "add", who)
        made.append(clue)
    return made, len(leads) - len(made)


def keep(connection: Connection, clue: Clue, lead: str, data: bytes) -> None:
    """Writes down what a clue says."""
    kept: Values = {"clue": clue.id, "lead": lead, "data": data}
    connection.execute(_KEEP, kept)


def assign(
    connection: Connection,
    at: datetime,
    party: Party,
    who: Who,
    clue: Clue,
    owner: str,
    due: str,
) -> Clue:
    """Says who works on a clue, and until which day something must be done.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: says so.
        clue: which.
        owner: an operator; empty to leave it.
        due: a day (ISO 8601), "never", or empty to leave it.

    Raises:
        ClueRefused: `clue-role`; or `clue-malformed`, owner or day do not have their form.
    """
    must_work_here(party, who)
    if owner and not NAME.fullmatch(owner):
        raise ClueRefused("clue-malformed", "an owner is named as in an operator's certificate")
    if due not in ("", "never"):
        _must_be_day(due)
    day = {"": clue.due, "never": ""}.get(due, due)
    clue = clues.change(connection, clue._replace(owner=owner or clue.owner, due=day))
    note(connection, at, clue, "assign", who, facts={"owner": clue.owner, "due": clue.due})
    return clue


def comment(
    connection: Connection, at: datetime, party: Party, who: Who, clue: Clue, text: str
) -> Clue:
    """Writes a comment, which stays on this node; arguments as of `assign`, and its text.

    Raises:
        ClueRefused: `clue-role`; or `clue-words`, it is none for a clue.
    """
    must_work_here(party, who)
    if why := words.why_not(text):
        raise ClueRefused("clue-words", f"what is written about a clue {why}")
    note(connection, at, clue, "comment", who, text=text)
    return clue


def review(
    connection: Connection, at: datetime, party: Party, who: Who, clue: Clue, *, drop: str = ""
) -> Clue:
    """Reviews a draft by another person than its author.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: of the insurer.
        clue: which.
        drop: why the clue is not followed up, in words; empty if it is.

    Raises:
        ClueRefused: `clue-same-person`, or as `step`.
    """
    if not drop and who.person == clue.author:
        raise ClueRefused(
            "clue-same-person", "a clue is reviewed by another person than the one who drafted it"
        )
    return step(connection, at, party, who, clue, "drop" if drop else "review", text=drop)


def transfer(
    connection: Connection, at: datetime, party: Party, who: Who, clue: Clue, names: Names
) -> Clue:
    """Hands a clue to the police: writes the letter, which is sent from then on until it is there.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: of the insurer.
        clue: which.
        names: of nodes.

    Raises:
        ClueRefused: `clue-erased`, what it says is erased; or as `step`.
    """
    content = clues.content_of(connection, clue)
    if content is None:
        raise ClueRefused("clue-erased", "what the clue says was erased; it cannot be transferred")
    clue = step(connection, at, party, who, clue, "transfer")
    body = {
        "line": clue.line,
        "rule": clue.rule,
        "version": clue.version,
        "pack": clue.pack,
        "ticket": clue.ticket,
        "claimed": clue.claimed,
        "content": content.values(),
    }
    return outbox.put(connection, at, clue, names, "clue", body)


def _must_be_day(text: str) -> None:
    try:
        good = date.fromisoformat(text).isoformat() == text
    except ValueError:
        good = False
    if not good:
        raise ClueRefused("clue-malformed", "a day is written as 2026-12-31")
