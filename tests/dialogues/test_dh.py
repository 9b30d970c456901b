"""The Diffie-Hellman match in memory: the plain intersection, for every output and kind of set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psi import Elements, Labels, Output, Parameters, Side, converse
from psi._core import Entropy
from psi.errors import ApiMisuse, BoundExceeded, PeerError, PeerIncompatible, UnexpectedMessage
from psi.protocols.dh import Receiver, Sender
from psi.subprotocols.bins import BIN
from psi.subprotocols.decoys import DECOYS, size_class
from psi.wire.v1.messages_pb2 import Message

PARAMETERS = {
    output: Parameters(protocol="dh", output=output, domain="test", max_elements=100_000)
    for output in Output
}


def entropy(byte: int) -> Entropy:
    return Entropy.from_seed_for_tests(bytes([byte]) * 32)


def elements(names: list[str]) -> Elements:
    return Elements.hash(names, "test")


def run(ours: list[str], theirs: list[str], output: Output, labels=(None, None), **options):
    receiver = Receiver(elements(ours), PARAMETERS[output], labels[0], **options)
    sender = Sender(elements(theirs), PARAMETERS[output], labels[1], **options)
    return converse(Side(receiver.converse()), Side(sender.converse()))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(max_size=3), unique=True, max_size=20),
    st.lists(st.text(max_size=3), unique=True, max_size=20),
    st.sampled_from(Output),
)
def test_both_roles_give_the_plain_intersection(ours, theirs, output):
    common = set(ours) & set(theirs)
    learnt, theirs_learnt = run(ours, theirs, output)
    assert learnt.cardinality == len(common)
    if output is Output.CARDINALITY:
        assert learnt.matches is None
        assert theirs_learnt is None
        return
    assert {ours[i] for i in learnt.matches.positions} == common
    assert (learnt.matches.records == 1).all()
    if output is Output.BOTH:
        assert {theirs[i] for i in theirs_learnt.matches.positions} == common
    else:
        assert theirs_learnt is None


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize(
    ("n", "m"), [(0, 0), (0, 5), (5, 0), (1, 1), (31, 3), (32, 3), (33, 3), (3, 500), (500, 3)]
)
@pytest.mark.parametrize("exact", [True, False])
def test_sets_of_all_shapes_meet(n, m, output, exact, small_bins):
    """A bin holds 32 points, so with 64 decoys the exact sizes end before, at and after one."""
    ours, theirs = [f"x{i}" for i in range(n)], [f"x{2 * i}" for i in range(m)]
    learnt, _ = run(ours, theirs, output, exact=exact)
    assert learnt.cardinality == len(set(ours) & set(theirs))


def test_a_sender_with_one_element_more_than_a_bin_of_full_size_meets_too():
    ours, theirs = ["x0", "y"], [f"x{i}" for i in range(BIN - DECOYS + 1)]
    learnt, _ = run(ours, theirs, Output.RECEIVER, exact=True)
    assert learnt.cardinality == 1


@pytest.mark.parametrize("output", [Output.RECEIVER, Output.BOTH])
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


@pytest.mark.parametrize("kind", [np.int64, np.dtype(">u4"), np.uint16])
def test_positions_of_labels_may_be_of_any_whole_numbers(kind):
    block = np.arange(12, dtype=np.uint8).reshape(4, 3)[:, ::-1]  # and a block need not be in a row
    labels = Labels(np.array([1, 0, 1, 2], kind), block)
    learnt, _ = converse(
        Side(Receiver(elements(["b", "c", "x"]), PARAMETERS[Output.RECEIVER]).converse()),
        Side(Sender(elements(["a", "b", "c"]), PARAMETERS[Output.RECEIVER], labels).converse()),
    )
    assert learnt.matches is not None
    assert learnt.matches.records.tolist() == [2, 1]
    assert learnt.matches.labels.tolist() == [[2, 1, 0], [8, 7, 6], [11, 10, 9]]


def test_the_peer_sees_a_size_class_unless_the_size_is_exact():
    for n in (0, 64, 65, 200):
        names = [str(i) for i in range(n)]
        _, sender = run(names, ["1"], Output.BOTH)
        assert sender.peer_entries == size_class(n)
        _, sender = run(names, ["1"], Output.BOTH, exact=True)
        assert sender.peer_entries == n + DECOYS


def test_classes_grow_by_five_percent():
    for size in (0, 64, 65, 1000, 10**6):
        assert size + DECOYS <= size_class(size) <= max(128, (size + DECOYS) * 1.05 + 1)


def test_a_session_depends_on_fresh_nonces_alone():
    first = Side(Receiver(elements(["a"]), PARAMETERS[Output.BOTH]).converse()).start()
    again = Side(Receiver(elements(["a"]), PARAMETERS[Output.BOTH]).converse()).start()
    assert first != again


@pytest.mark.parametrize(
    "other",
    [
        Parameters("dh", Output.BOTH, "test", max_elements=100_000),
        Parameters("dh", Output.RECEIVER, "other", max_elements=100_000),
        Parameters("dh", Output.RECEIVER, "test", context=b"rules 2", max_elements=100_000),
        Parameters("dh", Output.RECEIVER, "test", max_elements=99_999),
    ],
)
def test_unequal_parameters_end_before_any_set_is_spoken_of(other):
    receiver = Side(Receiver(elements(["a"]), PARAMETERS[Output.RECEIVER]).converse())
    sender = Side(Sender(elements(["a"]), other).converse())
    hello = receiver.start()
    assert len(hello) == 1
    sender.start()
    with pytest.raises(PeerIncompatible):
        sender.hear(hello[0])


def test_two_sides_of_one_role_do_not_match():
    one, two = (Side(Sender(elements(["a"]), PARAMETERS[Output.BOTH]).converse()) for _ in "ab")
    (hello,) = two.start()
    one.start()
    with pytest.raises(PeerIncompatible):
        one.hear(hello)


def test_a_reflected_hello_is_refused():
    side = Side(Sender(elements(["a"]), PARAMETERS[Output.BOTH]).converse())
    (hello,) = side.start()
    with pytest.raises(PeerError):
        side.hear(hello)
    with pytest.raises(UnexpectedMessage):
        side.hear(hello)


def test_a_set_above_the_bound_is_refused_by_both_ends():
    small = Parameters("dh", Output.RECEIVER, "test", max_elements=3)
    with pytest.raises(ApiMisuse):
        Receiver(elements(list("abcd")), small)
    with pytest.raises(ApiMisuse):
        Sender(elements(list("abcd")), small)
    large = Side(
        Receiver(elements([str(i) for i in range(300)]), PARAMETERS[Output.BOTH]).converse()
    )
    (hello,) = large.start()
    message = Message.FromString(hello)
    message.hello.parameters = small.digest()
    side = Side(Sender(elements(["a"]), small).converse())
    side.start()
    with pytest.raises(BoundExceeded):
        side.hear(message.SerializeToString())


def test_elements_refuse_duplicates_and_broken_blocks():
    with pytest.raises(ApiMisuse):
        elements(["a", "b", "a"])
    with pytest.raises(ApiMisuse):
        Elements(b"x" * 33)


def test_labels_must_fit_the_set():
    one = np.zeros((1, 2), np.uint8)
    for positions, block in (([1], one), ([0, 0], one), ([], one[:0])):
        labels = Labels(np.array(positions, np.uint32), block)
        with pytest.raises(ApiMisuse):
            Sender(elements(["a"]), PARAMETERS[Output.BOTH], labels)
    for far in (np.array([2**32 - 1], np.uint32), np.array([-1], np.int64)):
        with pytest.raises(ApiMisuse):
            Sender(elements(["a"]), PARAMETERS[Output.BOTH], Labels(far, one))
    wide = Labels(np.array([0], np.uint32), np.zeros((1, 1025), np.uint8))
    with pytest.raises(ApiMisuse):
        Sender(elements(["a"]), PARAMETERS[Output.BOTH], wide)
