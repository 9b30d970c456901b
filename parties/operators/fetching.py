"""Fetching a small file by https, in bounded time and memory.

The server is believed by its certificate and name. It is asked once and told to close: what it says
until then, at most so many bytes in so many seconds, is all that is looked at. No redirection is
followed, no proxy asked, nothing remembered.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

SECONDS: Final = 10.0
"""For all of it after the name was looked up: a person waits for it, and a server that is well
answers in a tenth of that."""
_HEADERS: Final = 16 << 10
"""Bytes for the head of an answer, of which servers send a tenth."""
_PIECE: Final = 4096
_HTTPS: Final = 443
_FOUND: Final = 200


def fetched(url: str, most: int, ca: Path | None = None, seconds: float = SECONDS) -> bytes:
    """Returns what is found at an https URL.

    Args:
        url: of which nothing but host, port, path and query is used.
        most: bytes that it may have.
        ca: PEM file of the authorities to believe; None for those of the system.
        seconds: after which it is given up.

    Raises:
        ValueError: nothing is found there, or more than that. The text is a clause for people and
            quotes nothing that was heard.
        OSError: nobody answers in time, or not as the one that was meant.
    """
    until = time.monotonic() + seconds
    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    heard = bytearray()
    with socket.create_connection((host, parts.port or _HTTPS), seconds) as line:
        line.settimeout(_left(until))  # for the whole handshake, as of each call below
        with context.wrap_socket(line, server_hostname=host) as end:
            end.settimeout(_left(until))
            end.sendall(request.encode("ascii"))
            end.settimeout(_left(until))
            while piece := end.recv(_PIECE):
                heard += piece
                if len(heard) > most + _HEADERS:
                    raise ValueError(f"has more than {most} bytes")
                end.settimeout(_left(until))
    return _body(bytes(heard), most)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left


class _Heard:
    """What was heard, where `http.client` wants a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def _body(heard: bytes, most: int) -> bytes:
    answer = http.client.HTTPResponse(_Heard(heard), method="GET")  # type: ignore[arg-type]
    try:
        answer.begin()
        if answer.status != _FOUND:
            raise ValueError(f"is answered with status {answer.status}")
        body = answer.read()
    except http.client.HTTPException:
        raise ValueError("is not answered as HTTP has it, or not to the end") from None
    if len(body) > most:
        raise ValueError(f"has more than {most} bytes")
    return body
