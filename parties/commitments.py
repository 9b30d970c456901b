"""Commitments to what a node brings, so that the stages of a ticket are about the same sets.

A commitment is a keyed digest of a set (`psi.Elements.commitment`), under a key of this node's own
for each ticket: the peer can tell whether a set is the one of before, and nothing else. Both stand
in the receipts that both nodes sign, and an auditor who is shown the key and a source can tell
whether it was that. It binds a node that brings another set and says so; one that says the old
digest over another set is found by such an audit, and by nothing that crosses.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from parties.errors import LocalFault
from parties.identifiers import IdentifiedSet
from parties.settings import Settings
from parties.whole_files import read_whole, write_first
from psi.elements import KEY

FOLDER: Final = "commitments"
"""Of keys, in the folder of tickets; a file for each ticket, named by its id."""


def commit(settings: Settings, ticket: str, sets: Sequence[IdentifiedSet]) -> tuple[bytes, ...]:
    """Returns 32 bytes for each set, which the peer may see.

    Args:
        settings: of this node.
        ticket: its id.
        sets: what is brought. Secret.

    Raises:
        LocalFault: the key cannot be kept.
    """
    key = key_of(settings, ticket)
    return tuple(own.elements.commitment(key) for own in sets)


def key_of(settings: Settings, name: str) -> bytes:
    """Returns the key of this name; drawn when it is first needed, by one of several processes.

    Args:
        settings: of this node.
        name: of the file: a ticket's id, or what else needs a key of this node's own.

    Raises:
        LocalFault: it cannot be kept.
    """
    path: Path = settings.tickets.folder / FOLDER / name
    if (key := read_whole(path)) is None:
        write_first(path, os.urandom(KEY))
        key = read_whole(path)
    if key is None or len(key) != KEY:
        raise LocalFault(f"{path}: is no key of a commitment; put it back as it was")
    return key
