"""What was said and heard in a dialogue: bytes, the last message of either side, a transcript."""

from __future__ import annotations

import hashlib
from typing import Final, TypeVar

from psi.dialogue import HEAR, Dialogue

T = TypeVar("T")

_LENGTH: Final = 8
"""Bytes in which the length of a message is hashed, so that two are not taken for one."""


class Tally:
    """Counts while a dialogue runs; messages alone, without frames and TLS.

    Attributes:
        said_bytes: of messages said so far.
        heard_bytes: of messages heard so far.
        last_said: the last message; empty if there is none yet.
        last_heard: likewise.
    """

    def __init__(self) -> None:
        self.said_bytes = self.heard_bytes = 0
        self.last_said = self.last_heard = b""
        self._words = b""
        self._hashes = hashlib.sha256(), hashlib.sha256()

    def begin(self, words: bytes) -> None:
        """Begins the transcript, at both ends before the same message.

        Args:
            words: 32 bytes over what was said before.
        """
        self._words, self._hashes = words, (hashlib.sha256(), hashlib.sha256())

    def transcript(self, *, asks: bool) -> str:
        """SHA-256 over all that was said since `begin`, hexadecimal; the same at both ends.

        What one end says is in order, and so is what the other does; which came first neither can
        say for both.

        Args:
            asks: whether we asked.
        """
        said, heard = (each.digest() for each in self._hashes)
        sides = said + heard if asks else heard + said
        return hashlib.sha256(self._words + sides).hexdigest()

    def of(self, dialogue: Dialogue[T]) -> Dialogue[T]:
        """Runs a dialogue and counts."""
        answer: bytes | None = None
        try:
            while True:
                want = dialogue.send(answer)
                if want is HEAR:
                    answer = yield HEAR
                    if answer is not None:
                        self.heard_bytes += len(answer)
                        self.last_heard = answer
                        self._hash(1, answer)
                else:
                    self.said_bytes += len(want)
                    self.last_said = want
                    self._hash(0, want)
                    answer = None
                    yield want
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            dialogue.close()

    def _hash(self, side: int, message: bytes) -> None:
        if self._words:
            self._hashes[side].update(len(message).to_bytes(_LENGTH))
            self._hashes[side].update(message)
