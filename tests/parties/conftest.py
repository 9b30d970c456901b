"""Two nodes on the loopback, with real certificates. No test sleeps longer than it must."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from parties.certificates import create_authority, issue
from parties.channel import Answer, Ended, Identity, Node, Peer
from parties.channel.options import METHOD
from parties.credentials import read_certificates
from parties.founding import FILE, found, introduce
from parties.settings import PeerSettings
from psi.dialogue import HEAR, Dialogue

EXAMPLES = Path(__file__).parents[2] / "examples"
# For what files of this folder share, and what is made up.
sys.path[:0] = [str(Path(__file__).parent), str(EXAMPLES)]

Reply: TypeAlias = tuple[list[bytes], grpc.StatusCode, str | None]


@pytest.fixture
def pair(tmp_path: Path, passphrase: None) -> Any:
    """An insurer with three claims, and a police node that it knows."""
    from green import CLAIMS, Pair

    (tmp_path / "insurer").mkdir()
    (tmp_path / "insurer/claims.csv").write_text(CLAIMS, encoding="utf-8")
    found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:7443")
    found(tmp_path / "police", "police", "police", "127.0.0.1:7444")
    introduce(tmp_path / "insurer" / FILE, tmp_path / "police" / FILE)
    return Pair(tmp_path, {})


@pytest.fixture
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase, and one that is quick to stretch."""
    from green import PASSPHRASE

    monkeypatch.setenv("GREENLANE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setattr("parties.tables.sealing.COST", 1 << 4)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command as the program would: run("ticket", "show", file)."""
    from commands import runner

    return runner(monkeypatch, capsys)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A PostgreSQL server; without one on the machine, a sentence says what to install."""
    from databases import Missing, Server

    try:
        server = Server()
    except Missing as why:
        pytest.fail(str(why), pytrace=False)
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store that is not there yet, in each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return str(request.getfixturevalue("postgresql").schema())


@dataclass(frozen=True)
class Answering:
    """A node that runs, and what became of its calls."""

    node: Node
    port: int
    ends: list[Ended]


@dataclass(frozen=True)
class Loopback:
    """Three parties with an authority each: `police` answers, `insurer` and `rival` call."""

    folder: Path
    session: str = "00112233445566778899aabbccddeeff"

    def identity(self, party: str) -> Identity:
        return Identity(self.folder / f"{party}.pem", self.folder / f"{party}.key")

    def authority(self, party: str) -> Identity:
        return Identity(self.folder / f"{party}-ca.pem", self.folder / f"{party}-ca.key")

    def pinned(self, party: str, port: int = 0, **pin: Any) -> PeerSettings:
        pin = pin or {"ca": self.authority(party).certificate}
        return PeerSettings(party, f"127.0.0.1:{port}", party, **pin)

    @contextmanager
    def node(self, answer: Answer, **options: Any) -> Iterator[Answering]:
        """Runs the police's node as long as the block does."""
        ends: list[Ended] = []
        arguments: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "identity": self.identity("police"),
            "peers": [self.pinned("insurer"), self.pinned("rival")],
            "on_end": ends.append,
            "at_once": answer,
        }
        node = Node(answer=answer, **(arguments | options))
        port = node.start()
        try:
            yield Answering(node, port, ends)
        finally:
            node.stop(0)

    def peer(self, port: int, **changes: Any) -> Peer:
        """The police, as the insurer sees it."""
        patience = changes.pop("patience", 30.0)
        identity = changes.pop("identity", self.identity("insurer"))
        settings = self.pinned("police", port)._replace(**changes)
        return Peer(identity, settings, patience=patience)

    def call(self, dialogue: Dialogue[Any], port: int, **changes: Any) -> Any:
        return self.peer(port, **changes).call(dialogue, self.session)

    def channel(self, port: int, identity: Identity | None = None) -> grpc.Channel:
        """A bare gRPC channel to the police, for callers that keep to no rule."""
        mine = identity or self.identity("insurer")
        tls = grpc.ssl_channel_credentials(
            self.authority("police").certificate.read_bytes(),
            mine.key.read_bytes(),
            mine.certificate.read_bytes(),
        )
        options = [("grpc.ssl_target_name_override", "police")]
        return grpc.secure_channel(f"127.0.0.1:{port}", tls, options)

    def say_raw(
        self, port: int, frames: Sequence[bytes], identity: Identity | None = None
    ) -> Reply:
        """Sends these frames, whatever they are; returns frames, status and code word."""
        with self.channel(port, identity) as channel:
            call = channel.stream_stream(METHOD)(iter(frames), timeout=10)
            heard: list[bytes] = []
            with suppress(grpc.RpcError):
                heard.extend(call)
            trailing = dict(call.trailing_metadata() or ())
            code = trailing.get("greenlane-code")
            assert code is None or isinstance(code, str)
            assert not call.details() or code is None, "a text went with the code"
            return heard, call.code(), code

    def issue(self, party: str, folder: str, begin: timedelta, end: timedelta) -> Identity:
        """Issues a certificate of the party's authority, valid between these times from now."""
        files = Identity(self.folder / folder / "node.pem", self.folder / folder / "node.key")
        issue(party, files, self.authority(party))
        made, now = read_certificates(files.certificate)[0], datetime.now(UTC)
        builder = x509.CertificateBuilder(made.issuer, made.subject, made.public_key(), 1)
        builder = builder.not_valid_before(now + begin).not_valid_after(now + end)
        for extension in made.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        key = load_pem_private_key(self.authority(party).key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signed = builder.sign(key, hashes.SHA256())
        files.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        return files


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Loopback:
    here = Loopback(tmp_path_factory.mktemp("certificates"))
    for party in ("insurer", "rival", "police"):
        create_authority(party, here.authority(party))
        issue(party, here.identity(party), here.authority(party))
    return here


class Dialogues:
    """Toy dialogues."""

    @staticmethod
    def echo(peer: str, session: str) -> Dialogue[int]:
        """Answers each message with itself, until an empty one."""
        count = 0
        while data := (yield HEAR):
            yield data
            count += 1
        return count

    @staticmethod
    def ask(*messages: bytes) -> Dialogue[list[bytes]]:
        """Says each message, hears the answer to each, and ends with an empty one."""
        heard = []
        for message in messages:
            yield message
            data = yield HEAR
            assert data is not None
            heard.append(data)
        yield b""
        return heard

    @staticmethod
    def hear(count: int) -> Dialogue[list[bytes]]:
        """Hears so many messages."""
        heard = []
        for _ in range(count):
            data = yield HEAR
            assert data is not None
            heard.append(data)
        return heard

    @staticmethod
    def say(*messages: bytes) -> Dialogue[None]:
        """Says these messages."""
        yield from messages


@pytest.fixture(scope="session")
def dialogues() -> type[Dialogues]:
    return Dialogues


@dataclass
class Relay:
    """Carries TCP between a caller and a node, and may keep, delay, swallow or cut what passes."""

    port: int
    to_caller: bytearray = field(default_factory=bytearray)
    delay: float = 0.0
    swallow: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        for end in self._sockets:
            with ExitStack() as stack:
                stack.callback(end.close)
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _serve(self, listener: socket.socket, target: int) -> None:
        while not self._over.is_set():
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            try:
                node = socket.create_connection(("127.0.0.1", target), 5)
            except OSError:  # the node was killed, and the caller finds nobody
                caller.close()
                continue
            self._sockets += [caller, node]
            for source, sink, kept in ((caller, node, None), (node, caller, self.to_caller)):
                threading.Thread(target=self._carry, args=(source, sink, kept), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
        try:
            while data := source.recv(65536):
                if kept is not None:
                    kept += data
                if self.delay:
                    self._over.wait(self.delay)
                if not self.swallow:
                    sink.sendall(data)
        except OSError:
            pass
        self.cut()


@pytest.fixture
def relay_to() -> Iterator[Any]:
    """Starts relays to ports of this machine; all are closed after the test."""
    with ExitStack() as stack:

        def start(target: int) -> Relay:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            relay = Relay(listener.getsockname()[1])
            thread = threading.Thread(target=relay._serve, args=(listener, target), daemon=True)
            thread.start()

            def stop() -> None:
                relay._over.set()
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                relay.cut()
                thread.join(5)

            stack.callback(stop)
            return relay

        yield start
