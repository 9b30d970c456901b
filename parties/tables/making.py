"""Makes the table that is served next: what has changed as a generation of its own, or all anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from parties.tables.building import build_change, build_files, shards_for
from parties.tables.changes import (
    Change,
    digests_of,
    find_change,
    known_contents,
    remember,
    remember_whole,
    whole_change,
)
from parties.tables.files import Journal
from parties.tables.held import Held
from parties.tables.manifest import LABEL_STEP, Manifest
from psi import Elements, Labels, Meter, _core
from psi.lazily import np

MOST_GENERATIONS: Final = 32
"""Of a table: a month of days. Each question looks into each of them."""
MOST_CHANGED: Final = 8
"""What has changed since a table was built as a whole is at most one in so many of its bytes; to
fetch it all again would then cost little more."""


def make(
    held: Held,
    key: _core.VoprfKey,
    described: Manifest,
    elements: Elements,
    labels: Labels | None,
    meter: Meter,
    *,
    whole: bool,
) -> Manifest:
    """Makes a table and serves it from then on; returns the one that is served.

    Args:
        held: where it is.
        key: of the function.
        described: the table, but for its number, width and generations.
        elements: all identifiers. Secret.
        labels: of their records; None to tell members alone.
        meter: counts elements that are evaluated, or known.
        whole: whether to build all of it anew.

    Raises:
        LocalFault: a file cannot be read or written, or is damaged.
    """
    before = held.manifest()
    labels = None if labels is None else _widened(labels, before)
    digests = digests_of(elements, labels)
    number = before.number + 1 if before else 1
    described = described._replace(number=number, label=None if labels is None else labels.width)
    if before is not None and not whole and _goes_on(before, described):
        journals = known_contents(held, key, before)
        change = find_change(journals, key, elements, digests) if journals else None
        if change is not None and not change:
            return before
        told = _labels_of(change, len(elements), labels) if change else None
        if journals and change and _is_small(before, change, told):
            return _add(held, key, before, described, journals, change, told, meter)
    same = before is not None and before.epoch == described.epoch
    entries = len(elements) if labels is None else len(labels)
    # Within an epoch the number of shards stays: what was evaluated is kept shard by shard.
    shards = len(before.generations[-1].shards) if before and same else shards_for(entries)
    files = build_files(held, key, described.epoch, elements, labels, shards, meter)
    manifest = described._replace(generations=(files,))
    remember_whole(held, key, manifest, whole_change(elements, digests, shards))
    held.publish(manifest)
    return manifest


def _add(
    held: Held,
    key: _core.VoprfKey,
    before: Manifest,
    described: Manifest,
    journals: Sequence[Journal],
    change: Change,
    labels: Labels | None,
    meter: Meter,
) -> Manifest:
    """Serves the table before with a change as its youngest generation; returns it."""
    files = build_change(held, key, before.epoch, change, labels, meter)
    manifest = described._replace(generations=(files, *before.generations))
    remember(journals, key, manifest.number, change)
    held.publish(manifest)
    return manifest


def _widened(labels: Labels, before: Manifest | None) -> Labels:
    """Labels of a width that is a class, and of that of the table before if this is enough."""
    width = -(-labels.width // LABEL_STEP) * LABEL_STEP
    if before is not None and before.label is not None and before.label >= width:
        width = before.label
    block = np.zeros((len(labels), width), np.uint8)
    block[:, : labels.width] = labels.block
    return Labels(labels.positions, block)


def _goes_on(before: Manifest, described: Manifest) -> bool:
    """Whether a table is the one before, but for what it holds."""
    if len(before.generations) >= MOST_GENERATIONS:
        return False
    same = described._replace(
        number=before.number, made=before.made, generations=before.generations
    )
    return same == before


def _is_small(before: Manifest, change: Change, labels: Labels | None) -> bool:
    """Whether a change is one for a generation of its own."""
    *younger, base = before.generations
    since = sum(file.size for generation in younger for file in generation.all())
    entries = len(change.elements) if labels is None else len(labels)
    width = _core.entry_width(before.label)
    bytes_of_change = entries * width + len(change.gone) * _core.entry_width(None)
    return (since + bytes_of_change) * MOST_CHANGED <= sum(file.size for file in base.all())


def _labels_of(change: Change, count: int, labels: Labels | None) -> Labels | None:
    """The labels of what has changed among so many elements, by its places there."""
    if labels is None:
        return None
    places = np.full(count, _core.NOWHERE, np.uint32)
    places[change.positions] = np.arange(len(change.positions), dtype=np.uint32)
    own = places[labels.positions]
    records = np.flatnonzero(own != _core.NOWHERE)
    return Labels(own[records], labels.block[records])
