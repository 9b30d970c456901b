"""Letters: what one node says to the other about a clue, one thing each, numbered for each clue.

An insurer writes a clue, and its answer to a merge; the police write what became of a clue, and
that it would be merged. A letter is signed when it is sent, so that it waits longer than a
certificate lasts; its digest goes over what is said, and stays the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from parties.clues import words
from parties.clues.amounts import MOST, UNKNOWN
from parties.clues.clue import ID
from parties.clues.content import Content
from parties.clues.leads import LINES, MOST_VERSION, RULE
from parties.clues.sealed import Domain
from parties.clues.states import LONGEST_CASE, MOST_SUSPECTS, OUTCOMES, RETURNS
from parties.errors import ClueRefused
from parties.operators.roles import Party
from parties.settings_file import NAME
from parties.tickets.fields import Fields, Malformed
from parties.tickets.ticket import DIGEST
from psi.lazily import NamedTuple

FORM: Final = 1
MOST_LETTERS: Final = 64
"""About one clue in one direction: six tell all that becomes of it, four more each merge."""
LETTER: Final = Domain(b"greenlane/clues/1/letter\n", 1 << 20, "a letter about a clue")
"""Bytes: 16 entries of 192 characters, 2,000 rows of 64 and three texts of 2,000, of 6 bytes each
in ASCII, are 830,000 at the most; certificate and signature in base 64 at most 23,000."""
RECEIPT: Final = Domain(b"greenlane/clues/1/receipt\n", 1 << 16, "the receipt of a letter")
"""Bytes: a certificate of 16 KiB and a signature in base 64, and 1 KiB for the rest."""
KINDS: Final[Mapping[Party, tuple[str, ...]]] = {
    "insurer": ("clue", "merge-agreed", "merge-refused"),
    "police": (
        *("accept", "return", "file", "conclude"),
        *("merge-asked", "merge-ended", "merged"),
    ),
}
"""What each party writes."""
_FIELDS: Final = ("body", "clue", "format", "from", "kind", "number", "to")


class Letter(NamedTuple):
    """What is said.

    Attributes:
        kind: one of `KINDS`.
        sender: name of the node that writes.
        receiver: name of the node that reads.
        clue: its id.
        number: of the letter, for this clue and direction, from 1.
        body: by kind.
    """

    kind: str
    sender: str
    receiver: str
    clue: str
    number: int
    body: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "body": self.body,
            "clue": self.clue,
            "format": FORM,
            "from": self.sender,
            "kind": self.kind,
            "number": self.number,
            "to": self.receiver,
        }


def digest_of(data: bytes) -> str:
    """Returns the digest of a letter's bytes."""
    return hashlib.sha256(data).hexdigest()


def letter_of(values: Any, party: Party) -> Letter:
    """Reads a letter.

    Args:
        values: as somebody wrote them.
        party: of the sender.

    Raises:
        ClueRefused: `clue-malformed`, it is none; says where, and quotes nothing.
    """
    try:
        fields = Fields(values, "the letter", _FIELDS)
        fields.number("format", FORM, FORM)
        kind = fields.one("kind", KINDS[party])
        return Letter(
            kind=kind,
            sender=fields.form("from", NAME),
            receiver=fields.form("to", NAME),
            clue=fields.form("clue", ID),
            number=fields.number("number", 1, MOST_LETTERS),
            body=_BODIES[kind](values["body"]),
        )
    except Malformed as why:
        raise ClueRefused("clue-malformed", str(why)) from None


def receipt_values(letter: Letter, digest: str, at: str) -> dict[str, Any]:
    """What the receipt of a letter says."""
    return {
        "at": at,
        "clue": letter.clue,
        "digest": digest,
        "format": FORM,
        "from": letter.sender,
        "number": letter.number,
        "to": letter.receiver,
    }


def _clue(values: Any) -> dict[str, Any]:
    names = ("line", "rule", "version", "pack", "ticket", "claimed", "content")
    fields = Fields(values, "body", names)
    return {
        "line": fields.one("line", LINES),
        "rule": fields.form("rule", RULE),
        "version": fields.number("version", 1, MOST_VERSION),
        "pack": fields.form("pack", DIGEST),
        "ticket": fields.form("ticket", ID),
        "claimed": fields.number("claimed", UNKNOWN, MOST),
        "content": Content.of(values["content"], "content of body"),
    }


def _nothing(values: Any) -> dict[str, Any]:
    Fields(values, "body", ())
    return {}


def _return(values: Any) -> dict[str, Any]:
    fields = Fields(values, "body", ("code", "text"))
    text = values["text"]
    if text != "" and (why := words.why_not(text)):
        raise Malformed(f"text of body {why}")
    return {"code": fields.one("code", RETURNS), "text": text}


def _file(values: Any) -> dict[str, Any]:
    Fields(values, "body", ("case",))
    if why := words.why_not(values["case"], LONGEST_CASE):
        raise Malformed(f"case of body {why}")
    return {"case": values["case"]}


def _conclude(values: Any) -> dict[str, Any]:
    fields = Fields(values, "body", ("outcome", "suspects", "amount", "recovered"))
    amount = fields.number("amount", UNKNOWN, MOST)
    return {
        "outcome": fields.one("outcome", OUTCOMES),
        "suspects": fields.number("suspects", 0, MOST_SUSPECTS),
        "amount": amount,
        "recovered": fields.number("recovered", UNKNOWN, max(amount, UNKNOWN)),
    }


def _merge(values: Any) -> dict[str, Any]:
    return {"merge": Fields(values, "body", ("merge",)).form("merge", ID)}


_BODIES: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "clue": _clue,
    "accept": _nothing,
    "return": _return,
    "file": _file,
    "conclude": _conclude,
    "merge-asked": _merge,
    "merge-ended": _merge,
    "merged": _merge,
    "merge-agreed": _merge,
    "merge-refused": _merge,
}
