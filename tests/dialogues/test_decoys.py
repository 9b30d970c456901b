"""Decoys alone: the comparison of transcripts is off, and a share of the work is done wrong.

Of 32 shared decoys and 32 of the receiver's own none may be hit, so a fault in half of the points
or entries goes unseen with 2^-64 at most; seeds are fixed all the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from wiretap import (
    CHECKED,
    DH,
    OTHER,
    OURS,
    PLAIN,
    RECEIVER,
    SEALED,
    SENDER,
    THEIRS,
    VOLE,
    Match,
    entropy,
    kind,
    learnt,
    listen,
)

from psi import Elements, Output
from psi._core import BaseOtOffer, Key, Outputs, dh_evaluate
from psi.errors import CheckFailed, DecoyMismatch, PeerMisbehaved
from psi.subprotocols.decoys import (
    OWN,
    SHARED,
    check_positions,
    check_tags,
    own_decoys,
    shared_decoys,
)
from psi.wire.v1.messages_pb2 import Message

pytestmark = pytest.mark.usefixtures("small_bins")


def changing(name: str, change: Callable[[Message], None], author=SENDER):
    """Changes each message of one kind that one side says."""

    def tamper(k, role, data):
        if role is author and kind(data) == name:
            message = Message.FromString(data)
            change(message)
            data = message.SerializeToString()
        return [(OTHER[role], data)]

    return tamper


def rows(block: bytes, width: int) -> list[bytes]:
    return [block[at : at + width] for at in range(0, len(block), width)]


def every_second_evaluated_wrongly(message):
    points = rows(message.evaluated_bin.points, 32)
    wrong = rows(dh_evaluate(b"".join(points[::2]), Key.draw(entropy(7))), 32)
    points[::2] = wrong
    message.evaluated_bin.points = b"".join(points)


# Six elements of the receiver, nine records of the sender, and 64 decoys: 70 + 73 tags are looked
# for among 73, and 73 + 71 on the way back among 71; 40 + 13.4 or 14.3 bits are 7 bytes.
# So are the 40 + 16 of 128 elements and 128 records on either side, as VOLE-PSI shows them here.
TAG = 7


def every_second_tag_wrong(message, label):
    width, tag = TAG + (label + 16 if label else 0), TAG
    entries = [bytearray(entry) for entry in rows(message.entry_bin.entries, width)]
    for entry in entries[::2]:
        entry[tag - 1] ^= 1  # tags differ earlier, so they still ascend
    message.entry_bin.entries = b"".join(entries)


@pytest.mark.parametrize("match", [*DH, *VOLE, CHECKED], ids=str)
def test_without_transcripts_an_honest_run_is_right(match):
    heard = match.listen(bare=True)
    assert not heard.errors
    for role, names in ((RECEIVER, OURS), (SENDER, THEIRS)):
        assert learnt(heard.results[role], names) == match.right(role)


@pytest.mark.parametrize("output", Output)
def test_wrong_evaluations_are_a_decoy_mismatch(output):
    heard = listen(output, changing("evaluated_bin", every_second_evaluated_wrongly), bare=True)
    assert type(heard.errors[RECEIVER]) is DecoyMismatch
    assert RECEIVER not in heard.results


@pytest.mark.parametrize("output", [Output.RECEIVER, Output.BOTH])
def test_a_sender_that_shuffles_uncalled_for_is_a_decoy_mismatch(output):
    """The outputs are all there, but none stands where the receiver believes it to stand."""

    def reverse(message):
        message.evaluated_bin.points = b"".join(rows(message.evaluated_bin.points, 32)[::-1])

    heard = listen(output, changing("evaluated_bin", reverse), bare=True)
    assert type(heard.errors[RECEIVER]) is DecoyMismatch


@pytest.mark.parametrize("output", Output)
def test_wrong_entries_are_a_decoy_mismatch(output):
    def change(message):
        every_second_tag_wrong(message, label=0 if output is Output.CARDINALITY else 3)

    heard = listen(output, changing("entry_bin", change), bare=True)
    assert type(heard.errors[RECEIVER]) is DecoyMismatch
    assert RECEIVER not in heard.results


@pytest.mark.parametrize("match", [DH[1], SEALED, VOLE[3]], ids=str)
def test_wrong_entries_on_the_way_back_are_a_decoy_mismatch(match):
    def change(message):
        every_second_tag_wrong(message, label=2)

    heard = match.listen(changing("entry_bin", change, RECEIVER), bare=True)
    assert type(heard.errors[SENDER]) is DecoyMismatch
    assert SENDER not in heard.results


def every_second(field: str, width: int) -> Callable[[Message], None]:
    """Changes the lowest bit of every second value of so many bytes; of tags, the order stays."""

    def change(message):
        body = getattr(message, message.WhichOneof("body"))
        data = np.frombuffer(getattr(body, field), np.uint8).reshape(-1, width).copy()
        data[::2, 0] ^= 1
        setattr(body, field, data.tobytes())

    return change


def every_point_elsewhere(message):
    points = rows(message.base_ot_choice.points, 32)
    message.base_ot_choice.points = b"".join(points[1:] + points[:1])


def another_point(message):
    message.base_ot_offer.point = BaseOtOffer.draw(entropy(7)).message()


@pytest.mark.parametrize("match", [PLAIN, SEALED, CHECKED], ids=str)
@pytest.mark.parametrize(
    ("author", "name", "change"),
    [
        (RECEIVER, "base_ot_offer", another_point),
        (SENDER, "base_ot_choice", every_point_elsewhere),
        (RECEIVER, "cot_trees", every_second("corrections", 16)),
        (RECEIVER, "vole_request", every_second("corrections", 16)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_transfers_are_noticed_before_decoys(match, author, name, change):
    """The sums in the first request do not agree with it at the sender, or those of the trees."""
    heard = match.listen(changing(name, change, author), bare=True)
    assert set(heard.errors) == {SENDER}
    assert type(heard.errors[SENDER]) is CheckFailed
    assert not heard.results


@pytest.mark.parametrize(
    ("match", "author", "name", "change"),
    [
        (PLAIN, SENDER, "vole_correction", every_second("corrections", 16)),
        (SEALED, SENDER, "vole_correction", every_second("corrections", 16)),
        (PLAIN, RECEIVER, "masked_bin", every_second("cells", 8)),
        (CHECKED, RECEIVER, "masked_bin", every_second("cells", 16)),
        (CHECKED, RECEIVER, "masked_bin", every_second("salt", 16)),
        (SEALED, RECEIVER, "masked_bin", every_second("cells", 8)),
        (PLAIN, SENDER, "tag_bin", every_second("tags", 7)),
        (CHECKED, SENDER, "tag_bin", every_second("tags", 16)),
        (SEALED, SENDER, "entry_bin", lambda message: every_second_tag_wrong(message, label=3)),
    ],
    ids=lambda value: str(value) if isinstance(value, Match | str) else "",
)
def test_wrong_correlations_cells_and_tags_are_a_decoy_mismatch(match, author, name, change):
    heard = match.listen(changing(name, change, author), bare=True)
    assert type(heard.errors[RECEIVER]) is DecoyMismatch
    # A sender that is to learn nothing has no decoys to check.
    assert set(heard.results) == (set() if match is SEALED else {SENDER})


@pytest.mark.parametrize("output", Output)
def test_a_sender_with_two_keys_is_a_decoy_mismatch(output):
    """What it evaluates for the receiver, it evaluates with another key than its own elements."""
    other = Key.draw(entropy(7))

    def change(message):
        message.evaluated_bin.points = dh_evaluate(message.evaluated_bin.points, other)

    heard = listen(output, changing("evaluated_bin", change), bare=True)
    assert type(heard.errors[RECEIVER]) is DecoyMismatch


@pytest.mark.parametrize("output", Output)
def test_one_point_said_for_all_is_refused(output):
    """A hit copied to all places would make everything match; and all records for each of them."""

    def change(message):
        points = rows(message.evaluated_bin.points, 32)
        message.evaluated_bin.points = points[0] * len(points)

    heard = listen(output, changing("evaluated_bin", change), bare=True)
    assert isinstance(heard.errors[RECEIVER], PeerMisbehaved)


def test_a_sender_cannot_copy_a_point_to_a_few_places():
    """Six copies of 70 evade the decoys once in 300 runs; that points repeat never goes unseen."""

    def change(message):
        if message.evaluated_bin.bin == 0:
            points = rows(message.evaluated_bin.points, 32)
            message.evaluated_bin.points = points[0] * 2 + b"".join(points[2:])

    for seed in range(10, 16):
        heard = listen(
            Output.CARDINALITY, changing("evaluated_bin", change), bare=True, seeds=(seed, 2)
        )
        assert type(heard.errors[RECEIVER]) is PeerMisbehaved


@pytest.mark.parametrize(
    ("at", "records", "right"),
    [(0, 7, True), (5, 0, False), (5, 2, False), (36, 0, False), (37, 1, False), (99, 1, False)],
)
def test_only_shared_decoys_have_a_record_and_each_has_one(at, records, right):
    """Rows 0 to 4 are real, 5 to 36 shared decoys, the rest own decoys and padding."""
    row = np.zeros(100, np.uint32)
    row[5 : 5 + SHARED] = 1
    row[at] = records
    if right:
        check_positions(row, 5)
    else:
        with pytest.raises(DecoyMismatch):
            check_positions(row, 5)


class TestTags:
    """`check_tags` against a sender that chooses what it lists; an entry is a tag of 8 bytes."""

    SID, TAG = bytes(32), 8
    SHARED_, RECEIVERS, SENDERS = shared_decoys(SID), own_decoys(b"r" * 32), own_decoys(b"s" * 32)
    """The sender's own stand among its entries and are not listed: nobody could check them."""

    def outputs(self, block: bytes) -> Outputs:
        outputs = Outputs()
        outputs.extend_own(block, self.SID, Key.draw(entropy(5)))
        return outputs

    def tags(self, block: bytes) -> bytes:
        return self.outputs(block).tags(self.TAG)

    def check(self, ours: bytes, theirs: bytes, *listed: bytes) -> None:
        tags = tuple(self.tags(block) for block in listed)
        check_tags(tags, self.TAG, self.outputs(ours), [self.tags(theirs)], self.TAG)

    def test_decoys_where_they_must_be_pass(self):
        self.check(
            self.SHARED_ + self.RECEIVERS,
            self.SHARED_ + self.SENDERS,
            self.SHARED_,
            self.RECEIVERS,
        )

    @pytest.mark.parametrize("lost", range(4), ids=["ours", "theirs", "own", "shown"])
    def test_one_decoy_out_of_place_is_a_mismatch(self, lost):
        ours, theirs = self.SHARED_ + self.RECEIVERS, self.SHARED_ + self.SENDERS
        ours, theirs = [
            (ours[32:], theirs),
            (ours, theirs[32:]),
            (ours[:-32], theirs),
            (ours, theirs + self.RECEIVERS[:32]),
        ][lost]
        with pytest.raises(DecoyMismatch):
            self.check(ours, theirs, self.SHARED_, self.RECEIVERS)

    def test_one_surviving_decoy_listed_many_times_does_not_pass_for_all(self):
        """Else a sender could spoil 31 of 32 points, and the number learnt might be negative."""
        ours, theirs = self.SHARED_[:32] + self.RECEIVERS[:32], self.SHARED_ + self.SENDERS
        with pytest.raises(DecoyMismatch):
            self.check(ours, theirs, self.SHARED_[:32] * SHARED, self.RECEIVERS[:32] * OWN)


def test_decoys_are_no_elements_and_differ_from_each_other():
    blocks = shared_decoys(bytes(32)), own_decoys(bytes(32)), own_decoys(b"s" * 32)
    assert len(Elements(b"".join(blocks))) == SHARED + 2 * OWN
