"""What may become of a clue, at either party and by whom: one table.

At the insurer a clue is drafted, reviewed by a second person and transferred; from then on its
state mirrors that of the police, who receive it, accept or return it, file a case and conclude it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from parties.operators.roles import DUTIES, OperatorRole, Party
from psi.lazily import NamedTuple


class Step(NamedTuple):
    """What may be done with a clue that changes its state.

    Attributes:
        was: the states in which it may be done; none if it makes the clue.
        state: in which the clue is then.
        roles: of the people who may; none if the other node's letter does it.
    """

    was: tuple[str, ...]
    state: str
    roles: tuple[OperatorRole, ...]


_BY_PEER: Final[tuple[OperatorRole, ...]] = ()
_INSURER: Final = DUTIES["insurer"]
_POLICE: Final = DUTIES["police"]
_ANSWERS: Final = _INSURER[1:]
"""Compliance, who answers for what leaves the insurer."""

STEPS: Final[Mapping[Party, Mapping[str, Step]]] = {
    "insurer": {
        "add": Step((), "draft", _INSURER),
        "review": Step(("draft",), "reviewed", _INSURER),
        "drop": Step(("draft", "reviewed"), "dropped", _INSURER),
        "transfer": Step(("reviewed",), "transferred", _ANSWERS),
        "accept": Step(("transferred",), "accepted", _BY_PEER),
        "return": Step(("transferred", "accepted"), "returned", _BY_PEER),
        "file": Step(("accepted",), "filed", _BY_PEER),
        "conclude": Step(("filed",), "concluded", _BY_PEER),
    },
    "police": {
        "receive": Step((), "received", _BY_PEER),
        "accept": Step(("received",), "accepted", _POLICE),
        "return": Step(("received", "accepted"), "returned", _POLICE),
        "file": Step(("accepted",), "filed", _POLICE),
        "conclude": Step(("filed",), "concluded", _POLICE),
    },
}
"""All that changes a state. What stands here with roles is a command of that party."""

OVER: Final = frozenset({"dropped", "returned", "concluded"})
"""States after which nothing is due any more."""
RETURNS: Final = ("insufficient", "not-ours", "known", "innocent", "other")
"""Why the police return a clue: it says too little, another office is competent, they knew, it has
another explanation, or as the words say."""
OUTCOMES: Final = ("prosecution", "administrative", "withdrawn", "other")
"""How a case is concluded: handed to the prosecutor, an administrative penalty, withdrawn."""
MOST_SUSPECTS: Final = 1_000_000
"""Of a case: no published one has more than some hundreds."""
LONGEST_CASE: Final = 64
"""Characters of the number of a case."""
