"""The kernels of the match agree with the reference, on every length around a chunk and a block.

A chunk of the curve's kernel has 64 points. Random cases come from hypothesis, which prints how to
repeat a failure; what is drawn besides comes from `Entropy` under a fixed seed, which the reference
repeats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import curve25519, dh
from secrecy import check_it_shows_nothing

from psi import _core, parameters
from psi.subprotocols import decoys
from psi.subprotocols.entries import SEAL, forms

LENGTHS = [0, 1, 2, 63, 64, 65, 127, 128, 129]
SID = sha256(b"session").digest()
SEED = b"\5" * 32
case = settings(max_examples=60, deadline=None, print_blob=True)


def entropies(seed: bytes = SEED) -> tuple[_core.Entropy, dh.Entropy]:
    return _core.Entropy.from_seed_for_tests(seed), dh.Entropy(seed)


def u32(numbers: Iterable[int]) -> bytes:
    return np.array([*numbers], np.uint32).tobytes()


def seal(outputs: _core.Outputs, positions: Iterable[int], *rest: Any) -> bytes:
    return _core.seal(outputs, u32(positions), *rest)


def keys(seed: bytes = SEED) -> tuple[_core.Key, tuple[int, int]]:
    ours, theirs = entropies(seed)
    return _core.Key.draw(ours), dh.draw_key(theirs)


def elements(count: int) -> list[bytes]:
    return [sha256(bytes([i % 256, i // 256])).digest() for i in range(count)]


def rows(block: bytes, width: int) -> list[bytes]:
    return [block[at : at + width] for at in range(0, len(block), width)]


def outputs(count: int, key: _core.Key | None = None) -> _core.Outputs:
    held = _core.Outputs()
    held.extend_own(b"".join(elements(count)), SID, key or keys()[0])
    return held


@cache
def _reference_output(element: bytes) -> bytes:
    return dh.own_output(SID, element, keys()[1])


def reference_outputs(count: int) -> list[bytes]:
    return [_reference_output(e) for e in elements(count)]


@case
@given(st.binary(min_size=32, max_size=32), st.lists(st.integers(0, 200), max_size=8))
def test_entropy_is_a_chacha20_stream_taken_in_words(seed, counts):
    ours, theirs = entropies(seed)
    assert [ours.bytes(n) for n in counts] == [theirs.bytes(n) for n in counts]


def test_entropy_of_the_system_never_repeats():
    assert len({_core.Entropy.from_os().bytes(32) for _ in range(8)}) == 8


@pytest.mark.parametrize("count", LENGTHS)
def test_blinding_evaluating_and_unblinding_are_those_of_the_reference(count):
    (a, ref_a), (b, ref_b) = keys(b"a" * 32), keys(b"b" * 32)
    block = b"".join(elements(count))
    blinded = _core.dh_blind(block, SID, a)
    assert rows(blinded, 32) == [dh.blind(SID, e, ref_a) for e in elements(count)]
    evaluated = _core.dh_evaluate(blinded, b)
    assert rows(evaluated, 32) == [dh.evaluate(point, ref_b) for point in rows(blinded, 32)]
    unblinded, own = _core.Outputs(), _core.Outputs()
    unblinded.extend_evaluated(evaluated, SID, a)
    own.extend_own(block, SID, b)
    assert len(unblinded) == len(own) == count
    expected = [dh.own_output(SID, e, ref_b) for e in elements(count)]
    assert expected == [dh.evaluated_output(SID, p, ref_a) for p in rows(evaluated, 32)]
    tags = b"".join(dh.derive(output, 0, 0)[:32] for output in expected)
    assert unblinded.tags(32) == own.tags(32) == tags


@settings(max_examples=15, deadline=None, print_blob=True)
@given(*[st.binary(min_size=32, max_size=32)] * 4)
def test_the_algebra_holds_for_random_keys_sessions_and_elements(seed_a, seed_b, sid, element):
    (a, ref_a), (b, ref_b) = keys(seed_a), keys(b"other" + seed_b[5:])
    assert ref_a[0] * ref_a[1] % curve25519.ORDER == 1
    assert ref_a[1] % 8 == 0
    assert ref_a[1] < 2**255
    held = _core.Outputs()
    held.extend_evaluated(_core.dh_evaluate(_core.dh_blind(element, sid, a), b), sid, a)
    assert held.tags(32) == dh.derive(dh.own_output(sid, element, ref_b), 0, 0)[:32]


@pytest.mark.parametrize(
    "bad",
    [
        0,
        1,
        curve25519.P - 1,
        curve25519.P,
        curve25519.P + 9,
        2**255 - 1,
        2**255 + 9,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    ],
)
@pytest.mark.parametrize("at", [0, 63, 64, 69])
def test_a_point_that_no_honest_party_sends_is_a_value_error_with_its_index(bad, at):
    points = [(9).to_bytes(32, "little")] * 70
    points[at] = bad.to_bytes(32, "little")
    with pytest.raises(ValueError, match=f"point {at} "):
        _core.dh_evaluate(b"".join(points), keys()[0])
    held = outputs(2)
    with pytest.raises(ValueError, match=f"point {at} "):
        held.extend_evaluated(b"".join(points), SID, keys()[0])
    assert len(held) == 2, "a refused batch leaves nothing behind"


def test_a_point_of_the_twist_is_evaluated_like_any_other():
    twisted = next(u for u in range(2, 99) if not curve25519.on_curve(u)).to_bytes(32, "little")
    key, ref = keys()
    assert _core.dh_evaluate(twisted, key) == dh.evaluate(twisted, ref)


def test_outputs_can_be_selected_in_any_order_and_again():
    tags = rows(outputs(70).tags(9), 9)
    assert tags == [dh.derive(o, 0, 0)[:9] for o in reference_outputs(70)]
    for positions in ([], [69], [0, 0, 3], list(range(69, -1, -1))):
        selected = outputs(70).select(u32(positions))
        assert rows(selected.tags(9), 9) == [tags[i] for i in positions]
    with pytest.raises(ValueError, match="positions"):
        outputs(70).select(u32([70]))


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("label", [0, 1, 64, 65])
def test_sealed_entries_are_those_of_the_reference(count, label):
    """Element i has i mod 3 records; there is padding for three more entries."""
    held = [[bytes([i, n] * label)[:label] for n in range(i % 3)] for i in range(count)]
    positions = [i for i, labels in enumerate(held) for _ in labels]
    ours, theirs = entropies()
    total = len(positions) + 3
    block = b"".join(row for labels in held for row in labels)
    sealed = seal(outputs(count), positions, block, 8, label, 1, total, ours)
    width = 8 + (label + 16 if label else 0)
    expected = dh.seal(reference_outputs(count), held, 8, label, 1, total, theirs)
    assert rows(sealed, width) == expected
    # Opened by a party that has some of them, and some others.
    mine = outputs(count + 5).select(u32(range(count // 2, count + 5)))
    step = 10 * width
    counts, labels = _core.open(mine, rows(sealed, step), 8, label, 1)
    opened = [
        dh.open_entries(expected, o, 8, label, 1)
        for o in reference_outputs(count + 5)[count // 2 :]
    ]
    assert np.frombuffer(counts, np.uint32).tolist() == [len(rows_) for rows_ in opened]
    assert labels == b"".join(row for rows_ in opened for row in rows_)
    assert opened == held[count // 2 :] + [[]] * 5


def test_records_of_one_element_keep_their_order_among_others():
    positions, block = [1, 0, 1, 1, 0], bytes(range(5))
    sealed = seal(outputs(2), positions, block, 8, 1, 0, 5, entropies()[0])
    assert _core.open(outputs(2), [sealed], 8, 1, 0)[1] == bytes([1, 4, 0, 2, 3])


def test_the_other_direction_has_other_tags_and_opens_nothing():
    forward, back = (
        seal(outputs(9), list(range(9)), bytes(18), 8, 2, way, 9, entropies()[0]) for way in (0, 1)
    )
    assert not set(rows(forward, 26)) & set(rows(back, 26))
    assert _core.open(outputs(9), [back], 8, 2, 0) == (bytes(36), b"")


@case
@given(st.integers(0, 25), st.integers(0, 7))
def test_any_changed_bit_of_a_known_entry_is_noticed(at, bit):
    """In the tag: not found. Behind it: not opened. A label never comes out changed."""
    sealed = bytearray(seal(outputs(1), [0], b"ab", 8, 2, 0, 1, entropies()[0]))
    sealed[at] ^= 1 << bit
    if at < 8:
        assert _core.open(outputs(1), [bytes(sealed)], 8, 2, 0) == (bytes(4), b"")
    else:
        with pytest.raises(ValueError, match="does not open"):
            _core.open(outputs(1), [bytes(sealed)], 8, 2, 0)


@pytest.mark.parametrize("count", LENGTHS)
def test_a_shuffle_is_that_of_the_reference_and_comes_undone(count):
    ours, theirs = entropies()
    order, slots = _core.Shuffle.draw(count, ours), theirs.shuffle(count)
    for width in (1, 4, 32):
        block = b"".join(i.to_bytes(2, "little") * 16 for i in range(count))[: count * width]
        shuffled = order.apply(block, width)
        assert rows(shuffled, width) == dh.place(rows(block, width), slots)
        assert order.undo(shuffled, width) == block
        assert order.undo(block, width) == b"".join(rows(block, width)[i] for i in slots)


@case
@given(
    st.lists(st.binary(min_size=2, max_size=2), max_size=40),
    st.lists(st.binary(min_size=2, max_size=2), max_size=10),
    st.integers(0, 3),
    st.integers(1, 7),
)
def test_contains_says_for_each_tag_whether_a_row_begins_with_it(held, wanted, more, step):
    width = 2 + more
    padded = [row + bytes(more) for row in held]
    bins = [b"".join(padded[at : at + step]) for at in range(0, len(padded), step)]
    found = _core.contains(bins, width, b"".join(wanted), 2)
    assert found == [tag in held for tag in wanted]


@case
@given(st.lists(st.text(max_size=80), max_size=20), st.text(max_size=70))
def test_elements_are_those_of_the_reference(identifiers, domain):
    hashed = _core.hash_elements(pa.array(identifiers, pa.large_string()), domain)
    assert rows(hashed, 32) == [dh.element(i, domain) for i in identifiers]


def test_a_slice_of_identifiers_is_hashed_like_the_whole():
    whole = pa.array([str(i) for i in range(200)], pa.large_string())
    hashed = _core.hash_elements(whole, "d")
    assert _core.hash_elements(whole.slice(63), "d") == hashed[63 * 32 :]


def test_a_missing_identifier_has_no_element():
    with pytest.raises(ValueError, match="an identifier is missing"):
        _core.hash_elements(pa.array(["a", None], pa.large_string()), "d")


@case
@given(st.lists(st.lists(st.tuples(*[st.none() | st.integers(0, 9)] * 2), max_size=30), max_size=4))
def test_rows_are_grouped_by_what_they_name(batches):
    grouping = _core.Grouping("d", 2)
    for batch in batches:
        ways = [[None if row[way] is None else str(row[way]) for row in batch] for way in (0, 1)]
        grouping.add([pa.array(way, pa.large_string()) for way in ways])
    told = [[(a, b if b != a else None) for a, b in batch] for batch in batches]
    named = [row for batch in told for row in batch]
    assert grouping.named() == sum(row != (None, None) for row in named)
    block, counts, places = grouping.finish()
    texts = pa.array([str(n) for n in range(10)], pa.large_string())
    hashed = rows(_core.hash_elements(texts, "d"), 32)
    # A batch is read way by way.
    order = (row[way] for batch in told for way in (0, 1) for row in batch)
    expected = Counter(hashed[n] for n in order if n is not None)
    elements = [*expected]
    assert rows(bytes(block), 32) == elements
    assert pa.array(counts).to_pylist() == [*expected.values()]
    for way in (0, 1):
        assert pa.array(places[way]).to_pylist() == [
            _core.NOWHERE if row[way] is None else elements.index(hashed[row[way]]) for row in named
        ]


def test_a_grouping_is_finished_once():
    grouping = _core.Grouping("d", 1)
    grouping.finish()
    for again in (grouping.finish, grouping.named, lambda: grouping.add([])):
        with pytest.raises(ValueError, match="grouping"):
            again()


def test_elements_are_distinct_if_their_first_halves_are():
    ascending = sorted(elements(70))
    assert _core.are_distinct(b"".join(ascending))
    assert _core.are_distinct(b"".join(reversed(ascending)))
    for at in (1, 64, 69):
        half = ascending[at - 1][:16] + bytes(16)
        for broken in (ascending[at - 1], half):
            assert not _core.are_distinct(b"".join([*ascending, broken]))


@case
@given(
    st.integers(0, 3).flatmap(
        lambda n: st.lists(st.tuples(*[st.none() | st.text(max_size=9)] * n), max_size=9)
    ),
    st.integers(0, 4),
)
def test_labels_come_back_from_their_bytes(table, more):
    columns = [pa.array(column, pa.large_string()) for column in zip(*table, strict=True)]
    if not columns:
        return
    width = _core.label_width(columns)
    values = [[2 + len((v or "").encode()) for v in row] for row in table]
    assert width == max(map(sum, values))
    block = _core.pack_labels(columns, width + more)
    packed = [
        b"".join(
            b"\0\0" if v is None else (len(v.encode()) + 1).to_bytes(2, "little") + v.encode()
            for v in row
        ).ljust(width + more, b"\0")
        for row in table
    ]
    assert rows(block, width + more) == packed
    unpacked = _core.unpack_labels(block, width + more, len(columns))
    assert [pa.array(column) for column in unpacked] == columns


@case
@given(st.binary(max_size=200), st.integers(0, 70), st.integers(0, 4))
def test_no_label_of_a_peer_raises_anything_but_a_value_error(block, width, columns):
    try:
        unpacked = _core.unpack_labels(block, width, columns)
    except ValueError:
        return
    again = [pa.array(column) for column in unpacked]
    assert all(len(column) == len(block) // width for column in again)
    if again:
        assert _core.pack_labels(again, width) == block, "each table has one spelling in bytes"


def test_sizes_seals_and_decoys_are_those_of_the_reference():
    assert (decoys.SHARED, decoys.OWN) == (dh.SHARED, dh.OWN)
    assert parameters.LAMBDA == dh.LAMBDA
    assert SEAL == 16
    for size in [*range(300), 10**4, 10**6, 2**24]:
        assert decoys.size_class(size) == dh.size_class(size)
    assert rows(decoys.shared_decoys(SID), 32) == dh.shared_decoys(SID)
    assert rows(decoys.own_decoys(SEED), 32) == dh.own_decoys(SEED)


@pytest.mark.parametrize("r_entries", [0, 64, 2**24])
@pytest.mark.parametrize(("r", "s"), [(64, 64), (128, 10**6), (2**24, 2**24), (2**24, 64)])
def test_a_tag_is_as_wide_as_the_reference_says(r, s, r_entries):
    receiver = parameters.Offer(parameters.Role.RECEIVER, r, r_entries, 0)
    sender = parameters.Offer(parameters.Role.SENDER, 0, s, 0)
    for both, said_back in ((False, 0), (True, r_entries or min(r, s))):
        forward, back = forms(receiver, sender, both=both)
        assert forward.tag == back.tag == dh.tag_width(r, s, said_back)
        # The bound itself: a wrong one is found with at most 2^-40.
        assert ((r + s) * s + (s + said_back) * said_back) * 2.0 ** (-8 * back.tag) <= 2.0**-40


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.dh_blind(bytes(33), SID, keys()[0]),
        lambda: _core.dh_blind(bytes(32), bytes(31), keys()[0]),
        lambda: _core.dh_evaluate(bytes(31), keys()[0]),
        lambda: outputs(1).extend_own(bytes(1), SID, keys()[0]),
        lambda: outputs(1).extend_own(bytes(32), bytes(33), keys()[0]),
        lambda: outputs(1).extend_evaluated(bytes(63), SID, keys()[0]),
        lambda: outputs(1).tags(0),
        lambda: outputs(1).tags(33),
        lambda: seal(outputs(1), [0], b"ab", 8, 1, 0, 1, entropies()[0]),
        lambda: _core.seal(outputs(1), bytes(3), b"a", 8, 1, 0, 1, entropies()[0]),
        lambda: outputs(1).select(bytes(3)),
        lambda: seal(outputs(1), [1], b"a", 8, 1, 0, 1, entropies()[0]),
        lambda: seal(outputs(1), [0, 0], b"ab", 8, 1, 0, 1, entropies()[0]),
        lambda: seal(outputs(1), [0], b"", 0, 0, 0, 1, entropies()[0]),
        lambda: seal(outputs(1), [0], b"", 33, 0, 0, 1, entropies()[0]),
        lambda: seal(outputs(1), [0], b"", 8, 0, 0, 2**32, entropies()[0]),
        lambda: _core.open(outputs(1), [bytes(9)], 8, 0, 0),
        lambda: _core.open(outputs(1), [bytes(16)], 8, 0, 0),
        lambda: _core.open(outputs(1), [bytes(8), bytes(8)], 8, 0, 0),
        lambda: _core.open(outputs(1), [], 0, 0, 0),
        lambda: _core.contains([bytes(9)], 8, bytes(8), 8),
        lambda: _core.contains([bytes(8)], 8, bytes(9), 8),
        lambda: _core.contains([bytes(8)], 8, b"", 9),
        lambda: _core.contains([], 0, b"", 0),
        lambda: _core.are_distinct(bytes(33)),
        lambda: _core.Grouping("d", 2).add([pa.array(["x"], pa.large_string())]),
        lambda: _core.Grouping("d", 2).add(
            [pa.array(["x"] * n, pa.large_string()) for n in (1, 2)]
        ),
        lambda: _core.Shuffle.draw(2, entropies()[0]).apply(bytes(3), 1),
        lambda: _core.Shuffle.draw(2, entropies()[0]).undo(bytes(2), 2),
        lambda: _core.Shuffle.draw(0, entropies()[0]).apply(b"", 0),
        lambda: _core.Shuffle.draw(2**32, entropies()[0]),
        lambda: _core.Entropy.from_seed_for_tests(bytes(31)),
        lambda: _core.pack_labels([pa.array(["abc"], pa.large_string())], 4),
        lambda: _core.pack_labels([pa.array(["x"] * n, pa.large_string()) for n in (1, 2)], 9),
        lambda: _core.label_width([pa.array(["x" * 65535], pa.large_string())]),
        lambda: _core.unpack_labels(bytes(5), 2, 1),
        lambda: _core.unpack_labels(b"", 0, 0),
    ],
)
def test_wrong_shapes_are_value_errors(call):
    with pytest.raises(ValueError):  # noqa: PT011 - each kernel names its own argument
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: seal(outputs(1), [0, 0], b"", 8, 2**63, 0, 2, entropies()[0]),
        lambda: _core.open(outputs(1), [bytes(8)], 8, 2**64 - 24, 0),
        lambda: _core.Shuffle.draw(4, entropies()[0]).apply(b"", 2**62),
        lambda: _core.Shuffle.draw(4, entropies()[0]).undo(b"", 2**62),
    ],
    ids=["seal", "open", "apply", "undo"],
)
def test_widths_that_overflow_a_product_are_value_errors(call):
    """rows x width must not wrap to a length that seems to fit. No peer can cause this."""
    with pytest.raises(ValueError):  # noqa: PT011 - each kernel names its own argument
        call()


@pytest.mark.parametrize(
    "secret",
    [
        entropies()[0],
        keys()[0],
        outputs(3),
        _core.Shuffle.draw(3, entropies()[0]),
    ],
    ids=lambda secret: type(secret).__name__,
)
def test_a_secret_shows_nothing_of_itself_and_cannot_be_carried_off(secret):
    names = {
        "Entropy": {"bytes", "from_os", "from_seed_for_tests"},
        "Key": {"draw"},
        "Outputs": {"are_distinct", "extend_evaluated", "extend_own", "select", "tags"},
        "Shuffle": {"apply", "draw", "undo"},
    }
    check_it_shows_nothing(secret, names[type(secret).__name__])


class Exports:
    """Says two capsules of Arrow each time it is asked, whatever they are."""

    def __init__(self, schema: Any, array: Any) -> None:
        self._capsules = schema, array

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._capsules


def test_an_array_that_was_taken_or_is_of_another_type_is_refused():
    texts, numbers = pa.array(["a"], pa.large_string()), pa.array([1, 2], pa.int64())
    once = Exports(*texts.__arrow_c_array__())
    assert _core.label_width([once]) == 3
    with pytest.raises(ValueError, match="taken"):
        _core.label_width([once])
    for schema, array in ((texts, pa.nulls(3)), (numbers, pa.nulls(3)), (texts, numbers)):
        mixed = Exports(schema.__arrow_c_array__()[0], array.__arrow_c_array__()[1])
        with pytest.raises((ValueError, TypeError)):
            _core.label_width([mixed])
    for other in (object(), Exports(1, 2), Exports(*reversed(texts.__arrow_c_array__()))):
        with pytest.raises((ValueError, TypeError)):
            _core.label_width([other])
