"""A witness to a dialogue: both sides compare what they said and heard before they learn anything.

Each side hashes the receiver's messages and the sender's messages, each in the order in which they
were said, and says `BLAKE3(label || role || hash of receiver's || hash of sender's)` as its last
message; the role is its own, so that nobody passes its digest off as the peer's. Every byte of a
session is hashed twice; BLAKE3 takes a third of the time of SHA-256 for that.
A bit that changed on the way, below or above TLS, makes the digests differ, and there is no result.
The sender says its digest only after it has found the receiver's equal.
"""

from __future__ import annotations

import hmac
from typing import TypeVar

from blake3 import blake3

from psi.dialogue import HEAR, Dialogue, hear, say
from psi.errors import ApiMisuse, TranscriptMismatch
from psi.parameters import Role
from psi.wire.v1.messages_pb2 import TranscriptDigest

T = TypeVar("T")


def witnessed(dialogue: Dialogue[T], role: Role) -> Dialogue[T]:
    """Runs a dialogue, then compares its transcript with the peer's.

    Raises:
        TranscriptMismatch: the sides did not say and hear the same; there is no result.
    """
    said, heard = blake3(), blake3()
    answer: bytes | None = None
    while True:
        try:
            want = dialogue.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            break
        if want is HEAR:
            answer = yield HEAR
            if answer is None:
                raise ApiMisuse("a driver must answer HEAR with bytes")
            _absorb(heard, answer)
        else:
            _absorb(said, want)
            answer = None
            yield want
    if role is Role.RECEIVER:
        receivers, senders = said.digest(), heard.digest()
        yield from say(TranscriptDigest(digest=_digest(Role.RECEIVER, receivers, senders)))
        yield from _compare(_digest(Role.SENDER, receivers, senders))
    else:
        receivers, senders = heard.digest(), said.digest()
        yield from _compare(_digest(Role.RECEIVER, receivers, senders))
        yield from say(TranscriptDigest(digest=_digest(Role.SENDER, receivers, senders)))
    return result


def _compare(due: bytes) -> Dialogue[None]:
    heard = yield from hear(TranscriptDigest)
    if not hmac.compare_digest(heard.digest, due):
        raise TranscriptMismatch("the two sides did not see the same messages")


def _digest(role: Role, receivers: bytes, senders: bytes) -> bytes:
    label = f"greenlane/transcript/1/{role.name.lower()}".encode()
    return blake3(label + receivers + senders).digest()


def _absorb(state: blake3, message: bytes) -> None:
    state.update(len(message).to_bytes(8, "little"))
    state.update(message)
