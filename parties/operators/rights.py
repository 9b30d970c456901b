"""Which roles may give which command, in one table.

An administrator keeps the node running and is given no command that prints or writes identifiers,
joined rows, masked lists, the log or the purpose of a ticket. Those who sign tickets or read the
log are given none that changes the node. What the program cannot keep from somebody who owns the
machine is in docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from parties.errors import OperatorRefused
from parties.operators.acting import Acting
from parties.operators.roles import OperatorRole

_ASK: Final[tuple[OperatorRole, ...]] = ("investigator", "analyst")
_ANSWER: Final[tuple[OperatorRole, ...]] = ("approver", "compliance")
_SIGN: Final[tuple[OperatorRole, ...]] = (*_ASK, *_ANSWER)
_KEEP: Final[tuple[OperatorRole, ...]] = ("administrator",)
_AUDIT: Final[tuple[OperatorRole, ...]] = (*_ANSWER, "auditor")

RIGHTS: Final[Mapping[str, tuple[OperatorRole, ...]]] = {
    "serve": _KEEP,
    "check": _KEEP,
    "prepare": _KEEP,
    "store set-clock": _KEEP,
    "fetch": (*_ASK, *_KEEP),
    "count": _ASK,
    "list": _ASK,
    "match": _ASK,
    "inquire": _ASK,
    "erase": (*_SIGN, *_KEEP),
    "results open": _SIGN,
    "ticket draft": _SIGN,
    "ticket sign": _SIGN,
    "ticket verify": (*_ASK, *_AUDIT, *_KEEP),
    "ticket revoke": _ANSWER,
    "ticket submit": _SIGN,
    "ticket state": _SIGN,
    "inbox list": (*_ASK, *_AUDIT),
    "inbox show": (*_ASK, *_AUDIT),
    "inbox approve": _SIGN,
    "inbox refuse": _SIGN,
    "clues list": _SIGN,
    "clues show": _SIGN,
    "clues add": _SIGN,
    "clues assign": _SIGN,
    "clues comment": _SIGN,
    "clues review": _SIGN,
    "clues transfer": _SIGN,
    "clues accept": _SIGN,
    "clues return": _SIGN,
    "clues file": _SIGN,
    "clues conclude": _SIGN,
    "clues merge": _SIGN,
    "clues send": (*_SIGN, *_KEEP),
    "clues report": (*_SIGN, "auditor"),
    "models mine": _SIGN,
    "audit show": _AUDIT,
    "audit verify": _AUDIT,
    "audit compare": _AUDIT,
    "audit export": _AUDIT,
    "audit key": _ANSWER,
    "operator whoami": (*_ASK, *_AUDIT, *_KEEP),
    "operator issue": (),
}
"""Who may give each command that names the settings of a node that requires roles. Nobody makes
operators there: who could would have any role. Its organisation's authority does, elsewhere. Which
of those who sign may do what with a clue is in `parties.clues.states`."""
UNWRITTEN: Final = frozenset({"check", "operator whoami", "ticket verify"})
"""Commands that the audit log does not name when they were allowed: they change nothing and show
nothing of anybody else, and are given before there is a store."""
ANYBODY: Final = frozenset(
    {
        *("init", "bench", "version", "operator show", "ticket show"),
        *("models check", "models try", "models page", "models window", "models rings"),
        "models evaluate",
    }
)
"""Commands that open no node: they make a new one, or read what whoever gives them can read."""


def action_of(command: str) -> str:
    """Returns the word by which the audit log names a command."""
    return command.replace(" ", "-")


def must_be_given(command: str) -> None:
    """Checks that there is a role that may give a command.

    Raises:
        OperatorRefused: `operator-not-allowed`.
    """
    if not RIGHTS[command]:
        raise OperatorRefused(
            "operator-not-allowed",
            f"`{command}` is for nobody at a node that requires roles: let your organisation's own "
            "authority issue certificates, on another machine",
        )


def must_have_right(acting: Acting, command: str) -> None:
    """Checks that a person may give a command.

    Raises:
        OperatorRefused: `operator-not-allowed`; says who may.
    """
    if acting.role not in RIGHTS[command]:
        raise OperatorRefused(
            "operator-not-allowed",
            f"`{command}` is not for the role {acting.role}; ask one who is "
            f"{' or '.join(RIGHTS[command])}",
            acting.facts(),
        )
