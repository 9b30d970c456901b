"""No bytes from the peer raise anything but a `PeerError`, at any stage of a run.

Hypothesis draws the noise and prints how to repeat a failure. Every run is that of `wiretap`, with
fixed entropy and small bins.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import cache

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    Heard,
    Match,
    kind,
    learnt,
)

from psi import ApiMisuse, Output, PeerError, Side
from psi.errors import (
    BoundExceeded,
    MalformedMessage,
    PeerIncompatible,
    PeerMisbehaved,
    UnexpectedMessage,
)
from psi.subprotocols.decoys import SEED, size_class
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


every_match = pytest.mark.parametrize("match", [*DH, PLAIN, SEALED, CHECKED], ids=str)


@cache
def honest(match: Match) -> Heard:
    return match.listen()


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


def due(name: str, field: str) -> st.SearchStrategy[bytes]:
    """As many bytes as in an honest run of VOLE-PSI, or one more, or any number."""

    def strategy() -> st.SearchStrategy[bytes]:
        runs = honest(PLAIN).messages + honest(CHECKED).messages
        said = (wire.Message.FromString(message) for _, message in runs)
        bodies = (getattr(message, name) for message in said if message.HasField(name))
        lengths = sorted({len(getattr(body, field)) for body in bodies})
        chosen = st.sampled_from([*lengths, lengths[-1] + 1])
        return st.builds(lambda n, byte: bytes([byte]) * n, chosen, st.integers(0, 255))

    return st.one_of(st.deferred(strategy), data)


@st.composite
def hellos(draw) -> wire.Hello:
    match = draw(st.sampled_from([*DH, *VOLE, CHECKED]))
    return wire.Hello(
        parameters=draw(st.one_of(st.just(match.parameters.digest()), exactly)),
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
    st.builds(lambda s: wire.Message(decoy_seed=wire.DecoySeed(seed=s)), exactly),
    st.builds(
        lambda s, r: wire.Message(decoy_tags=wire.DecoyTags(shared=s, receivers=r)),
        *[st.one_of(data, st.just(bytes(7 * 32)))] * 2,
    ),
    st.builds(lambda d: wire.Message(transcript_digest=wire.TranscriptDigest(digest=d)), exactly),
    st.builds(
        lambda p, s, r: wire.Message(base_ot_offer=wire.BaseOtOffer(point=p, session=s, salt=r)),
        exactly,
        exactly,
        exactly,
    ),
    st.builds(
        lambda p: wire.Message(base_ot_choice=wire.BaseOtChoice(points=p)),
        due("base_ot_choice", "points"),
    ),
    st.builds(
        lambda c: wire.Message(cot_trees=wire.CotTrees(corrections=c)),
        due("cot_trees", "corrections"),
    ),
    st.builds(
        lambda n, c: wire.Message(vole_request=wire.VoleRequest(chunk=n, corrections=c)),
        number,
        due("vole_request", "corrections"),
    ),
    st.builds(
        lambda n, c: wire.Message(vole_correction=wire.VoleCorrection(chunk=n, corrections=c)),
        number,
        due("vole_correction", "corrections"),
    ),
    st.builds(
        lambda b, c, s: wire.Message(masked_bin=wire.MaskedBin(bin=b, cells=c, salt=s)),
        number,
        due("masked_bin", "cells"),
        due("masked_bin", "salt"),
    ),
    st.builds(lambda s: wire.Message(vole_check=wire.VoleCheck(sum=s)), due("vole_check", "sum")),
    st.builds(
        lambda d: wire.Message(vole_proof=wire.VoleProof(digest=d)), due("vole_proof", "digest")
    ),
    st.builds(
        lambda p, u: wire.Message(tag_counts=wire.TagCounts(piece=p, unary=u)),
        number,
        due("tag_counts", "unary"),
    ),
    st.builds(
        lambda b, t: wire.Message(tag_bin=wire.TagBin(bin=b, tags=t)),
        number,
        due("tag_bin", "tags"),
    ),
    st.just(wire.Message()),
)
structured = bodies.map(lambda message: message.SerializeToString())
anything = st.one_of(st.binary(max_size=600), structured)


@fuzz(150)
@given(
    st.sampled_from([RECEIVER, SENDER]),
    st.sampled_from([*DH, *VOLE, CHECKED]),
    st.lists(anything, min_size=1, max_size=4),
)
def test_no_bytes_from_the_peer_raise_anything_but_a_peer_error(role, match, noise):
    hear_all(match.side(role), noise)


def heard_instead(match: Match, k: int, noise: bytes) -> Heard:
    """Noise instead of message k: nobody learns anything wrong, and nothing from a broken run."""
    heard = match.listen(lambda n, role, said: [(OTHER[role], noise if n == k else said)])
    for role, names in ((RECEIVER, OURS), (SENDER, THEIRS)):
        if role in heard.results:
            assert k == len(honest(match).messages) - 1
            assert learnt(heard.results[role], names) == match.right(role)
    return heard


def is_seed(message: bytes) -> bool:
    """Whether a message is a well-formed seed of decoys."""
    try:
        return len(wire.Message.FromString(message).decoy_seed.seed) == SEED
    except DecodeError:
        return False


def noise_instead_of_any_message(match: Match, which: int, noise: bytes) -> None:
    messages = honest(match).messages
    k = which % len(messages)
    if noise == messages[k][1]:
        return
    heard = heard_instead(match, k, noise)
    if match.protocol != "dh":
        # What has the right length is computed with; then the decoys of either side are wrong.
        assert len(heard.errors) == 1
    elif kind(messages[k][1]) != "hello":
        author = messages[k][0]
        # Another seed of decoys is answered; by the tags that come back its author finds it.
        finds = author if is_seed(messages[k][1]) and is_seed(noise) else OTHER[author]
        assert set(heard.errors) == {finds}


def other_values_in_its_fields(match: Match, which: int, draw: st.DataObject) -> None:
    """Well-formed to the last: the right kind, the right lengths, other values."""
    messages = honest(match).messages
    k = which % len(messages)
    message = wire.Message.FromString(messages[k][1])
    body = getattr(message, message.WhichOneof("body"))
    field, value = draw.draw(st.sampled_from(body.ListFields()))
    if isinstance(value, bytes):
        changed = draw.draw(other_bytes(value))
    else:
        changed = draw.draw(st.integers(0, 2**31 - 1))
    if value == changed:
        return
    setattr(body, field.name, changed)
    heard = heard_instead(match, k, message.SerializeToString())
    assert len(heard.errors) == 1 or field.name in ("elements", "entries")


def other_bytes(value: bytes) -> st.SearchStrategy[bytes]:
    """As many, any; of long ones, a run in some place, as hypothesis draws no long ones."""
    short = min(len(value), 256)
    drawn, at = st.binary(min_size=short, max_size=short), st.integers(0, len(value) - short)
    return st.builds(lambda new, i: value[:i] + new + value[i + short :], drawn, at)


@fuzz(250)
@given(st.sampled_from(DH), st.integers(0, 99), anything)
def test_noise_instead_of_any_message_ends_in_one_peer_error_or_a_wait(match, which, noise):
    noise_instead_of_any_message(match, which, noise)


@fuzz(80)
@given(st.sampled_from([PLAIN, SEALED, CHECKED]), st.integers(0, 99), anything)
def test_noise_instead_of_a_message_of_vole_ends_in_one_peer_error(match, which, noise):
    noise_instead_of_any_message(match, which, noise)


@fuzz(150)
@given(st.sampled_from(DH), st.integers(0, 99), st.data())
def test_a_message_with_other_values_in_its_fields_ends_in_no_result(match, which, draw):
    other_values_in_its_fields(match, which, draw)


@fuzz(80)
@given(st.sampled_from([PLAIN, SEALED]), st.integers(0, 99), st.data())
def test_a_message_of_vole_with_other_values_ends_in_no_result(match, which, draw):
    other_values_in_its_fields(match, which, draw)


KINDS = [field.name for field in wire.Message.DESCRIPTOR.oneofs_by_name["body"].fields]


@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_kind_that_is_not_due_is_unexpected_at_every_step_of_vole(role):
    """A third of them at each step: after three steps all had their turn."""
    said = honest(PLAIN).said(OTHER[role])
    for step, message in enumerate(said):
        for name in {*KINDS[step % 3 :: 3]} - {kind(message)}:
            other = wire.Message()
            getattr(other, name).SetInParent()
            error = hear_all(PLAIN.side(role), [*said[:step], other.SerializeToString()])
            assert type(error) is UnexpectedMessage, (step, name)


def hello(match: Match, author, **changes) -> bytes:
    """The honest Hello of one side, changed."""
    message = wire.Message.FromString(honest(match).said(author)[0])
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


@every_match
@pytest.mark.parametrize("size", [BOUND + 1, 2**32, 2**62, 2**64 - 1])
@pytest.mark.parametrize("name", ["elements", "entries"])
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_huge_declared_size_is_refused_before_memory_is_taken(match, size, name, role):
    listener = match.side(OTHER[role])
    listener.start()
    data = hello(match, role, **{name: size})

    def refuse():
        with pytest.raises(BoundExceeded):
            listener.hear(data)

    assert peak(refuse) < 100_000


@every_match
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_wide_label_is_refused(match, role):
    for width in (1025, 2**32 - 1):
        error = hear_all(match.side(OTHER[role]), [hello(match, role, label_width=width)])
        assert type(error) is BoundExceeded


@every_match
def test_the_largest_sizes_agreed_take_memory_only_when_they_are_heard(match):
    """A peer may declare what was agreed; a side does its own work and waits."""
    for role in (RECEIVER, SENDER):
        name = "elements" if role is RECEIVER or not match.told else "entries"
        listener = match.side(OTHER[role])
        listener.start()
        # A count has no labels, and a receiver that is not to tell has none either.
        wide = role is SENDER and match.output is not Output.CARDINALITY and match is not CHECKED
        data = hello(match, role, **{name: BOUND}, label_width=1024 if wide else 0)
        assert peak(lambda listener=listener, data=data: listener.hear(data)) < 200_000


IMPOSSIBLE = {
    "dh": [
        (SENDER, {"elements": 70}),
        (SENDER, {"entries": 63}),
        (SENDER, {"entries": 0}),
        (RECEIVER, {"elements": 63}),
        (RECEIVER, {"elements": 0}),
        (RECEIVER, {"entries": 0, "label_width": 1}),
    ],
    # Its sender tells elements or entries, and not both.
    "vole": [
        (SENDER, {"elements": 0, "entries": 0}),
        (SENDER, {"elements": 128, "entries": 128}),
        (SENDER, {"elements": 1, "entries": BOUND}),
        (SENDER, {"elements": 63, "entries": 0}),
        (SENDER, {"elements": 0, "entries": 63}),
        (RECEIVER, {"elements": 63}),
        (RECEIVER, {"elements": 0}),
        (RECEIVER, {"entries": 0, "label_width": 1}),
    ],
    # And here neither tells entries.
    "vole-malicious": [
        (SENDER, {"elements": 0, "entries": 0}),
        (SENDER, {"elements": 0, "entries": 128}),
        (SENDER, {"elements": 128, "entries": 1}),
        (SENDER, {"elements": 63}),
        (SENDER, {"label_width": 1}),
        (RECEIVER, {"elements": 63}),
        (RECEIVER, {"elements": 0}),
        (RECEIVER, {"entries": 128}),
        (RECEIVER, {"label_width": 1}),
    ],
}


@pytest.mark.parametrize("match", [*DH, *VOLE, CHECKED], ids=str)
def test_impossible_sizes_are_misbehaviour(match):
    for role, changes in IMPOSSIBLE[match.protocol.removesuffix("-stationary")]:
        error = hear_all(match.side(OTHER[role]), [hello(match, role, **changes)])
        assert type(error) is PeerMisbehaved, changes


@pytest.mark.parametrize("match", [DH[1], SEALED], ids=str)
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_role_that_is_not_the_other_is_incompatible(match, role):
    for other in (0, OTHER[role].value, 3, 2**31 - 1):
        error = hear_all(match.side(OTHER[role]), [hello(match, role, role=other)])
        assert type(error) is PeerIncompatible


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
        ("base_ot_offer", "point"),
        ("base_ot_choice", "points"),
        ("cot_trees", "corrections"),
        ("vole_request", "corrections"),
        ("vole_correction", "corrections"),
        ("masked_bin", "cells"),
        ("tag_counts", "unary"),
        ("tag_bin", "tags"),
        ("vole_check", "sum"),
        ("vole_proof", "digest"),
    ],
)
@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: v + b"\0", lambda v: b""])
def test_a_field_of_another_length_is_malformed(name, field, change):
    (match,) = [m for m in (DH[2], PLAIN, DH[1], CHECKED) if name in kinds_of(m)][:1]
    check_malformed(match, name, field, change)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("base_ot_offer", "salt"),
        ("cot_trees", "corrections"),
        ("vole_request", "corrections"),
        ("vole_correction", "corrections"),
        ("masked_bin", "cells"),
        ("masked_bin", "salt"),
        ("tag_bin", "tags"),
    ],
)
@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: v + b"\0", lambda v: b""])
def test_a_field_of_another_length_is_malformed_in_the_malicious_profile(name, field, change):
    check_malformed(CHECKED, name, field, change)


def test_a_salt_where_there_is_none_is_malformed():
    check_malformed(PLAIN, "base_ot_offer", "salt", lambda _: bytes(32))
    check_malformed(PLAIN, "masked_bin", "salt", lambda _: bytes(16))


def check_malformed(match: Match, name: str, field: str, change: Callable[[bytes], bytes]) -> None:
    messages = honest(match).messages
    for number, (author, data) in enumerate(messages):
        if kind(data) != name:
            continue
        message = wire.Message.FromString(data)
        body = getattr(message, name)
        setattr(body, field, change(getattr(body, field)))
        errors = heard_instead(match, number, message.SerializeToString()).errors
        assert {r: type(e) for r, e in errors.items()} == {OTHER[author]: MalformedMessage}


def kinds_of(match: Match) -> set[str]:
    return {kind(message) for _, message in honest(match).messages}


@every_match
def test_errors_name_no_byte_of_the_peer(match):
    for number, (author, _) in enumerate(honest(match).messages):
        errors = heard_instead(match, number, b"SECRET-OF-THE-PEER").errors
        assert "SECRET" not in str(errors[OTHER[author]])


@pytest.mark.parametrize(
    ("role", "match"),
    [
        (SENDER, DH[2]),
        (RECEIVER, DH[2]),
        (RECEIVER, DH[0]),
        (RECEIVER, VOLE[0]),
        (RECEIVER, VOLE[2]),
    ],
    ids=str,
)
def test_labels_where_none_are_to_be_told_are_misbehaviour(role, match):
    error = hear_all(match.side(OTHER[role]), [hello(match, role, label_width=16)])
    assert type(error) is PeerMisbehaved
