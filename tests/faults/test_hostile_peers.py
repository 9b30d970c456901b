"""A peer, or somebody on its network, that keeps to no rule at some stage of a real job.

How one call is carried is tested with toy dialogues in tests/parties; here the dialogue is a whole
job. Whatever comes, the other end names it, learns nothing from it, and answers the next.
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import grpc
import pytest

from parties import asking, logs
from parties.answering import answers
from parties.books import Books
from parties.channel import Identity, Peer
from parties.channel.frames import LONGEST_MESSAGE
from parties.channel.options import METHOD
from parties.clearance import find
from parties.errors import PartyError
from parties.wire.v1 import node_pb2
from psi import Meter
from psi.dialogue import HEAR, Dialogue
from psi.errors import PsiError

Spoil = Callable[[bytes, bytes], list[bytes]]
"""What is said instead of a message: (the message, the one said before it)."""


def _noise(message: bytes, _: bytes) -> list[bytes]:
    return [random.Random(len(message)).randbytes(len(message) + 1)]


FAULTS: dict[str, Spoil] = {
    "noise": _noise,
    "nothing in it": lambda message, _: [b""],
    "truncated": lambda message, _: [message[: len(message) // 2]],
    "longer": lambda message, _: [message + b"\x00"],
    "repeated": lambda message, _: [message, message],
    "an earlier one": lambda _, before: [before],
    "as long as may be": lambda _, __: [bytes(LONGEST_MESSAGE)],
}

NAMED = {
    "malformed-message",
    "unexpected-message",
    "check-failed",
    "transcript-mismatch",
    "decoy-mismatch",
    "bound-exceeded",
    "receipt-malformed",
}
"""What is said of a spoilt message, at either end."""
REFUSED = {"other-version", "protocol-not-allowed"}
"""What a message comes to that stands in the place of a proposal or a choice, and parses as one."""


@dataclass
class Spoilt:
    """A side whose message number `at` is spoilt; it says the rest if it gets so far."""

    at: int
    spoil: Spoil
    reached: bool = False

    def __call__(self, dialogue: Dialogue[Any]) -> Dialogue[Any]:
        heard: bytes | None = None
        number, before = 0, b""
        while True:
            try:
                want = dialogue.send(heard)
            except StopIteration as stop:
                return stop.value
            heard = None
            if want is HEAR:
                heard = yield HEAR
                continue
            if number == self.at:
                self.reached = True
                yield from self.spoil(want, before)
            else:
                yield want
            number, before = number + 1, want


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, f"{what}: not within 10 s"
        time.sleep(0.005)


def question(way: str) -> asking.Question:
    return asking.Question(way, "police", ("person",), both=way == "match")  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["count", "match"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_node_names_what_a_caller_must_not_say_and_answers_the_next(
    two: Any, monkeypatch: pytest.MonkeyPatch, way: str, fault: str
) -> None:
    honest, settings = asking._converse, two.insurer.settings
    logs.set_up(settings.node.log)
    with two.answering() as ends:
        for at in itertools.count():
            spoilt = Spoilt(at, FAULTS[fault])
            monkeypatch.setattr(asking, "_converse", lambda *a, spoilt=spoilt: spoilt(honest(*a)))
            with suppress(PartyError, PsiError):
                report = asking.ask(settings, question(way), Meter())
            until(lambda: bool(ends), "the end of the call")
            code = ends.pop().code
            if not spoilt.reached:
                break  # the caller has said all that it had to say, and as it must
            assert code in NAMED | REFUSED | {"incompatible", "misbehaved"}, at
        assert at > 5, "proposal, choice, Hello, points, decoys, digest"
        assert (code, report.sets[0].matches) == ("done", 1)
    assert two.police.left <= {"", "joined.parquet"}


@pytest.mark.parametrize("way", ["count", "match"])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_asker_names_what_a_node_must_not_say(two: Any, way: str, fault: str) -> None:
    at = 0

    def answer(peer: str, session: str) -> Dialogue[Any]:
        return spoilt(answers(two.police.settings)(peer, session))

    with two.answering(answer):
        for at in itertools.count():
            spoilt = Spoilt(at, FAULTS[fault])
            learns = ("--learns", "both") if way == "match" else ()
            ending = two.ask(way, "--set", "person", *learns)
            if not spoilt.reached:
                break
            assert ending.status in (7, 8), at
            code = ending.report["error"]["code"]
            ending.fails(ending.status, code, ".")
            assert code in NAMED | {"peer-incompatible", "peer-misbehaved"}, at
            assert two.insurer.left == set()
    assert at > 4, "acceptance, Hello, points, entries, decoys, digest"
    assert ending.status == 0


def swapped(dialogue: Dialogue[Any], at: int, done: list[int]) -> Dialogue[Any]:
    """A dialogue whose message number `at` is said after the next, if it says two in a row."""
    heard: bytes | None = None
    number, held = 0, None
    while True:
        try:
            want = dialogue.send(heard)
        except StopIteration as stop:
            if held is not None:
                yield held
            return stop.value
        heard = None
        if want is HEAR:
            if held is not None:
                yield held
                held = None
            heard = yield HEAR
            continue
        if number == at:
            held = want
        else:
            yield want
            if held is not None:
                done.append(at)
                yield held
                held = None
        number += 1


def test_a_node_whose_messages_are_in_another_order_is_named(two: Any) -> None:
    done = list[int]()

    def answer(peer: str, session: str) -> Dialogue[Any]:
        return swap(answers(two.police.settings)(peer, session))

    with two.answering(answer):
        for way, at in itertools.product(("count", "match"), range(5)):
            before, swap = len(done), partial(swapped, at=at, done=done)
            ending = two.ask(way, "--set", "person")
            if len(done) == before:
                assert ending.status == 0
            else:
                codes = "unexpected-message|malformed-message|receipt-malformed"
                ending.fails(8, codes, " is due, |not a psi.wire|what should be a receipt")
    assert done


class Enough(Exception):
    """The side that hangs up."""


def _hangs_up(_: bytes, __: bytes) -> list[bytes]:
    raise Enough


def _until_enough(dialogue: Dialogue[Any]) -> Dialogue[None]:
    """A dialogue that is over, as if that were its end, when it has had enough."""
    try:
        yield from dialogue
    except Enough:
        return


def test_a_node_that_ends_too_early_is_named(two: Any) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return _until_enough(early(answers(two.police.settings)(peer, session)))

    with two.answering(answer):
        for at in range(5):
            early = Spoilt(at, _hangs_up)
            two.ask("match").fails(8, "unexpected-message", "a message is due, the end")
            assert early.reached
    assert two.insurer.left == set()


def test_a_caller_that_ends_too_early_is_named(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = asking._converse
    logs.set_up(two.insurer.settings.node.log)
    with two.answering() as ends:
        for at in range(5):
            early = Spoilt(at, _hangs_up)
            monkeypatch.setattr(
                asking, "_converse", lambda *a, early=early: _until_enough(early(honest(*a)))
            )
            with pytest.raises((PartyError, PsiError)):
                asking.ask(two.insurer.settings, question("count"), Meter())
            until(lambda: bool(ends), "the end of the call")
            assert ends.pop().code == "unexpected-message"


def test_a_session_that_was_there_before_is_refused(two: Any) -> None:
    """A folder of results belongs to one job; a caller cannot write into it a second time."""
    settings = two.police.settings
    session = secrets.token_hex(16)
    (settings.node.results / session).mkdir(parents=True)
    (settings.node.results / session / "joined.parquet").write_text("of another job")

    def ask() -> Any:
        ours = two.insurer.settings
        job = asking.Job(session, "count", ours.identifiers[:1], we_receive=True)
        prepared = asking.prepare(asking.open_source(ours.source), job.sets, (), two.folder)
        peer = Peer(Identity(ours.node.certificate, ours.node.key), ours.peers[0])
        clearance = find(ours, ours.peers[0], job, datetime.now(UTC))
        dialogue = asking._converse(
            ours, ours.peers[0], job, prepared, clearance, None, Books(ours), Meter()
        )
        return peer.call(dialogue, session)

    with two.answering() as ends, pytest.raises(PartyError, match="lacks disk space"):
        ask()
    assert [end.code for end in ends] == ["local"]


# --- below the dialogue


def _tls(two: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(two.insurer.folder / "tls/police.pem")
    tls = two.insurer.folder / "tls"
    context.load_cert_chain(tls / "node.pem", tls / "node.key")
    context.set_alpn_protocols(["h2"])
    return context


def _raw_noise(two: Any, address: tuple[str, int], noise: bytes) -> None:
    with socket.create_connection(address, 5) as line:
        line.sendall(noise)


def _noise_in_tls(two: Any, address: tuple[str, int], noise: bytes) -> None:
    with (
        socket.create_connection(address, 5) as line,
        _tls(two).wrap_socket(line, server_hostname="police") as secure,
    ):
        secure.sendall(noise)
        secure.settimeout(0.5)  # a node drops it after ten seconds, which need not be waited for
        while secure.recv(4096):
            pass


def _noise_in_http(two: Any, address: tuple[str, int], noise: bytes) -> None:
    _noise_in_tls(two, address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + noise)


def _noise_in_frames(two: Any, address: tuple[str, int], noise: bytes) -> None:
    opening = node_pb2.Opening(session="ab" * 16, version=1)
    frames = [node_pb2.Frame(sequence=1, opening=opening).SerializeToString(), noise]
    tls = two.insurer.folder / "tls"
    credentials = grpc.ssl_channel_credentials(
        (tls / "police.pem").read_bytes(),
        (tls / "node.key").read_bytes(),
        (tls / "node.pem").read_bytes(),
    )
    options = [("grpc.ssl_target_name_override", "police")]
    with grpc.secure_channel(f"{address[0]}:{address[1]}", credentials, options) as channel:
        call = channel.stream_stream(METHOD)(iter(frames), timeout=10)
        with pytest.raises(grpc.RpcError):
            list(call)
        assert call.code() is grpc.StatusCode.INVALID_ARGUMENT


NOISE = {
    "raw bytes": _raw_noise,
    "bytes in TLS": _noise_in_tls,
    "bytes in HTTP/2": _noise_in_http,
    "frames": _noise_in_frames,
}


@pytest.fixture
def seed() -> Iterator[int]:
    seed = int.from_bytes(os.urandom(4), "little")
    yield seed
    print(f"seed {seed}")


@pytest.mark.parametrize("layer", NOISE)
def test_noise_at_any_layer_changes_nothing(
    two: Any, capfd: pytest.CaptureFixture[str], layer: str, seed: int
) -> None:
    draw = random.Random(seed)
    host, _, port = two.police.settings.node.listen.rpartition(":")
    logs.set_up(two.police.settings.node.log)
    with two.answering():
        for size in (1, 5, 300, 20_000):
            with suppress(OSError):
                NOISE[layer](two, (host, int(port)), b"\xff" + draw.randbytes(size))
        assert capfd.readouterr().err == ""
        assert two.ask("count", "--set", "person").report["sets"][0]["matches"] == 1
