"""The driver: runs a dialogue over a line."""

from __future__ import annotations

from typing import TypeVar

from parties.channel.line import Line
from psi.dialogue import HEAR, Dialogue

T = TypeVar("T")


def carry(dialogue: Dialogue[T], line: Line) -> T:
    """Runs a dialogue over a line, in the calling thread, and returns its result.

    Messages are sent as soon as they are said, while the dialogue computes the next one.

    Raises:
        PsiError: what the dialogue raised, or a frame that was not what it must be.
        PeerLost: the line broke before both dialogues were over.
    """
    heard: bytes | None = None
    try:
        while True:
            # Only the dialogue itself stands in this `try`: a StopIteration from anything else
            # would pass for its end.
            try:
                turn = dialogue.send(heard)
            except StopIteration as stop:
                result: T = stop.value
                break
            heard = None
            if turn is HEAR:
                heard = line.hear()
            else:
                line.say(turn)
        line.end()
    finally:
        dialogue.close()
    return result
