# ruff: noqa: SIM117  the outer block is the node, the inner one what is expected of a call
from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from parties.certificates import inspect, issue, renew
from parties.channel import Carried, Identity, frames
from parties.channel.frames import FRAME_MARGIN, LONGEST_MESSAGE, Reader, Said, Writer
from parties.channel.line import QUEUE, Line
from parties.channel.options import EXCHANGE
from parties.errors import CertificateError, LocalFault, PeerLost, PeerUnreachable, SettingsError
from parties.wire.v1 import node_pb2 as wire
from parties.wire.v1 import node_pb2_grpc
from psi.dialogue import HEAR, Dialogue
from psi.errors import ApiMisuse, PeerError, TranscriptMismatch, UnexpectedMessage

# --- what is carried


def test_a_dialogue_is_carried_and_its_bytes_are_counted(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo) as node:
        peer = loopback.peer(node.port)
        assert peer.call(dialogues.ask(b"a", b"bcd"), loopback.session) == [b"a", b"bcd"]
        assert peer.carried == Carried(said_bytes=4, heard_bytes=4)
    (end,) = node.ends
    assert (end.peer, end.session, end.code) == ("insurer", loopback.session, "done")
    assert end.carried == Carried(said_bytes=4, heard_bytes=4)


def test_the_answering_end_knows_who_calls_and_in_which_session(
    loopback: Any, dialogues: Any
) -> None:
    asked = []

    def answer(peer: str, session: str) -> Dialogue[int]:
        asked.append((peer, session))
        return dialogues.echo(peer, session)  # type: ignore[no-any-return]

    with loopback.node(answer) as node:
        loopback.call(dialogues.ask(), node.port)
    assert asked == [("insurer", loopback.session)]


def test_either_end_may_speak_first_and_say_many_messages(loopback: Any, dialogues: Any) -> None:
    many = [bytes([i]) * 1000 for i in range(5 * QUEUE)]
    with loopback.node(lambda peer, session: dialogues.say(*many)) as node:
        assert loopback.call(dialogues.hear(len(many)), node.port) == many
    with loopback.node(lambda peer, session: dialogues.hear(len(many))) as node:
        assert loopback.call(dialogues.say(*many), node.port) is None
    assert node.ends[0].carried.heard_bytes == sum(map(len, many))


def test_a_message_of_the_longest_length_passes(loopback: Any, dialogues: Any) -> None:
    longest = os.urandom(LONGEST_MESSAGE)
    with loopback.node(dialogues.echo) as node:
        assert loopback.call(dialogues.ask(longest, longest), node.port) == [longest, longest]


def test_a_message_that_is_too_long_is_not_sent(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo) as node:
        with pytest.raises(ApiMisuse, match="2097153 bytes: split it at 2097152"):
            loopback.call(dialogues.ask(bytes(LONGEST_MESSAGE + 1)), node.port)
    assert node.ends[0].code == "internal"


