"""A hostile peer of VOLE-PSI: points that are none, counts that do not count, tags out of order.

Messages here have their full size, so that all counts and all tags of a run are one message each.
Where transcripts are off (`bare`), it is as if the peer itself had said what is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count

import numpy as np
import pytest
from reference import ristretto255
from wiretap import (
    CHECKED,
    OTHER,
    OURS,
    PLAIN,
    RECEIVER,
    SENDER,
    VOLE,
    Heard,
    Match,
    kind,
    learnt,
)

from psi._core import BaseOtOffer, Entropy
from psi.errors import (
    CheckFailed,
    DecoyMismatch,
    MalformedMessage,
    TranscriptMismatch,
    UnexpectedMessage,
)
from psi.wire.v1.messages_pb2 import Message

TOTAL = 128
"""Tags of the run, and what is said of each."""
LOW = 7
HIGH = 2
"""Values of the high part: 57 bits are a tag of 128 x 128 elements, 56 of them are said of each."""


@cache
def honest(match: Match) -> Heard:
    return match.listen()


def told(match: Match, name: str, field: str) -> bytes:
    """What an honest run has in the one message of this kind."""
    (message,) = (m for _, m in honest(match).messages if kind(m) == name)
    return getattr(getattr(Message.FromString(message), name), field)


def run(name: str, field: str, value: bytes, match: Match = PLAIN, bare: bool = True) -> Heard:
    """A run in which the one message of this kind has another value."""

    def tamper(k, role, data):
        message = Message.FromString(data)
        if message.WhichOneof("body") == name:
            setattr(getattr(message, name), field, value)
        return [(OTHER[role], message.SerializeToString(deterministic=True))]

    return match.listen(tamper, bare)


def check_failed(heard: Heard, role) -> None:
    assert {r: type(e) for r, e in heard.errors.items()} == {role: CheckFailed}
    assert RECEIVER not in heard.results


def check_malformed(heard: Heard, role, pattern: str) -> None:
    assert set(heard.errors) == {role}
    assert type(heard.errors[role]) is MalformedMessage
    assert pattern in str(heard.errors[role])
    assert RECEIVER not in heard.results


# Points

NO_POINTS = {
    "identity": bytes(32),
    "all ones": b"\xff" * 32,
    "p, which is not below p": (2**255 - 19).to_bytes(32, "little"),
    "negative": (1).to_bytes(32, "little"),
    "no square": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
    "bit 255": (2**255 + 2).to_bytes(32, "little"),
}


any_bad_point = pytest.mark.parametrize("point", NO_POINTS.values(), ids=NO_POINTS)


@any_bad_point
def test_an_offer_of_the_identity_or_of_no_point_is_malformed(point):
    """With the identity, the receiver would know the sender's keys without knowing its choices."""
    check_malformed(run("base_ot_offer", "point", point), SENDER, "BaseOtOffer")


@pytest.mark.parametrize("at", [0, 1, 128, 255])
@any_bad_point
def test_a_choice_with_the_identity_or_no_point_is_malformed(point, at):
    points = told(PLAIN, "base_ot_choice", "points")
    changed = points[: 32 * at] + point + points[32 * at + 32 :]
    check_malformed(run("base_ot_choice", "points", changed), RECEIVER, "BaseOtChoice")


@pytest.mark.parametrize("at", [slice(0, 1), slice(255, 256), slice(0, 256)], ids=str)
def test_a_choice_of_a_known_point_ends_in_no_result(at):
    """The sides have other keys then, so that the sums in the first request do not agree."""
    points = np.frombuffer(told(PLAIN, "base_ot_choice", "points"), np.uint8).reshape(256, 32)
    changed = points.copy()
    changed[at] = np.frombuffer(ristretto255.encode(ristretto255.GENERATOR), np.uint8)
    check_failed(run("base_ot_choice", "points", changed.tobytes()), SENDER)


