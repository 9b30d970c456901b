"""No bytes from the peer raise anything but a `PeerError`, at any stage of a run.

Hypothesis draws the noise and prints how to repeat a failure. Every run is that of `wiretap`, with
fixed entropy and bins of 32 points.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wiretap import (
    OTHER,
    OURS,
    RECEIVER,
    SENDER,
    THEIRS,
    Heard,
    kind,
    learnt,
    listen,
    parameters,
    right,
    roles,
)

from psi import ApiMisuse, Output, PeerError, Side
from psi.errors import (
    BoundExceeded,
    MalformedMessage,
    PeerIncompatible,
    PeerMisbehaved,
    UnexpectedMessage,
)
from psi.subprotocols.decoys import size_class
from psi.wire.v1 import messages_pb2 as wire

pytestmark = pytest.mark.usefixtures("small_bins")
BOUND = size_class(1000)
"""The most that `wiretap.parameters` let a side bring."""


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        print_blob=True,
        # The fixture shrinks the bins and is the same for all examples.
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


@cache
def honest(output: Output) -> Heard:
    return listen(output)


def side(role, output: Output) -> Side:
    return Side(roles(output)[role is SENDER].converse())


def hear_all(listener: Side, noise: list[bytes]) -> PeerError | None:
    """Feeds a side until it refuses; nothing but a PeerError may come out, and then it is over."""
    listener.start()
    for data in noise:
        try:
            listener.hear(data)
        except PeerError as error:
            with pytest.raises(UnexpectedMessage):
                listener.hear(data)
            with pytest.raises(ApiMisuse):
                _ = listener.result
            assert not listener.finished
            return error
    assert not listener.finished
    return None


small = st.integers(0, 200)
number = st.one_of(small, st.sampled_from([2**31, 2**32 - 1]))
huge = st.one_of(small, st.sampled_from([BOUND, BOUND + 1, 2**20, 2**31, 2**32, 2**62, 2**64 - 1]))
data = st.one_of(
    st.binary(max_size=100),
    st.sampled_from([7 * 32, 32 * 32, 70 * 32]).map(bytes),
    st.integers(0, 40).map(lambda n: bytes([9, *bytes(31)]) * n),
)
exactly = st.one_of(st.binary(min_size=32, max_size=32), data)


@st.composite
def hellos(draw) -> wire.Hello:
    output = draw(st.sampled_from(Output))
    return wire.Hello(
        parameters=draw(st.one_of(st.just(parameters(output).digest()), exactly)),
        nonce=draw(exactly),
        role=draw(st.sampled_from([0, 1, 2, 3, 2**31 - 1])),
        elements=draw(huge),
        entries=draw(huge),
        label_width=draw(number),
    )


bodies = st.one_of(
    st.builds(lambda b: wire.Message(hello=b), hellos()),
    st.builds(
        lambda b, p, s: wire.Message(blinded_bin=wire.BlindedBin(bin=b, points=p, session=s)),
        number,
        data,
        exactly,
    ),
    st.builds(
        lambda b, p: wire.Message(evaluated_bin=wire.EvaluatedBin(bin=b, points=p)), number, data
    ),
    st.builds(lambda b, e: wire.Message(entry_bin=wire.EntryBin(bin=b, entries=e)), number, data),
    st.builds(lambda e: wire.Message(confirmation=wire.Confirmation(entries=e)), huge),
    st.builds(lambda s: wire.Message(decoy_seed=wire.DecoySeed(seed=s)), exactly),
    st.builds(
        lambda s, r: wire.Message(decoy_tags=wire.DecoyTags(shared=s, receivers=r)),
        *[st.one_of(data, st.just(bytes(7 * 32)))] * 2,
    ),
    st.builds(lambda d: wire.Message(transcript_digest=wire.TranscriptDigest(digest=d)), exactly),
    st.just(wire.Message()),
)
structured = bodies.map(lambda message: message.SerializeToString())
anything = st.one_of(st.binary(max_size=600), structured)


@fuzz(150)
@given(
    st.sampled_from([RECEIVER, SENDER]),
    st.sampled_from(Output),
    st.lists(anything, min_size=1, max_size=4),
)
def test_no_bytes_from_the_peer_raise_anything_but_a_peer_error(role, output, noise):
    hear_all(side(role, output), noise)


@fuzz(250)
@given(st.sampled_from(Output), st.integers(0, 99), anything)
def test_noise_instead_of_any_message_ends_in_one_peer_error_or_a_wait(output, which, noise):
    messages = honest(output).messages
    k = which % len(messages)
    if noise == messages[k][1]:
        return
    heard = listen(output, lambda n, role, said: [(OTHER[role], noise if n == k else said)])
    for role, names in ((RECEIVER, OURS), (SENDER, THEIRS)):
        if role in heard.results:
            assert k == len(messages) - 1
            assert learnt(heard.results[role], names) == right(role, output)
    if kind(messages[k][1]) != "hello":
        assert set(heard.errors) == {OTHER[messages[k][0]]}


@fuzz(150)
@given(st.sampled_from(Output), st.integers(0, 99), st.data())
def test_a_message_with_other_values_in_its_fields_ends_in_no_result(output, which, draw):
    """Well-formed to the last: the right kind, the right lengths, other values."""
    messages = honest(output).messages
    k = which % len(messages)
    message = wire.Message.FromString(messages[k][1])
    body = getattr(message, message.WhichOneof("body"))
    field, value = draw.draw(st.sampled_from(body.ListFields()))
    if isinstance(value, bytes):
        changed = draw.draw(st.binary(min_size=len(value), max_size=len(value)))
    else:
        changed = draw.draw(st.integers(0, 2**31 - 1))
    if value == changed:
        return
    setattr(body, field.name, changed)
    noise = message.SerializeToString()
    heard = listen(output, lambda n, role, said: [(OTHER[role], noise if n == k else said)])
    assert RECEIVER not in heard.results
    assert SENDER not in heard.results or k == len(messages) - 1
    assert len(heard.errors) == 1 or field.name in ("elements", "entries")


def hello(output: Output, author, **changes) -> bytes:
    """The honest Hello of one side, changed."""
    message = wire.Message.FromString(honest(output).said(author)[0])
    for name, value in changes.items():
        setattr(message.hello, name, value)
    return message.SerializeToString()


def peak(call: Callable[[], object]) -> int:
    """The most bytes that Python and numpy hold at once while something runs."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("size", [BOUND + 1, 2**32, 2**62, 2**64 - 1])
