"""Sets that differ by a few: what tells of a few identifiers although a ticket has a floor.

Two counts with sets that differ by one identifier show whether that one is in common. So a node
keeps a keyed digest of each set with which its own operators have counted, and refuses to count
with one that differs from an earlier one by fewer identifiers than the floor of the ticket. The
same set may be counted again. What the partner brings it never sees: there it can bound only how
many different sets it is brought in a day (`parties.partner_inputs`).

A digest has a number for each of `BUCKETS` buckets: a hash, under a key of this node, of the sum of
all elements that fall into it. Two sets that differ by d elements have at most d different numbers;
so fewer than a floor are found always, never mind how large the sets are. They have as good as d if
d is not much larger than the floor: of sets that differ by at least twice as many as are looked
for, less than one in 2^29 is refused by chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parties.commitments import key_of
from parties.identifiers import IdentifiedSet
from parties.refusals import Refusal
from parties.settings import Settings
from parties.store import Connection, Values, microseconds
from psi import Elements
from psi.lazily import NamedTuple

BUCKETS: Final = 1024
"""Of a digest. d different elements are expected in 1024 (1 - exp(-d / 1024)) of them: of 512, in
403, which is 19 standard deviations above `MOST_SOUGHT`. And all of four elements, of which fewer
than two are sought, are in one bucket once in 2^30."""
NUMBER: Final = 2
"""Bytes of a bucket's number. Two sums have one number once in 2^16: then a difference seems
smaller than it is, and never larger."""
MOST_SOUGHT: Final = BUCKETS // 4
"""Differences of fewer than this are found, however high a floor is: beyond it they are no longer
about a few, and more of them share a bucket."""
KEPT: Final = 256
"""Digests of the newest sets of a name with a partner: half a megabyte, in which whoever wants one
to be forgotten has to count 255 others, each of which costs a run."""
KEY_NAME: Final = "differences"
"""Of the key (`parties.commitments.key_of`), which is not in the store with the digests."""

_FIND: Final = """
    SELECT whole, buckets FROM differences WHERE peer = :peer AND "set" = :set"""
_KEEP: Final = """
    INSERT INTO differences (peer, "set", whole, buckets, at)
    VALUES (:peer, :set, :whole, :buckets, :at)
    ON CONFLICT (peer, "set", whole) DO UPDATE SET at = excluded.at"""
_FORGET: Final = f"""
    DELETE FROM differences WHERE peer = :peer AND "set" = :set AND whole NOT IN
        (SELECT whole FROM differences WHERE peer = :peer AND "set" = :set
         ORDER BY at DESC, whole LIMIT {KEPT})"""  # noqa: S608  # our own number


class Digest(NamedTuple):
    """What is kept of a set. Nothing to whoever lacks the key; with it, sets can be tried out.

    Attributes:
        whole: 32 bytes that stand for the set.
        buckets: `BUCKETS` numbers.
    """

    whole: bytes
    buckets: bytes

    def differs_by(self, other: Digest) -> int:
        """By how many elements two sets differ, at least; 0 if they are the same set."""
        if self.whole == other.whole:
            return 0
        ours, theirs = (memoryview(each.buckets).cast("H") for each in (self, other))
        return max(1, sum(own != their for own, their in zip(ours, theirs, strict=True)))


def digests_of(settings: Settings, sets: Sequence[IdentifiedSet]) -> tuple[Digest, ...]:
    """Returns the digest of each set.

    Args:
        settings: of this node.
        sets: what it brings. Secret.

    Raises:
        LocalFault: the key cannot be kept.
    """
    key = key_of(settings, KEY_NAME)
    return tuple(digest(key, own.elements) for own in sets)


def digest(key: bytes, elements: Elements) -> Digest:
    """Returns the digest of a set under a key: half a second for a million, of a minute's count.

    Args:
        key: 32 random bytes. Secret.
        elements: of the set. Secret.
    """
    sums = [0] * BUCKETS
    # Of its 32 bytes, all hashed, the first say in which bucket an element is.
    words = memoryview(bytes(elements.block)).cast("Q")
    for place, word in zip(words[0::4], words[1::4], strict=True):
        sums[place % BUCKETS] += word
    hashed = hashlib.blake2b(key=key, digest_size=NUMBER).copy
    numbers = []
    for place, total in enumerate(sums):
        number = hashed()
        number.update(place.to_bytes(2) + (total % (1 << 64)).to_bytes(8))
        numbers.append(number.digest())
    return Digest(elements.commitment(key), b"".join(numbers))


def must_be_apart(connection: Connection, peer: str, name: str, digest: Digest, floor: int) -> None:
    """Checks that a set is one of before, or differs enough from each of them.

    Args:
        connection: of the store.
        peer: the partner with whom is counted.
        name: of the set.
        digest: of it.
        floor: the least difference.

    Raises:
        Refusal: `difference`.
    """
    floor = min(floor, MOST_SOUGHT)
    rows = connection.execute(_FIND, {"peer": peer, "set": name}).fetchall()
    for whole, buckets in rows:
        if 0 < (found := digest.differs_by(Digest(bytes(whole), bytes(buckets)))) < floor:
            raise Refusal(
                "difference",
                f"identifiers.{name} differs by {found} from a set that was counted with {peer} "
                f"before, and the floor of the ticket is {floor}: the two numbers would tell of "
                "these few; bring the same set, or one that differs more",
            )


def keep(connection: Connection, peer: str, name: str, digest: Digest, at: datetime) -> None:
    """Keeps the digest of a set with which is counted; other arguments as `must_be_apart`."""
    here: Values = {"peer": peer, "set": name}
    connection.execute(_KEEP, {**here, **digest._asdict(), "at": microseconds(at)})
    connection.execute(_FORGET, here)
