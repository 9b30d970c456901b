"""Sweeps: how much of a block of numbers a node's own operators ask a partner about in a day.

The partner sees no identifier, and so this is kept by the node that asks. What stands in the store,
for a week, is how many numbers of how many blocks: which ones is hidden by a key that is not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from datetime import datetime, timedelta
from typing import Final

from parties.commitments import key_of
from parties.counters import REMEMBERED
from parties.identifiers.blocks import Block
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from parties.store import Connection, Values

KEY_NAME: Final = "sweeps"
"""Of the key (`parties.commitments.key_of`), which is not in the store."""

_FIND: Final = """
    SELECT seen FROM swept
    WHERE peer = :peer AND "set" = :set AND day = :day AND block = :block"""
_KEEP: Final = """
    INSERT INTO swept (peer, "set", day, block, seen)
    VALUES (:peer, :set, :day, :block, :seen)
    ON CONFLICT (peer, "set", day, block) DO UPDATE SET seen = excluded.seen"""
_FORGET: Final = "DELETE FROM swept WHERE day < :before"


class Sweeps:
    """Which numbers of blocks were asked about.

    Args:
        settings: of this node.
        peer: whom it asks.
    """

    def __init__(self, settings: Settings, peer: PeerSettings) -> None:
        self._settings, self._peer = settings, peer
        self._key: bytes | None = None

    def look(
        self, connection: Connection, name: str, blocks: Mapping[Block, Set[int]], at: datetime
    ) -> None:
        """Looks whether a set could be asked about, and keeps nothing; as `keep`.

        Raises:
            Refusal: `sweep`.
            LocalFault: the key cannot be kept.
        """
        self._check(connection, name, blocks, at)

    def keep(
        self, connection: Connection, name: str, blocks: Mapping[Block, Set[int]], at: datetime
    ) -> None:
        """Keeps what is asked about, before it is; what was asked today counts once.

        Args:
            connection: in a transaction that writes.
            name: of the identifier set.
            blocks: which of each are asked about. Secret.
            at: now, of the store's clock.

        Raises:
            Refusal: `sweep`; nothing was kept.
            LocalFault: the key cannot be kept.
        """
        if new := self._check(connection, name, blocks, at):
            before = (at.date() - timedelta(days=REMEMBERED)).isoformat()
            connection.execute(_FORGET, {"before": before})
            for place, seen in new.items():
                connection.execute(_KEEP, {**self._here(name, at), "block": place, "seen": seen})

    def _check(
        self, connection: Connection, name: str, blocks: Mapping[Block, Set[int]], at: datetime
    ) -> dict[bytes, bytes]:
        """What is to be kept, by the hash of each block."""
        here, share = self._here(name, at), self._peer.sweep_share
        new = {}
        for block, asked in blocks.items():
            place, first, step = self._hidden(block)
            row = connection.execute(_FIND, {**here, "block": place}).fetchone()
            before = 0 if row is None else int.from_bytes(row[0])
            seen = before | sum(1 << (first + step * each) % block.size for each in asked)
            if 100 * seen.bit_count() > share * block.size:
                raise Refusal(
                    "sweep",
                    f"identifiers.{name}: {self._peer.name} would be asked today about "
                    f"{seen.bit_count()} of the {block.size} numbers of one block, which is more "
                    f"than the {share} % of peers.{self._peer.name}.sweep_share",
                )
            if seen != before:
                new[place] = seen.to_bytes(-(-block.size // 8))
        return new

    def _here(self, name: str, at: datetime) -> Values:
        return {"peer": self._peer.partner, "set": name, "day": at.date().isoformat()}

    def _hidden(self, block: Block) -> tuple[bytes, int, int]:
        """A block's hash under the key, and how its places are moved about in what is kept."""
        if self._key is None:
            self._key = key_of(self._settings, KEY_NAME)
        hashed = hashlib.blake2b(block.name.encode(), key=self._key, digest_size=32).digest()
        first, step = (int.from_bytes(hashed[at : at + 8]) for at in (16, 24))
        # Sizes are products of 2, 3 and 5: with none of these the step reaches every place.
        return hashed[:16], first, 30 * step + 1
