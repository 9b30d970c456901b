"""Messages through memory: what one process says the other hears, until one of them has gone."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import pytest

from parties.passing import SLOT, SLOTS, Passage, Slots


@pytest.fixture
def ends():
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    slots = Slots(context), Slots(context)
    return Passage(ours, *slots), Passage(theirs, *reversed(slots))


@pytest.mark.parametrize("length", [0, 1, SLOT - 1, SLOT, SLOT + 1, SLOTS * SLOT + 7])
def test_a_message_of_any_length_arrives_whole_in_either_direction(ends, length):
    here, there = ends
    message = bytes(range(251)) * (length // 251) + bytes(length % 251)
    for one, other in ((here, there), (there, here)):
        one.send(message)
        assert other.receive() == message


def test_many_messages_keep_their_order_and_both_may_speak_at_once(ends):
    here, there = ends
    messages = [bytes([number]) * (number * 3001) for number in range(256)]
    for message in messages:
        here.send(message)
        there.send(message[::-1])
    assert [there.receive() for _ in messages] == messages
    assert [here.receive() for _ in messages] == [message[::-1] for message in messages]


def say_and_go(control: Connection, ours: Slots, theirs: Slots) -> None:
    Passage(control, ours, theirs).send(b"last")


def test_an_end_that_has_gone_is_noticed():
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    slots = Slots(context), Slots(context)
    process = context.Process(target=say_and_go, args=(theirs, *reversed(slots)), daemon=True)
    process.start()
    theirs.close()
    here = Passage(ours, *slots)
    assert here.receive() == b"last"
    assert here.receive() is here.receive() is None
    with pytest.raises(BrokenPipeError):
        here.send(b"more")
    process.join()
