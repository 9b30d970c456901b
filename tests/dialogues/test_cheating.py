"""Changed, lost, repeated, reordered and reflected messages never end in a wrong result.

Every run is that of `wiretap.OURS` and `wiretap.THEIRS` with fixed entropy, so its messages are the
same each time; a bin holds 32 points, so that there are several of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest
from wiretap import OTHER, OURS, RECEIVER, SENDER, THEIRS, Heard, kind, learnt, listen, right

from psi import Output
from psi.errors import (
    BoundExceeded,
    MalformedMessage,
    PeerError,
    PeerIncompatible,
    PeerMisbehaved,
    TranscriptMismatch,
    UnexpectedMessage,
)

pytestmark = pytest.mark.usefixtures("small_bins")

NAMED = {
    MalformedMessage,
    UnexpectedMessage,
    PeerIncompatible,
    BoundExceeded,
    PeerMisbehaved,
    *PeerMisbehaved.__subclasses__(),
}


@cache
def honest(output: Output) -> Heard:
    return listen(output)


def run(output: Output, number: int, *instead: bytes) -> Heard:
    """Delivers other messages instead of message `number`."""
    return listen(
        output,
        lambda k, role, data: [(OTHER[role], m) for m in (instead if k == number else (data,))],
    )


def check_nobody_is_deceived(heard: Heard, output: Output) -> None:
    for role, names in ((RECEIVER, OURS), (SENDER, THEIRS)):
        if role in heard.results:
            assert learnt(heard.results[role], names) == right(role, output)
    assert heard.kinds <= NAMED


def positions(message: bytes) -> dict[str, int]:
    """The position classes of a message: what it is, and the byte where it stands."""
    found = {"outer tag": 0, "outer length": 1}
    at = 1 + _varint(message, 1)[1]
    while at < len(message):
        name = f"field {message[at] >> 3}"
        found[f"{name}: tag"] = at
        value, width = _varint(message, at + 1)
        if message[at] & 7 == 0:
            found |= {f"{name}: value's byte {i}": at + 1 + i for i in range(width)}
            at += 1 + width
            continue
        found |= {f"{name}: length's byte {i}": at + 1 + i for i in range(width)}
        start, at = at + 1 + width, at + 1 + width + value
        for where, index in (("first", start), ("middle", (start + at) // 2), ("last", at - 1)):
            found[f"{name}: {where} byte"] = index
    assert max(found.values()) < len(message)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = width = 0
    while True:
        value |= (data[at + width] & 127) << (7 * width)
        width += 1
        if data[at + width - 1] < 128:
            return value, width


def flipped(message: bytes, index: int, bit: int) -> bytes:
    changed = bytearray(message)
    changed[index] ^= 1 << bit
    return bytes(changed)


def flips(output: Output) -> Iterator[tuple[int, str, int, bytes]]:
    """Of each message and position class one bit; of tags and numbers the lowest too, once.

    Once is if both learn: what they say then holds all that they say otherwise.
    """
    for number, (_, message) in enumerate(honest(output).messages):
        for place, index in positions(message).items():
            low = {0} if output is Output.BOTH and not place.endswith(" byte") else set()
            for bit in low | {3 + index % 5}:
                yield number, place, bit, flipped(message, index, bit)


def test_the_runs_have_several_bins_of_each_kind_and_the_right_results():
    for output in Output:
        heard = honest(output)
        check_nobody_is_deceived(heard, output)
        assert set(heard.results) == {RECEIVER, SENDER}
        assert len(heard.said(RECEIVER, "blinded_bin")) == 3
        assert len(heard.said(SENDER, "evaluated_bin")) == 3
    assert len(honest(Output.BOTH).said(SENDER, "entry_bin")) == 2
    assert len(honest(Output.BOTH).said(RECEIVER, "entry_bin")) == 1


@pytest.mark.parametrize("output", Output)
def test_one_flipped_bit_ends_in_one_named_error_and_in_no_result(output):
    last = len(honest(output).messages) - 1
    for number, place, bit, changed in flips(output):
        author, message = honest(output).messages[number]
        heard = run(output, number, changed)
        what = f"message {number} ({kind(message)} of the {author.name}), {place}, bit {bit}"
        check_nobody_is_deceived(heard, output)
        assert len(heard.errors) <= 1, what
        if not heard.errors:
            # Another size lets each side wait for the other: the line's deadline ends that.
            assert kind(message) == "hello", what
            assert "field 4" in place or "field 5" in place, what
        # The sender is through when it says its last word; if that changes, its result stands.
        assert set(heard.results) == ({SENDER} if number == last else set()), what


@pytest.mark.parametrize("output", Output)
def test_what_nobody_could_notice_earlier_is_a_transcript_mismatch(output):
    """An entry that nobody looks for, a field that nobody reads: they parse, and change nothing."""
    run_of = honest(output).messages
    number = next(k for k, (_, m) in enumerate(run_of) if kind(m) == "entry_bin")
    message, caught = run_of[number][1], 0
    for at in range(1, 13):
        heard = run(output, number, flipped(message, -2 - 40 * at, 0))
        check_nobody_is_deceived(heard, output)
        assert not heard.results
        caught += heard.kinds == {TranscriptMismatch}
    assert caught >= 2, "no entry of these twelve was that of an element nobody else has"
    for number in range(len(run_of) - 2):
        _, message = run_of[number]
        unread = b"\x98\x06\x01"  # field 99, a varint, behind the body
        heard = run(output, number, message + unread)
        assert heard.kinds == {TranscriptMismatch}
        assert set(heard.errors) == {SENDER}, "the receiver's digest comes first"
        assert not heard.results


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_changed_digest_is_a_transcript_mismatch(output, role):
    messages = honest(output).messages
    number = len(messages) - (2 if role is RECEIVER else 1)
    for index in (-1, -16, -32):
        heard = run(output, number, flipped(messages[number][1], index, 7))
        assert {r: type(e) for r, e in heard.errors.items()} == {OTHER[role]: TranscriptMismatch}


@pytest.mark.parametrize("output", Output)
def test_a_lost_message_ends_in_no_result(output):
    messages = honest(output).messages
    for number in range(len(messages)):
        heard = run(output, number)
        check_nobody_is_deceived(heard, output)
        assert RECEIVER not in heard.results
        assert SENDER not in heard.results or number == len(messages) - 1


@pytest.mark.parametrize("output", Output)
def test_a_repeated_message_is_unexpected(output):
    messages = honest(output).messages
    for number, (author, message) in enumerate(messages[:-2]):
        heard = run(output, number, message, message)
        check_nobody_is_deceived(heard, output)
        assert {r: type(e) for r, e in heard.errors.items()} == {OTHER[author]: UnexpectedMessage}
        assert RECEIVER not in heard.results, number
        # A sender that has compared transcripts already is right, whatever is repeated to its peer.
        before_last = kind(message) in ("decoy_tags", "entry_bin")
        assert SENDER not in heard.results or before_last


@pytest.mark.parametrize("output", Output)
def test_two_messages_that_change_places_are_unexpected(output):
    messages = honest(output).messages
    for author in (RECEIVER, SENDER):
        own = [k for k, (role, _) in enumerate(messages) if role is author]
        for first, second in pairwise(own):
            held: list[bytes] = []

            def swap(k, role, data, first=first, second=second, held=held):
                if k == first:
                    held.append(data)
                    return []
                return [(OTHER[role], m) for m in ([data, *held] if k == second else [data])]

            heard = listen(output, swap)
            check_nobody_is_deceived(heard, output)
            # The peer may answer the first before the second is said; then both wait.
            assert heard.kinds <= {UnexpectedMessage}
            assert not heard.results


@pytest.mark.parametrize("output", Output)
@pytest.mark.parametrize(
    "change", [lambda m: m[:-1], lambda m: m + b"\0", lambda m: b"", lambda m: m + m[-1:]]
)
def test_a_message_too_short_or_too_long_ends_in_no_result(output, change):
    messages = honest(output).messages
    for number, (_, message) in enumerate(messages):
        heard = run(output, number, change(message))
        check_nobody_is_deceived(heard, output)
        assert len(heard.errors) == 1, number
        assert set(heard.results) <= ({SENDER} if number == len(messages) - 1 else set())


@pytest.mark.parametrize("output", Output)
def test_messages_of_another_session_end_in_no_result(output):
    other = listen(output, seeds=(3, 4))
    assert len(other.messages) == len(honest(output).messages)
    for number, (author, message) in enumerate(other.messages):
        assert honest(output).messages[number][0] is author
        if message == honest(output).messages[number][1]:
            continue  # a Confirmation is but a number
        heard = run(output, number, message)
        check_nobody_is_deceived(heard, output)
        assert len(heard.errors) == 1, (number, kind(message))
        assert set(heard.results) <= ({SENDER} if number == len(other.messages) - 1 else set())


@pytest.mark.parametrize("output", Output)
def test_a_whole_side_of_another_session_ends_in_no_result(output):
    """A replay: one side's recorded messages, played to a peer that has drawn fresh secrets."""
    for author in (RECEIVER, SENDER):
        recorded = iter(honest(output).said(author))
        heard = listen(
            output,
            lambda k, role, data, recorded=recorded, author=author: [
                (OTHER[role], next(recorded, data) if role is author else data)
            ],
            seeds=(1, 9) if author is RECEIVER else (9, 2),
        )
        check_nobody_is_deceived(heard, output)
        assert heard.errors
        assert not heard.results


@pytest.mark.parametrize("output", Output)
def test_a_reflected_message_ends_in_no_result_of_the_side_that_hears_itself(output):
    messages = honest(output).messages
    for number, (author, _) in enumerate(messages[:-1]):
        heard = listen(
            output,
            lambda k, role, data, number=number: [(role if k == number else OTHER[role], data)],
        )
        check_nobody_is_deceived(heard, output)
        assert isinstance(heard.errors.get(author), PeerError), number
        assert author not in heard.results


@pytest.mark.parametrize("output", Output)
def test_a_side_that_hears_nothing_but_itself_ends_in_an_error(output):
    heard = listen(output, lambda k, role, data: [(role, data)])
    assert set(heard.errors) == {RECEIVER, SENDER}
    assert not heard.results
