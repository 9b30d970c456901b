"""The drivers: run a dialogue over a line, or as one flight there and one back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from parties.channel.flights import MOST_MESSAGES
from parties.channel.frames import LONGEST_MESSAGE
from parties.channel.line import Line
from psi.dialogue import HEAR, Dialogue
from psi.errors import ApiMisuse, BoundExceeded, UnexpectedMessage

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


def exchange(dialogue: Dialogue[T], carry_there: Callable[[list[bytes]], Sequence[bytes]]) -> T:
    """Runs the calling end of a dialogue that says all before it hears anything.

    Args:
        dialogue: ours.
        carry_there: carries what we say to the peer, once, and returns all that it says.

    Raises:
        ApiMisuse: the dialogue says something after it has heard.
        UnexpectedMessage: the peer says more or less than our dialogue hears.
        PsiError: what else the dialogue raised.
    """
    said: list[bytes] = []
    heard: list[bytes] | None = None  # the last comes first
    turn = None
    try:
        while True:
            data = None
            if turn is HEAR:
                if heard is None:
                    heard = list(reversed(carry_there(said)))
                data = _next(heard)
            try:
                turn = dialogue.send(data)
            except StopIteration as stop:
                result: T = stop.value
                break
            if turn is not HEAR:
                if heard is not None:
                    raise ApiMisuse("a dialogue that hears and then speaks needs a stream")
                said.append(turn)
        if heard is None:
            heard = list(carry_there(said))
        _must_be_over(heard)
    finally:
        dialogue.close()
    return result


def reply(
    dialogue: Dialogue[object], said: Sequence[bytes], go_on: Callable[[], None]
) -> list[bytes]:
    """Runs the answering end of such a dialogue, in the calling thread, and returns what it says.

    Args:
        dialogue: ours.
        said: all that the caller says.
        go_on: called at each turn; raises if nobody waits for the answer any more.

    Raises:
        UnexpectedMessage: the caller says more or less than our dialogue hears.
        BoundExceeded: it asks for more than a flight holds.
        PsiError: what else the dialogue raised.
    """
    answer: list[bytes] = []
    size = 0
    left = list(reversed(said))
    turn = None
    try:
        while True:
            go_on()
            data = _next(left) if turn is HEAR else None
            try:
                turn = dialogue.send(data)
            except StopIteration:
                break
            if turn is not HEAR:
                answer.append(turn)
                size += len(turn)
                if len(answer) > MOST_MESSAGES or size > LONGEST_MESSAGE:
                    raise BoundExceeded("what the caller asks for needs a stream")
        _must_be_over(left)
    finally:
        dialogue.close()
    return answer


def _next(left: list[bytes]) -> bytes:
    if not left:
        raise UnexpectedMessage("a message is due, the end of the dialogue came")
    return left.pop()


def _must_be_over(left: list[bytes]) -> None:
    if left:
        raise UnexpectedMessage("the dialogue is over, a message came")
