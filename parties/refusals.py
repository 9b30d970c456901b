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
    "over-limit": "lets us ask less than that today; its `daily_inquiries`, `daily_sets` or "
    "`daily_elements` says how much",
    "receipts-due": "waits for our receipts of what it has answered; they are given first, so ask "
    "again",
    "difference": "has counted with a set before that differs by too few identifiers from this one",
    "sweep": "does not ask about most numbers of a block; its `sweep_share` says about how many",
    "ticket-floor": "lets nobody learn of as few hits under this ticket",
    "ticket-stage": "has not ended the stage of the ticket that comes before this; "
    "begin with `count`",
    "ticket-other-input": "was told of another set at an earlier stage of the ticket, or brings "
    "another; begin again with `count`",
    "ticket-spent": "lets no more be asked under that ticket: its runs, inquiries or elements are "
    "used up",
    "ticket-twice": "has seen another ticket with the same id; draft it anew, with its own id",
    "replayed": "has answered in this session already; ask in a new one",
    "ticket-missing": "was told no ticket; name one, or put it into the folder of tickets",
    "ticket-malformed": "cannot read the ticket; it must be the file that was signed, unchanged",
    "ticket-forged": "finds a signature of the ticket that is not that of an operator it knows; "
    "compare the operators' authorities on both nodes",
    "ticket-early": "holds the ticket for one that is not valid yet; wait, or compare the clocks",
    "ticket-expired": "holds the ticket for expired; draft a new one",
    "ticket-unsigned": "misses a signature under the ticket; `greenlane ticket show` says which",
    "ticket-one-person": "finds that one person signed the ticket for two duties; each needs "
    "a person and a key of its own",
    "ticket-signer-revoked": "has revoked the certificate of an operator who signed the ticket",
    "ticket-revoked": "has revoked the ticket; draft a new one, or ask its operator why",
    "ticket-other-peer": "finds that the ticket is for other nodes than these two",
    "ticket-other-set": "finds an identifier set, or its kind, that the ticket does not name",
    "ticket-other-way": "finds that the ticket does not allow this way of asking",
    "ticket-other-protocol": "finds a protocol that the ticket does not allow",
    "ticket-other-learner": "finds that the ticket lets another side learn",
    "ticket-other-columns": "finds a column that the ticket does not allow; compare `disclose` on "
    "both nodes with it",
    "ticket-too-large": "finds a set that is larger than the ticket allows",
    "ticket-other-normaliser": "finds that the ticket was made under other rules for identifiers; "
    "draft a new one with the release that runs",
    "ticket-refused": "has refused the ticket, by its people; draft another one",
    "ticket-unknown": "has no ticket of that id of ours in its inbox; submit it",
    "inbox-full": "takes no more tickets of ours today, or before its people have decided on those "
    "that wait",
    "clue-unknown": "knows no clue of ours by that id",
    "clue-state": "holds the clue in a state from which the letter cannot bring it",
    "clue-limit": "takes no more clues from us today; its `daily_clues` says how many",
    "clue-malformed": "cannot read the letter; both nodes need the same release",
    "clue-forged": "finds that the letter is not signed by us for that node; compare `node.name` "
    "and `san` on both nodes",
    "clue-other": "was told another letter under that number, or another clue under that id",
    "clue-order": "has not been told the letter before this one; it is told first",
    "source": "cannot read its own data; its operator finds the reason in its log",
    "certificate": "cannot use a certificate that its settings name; its operator finds the reason "
    "in its log",
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
