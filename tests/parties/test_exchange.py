"""Exchanges: a dialogue that is said in one flight there and heard in one flight back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.certificates import issue
from parties.channel import Identity, replying
from parties.channel.admission import Admission
from parties.channel.flights import MOST_MESSAGES, Flight, read_flight, write_flight
from parties.channel.frames import LONGEST_MESSAGE
from parties.channel.guard import PLACES
from parties.channel.options import EXCHANGE, LONGEST_FRAME
from parties.channel.replying import Replying
from parties.channel.threads import DialogueThreads
from parties.errors import PeerLost, PeerRefused, PeerUnreachable
from parties.refusals import Refusal
from parties.wire.v1 import node_pb2 as wire
from psi.dialogue import HEAR, Dialogue
from psi.errors import (
    ApiMisuse,
    BoundExceeded,
    MalformedMessage,
    PeerError,
    PeerIncompatible,
    UnexpectedMessage,
)

SESSION = "00112233445566778899aabbccddeeff"


def ask(*messages: bytes, answers: int) -> Dialogue[list[bytes]]:
    """Says all messages, then hears so many."""
    yield from messages
    heard = []
    for _ in range(answers):
        data = yield HEAR
        assert data is not None
        heard.append(data)
    return heard


def twice(peer: str, session: str) -> Dialogue[None]:
    """Answers each of two messages with itself."""
    for _ in range(2):
        data = yield HEAR
        assert data is not None
        yield data


def exchange(loopback: Any, dialogue: Dialogue[Any], port: int, **changes: Any) -> Any:
    return loopback.peer(port, **changes).exchange(dialogue, SESSION)


def test_all_is_said_then_all_is_heard_and_the_bytes_are_counted(loopback: Any) -> None:
    with loopback.node(twice) as node, loopback.peer(node.port) as peer:
        assert peer.exchange(ask(b"one", b"", answers=2), SESSION) == [b"one", b""]
        assert peer.carried == (3, 3)
        assert peer.call(ask(b"1", b"2", answers=2), SESSION) == [b"1", b"2"], "beside a stream"
    first, second = node.ends
    assert first[:4] == ("insurer", SESSION, "done", (3, 3))
    assert second.code == "done"


def test_a_refusal_comes_as_its_word(loopback: Any) -> None:
    def refuse(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        raise Refusal("over-limit", "this sentence stays here")

    with loopback.node(refuse) as node, pytest.raises(PeerRefused) as refused:
        exchange(loopback, ask(b"x", answers=1), node.port)
    assert refused.value.code == "over-limit"
    assert "stays here" not in str(refused.value)
    assert [end.code for end in node.ends] == ["over-limit"]


@pytest.mark.parametrize(("said", "heard"), [(1, 2), (3, 2), (2, 1), (2, 3)])
def test_who_says_more_or_less_than_is_heard_ends_it(loopback: Any, said: int, heard: int) -> None:
    # Our own dialogue notices what is too many or missing; of the peer's we hear the word.
    refused = pytest.raises((UnexpectedMessage, PeerRefused))
    with loopback.node(twice) as node, refused:
        exchange(loopback, ask(*[b"x"] * said, answers=heard), node.port)
    assert [end.code for end in node.ends] == ["done" if said == 2 else "unexpected-message"]


def test_a_dialogue_that_hears_and_then_speaks_needs_a_stream(loopback: Any) -> None:
    def turn_about() -> Dialogue[None]:
        yield b"1"
        yield b"2"
        yield HEAR
        yield b"3"

    with loopback.node(twice) as node, pytest.raises(ApiMisuse, match="needs a stream"):
        exchange(loopback, turn_about(), node.port)


def test_who_gives_no_answer_within_the_patience_is_lost(loopback: Any) -> None:
    go_on = threading.Event()

    def wait(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        assert go_on.wait(5)

    with loopback.node(wait) as node:
        began = time.monotonic()
        with pytest.raises(PeerLost, match=r"gave no answer for 0\.5 s"):
            exchange(loopback, ask(b"x", answers=0), node.port, patience=0.5)
        assert time.monotonic() - began < 4
        go_on.set()


def test_a_node_that_stops_or_is_busy_says_so(loopback: Any) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def wait(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        inside.set()
        assert go_on.wait(5)

    errors: list[Exception] = []

    def call(port: int) -> None:
        try:
            exchange(loopback, ask(b"x", answers=0), port)
        except Exception as error:
            errors.append(error)

    with loopback.node(wait, most_calls=1) as node:
        caller = threading.Thread(target=call, args=(node.port,))
        caller.start()
        assert inside.wait(5)
        with pytest.raises(PeerUnreachable, match="carries as many calls as it may"):
            exchange(loopback, ask(b"x", answers=0), node.port)
        stopper = threading.Thread(target=node.node.stop, args=(0.05,))
        stopper.start()
        # Told when the grace is over, while the dialogue is still at it.
        caller.join(5)
        stopper.join(5)
        assert not caller.is_alive()
        assert not stopper.is_alive()
        go_on.set()
    assert [type(error) for error in errors] == [PeerLost], (
        "it was taken, and may have been counted"
    )
    assert [end.code for end in node.ends] == ["busy", "stopping"]


def test_a_node_that_stops_waits_for_no_flight(loopback: Any) -> None:
    with (
        loopback.node(twice) as node,
        loopback.channel(node.port) as channel,
        mute(channel, EXCHANGE, 1) as (call,),
    ):
        until = time.monotonic() + 5
        while not node.node._admission._calls and time.monotonic() < until:
            time.sleep(0.01)
        node.node.stop(0.05)
        assert call.exception(timeout=5) is not None
        while not node.ends and time.monotonic() < until:
            time.sleep(0.01)
    assert [end.code for end in node.ends] == ["stopping"]


STANDARD = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]


@contextmanager
def mute(channel: grpc.Channel, method: str, calls: int) -> Iterator[list[Any]]:
    """Calls that say nothing, and do not end either, as long as the block lasts."""
    silent = threading.Event()

    def nothing() -> Iterator[bytes]:
        silent.wait(10)
        yield from ()

    try:
        yield [channel.stream_unary(method).future(nothing()) for _ in range(calls)]
    finally:
        silent.set()


def test_who_says_nothing_keeps_no_place(loopback: Any) -> None:
    with loopback.node(twice, most_calls=1, patience=0.5) as node:
        with loopback.channel(node.port) as channel, mute(channel, EXCHANGE, 5) as calls:
            assert None not in [call.exception(timeout=5) for call in calls]
        assert exchange(loopback, ask(b"1", b"2", answers=2), node.port) == [b"1", b"2"]
    assert Counter(end.code for end in node.ends) == {"peer-lost": 1, "busy": 4, "done": 1}


@pytest.mark.parametrize("method", STANDARD)
def test_who_asks_how_a_node_is_takes_no_place_of_a_call(loopback: Any, method: str) -> None:
    with (
        loopback.node(twice, most_calls=1, patience=1.5) as node,
        loopback.channel(node.port) as channel,
        mute(channel, method, 8) as calls,
    ):
        until = time.monotonic() + 5
        while sum(call.done() for call in calls) < 8 - PLACES and time.monotonic() < until:
            time.sleep(0.01)
        assert exchange(loopback, ask(b"1", b"2", answers=2), node.port) == [b"1", b"2"]
        ended = [call.exception(timeout=5).code() for call in calls]
    assert ended.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 8 - PLACES


@pytest.mark.parametrize("method", [EXCHANGE, *STANDARD])
def test_a_stranger_is_sent_away_before_it_has_said_anything(
    loopback: Any, tmp_path: Path, method: str
) -> None:
    forged = Identity(tmp_path / "forged.pem", tmp_path / "forged.key")
    issue("insurer", forged, loopback.authority("rival"))
    with (
        loopback.node(twice) as node,
        loopback.channel(node.port, forged) as channel,
        mute(channel, method, 1) as (call,),
    ):
        assert call.exception(timeout=5).code() == grpc.StatusCode.PERMISSION_DENIED
    assert node.ends == []


def test_a_node_may_take_no_exchange_at_all(loopback: Any) -> None:
    incompatible = pytest.raises(PeerIncompatible)
    with loopback.node(twice, at_once=None) as node, incompatible:
        exchange(loopback, ask(b"1", b"2", answers=2), node.port)
    assert node.ends == []


def test_a_call_that_breaks_after_it_was_taken_is_lost(loopback: Any, relay_to: Any) -> None:
    def cut(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        time.sleep(0.2)  # what was said before arrives
        relay.cut()

    with loopback.node(cut) as node:
        relay = relay_to(node.port)
        with pytest.raises(PeerLost, match="broke before the dialogue was over"):
            exchange(loopback, ask(b"x", answers=1), relay.port)


def test_an_answer_that_is_too_long_is_not_taken_for_a_busy_peer(
    loopback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replying, "write_flight", lambda *_: bytes(LONGEST_FRAME + 1))
    with loopback.node(twice) as node, pytest.raises(BoundExceeded, match="longer than 2097152"):
        exchange(loopback, ask(b"1", b"2", answers=2), node.port)


def test_a_caller_that_has_gone_before_it_was_told_is_lost() -> None:
    def gone() -> None:
        raise grpc.RpcError

    admission = Admission(1)
    flight = iter([write_flight(SESSION, [])])
    for _ in range(2):  # its place is free again
        call = Replying("insurer", twice, admission, DialogueThreads(), 5)
        with pytest.raises(PeerLost, match="hung up"):
            call.reply(flight, lambda: None, gone)
        flight = iter([write_flight(SESSION, [])])


def test_more_than_one_flight_is_refused(loopback: Any) -> None:
    flights = [write_flight(SESSION, [b"1", b"2"])] * 2
    with loopback.node(twice) as node, loopback.channel(node.port) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.stream_unary(EXCHANGE)(iter(flights), timeout=5)
        assert dict(refused.value.trailing_metadata())["greenlane-code"] == "unexpected-message"


@pytest.mark.parametrize(("size", "count"), [(1 << 20, 3), (0, MOST_MESSAGES + 1)])
def test_an_answer_has_a_bound_while_it_is_made(loopback: Any, size: int, count: int) -> None:
    made = []

    def much(peer: str, session: str) -> Dialogue[None]:
        for number in range(1000):
            made.append(number)
            yield bytes(size)

    with loopback.node(much) as node, pytest.raises(PeerRefused) as refused:
        exchange(loopback, ask(answers=0), node.port)
    assert refused.value.code == "bound-exceeded"
    assert len(made) == count


def test_a_caller_that_has_gone_ends_the_dialogue(loopback: Any) -> None:
    over = threading.Event()

    def long(peer: str, session: str) -> Dialogue[None]:
        try:
            for _ in range(60):
                time.sleep(0.1)
                yield b""
        finally:
            over.set()

    with loopback.node(long, most_calls=1) as node:
        with pytest.raises(PeerLost, match="gave no answer"):
            exchange(loopback, ask(answers=0), node.port, patience=0.5)
        assert over.wait(2), "long before it would have been"
    assert [end.code for end in node.ends] == ["peer-lost"]


def test_an_answer_in_another_session_is_none(loopback: Any, monkeypatch: Any) -> None:
    write = replying.write_flight
    monkeypatch.setattr(replying, "write_flight", lambda _, said: write("f" * 32, said))
    other = pytest.raises(UnexpectedMessage, match="another session than ours")
    with loopback.node(twice) as node, other:
        exchange(loopback, ask(b"1", b"2", answers=2), node.port)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"\xff", "malformed-message"),
        (b"", "incompatible"),
        (write_flight("0" * 32, []).replace(b"0" * 32, b"x" * 32), "malformed-message"),
        (write_flight("0" * 32, []) + b"\x12\x00" * (MOST_MESSAGES + 1), "bound-exceeded"),
    ],
    ids=["noise", "nothing", "session", "many"],
)
def test_a_flight_that_is_none_is_refused_with_the_word_for_it(
    loopback: Any, raw: bytes, word: str
) -> None:
    with loopback.node(twice) as node, loopback.channel(node.port) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(EXCHANGE)(raw, timeout=5)
        assert dict(refused.value.trailing_metadata())["greenlane-code"] == word
        assert refused.value.details() == ""
    assert [end.code for end in node.ends] == [word]


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_peer_error(raw: bytes) -> None:
    try:
        flight = read_flight(raw)
    except PeerError:
        return
    assert read_flight(write_flight(*flight)) == flight


@given(st.lists(st.binary(max_size=100), max_size=MOST_MESSAGES))
def test_a_flight_is_read_as_it_was_written(said: list[bytes]) -> None:
    assert read_flight(write_flight(SESSION, said)) == Flight(SESSION, tuple(said))


def test_a_flight_has_bounds_at_both_ends() -> None:
    whole = bytes(LONGEST_MESSAGE)
    assert read_flight(write_flight(SESSION, [whole])).size == LONGEST_MESSAGE
    for said in ([whole, b"x"], [b""] * (MOST_MESSAGES + 1)):
        with pytest.raises(ApiMisuse, match="use a stream"):
            write_flight(SESSION, said)
        opening = wire.Opening(session=SESSION, version=1)
        with pytest.raises(BoundExceeded):
            read_flight(wire.Flight(opening=opening, said=said).SerializeToString())
    with pytest.raises(BoundExceeded):
        read_flight(bytes(2 * LONGEST_MESSAGE + 1))
    for opening, error in (
        (wire.Opening(session=SESSION, version=2), PeerIncompatible),
        (wire.Opening(session="x", version=1), MalformedMessage),
    ):
        with pytest.raises(error):
            read_flight(wire.Flight(opening=opening).SerializeToString())
