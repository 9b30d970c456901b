"""Steps of clues from state to state, as the table of `states` has them; all others are refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from parties.clues import clue as clues
from parties.clues.clue import Clue
from parties.clues.history import BY_MERGE, PEER, Who, note
from parties.clues.states import STEPS
from parties.errors import ClueRefused
from parties.operators.roles import DUTIES, Party
from parties.store import Connection

_COLUMNS: Final = {"case": "filed"}
"""Facts that a clue has under another name."""


def step(
    connection: Connection,
    at: datetime,
    party: Party,
    who: Who,
    clue: Clue,
    what: str,
    *,
    code: str = "",
    facts: Mapping[str, str | int] | None = None,
    text: str = "",
) -> Clue:
    """Brings a clue into another state, as the table has it.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: does it; `history.PEER` if a letter does.
        clue: with which it is done.
        what: a step of the table.
        code: why, in a word.
        facts: case, outcome, suspects, amount and recovered, as far as they are known now.
        text: why, in words.

    Raises:
        ClueRefused: `clue-state`, not from this state; `clue-role`, not by this person.
    """
    state = after(party, what, who)
    was = STEPS[party][what].was
    if clue.state not in was:
        raise ClueRefused(
            "clue-state", f"the clue is {clue.state}; {what} is for one that is {' or '.join(was)}"
        )
    said = dict(facts or {})
    changed: dict[str, Any] = {_COLUMNS.get(name, name): value for name, value in said.items()}
    clue = clues.change(connection, clue._replace(state=state, **changed))
    note(connection, at, clue, what, who, code=code, facts=said, text=text)
    return clue


def after(party: Party, what: str, who: Who) -> str:
    """Returns the state after a step, if it is one of the party's and the person may.

    Raises:
        ClueRefused: `clue-state` or `clue-role`, it is not, or may not.
    """
    found = STEPS[party].get(what)
    if found is None:
        raise ClueRefused("clue-state", f"{what} is no step of the {party}")
    if who != BY_MERGE and who.role not in (found.roles or (PEER.role,)):
        whose = " or ".join(found.roles) or "only a letter of the other node"
        raise ClueRefused("clue-role", f"{what}: {whose} may; this is {who.role or 'a letter'}")
    return found.state


def must_work_here(party: Party, who: Who) -> None:
    """Checks that a person works on clues at a party.

    Raises:
        ClueRefused: `clue-role`, the role is another.
    """
    if who.role not in DUTIES[party]:
        raise ClueRefused("clue-role", f"{' or '.join(DUTIES[party])} may, and this is {who.role}")


def must_be(party: Party, needed: Party, who: Who) -> None:
    """Checks that this is a command of the party, and the person works on clues there.

    Raises:
        ClueRefused: `clue-state`, it is one of the other party; `clue-role`, the role is another.
    """
    if party != needed:
        raise ClueRefused("clue-state", f"that is for the {needed}, and this node is {party}")
    must_work_here(party, who)
