"""An issuer's keys by https: believed by its certificate, bounded in size and in time."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from issuer import Issuer, keys, shown

from parties.certificates import create_authority, issue
from parties.credentials import Identity
from parties.errors import OperatorRefused
from parties.operators import fetching
from parties.operators.fetching import fetched
from parties.operators.key_sets import LONGEST
from parties.operators.tokens import acting_by_token

Answer = Callable[[ssl.SSLSocket, threading.Event], None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority, and beside it one that it has issued for localhost."""
    folder = tmp_path_factory.mktemp("id")
    files = Identity(folder / "ca.pem", folder / "ca.key")
    create_authority("id", files)
    issue("localhost", Identity(folder / "id.pem", folder / "id.key"), files)
    return files.certificate


@contextmanager
def serving(authority: Path, answer: Answer) -> Iterator[tuple[int, list[bytes]]]:
    """Runs a server on the loopback; gives its port, and what it was asked."""
    asked: list[bytes] = []
    over = threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_name("id.pem"), authority.with_name("id.key"))
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError):
                    line, _ = listener.accept()
                    line.settimeout(10)
                    with line, context.wrap_socket(line, server_side=True) as end:
                        asked.append(end.recv(4096))
                        answer(end, over)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            over.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 5).close()
            thread.join(20)
            assert not thread.is_alive()


def saying(*pieces: bytes) -> Answer:
    def answer(end: ssl.SSLSocket, over: threading.Event) -> None:
        for piece in pieces:
            end.sendall(piece)

    return answer


def body(data: bytes, status: str = "200 OK", *more: str) -> Answer:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *more, "", ""]
    return saying("\r\n".join(head).encode() + data)


def test_keys_are_fetched_by_https_for_each_token(tmp_path: Path, authority: Path) -> None:
    data = json.dumps({"keys": [shown("ES256", keys()["ES256"])]}).encode()
    with serving(authority, body(data)) as (port, asked):
        url = f"https://localhost:{port}/realms/staff/certs?x=1"
        issuer = Issuer(tmp_path, {"keys": None, "keys_url": url, "ca": authority})
        for _ in range(2):
            acting = acting_by_token(issuer.token(), issuer.settings, "police", ())
            assert acting.role == "investigator"
    head = asked[0].decode().split("\r\n")
    assert head[:2] == ["GET /realms/staff/certs?x=1 HTTP/1.1", f"Host: localhost:{port}"]
    assert len(asked) == 2


def test_what_comes_in_chunks_is_put_together(authority: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(authority, saying(head, b"2\r\n{}\r\n", b"0\r\n\r\n")) as (port, _):
        assert fetched(f"https://localhost:{port}", 10, authority) == b"{}"


ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (1 << 20)
BAD: dict[str, tuple[Answer, str]] = {
    "another status": (body(b"{}", "404 Not Found"), "is answered with status 404"),
    "a redirection": (body(b"", "302 Found", "Location: https://x/"), "status 302"),
    "too much": (saying(ENDLESS), f"has more than {LONGEST} bytes"),
    "a little too much": (body(b" " * (LONGEST + 1)), f"has more than {LONGEST} bytes"),
    "an endless head": (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300), "not answered as HTTP"),
    "no HTTP": (saying(b"hello\r\n"), "is not answered as HTTP has it"),
    "nothing": (saying(), "is not answered as HTTP has it"),
    "half": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), "not to the end"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_server_that_says_something_else_is_told(
    tmp_path: Path, authority: Path, case: str
) -> None:
    answer, why = BAD[case]
    with serving(authority, answer) as (port, _):
        url = f"https://localhost:{port}/"
        issuer = Issuer(tmp_path, {"keys": None, "keys_url": url, "ca": authority})
        with pytest.raises(OperatorRefused, match=why) as caught:
            acting_by_token(issuer.token(), issuer.settings, "police", ())
    assert caught.value.code == "token-keys"


def test_a_server_that_is_slow_is_given_up(authority: Path) -> None:
    def drip(end: ssl.SSLSocket, over: threading.Event) -> None:
        for sign in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200:
            end.sendall(bytes([sign]))
            if over.wait(0.02):
                return

    def silent(end: ssl.SSLSocket, over: threading.Event) -> None:
        over.wait(10)

    for answer in (drip, silent):
        with (
            serving(authority, answer) as (port, _),
            pytest.raises(TimeoutError),
        ):
            fetched(f"https://localhost:{port}/", LONGEST, authority, seconds=0.3)


def test_a_server_that_is_not_the_one_that_was_meant_is_not_believed(
    tmp_path: Path, authority: Path
) -> None:
    create_authority("other", Identity(tmp_path / "other.pem", tmp_path / "other.key"))
    with serving(authority, body(b'{"keys": []}')) as (port, asked):
        for host, ca in (
            ("127.0.0.1", authority),
            ("localhost", tmp_path / "other.pem"),
            ("localhost", None),
        ):
            url = f"https://{host}:{port}/"
            issuer = Issuer(tmp_path, {"keys": None, "keys_url": url, "ca": ca})
            with pytest.raises(OperatorRefused) as caught:
                acting_by_token(issuer.token(), issuer.settings, "police", ())
            assert caught.value.code == "token-keys"
    assert asked == []


def test_nobody_there_and_no_authority_there_are_told(tmp_path: Path, authority: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for ca in (authority, tmp_path / "none.pem"):
        url = f"https://localhost:{port}/"
        issuer = Issuer(tmp_path, {"keys": None, "keys_url": url, "ca": ca})
        with pytest.raises(OperatorRefused) as caught:
            acting_by_token(issuer.token(), issuer.settings, "police", ())
        assert caught.value.code == "token-keys"


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch, authority: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with serving(authority, body(b"{}")) as (port, _):
        assert fetched(f"https://localhost:{port}/", 10, authority) == b"{}"
    assert fetching.SECONDS == 10
