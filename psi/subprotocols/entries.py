"""Entries: what one side tells the other about its records, for matches alone.

An entry is a tag and a sealed label, made from the output of one element and the number of the
record among those of that element (`rust/src/entries.rs`). Who has the output finds and opens it.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, hear_piece, say_piece
from psi.errors import blame_the_peer
from psi.lazily import NamedTuple, np, npt
from psi.matches import Labels, Matches
from psi.parameters import LAMBDA, Offer, Role
from psi.subprotocols import bins
from psi.subprotocols.decoys import DECOYS, check_positions
from psi.wire.v1.messages_pb2 import EntryBin

SEAL: Final = 16
"""Bytes that sealing adds to a label."""


class Form(NamedTuple):
    """The form of entries in one direction, as `_core` takes it.

    Attributes:
        tag: bytes of a tag.
        label: bytes of a label before it is sealed.
        direction: 0 from the sender to the receiver, 1 back.
    """

    tag: int
    label: int
    direction: int

    @property
    def width(self) -> int:
        """Bytes of an entry."""
        return self.tag + (self.label + SEAL if self.label else 0)

    @property
    def rows(self) -> int:
        """Entries of a bin."""
        return max(1, bins.MESSAGE // self.width)


def told_back(receiver: Offer, sender: Offer) -> int:
    """How many entries the receiver says back where both learn, decoys and padding included.

    As many as it could have to say, whatever is in common: so their number tells nothing of it.
    These are all that it has if it tells records; else one for each element of the smaller side,
    decoys and padding of which are more than the shared decoys.
    """
    return receiver.entries or min(receiver.elements, _held(sender))


def _held(sender: Offer) -> int:
    return max(sender.elements, sender.entries)  # a sender tells the one or the other


def forms(receiver: Offer, sender: Offer, *, both: bool = False) -> tuple[Form, Form]:
    """The forms of entries from the sender to the receiver, and back.

    A tag must tell an entry from every other that is looked for: one side looks for one tag an
    element and one more a record found, so at most elements + entries, among all entries. So that a
    wrong one is found, or two entries share a tag, with at most 2^-LAMBDA, a tag has
    LAMBDA + log2((elements + entries) x entries) bits, and the entries of the larger direction
    decide for both.

    Args:
        receiver: what it brings.
        sender: what it brings.
        both: whether both learn, and so entries go back.
    """
    back = told_back(receiver, sender) if both else 0
    pairs = (receiver.elements + sender.entries) * sender.entries
    pairs += (_held(sender) + back) * back
    tag = ceil((LAMBDA + log2(max(1, pairs))) / 8)
    return Form(tag, sender.label_width, 0), Form(tag, receiver.label_width, 1)


def bytes_back(receiver: int, sender: int) -> int:
    """About what is said back for so many elements, decoys and padding included, without labels."""
    offers = Offer(Role.RECEIVER, receiver, 0, 0), Offer(Role.SENDER, 0, sender, 0)
    _, back = forms(*offers, both=True)
    return back.width * told_back(*offers)


def decoyed(
    labels: Labels, elements: int, decoys: int, entropy: _core.Entropy
) -> tuple[bytes, bytes]:
    """Adds one record with a random label for each decoy, behind the real ones.

    Both are joined as they lie: arrays would be one more copy, as large as the labels are.

    Args:
        labels: the real records.
        elements: how many real elements there are; decoys stand behind them.
        decoys: how many decoys.
        entropy: where their labels come from.

    Returns:
        for each record the element it belongs to, 4 bytes each, and all labels.
    """
    positions = np.arange(elements, elements + decoys, dtype=np.uint32)
    held = np.ascontiguousarray(labels.positions, np.uint32)
    block = np.ascontiguousarray(labels.block, np.uint8)
    random = entropy.bytes(decoys * labels.width)
    return b"".join((held.data, positions.data)), b"".join((block.data, random))


def say_records(
    outputs: _core.Outputs,
    labels: Labels,
    elements: int,
    total: int,
    form: Form,
    entropy: _core.Entropy,
) -> Dialogue[None]:
    """Says all records and one for each decoy, filled up to `total` entries.

    Args:
        outputs: of the elements in their order, decoys behind the real ones.
        labels: the real records.
        elements: how many real elements there are.
        total: entries to say.
        form: of the entries.
        entropy: where padding and the decoys' labels come from.
    """
    positions, block = decoyed(labels, elements, DECOYS, entropy)
    sealed = _core.seal(outputs, positions, block, *form, total, entropy)
    yield from say_entries(sealed, form)


def hear_records(
    outputs: _core.Outputs, elements: int, count: int, form: Form
) -> Dialogue[Matches]:
    """Hears so many entries and opens those of our own elements.

    Args:
        outputs: of all our elements in their order, decoys behind the real ones.
        elements: how many of them are real.
        count: entries to hear.
        form: of the entries.

    Raises:
        PeerError: a bin is not the one that is due or not whole, or a label does not open.
        DecoyMismatch: a shared decoy is not among them, or another is.
    """
    heard_bins = yield from hear_entries(count, form)
    with blame_the_peer("EntryBin"):
        found, labels = _core.open(outputs, heard_bins, *form)
    records = np.frombuffer(found, np.uint32)
    check_positions(records, elements)
    slots = np.arange(elements, dtype=np.uint32)
    return matches_of(records[:elements], labels, slots, records, form)


def say_entries(sealed: bytes, form: Form) -> Dialogue[None]:
    """Says sealed entries, bin by bin."""
    step = form.rows * form.width
    for bin, start in enumerate(range(0, len(sealed), step)):
        yield from say_piece(EntryBin, bin, sealed[start : start + step])


def hear_entries(count: int, form: Form) -> Dialogue[list[bytes]]:
    """Hears as many entries, bin by bin.

    Raises:
        UnexpectedMessage: a bin is not the one that is due.
        MalformedMessage: a bin has another length.
    """
    heard_bins: list[bytes] = []
    for bin, start in enumerate(range(0, count, form.rows)):
        due = min(form.rows, count - start) * form.width
        heard_bins.append((yield from hear_piece(EntryBin, bin, due)).block)
    return heard_bins


def matches_of(
    records: npt.NDArray[np.uint32],
    labels: bytes,
    slots: npt.NDArray[np.uint32],
    found: npt.NDArray[np.uint32],
    form: Form,
) -> Matches:
    """Brings what was found, slot by slot, into the order of our own elements.

    Args:
        records: for each of our elements, how many the peer has.
        labels: of all records found, in the order of slots.
        slots: the slot of each of our elements.
        found: for each slot, how many records the peer has.
        form: of the entries.
    """
    positions = np.flatnonzero(records).astype(np.uint32)
    counts = records[positions]
    starts = np.cumsum(found, dtype=np.int64) - found
    block = np.frombuffer(labels, np.uint8).reshape(int(found.sum(dtype=np.int64)), form.label)
    first = np.repeat(starts[slots[positions]], counts)
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts, dtype=np.int64) - counts, counts)
    return Matches(positions.data, counts, block[first + within])
