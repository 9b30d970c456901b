# ruff: noqa: SIM117  the outer block is the node, the inner one what is expected of a call
"""What one end of a call does when the other, or the line between them, does what it must not."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from parties.channel import Carried
from parties.channel.frames import LONGEST_MESSAGE
from parties.channel.line import QUEUE
from parties.channel.options import LONGEST_FRAME, METHOD
from parties.errors import (
    CertificateError,
    PeerLost,
    PeerRefused,
    PeerUnreachable,
    SourceError,
)
from parties.wire.v1 import node_pb2 as wire
from psi.dialogue import HEAR, Dialogue
from psi.errors import (
    BoundExceeded,
    CheckFailed,
    DecoyMismatch,
    MalformedMessage,
    PeerIncompatible,
    PeerMisbehaved,
    TranscriptMismatch,
    UnexpectedMessage,
)

SESSION = "00112233445566778899aabbccddeeff"
OTHER_SESSION = "ff" * 16


def opening(sequence: int = 1, session: str = SESSION, version: int = 1) -> bytes:
    body = wire.Opening(session=session, version=version)
    return wire.Frame(sequence=sequence, opening=body).SerializeToString()


def said(sequence: int, data: bytes = b"x") -> bytes:
    return wire.Frame(sequence=sequence, said=data).SerializeToString()


def ending(sequence: int) -> bytes:
    return wire.Frame(sequence=sequence, ending=wire.Ending()).SerializeToString()


def heartbeat(sequence: int) -> bytes:
    return wire.Frame(sequence=sequence, heartbeat=wire.Heartbeat()).SerializeToString()


def fault(sequence: int, code: str) -> bytes:
    return wire.Frame(sequence=sequence, fault=wire.Fault(code=code)).SerializeToString()


HOSTILE = {
    "noise": ([opening(), b"\xff\xff\xff"], MalformedMessage),
    "an empty frame": ([opening(), b""], MalformedMessage),
    "a truncated frame": ([opening(), said(2, b"x" * 300)[:100]], MalformedMessage),
    "a frame without a body": (
        [opening(), wire.Frame(sequence=2).SerializeToString()],
        MalformedMessage,
    ),
    "no opening": ([said(1)], UnexpectedMessage),
    "a second opening": ([opening(), opening(2)], UnexpectedMessage),
    "a session that is none": ([opening(session="../../etc")], MalformedMessage),
    "another version": ([opening(version=2)], PeerIncompatible),
    "a sequence that begins at 0": ([opening(0)], UnexpectedMessage),
    "a repeated frame": ([opening(), said(2), said(2)], UnexpectedMessage),
    "a frame left out": ([opening(), said(2), said(4)], UnexpectedMessage),
    "two frames swapped": ([opening(), said(3), said(2)], UnexpectedMessage),
    "a message after the end": ([opening(), ending(2), said(3)], UnexpectedMessage),
    "two ends": ([opening(), ending(2), ending(3)], UnexpectedMessage),
    "an end that comes too early": ([opening(), ending(2)], UnexpectedMessage),
    "a message that is too long": (
        [opening(), said(2, bytes(LONGEST_MESSAGE + 1))],
        BoundExceeded,
    ),
    "a fault that is no word": ([opening(), fault(2, "DROP TABLE")], MalformedMessage),
}

STATUS = {
    MalformedMessage: (grpc.StatusCode.INVALID_ARGUMENT, "malformed-message"),
    UnexpectedMessage: (grpc.StatusCode.INVALID_ARGUMENT, "unexpected-message"),
    PeerIncompatible: (grpc.StatusCode.FAILED_PRECONDITION, "incompatible"),
    BoundExceeded: (grpc.StatusCode.RESOURCE_EXHAUSTED, "bound-exceeded"),
}


def hear_for_ever(peer: str, session: str) -> Dialogue[None]:
    while True:
        yield HEAR


# --- a caller that keeps to no rule


@pytest.mark.parametrize("name", HOSTILE)
def test_the_answering_end_names_what_a_caller_must_not_send(loopback: Any, name: str) -> None:
    frames, error = HOSTILE[name]
    with loopback.node(hear_for_ever) as node:
        _, status, code = loopback.say_raw(node.port, frames)
        assert (status, code) == STATUS[error]
    assert [end.code for end in node.ends] == [code]


@pytest.mark.parametrize("frames", [[], [opening()], [opening(), said(2), heartbeat(3)]])
def test_a_caller_that_hangs_up_before_the_end_is_lost(loopback: Any, frames: list[bytes]) -> None:
    with loopback.node(hear_for_ever) as node:
        _, status, code = loopback.say_raw(node.port, frames)
    assert (status, code) == (grpc.StatusCode.ABORTED, "peer-lost")
    assert [end.code for end in node.ends] == ["peer-lost"]


def test_a_frame_far_too_long_is_refused_before_it_is_in_memory(loopback: Any) -> None:
    with loopback.node(hear_for_ever) as node:
        frames = [opening(), bytes(LONGEST_FRAME + 1)]
        _, status, code = loopback.say_raw(node.port, frames)
    assert (status, code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)
    assert [end.code for end in node.ends] == ["peer-lost"]


def test_a_message_too_many_is_unexpected(loopback: Any, dialogues: Any) -> None:
    with loopback.node(lambda peer, session: dialogues.hear(1)) as node:
        _, _, code = loopback.say_raw(node.port, [opening(), said(2), said(3), ending(4)])
    assert code == "unexpected-message"


def test_a_flood_is_held_back_by_the_queue(loopback: Any) -> None:
    may_hear = threading.Event()

    def slow(peer: str, session: str) -> Dialogue[None]:
        assert may_hear.wait(5)
        yield HEAR

    drawn = 0

    def flood() -> Iterator[bytes]:
        nonlocal drawn
        yield opening()
        for sequence in range(2, 200):
            drawn += 1
            yield said(sequence, bytes(1_000_000))

    with loopback.node(slow) as node, loopback.channel(node.port) as channel:
        call = channel.stream_stream("/parties.wire.v1.Node/Converse")(flood(), timeout=10)
        settled = -1
        while settled != drawn:
            settled = drawn
            time.sleep(0.2)
        # The queue, one frame in the pump's hands, and what the two transports hold.
        assert QUEUE < drawn < 40
        may_hear.set()
        with pytest.raises(grpc.RpcError):
            list(call)


def test_noise_on_the_port_changes_nothing(loopback: Any, dialogues: Any) -> None:
    seed = 20240229
    noise = random.Random(seed)
    print(f"seed {seed}")
    with loopback.node(dialogues.echo) as node:
        for start in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03",
        ):
            with socket.create_connection(("127.0.0.1", node.port), 5) as line:
                line.sendall(start + noise.randbytes(5000))
        idle = socket.create_connection(("127.0.0.1", node.port), 5)
        with idle:
            assert loopback.call(dialogues.ask(b"x"), node.port) == [b"x"]
    assert [end.code for end in node.ends] == ["done"]


# --- an answering end that keeps to no rule


@pytest.fixture
def hostile_node(loopback: Any) -> Iterator[Callable[..., int]]:
    """Starts bare gRPC servers with the police's certificate that answer with these frames."""
    servers = []

    def start(
        frames: Iterable[bytes],
        status: grpc.StatusCode = grpc.StatusCode.OK,
        code: str | None = None,
    ) -> int:
        def converse(arriving: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            next(arriving)
            yield from frames
            if status is not grpc.StatusCode.OK:
                context.set_trailing_metadata((("greenlane-code", code),) if code else ())
                context.abort(status, "text of the peer")

        handler: grpc.RpcMethodHandler[bytes, bytes]
        handler = grpc.stream_stream_rpc_method_handler(converse)
        service = grpc.method_handlers_generic_handler(
            "parties.wire.v1.Node", {"Converse": handler}
        )
        options = [("grpc.max_send_message_length", -1)]
        server = grpc.server(ThreadPoolExecutor(2), handlers=[service], options=options)
        mine = loopback.identity("police")
        pair = (mine.key.read_bytes(), mine.certificate.read_bytes())
        root = loopback.authority("insurer").certificate.read_bytes()
        credentials = grpc.ssl_server_credentials([pair], root, True)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        servers.append(server)
        return port

    yield start
    for server in servers:
        server.stop(0).wait()


@pytest.mark.parametrize("name", sorted(HOSTILE.keys() - {"a fault that is no word"}))
def test_the_calling_end_names_what_a_node_must_not_send(
    loopback: Any, dialogues: Any, hostile_node: Any, name: str
) -> None:
    frames, error = HOSTILE[name]
    with pytest.raises(error) as seen:
        loopback.call(dialogues.hear(9), hostile_node(frames))
    assert type(seen.value) is error


def test_a_node_that_opens_another_session_is_unexpected(
    loopback: Any, dialogues: Any, hostile_node: Any
) -> None:
    with pytest.raises(UnexpectedMessage, match="another session"):
        loopback.call(dialogues.hear(1), hostile_node([opening(session=OTHER_SESSION)]))


@pytest.mark.parametrize(
    "frames", [[opening()], [opening(), said(2)], [opening(), said(2), heartbeat(3)]]
)
def test_a_stream_that_ends_without_an_end_is_a_lost_peer_even_with_status_ok(
    loopback: Any, dialogues: Any, hostile_node: Any, frames: list[bytes]
) -> None:
    with pytest.raises(PeerLost, match="hung up before the dialogue was over"):
        loopback.call(dialogues.hear(1), hostile_node(frames))


def test_a_dialogue_that_needs_nothing_more_is_still_lost_if_the_node_fails(
    loopback: Any, dialogues: Any, hostile_node: Any
) -> None:
    port = hostile_node([opening(), said(2), ending(3)], grpc.StatusCode.INTERNAL)
    with pytest.raises(PeerLost) as seen:
        loopback.call(dialogues.hear(1), port)
    assert "text of the peer" not in str(seen.value)


def test_a_frame_far_too_long_is_a_bound_exceeded(
    loopback: Any, dialogues: Any, hostile_node: Any
) -> None:
    with pytest.raises(BoundExceeded, match="longer than 2097152 bytes"):
        loopback.call(dialogues.hear(1), hostile_node([opening(), bytes(LONGEST_FRAME + 1)]))


@pytest.mark.parametrize("code", ["DROP TABLE", "", "a" * 49, "-a", "a b", "\x1b[2J"])
def test_a_code_that_is_no_word_is_not_repeated(
    loopback: Any, dialogues: Any, hostile_node: Any, code: str
) -> None:
    port = hostile_node([opening()], grpc.StatusCode.ABORTED, code)
    with pytest.raises((PeerRefused, PeerLost)) as seen:
        loopback.call(dialogues.hear(1), port)
    assert not code or code not in str(seen.value)
    assert getattr(seen.value, "code", "") in {"refused", "peer-lost"}


# --- a line that breaks


@pytest.mark.parametrize("swallow", [False, True])
def test_a_line_that_is_cut_or_falls_silent_is_a_lost_peer_at_both_ends(
    loopback: Any, dialogues: Any, relay_to: Any, swallow: bool
) -> None:
    with loopback.node(dialogues.echo, patience=0.5) as node:
        relay = relay_to(node.port)

        def ask() -> Dialogue[None]:
            yield b"x"
            yield HEAR
            if swallow:
                relay.swallow = True
            else:
                relay.cut()
            yield HEAR

        began = time.monotonic()
        peer = loopback.peer(relay.port, patience=0.5)
        why = "no sign of life for 0.5 s" if swallow else "broke before the dialogue was over"
        with pytest.raises(PeerLost, match=why):
            peer.call(ask(), loopback.session)
        assert time.monotonic() - began < 5
        assert peer.carried == Carried(1, 1)
        until = time.monotonic() + 5
        while not node.ends and time.monotonic() < until:
            time.sleep(0.01)
    assert [end.code for end in node.ends] == ["peer-lost"]


def test_a_node_that_gives_no_sign_of_life_is_lost(
    loopback: Any, dialogues: Any, hostile_node: Any
) -> None:
    silence = threading.Event()

    def frames() -> Iterator[bytes]:
        yield opening()
        silence.wait(5)

    try:
        with pytest.raises(PeerLost, match=r"no sign of life for 0\.2 s"):
            loopback.call(dialogues.hear(1), hostile_node(frames()), patience=0.2)
    finally:
        silence.set()


def test_a_node_that_breathes_is_not_lost(loopback: Any, dialogues: Any, hostile_node: Any) -> None:
    def frames() -> Iterator[bytes]:
        yield opening()
        for sequence in range(2, 9):
            time.sleep(0.1)
            yield heartbeat(sequence)
        yield said(9)
        yield ending(10)

    assert loopback.call(dialogues.hear(1), hostile_node(frames()), patience=0.5) == [b"x"]


def test_two_ends_that_both_talk_and_do_not_hear_do_not_hang(loopback: Any, dialogues: Any) -> None:
    much = [bytes(LONGEST_MESSAGE)] * (20 * QUEUE)

    def talk(peer: str, session: str) -> Dialogue[None]:
        yield from much
        for _ in much:
            yield HEAR

    with loopback.node(talk, patience=0.5) as node:
        with pytest.raises(PeerLost):
            loopback.call(talk("", ""), node.port, patience=0.5)


# --- a peer that cannot be reached


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_where_nobody_listens_we_are_told_so(loopback: Any, dialogues: Any) -> None:
    with pytest.raises(PeerUnreachable, match=r"police at 127\.0\.0\.1:\d+: nobody listens there"):
        loopback.call(dialogues.ask(), free_port())


def test_a_host_that_nobody_knows_is_told(loopback: Any, dialogues: Any) -> None:
    with pytest.raises(PeerUnreachable, match="nobody knows this host name"):
        loopback.call(dialogues.ask(), 0, address="no-such-host.invalid:1")


def test_a_port_without_tls_is_told(loopback: Any, dialogues: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up_on_all() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    line.sendall(b"220 mail.example ready\r\n")

        thread = threading.Thread(target=hang_up_on_all, daemon=True)
        thread.start()
        with pytest.raises(PeerUnreachable, match=r"does not speak TLS 1\.3: is it police's port"):
            loopback.call(dialogues.ask(), listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_port_that_accepts_and_says_nothing_is_told(
    loopback: Any, dialogues: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.channel.probe._SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(PeerUnreachable, match=r"does not speak TLS 1\.3"):
            loopback.call(dialogues.ask(), listener.getsockname()[1], patience=0.2)


def test_a_tls_port_that_is_no_node_is_told(loopback: Any, dialogues: Any) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    mine = loopback.identity("police")
    pair = (mine.key.read_bytes(), mine.certificate.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        with pytest.raises(PeerIncompatible, match="is no node of this release"):
            loopback.call(dialogues.ask(), port)
    finally:
        server.stop(0).wait()


# --- errors across the wire


@pytest.mark.parametrize(
    ("raised", "code", "seen"),
    [
        (MalformedMessage, "malformed-message", PeerRefused),
        (UnexpectedMessage, "unexpected-message", PeerRefused),
        (PeerIncompatible, "incompatible", PeerIncompatible),
        (BoundExceeded, "bound-exceeded", PeerRefused),
        (CheckFailed, "check-failed", PeerRefused),
        (TranscriptMismatch, "transcript-mismatch", PeerRefused),
        (DecoyMismatch, "decoy-mismatch", PeerRefused),
        (PeerMisbehaved, "misbehaved", PeerRefused),
        (SourceError, "source", PeerRefused),
        (CertificateError, "certificate", PeerRefused),
        (ValueError, "internal", PeerLost),
        (StopIteration, "internal", PeerLost),
        (AssertionError, "internal", PeerLost),
    ],
)
@pytest.mark.parametrize("when", ["before", "within"])
def test_the_caller_learns_the_kind_of_an_error_and_nothing_else(
    loopback: Any,
    dialogues: Any,
    capfd: pytest.CaptureFixture[str],
    raised: type[Exception],
    code: str,
    seen: type[Exception],
    when: str,
) -> None:
    def fail(peer: str, session: str) -> Dialogue[None]:
        if when == "before":
            raise raised("very-private")

        def within() -> Dialogue[None]:
            yield HEAR
            raise raised("very-private")

        return within()

    with loopback.node(fail) as node:
        with pytest.raises(seen) as error:
            loopback.call(dialogues.ask(b"x"), node.port)
    assert type(error.value) is seen
    assert "very-private" not in str(error.value)
    if isinstance(error.value, PeerRefused):
        assert error.value.code == code
    assert [end.code for end in node.ends] == [code]
    out, err = capfd.readouterr()
    assert "very-private" not in out + err
    assert ("call_failed" in out + err) == (code == "internal")


def test_a_refusal_carries_its_own_word(loopback: Any, dialogues: Any) -> None:
    def refuse(peer: str, session: str) -> Dialogue[None]:
        raise PeerRefused("this peer may not ask for a count", "way-not-allowed")

    with loopback.node(refuse) as node:
        with pytest.raises(PeerRefused, match="does not allow this way of asking") as refused:
            loopback.call(dialogues.ask(), node.port)
    assert refused.value.code == "way-not-allowed"


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (DecoyMismatch("very-private"), "decoy-mismatch"),
        (SourceError("very-private"), "source"),
        (RuntimeError("very-private"), "internal"),
    ],
)
def test_the_answering_end_learns_why_the_caller_gave_up(
    loopback: Any, raised: Exception, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def give_up() -> Dialogue[None]:
        yield b"x"
        raise raised

    with loopback.node(hear_for_ever) as node:
        with pytest.raises(type(raised)) as seen:
            loopback.call(give_up(), node.port)
    assert seen.value is raised
    assert [end.code for end in node.ends] == [code]
    out, err = capfd.readouterr()
    assert "very-private" not in out + err


def test_no_thread_is_left_when_calls_are_over(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo) as node:
        loopback.call(dialogues.ask(os.urandom(9)), node.port)
        loopback.say_raw(node.port, [opening(), b"\xff"])
    until = time.monotonic() + 5
    while time.monotonic() < until:
        names = [thread.name for thread in threading.enumerate()]
        if not any(name.startswith(("channel-dialogue", "channel-pump")) for name in names):
            return
        time.sleep(0.01)
    raise AssertionError(names)


def test_a_caller_that_only_breathes_gets_no_place_for_ever(loopback: Any, dialogues: Any) -> None:
    """Signs of life do not stand in for the first message, or four callers could stop a node."""

    def frames() -> Iterator[bytes]:
        yield opening()
        for sequence in range(2, 100):
            time.sleep(0.05)
            yield heartbeat(sequence)

    with loopback.node(lambda *_: dialogues.hear(1), patience=0.3) as police:
        began = time.monotonic()
        with loopback.channel(police.port) as channel:
            call = channel.stream_stream(METHOD)(frames(), timeout=10)
            with pytest.raises(grpc.RpcError):
                list(call)
        assert time.monotonic() - began < 4
    assert [end.code for end in police.ends] == ["peer-lost"]


def test_a_word_that_nobody_knows_does_not_stand_in_the_log(loopback: Any, dialogues: Any) -> None:
    frame = wire.Frame(sequence=2, fault=wire.Fault(code="made-up-by-a-stranger"))
    with loopback.node(lambda *_: dialogues.hear(1)) as police:
        loopback.say_raw(police.port, [opening(), frame.SerializeToString()])
    assert [end.code for end in police.ends] == ["other"]
