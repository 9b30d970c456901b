"""Which packs of rules a ticket lets judge what was found under it: so clues come of no others.

Both parties sign a ticket, and with it the digests of packs. Each node writes them down when it
first goes by the ticket, and asks here before it takes a clue into its ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from parties.errors import ClueRefused
from parties.store import Connection

_ALLOW: Final = """
    INSERT INTO ticket_packs (peer, ticket, packs) VALUES (:peer, :ticket, :packs)
    ON CONFLICT (peer, ticket) DO NOTHING"""
_FIND: Final = "SELECT packs FROM ticket_packs WHERE peer = :peer AND ticket = :ticket"


def allow(connection: Connection, peer: str, ticket: str, packs: Sequence[str]) -> None:
    """Writes down which packs a ticket names.

    Args:
        connection: in a transaction that writes.
        peer: with whom the ticket is, as this node calls it.
        ticket: its id.
        packs: digests, hexadecimal.
    """
    connection.execute(_ALLOW, {"peer": peer, "ticket": ticket, "packs": " ".join(packs)})


def must_allow(connection: Connection, peer: str, ticket: str, pack: str) -> None:
    """Checks that a ticket lets a pack judge.

    Args:
        connection: that reads.
        peer: as of `allow`.
        ticket: its id.
        pack: digest of the pack.

    Raises:
        ClueRefused: `clue-ticket`, nothing was done under such a ticket here; `clue-pack`, it
            does not name the pack.
    """
    row = connection.execute(_FIND, {"peer": peer, "ticket": ticket}).fetchone()
    if row is None:
        raise ClueRefused(
            "clue-ticket", f"this node has done nothing with {peer} under a ticket of that id"
        )
    if pack not in row[0].split():
        raise ClueRefused(
            "clue-pack",
            "the ticket does not name the pack of rules that judged: `ticket draft --rules` does",
        )