@pytest.mark.parametrize("name", ["elements", "entries"])
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_huge_declared_size_is_refused_before_memory_is_taken(output, size, name, role):
    listener = side(OTHER[role], output)
    listener.start()
    data = hello(output, role, **{name: size})

    def refuse():
        with pytest.raises(BoundExceeded):
            listener.hear(data)

    assert peak(refuse) < 100_000


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_wide_label_is_refused(output, role):
    for width in (1025, 2**32 - 1):
        listener = side(OTHER[role], output)
        assert type(hear_all(listener, [hello(output, role, label_width=width)])) is BoundExceeded


@pytest.mark.parametrize("output", Output)
def test_the_largest_sizes_agreed_take_memory_only_when_they_are_heard(output):
    """A peer may declare what was agreed; a side does its own work and waits."""
    for role in (RECEIVER, SENDER):
        name = "elements" if role is RECEIVER else "entries"
        listener = side(OTHER[role], output)
        listener.start()
        # A count has no labels, and a receiver that is not to tell has none either.
        wide = role is SENDER and output is not Output.CARDINALITY
        data = hello(output, role, **{name: BOUND}, label_width=1024 if wide else 0)
        assert peak(lambda listener=listener, data=data: listener.hear(data)) < 200_000


@pytest.mark.parametrize("output", Output)
def test_impossible_sizes_are_misbehaviour(output):
    for role, changes in [
        (SENDER, {"elements": 70}),
        (SENDER, {"entries": 63}),
        (SENDER, {"entries": 0}),
        (RECEIVER, {"elements": 63}),
        (RECEIVER, {"elements": 0}),
    ]:
        error = hear_all(side(OTHER[role], output), [hello(output, role, **changes)])
        assert type(error) is PeerMisbehaved


@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_role_that_is_not_the_other_is_incompatible(role):
    for other in (0, OTHER[role].value, 3, 2**31 - 1):
        listener = side(OTHER[role], Output.BOTH)
        error = hear_all(listener, [hello(Output.BOTH, role, role=other)])
        assert type(error) is PeerIncompatible


def test_a_receiver_that_tells_of_more_records_than_it_brought_exceeds_its_bound():
    data = wire.Message(confirmation=wire.Confirmation(entries=72)).SerializeToString()
    heard = listen(
        Output.BOTH,
        lambda k, role, said: [(OTHER[role], data if kind(said) == "confirmation" else said)],
    )
    assert type(heard.errors[SENDER]) is BoundExceeded


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("hello", "parameters"),
        ("hello", "nonce"),
        ("blinded_bin", "points"),
        ("evaluated_bin", "points"),
        ("entry_bin", "entries"),
        ("decoy_seed", "seed"),
        ("decoy_tags", "shared"),
        ("decoy_tags", "receivers"),
    ],
)
@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: v + b"\0", lambda v: b""])
def test_a_field_of_another_length_is_malformed(name, field, change):
    output = Output.CARDINALITY if name.startswith("decoy") else Output.BOTH
    messages = honest(output).messages
    for number, (author, data) in enumerate(messages):
        if kind(data) != name:
            continue
        message = wire.Message.FromString(data)
        body = getattr(message, name)
        setattr(body, field, change(getattr(body, field)))
        changed = message.SerializeToString()

        def replace(k, role, said, number=number, changed=changed):
            return [(OTHER[role], changed if k == number else said)]

        errors = listen(output, replace).errors
        assert {r: type(e) for r, e in errors.items()} == {OTHER[author]: MalformedMessage}


def test_errors_name_no_byte_of_the_peer():
    noise = b"SECRET-OF-THE-PEER"
    for output in Output:
        for number, (author, _) in enumerate(honest(output).messages):

            def replace(k, role, said, number=number):
                return [(OTHER[role], noise if k == number else said)]

            assert "SECRET" not in str(listen(output, replace).errors[OTHER[author]])


@pytest.mark.parametrize(
    ("role", "output"),
    [
        (SENDER, Output.CARDINALITY),
        (RECEIVER, Output.CARDINALITY),
        (RECEIVER, Output.RECEIVER),
    ],
)
def test_labels_where_none_are_to_be_told_are_misbehaviour(role, output):
    listener = side(OTHER[role], output)
    assert type(hear_all(listener, [hello(output, role, label_width=16)])) is PeerMisbehaved
