"""The match from vector OLE in memory: the plain intersection, for every output and kind of set."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import pytest
from drawn import check, check_one_of_many, sets
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import okvs as reference_okvs
from reference import tags as reference_tags
from wiretap import RECEIVER, SENDER, carry, kind, parameters

from psi import Elements, Labels, Output, Side, converse
from psi.errors import ApiMisuse, BoundExceeded, PeerIncompatible
from psi.protocols import PROTOCOLS, dh
from psi.protocols.vole import OUTPUTS, Receiver, Sender
from psi.subprotocols import bins, okvs, tags
from psi.subprotocols.decoys import DECOYS, size_class
from psi.subprotocols.vole import Profile
from psi.wire.v1.messages_pb2 import Message

CHUNK = Profile.FRESH.chunk
LEARN = [Output.RECEIVER, Output.BOTH]


def elements(names: list[str]) -> Elements:
    return Elements.hash(names, "test")


def run(ours: list[str], theirs: list[str], output: Output, labels=(None, None), **options):
    agreed = parameters(output, "vole", max_elements=100_000)
    receiver = Receiver(elements(ours), agreed, labels[0], **options)
    sender = Sender(elements(theirs), agreed, labels[1], **options)
    return converse(Side(receiver.converse()), Side(sender.converse()))


@settings(max_examples=25, deadline=None, print_blob=True)
@given(
    st.lists(st.text(max_size=3), unique=True, max_size=20),
    st.lists(st.text(max_size=3), unique=True, max_size=20),
    st.sampled_from(LEARN),
    st.booleans(),
    st.booleans(),
)
def test_both_roles_give_the_plain_intersection(ours, theirs, output, told, exact):
    common = set(ours) & set(theirs)
    labels = (None, Labels.none(len(theirs)) if told else None)
    learnt, theirs_learnt = run(ours, theirs, output, labels, exact=exact)
    assert learnt.cardinality == len(common)
    assert {ours[i] for i in learnt.matches.positions} == common
    assert (learnt.matches.records == 1).all()
    if output is Output.BOTH:
        assert {theirs[i] for i in theirs_learnt.matches.positions} == common
        assert (theirs_learnt.matches.records == 1).all()
    else:
        assert theirs_learnt is None


EQUAL, DISJOINT, PART = (lambda n, m: min(n, m)), (lambda n, m: 0), (lambda n, m: min(n, m) // 2)


@pytest.mark.parametrize("output", LEARN)
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("n", "m", "common"),
    [
        (0, 0, DISJOINT),
        (0, 5, DISJOINT),
        (5, 0, DISJOINT),
        (1, 1, DISJOINT),
        (1, 1, EQUAL),
        (500, 500, EQUAL),
        (500, 500, DISJOINT),
        (3, 500, PART),
        (500, 3, EQUAL),
    ],
)
def test_sets_of_all_shapes_meet(n, m, common, output, exact, told):
    check(7, n, m, common(n, m), output, told, exact=exact)


@pytest.mark.parametrize(("n", "m"), [(1, 1 << 20), (1 << 20, 1)])
def test_one_element_against_a_million(n, m):
    check(8, n, m, 1)


def cells(total: int) -> int:
    shape = okvs.shape(total)
    return shape.bins * shape.cells


def largest(chunks: int) -> int:
    """The most elements, decoys included, whose cells come from so many chunks."""
    return bisect_left(range(1 << 17), chunks + 1, key=lambda n: -(-cells(n) // CHUNK)) - 1


def messages(total: int) -> int:
    """In how many messages the cells are said."""
    shape = okvs.shape(total)
    return -(-shape.bins // (bins.MESSAGE // (shape.cells * 8)))


TWO = bisect_left(range(6 << 14), 2, lo=(5 << 14) + 1, key=messages)
"""The fewest elements of six bins that do not go into one message."""


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize(
    "total",
    [1024, *(k << 14 for k in (1, 2, 3, 5)), *map(largest, (1, 2)), TWO - 1],
)
def test_receivers_around_a_bin_a_message_and_a_chunk_meet(total, more):
    """Sizes are exact, and count the decoys."""
    check(9, total + more - DECOYS, 3000, 800, exact=True)


def test_those_sizes_are_at_the_edges():
    shapes = [okvs.shape(k << 14 | more) for k in (1, 2, 3, 5) for more in (0, 1)]
    assert [shape.bins for shape in shapes] == [1, 2, 2, 3, 3, 4, 5, 6]
    assert [messages(TWO - 1), messages(TWO)] == [1, 2]
    for chunks in (1, 2):
        assert [-(-cells(largest(chunks) + more) // CHUNK) for more in (0, 1)] == [
            chunks,
            chunks + 1,
        ]


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("total", [127, 255, 1 << 14, tags.PIECE])
def test_senders_around_a_step_of_the_tags_form_meet(total, more):
    check(10, 1000, total + more - DECOYS, 60, exact=True)


@pytest.mark.parametrize("output", LEARN)
def test_sets_of_several_bins_chunks_and_messages_meet(output):
    check(11, 90_000, 150_000, 60_000, output)


@pytest.mark.parametrize("width", [64, 72, 80, 88, 128])
@pytest.mark.parametrize("output", LEARN)
@pytest.mark.parametrize("exact", [True, False])
def test_values_of_every_width_serve(width, output, exact, monkeypatch):
    """72 bits is for more than 2^23 elements of the sender, more for nobody."""
    monkeypatch.setattr(okvs, "value_width", lambda elements: width)
    check(12, 3000, 2000, 1000, output, exact=exact)
    check(13, 20, 30, 10, output, told=True, exact=exact)


@pytest.mark.parametrize("width", [72, 80, 128])
def test_wide_values_serve_in_several_bins_and_chunks(width, monkeypatch):
    monkeypatch.setattr(okvs, "value_width", lambda elements: width)
    check(14, 40_000, 1000, 900)


@pytest.mark.parametrize("seed", range(50))
def test_a_seeded_run_equals_the_plain_intersection(seed):
    """The first of the thousand of tests/study."""
    check_one_of_many(seed)


@pytest.mark.parametrize("output", LEARN)
def test_every_record_of_a_match_comes_with_its_label(output):
    ours, theirs = ["a", "b", "c"], ["c", "d", "a"]
    sent = Labels(np.array([0, 2, 0, 1, 0], np.uint32), np.arange(15, dtype=np.uint8).reshape(5, 3))
    back = Labels(np.array([2, 1, 0, 0], np.uint32), np.arange(8, dtype=np.uint8).reshape(4, 2))
    learnt, theirs_learnt = run(ours, theirs, output, (back, sent))
    assert learnt.matches.positions.tolist() == [0, 2]
    assert learnt.matches.records.tolist() == [1, 3]
    assert learnt.matches.labels.tolist() == sent.block[[1, 0, 2, 4]].tolist()
    if output is Output.BOTH:
        assert theirs_learnt.matches.positions.tolist() == [0, 2]
        assert theirs_learnt.matches.records.tolist() == [1, 2]
        assert theirs_learnt.matches.labels.tolist() == back.block[[0, 2, 3]].tolist()


def test_a_sender_without_labels_tells_elements_and_learns_records():
    """Whether it learns of the receiver's records does not depend on whether it tells its own."""
    back = Labels(np.array([2, 1, 0, 0], np.uint32), np.arange(8, dtype=np.uint8).reshape(4, 2))
    learnt, theirs_learnt = run(["a", "b", "c"], ["c", "d", "a"], Output.BOTH, (back, None))
    assert learnt.matches.positions.tolist() == [0, 2]
    assert learnt.matches.records.tolist() == [1, 1]
    assert learnt.matches.labels.shape == (2, 0)
    assert theirs_learnt.matches.records.tolist() == [1, 2]
    assert theirs_learnt.matches.labels.tolist() == back.block[[0, 2, 3]].tolist()