def test_another_offer_than_the_one_that_was_drawn_ends_in_no_result():
    other = BaseOtOffer.draw(Entropy.from_seed_for_tests(bytes([7]) * 32)).message()
    check_failed(run("base_ot_offer", "point", other), SENDER)


def test_a_receiver_in_another_session_is_a_transcript_mismatch():
    """The sender looks at it before it computes anything with Delta."""
    for session in (b"", bytes(16), bytes(17)):
        heard = run("base_ot_offer", "session", session)
        assert {r: type(e) for r, e in heard.errors.items()} == {SENDER: TranscriptMismatch}
        assert len(heard.said(SENDER)) == 1


# Counts


def bits(data: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")


def counts() -> np.ndarray:
    """The honest counts: a one for each tag and a zero behind each high part, then padding."""
    unary = bits(told(PLAIN, "tag_counts", "unary"))
    assert len(unary) == 136
    assert unary[: TOTAL + HIGH].sum() == TOTAL
    assert not unary[TOTAL + HIGH :].any()
    assert unary[TOTAL + HIGH - 1] == 0
    return unary


def one_flipped(at: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(unary: np.ndarray) -> np.ndarray:
        unary = unary.copy()
        unary[at] ^= 1
        return unary

    return change


def first_zero(unary: np.ndarray, step: int) -> np.ndarray:
    """The zero behind the first high part, some places further on."""
    at = int(np.flatnonzero(unary == 0)[0])
    moved = np.delete(unary, at)
    return np.insert(moved, at + step, 0)


HOSTILE_COUNTS = {
    "no tags": lambda unary: unary * 0,
    "only tags": lambda unary: unary | 1,
    "one tag less": one_flipped(0),
    "one tag more": one_flipped(TOTAL + HIGH - 1),
    "a tag behind the last high part": lambda unary: np.roll(unary, 1),
    "padding": one_flipped(TOTAL + HIGH),
    "the last bit": one_flipped(135),
    "inverted": lambda unary: 1 - unary,
}
HOSTILE_ORDER = {
    "all in the first high part": lambda unary: first_zero(unary, TOTAL - 1 - int(unary.argmin())),
    "all in the last high part": lambda unary: first_zero(unary, -int(unary.argmin())),
    "one more in the first": lambda unary: first_zero(unary, 1),
    "one less in the first": lambda unary: first_zero(unary, -1),
    "half": lambda unary: first_zero(unary, -int(unary.argmin()) // 2),
}


@pytest.mark.parametrize("name", [*HOSTILE_COUNTS, *HOSTILE_ORDER])
def test_counts_that_are_not_those_of_the_tags_are_malformed(name):
    change = (HOSTILE_COUNTS | HOSTILE_ORDER)[name]
    hostile = np.packbits(change(counts()), bitorder="little").tobytes()
    assert len(hostile) == 17
    heard = run("tag_counts", "unary", hostile)
    # Counts that add up put a tag where the ones before it are above it.
    check_malformed(heard, RECEIVER, "TagBin" if name in HOSTILE_ORDER else "TagCounts")


# Tags


def tags() -> np.ndarray:
    """The honest low parts, ascending by tag."""
    return np.frombuffer(told(PLAIN, "tag_bin", "tags"), np.uint8).reshape(TOTAL, LOW)


def said_instead(rows: np.ndarray, bare: bool = True) -> Heard:
    return run("tag_bin", "tags", rows.tobytes(), bare=bare)


@pytest.mark.parametrize("at", [0, 1, 40, TOTAL - 2])
def test_two_tags_out_of_order_are_malformed(at):
    rows = tags().copy()
    rows[[at, at + 1]] = rows[[at + 1, at]]
    assert counts().argmin() != at + 1, "the two have one high part"
    check_malformed(said_instead(rows), RECEIVER, "TagBin")


@pytest.mark.parametrize("order", [slice(None, None, -1), np.roll(np.arange(TOTAL), 1)], ids=str)
def test_tags_in_another_order_are_malformed(order):
    check_malformed(said_instead(tags()[order].copy()), RECEIVER, "TagBin")


def names(heard: Heard) -> dict[str, int]:
    return learnt(heard.results[RECEIVER], OURS)


def test_a_tag_that_is_said_twice_makes_no_match_and_counts_once():
    """In place of its neighbour: a sender may leave elements out, but adds none by this."""
    results = 0
    for at in {*range(1, TOTAL, 6)} - {int(counts().argmin())}:
        rows = tags().copy()
        rows[at] = rows[at - 1]
        heard = said_instead(rows)
        if RECEIVER in heard.results:
            results += 1
            assert names(heard).items() <= PLAIN.right(RECEIVER).items()
        else:
            assert type(heard.errors[RECEIVER]) is DecoyMismatch
        assert said_instead(rows, bare=False).kinds <= {TranscriptMismatch, DecoyMismatch}
    assert results, "all tags of these were decoys'"


@pytest.mark.parametrize("at", [0, 64, 127])
def test_one_tag_for_all_is_a_decoy_mismatch(at):
    rows = np.repeat(tags()[at : at + 1], TOTAL, axis=0)
    heard = said_instead(rows)
    assert type(heard.errors[RECEIVER]) is DecoyMismatch


def test_random_tags_in_order_are_a_decoy_mismatch():
    """Seeds 0 to 4, sorted below each high part."""
    first = int(counts().argmin())
    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, 2**56, TOTAL, np.uint64)
        values = np.concatenate([np.sort(values[:first]), np.sort(values[first:])])
        rows = values.view(np.uint8).reshape(TOTAL, 8)[:, :LOW].copy()
        assert type(said_instead(rows).errors[RECEIVER]) is DecoyMismatch, seed


def test_a_low_part_with_more_bits_than_a_tag_is_malformed():
    """Of 64 x 64 elements, a tag has 55 bits and comes in 56."""
    options = {"ours": [], "theirs": [], "labels": (None, None), "exact": True}

    def above(k, role, data):
        message = Message.FromString(data)
        if message.WhichOneof("body") == "tag_bin":
            assert len(message.tag_bin.tags) == 64 * LOW
            assert message.tag_bin.tags[-1] < 128
            message.tag_bin.tags = message.tag_bin.tags[:-1] + b"\xff"
        return [(OTHER[role], message.SerializeToString(deterministic=True))]

    assert PLAIN.listen(**options).results[RECEIVER].cardinality == 0
    check_malformed(PLAIN.listen(above, **options), RECEIVER, "TagBin")


@pytest.mark.usefixtures("small_bins")
@pytest.mark.parametrize("name", ["tag_counts", "tag_bin", "masked_bin", "vole_request"])
def test_pieces_in_another_order_are_unexpected(name):
    """The second in place of the first, and a number that no run reaches."""
    author = RECEIVER if name in ("masked_bin", "vole_request") else SENDER
    field = {"tag_counts": "piece", "vole_request": "chunk"}.get(name, "bin")
    for number in (1, 2**32 - 1):
        seen = count()

        def renumber(k, role, data, number=number, seen=seen):
            message = Message.FromString(data)
            if message.WhichOneof("body") == name and next(seen) == 0:
                setattr(getattr(message, name), field, number)
            return [(OTHER[role], message.SerializeToString(deterministic=True))]

        heard = PLAIN.listen(renumber)
        assert {r: type(e) for r, e in heard.errors.items()} == {OTHER[author]: UnexpectedMessage}


@pytest.mark.parametrize("match", [*VOLE, CHECKED], ids=str)
def test_a_sender_that_knows_no_element_makes_no_match(match):
    """Every tag or entry that it has is its own; only the shared decoys are common."""
    heard = match.listen(theirs=[f"made up {i}" for i in range(6)])
    assert learnt(heard.results[RECEIVER], OURS) == {}
