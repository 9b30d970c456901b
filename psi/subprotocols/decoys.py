"""Decoys: random elements beside the real ones, so that a broken run cannot end as a result.

Both sides add the same `SHARED` decoys, made from the session's secret; each adds `OWN` decoys of
its own, and padding up to a size class. A shared decoy must match and no other may; a result that
says otherwise is an error. A fault that spoils a share p of the elements goes unseen with
(1 - p)^32, less than 2^-13 for a quarter. (A changed message never goes unseen: the transcripts
differ.)

A decoy is 32 random bytes and never the hash of an identifier: that has probability 2^-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from psi import _core
from psi.elements import WIDTH
from psi.errors import DecoyMismatch
from psi.lazily import np, npt

SHARED: Final = 32
OWN: Final = 32
DECOYS: Final = SHARED + OWN
"""Decoys of one side. They cost 64 of its multiplications, 2 ms on one core."""
SEED: Final = 32
"""Bytes of the seed of a side's own decoys."""


def shared_decoys(session_id: bytes) -> bytes:
    """The decoys that both sides add: SHARED x 32 bytes."""
    return _expand(b"greenlane/decoys/shared", session_id, SHARED)


def own_decoys(seed: bytes) -> bytes:
    """The decoys that the holder of the seed adds: OWN x 32 bytes.

    They are hashes of the seed. So a side that shows its seed later cannot pass an element of its
    choice off as a decoy.
    """
    return _expand(b"greenlane/decoys/own", seed, OWN)


def size_class(size: int) -> int:
    """The smallest class that holds `size` elements and the decoys.

    Classes are 128 and then each 5 % more than the one before, rounded up; a peer that sees one
    knows the size to about 5 %.
    """
    bound = 128
    while bound < size + DECOYS:
        bound += -(-bound // 20)
    return bound


def disguise(
    block: bytes, session_id: bytes, seed: bytes, total: int, entropy: _core.Entropy
) -> bytes:
    """Adds what `extras` makes to the elements of a block, up to `total` elements."""
    return block + extras(session_id, seed, total - len(block) // WIDTH, entropy)


def extras(session_id: bytes, seed: bytes, count: int, entropy: _core.Entropy) -> bytes:
    """What stands behind the real elements: shared decoys, own decoys, and padding.

    Args:
        session_id: of the session, for the shared decoys.
        seed: for our own.
        count: how many in all, at least DECOYS.
        entropy: where padding comes from.
    """
    decoys = shared_decoys(session_id) + own_decoys(seed)
    return decoys + entropy.bytes(count * WIDTH - len(decoys))


def check_positions(records: npt.NDArray[np.uint32], real: int) -> None:
    """Checks the decoys of a party that knows where its own stand.

    Args:
        records: of the other party, for each element in the order of `disguise`.
        real: how many of them are no decoys.

    Raises:
        DecoyMismatch: a shared decoy has not exactly one record, or any other has one.
    """
    shared, others = records[real : real + SHARED], records[real + SHARED :]
    check_counts(int(np.count_nonzero(shared != 1)), int(np.count_nonzero(others)))


def check_counts(missed: int, shown: int) -> None:
    """Checks the decoys by their numbers.

    Args:
        missed: shared decoys that do not match.
        shown: others that do.

    Raises:
        DecoyMismatch: there is one.
    """
    if missed or shown:
        raise DecoyMismatch(f"{missed} of {SHARED} shared decoys missed, {shown} others shown")


def check_tags(
    tags: tuple[bytes, bytes],
    width: int,
    outputs: _core.Outputs,
    bins: Sequence[bytes],
    entry_width: int,
) -> None:
    """Checks the decoys by their tags, by a receiver that may not know where its own stand.

    Args:
        tags: of the shared decoys and of the receiver's own, as the sender computed them.
        width: bytes of a tag.
        outputs: of all elements of the receiver, in any order.
        bins: all entries of the sender.
        entry_width: bytes of an entry.

    Raises:
        DecoyMismatch: a decoy is missing where it belongs, stands where it does not, or is listed
            twice, so that it would pass for another that came out wrong.
    """
    own, entries = [outputs.tags(width)], list(bins)
    for whose, listed, theirs in (("shared", tags[0], True), ("receiver's", tags[1], False)):
        distinct = {listed[at : at + width] for at in range(0, len(listed), width)}
        if len(distinct) * width != len(listed):
            raise DecoyMismatch(f"a {whose} decoy is listed twice")
        if _core.contains(own, width, listed, width).count(True) * width != len(listed):
            raise DecoyMismatch(f"a {whose} decoy is wrong among our own outputs")
        if _core.contains(entries, entry_width, listed, width).count(theirs) * width != len(listed):
            raise DecoyMismatch(f"a {whose} decoy is wrong among the entries")


def _expand(label: bytes, seed: bytes, count: int) -> bytes:
    return b"".join(
        hashlib.sha256(label + seed + i.to_bytes(4, "little")).digest() for i in range(count)
    )
