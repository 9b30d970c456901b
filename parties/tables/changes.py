"""What has changed since the table that is served: found, and remembered for the next time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from parties.tables.held import Held
from parties.tables.manifest import Manifest
from psi import Elements, Labels, _core
from psi.elements import WIDTH
from psi.lazily import np, npt
from psi.tables import shard_of

DIGEST = 16
"""Bytes of the digest of an element's records."""


class Change(NamedTuple):
    """What has changed.

    Attributes:
        shards: of the table.
        elements: that are new, or whose records are others. Secret.
        positions: of these among all elements.
        digests: of their records, 16 bytes each.
        gone: that are there no more. Secret.
    """

    shards: int
    elements: Elements
    positions: npt.NDArray[np.uint32]
    digests: bytes
    gone: Elements

    def __bool__(self) -> bool:
        """Whether anything has."""
        return bool(len(self.elements) or len(self.gone))

    def by_shard(self) -> Iterator[tuple[int, bytes]]:
        """Yields the elements of each shard that has some."""
        block = bytes(self.elements.block)
        for shard, inside in _inside(block, self.shards):
            if len(inside):
                yield shard, _rows(block, WIDTH)[inside].tobytes()


def find_change(
    held: Held,
    key: _core.VoprfKey,
    before: Manifest,
    elements: Elements,
    labels: Labels | None,
) -> Change | None:
    """Compares what is to be told with what the served table tells.

    Args:
        held: where it is.
        key: of the function.
        before: the table that is served.
        elements: all identifiers. Secret.
        labels: of their records, of the width that the table has; None to tell members alone.

    Returns:
        What has changed; None if it is not known what the table holds, because the machine stopped
        before that was written down, or a file is damaged. The table is then to be built as a
        whole.

    Raises:
        LocalFault: a file cannot be read.
    """
    shards, block = len(before.generations[-1].shards), bytes(elements.block)
    digests = _rows(_digests(elements, labels), DIGEST)
    changed, gone = [np.empty(0, np.uint32)], list[bytes]()
    for shard, inside in _inside(block, shards):
        contents, number = _core.TableContents(key), 0
        try:
            for at, sealed in enumerate(held.contents(before.epoch, shard, shards).blocks()):
                number = contents.read(sealed, _context(shard, shards, at))
        except ValueError:
            return None
        if number != before.number:
            return None
        own = _rows(block, WIDTH)[inside].tobytes()
        others, lost = contents.compare(own, digests[inside].tobytes())
        changed.append(inside[np.frombuffer(others, np.uint32)])
        gone.append(lost)
    positions = np.concatenate(changed)
    return Change(
        shards,
        Elements(_rows(block, WIDTH)[positions].tobytes()),
        positions,
        digests[positions].tobytes(),
        Elements(b"".join(gone)),
    )


def whole_change(elements: Elements, labels: Labels | None, shards: int) -> Change:
    """All that a table holds, as what has changed since there was none."""
    positions = np.arange(len(elements), dtype=np.uint32)
    digests = _digests(elements, labels)
    return Change(shards, Elements(bytes(elements.block)), positions, digests, Elements(b""))


def remember(
    held: Held, key: _core.VoprfKey, manifest: Manifest, change: Change, *, whole: bool
) -> None:
    """Writes down what a table that was published holds.

    Args:
        held: where it is.
        key: of the function.
        manifest: of the table.
        change: what it tells.
        whole: whether that is all that it holds.

    Raises:
        LocalFault: a file cannot be written.
    """
    entropy = _core.Entropy.from_os()
    block, digests = bytes(change.elements.block), _rows(change.digests, DIGEST)
    lost = bytes(change.gone.block)
    gone_of = dict(_inside(lost, change.shards))
    for shard, inside in _inside(block, change.shards):
        journal = held.contents(manifest.epoch, shard, change.shards)
        if whole:
            journal.clear()
        context = _context(shard, change.shards, len(journal))
        sealed = _core.TableContents(key).advance(
            manifest.number,
            _rows(block, WIDTH)[inside].tobytes(),
            digests[inside].tobytes(),
            np.arange(len(inside), dtype=np.uint32).tobytes(),
            _rows(lost, WIDTH)[gone_of[shard]].tobytes(),
            context,
            entropy,
        )
        journal.append(sealed)


def _digests(elements: Elements, labels: Labels | None) -> bytes:
    if labels is None:
        return bytes(DIGEST * len(elements))
    return _core.record_digests(
        len(elements), labels.positions.tolist(), labels.block.tobytes(), labels.width
    )


def _inside(block: bytes, shards: int) -> Iterator[tuple[int, npt.NDArray[np.uint32]]]:
    """Yields for each shard the positions of its elements."""
    where = shard_of(block, shards)
    for shard in range(shards):
        yield shard, np.flatnonzero(where == shard).astype(np.uint32)


def _rows(block: bytes, width: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(block, np.uint8).reshape(-1, width)


def _context(shard: int, shards: int, number: int) -> bytes:
    return f"greenlane/contents/1/{shard}/{shards}/{number}".encode()
