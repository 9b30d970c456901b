"""What each side hears tells no more than it may: no repeats, no lengths, no hashes, no order.

Runs here draw their entropy from the operating system unless a test says otherwise; where a test
judges by chance, an honest run fails it with less than 2^-30.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256, sha512
from typing import TypeAlias

import numpy as np
import pytest
from reference import dh
from wiretap import (
    CHECKED,
    DH,
    PLAIN,
    RECEIVER,
    SEALED,
    SENDER,
    VOLE,
    Heard,
    Match,
    entropy,
    kind,
    listen,
    roles,
)

from psi import Elements, Labels, Output, Side
from psi._core import Key, dh_evaluate
from psi.parameters import Offer
from psi.protocols import PROTOCOLS
from psi.subprotocols.decoys import size_class
from psi.subprotocols.entries import forms
from psi.wire.v1 import messages_pb2 as wire

pytestmark = pytest.mark.usefixtures("small_bins")

Sets: TypeAlias = tuple[list[str], list[str]]
FRAMING = 32
"""More than the bytes of tags, lengths and numbers of any message; Hello has 6 fields."""


def values(heard: Heard) -> Iterator[bytes]:
    """All fields of bytes that were said, but for the parameters' digest, on which both agreed.

    And but for the counts of tags, whose bits are ones and few zeros in all runs.
    """
    for _, data in heard.messages:
        message = wire.Message.FromString(data)
        assert message.SerializeToString(deterministic=True) == data, "nothing else is said"
        name = message.WhichOneof("body")
        listed = [v for f, v in getattr(message, name).ListFields() if isinstance(v, bytes)]
        assert len(data) - sum(map(len, listed)) <= FRAMING
        if name != "tag_counts":
            yield from listed[1:] if name == "hello" else listed


def windows(heard: Heard, width: int) -> set[bytes]:
    return {v[at : at + width] for v in values(heard) for at in range(len(v) - width + 1)}


@pytest.mark.parametrize(
    ("match", "width"), [*((m, 8) for m in DH), (PLAIN, 10), (SEALED, 10), (CHECKED, 10)], ids=str
)
def test_two_runs_on_the_same_sets_share_no_eight_bytes(match, width):
    """Of VOLE-PSI no ten: its messages have 2^20 places, each with 2^-80 for each of as many."""
    first, again = (windows(match.listen(seeds=None), width) for _ in "12")
    assert len(first) > 5000
    assert not first & again


def sized(names: list[str], width: int, seed: int) -> Labels:
    block = np.frombuffer(entropy(seed).bytes(len(names) * width), np.uint8)
    return Labels(np.arange(len(names), dtype=np.uint32), block.reshape(len(names), width))


def listen_to(match: Match, sets: Sets, labels: tuple[Labels | None, Labels | None]) -> Heard:
    """A run under fresh entropy, whose sizes are classes; labels are told if `match` tells them."""
    ours, theirs = sets
    told = labels[0] if match.back else None, labels[1] if match.told else None
    return match.listen(ours=ours, theirs=theirs, labels=told, seeds=None, exact=False)


def shape(heard: Heard) -> list[tuple[object, str, int]]:
    """Who said what kind of message, of which length."""
    return [(role, kind(data), len(data)) for role, data in heard.messages]


def disjoint(n: int) -> Sets:
    return [f"x{i}" for i in range(n)], [f"y{i}" for i in range(n)]


def equal(n: int) -> Sets:
    return [f"x{i}" for i in range(n)], [f"x{i}" for i in range(n)]


def some(n: int) -> Sets:
    """As many, of which a part is common, in an order of chance."""
    rng = np.random.default_rng(n)
    return tuple([f"x{i}" for i in rng.permutation(2 * n)[:n]] for _ in "12")


def common(n: int, matches: int) -> Sets:
    """As many, of which so many are common."""
    return [f"x{i}" for i in range(n)], [f"x{i}" for i in range(n - matches, 2 * n - matches)]


EVERY_WAY = [
    *DH,
    Match("dh", Output.BOTH, back=False),
    *VOLE,
    Match("vole", Output.BOTH, back=False),
    Match("vole", Output.BOTH, told=False, back=False),
    Match("vole-stationary", Output.BOTH),
    Match("vole-stationary", Output.BOTH, told=False, back=False),
    CHECKED,
]
"""Whatever there is to learn, by whichever protocol, with and without records either way."""
every_way = pytest.mark.parametrize("match", EVERY_WAY, ids=str)


def test_every_output_of_every_protocol_is_listened_to():
    every = {(name, output) for name in PROTOCOLS for output in PROTOCOLS[name].outputs}
    assert {(match.protocol, match.output) for match in EVERY_WAY} == every


@every_way
def test_lengths_and_order_of_messages_do_not_depend_on_the_matches(match):
    """Also where both learn: below a ticket's floor neither operator is told how many there are."""
    seen = []
    for sets in (*(common(40, matches) for matches in (0, 1, 4, 40)), some(40)):
        for seed in (5, 6):
            labels = (sized(sets[0], 8, seed), sized(sets[1], 24, seed))
            seen.append(shape(listen_to(match, sets, labels)))
    assert all(other == seen[0] for other in seen)


