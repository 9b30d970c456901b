"""Sweeps: how much of a block of numbers a node's own operators ask a partner about in a day.

The partner sees no identifier, and so this is kept by the node that asks. In the store stands,
under a key that is not in it, of which blocks something was counted, and nothing of what was asked.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from parties.commitments import key_of
from parties.counters import REMEMBERED
from parties.identifiers.blocks import Block
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from parties.store import Connection, Values

MOST_BLOCKS: Final = 1024
"""Of one question that are kept, those of which it has the largest shares: a few milliseconds of
writing. To hide one in larger questions takes a thousand others with larger shares each time."""
KEY_NAME: Final = "sweeps"
"""Of the file with the key, among those of commitments."""

_FIND: Final = """
    SELECT asked FROM swept
    WHERE peer = :peer AND "set" = :set AND day = :day AND block = :block"""
_ADD: Final = """
    INSERT INTO swept (peer, "set", day, block, asked)
    VALUES (:peer, :set, :day, :block, :asked)
    ON CONFLICT (peer, "set", day, block) DO UPDATE SET asked = swept.asked + excluded.asked"""
_FORGET: Final = "DELETE FROM swept WHERE day < :before"


class Sweeps:
    """What is counted of blocks.

    Args:
        settings: of this node.
        peer: whom it asks.
    """

    def __init__(self, settings: Settings, peer: PeerSettings) -> None:
        self._settings, self._peer = settings, peer
        self._key: bytes | None = None

    def look(
        self,
        connection: Connection,
        name: str,
        blocks: Mapping[Block, int],
        at: datetime,
        mark: bytes = b"",
    ) -> None:
        """Looks whether a set could be asked about, and counts nothing; as `count`.

        Raises:
            Refusal: `sweep`.
            LocalFault: the key cannot be kept.
        """
        self._check(connection, name, blocks, at, mark)

    def count(
        self,
        connection: Connection,
        name: str,
        blocks: Mapping[Block, int],
        at: datetime,
        mark: bytes = b"",
    ) -> None:
        """Counts what is asked about, before it is.

        Args:
            connection: in a transaction that writes.
            name: of the identifier set.
            blocks: how many identifiers of each are asked about. Secret.
            at: now, of the store's clock.
            mark: 32 bytes that stand for the whole set, which counts once in a day; none for a
                question that counts each time.

        Raises:
            Refusal: `sweep`; nothing was counted.
            LocalFault: the key cannot be kept.
        """
        kept = self._check(connection, name, blocks, at, mark)
        if not kept:
            return
        before = (at.date() - timedelta(days=REMEMBERED)).isoformat()
        connection.execute(_FORGET, {"before": before})
        here = self._here(name, at)
        if mark:
            connection.execute(_ADD, {**here, "block": mark, "asked": 0})
        for place, more in kept.items():
            connection.execute(_ADD, {**here, "block": place, "asked": more})

    def _check(
        self,
        connection: Connection,
        name: str,
        blocks: Mapping[Block, int],
        at: datetime,
        mark: bytes,
    ) -> dict[bytes, int]:
        """What is to be counted, by the hash of each block."""
        if not blocks:
            return {}
        here, share = self._here(name, at), self._peer.sweep_share
        if mark and connection.execute(_FIND, {**here, "block": mark}).fetchone() is not None:
            return {}
        fullest = heapq.nlargest(
            MOST_BLOCKS, blocks.items(), key=lambda each: each[1] / each[0].size
        )
        kept = {}
        for block, more in fullest:
            place = self._place(block)
            row = connection.execute(_FIND, {**here, "block": place}).fetchone()
            total = more + (0 if row is None else int(row[0]))
            if 100 * total > share * block.size:
                raise Refusal(
                    "sweep",
                    f"identifiers.{name}: {self._peer.name} would be asked today about {total} of "
                    f"the {block.size} numbers of one block, which is more than the {share} % of "
                    f"peers.{self._peer.name}.sweep_share",
                )
            kept[place] = more
        return kept

    def _here(self, name: str, at: datetime) -> Values:
        return {"peer": self._peer.partner, "set": name, "day": at.date().isoformat()}

    def _place(self, block: Block) -> bytes:
        if self._key is None:
            self._key = key_of(self._settings, KEY_NAME)
        return hashlib.blake2b(block.name.encode(), key=self._key, digest_size=16).digest()
