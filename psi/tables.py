"""Prepared tables: what the holder of a function's key gives away of its records.

A table is read with outputs of the function (`psi.protocols.inquiry`). Whoever has the output of
an element finds that element's records, or that it has none; everything else in the table looks
random. The mathematics are in the core (`rust/src/table.rs`, `rust/src/fuse.rs`); here are the
bytes of a shard, and how a table of several generations is read.

A shard is a header of 64 bytes and the rows of a map:

    magic   8   GLTABLE1
    segment 4   places of a segment of the map   (numbers are little-endian)
    starts  4   segments in which the first of three places may be
    label   4   bytes of a label; 2^32 - 1 where members alone are told
    zero    4
    seed    8   of the map
    salt   32   of this shard alone
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from psi import _core
from psi.elements import WIDTH, Elements
from psi.errors import ApiMisuse, CheckFailed, MalformedMessage
from psi.lazily import NamedTuple, np, npt

MAGIC: Final = b"GLTABLE1"
SALT: Final = 32
"""Bytes of a salt: two of 2^64 shards share one with 2^-128."""
MEMBERS: Final = (1 << 32) - 1
WIDEST: Final = 1 << 16
"""Bytes of the widest label."""
GATHERED: Final = 1 << 24
"""Bytes of a map that are looked at together."""
_HEADER: Final = struct.Struct(f"<8sIIIIQ{SALT}s")
HEADER: Final = _HEADER.size
MOST_SHARDS: Final = 1 << 16
"""Two bytes of an element choose its shard: at 2^20 entries a shard, 2^36 entries."""


class Shard(NamedTuple):
    """One shard, which anybody may see.

    Attributes:
        shape: of the map, as `_core.fuse_shape` gives it.
        label: bytes of a label; None where members alone are told.
        seed: of the map.
        salt: 32 bytes.
        rows: a row for each place, n x width bytes; may be mapped from a file.
    """

    shape: tuple[int, int]
    label: int | None
    seed: int
    salt: bytes
    rows: npt.NDArray[np.uint8]

    @classmethod
    def read(cls, data: bytes | npt.NDArray[np.uint8]) -> Shard:
        """Reads a shard that somebody else has built; copies nothing.

        Args:
            data: all of its bytes, or an array of them.

        Raises:
            MalformedMessage: these are none.
        """
        block = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        if len(block) < HEADER:
            raise MalformedMessage("a shard of a table is shorter than its header")
        magic, segment, starts, label, zero, seed, salt = _HEADER.unpack(block[:HEADER].tobytes())
        if magic != MAGIC or zero or (label > WIDEST and label != MEMBERS):
            raise MalformedMessage("a shard of a table begins with something else than its header")
        width = _core.entry_width(told := None if label == MEMBERS else label)
        places = -1  # no such shape: raised below with what else is wrong
        with contextlib.suppress(ValueError):
            places = _core.fuse_places((segment, starts))
        if len(block) - HEADER != places * width:
            raise MalformedMessage("a shard of a table has another length than its header says")
        rows = block[HEADER:].reshape(places, width)
        return cls((segment, starts), told, seed, salt, rows)

    def find(
        self,
        outputs: _core.VoprfOutputs,
        positions: npt.NDArray[np.uint32],
        numbers: npt.NDArray[np.uint32],
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
        """Looks for entries.

        Args:
            outputs: of the elements that were asked for.
            positions: of the outputs that are meant.
            numbers: of the record of each that is meant, from 0.

        Returns:
            For each, how many records its element has, or 0 if the entry is not there; and its
            label, n x label bytes, zeros where it is not there. Of members alone: 1 or 0, and no
            bytes.
        """
        counts, labels = [np.empty(0, np.uint32)], [np.empty((0, self.label or 0), np.uint8)]
        step = max(1, GATHERED // (3 * self.rows.shape[1]))
        for start in range(0, len(positions), step):
            part = slice(start, start + step)
            chosen, entries = (each[part].astype("<u4") for each in (positions, numbers))
            wanted = _core.Wanted(outputs, chosen.tobytes(), entries.tobytes(), self.salt)
            places = np.frombuffer(wanted.places(self.shape, self.seed), np.uint32).reshape(-1, 3)
            sums = np.bitwise_xor.reduce(self.rows[places], axis=1)
            found, told = wanted.open(sums.tobytes(), self.label)
            counts.append(np.frombuffer(found, np.uint32))
            labels.append(np.frombuffer(told, np.uint8).reshape(len(chosen), self.label or 0))
        return np.concatenate(counts), np.concatenate(labels)


def build(
    evaluations: _core.Evaluations,
    elements: Elements,
    positions: npt.NDArray[np.uint32],
    labels: npt.NDArray[np.uint8] | None,
    capacity: int,
    entropy: _core.Entropy,
) -> bytes:
    """Builds a shard.

    Args:
        evaluations: which know all of the elements. Secret.
        elements: of the shard. Secret.
        positions: the element of each record; empty without labels.
        labels: of each record, n x width bytes; None to tell members alone.
        capacity: how many entries the shard has room for; it shows in the length, and how many
            there are does not.
        entropy: for its salt, its map and what fills it up.

    Raises:
        ApiMisuse: there are more entries than the capacity, or an element was not evaluated.
    """
    label = None if labels is None else labels.shape[1]
    entries = len(elements) if labels is None else len(positions)
    if entries > capacity:
        raise ApiMisuse(f"a shard for {capacity} entries was given {entries}")
    shape, salt = _core.fuse_shape(capacity), entropy.bytes(SALT)
    block = b"" if labels is None else labels.tobytes()
    try:
        seed, rows = evaluations.build(
            elements.block, positions.astype("<u4").tobytes(), block, label, salt, shape, entropy
        )
    except ValueError as error:
        raise ApiMisuse(f"a shard cannot be built: {error}") from error
    written = MEMBERS if label is None else label
    return _HEADER.pack(MAGIC, *shape, written, 0, seed, salt) + rows


class Generation(NamedTuple):
    """What was added to a table at one time, and what was taken out.

    Attributes:
        shards: by their numbers; those in which nothing is looked for may be missing.
        parts: how many there are, a power of two; the first bits of an element say in which it
            stands.
        removed: members that older generations hold and that are there no more; None for none.
    """

    shards: Mapping[int, Shard]
    parts: int = 1
    removed: Shard | None = None


class Found(NamedTuple):
    """What a table says of the elements that were asked for.

    Attributes:
        counts: for each element how many records it has; 0 if it is not in the table. Of members
            alone 1 or 0.
        positions: of the element of each record, ascending.
        labels: of each record, n x label bytes.
    """

    counts: npt.NDArray[np.uint32]
    positions: npt.NDArray[np.uint32]
    labels: npt.NDArray[np.uint8]


def shard_of(elements: bytes, shards: int) -> npt.NDArray[np.uint32]:
    """In which of so many shards elements stand: by their first bits.

    Args:
        elements: n x 32 bytes.
        shards: a power of two, at most `MOST_SHARDS`.
    """
    if shards.bit_count() != 1 or shards > MOST_SHARDS:
        raise ApiMisuse(f"a table has a power of two of shards, at most {MOST_SHARDS}")
    block = np.frombuffer(elements, np.uint8).reshape(-1, WIDTH)
    first: npt.NDArray[np.uint32] = block[:, :2].astype(np.uint32) @ np.array([256, 1], np.uint32)
    return first // np.uint32(MOST_SHARDS // shards)


def split(elements: bytes, shards: int) -> Iterator[tuple[npt.NDArray[np.uint32], bytes]]:
    """Yields for each of so many shards the positions of its elements, ascending, and these.

    Args:
        elements: n x 32 bytes.
        shards: as in `shard_of`.
    """
    where, rows = shard_of(elements, shards), np.frombuffer(elements, np.uint8).reshape(-1, WIDTH)
    for shard in range(shards):
        inside = np.flatnonzero(where == shard).astype(np.uint32)
        yield inside, rows[inside].tobytes()


def find(
    generations: Sequence[Generation], elements: Elements, outputs: _core.VoprfOutputs
) -> Found:
    """Reads a table.

    A younger generation speaks before an older one: an element's records are those of the youngest
    that has any, unless one younger still has removed it.

    Args:
        generations: the youngest first.
        elements: that were asked for.
        outputs: of them, in their order.

    Raises:
        ApiMisuse: there is not one output an element.
        CheckFailed: an element has fewer records than the table says.
    """
    if len(outputs) != len(elements):
        raise ApiMisuse(f"{len(elements)} elements and {len(outputs)} outputs")
    block = bytes(elements.block)
    counts = np.zeros(len(elements), np.uint32)
    records: list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]] = []
    open_still = np.arange(len(elements), dtype=np.uint32)
    for generation in generations:
        where = shard_of(block, generation.parts)[open_still]
        for number in np.unique(where):
            shard = generation.shards[int(number)]
            positions = open_still[where == number]
            found, labels = shard.find(outputs, positions, np.zeros_like(positions))
            counts[positions] = found
            hits = np.flatnonzero(found)
            records.append((positions[hits], labels[hits]))
            if shard.label is not None:
                records += _further(shard, outputs, positions[hits], found[hits])
        open_still = open_still[counts[open_still] == 0]
        if generation.removed is not None and len(open_still):
            gone, _ = generation.removed.find(outputs, open_still, np.zeros_like(open_still))
            open_still = open_still[gone == 0]
    return _sorted(counts, records)


def _further(
    shard: Shard,
    outputs: _core.VoprfOutputs,
    positions: npt.NDArray[np.uint32],
    counts: npt.NDArray[np.uint32],
) -> list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]]:
    """The records behind the first of each element.

    Asks for twice as many as were there so far, so that who says a large number without having the
    records costs no more than twice those that it has.
    """
    records, start = [], 1
    while len(more := np.flatnonzero(counts > start)):
        positions, counts = positions[more], counts[more]
        upto = np.minimum(counts.astype(np.int64), 2 * start)
        each = np.repeat(positions, upto - start)
        firsts = np.repeat(np.cumsum(upto - start) - (upto - start), upto - start)
        numbers = (np.arange(len(each)) - firsts + start).astype(np.uint32)
        found, labels = shard.find(outputs, each, numbers)
        if not np.array_equal(found, np.repeat(counts, upto - start)):
            raise CheckFailed("the table has fewer records of an element than it says")
        records.append((each, labels))
        start *= 2
    return records


def _sorted(
    counts: npt.NDArray[np.uint32],
    records: list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]],
) -> Found:
    width = max((labels.shape[1] for _, labels in records), default=0)
    if any(labels.shape[1] not in (0, width) for _, labels in records):
        raise CheckFailed("the generations of a table have labels of different widths")
    records = [record for record in records if len(record[0])]
    if not records:
        return Found(counts, np.empty(0, np.uint32), np.empty((0, width), np.uint8))
    positions = np.concatenate([positions for positions, _ in records])
    labels = np.concatenate([labels for _, labels in records])
    order = np.argsort(positions, kind="stable")
    return Found(counts, positions[order], labels[order])
