"""Changed, lost, repeated, reordered and reflected messages never end in a wrong result.

Every run is that of `wiretap.OURS` and `wiretap.THEIRS` with fixed entropy, so its messages are the
same each time; bins are small, so that there are several of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest
from wiretap import (
    CHECKED,
    DH,
    OTHER,
    OURS,
    PLAIN,
    RECEIVER,
    SEALED,
    SENDER,
    THEIRS,
    VOLE,
    Heard,
    Match,
    kind,
    learnt,
)

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
from psi.parameters import Role

pytestmark = pytest.mark.usefixtures("small_bins")

NAMED = {
    MalformedMessage,
    UnexpectedMessage,
    PeerIncompatible,
    BoundExceeded,
    PeerMisbehaved,
    *PeerMisbehaved.__subclasses__(),
}


every_match = pytest.mark.parametrize("match", [*DH, PLAIN, SEALED, CHECKED], ids=str)


@cache
def honest(match: Match) -> Heard:
    return match.listen()


def run(match: Match, number: int, *instead: bytes) -> Heard:
    """Delivers other messages instead of message `number`."""
    return match.listen(
        lambda k, role, data: [(OTHER[role], m) for m in (instead if k == number else (data,))],
    )


def check_nobody_is_deceived(heard: Heard, match: Match) -> None:
    for role, names in ((RECEIVER, OURS), (SENDER, THEIRS)):
        if role in heard.results:
            assert learnt(heard.results[role], names) == match.right(role)
    assert heard.kinds <= NAMED


def positions(message: bytes) -> dict[str, int]:
    """The position classes of a message: what it is, and the byte where it stands."""
    length = _varint(message, 0)[1]
    found = {"outer tag": 0, "outer length": length}
    at = length + _varint(message, length)[1]
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


def chosen(match: Match) -> list[tuple[int, Role, bytes]]:
    """The messages that are changed: number, author, bytes.

    All; but of `SEALED`, since runs of VOLE-PSI take longer, only what is not said in `PLAIN`, and
    the last two.
    """
    run_of = [(k, role, message) for k, (role, message) in enumerate(honest(match).messages)]
    if match is not SEALED:
        return run_of
    again = {kind(message) for _, message in honest(PLAIN).messages}
    return [each for each in run_of[:-2] if kind(each[2]) not in again] + run_of[-2:]


def flips(match: Match) -> Iterator[tuple[int, str, int, bytes]]:
    """Of each message and position class one bit; of tags and numbers the lowest too, once.

    Once is if both learn: what they say then holds all that they say otherwise. Of VOLE-PSI, the
    last message of each kind, whose number is not 0, and of tags and numbers the lowest bit alone.
    """
    last = {(role, kind(message)): k for k, role, message in chosen(match)}
    for number, role, message in chosen(match):
        if match.protocol != "dh" and last[role, kind(message)] != number:
            continue
        for place, index in positions(message).items():
            bits = {3 + index % 5}
            if not place.endswith(" byte"):
                if match.protocol != "dh":
                    bits = {0}
                elif match.output is Output.BOTH:
                    bits |= {0}
            for bit in bits:
                yield number, place, bit, flipped(message, index, bit)


SEVERAL = {
    "blinded_bin": 3,
    "evaluated_bin": 3,
    "vole_request": 3,
    "vole_correction": 3,
    "masked_bin": 3,
    "tag_counts": 3,
    "tag_bin": 3,
}
"""How many messages of a kind there are in a run that has any."""


@pytest.mark.parametrize("match", [*DH, *VOLE, CHECKED], ids=str)
def test_the_runs_have_several_messages_of_each_kind_and_the_right_results(match):
    heard = honest(match)
    check_nobody_is_deceived(heard, match)
    assert set(heard.results) == {RECEIVER, SENDER}
    kinds = [kind(message) for _, message in heard.messages]
    for name, count in SEVERAL.items():
        assert kinds.count(name) in (0, count)
    said = {role: len(heard.said(role, "entry_bin")) for role in (RECEIVER, SENDER)}
    if match.output is Output.BOTH:
        assert said[RECEIVER] > 0
    if match.told and match.output is not Output.CARDINALITY:
        assert said[SENDER] > 1


@every_match
def test_one_flipped_bit_ends_in_one_named_error_and_in_no_result(match):
    last = len(honest(match).messages) - 1
    for number, place, bit, changed in flips(match):
        author, message = honest(match).messages[number]
        heard = run(match, number, changed)
        what = f"message {number} ({kind(message)} of the {author.name}), {place}, bit {bit}"
        check_nobody_is_deceived(heard, match)
        assert len(heard.errors) <= 1, what
        if not heard.errors:
            # Another size lets each side wait for the other: the line's deadline ends that.
            assert kind(message) == "hello", what
            assert "field 4" in place or "field 5" in place, what
        # The sender is through when it says its last word; if that changes, its result stands.
        assert set(heard.results) == ({SENDER} if number == last else set()), what


@every_match
def test_what_nobody_could_notice_earlier_is_a_transcript_mismatch(match):
    """An entry that nobody looks for, a field that nobody reads: they parse, and change nothing."""
    run_of = honest(match).messages
    tagged = match in (PLAIN, CHECKED)
    width = 7 if match is PLAIN else 16
    name = "tag_bin" if tagged else "entry_bin"
    number = next(k for k, (_, m) in enumerate(run_of) if kind(m) == name)
    message, caught = run_of[number][1], 0
    for at in range(1, 13):
        # A tag has 7 bytes or 16, the lowest first; the last stays, so that all still ascend.
        index = -width - width * at if tagged else -2 - 40 * at
        heard = run(match, number, flipped(message, index, 0))
        check_nobody_is_deceived(heard, match)
        assert not heard.results
        caught += heard.kinds == {TranscriptMismatch}
    assert caught >= 2, "none of these twelve was that of an element nobody else has"
    for number, _, message in chosen(match)[:-2]:
        unread = b"\x98\x06\x01"  # field 99, a varint, behind the body
        heard = run(match, number, message + unread)
        assert heard.kinds == {TranscriptMismatch}
        assert set(heard.errors) == {SENDER}, "the receiver's digest comes first"
        assert not heard.results


@every_match
@pytest.mark.parametrize("role", [RECEIVER, SENDER])
def test_a_changed_digest_is_a_transcript_mismatch(match, role):
    messages = honest(match).messages
    number = len(messages) - (2 if role is RECEIVER else 1)
    for index in (-1, -16, -32):
        heard = run(match, number, flipped(messages[number][1], index, 7))
        assert {r: type(e) for r, e in heard.errors.items()} == {OTHER[role]: TranscriptMismatch}


@every_match
def test_a_lost_message_ends_in_no_result(match):
    last = len(honest(match).messages) - 1
    for number, _, _ in chosen(match):
        heard = run(match, number)
        check_nobody_is_deceived(heard, match)
        assert RECEIVER not in heard.results
        assert SENDER not in heard.results or number == last


@every_match
def test_a_repeated_message_is_unexpected(match):
    for number, author, message in chosen(match)[:-2]:
        heard = run(match, number, message, message)
        check_nobody_is_deceived(heard, match)
        assert {r: type(e) for r, e in heard.errors.items()} == {OTHER[author]: UnexpectedMessage}
        assert RECEIVER not in heard.results, number
        # A sender that has compared transcripts already is right, whatever is repeated to its peer.
        before_last = kind(message) in ("decoy_tags", "entry_bin", "tag_bin")
        assert SENDER not in heard.results or before_last


@every_match
def test_two_messages_that_change_places_are_unexpected(match):
    messages = honest(match).messages
    for author in (RECEIVER, SENDER):
        own = [k for k, (role, _) in enumerate(messages) if role is author]
        for first, second in pairwise(own):
            held: list[bytes] = []

            def swap(k, role, data, first=first, second=second, held=held):
                if k == first:
                    held.append(data)
                    return []
                return [(OTHER[role], m) for m in ([data, *held] if k == second else [data])]

            heard = match.listen(swap)
            check_nobody_is_deceived(heard, match)
            # The peer may answer the first before the second is said; then both wait.
            assert heard.kinds <= {UnexpectedMessage}
            assert not heard.results


@every_match
@pytest.mark.parametrize(
    "change", [lambda m: m[:-1], lambda m: m + b"\0", lambda m: b"", lambda m: m + m[-1:]]
)
def test_a_message_too_short_or_too_long_ends_in_no_result(match, change):
    last = len(honest(match).messages) - 1
    for number, _, message in chosen(match):
        heard = run(match, number, change(message))
        check_nobody_is_deceived(heard, match)
        assert len(heard.errors) == 1, number
        assert set(heard.results) <= ({SENDER} if number == last else set())


@every_match
def test_messages_of_another_session_end_in_no_result(match):
    other = match.listen(seeds=(3, 4))
    assert len(other.messages) == len(honest(match).messages)
    for number, author, own in chosen(match):
        assert other.messages[number][0] is author
        message = other.messages[number][1]
        if message == own:
            continue  # counts of few tags are ones and a zero in every session
        heard = run(match, number, message)
        check_nobody_is_deceived(heard, match)
        assert len(heard.errors) == 1, (number, kind(message))
        assert set(heard.results) <= ({SENDER} if number == len(other.messages) - 1 else set())


@every_match
def test_a_whole_side_of_another_session_ends_in_no_result(match):
    """A replay: one side's recorded messages, played to a peer that has drawn fresh secrets."""
    for author in (RECEIVER, SENDER):
        recorded = iter(honest(match).said(author))
        heard = match.listen(
            lambda k, role, data, recorded=recorded, author=author: [
                (OTHER[role], next(recorded, data) if role is author else data)
            ],
            seeds=(1, 9) if author is RECEIVER else (9, 2),
        )
        check_nobody_is_deceived(heard, match)
        assert heard.errors
        assert not heard.results


@every_match
def test_a_reflected_message_ends_in_no_result_of_the_side_that_hears_itself(match):
    for number, author, _ in chosen(match)[:-1]:
        heard = match.listen(
            lambda k, role, data, number=number: [(role if k == number else OTHER[role], data)],
        )
        check_nobody_is_deceived(heard, match)
        assert isinstance(heard.errors.get(author), PeerError), number
        assert author not in heard.results


@every_match
def test_a_side_that_hears_nothing_but_itself_ends_in_an_error(match):
    heard = match.listen(lambda k, role, data: [(role, data)])
    assert set(heard.errors) == {RECEIVER, SENDER}
    assert not heard.results
