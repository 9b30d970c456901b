"""The classes of the VOLE match: rows of both sides meet, and a wrong call is a sentence.

That they say what the reference says is in tests/dialogues/test_vole_reference.py. Everything is
drawn under fixed seeds: 1 the offer, 2 the choice, 3 the trees, 4 requests, 5 answers.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
from reference import tags as reference_tags
from secrecy import check_it_shows_nothing

from psi._core import (
    VOLE_CHUNK,
    AscendingTags,
    BaseOtChoice,
    BaseOtOffer,
    CheckError,
    Entropy,
    Rows,
    TagJoin,
    VoleCode,
    VoleReceiver,
    VoleSender,
)
from psi.subprotocols import okvs, tags

SID = sha256(b"session").digest()
OFFER, CHOICE, TREES, ANSWER = 32, 8192, 4096, 117_504
CHOICES = 4
"""Bytes of a request for each transfer: 5,760 for a chunk, before the first `816 x width` more."""
THIRD = 493
CELLS = 3 * THIRD + 56
LARGE = [2**32, 2**63, 2**64 - 1]


def request(width: int, first: bool = True) -> int:
    checked = [5760 + 256] + ([816 * width + 256] if first else [])
    return sum(CHOICES * count + 32 for count in checked)


def entropy(byte: int) -> Entropy:
    return Entropy.from_seed_for_tests(bytes([byte]) * 32)


def offer() -> BaseOtOffer:
    return BaseOtOffer.draw(entropy(1))


def choice(offered: bytes | None = None) -> BaseOtChoice:
    return BaseOtChoice.draw(SID, offered or offer().message(), entropy(2))


def plant(
    planted: BaseOtOffer | None = None, points: bytes | None = None, width: int = 64
) -> tuple[VoleReceiver, bytes]:
    points = choice().message() if points is None else points
    return VoleReceiver.plant(
        planted or offer(), VoleCode.draw(SID, "fresh"), SID, points, width, entropy(3)
    )


def grow(chosen: BaseOtChoice | None = None, trees: bytes = bytes(TREES), width: int = 64):
    return VoleSender.grow(chosen or choice(), VoleCode.draw(SID, "fresh"), SID, trees, width)


def session(width: int = 64, chunks: int = 1) -> tuple[VoleReceiver, VoleSender]:
    """Both sources, with correlations of so many chunks."""
    receiver, trees = plant(width=width)
    sender = grow(trees=trees, width=width)
    for _ in range(chunks):
        receiver.absorb(sender.answer(receiver.request(entropy(4)), entropy(5)))
    return receiver, sender


def elements(start: int, count: int) -> bytes:
    return b"".join(sha256(i.to_bytes(4, "little")).digest() for i in range(start, start + count))


def rows(start: int = 0, count: int = 10, width: int = 64, bins: int = 1, third: int = THIRD):
    """Rows of numbered elements, half of them given as extras."""
    block, half = elements(start, count), count // 2 * 32
    return Rows(block[:half], block[half:], SID, bins, third, width)


def evaluated(width: int = 64, bins: int = 1, r_count: int = 10, s_count: int = 10, shift: int = 5):
    """Rows 0, 1, ... of the receiver and `shift`, ... of the sender, all bins at once."""
    receiver, sender = session(width)
    ours, theirs = rows(0, r_count, width, bins), rows(shift, s_count, width, bins)
    theirs.evaluate(0, bins, ours.blind(0, bins, 1024, receiver), sender)
    return ours, theirs


def outputs(held: Rows) -> list[bytes]:
    block = held.outputs().tags(32)
    return [block[at : at + 32] for at in range(0, len(block), 32)]


COUNTS = [0, 1, 2, 127, 128, 129, 600]


@pytest.mark.parametrize("width", [64, 72, 128])
@pytest.mark.parametrize("bins", [1, 7])
@pytest.mark.parametrize("count", COUNTS)
def test_rows_that_both_hold_have_one_output_and_no_others(width, bins, count):
    """Lengths around a tile of 128; half of the rows are common."""
    shift = count // 2
    ours, theirs = map(outputs, evaluated(width, bins, count, count, shift))
    assert ours[shift:] == theirs[: count - shift]
    assert len({*ours, *theirs}) == count + shift


@pytest.mark.parametrize("width", [64, 80])
def test_bins_by_themselves_or_together_are_the_same(width):
    """Three bins, in two groups at the receiver, one by one at the sender, and in any order."""
    once = evaluated(width, 3, 500, 500, 250)
    receiver, sender = session(width)
    ours, theirs = rows(0, 500, width, 3), rows(250, 500, width, 3)
    said = [ours.blind(0, 2, 1024, receiver), ours.blind(2, 1, 1024, receiver)]
    cells = b"".join(said)
    step = CELLS * width // 8
    assert len(cells) == 3 * step
    for bin in range(3):
        theirs.evaluate(bin, 1, cells[bin * step : (bin + 1) * step], sender)
    assert [outputs(ours), outputs(theirs)] == [outputs(each) for each in once]


def test_cells_may_end_in_the_next_chunk():
    """34 bins of 1,535 cells are 782 more than a chunk has; requests run ahead of answers."""
    bins = VOLE_CHUNK // CELLS + 1
    receiver, trees = plant()
    sender = grow(trees=trees)
    asked = [receiver.request(entropy(4)) for _ in range(2)]
    assert list(map(len, asked)) == [request(64), request(64, first=False)]
    for said in asked:
        answer = sender.answer(said, entropy(5))
        assert len(answer) == ANSWER
        receiver.absorb(answer)
    ours, theirs = rows(0, 900, bins=bins), rows(300, 900, bins=bins)
    theirs.evaluate(0, bins, ours.blind(0, bins, 1024, receiver), sender)
    assert outputs(ours)[300:] == outputs(theirs)[:600]


def test_one_changed_cell_changes_the_outputs_of_its_rows_alone():
    receiver, sender = session()
    ours, theirs = rows(0, 600), rows(0, 600)
    cells = bytearray(ours.blind(0, 1, 1024, receiver))
    cells[0] ^= 1
    theirs.evaluate(0, 1, bytes(cells), sender)
    wrong = sum(a != b for a, b in zip(outputs(ours), outputs(theirs), strict=True))
    # A cell of the first third is that of one row in 493 on average.
    assert 0 < wrong < 10


@pytest.mark.parametrize("count", [1, 2, 64, 127, 128, 600])
def test_tags_are_ascending_and_the_join_finds_those_of_common_rows(count):
    form = tags.form(500, count)
    row = form.low // 8
    expected = list(range(450, min(500, 450 + count)))
    for step in {1, 7, count}:
        ours, theirs = evaluated(64, 1, 500, count, 450)
        said = AscendingTags(theirs, form.bits)
        unary, lows = said.unary(), said.lows(0, count)
        listed = reference_tags.decode(unary, lows, reference_tags.form(500, count))
        assert all(a <= b for a, b in pairwise(listed))
        assert max(listed) >> form.bits == 0
        met = TagJoin(ours, form.bits, count, unary)
        for start in range(0, count, step):
            piece = said.lows(start, step)
            assert piece == lows[start * row : (start + step) * row]
            met.probe(piece)
        assert np.frombuffer(met.matched(), np.uint32).tolist() == expected


def test_without_tags_nothing_matches():
    ours, _ = evaluated()
    met = TagJoin(ours, BITS, 0, b"\0")
    met.probe(b"")
    assert met.matched() == b""


# Wrong calls


def refused(pattern: str, call: Callable[[], object]) -> None:
    """A ValueError with a sentence: no panic, and no crash."""
    with pytest.raises(ValueError, match=pattern):
        call()


@pytest.mark.parametrize(
    ("pattern", "call"),
    [
        ("^offer: length 31, expected 32$", lambda: BaseOtChoice.draw(SID, bytes(31), entropy(2))),
        ("^offer: length 33, expected 32$", lambda: BaseOtChoice.draw(SID, bytes(33), entropy(2))),
        ("^offer: point 0 is not", lambda: BaseOtChoice.draw(SID, bytes(32), entropy(2))),
        ("length 32", lambda: BaseOtChoice.draw(bytes(31), offer().message(), entropy(2))),
        ("^choice: length 0, expected 8192$", lambda: plant(points=b"")),
        ("^choice: length 8191, expected 8192$", lambda: plant(points=bytes(CHOICE - 1))),
        ("^choice: length 8193, expected 8192$", lambda: plant(points=bytes(CHOICE + 1))),
        ("^choice: point 0 is not valid$", lambda: plant(points=bytes(CHOICE))),
        ("^choice: point 255 is", lambda: plant(points=choice().message()[:-32] + bytes(32))),
        (
            "length 32",
            lambda: VoleReceiver.plant(
                offer(), VoleCode.draw(SID, "fresh"), b"", b"", 64, entropy(3)
            ),
        ),
        ("^trees: length 0, expected 4096$", lambda: grow(trees=b"")),
        ("^trees: length 4095, expected 4096$", lambda: grow(trees=bytes(TREES - 1))),
        ("^trees: length 4097, expected 4096$", lambda: grow(trees=bytes(TREES + 1))),
        (
            "length 32",
            lambda: VoleSender.grow(
                choice(), VoleCode.draw(SID, "fresh"), bytes(33), bytes(TREES), 64
            ),
        ),
    ],
)
def test_what_opens_a_session_has_one_length_and_is_points(pattern, call):
    refused(pattern, call)


@pytest.mark.parametrize("side", ["receiver", "sender"])
@pytest.mark.parametrize("width", [0, 56, 63, 65, 100, 136, *LARGE])
def test_a_session_of_another_width_is_refused(side, width):
    refused("^width", lambda: plant(width=width) if side == "receiver" else grow(width=width))


def test_an_offer_and_a_choice_serve_once():
    used = offer()
    plant(used)
    refused("^offer: serves once$", lambda: plant(used))
    refused("^offer: serves once$", used.message)
    # It has served too if what came back was none: its secret is not for a second try.
    spoilt = offer()
    refused("^choice: length", lambda: plant(spoilt, b""))
    refused("^offer: serves once$", lambda: plant(spoilt))
    chosen = choice()
    message = chosen.message()
    grow(chosen)
    refused("^choice: serves once$", lambda: grow(chosen))
    assert chosen.message() == message
    spoilt = choice()
    refused("^trees: length", lambda: grow(spoilt, b""))
    refused("^choice: serves once$", lambda: grow(spoilt))


@pytest.mark.parametrize("width", [64, 72])
def test_requests_and_answers_have_one_length_each_and_come_in_order(width):
    receiver, sender = session(width, chunks=0)
    refused("^correction: length 117504, expected 0$", lambda: receiver.absorb(bytes(ANSWER)))
    first, second = (receiver.request(entropy(4)) for _ in "12")
    assert [len(first), len(second)] == [request(width), request(width, first=False)]
    for wrong in (b"", second, first[:-1], first + b"\0"):
        refused("^request: length", lambda wrong=wrong: sender.answer(wrong, entropy(5)))
    answer = sender.answer(first, entropy(5))
    refused("^request: length", lambda: sender.answer(first, entropy(5)))
    for wrong in (b"", answer[:-1], answer + b"\0", answer * 2):
        refused("^correction: length", lambda wrong=wrong: receiver.absorb(wrong))
    # A refusal leaves all as it was.
    receiver.absorb(answer)
    receiver.absorb(sender.answer(second, entropy(5)))
    refused("^correction: length", lambda: receiver.absorb(answer))
    ours, theirs = rows(width=width), rows(width=width)
    theirs.evaluate(0, 1, ours.blind(0, 1, 1024, receiver), sender)
    assert outputs(ours) == outputs(theirs)


def make(
    elements: bytes = bytes(32),
    extras: bytes = b"",
    sid: bytes = SID,
    bins: int = 1,
    third: int = THIRD,
    width: int = 64,
) -> Rows:
    return Rows(elements, extras, sid, bins, third, width)


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [
        ("^elements: length 33, expected 32$", {"elements": bytes(33)}),
        ("^extras: length 31, expected 32$", {"extras": bytes(31)}),
        ("length 32", {"sid": bytes(31)}),
        ("^bins: 0 rows, at most", {"bins": 0}),
        *((f"^bins: {n} rows, at most", {"bins": n}) for n in LARGE),
        ("^third: 0 rows, at most", {"third": 0}),
        *((f"^third: {n} rows, at most", {"third": n}) for n in (1 << 16, *LARGE)),
        *((f"^width: length {n}", {"width": n}) for n in (0, 8, 56, 63, 65, 100, 136, *LARGE)),
    ],
    ids=str,
)
def test_rows_of_a_form_that_no_session_has_are_refused(pattern, arguments):
    make()
    refused(pattern, lambda: make(**arguments))


@pytest.mark.parametrize("first", [0, 1, 2, *LARGE])
@pytest.mark.parametrize("count", [1, 2, 3, *LARGE])
def test_bins_that_are_not_there_are_refused(first, count):
    """Of two; with as many cells as seem to be due, and with none."""
    if first + count <= 2:
        return
    receiver, sender = session(chunks=1)
    pattern = "^bins: index|correlations are asked for"
    refused(pattern, lambda: rows(bins=2).blind(first, count, 1024, receiver))
    for cells in (b"", bytes(min(count, 3) * CELLS * 8)):
        refused(
            f"{pattern}|^masked: length",
            lambda cells=cells: rows(bins=2).evaluate(first, count, cells, sender),
        )
    # Nothing was taken from the supply.
    ours, theirs = rows(), rows()
    theirs.evaluate(0, 1, ours.blind(0, 1, 1024, receiver), sender)
    assert outputs(ours) == outputs(theirs)


@pytest.mark.parametrize("length", [0, CELLS * 8 - 1, CELLS * 8 + 1, CELLS * 8 - 8, 2 * CELLS * 8])
def test_cells_that_are_not_whole_are_refused_and_may_come_again(length):
    receiver, sender = session()
    ours, theirs = rows(), rows()
    cells = ours.blind(0, 1, 1024, receiver)
    refused(
        f"^masked: length {length}, expected {CELLS * 8}$",
        lambda: theirs.evaluate(0, 1, bytes(length), sender),
    )
    theirs.evaluate(0, 1, cells, sender)
    assert outputs(ours) == outputs(theirs)


def test_a_bin_is_evaluated_once():
    """A second time, the receiver would show its cells under another mask."""
    receiver, sender = session(chunks=2)
    ours, theirs = rows(bins=2), rows(bins=2)
    cells = ours.blind(0, 1, 1024, receiver)
    theirs.evaluate(0, 1, cells, sender)
    for first, count in ((0, 1), (0, 2)):
        refused("^bins: serves once$", lambda f=first, n=count: ours.blind(f, n, 1024, receiver))
        refused(
            "^bins: serves once$",
            lambda f=first, n=count: theirs.evaluate(f, n, cells * n, sender),
        )
    theirs.evaluate(1, 1, ours.blind(1, 1, 1024, receiver), sender)
    assert outputs(ours) == outputs(theirs)


def test_correlations_that_are_spent_are_refused():
    """33 bins of 1,535 cells leave 753 correlations of a chunk."""
    bins = VOLE_CHUNK // CELLS
    for chunks in (0, 1):
        receiver, sender = session(chunks=chunks)
        left = 0
        if chunks:
            cells = rows(bins=bins).blind(0, bins, 1024, receiver)
            rows(bins=bins).evaluate(0, bins, cells, sender)
            left = VOLE_CHUNK - bins * CELLS
        pattern = f"^{CELLS} correlations are asked for, there are {left}$"
        ours, theirs = rows(), rows()
        refused(pattern, lambda ours=ours, r=receiver: ours.blind(0, 1, 1024, r))
        zeros = bytes(CELLS * 8)
        refused(pattern, lambda theirs=theirs, s=sender, z=zeros: theirs.evaluate(0, 1, z, s))


@pytest.mark.parametrize(("ours", "theirs"), [(64, 72), (72, 64), (64, 128), (120, 128)])
def test_correlations_of_another_width_are_refused(ours, theirs):
    receiver, sender = session(theirs)
    pattern = f"^width: length {theirs}, expected {ours}$"
    refused(pattern, lambda: rows(width=ours).blind(0, 1, 1024, receiver))
    cells = bytes(CELLS * ours // 8)
    refused(pattern, lambda: rows(width=ours).evaluate(0, 1, cells, sender))


def test_a_bin_with_more_rows_than_it_has_room_for_is_refused():
    receiver, _ = session()
    for capacity in (0, 9):
        refused(
            "^bin 0 of the set cannot be enc", lambda c=capacity: rows().blind(0, 1, c, receiver)
        )
    rows().blind(0, 1, 10, receiver)
    rows().blind(0, 1, 2**64 - 1, receiver)


def test_rows_that_no_cells_can_encode_are_refused():
    """100 rows in three sparse cells and 56 dense ones: 59 equations can hold, more cannot."""
    receiver, _ = session()
    refused("^bin 0 of the set", lambda: rows(0, 100, third=1).blind(0, 1, 1024, receiver))
    rows(0, 10, third=1).blind(0, 1, 1024, receiver)


@pytest.mark.parametrize("bits", [0, 1, 7, 129, *LARGE])
def test_tags_of_no_width_are_refused(bits):
    ours, theirs = evaluated()
    refused(f"^bits: length {bits}", lambda: AscendingTags(theirs, bits))
    refused(f"^bits: length {bits}", lambda: TagJoin(ours, bits, 10, b"\xff\x03"))


@pytest.mark.parametrize("bits", [8, 9, 63, 64, 65, 127, 128])
def test_tags_of_any_other_width_serve(bits):
    ours, theirs = evaluated(64, 1, 40, 40, 20)
    said = AscendingTags(theirs, bits)
    met = TagJoin(ours, bits, 40, said.unary())
    met.probe(said.lows(0, 40))
    found = set(np.frombuffer(met.matched(), np.uint32).tolist())
    assert found >= set(range(20, 40))
    if bits > 60:
        assert len(found) == 20


TEN = b"\xff\x03"
"""Counts of ten tags of 53 bits, which have no high part: ten ones, a zero, padding."""
BITS = 53


@pytest.mark.parametrize(
    ("pattern", "tags", "unary"),
    [
        ("^unary: length 0, expected 2$", 10, b""),
        ("^unary: length 3, expected 2$", 10, TEN + b"\0"),
        ("^unary: does not count the tags$", 10, b"\xff\x01"),
        ("^unary: does not count the tags$", 10, b"\xff\x07"),
        ("^unary: does not count the tags$", 10, b"\xff\x05"),
        ("^unary: does not count the tags$", 10, b"\xff\x83"),
        ("^unary: does not count the tags$", 10, bytes(2)),
        ("^unary: does not count the tags$", 10, b"\xff\xff"),
        ("^unary: does not count the tags$", 0, b"\1"),
        ("^unary: length 0, expected", 2**32 - 1, b""),
        *((f"^tags: {n} rows, at most", n, b"") for n in LARGE),
    ],
)
def test_counts_that_are_not_those_of_the_tags_are_refused(pattern, tags, unary):
    ours, _ = evaluated()
    refused(pattern, lambda: TagJoin(ours, BITS, tags, unary))


def join(*pieces: bytes) -> TagJoin:
    """Of ten rows, with ten tags of which these pieces have come."""
    begun = TagJoin(evaluated()[0], BITS, 10, TEN)
    for piece in pieces:
        begun.probe(piece)
    return begun


def test_lows_that_are_not_whole_or_do_not_ascend_are_refused():
    row = [n.to_bytes(7, "little") for n in range(11)]
    for wrong in (row[0][:-1], row[0] * 2 + b"\0", b"".join(row), b"\0" * 70 + b"\0"):
        refused("^lows: length", lambda wrong=wrong: join(wrong))
    refused("^lows: length 7, expected 0$", lambda: join(b"".join(row[:10]), row[10]))
    refused("^lows: length 70, expected 63$", lambda: join(row[0], b"".join(row[:10])))
    refused("^lows: row 9 does not ascend$", lambda: join(b"".join([*row[:9], row[7]])))
    refused("^lows: row [0-9]+ does not ascend$", lambda: join(*row[:9], row[7]))
    # Of 56 bits 3 are none of a tag.
    refused("^lows", lambda: join(b"".join([*row[:9], b"\xff" * 7])))
    # Those that are there twice are no error: a tag has a place in order beside its like.
    assert join(row[5] * 10).matched() == b""


def test_a_join_is_asked_once_and_when_all_tags_are_there():
    lows = b"".join(n.to_bytes(7, "little") for n in range(10))
    refused("^lows: length", join().matched)
    refused("^lows: length", join(lows[:-7]).matched)
    asked = join(lows)
    assert asked.matched() == b""
    refused("^join: serves once$", asked.matched)
    refused("^join: serves once$", lambda: asked.probe(b""))
    refused("^join: serves once$", lambda: asked.probe(lows))


@pytest.mark.parametrize(
    "take", [lambda rows: AscendingTags(rows, BITS), lambda rows: TagJoin(rows, BITS, 10, TEN)]
)
def test_tags_and_their_join_take_the_outputs_of_the_rows(take):
    held, other = evaluated()
    assert len(held.outputs()) == 10
    refused("^seals: serves once$", held.outputs)
    take(held)
    take(other)
    assert len(other.outputs()) == 0
    receiver, sender = session()
    refused("^bins: serves once$", lambda: held.blind(0, 1, 1024, receiver))
    refused("^bins: serves once$", lambda: held.evaluate(0, 1, bytes(CELLS * 8), sender))


@pytest.mark.parametrize("at", [0, 5, 2**64 - 1])
@pytest.mark.parametrize("count", [0, 5, 2**64 - 1])
def test_low_parts_beyond_the_last_are_none(at, count):
    _, theirs = evaluated()
    said = AscendingTags(theirs, BITS)
    assert said.lows(at, count) == said.lows(0, 10)[7 * at : 7 * (at + count)]


def test_the_smallest_shape_is_the_one_that_is_tested_here():
    assert okvs.shape(128).third == THIRD


CHECKED_TREES = TREES + 32 * 32 + 32


def checked(spoil: int | None = None) -> tuple[VoleReceiver, VoleSender]:
    """Both sources of a checked session, with a chunk; perhaps with a byte of the trees changed."""
    points, ours, theirs = choice().message(), *(VoleCode.draw(SID, "checked") for _ in "12")
    receiver, trees = VoleReceiver.plant(offer(), ours, SID, points, 128, entropy(3))
    assert len(trees) == CHECKED_TREES
    said = bytearray(trees)
    if spoil is not None:
        said[spoil] ^= 1
    sender = VoleSender.grow(choice(), theirs, SID, bytes(said), 128)
    asked = receiver.request(entropy(4))
    assert len(asked) == request(128) + CHOICES * 128
    receiver.absorb(sender.answer(asked, entropy(5)))
    return receiver, sender


def test_a_checked_session_is_proven_once():
    receiver, sender = checked()
    masked = receiver.mask()
    assert len(masked) == 16
    refused("^masked: length 15, expected 16$", lambda: sender.prove(masked[1:]))
    proof = sender.prove(masked)
    assert len(proof) == 32
    refused("^proof: length 31, expected 32$", lambda: receiver.verify(proof[1:]))
    receiver.verify(proof)
    for again in (receiver.mask, lambda: receiver.verify(proof), lambda: sender.prove(masked)):
        refused("^check: serves once$", again)
    later = receiver.request(entropy(6))
    refused("^check: serves once$", lambda: sender.answer(later, entropy(7)))
    refused("^check: serves once$", lambda: receiver.absorb(bytes(ANSWER)))


def test_what_is_checked_and_wrong_has_an_error_of_its_own():
    for spoilt in range(TREES, CHECKED_TREES, 97):
        with pytest.raises(CheckError, match=r"^trees: does not agree with itself$"):
            checked(spoilt)
    for change in (lambda sum_: bytes([sum_[0] ^ 1]) + sum_[1:], lambda _: bytes(16)):
        receiver, sender = checked()
        proof = sender.prove(change(receiver.mask()))
        with pytest.raises(CheckError, match=r"^proof: does not agree with itself$"):
            receiver.verify(proof)


def test_a_session_that_is_not_checked_has_nothing_to_prove():
    receiver, sender = session()
    calls = (receiver.mask, lambda: receiver.verify(bytes(32)), lambda: sender.prove(bytes(16)))
    for call in calls:
        refused("^check: serves once$", call)


NAMES = {
    "BaseOtOffer": {"draw", "message"},
    "BaseOtChoice": {"draw", "message"},
    "VoleReceiver": {"absorb", "mask", "plant", "request", "verify"},
    "VoleSender": {"answer", "grow", "prove"},
    "Rows": {"blind", "evaluate", "outputs"},
    "AscendingTags": {"lows", "unary"},
    "TagJoin": {"matched", "probe"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_shows_nothing_of_itself_and_cannot_be_carried_off(name):
    ours, theirs = evaluated()
    receiver, sender = session()
    secrets = [offer(), choice(), receiver, sender, ours, TagJoin(ours, BITS, 10, TEN)]
    secrets.append(AscendingTags(theirs, BITS))
    (secret,) = (each for each in secrets if type(each).__name__ == name)
    check_it_shows_nothing(secret, NAMES[name])


def test_rows_that_were_not_evaluated_have_no_outputs():
    """A hash of an element would tell it to whoever tries elements."""
    receiver, _ = session()
    held = rows(bins=2)
    for missing, take in ((0, lambda: None), (1, lambda: held.blind(0, 1, 1024, receiver))):
        take()
        pattern = f"^bin {missing} has not been evaluated$"
        refused(pattern, held.outputs)
        refused(pattern, lambda: AscendingTags(held, BITS))
        refused(pattern, lambda: TagJoin(held, BITS, 0, b"\0"))


# Results between what the caller puts around them


def test_cells_stand_between_head_and_tail_and_are_read_where_they_stand():
    receiver, sender = session()
    ours, theirs = rows(), rows()
    plain = rows().blind(0, 1, 1024, session()[0])
    framed = ours.blind(0, 1, 1024, receiver, None, b"head", b"behind")
    assert framed == b"head" + plain + b"behind"
    theirs.evaluate(0, 1, framed, sender, None, 4, len(framed) - 6)
    assert outputs(ours) == outputs(theirs)


def test_low_parts_stand_behind_a_head_and_are_read_where_they_stand():
    ours, theirs = evaluated(64, 1, 10, 10, 5)
    said = AscendingTags(theirs, BITS)
    plain, framed = said.lows(0, 10), said.lows(0, 10, b"head")
    assert framed == b"head" + plain
    met = TagJoin(ours, BITS, 10, said.unary())
    met.probe(framed, 4, len(framed) - 7)
    met.probe(framed, len(framed) - 7)
    assert np.frombuffer(met.matched(), np.uint32).tolist() == list(range(5, 10))


@pytest.mark.parametrize(("start", "end"), [(5, 4), (0, CELLS * 8 + 1), (CELLS * 8 + 1, None)])
def test_a_part_that_is_not_there_is_refused(start, end):
    receiver, sender = session()
    ours, theirs = rows(), rows()
    cells = ours.blind(0, 1, 1024, receiver)
    refused("^bytes: index", lambda: theirs.evaluate(0, 1, cells, sender, None, start, end))
    met = TagJoin(evaluated()[0], BITS, 1, b"\1")
    refused("^bytes: index", lambda: met.probe(cells, start, end))
    theirs.evaluate(0, 1, cells, sender)
    assert outputs(ours) == outputs(theirs)
