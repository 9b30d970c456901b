"""The bytes of a run do not depend on how many are in common: not on the line, not in the books.

Below the floor of a ticket nobody is told how many there are. What both nodes said, message by
message, and what they write down of it, is then as long for none as for one or for many.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from test_books import Pair

from parties import asking, audit
from parties.answering import answers
from parties.books import Books
from parties.clearance import find
from parties.job import Job
from parties.jobs import Learnt
from parties.parting import padded
from parties.settings import Settings, Way
from parties.sources import ArrowSource
from parties.wire.v1 import job_pb2 as wire
from psi import PROTOCOLS, Meter, Side, converse
from psi.dialogue import HEAR, Dialogue

FLOOR = 5
SIZE = 40
"""Of both sets; 40 and the decoys are a size class."""
COMMON = (0, 1, FLOOR - 1, FLOOR, 12, SIZE)
"""How many are in common: below the floor, at it, and in two digits."""


class Run(NamedTuple):
    """What is seen of a run.

    Attributes:
        lengths: of all messages: whose it is, and how many bytes.
        books: bytes said and heard, as both nodes wrote them down.
        learnt: by the node that asks.
    """

    lengths: list[tuple[str, int]]
    books: list[tuple[int, int]]
    learnt: Learnt


class Watched(Pair):
    """Two nodes with as many plates each, and somebody who sees the length of what they say."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.allowed = tuple(PROTOCOLS)

    def settings(self, settings: Settings) -> Settings:
        peer = settings.peers[0]._replace(protocols=self.allowed)
        return settings._replace(peers=(peer,))

    def hold(self, common: int) -> None:
        """Gives both nodes their plates, of which so many are in common."""
        plates = [f"浙A{number:05}" for number in range(2 * SIZE - common)]
        numbers = [str(number) for number in range(SIZE)]
        self.claims = {"claim_no": numbers, "amount": numbers, "plate": plates[:SIZE]}
        self.records = {"record_no": numbers, "record_type": numbers, "plate": plates[-SIZE:]}

    def see(self, way: Way, protocol: str, common: int, *, both: bool) -> Run:
        self.hold(common)
        ours, theirs = self.settings(self.ours), self.settings(self.theirs)
        session, peer, sets = os.urandom(16).hex(), ours.peers[0], ours.sets(("plate",))
        job = Job(session, way, sets, we_receive=True, both_learn=both)
        source = ArrowSource(pa.table(self.claims), "claims")
        columns = asking.disclosed(source, peer.disclose) if job.we_disclose else ()
        prepared = asking.prepare(source, sets, columns, ours.node.results)
        clearance = find(ours, peer, job, datetime.now(UTC), ours=columns)
        asked = asking._converse(
            ours, peer, job, prepared, clearance, protocol, Books(ours), Meter()
        )
        answer = answers(theirs, ArrowSource(pa.table(self.records), "records"))
        lengths: list[tuple[str, int]] = []
        sides = watched(asked, "asks", lengths), watched(answer("insurer", session), "", lengths)
        (learnt,), _ = converse(*map(Side, sides))
        lines = (self.lines(each, "run_ended")[-1]["facts"] for each in (self.ours, self.theirs))
        books = [(line["said_bytes"], line["heard_bytes"]) for line in lines]
        return Run(lengths, books, learnt)


def watched(dialogue: Dialogue[Any], whose: str, lengths: list[tuple[str, int]]) -> Dialogue[Any]:
    """The same dialogue; how long its messages are is written down."""
    answer: bytes | None = None
    while True:
        try:
            want = dialogue.send(answer)
        except StopIteration as stop:
            return stop.value
        if want is not HEAR:
            lengths.append((whose, len(want) - signature(want)))
        answer = yield want


def signature(message: bytes) -> int:
    """Bytes of the signature in a receipt, which has 92 or 96, whatever is signed."""
    found = re.search(rb'"signature":"([^"]+)"', message)
    return len(found.group(1)) if found else 0


WAYS: list[tuple[Way, str, bool]] = [("count", "dh", False)]
WAYS += [("list", name, False) for name in PROTOCOLS]
WAYS += [("match", name, False) for name, protocol in PROTOCOLS.items() if protocol.labels]
WAYS += [
    (way, name, True)
    for way in ("list", "match")
    for name, protocol in PROTOCOLS.items()
    if protocol.labels
]
"""Every way of a run with whole sets, by every protocol that can; and whether both learn."""


@pytest.fixture
def nodes(tmp_path: Path) -> Watched:
    """Two nodes. What a length depends on beside the sets is as long in each run of theirs."""
    nodes = Watched(tmp_path)
    for settings in (nodes.ours, nodes.theirs):
        # A receipt says how many lines the log has: three digits in all of these runs.
        with closing(Books(settings)) as books, books.writing() as (connection, at):
            for _ in range(100):
                facts = {"peer": "x", "session": "ab" * 16, "code": "x"}
                audit.append(connection, at, "job_refused", facts)
    return nodes


@pytest.mark.parametrize(("way", "protocol", "both"), WAYS)
def test_what_is_said_of_a_run_is_as_long_whatever_is_in_common(
    nodes: Watched, way: Way, protocol: str, both: bool
) -> None:
    nodes.ticket(way, floor=FLOOR)
    runs = [nodes.see(way, protocol, common, both=both) for common in COMMON]
    for common, run in zip(COMMON, runs, strict=True):
        assert run.learnt.withheld == (common < FLOOR)
        assert run.learnt.cardinality == (None if common < FLOOR else common)
        assert run.learnt.chosen.protocol == protocol
        assert run.lengths == runs[0].lengths, common
        assert run.books == runs[0].books, common


@pytest.mark.parametrize("around", [100, 16_360, 16_383, 20_000])
@pytest.mark.parametrize("sets", [1, 64])
def test_a_receipt_is_as_long_whatever_counts_are_in_it(sets: int, around: int) -> None:
    lengths = set()
    for count in (None, 0, 9, 10, 12_345, (1 << 32) - 1):
        receipt = json.dumps([count] * sets).encode() + bytes(around)
        message = padded(receipt, [count] * sets)
        assert wire.Receipt.FromString(message).signed == receipt
        lengths.add(len(message))
    assert len(lengths) == 1
