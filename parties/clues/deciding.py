"""What the police do with a clue that they have received: each step is told to its insurer."""

from __future__ import annotations

from datetime import datetime

from parties.clues import clue as clues
from parties.clues import outbox, words
from parties.clues.amounts import MOST, UNKNOWN
from parties.clues.clue import Clue
from parties.clues.history import Who
from parties.clues.outbox import Names
from parties.clues.states import LONGEST_CASE, MOST_SUSPECTS, OUTCOMES, RETURNS
from parties.clues.steps import step
from parties.errors import ClueRefused
from parties.operators.roles import Party
from parties.store import Connection


def act(
    connection: Connection,
    at: datetime,
    party: Party,
    who: Who,
    clue: Clue,
    what: str,
    names: Names,
    *,
    code: str = "",
    text: str = "",
    case: str = "",
    suspects: int = 0,
    amount: int = UNKNOWN,
    recovered: int = UNKNOWN,
) -> Clue:
    """Accepts, returns, files or concludes a clue at the police, and writes that to the insurer.

    A clue that stands for others brings them along.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        party: of this node.
        who: of the police.
        clue: with which it is done.
        what: accept, return, file or conclude.
        names: of nodes.
        code: of a return, one of `RETURNS`; of a conclusion, one of `OUTCOMES`.
        text: of a return, why, in words, which the insurer reads.
        case: number of the case that is filed.
        suspects: of the case.
        amount: of the case, in fen.
        recovered: of that.

    Raises:
        ClueRefused: `clue-merging`, it takes part in a merge, or another clue stands for it;
            `clue-malformed`, a value is not what it must be; or as `step`.
    """
    if clue.head:
        raise ClueRefused("clue-merging", f"clue {clue.head} stands for this one; name that")
    if clue.merge:
        raise ClueRefused(
            "clue-merging",
            "the clue takes part in a merge that is open; wait for the insurers, or withdraw it",
        )
    facts = _facts(what, code, case, suspects, amount, recovered)
    merged = clues.members(connection, clue)
    done = step(connection, at, party, who, clue, what, code=code, facts=facts, text=text)
    done = outbox.put(connection, at, done, names, what, body_of(what, done, code, text))
    # What the case came to is told once, of the clue that stands for it.
    told = {name: value for name, value in facts.items() if name in ("case", "outcome")}
    for each in merged:
        follower = step(connection, at, party, who, each, what, code="merged", facts=told)
        body = body_of(what, follower, code, text)
        outbox.put(connection, at, follower, names, what, body)
    return done


def body_of(what: str, clue: Clue, code: str = "", text: str = "") -> dict[str, str | int]:
    """What a letter says of a clue with which this was done.

    Of clues that were merged an insurer is not told what the case came to: the figures are also
    those of the others.
    """
    match what:
        case "return":
            return {"code": code, "text": text}
        case "file":
            return {"case": clue.filed}
        case "conclude" if clue.merged:
            return {"outcome": clue.outcome, "suspects": 0, "amount": -1, "recovered": -1}
        case "conclude":
            figures = {"suspects": clue.suspects, "amount": clue.amount}
            return {"outcome": clue.outcome, "recovered": clue.recovered, **figures}
        case _:
            return {}


def _facts(
    what: str, code: str, case: str, suspects: int, amount: int, recovered: int
) -> dict[str, str | int]:
    """What is said with a step, if it is what it must be."""
    match what:
        case "return":
            if code not in RETURNS:
                raise ClueRefused("clue-malformed", f"a return is for one of {', '.join(RETURNS)}")
        case "file":
            if why := words.why_not(case, LONGEST_CASE):
                raise ClueRefused("clue-malformed", f"the number of a case {why}")
            return {"case": case}
        case "conclude":
            must_be_figures(code, suspects, amount, recovered)
            figures = {"suspects": suspects, "amount": amount, "recovered": recovered}
            return {"outcome": code, **figures}
    return {}


def must_be_figures(outcome: str, suspects: int, amount: int, recovered: int) -> None:
    """Checks what a case came to.

    Raises:
        ClueRefused: `clue-malformed`, a figure is out of bounds.
    """
    if outcome not in OUTCOMES:
        raise ClueRefused("clue-malformed", f"an outcome is one of {', '.join(OUTCOMES)}")
    if not 0 <= suspects <= MOST_SUSPECTS:
        raise ClueRefused("clue-malformed", f"suspects are 0 to {MOST_SUSPECTS:,}")
    if not (UNKNOWN <= amount <= MOST and UNKNOWN <= recovered <= max(amount, UNKNOWN)):
        raise ClueRefused(
            "clue-malformed", "amounts are 0 or more, and no more is recovered than there was"
        )