@pytest.mark.parametrize("match", [m for m in EVERY_WAY if m.output is Output.BOTH], ids=str)
def test_lengths_do_not_depend_on_how_many_records_the_matches_have(match):
    """One identifier of the receiver has half of its records; it is in common, or it is not."""
    ours, theirs = [f"x{i}" for i in range(40)], [f"y{i}" for i in range(39)]
    positions = np.array([*range(40), *[7] * 40], np.uint32)
    labels = Labels(np.sort(positions), np.zeros((80, 8), np.uint8))
    runs = []
    for common_one in ("x6", "x7", "y39"):
        sets = ours, [*theirs, common_one]
        runs.append(listen_to(match, sets, (labels, sized(sets[1], 8, 6))))
    assert shape(runs[0]) == shape(runs[1]) == shape(runs[2])
    records = [run.results[SENDER].matches.records.tolist() for run in runs]
    assert records == [[1], [41] if match.back else [1], []]


@every_way
def test_lengths_of_messages_depend_on_size_classes_only(match):
    assert size_class(0) == size_class(64) != size_class(65)
    runs = []
    for ours, theirs in ((0, 64), (64, 1), (30, 30)):
        sets = disjoint(ours)[0], disjoint(theirs)[1]
        labels = (sized(sets[0], 8, 5), sized(sets[1], 16, 5))
        runs.append(shape(listen_to(match, sets, labels)))
    assert runs[0] == runs[1] == runs[2]
    sets = disjoint(65)
    labels = (sized(sets[0], 8, 5), sized(sets[1], 16, 5))
    larger = shape(listen_to(match, sets, labels))
    assert larger != runs[0]


@pytest.mark.parametrize("match", [m for m in EVERY_WAY if m.output is Output.BOTH], ids=str)
def test_what_goes_back_is_as_much_as_the_smaller_side_or_all_records(match):
    """As docs/protocols.md has its cost: entries of the smaller side, or of all records told."""
    for ours, theirs in ((300, 20), (20, 300)):
        sets = disjoint(ours)[0], disjoint(theirs)[1]
        labels = (sized(sets[0], 8, 5), sized(sets[1], 8, 6))
        heard = listen_to(match, sets, labels)
        said = b"".join(
            wire.Message.FromString(data).entry_bin.entries
            for data in heard.said(RECEIVER, "entry_bin")
        )
        receiver, sender = (
            Offer(h.role, h.elements, h.entries, h.label_width)
            for h in (
                wire.Message.FromString(heard.said(role)[0]).hello for role in (RECEIVER, SENDER)
            )
        )
        _, back = forms(receiver, sender, both=True)
        entries = size_class(ours if match.back else min(ours, theirs))
        assert len(said) == entries * back.width


