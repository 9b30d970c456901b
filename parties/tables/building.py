"""Builds the files of a table: from elements and their records to shards.

Shard by shard: what was evaluated before comes from the journal, the rest is evaluated and written
to it in parts, so that a build that was stopped goes on where it was; then the map is built. So
what evaluations and maps take is bounded by the largest shard; identifiers and labels are all
there.
"""

from __future__ import annotations

from typing import Final

from parties.errors import LocalFault
from parties.tables.changes import Change
from parties.tables.held import Held
from parties.tables.manifest import Files
from psi import Elements, Labels, Meter, _core
from psi.elements import WIDTH
from psi.lazily import np
from psi.protocols.inquiry import Function
from psi.tables import MOST_SHARDS, build, shard_of, split

SHARD: Final = 1 << 20
"""Entries of a shard: 6 MB of members, beside which a file and a step of a build cost little."""
PART: Final = 1 << 13
"""Elements that are evaluated at a time: a kill costs a quarter of a second of one core's work, and
writing a part to the disk is small beside it."""
SMALLEST: Final = 1 << 10
"""Entries for which the smallest shard has room."""
STEPS: Final = 32
"""Steps of capacity from one power of two to the next: a shard shows its entries to 3 %, and is at
most as much longer."""


def shards_for(entries: int) -> int:
    """How many shards a table of so many entries has."""
    shards = 1 << (max(entries - 1, 0) // SHARD).bit_length()
    return min(shards, MOST_SHARDS)


def capacity_for(entries: int) -> int:
    """The class of a shard of so many entries: the smallest capacity that holds them."""
    if entries <= SMALLEST:
        return SMALLEST
    step = max(1, (1 << (entries - 1).bit_length()) // (2 * STEPS))
    return -(-entries // step) * step


def build_files(
    held: Held,
    key: _core.VoprfKey,
    epoch: str,
    elements: Elements,
    labels: Labels | None,
    shards: int,
    meter: Meter,
) -> Files:
    """Builds all shards of a generation and writes them.

    Args:
        held: where they go.
        key: of the function.
        epoch: its name.
        elements: all identifiers. Secret.
        labels: of their records; None to tell members alone.
        shards: a power of two of them.
        meter: counts elements that are evaluated, or known.

    Raises:
        LocalFault: a file cannot be read or written, or was damaged.
    """
    block = bytes(elements.block)
    # In which shard each entry stands, and below which of the shard's elements each is.
    entries, numbers = shard_of(block, shards), np.empty(len(elements), np.uint32)
    if labels is not None:
        entries = entries[labels.positions]
    capacity = capacity_for(int(np.bincount(entries, minlength=1).max()))
    entropy = _core.Entropy.from_os()
    meter.total += len(elements)
    files = []
    for shard, (inside, part) in enumerate(split(block, shards)):
        own = Elements(part)
        known = _evaluated(held, key, epoch, (shard, shards), own, meter, entropy)
        positions, told = np.empty(0, np.uint32), None
        if labels is not None:
            numbers[inside] = np.arange(len(inside), dtype=np.uint32)
            records = np.flatnonzero(entries == shard)
            positions, told = numbers[labels.positions[records]], labels.block[records]
        files.append(held.write_shard(build(known, own, positions, told, capacity, entropy)))
    return Files(tuple(files))


def build_change(
    held: Held,
    key: _core.VoprfKey,
    epoch: str,
    change: Change,
    labels: Labels | None,
    meter: Meter,
) -> Files:
    """Builds a generation that says what has changed, and writes it.

    Args:
        held: where its files go.
        key: of the function.
        epoch: its name.
        change: what has changed. Secret.
        labels: of the records of what is new or other, by its place among them; None to tell
            members alone.
        meter: counts elements that are evaluated.

    Raises:
        LocalFault: a file cannot be read or written.
    """
    entropy = _core.Entropy.from_os()
    known = _core.Evaluations(key, Function(key.public()).suite)
    meter.total += len(change.elements) + len(change.gone)
    for shard, part in change.by_shard():
        place = (shard, change.shards)
        journal = held.journal(epoch, *place)
        journal.append(known.evaluate(part, _context(place, len(journal)), entropy))
        meter.done += len(part) // WIDTH
    empty = np.empty(0, np.uint32)
    positions, told = (empty, None) if labels is None else (labels.positions, labels.block)
    entries = len(change.elements) if labels is None else len(labels)
    new = build(known, change.elements, positions, told, capacity_for(entries), entropy)
    files = Files((held.write_shard(new),))
    if not len(change.gone):
        return files
    known.evaluate(bytes(change.gone.block), b"", entropy)  # what is gone need not be kept
    meter.done += len(change.gone)
    removed = build(known, change.gone, empty, None, capacity_for(len(change.gone)), entropy)
    return files._replace(removed=held.write_shard(removed))


def _evaluated(
    held: Held,
    key: _core.VoprfKey,
    epoch: str,
    place: tuple[int, int],
    elements: Elements,
    meter: Meter,
    entropy: _core.Entropy,
) -> _core.Evaluations:
    """Evaluates what the journal of a shard does not hold, part by part."""
    journal = held.journal(epoch, *place)
    known = _core.Evaluations(key, Function(key.public()).suite)
    for number, block in enumerate(journal.blocks()):
        try:
            known.read(block, _context(place, number))
        except ValueError:
            if number == len(journal) - 1:
                journal.drop()  # cut off: a disk may have its length alone
                break
            raise LocalFault(
                f"{journal.path}: block {number} is damaged; remove the file, and its elements are "
                "evaluated anew"
            ) from None
    missing = known.missing(elements.block)
    meter.done += len(elements) - len(missing) // WIDTH
    for start in range(0, len(missing), PART * WIDTH):
        part = missing[start : start + PART * WIDTH]
        journal.append(known.evaluate(part, _context(place, len(journal)), entropy))
        meter.done += len(part) // WIDTH
    return known


def _context(place: tuple[int, int], number: int) -> bytes:
    return f"greenlane/evaluated/1/{place[0]}/{place[1]}/{number}".encode()
