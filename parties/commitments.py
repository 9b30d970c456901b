"""Commitments to what a node brings, so that the stages of a ticket are about the same sets.

A commitment is a keyed digest of a set (`psi.Elements.commitment`), under a key of this node's own
for each ticket: the peer can tell whether a set is the one of before, and nothing else. Both stand
in the receipts that both nodes sign, and an auditor who is shown the key and a source can tell
whether it was that. It binds a node that brings another set and says so; one that says the old
digest over another set is found by such an audit, and by nothing that crosses.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from parties.errors import LocalFault
from parties.identifiers import IdentifiedSet
from parties.settings import Settings
from parties.whole_files import read_whole, write_first
from psi.elements import KEY

FILE: Final = "commitments.key"
"""With the key of all keys, in the folder of tickets."""
LABEL: Final = b"greenlane/keys/1"
"""The personalisation of these hashes, which none under another key has; 16 bytes."""


def commit(key: bytes, sets: Sequence[IdentifiedSet]) -> tuple[bytes, ...]:
    """Returns 32 bytes for each set, which the peer may see.

    Args:
        key: of this node, for the ticket (`key_of`). Secret.
        sets: what is brought. Secret.
    """
    return tuple(own.elements.commitment(key) for own in sets)


def key_of(settings: Settings, name: str) -> bytes:
    """Returns this node's own key for a ticket, or for what else needs one; secret.

    It is BLAKE2b of the name under the key in `FILE` (RFC 7693; keyed, with the personalisation of
    section 2.5): who is shown one, as an auditor is that of a ticket, can tell no other.

    Args:
        settings: of this node.
        name: the digest of a ticket, or what else needs a key of this node's own.

    Raises:
        LocalFault: the file cannot be read, or written when a key is first needed.
    """
    path: Path = settings.tickets.folder / FILE
    if (key := read_whole(path)) is None:
        write_first(path, os.urandom(KEY))  # of several processes one draws it
        key = read_whole(path)
    if key is None or len(key) != KEY:
        raise LocalFault(f"{path}: is no key of commitments; put it back as it was")
    return hashlib.blake2b(name.encode(), key=key, digest_size=KEY, person=LABEL).digest()
