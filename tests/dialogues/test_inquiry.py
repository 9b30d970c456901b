"""Inquiries: right answers, every cheat refused by name, and an answerer that only counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cheating import NAMED, flipped, positions
from wiretap import OTHER, RECEIVER, SENDER, Heard, Tamper, carry, entropy, kind, parameters

from psi import ApiMisuse, Elements, Output, Side, _core, tables
from psi.errors import (
    BoundExceeded,
    MalformedMessage,
    PeerError,
    PeerIncompatible,
    PeerMisbehaved,
    ProofFailed,
    TranscriptMismatch,
    UnexpectedMessage,
)
from psi.protocols import inquiry
from psi.protocols.inquiry import Answerer, Asker, Function
from psi.wire.v1 import messages_pb2 as wire

ASKED, HELD = list("abcdefg"), list("xfyabz")
AGREED = parameters(Output.RECEIVER, "inquiry")
INFOS = pytest.mark.parametrize("info", [None, b"2026-11"], ids=["voprf", "poprf"])


@pytest.fixture(autouse=True)
def small_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three bins for the seven elements of `ASKED`."""
    monkeypatch.setattr(inquiry, "BIN", 3)


@cache
def key(seed: int = 1) -> _core.VoprfKey:
    return _core.VoprfKey.draw(entropy(seed))


def charge(counted: list[int] | None = None) -> Callable[[int], None]:
    return (counted if counted is not None else []).append


def asker(names: list[str] = ASKED, info: bytes | None = None, **options: Any) -> Asker:
    public = options.pop("public", key().public())
    options = {"entropy": entropy(2)} | options
    return Asker(Elements.hash(names, "test"), Function(public, info), AGREED, **options)


def answerer(info: bytes | None = None, held: int = 1, **options: Any) -> Answerer:
    counted = options.pop("charge", charge())
    return Answerer(key(held), info, AGREED, counted, entropy=entropy(3), **options)


def listen(tamper: Tamper | None = None, info: bytes | None = None, **options: Any) -> Heard:
    held = options.pop("held", 1)
    counted = options.pop("charge", charge())
    ours, theirs = asker(info=info, **options), answerer(info, held, charge=counted)
    return carry(Side(ours.converse()), Side(theirs.converse()), tamper)


def shard(info: bytes | None, names: list[str] = HELD) -> tables.Shard:
    elements = Elements.hash(names, "test")
    known = _core.Evaluations(key(), Function(key().public(), info).suite)
    known.evaluate(bytes(elements.block), b"", entropy(4))
    return tables.Shard.read(
        tables.build(known, elements, np.empty(0, np.uint32), None, 10, entropy(5))
    )


def found(outputs: _core.VoprfOutputs, table: tables.Shard) -> set[str]:
    """Which of `ASKED` the outputs find."""
    answer = tables.find(
        [tables.Generation({0: table})], Elements.hash(ASKED[: len(outputs)], "test"), outputs
    )
    return {ASKED[i] for i in np.flatnonzero(answer.counts)}


@INFOS
def test_the_asker_finds_what_both_have_and_the_answerer_counts(info: bytes | None) -> None:
    counted: list[int] = []
    heard = listen(info=info, charge=counted.append)
    assert not heard.errors
    assert found(heard.results[RECEIVER], shard(info)) == set("abf")
    assert (heard.results[SENDER], counted) == (7, [7])
    other = None if info else b"2026-12"
    assert not found(heard.results[RECEIVER], shard(other))
    assert [kind(m) for m in heard.said(SENDER)] == ["hello", *["proven_bin"] * 3]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_any_number_may_be_asked_for(count: int) -> None:
    counted: list[int] = []
    heard = listen(names=ASKED[:count], charge=counted.append)
    assert counted == [count]
    assert found(heard.results[RECEIVER], shard(None)) == set("abf") & set(ASKED[:count])


def test_the_asker_waits_for_nothing_before_its_first_bins() -> None:
    said = [kind(message) for message in Side(asker().converse()).start()]
    assert said == ["hello", *["blinded_bin"] * inquiry.AHEAD]


def test_nothing_is_evaluated_before_it_is_counted() -> None:
    class OverBudgetError(Exception):
        pass

    def refuse(count: int) -> None:
        raise OverBudgetError

    ours, theirs = Side(asker().converse()), Side(answerer(charge=refuse).converse())
    (hello, *_), _ = ours.start(), theirs.start()
    with pytest.raises(OverBudgetError):
        theirs.hear(hello)
    with pytest.raises(UnexpectedMessage):
        theirs.hear(hello)


@INFOS
def test_one_flipped_bit_is_one_named_error_or_no_difference(info: bytes | None) -> None:
    table, honest = shard(info), listen(info=info)
    ended = set()
    for number, (_, message) in enumerate(honest.messages):
        for where, index in positions(message).items():
            for bit in (0, 3, 7):
                changed = flipped(message, index, bit)
                heard = listen(
                    lambda k, role, data, n=number, c=changed: [
                        (OTHER[role], c if k == n else data)
                    ],
                    info=info,
                )
                assert heard.kinds <= NAMED, where
                if RECEIVER in heard.results:
                    assert found(heard.results[RECEIVER], table) == set("abf"), where
                ended |= heard.kinds
    assert ended >= {ProofFailed, MalformedMessage, TranscriptMismatch, UnexpectedMessage}


