"""What was said and heard in a dialogue: bytes, and the last message of either side."""

from __future__ import annotations

from typing import TypeVar

from psi.dialogue import HEAR, Dialogue

T = TypeVar("T")


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
                else:
                    self.said_bytes += len(want)
                    self.last_said = want
                    answer = None
                    yield want
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            dialogue.close()