def test_the_number_of_records_is_told_without_labels_of_them():
    sent = Labels(np.array([0, 2, 0, 1, 0], np.uint32), np.empty((5, 0), np.uint8))
    learnt, _ = run(["a", "b", "c"], ["c", "d", "a"], Output.RECEIVER, (None, sent))
    assert learnt.matches.records.tolist() == [1, 3]
    assert learnt.matches.labels.shape == (4, 0)


def test_the_peer_sees_a_size_class_unless_the_size_is_exact():
    for n in (0, 64, 65, 200):
        for options in ({}, {"exact": True}, {"told": True}):
            receiver, sender = check(15, n, n, n, Output.BOTH, **options)
            shown = n + DECOYS if "exact" in options else size_class(n)
            assert receiver.peer_entries == sender.peer_entries == shown


@pytest.mark.parametrize("role", [Receiver, Sender])
def test_a_number_alone_is_not_to_be_had(role):
    with pytest.raises(ApiMisuse, match="dh"):
        role(elements(["a"]), parameters(Output.CARDINALITY, "vole"))
    assert set(LEARN) == OUTPUTS == PROTOCOLS["vole"].outputs


@pytest.mark.parametrize("role", [Receiver, Sender])
def test_sets_and_labels_that_do_not_fit_are_refused(role):
    agreed = parameters(Output.BOTH, "vole", max_elements=3)
    role(elements(list("abc")), agreed)
    with pytest.raises(ApiMisuse):
        role(elements(list("abcd")), agreed)
    for positions, block in (
        ([1], np.zeros((1, 2), np.uint8)),
        ([0, 0, 0, 0], np.zeros((4, 2), np.uint8)),
        ([], np.zeros((0, 2), np.uint8)),
        ([0], np.zeros((1, 1025), np.uint8)),
    ):
        with pytest.raises(ApiMisuse):
            role(elements(["a"]), agreed, Labels(np.array(positions, np.uint32), block))


