"""What two nodes say around a count tells of no item: two counts of other sets are told alike.

`tests/dialogues/test_count_simulator.py` has the dialogue itself, set by set. Around it stand the
messages of the job. All their fields are listed here: those that whoever knows sizes and the ticket
could have written, which must be equal, and those that are random to who lacks a key, or a clock's.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from test_books import Pair

from parties.wire.v1 import job_pb2 as wire
from psi import Side, converse
from psi.dialogue import HEAR, Dialogue

HIDDEN = {
    "inputs",  # commitments: keyed digests of the sets
    "insurer_input",  # the same
    "police_input",
    "transcript",  # a digest of what both have said
    "session",  # drawn by the caller
    "place",  # where the signer's own log ends: a number of lines and a salted hash
    "signature",
    "padding",  # zeros, of a length that follows from that of the receipt
    "started",
    "ended",
}
"""Fields that are random, or a clock's, and told of in docs/threat-model.md."""


def told(dialogue: Dialogue[Any], said: list[bytes]) -> Dialogue[Any]:
    """The same dialogue; what it says is kept."""
    answer: bytes | None = None
    while True:
        try:
            want = dialogue.send(answer)
        except StopIteration as stop:
            return stop.value
        if want is not HEAR:
            said.append(want)
        answer = yield want


def values(message: Message) -> Any:
    """A message as plain values, with receipts opened, and without what is hidden."""
    known = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.name == "signed":
            known[field.name] = shown(json.loads(value))
        elif field.name not in HIDDEN:
            known[field.name] = str(value)
    return known


def shown(value: Any) -> Any:
    """A receipt without what is hidden."""
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items() if name not in HIDDEN}
    return [shown(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def nodes(tmp_path: Path) -> Pair:
    nodes = Pair(tmp_path)
    nodes.ticket("count", "match", floor=2)
    return nodes


def count(nodes: Pair, letter: str, common: int) -> tuple[list[Any], list[bytes]]:
    """What is said around a count of sets of their own; and the commitments to them."""
    ours, theirs = [f"浙{letter}{n:05}" for n in range(9)], [f"粤{letter}{n:05}" for n in range(5)]
    plates = {"claims": ours, "records": ours[:common] + theirs[common:]}
    nodes.claims, nodes.records = (
        {name: list(map(str, range(len(column)))) for name in names} | {"plate": column}
        for names, column in (
            (("claim_no", "amount"), plates["claims"]),
            (("record_no", "record_type"), plates["records"]),
        )
    )
    asked, answered = list[bytes](), list[bytes]()
    sides = nodes.dialogues("count", session=os.urandom(16).hex())
    converse(Side(told(sides[0], asked)), Side(told(sides[1], answered)))
    proposal, acceptance = (
        kind.FromString(said[0])
        for kind, said in ((wire.Proposal, asked), (wire.Acceptance, answered))
    )
    choice, *receipts = (
        kind.FromString(said)
        for kind, said in (
            (wire.Choice, asked[1]),
            (wire.Receipt, asked[-1]),
            (wire.Receipt, answered[-1]),
        )
    )
    messages = [proposal, acceptance, choice, *receipts]
    return [values(each) for each in messages], [*proposal.inputs, *acceptance.inputs]


def test_two_counts_of_other_sets_are_told_alike(nodes: Pair) -> None:
    (first, inputs), (second, others) = count(nodes, "A", 3), count(nodes, "B", 3)
    assert first == second
    assert len({*inputs, *others}) == 4, "other sets, and sides, have other commitments"
    below, _ = count(nodes, "C", 1)
    assert below == first, "nor is it told whether the number is withheld"


def test_nothing_but_that_a_set_is_the_same_is_told_of_it(nodes: Pair) -> None:
    """Under one ticket; another has keys of its own."""
    first, again = count(nodes, "A", 3)[1], count(nodes, "A", 3)[1]
    assert first == again
    nodes.ticket("count")
    other = count(nodes, "A", 3)[1]
    assert not {*first} & {*other}
    assert [len(each) for each in other] == [32, 32]
