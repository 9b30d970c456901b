"""The inbox: tickets that a peer's people have signed, until people of this node have decided.

`checking` says what may come in at all; `entries` keeps it in the store, within bounds for each
peer; `taking` takes one in, once however often it comes; `deciding` is what operators of this node
do; `states` is what the peer is told of it. Nothing here ends because time passes, but a ticket.
"""

from __future__ import annotations

from parties.inbox.checking import check
from parties.inbox.deciding import approve, refuse
from parties.inbox.entries import Entry, find, find_all, one_of
from parties.inbox.states import State, given, state_of
from parties.inbox.taking import take

__all__ = [
    "Entry",
    "State",
    "approve",
    "check",
    "find",
    "find_all",
    "given",
    "one_of",
    "refuse",
    "state_of",
    "take",
]
