"""What has changed since the table that is served: found, and remembered for the next time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from parties.tables.files import Journal
from parties.tables.held import Held
from parties.tables.manifest import Manifest
from psi import Elements, Labels, _core
from psi.elements import WIDTH
from psi.lazily import NamedTuple, np, npt
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


def known_contents(held: Held, key: _core.VoprfKey, before: Manifest) -> list[Journal] | None:
    """The journals that say what the served table holds, one for each shard.

    What they say of a table that was never served, because the machine stopped before, is dropped;
    it goes when something is appended. Only last blocks are read.

    Args:
        held: where it is.
        key: of the function.
        before: the table that is served.

    Returns:
        None if it is not known what the table holds, because the machine stopped while a table was
        built as a whole, or because a file is damaged.

    Raises:
        LocalFault: a file cannot be read.
    """
    journals = _journals(held, before.epoch, len(before.generations[-1].shards))
    shards, contents = len(journals), _core.TableContents(key)
    for shard, journal in enumerate(journals):
        while True:
            if not len(journal):
                return None
            number = None
            with suppress(ValueError):  # as a stop leaves it, or damaged: what is before it counts
                last = _context(shard, shards, len(journal) - 1)
                number = contents.number(journal.last(), last)
            if number is not None and number < before.number:
                return None
            if number == before.number:
                break
            journal.drop()
    return journals


def find_change(
    journals: Sequence[Journal], key: _core.VoprfKey, elements: Elements, digests: bytes
) -> Change | None:
    """Compares what is to be told with what the served table tells.

    Args:
        journals: what the table holds, as `known_contents` gives it.
        key: of the function.
        elements: all identifiers. Secret.
        digests: of their records, as `digests_of` gives them.

    Returns:
        What has changed; None if a file is damaged. The table is then to be built as a whole.

    Raises:
        LocalFault: a file cannot be read.
    """
    shards, block = len(journals), bytes(elements.block)
    told = _rows(digests, DIGEST)
    changed, gone = [np.empty(0, np.uint32)], list[bytes]()
    for shard, (inside, own) in enumerate(split(block, shards)):
        contents = _core.TableContents(key)
        try:
            for at, sealed in enumerate(journals[shard].blocks()):
                contents.read(sealed, _context(shard, shards, at))
        except ValueError:
            return None
        others, lost = contents.compare(own, told[inside].tobytes())
        changed.append(inside[np.frombuffer(others, np.uint32)])
        gone.append(lost)
    positions = np.concatenate(changed)
    return Change(
        shards,
        Elements(rows_of(elements)[positions].tobytes()),
        positions,
        told[positions].tobytes(),
        Elements(b"".join(gone)),
    )


def change_to(elements: Elements, digests: bytes, gone: Elements, shards: int) -> Change:
    """A change that is known: of all of some elements, beside those that are gone.

    Args:
        elements: that are told. Secret.
        digests: of their records, as `digests_of` gives them.
        gone: elements that are there no more. Secret.
        shards: of the table.
    """
    positions = np.arange(len(elements), dtype=np.uint32)
    return Change(shards, Elements(bytes(elements.block)), positions, digests, gone)


def remember(journals: Sequence[Journal], key: _core.VoprfKey, number: int, change: Change) -> None:
    """Writes down what a table will hold, before it is served.

    So a stop in between leaves what `known_contents` drops. All journals are written, so that none
    says of the table's number what a table that was never served has left there.

    Args:
        journals: what the table before holds, as `known_contents` gives it.
        key: of the function.
        number: of the table.
        change: what it tells that the one before did not.

    Raises:
        LocalFault: a file cannot be written.
    """
    entropy, shards = _core.Entropy.from_os(), len(journals)
    told = _rows(change.digests, DIGEST)
    added, lost = (split(bytes(each.block), shards) for each in (change.elements, change.gone))
    pairs = zip(journals, added, lost, strict=True)
    for shard, (journal, (inside, own), (_, gone)) in enumerate(pairs):
        sealed = _core.TableContents(key).tell(
            number,
            own,
            told[inside].tobytes(),
            np.arange(len(inside), dtype=np.uint32).tobytes(),
            gone,
            _context(shard, shards, len(journal)),
            entropy,
        )
        journal.append(sealed)


def remember_whole(held: Held, key: _core.VoprfKey, manifest: Manifest, change: Change) -> None:
    """Writes down all that a table will hold, before it is served, in the place of all before.

    After a stop in between it is not known what the table before holds.

    Args:
        held: where it is.
        key: of the function.
        manifest: of the table.
        change: all of it.

    Raises:
        LocalFault: a file cannot be written.
    """
    journals = _journals(held, manifest.epoch, change.shards)
    for journal in journals:
        journal.clear()
    remember(journals, key, manifest.number, change)
    # A block of nothing: whoever asks for the number alone need not open one of everything.
    nothing = Change(change.shards, Elements(b""), change.positions[:0], b"", Elements(b""))
    remember(journals, key, manifest.number, nothing)


def digests_of(elements: Elements, labels: Labels | None) -> bytes:
    """A digest of each element's records, n x 16 bytes.

    Args:
        elements: all identifiers. Secret.
        labels: of their records, of the width that the table has; None to tell members alone.
    """
    if labels is None:
        return bytes(DIGEST * len(elements))
    positions = labels.positions.astype("<u4").tobytes()
    return _core.record_digests(len(elements), positions, labels.block.tobytes(), labels.width)


def labels_at(labels: Labels, positions: npt.NDArray[np.uint32], count: int) -> Labels:
    """The labels of some among so many elements, by their places among these some.

    Args:
        labels: of the records of all.
        positions: of the some, each once.
        count: how many all are.
    """
    places = np.full(count, _core.NOWHERE, np.uint32)
    places[positions] = np.arange(len(positions), dtype=np.uint32)
    own = places[labels.positions]
    records = np.flatnonzero(own != _core.NOWHERE)
    return Labels(own[records], labels.block[records])


def rows_of(elements: Elements) -> npt.NDArray[np.uint8]:
    """Elements as an array, n x 32 bytes. Secret."""
    return _rows(bytes(elements.block), WIDTH)


def _journals(held: Held, epoch: str, shards: int) -> list[Journal]:
    return [held.contents(epoch, shard, shards) for shard in range(shards)]


def _rows(block: bytes, width: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(block, np.uint8).reshape(-1, width)


def _context(shard: int, shards: int, number: int) -> bytes:
    return f"greenlane/contents/1/{shard}/{shards}/{number}".encode()