@INFOS
def test_lost_repeated_and_reordered_answers_are_refused(info: bytes | None) -> None:
    honest = listen(info=info)
    answers = [k for k, (_, m) in enumerate(honest.messages) if kind(m) == "proven_bin"]
    first, second = (honest.messages[k][1] for k in answers[:2])

    def instead(*messages: bytes) -> Heard:
        def tamper(k: int, role: Any, data: bytes) -> list[tuple[Any, bytes]]:
            return [(OTHER[role], m) for m in (messages if k == answers[0] else [data])]

        return listen(tamper, info=info)

    assert instead(second).kinds == {UnexpectedMessage}
    assert instead(first, first).kinds == {UnexpectedMessage}
    assert instead().kinds == {UnexpectedMessage}
    # An answer to another question: the same bin of another run.
    other = listen(info=info, entropy=entropy(9))
    replayed = next(m for _, m in other.messages if kind(m) == "proven_bin")
    assert instead(replayed).kinds == {ProofFailed}


@INFOS
def test_a_holder_that_switches_keys_is_refused(info: bytes | None) -> None:
    heard = listen(info=info, held=6)
    assert {type(e) for e in heard.errors.values()} == {ProofFailed}
    assert RECEIVER not in heard.results
    assert "not proven for the key that it published" in str(heard.errors[RECEIVER])


def test_a_holder_with_another_info_is_refused() -> None:
    ours, theirs = asker(info=b"2026-11"), answerer(b"2026-12")
    heard = carry(Side(ours.converse()), Side(theirs.converse()))
    assert heard.kinds == {ProofFailed}


OFF_THE_GROUP = {"identity": bytes(32), "odd": b"\1" + bytes(31), "too large": b"\xff" * 32}


@pytest.mark.parametrize("point", OFF_THE_GROUP.values(), ids=OFF_THE_GROUP)
@pytest.mark.parametrize("name", ["blinded_bin", "proven_bin"])
def test_elements_off_the_group_are_refused(name: str, point: bytes) -> None:
    def tamper(k: int, role: Any, data: bytes) -> list[tuple[Any, bytes]]:
        message = wire.Message.FromString(data)
        if message.WhichOneof("body") == name:
            body = getattr(message, name)
            body.points = body.points[:32] + point + body.points[64:]
        return [(OTHER[role], message.SerializeToString())]

    heard = listen(tamper)
    assert RECEIVER not in heard.results
    assert heard.kinds == {MalformedMessage}
    assert any("point 1 is not valid" in str(error) for error in heard.errors.values())


def test_too_many_are_refused_before_anything_is_counted() -> None:
    with pytest.raises(ApiMisuse, match="1001 elements are asked for, agreed are 1000"):
        asker([str(i) for i in range(1001)])
    counted: list[int] = []
    larger = AGREED._replace(max_elements=2000)
    greedy = Asker(Elements.hash(map(str, range(1001)), "test"), Function(key().public()), larger)

    def lie(k: int, role: Any, data: bytes) -> list[tuple[Any, bytes]]:
        message = wire.Message.FromString(data)
        if role is RECEIVER and k == 0:
            message.hello.parameters = AGREED.digest()
        return [(OTHER[role], message.SerializeToString())]

    heard = carry(Side(greedy.converse()), Side(answerer(charge=counted.append).converse()), lie)
    assert (type(heard.errors[SENDER]), counted) == (BoundExceeded, [])


def test_sizes_that_no_side_may_have_are_refused() -> None:
    def say(**changes: Any) -> Tamper:
        def tamper(k: int, role: Any, data: bytes) -> list[tuple[Any, bytes]]:
            message = wire.Message.FromString(data)
            if message.WhichOneof("body") == "hello":
                for name, value in changes.items():
                    setattr(message.hello, name, value)
            return [(OTHER[role], message.SerializeToString())]

        return tamper

    assert listen(say(label_width=4)).kinds == {PeerMisbehaved}
    assert listen(say(entries=4)).kinds == {PeerMisbehaved, BoundExceeded}
    assert listen(say(role=wire.ROLE_SENDER)).kinds == {PeerIncompatible}


def test_wrong_keys_of_the_caller_are_its_own_fault() -> None:
    with pytest.raises(ApiMisuse, match="32 bytes"):
        asker(public=b"short")
    with pytest.raises(ApiMisuse, match="65535"):
        _ = Function(key().public(), bytes(1 << 16)).suite


def test_what_the_answerer_hears_is_the_same_for_all_questions() -> None:
    """Lengths, kinds and order; and no bytes but the digest of parameters appear in two runs."""
    runs = [listen(names=names, entropy=None).said(RECEIVER) for names in (ASKED, list("tuvwxyz"))]
    assert [len(m) for m in runs[0]] == [len(m) for m in runs[1]]
    assert [kind(m) for m in runs[0]] == [kind(m) for m in runs[1]]
    # The same question twice, too.
    runs.append(listen(entropy=None).said(RECEIVER))
    seen: set[bytes] = set()
    for run in runs:
        own = set()
        for message in run:
            body = wire.Message.FromString(message)
            points = body.blinded_bin.points
            own |= {points[at : at + 16] for at in range(len(points) - 15)}
        assert not own & seen
        seen |= own


@settings(max_examples=60, deadline=None, print_blob=True)
@given(noise=st.lists(st.binary(max_size=80), max_size=4))
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_noise_raises_nothing_but_a_peer_error(role: Any, noise: list[bytes]) -> None:
    side: Side[Any] = Side((asker() if role is RECEIVER else answerer()).converse())
    side.start()
    for data in noise:
        try:
            side.hear(data)
        except PeerError:
            break
    assert not side.finished
