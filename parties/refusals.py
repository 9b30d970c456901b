"""Code words with which a node refuses, and the sentence for each at the other end.

The word crosses the wire; the sentence is made where people read it.
"""

from __future__ import annotations

from typing import Final

from parties.errors import PartyError

SENTENCES: Final = {
    "other-version": "runs another version of the protocol; update the older node",
    "other-normaliser": "normalises identifiers by other rules; both nodes need the same release",
    "same-role": "has the same role as this node; one must be insurer, the other police",
    "unknown-set": "has no identifier set of that name; compare [identifiers] on both nodes",
    "other-kind": "has another kind for an identifier set of that name; compare [identifiers]",
    "way-not-allowed": "does not allow this way of asking; its setting `may` for us says which",
    "role-not-allowed": "does not let us learn; its setting `may_receive` for us is false",
    "protocol-not-allowed": "and this node allow no protocol in common that tells what is asked; "
    "compare `protocols` on both nodes",
    "set-too-large": "has or accepts no set as large as that; compare max_elements on both nodes",
    "no-table": "has prepared no table for us of an identifier set that is asked about",
    "other-tables": "has prepared other tables than it has told us of; ask again",
    "over-limit": "lets us inquire less than that today; its `daily_inquiries` says how much",
    "ticket-spent": "lets no more be asked under that ticket: its runs, inquiries or elements are "
    "used up",
    "replayed": "has answered in this session already; ask in a new one",
    "source": "cannot read its own data; its operator finds the reason in its log",
    "settings": "has settings that do not fit; its operator finds the reason in its log",
    "local": "lacks disk space or a permission; its operator finds the reason in its log",
}


class Refusal(PartyError):
    """This node refuses what a peer proposed.

    Args:
        code: a key of `SENTENCES`.
        why: one sentence for this node's log.
    """

    exit_code = 7

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