def test_a_dialogue_goes_on_while_its_message_travels(loopback: Any) -> None:
    gone_on = threading.Event()

    def say_two() -> Dialogue[None]:
        yield b"1"
        gone_on.set()
        yield b"2"

    def hear_two(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        assert gone_on.wait(5)
        yield HEAR

    with loopback.node(hear_two) as node:
        loopback.call(say_two(), node.port)
    assert [end.code for end in node.ends] == ["done"]


def test_what_was_heard_is_handed_over_once(loopback: Any, dialogues: Any) -> None:
    def ask() -> Dialogue[list[object]]:
        got: list[object] = [(yield b"x")]
        got.append((yield HEAR))
        got.append((yield b"y"))
        got.append((yield HEAR))
        got.append((yield b""))
        return got

    with loopback.node(dialogues.echo) as node:
        assert loopback.call(ask(), node.port) == [None, b"x", None, b"y", None]


def test_a_long_computation_is_no_loss(loopback: Any) -> None:
    def slow_echo(peer: str, session: str) -> Dialogue[None]:
        data = yield HEAR
        time.sleep(0.9)  # more than twice the patience
        assert data is not None
        yield data

    def slow_ask() -> Dialogue[bytes | None]:
        yield b"x"
        return (yield HEAR)

    with loopback.node(slow_echo, patience=0.4) as node:
        assert loopback.call(slow_ask(), node.port, patience=0.4) == b"x"


def test_a_computation_that_outlasts_a_full_queue_is_no_loss(loopback: Any, dialogues: Any) -> None:
    def compute_and_hear() -> Dialogue[int]:
        time.sleep(0.9)
        for _ in range(5 * QUEUE):
            yield HEAR
        return 5 * QUEUE

    much = [bytes(100_000)] * (5 * QUEUE)
    with loopback.node(lambda peer, session: dialogues.say(*much), patience=0.4) as node:
        assert loopback.call(compute_and_hear(), node.port, patience=0.4) == len(much)


def test_time_in_which_we_did_not_look_is_not_held_against_the_peer() -> None:
    line, writer = Line(patience=0.4), Writer()

    def pump() -> None:
        line.take(writer.write(frames.Opening("0" * 32)))
        for _ in range(QUEUE):
            line.take(writer.write(Said(b"x")))  # the last one waits until there is room
        time.sleep(0.2)
        line.take(writer.write(Said(b"y")))

    pumping = threading.Thread(target=pump)
    pumping.start()
    time.sleep(0.6)
    heard = [line.hear()]
    time.sleep(0.05)  # the pump looks again
    heard += [line.hear() for _ in range(QUEUE)]
    assert heard == [b"x"] * QUEUE + [b"y"]
    pumping.join(5)


def test_a_call_is_not_over_while_a_message_too_many_is_unnamed() -> None:
    line, writer, session = Line(patience=0.3), Writer(), "0" * 32
    line.open(session)
    for frame in (frames.Opening(session), Said(b"too many"), frames.Ending()):
        line.take(writer.write(frame))
    with pytest.raises(UnexpectedMessage, match="the dialogue is over, a message came") as named:
        line.end()
    # The dialogue's thread has not come to say so; its end and both Endings are there already.
    outgoing, reader = line.outgoing(), Reader()
    kinds = [type(reader.read(next(outgoing))) for _ in range(3)]
    assert kinds == [frames.Opening, frames.Ending, frames.Heartbeat]
    line.break_off(named.value)
    assert list(outgoing) == []
    with pytest.raises(UnexpectedMessage, match="the dialogue is over, a message came"):
        line.settle()


def test_a_slow_line_is_no_loss(loopback: Any, dialogues: Any, relay_to: Any) -> None:
    with loopback.node(dialogues.echo, patience=1.0) as node:
        relay = relay_to(node.port)
        relay.delay = 0.02
        messages = [os.urandom(200_000) for _ in range(4)]
        assert loopback.call(dialogues.ask(*messages), relay.port, patience=1.0) == messages


def test_a_session_must_be_32_hexadecimal_digits(loopback: Any, dialogues: Any) -> None:
    for session in ("", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 32 + "\n"):
        with pytest.raises(ApiMisuse, match="32 hexadecimal digits"):
            loopback.peer(1).call(dialogues.ask(), session)


def test_nothing_that_is_said_reaches_the_log(
    loopback: Any, dialogues: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with loopback.node(dialogues.echo) as node:
        loopback.call(dialogues.ask(b"very-private"), node.port)
    out, err = capfd.readouterr()
    assert "call_ended" in out + err
    assert "very-private" not in out + err


# --- frames


@given(st.integers(1, 2**64 - 1), st.binary(max_size=300))
def test_a_said_frame_is_written_and_read_as_protobuf_does(sequence: int, data: bytes) -> None:
    writer = Writer()
    writer._sequence = sequence - 1
    raw = writer.write(Said(data))
    assert raw == wire.Frame(sequence=sequence, said=data).SerializeToString(deterministic=True)
    assert frames._parse(raw) == (sequence, Said(data))


@given(st.binary(max_size=60))
def test_what_is_read_without_protobuf_is_what_protobuf_reads(raw: bytes) -> None:
    seen = frames._parse_said(raw)
    if seen is not None:
        message = wire.Frame.FromString(raw)
        assert message.WhichOneof("body") == "said"
        assert seen == (message.sequence, Said(message.said))


@given(st.binary(max_size=200))
def test_no_bytes_of_a_peer_raise_anything_but_a_peer_error(raw: bytes) -> None:
    try:
        frame = Reader().read(raw)
    except PeerError:
        return
    assert isinstance(frame, frames.Opening)


def test_after_its_end_an_end_may_only_breathe_or_give_up() -> None:
    for late, due in (
        (Said(b""), False),
        (frames.Ending(), False),
        (frames.Heartbeat(), True),
        (frames.Fault("interrupted"), True),
    ):
        writer, reader = Writer(), Reader()
        for frame in (frames.Opening("0" * 32), frames.Ending()):
            assert type(reader.read(writer.write(frame))) is type(frame)
        if due:
            assert type(reader.read(writer.write(late))) is type(late)
        else:
            with pytest.raises(UnexpectedMessage, match="after the end"):
                reader.read(writer.write(late))


def test_the_longest_frame_is_as_long_as_derived() -> None:
    writer = Writer()
    writer._sequence = 2**64 - 2
    assert len(writer.write(Said(bytes(LONGEST_MESSAGE)))) == LONGEST_MESSAGE + FRAME_MARGIN


def test_the_generated_stub_speaks_with_our_node(loopback: Any, dialogues: Any) -> None:
    opening = wire.Opening(session=loopback.session, version=1)
    ours = [
        wire.Frame(sequence=1, opening=opening),
        wire.Frame(sequence=2, said=b"x"),
        wire.Frame(sequence=3, said=b""),
        wire.Frame(sequence=4, ending=wire.Ending()),
    ]
    with loopback.node(dialogues.echo) as node, loopback.channel(node.port) as channel:
        stub = node_pb2_grpc.NodeStub(channel)  # type: ignore[no-untyped-call]
        theirs = list(stub.Converse(iter(ours), timeout=5))
    assert [frame.WhichOneof("body") for frame in theirs] == ["opening", "said", "ending"]
    assert [frame.sequence for frame in theirs] == [1, 2, 3]


# --- who may call whom


def test_the_two_ends_speak_tls_1_3(loopback: Any, dialogues: Any, relay_to: Any) -> None:
    with loopback.node(dialogues.echo) as node:
        relay = relay_to(node.port)
        loopback.call(dialogues.ask(b"very-private"), relay.port)
    assert version_of_server_hello(bytes(relay.to_caller)) == 0x0304
    assert b"very-private" not in relay.to_caller


def version_of_server_hello(record: bytes) -> int:
    """Returns `supported_versions` of the ServerHello (RFC 8446, 4.1.3 and 4.2.1)."""
    assert record[0] == 22, "a handshake record comes first"
    assert record[5] == 2, "it is a ServerHello"
    at = 5 + 4 + 2 + 32  # record, handshake header, legacy_version, random
    at += 1 + record[at]  # legacy_session_id_echo
    at += 2 + 1  # cipher_suite, legacy_compression_method
    end = at + 2 + int.from_bytes(record[at : at + 2])
    at += 2
    while at < end:
        kind, length = int.from_bytes(record[at : at + 2]), int.from_bytes(record[at + 2 : at + 4])
        if kind == 43:
            return int.from_bytes(record[at + 4 : at + 6])
        at += 4 + length
    raise AssertionError("no supported_versions: this is TLS 1.2 or older")


def test_a_caller_with_tls_1_2_gets_nothing(loopback: Any, dialogues: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.load_verify_locations(loopback.authority("police").certificate)
    mine = loopback.identity("insurer")
    context.load_cert_chain(mine.certificate, mine.key)
    context.set_alpn_protocols(["h2"])
    # A whole call in HTTP/2: preface, SETTINGS, HEADERS (literal, not indexed), DATA with END.
    headers = b"".join(
        bytes([0, len(name)]) + name + bytes([len(value)]) + value
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":path", b"/parties.wire.v1.Node/Converse"),
            (b":authority", b"police"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        )
    )
    opening = wire.Opening(session=loopback.session, version=1)
    data = wire.Frame(sequence=1, opening=opening).SerializeToString()
    data = b"\0" + len(data).to_bytes(4) + data
    with loopback.node(dialogues.echo) as node:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", node.port), 5)) as line:
            assert line.version() == "TLSv1.2"
            line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2(4, 0, 0, b""))
            line.sendall(http2(1, 4, 1, headers) + http2(0, 1, 1, data))
            heard = b""
            while b"grpc-status" not in heard:
                heard += line.recv(4096)
    assert b"grpc-status\x017" in heard, "7 is PERMISSION_DENIED"
    assert node.ends == []


def http2(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def test_a_caller_without_a_certificate_gets_nothing(loopback: Any, dialogues: Any) -> None:
    root = loopback.authority("police").certificate.read_bytes()
    options = [("grpc.ssl_target_name_override", "police")]
    with loopback.node(dialogues.echo) as node:
        address = f"127.0.0.1:{node.port}"
        tls = grpc.ssl_channel_credentials(root)
        for channel in (grpc.secure_channel(address, tls, options), grpc.insecure_channel(address)):
            with channel:
                health = health_pb2_grpc.HealthStub(channel)
                with pytest.raises(grpc.RpcError) as refused:
                    health.Check(health_pb2.HealthCheckRequest(), timeout=5)
                assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert node.ends == []


def test_a_node_whose_authority_we_have_not_pinned_is_not_called(
    loopback: Any, dialogues: Any
) -> None:
    with loopback.node(dialogues.echo) as node:
        with pytest.raises(CertificateError, match="was not issued by the authority that is pin"):
            loopback.call(dialogues.ask(), node.port, ca=loopback.authority("rival").certificate)
    assert node.ends == []


def test_a_node_with_another_name_is_not_called(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo) as node:
        with pytest.raises(CertificateError, match="does not carry the name other-police"):
            loopback.call(dialogues.ask(), node.port, san="other-police")
    assert node.ends == []


def test_a_caller_whose_authority_nobody_pinned_is_told_so(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo, peers=[loopback.pinned("rival")]) as node:
        with pytest.raises(CertificateError, match=r"does not accept our certificate, .*insurer"):
            loopback.call(dialogues.ask(), node.port)
    assert node.ends == []


@pytest.mark.parametrize("service", ["converse", "exchange", "health", "watch", "reflection"])
def test_one_peer_cannot_pose_as_another(
    loopback: Any, dialogues: Any, tmp_path: Path, service: str
) -> None:
    # The rival's authority is trusted by TLS, and signs a certificate with the insurer's name.
    forged = Identity(tmp_path / "forged.pem", tmp_path / "forged.key")
    issue("insurer", forged, loopback.authority("rival"))
    with loopback.node(dialogues.echo) as node:
        if service == "converse":
            with pytest.raises(CertificateError, match="has pinned it for nobody"):
                loopback.call(dialogues.ask(), node.port, identity=forged)
            heard, status, code = loopback.say_raw(node.port, [b"x"], forged)
            assert (heard, status, code) == ([], grpc.StatusCode.PERMISSION_DENIED, None)
        else:
            with loopback.channel(node.port, forged) as channel:
                with pytest.raises(grpc.RpcError) as refused:
                    list(beside(channel, service))
                assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
                assert refused.value.details() == ""
    assert node.ends == []


def beside(channel: grpc.Channel, service: str) -> Iterator[Any]:
    """Calls one of the services beside ours."""
    health = health_pb2_grpc.HealthStub(channel)
    ask = health_pb2.HealthCheckRequest(service="parties.wire.v1.Node")
    match service:
        case "health":
            yield health.Check(ask, timeout=5)
        case "exchange":
            yield channel.unary_unary(EXCHANGE)(b"x", timeout=5)
        case "watch":
            yield from health.Watch(ask, timeout=5)
        case _:
            reflect = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            yield from reflect.ServerReflectionInfo(iter([request]), timeout=5)


def test_health_and_reflection_answer_a_pinned_peer(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo) as node, loopback.channel(node.port) as channel:
        (healthy,) = beside(channel, "health")
        assert healthy.status == health_pb2.HealthCheckResponse.SERVING
        (services,) = beside(channel, "reflection")
        names = {service.name for service in services.list_services_response.service}
        assert "parties.wire.v1.Node" in names
        assert "grpc.health.v1.Health" in names


@pytest.mark.parametrize("pin", ["certificate", "fingerprint"])
def test_an_exact_certificate_can_be_pinned_by_the_caller(
    loopback: Any, dialogues: Any, pin: str
) -> None:
    with loopback.node(dialogues.echo) as node:
        pinned = pin_of(loopback, "police", pin)
        assert loopback.call(dialogues.ask(b"x"), node.port, ca=None, **pinned) == [b"x"]
        # Another certificate of the same authority with the same name is another certificate.
        other = loopback.issue("police", f"same-{pin}", timedelta(hours=-1), timedelta(days=1))
        with loopback.node(dialogues.echo, identity=other) as impostor:
            with pytest.raises(CertificateError, match="is not the one that is pinned"):
                loopback.call(dialogues.ask(b"x"), impostor.port, ca=None, **pinned)


def pin_of(loopback: Any, party: str, pin: str) -> dict[str, Any]:
    certificate = loopback.identity(party).certificate
    return {pin: certificate if pin == "certificate" else inspect(certificate).fingerprint}


def test_an_exact_certificate_can_be_pinned_by_the_answering_end(
    loopback: Any, dialogues: Any
) -> None:
    exact = loopback.pinned("insurer", **pin_of(loopback, "insurer", "certificate"))
    other = loopback.issue("insurer", "not-that", timedelta(hours=-1), timedelta(days=1))
    with loopback.node(dialogues.echo, peers=[exact]) as node:
        assert loopback.call(dialogues.ask(b"x"), node.port) == [b"x"]
        with pytest.raises(CertificateError, match="does not accept our certificate"):
            loopback.call(dialogues.ask(b"x"), node.port, identity=other)


def test_a_caller_known_by_its_fingerprint_alone_is_looked_up_at_its_address(
    loopback: Any, dialogues: Any
) -> None:
    mine = {"identity": loopback.identity("insurer"), "peers": [loopback.pinned("police")]}
    with loopback.node(dialogues.echo, **mine) as insurer:
        by_fingerprint = pin_of(loopback, "insurer", "fingerprint")
        pinned = loopback.pinned("insurer", insurer.port, **by_fingerprint)
        with loopback.node(dialogues.echo, peers=[pinned]) as police:
            until = time.monotonic() + 5
            while True:
                try:
                    assert loopback.call(dialogues.ask(b"x"), police.port) == [b"x"]
                    break
                except (CertificateError, PeerUnreachable):  # it has not been looked up yet
                    assert time.monotonic() < until
                    time.sleep(0.01)


def test_a_pin_is_exactly_one_thing(loopback: Any, dialogues: Any) -> None:
    both = {"ca": loopback.authority("police").certificate} | pin_of(
        loopback, "police", "certificate"
    )
    for pins in ({"ca": None}, both, {"ca": None, "fingerprint": "sha256:12"}):
        with pytest.raises(SettingsError, match=r"peers\.police: give one of ca"):
            loopback.call(dialogues.ask(), 1, **pins)


def test_a_certificate_pinned_as_authority_is_refused(loopback: Any, dialogues: Any) -> None:
    with pytest.raises(CertificateError, match="is not an authority's certificate"):
        loopback.call(dialogues.ask(), 1, ca=loopback.identity("police").certificate)


# --- certificates that are not valid


def test_our_own_expired_certificate_is_found_before_anything_is_opened(
    loopback: Any, dialogues: Any
) -> None:
    old = loopback.issue("insurer", "old", timedelta(days=-9), timedelta(days=-1))
    with pytest.raises(CertificateError, match=r"node\.pem expired on"):
        loopback.call(dialogues.ask(), 1, identity=old)
    with pytest.raises(CertificateError, match=r"node\.pem expired on"):
        with loopback.node(dialogues.echo, identity=old):
            pass


def test_a_caller_with_an_expired_certificate_gets_nothing(loopback: Any, dialogues: Any) -> None:
    old = loopback.issue("insurer", "old-caller", timedelta(days=-9), timedelta(days=-1))
    with loopback.node(dialogues.echo) as node:
        heard, status, code = loopback.say_raw(node.port, [b"x"], old)
    assert (heard, status, code) == ([], grpc.StatusCode.UNAVAILABLE, None)
    assert node.ends == []


def test_an_expired_node_is_not_called(loopback: Any, dialogues: Any, tls_port: Any) -> None:
    old = loopback.issue("police", "old-node", timedelta(days=-9), timedelta(days=-1))
    with pytest.raises(CertificateError, match=r"of police at 127\.0\.0\.1:\d+ expired on"):
        loopback.call(dialogues.ask(), tls_port(old))


@pytest.fixture
def tls_port(loopback: Any) -> Iterator[Any]:
    """Starts bare gRPC servers with any certificate."""
    servers = []

    def start(identity: Identity) -> int:
        server = grpc.server(ThreadPoolExecutor(1))
        pair = (identity.key.read_bytes(), identity.certificate.read_bytes())
        root = loopback.authority("insurer").certificate.read_bytes()
        port = server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials([pair], root, True)
        )
        server.start()
        servers.append(server)
        return port

    yield start
    for server in servers:
        server.stop(0).wait()


def test_a_renewed_certificate_counts_without_a_restart(
    loopback: Any, dialogues: Any, tmp_path: Path
) -> None:
    mine = copied(loopback.identity("police"), tmp_path)
    with loopback.node(dialogues.echo, identity=mine) as node:
        # Pinned by its exact certificate, so that we see which one the node shows.
        pinned = tmp_path / "pinned.pem"
        shutil.copy(mine.certificate, pinned)
        exact = {"ca": None, "certificate": pinned}
        assert loopback.call(dialogues.ask(b"1"), node.port, **exact) == [b"1"]
        renew(mine, loopback.authority("police"))
        with pytest.raises(CertificateError, match="is not the one that is pinned"):
            loopback.call(dialogues.ask(b"2"), node.port, **exact)
        shutil.copy(mine.certificate, pinned)
        assert loopback.call(dialogues.ask(b"3"), node.port, **exact) == [b"3"]


def test_a_renewal_that_is_not_sound_changes_nothing_and_is_logged(
    loopback: Any, dialogues: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = copied(loopback.identity("police"), tmp_path)
    with loopback.node(dialogues.echo, identity=mine) as node:
        mine.certificate.write_bytes(b"half of a fi")
        assert loopback.call(dialogues.ask(b"1"), node.port) == [b"1"]
        mine.certificate.unlink()
        assert loopback.call(dialogues.ask(b"2"), node.port) == [b"2"]
    out, err = capfd.readouterr()
    assert (out + err).count("certificates_not_renewed") == 2
    assert "holds no PEM certificate" in out + err


def test_a_caller_reads_its_certificate_for_each_call(
    loopback: Any, dialogues: Any, tmp_path: Path
) -> None:
    mine = copied(loopback.identity("insurer"), tmp_path)
    exact = loopback.pinned("insurer", certificate=loopback.identity("insurer").certificate)
    with loopback.node(dialogues.echo, peers=[exact]) as node:
        peer = loopback.peer(node.port, identity=mine)
        assert peer.call(dialogues.ask(b"1"), loopback.session) == [b"1"]
        renew(mine, loopback.authority("insurer"))
        with pytest.raises(CertificateError, match="does not accept our certificate"):
            peer.call(dialogues.ask(b"2"), loopback.session)
        mine.key.write_bytes(loopback.identity("rival").key.read_bytes())
        with pytest.raises(CertificateError, match="is not the key of the certificate"):
            peer.call(dialogues.ask(b"3"), loopback.session)


def copied(identity: Identity, folder: Path) -> Identity:
    files = Identity(folder / "node.pem", folder / "node.key")
    shutil.copy(identity.certificate, files.certificate)
    shutil.copy(identity.key, files.key)
    return files


# --- starting and stopping


def test_a_port_that_is_taken_is_a_fault_of_this_machine(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo) as node:
        listen = f"127.0.0.1:{node.port}"
        with pytest.raises(LocalFault, match=rf"{listen}: Address already in use; choose another"):
            with loopback.node(dialogues.echo, listen=listen):
                pass


@pytest.mark.parametrize(
    "address", ["127.0.0.1:99999", "127.0.0.1", "127.0.0.1:x", ":1", "127.0.0.1:-1", "127.0.0.1:²"]
)
def test_an_address_is_host_and_port(loopback: Any, dialogues: Any, address: str) -> None:
    with pytest.raises(SettingsError, match=r"node\.listen must be host:port"):
        with loopback.node(dialogues.echo, listen=address):
            pass
    with pytest.raises(SettingsError, match=r"peers\.police\.address must be host:port"):
        loopback.call(dialogues.ask(), 1, address=address)


def test_an_address_that_is_not_this_machine_s_is_a_fault_of_it(
    loopback: Any, dialogues: Any
) -> None:
    with pytest.raises(LocalFault, match="Cannot assign requested address; choose another"):
        with loopback.node(dialogues.echo, listen="192.0.2.1:0"):  # RFC 5737: nobody's
            pass


def test_a_running_call_finishes_when_the_node_stops(loopback: Any, dialogues: Any) -> None:
    heard_one, may_end = threading.Event(), threading.Event()

    def ask() -> Dialogue[bytes | None]:
        yield b"x"
        data = yield HEAR
        heard_one.set()
        assert may_end.wait(5)
        yield b""
        return data

    with loopback.node(dialogues.echo) as node:
        results: list[bytes] = []
        caller = threading.Thread(target=lambda: results.append(loopback.call(ask(), node.port)))
        caller.start()
        assert heard_one.wait(5)
        with loopback.channel(node.port) as channel:
            watch = beside(channel, "watch")
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            stopper = threading.Thread(target=node.node.stop, args=(5,))
            stopper.start()
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
            with pytest.raises(PeerUnreachable, match="is being stopped"):
                loopback.call(dialogues.ask(), node.port)
            may_end.set()
            caller.join(5)
            stopper.join(5)
        node.node.wait()
    assert results == [b"x"]
    assert [end.code for end in node.ends] == ["stopping", "done"]
    with pytest.raises(PeerUnreachable, match="nobody listens there"):
        loopback.call(dialogues.ask(), node.port)


def test_a_call_that_outlasts_the_grace_is_broken_off_and_told(
    loopback: Any, dialogues: Any
) -> None:
    with loopback.node(dialogues.echo) as node:

        def ask() -> Dialogue[None]:
            yield b"x"
            yield HEAR
            node.node.stop(0.05)
            yield HEAR

        with pytest.raises(PeerLost, match="was stopped by its operator"):
            loopback.call(ask(), node.port)
    assert node.ends[0].code == "stopping"


def test_more_calls_than_allowed_are_refused_at_once(loopback: Any, dialogues: Any) -> None:
    with loopback.node(dialogues.echo, most_calls=1) as node:

        def ask() -> Dialogue[None]:
            yield b"x"
            yield HEAR
            with pytest.raises(PeerUnreachable, match="carries as many calls as it may"):
                loopback.call(dialogues.ask(), node.port)
            yield b""

        loopback.call(ask(), node.port)
        loopback.call(dialogues.ask(), node.port)  # there is room again
    assert [end.code for end in node.ends] == ["busy", "done", "done"]


def test_an_interrupt_reaches_the_peer_and_is_raised_again(loopback: Any) -> None:
    def interrupt(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        os.kill(os.getpid(), signal.SIGINT)
        yield HEAR

    def wait_for_answer() -> Dialogue[None]:
        yield b"x"
        yield HEAR

    with loopback.node(interrupt) as node:
        with pytest.raises(KeyboardInterrupt):
            loopback.call(wait_for_answer(), node.port)
    assert [end.code for end in node.ends] == ["interrupted"]


def test_a_node_that_is_killed_half_way_is_a_lost_peer(
    loopback: Any, dialogues: Any, tmp_path: Path
) -> None:
    program = tmp_path / "node.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from parties.channel import Identity, Node\n"
        "from parties.settings import PeerSettings\n"
        "from psi.dialogue import HEAR\n"
        "def echo(peer, session):\n"
        "    while True:\n"
        "        yield (yield HEAR)\n"
        "certificate, key, ca = map(Path, sys.argv[1:])\n"
        "insurer = PeerSettings('insurer', 'x:1', 'insurer', ca=ca)\n"
        "node = Node('127.0.0.1:0', Identity(certificate, key), [insurer], echo)\n"
        "print(node.start(), flush=True)\n"
        "node.wait()\n"
    )
    mine = loopback.identity("police")
    files = [mine.certificate, mine.key, loopback.authority("insurer").certificate]
    process = subprocess.Popen(
        [sys.executable, str(program), *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the log
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())

            def ask() -> Dialogue[None]:
                yield b"x"
                yield HEAR
                process.kill()
                yield HEAR

            with pytest.raises(PeerLost, match="broke before the dialogue was over"):
                loopback.call(ask(), port)
        finally:
            process.kill()


# --- errors


def test_an_error_of_the_caller_reaches_the_answering_end_as_a_word(
    loopback: Any, dialogues: Any
) -> None:
    def ask() -> Dialogue[None]:
        yield b"x"
        yield HEAR
        raise TranscriptMismatch("the two sides did not see the same messages")

    with loopback.node(dialogues.echo) as node:
        with pytest.raises(TranscriptMismatch):
            loopback.call(ask(), node.port)
    assert [end.code for end in node.ends] == ["transcript-mismatch"]


def test_grpc_logs_nothing_by_itself(
    loopback: Any, dialogues: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(peer: str, session: str) -> Dialogue[None]:
        yield HEAR
        raise TranscriptMismatch("no")

    with caplog.at_level(logging.DEBUG), loopback.node(fail) as node:
        with pytest.raises(Exception, match="transcript-mismatch"):
            loopback.call(dialogues.ask(b"x"), node.port)
    assert [record for record in caplog.records if record.name.startswith("grpc")] == []