@pytest.mark.parametrize("match", [*DH, PLAIN, SEALED, CHECKED], ids=str)
def test_no_element_identifier_hash_or_clear_label_is_said(match):
    ours = [f"sixteen bytes {i:02}" for i in range(20)]
    theirs = [f"sixteen bytes {i:02}" for i in range(10, 30)]
    labels = sized(ours, 16, 7), sized(theirs, 16, 8)
    heard = listen_to(match, (ours, theirs), labels)
    said = b"".join(data for _, data in heard.messages)
    names = [name.encode() for name in ours + theirs]
    secret = set(names)
    for names_ in (ours, theirs):
        block = Elements.hash(names_, "test").block
        secret |= {block[at : at + 32] for at in range(0, len(block), 32)}
    for hashed in (sha256, sha512):
        secret |= {hashed(value).digest() for value in set(secret)}
    secret |= {row.tobytes() for side in labels for row in side.block}
    for value in secret:
        assert value[:8] not in said


def shown_session(*hellos: bytes) -> bytes:
    """What a receiver shows of the session that these two words of greeting make."""
    said = (wire.Message.FromString(data).hello for data in hellos)
    framed = (
        dh.hello(h.parameters, h.nonce, h.role, h.elements, h.entries, h.label_width) for h in said
    )
    return sha256(b"greenlane/session/check" + dh.session_id(*framed)).digest()[:16]


def returned(seed: int, hello: bytes, blinded: list[bytes]) -> list[int]:
    """For each point that comes back from a count, the place at which it was asked."""
    _, sender = roles(Output.CARDINALITY, labels=(None, None), seeds=(1, seed))
    side = Side(sender.converse())
    session = shown_session(hello, *side.start())
    said = side.hear(hello)
    for bin, points in enumerate(blinded):
        body = wire.BlindedBin(bin=bin, points=points, session=session)
        said += side.hear(wire.Message(blinded_bin=body).SerializeToString())
    answers = b"".join(wire.Message.FromString(data).evaluated_bin.points for data in said)
    stream = entropy(seed)
    stream.bytes(64)  # its nonce and the seed of its decoys; then comes its key
    evaluated = dh_evaluate(b"".join(blinded), Key.draw(stream))
    asked = {evaluated[at : at + 32]: at // 32 for at in range(0, len(evaluated), 32)}
    return [asked[answers[at : at + 32]] for at in range(0, len(answers), 32)]


def test_the_order_of_a_counts_answers_tells_nothing_of_the_order_asked():
    """200 senders under seeds 2 to 201; every statistic may be off by six deviations (2^-29)."""
    heard = listen(Output.CARDINALITY, labels=(None, None))
    blinded = [
        wire.Message.FromString(data).blinded_bin.points
        for data in heard.said(RECEIVER, "blinded_bin")
    ]
    n, runs = sum(map(len, blinded)) // 32, 200
    orders = np.array(
        [returned(seed, heard.said(RECEIVER)[0], blinded) for seed in range(2, runs + 2)]
    )
    assert (np.sort(orders) == np.arange(n)).all(), "each comes back once"
    # Points that come back where they were asked: 1 a run, with variance 1.
    fixed = int((orders == np.arange(n)).sum())
    assert abs(fixed - runs) < 6 * runs**0.5, f"{fixed} in {runs} runs"
    # Neighbours that stay neighbours: n - 1 pairs a run, each with 1/n.
    pairs = int((np.diff(orders) == 1).sum())
    assert abs(pairs - runs) < 6 * runs**0.5, f"{pairs} in {runs} runs"
    # Rank correlation of a run has mean 0 and variance 1 / (n - 1).
    correlation = np.mean([np.corrcoef(order, np.arange(n))[0, 1] for order in orders])
    assert abs(correlation) < 6 / ((n - 1) * runs) ** 0.5, f"{correlation}"
    # Each place is asked from everywhere: means of uniform numbers below n, variance (n^2 - 1)/12.
    means = np.abs(orders.mean(axis=0) - (n - 1) / 2)
    assert means.max() < 6.5 * ((n * n - 1) / 12 / runs) ** 0.5, f"{means.max()}"


def test_answers_to_a_match_come_in_the_order_asked():
    """So that the receiver, who drew that order, knows which is which."""
    heard = listen(Output.RECEIVER)
    stream = entropy(2)
    stream.bytes(64)
    key = Key.draw(stream)
    asked, answers = (
        b"".join(getattr(wire.Message.FromString(m), name).points for m in heard.said(role, name))
        for role, name in ((RECEIVER, "blinded_bin"), (SENDER, "evaluated_bin"))
    )
    assert answers == dh_evaluate(asked, key)
