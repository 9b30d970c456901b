"""Makes the table that is served next: what has changed as a generation of its own, or all anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from parties.errors import WholeNeeded
from parties.tables.building import build_change, build_files, shards_for
from parties.tables.changes import (
    Change,
    change_to,
    digests_of,
    find_change,
    known_contents,
    labels_at,
    remember,
    remember_whole,
)
from parties.tables.files import Journal
from parties.tables.held import Held
from parties.tables.manifest import LABEL_STEP, Files, Manifest
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
        told = None
        if change and labels is not None:
            told = labels_at(labels, change.positions, len(elements))
        if journals and change and _is_small(before, change, told):
            return _add(held, key, before, described, journals, change, told, meter)
    same = before is not None and before.epoch == described.epoch
    entries = len(elements) if labels is None else len(labels)
    # Within an epoch the number of shards stays: what was evaluated is kept shard by shard.
    shards = len(before.generations[-1].shards) if before and same else shards_for(entries)
    files = build_files(held, key, described.epoch, elements, labels, shards, meter)
    manifest = described._replace(generations=(files,))
    remember_whole(held, key, manifest, change_to(elements, digests, Elements(b""), shards))
    held.publish(manifest)
    return manifest


def make_change(
    held: Held,
    key: _core.VoprfKey,
    before: Manifest,
    described: Manifest,
    elements: Elements,
    labels: Labels | None,
    gone: Elements,
    meter: Meter,
) -> Manifest:
    """Adds a change that is known to the table that is served; returns the one that is served then.

    It takes what the change takes: of the table before, files are named and ends of journals read.

    Args:
        held: where it is.
        key: of the function.
        before: the table that is served.
        described: the table, but for its number, width and generations.
        elements: identifiers that are new, or whose records may be others. Secret.
        labels: of all their records; None to tell members alone.
        gone: identifiers that are there no more, or never were. Secret.
        meter: counts elements that are evaluated.

    Raises:
        WholeNeeded: the table cannot be gone on with, or has no room.
        LocalFault: a file cannot be read or written.
    """
    if labels is not None:
        labels = _widened(labels, before)
        if before.label is not None and labels.width > before.label:
            raise WholeNeeded(before.set, "a record is longer than the table has room for")
    described = described._replace(
        number=before.number + 1, label=None if labels is None else labels.width
    )
    if len(before.generations) >= MOST_GENERATIONS:
        raise WholeNeeded(before.set, f"the table holds {MOST_GENERATIONS - 1} changes")
    if not _goes_on(before, described):
        raise WholeNeeded(before.set, "since the table was made, settings or types have changed")
    journals = known_contents(held, key, before)
    if journals is None:
        raise WholeNeeded(
            before.set,
            "what the table holds is not known, since a preparation was stopped or a file damaged",
        )
    change = change_to(elements, digests_of(elements, labels), gone, len(journals))
    if not change:
        return before
    if not _is_small(before, change, labels):
        raise WholeNeeded(before.set, f"more than 1/{MOST_CHANGED} of the table would be new")
    return _add(held, key, before, described, journals, change, labels, meter)


def changes_left(manifest: Manifest) -> int:
    """About how many more changes, each like the last, a table has room for."""
    *younger, base = manifest.generations
    left = MOST_GENERATIONS - len(manifest.generations)
    if younger:
        since, last = (sum(map(_size, each)) for each in (younger, younger[:1]))
        left = min(left, max(_size(base) // MOST_CHANGED - since, 0) // last)
    return left


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
    entries = len(change.elements) if labels is None else len(labels)
    width = _core.entry_width(before.label)
    bytes_of_change = entries * width + len(change.gone) * _core.entry_width(None)
    since = sum(map(_size, younger))
    return (since + bytes_of_change) * MOST_CHANGED <= _size(base)


def _size(generation: Files) -> int:
    return sum(file.size for file in generation.all())