@pytest.mark.parametrize("exact", [True, False])
def test_a_set_that_cannot_be_encoded_is_no_fault_of_the_peer(exact, monkeypatch):
    """One session in 2^42; here with a bin that has room for 99 of 100 elements or more."""
    monkeypatch.setattr(okvs, "shape", lambda elements: okvs.Shape(1, 99, 493))
    with pytest.raises(ApiMisuse, match="bin 0 of the set cannot be encoded"):
        run([str(i) for i in range(100 - DECOYS)], ["1"], Output.RECEIVER, exact=exact)


def test_a_peer_that_brings_more_than_agreed_is_refused():
    agreed = parameters(Output.BOTH, "vole", max_elements=3)
    for role, other in ((Receiver, Sender), (Sender, Receiver)):
        large = parameters(Output.BOTH, "vole")
        (hello,) = Side(other(elements([str(i) for i in range(300)]), large).converse()).start()
        message = Message.FromString(hello)
        message.hello.parameters = agreed.digest()
        side = Side(role(elements(["a"]), agreed).converse())
        side.start()
        with pytest.raises(BoundExceeded):
            side.hear(message.SerializeToString())


def test_roles_of_two_protocols_do_not_match():
    for ours, theirs in ((Receiver, dh.Sender), (dh.Receiver, Sender)):
        agreed = [
            parameters(Output.RECEIVER, "dh" if "dh" in role.__module__ else "vole")
            for role in (ours, theirs)
        ]
        receiver = Side(ours(elements(["a"]), agreed[0]).converse())
        sender = Side(theirs(elements(["a"]), agreed[1]).converse())
        heard = carry(receiver, sender)
        assert heard.kinds == {PeerIncompatible}
        assert not heard.results


def shape_of(seed: int, n: int, m: int, common: int) -> list[tuple[object, str, int]]:
    """Who said what kind of message, of which length."""
    agreed = parameters(Output.RECEIVER, "vole", max_elements=1 << 20)
    ours, theirs = (Elements(rows.tobytes()) for rows in sets(seed, n, m, common))
    heard = carry(*(Side(r.converse()) for r in (Receiver(ours, agreed), Sender(theirs, agreed))))
    assert heard.results[RECEIVER].cardinality == common
    return [(role, kind(message), len(message)) for role, message in heard.messages]


@pytest.mark.parametrize("n", [10, 4096, 100_000])
def test_the_shape_of_a_run_depends_on_sizes_only(n):
    """Entropy is fresh; 100,000 elements are seven bins in two messages, and three chunks."""
    runs = [shape_of(16, n, n, 0), shape_of(17, n, n, n), shape_of(18, n, n, n // 3)]
    assert runs[0] == runs[1] == runs[2]
    kinds = [name for role, name, _ in runs[0]]
    if n == 100_000:
        assert kinds.count("vole_request") == kinds.count("vole_correction") == 3
        assert kinds.count("masked_bin") == 2
    assert shape_of(19, 2 * n + 2000, n, 0) != runs[0]


@pytest.mark.parametrize(("n", "m"), [(100, 100), (5000, 100_000), (100_000, 5000)])
def test_the_traffic_that_is_told_is_what_is_said(n, m):
    said = dict.fromkeys((RECEIVER, SENDER), 0)
    for role, _, length in shape_of(20, n, m, 50):
        said[role] += length
    told = PROTOCOLS["vole"].traffic(size_class(n), size_class(m))
    # But for Hello, digest, and the bytes around each message.
    assert 0 < said[RECEIVER] - told.receiver < 1000
    assert 0 < said[SENDER] - told.sender < 1000


SIZES = [64, 128, 1023, 1024, 1025, 16_384, 16_385, 40_000, 300_000, 1 << 20, (1 << 20) + 1]


@pytest.mark.parametrize("n", SIZES)
def test_shapes_are_those_of_the_reference(n):
    ours, theirs = okvs.shape(n), reference_okvs.shape(n)
    assert (ours.bins, ours.capacity, ours.third) == (theirs.bins, theirs.capacity, theirs.third)
    assert ours.cells == theirs.cells
    for m in SIZES:
        form = reference_tags.form(n, m)
        assert tags.form(n, m) == (m, form.bits, form.low)
        assert tags.form(n, m).unary == -(-form.unary // 8)


@pytest.mark.parametrize("n", [64, 1 << 20, 1 << 23, (1 << 23) + 1, 1 << 24, 1 << 30])
def test_values_are_as_wide_as_the_sender_needs(n):
    """All of them together are mistaken for another element's with at most 2^-41."""
    width = okvs.value_width(n)
    assert width == reference_okvs.value_width(n)
    assert n * 2.0**-width <= 2.0**-41
