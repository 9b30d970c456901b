"""What has changed since the table that is served: found, and remembered for the next time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from parties.tables.held import Held
from parties.tables.manifest import Manifest
from psi import Elements, Labels, _core
from psi.elements import WIDTH
from psi.lazily import np, npt
from psi.tables import split

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
        for shard, (_, own) in enumerate(split(bytes(self.elements.block), self.shards)):
            if own:
                yield shard, own


def find_change(
    held: Held,
    key: _core.VoprfKey,
    before: Manifest,
    elements: Elements,
    digests: bytes,
) -> Change | None:
    """Compares what is to be told with what the served table tells.

    Args:
        held: where it is.
        key: of the function.
        before: the table that is served.
        elements: all identifiers. Secret.
        digests: of their records, as `digests_of` gives them.

    Returns:
        What has changed; None if it is not known what the table holds, because the machine stopped
        before that was written down, or a file is damaged. The table is then to be built as a
        whole.

    Raises:
        LocalFault: a file cannot be read.
    """
    shards, block = len(before.generations[-1].shards), bytes(elements.block)
    told = _rows(digests, DIGEST)
    changed, gone = [np.empty(0, np.uint32)], list[bytes]()
    for shard, (inside, own) in enumerate(split(block, shards)):
        contents, number = _core.TableContents(key), 0
        try:
            for at, sealed in enumerate(held.contents(before.epoch, shard, shards).blocks()):
                number = contents.read(sealed, _context(shard, shards, at))
        except ValueError:
            return None
        if number != before.number:
            return None
        others, lost = contents.compare(own, told[inside].tobytes())
        changed.append(inside[np.frombuffer(others, np.uint32)])
        gone.append(lost)
    positions = np.concatenate(changed)
    return Change(
        shards,
        Elements(_rows(block, WIDTH)[positions].tobytes()),
        positions,
        told[positions].tobytes(),
        Elements(b"".join(gone)),
    )


def whole_change(elements: Elements, digests: bytes, shards: int) -> Change:
    """All that a table holds, as what has changed since there was none."""
    positions = np.arange(len(elements), dtype=np.uint32)
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
    told = _rows(change.digests, DIGEST)
    added, lost = (
        split(bytes(each.block), change.shards) for each in (change.elements, change.gone)
    )
    for shard, ((inside, own), (_, gone)) in enumerate(zip(added, lost, strict=True)):
        journal = held.contents(manifest.epoch, shard, change.shards)
        if whole:
            journal.clear()
        context = _context(shard, change.shards, len(journal))
        sealed = _core.TableContents(key).advance(
            manifest.number,
            own,
            told[inside].tobytes(),
            np.arange(len(inside), dtype=np.uint32).tobytes(),
            gone,
            context,
            entropy,
        )
        journal.append(sealed)


def digests_of(elements: Elements, labels: Labels | None) -> bytes:
    """A digest of each element's records, n x 16 bytes.

    Args:
        elements: all identifiers. Secret.
        labels: of their records, of the width that the table has; None to tell members alone.
    """
    if labels is None:
        return bytes(DIGEST * len(elements))
    return _core.record_digests(
        len(elements), labels.positions.tolist(), labels.block.tobytes(), labels.width
    )


def _rows(block: bytes, width: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(block, np.uint8).reshape(-1, width)


def _context(shard: int, shards: int, number: int) -> bytes:
    return f"greenlane/contents/1/{shard}/{shards}/{number}".encode()
