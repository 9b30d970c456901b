"""One flipped bit in any message of a whole job, behind TLS, never ends in a wrong result.

Two nodes converse in memory, from the proposal to the last digest; on the line between them one bit
of one message changes. One of them, or both, must end with an error that has a name; whoever ends
with a result must have the right one, which is compared with a plain join in Python.
"""

from __future__ import annotations

import csv
import secrets
import sys
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from parties import answering, asking, logs
from parties.answering import answers
from parties.books import Books
from parties.clearance import find
from parties.errors import PartyError
from parties.identifiers import domain as domain_of
from parties.jobs import Learnt
from parties.settings import IdentifierSettings
from psi import Meter, Side, _core
from psi.errors import PeerError, PsiError

sys.path.append(str(Path(__file__).parents[2] / "examples"))

from twin import make_twin

SETS = {
    "person": ("resident_id", ["insured_id", "driver_id"], ["person_id"]),
    "plate": ("plate", ["plate"], ["plate"]),
}
DISCLOSED = {"insurer": ["claim_no", "amount"], "police": ["record_no", "record_type"]}
Rows = list[dict[str, str]]


@dataclass
class Line:
    """What passed between the caller (0) and the answering node (1), and how they ended."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    results: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, Exception] = field(default_factory=dict)


@dataclass
class Job:
    """A way to ask, between two nodes whose rows are a few of a twin's."""

    settings: tuple[Any, Any]
    rows: tuple[Rows, Rows]
    job: Any
    prepared: Any
    told: list[list[Learnt]]
    """What the answering node has learnt, job by job."""

    def run(self, flip: tuple[int, int, int] | None = None) -> Line:
        """Runs the job; `flip` is number of the message, byte and bit."""
        session = secrets.token_hex(16)
        ours, theirs = self.settings
        self.told.clear()
        job = self.job._replace(session=session)
        columns = self.prepared.columns
        clearance = find(ours, ours.peers[0], job, datetime.now(UTC), ours=columns)
        caller = asking._converse(
            ours, ours.peers[0], job, self.prepared, clearance, None, Books(ours), Meter()
        )
        sides = [Side(caller), Side(answers(theirs)("insurer", session))]
        line = Line()
        waiting = deque((who, said) for who, side in enumerate(sides) for said in side.start())
        while waiting:
            who, said = waiting.popleft()
            if flip and flip[0] == len(line.messages):
                changed = bytearray(said)
                changed[flip[1]] ^= 1 << flip[2]
                said = bytes(changed)
            line.messages.append((who, said))
            other = 1 - who
            if other in line.errors or sides[other].finished:
                continue
            try:
                waiting.extend((other, reply) for reply in sides[other].hear(said))
            except (PsiError, PartyError) as error:
                line.errors[other] = error
        for who, side in enumerate(sides):
            side._dialogue.close()  # one that waits for ever still has its session folder
            if side.finished:
                learnt = side.result if who == 0 else (self.told[0] if self.told else None)
                line.results[who] = learnt and [shown(each) for each in learnt]
        return line

    def truth(self, who: int) -> Any:
        """What a plain join of both sides' rows says this side learns."""
        if self.job.way == "count":
            return [len(join(self.rows, name, 0)) for name in SETS] if who == 0 else None
        return [join(self.rows, name, who) for name in SETS]


def shown(learnt: Learnt) -> Any:
    """What was learnt, as a plain join would say it."""
    if learnt.hits is None:
        return learnt.cardinality
    hits, result, start = learnt.hits, {}, 0
    assert hits.their_records is not None
    assert hits.records is not None
    told = [tuple(str(cell) for cell in row.values()) for row in hits.records.to_pylist()]
    own_records = hits.own_records.to_pylist()
    places = zip(hits.positions.to_pylist(), own_records, hits.their_records, strict=True)
    for place, own, their in places:
        element = hits.own.elements[place]
        result[element] = (own, Counter(told[start : start + their]))
        start += their
    return result


def join(rows: tuple[Rows, Rows], name: str, who: int) -> dict[bytes, tuple[int, Counter[Any]]]:
    """A plain join: element -> own rows that name it, and the other's columns for it."""
    kind, *columns = SETS[name]
    own, their = (named(rows[side], kind, columns[side]) for side in (who, 1 - who))
    disclosed = DISCLOSED["police" if who == 0 else "insurer"]
    return {
        element: (
            len(own[element]),
            Counter(tuple(row[column] for column in disclosed) for row in their[element]),
        )
        for element in own.keys() & their.keys()
    }


def named(rows: Rows, kind: str, columns: list[str]) -> dict[bytes, Rows]:
    found: dict[bytes, Rows] = defaultdict(list)
    for row in rows:
        cells = pa.array([row[column] or None for column in columns], pa.large_string())
        values, _, _ = _core.normalise(kind, cells)
        domain = domain_of(IdentifierSettings("", kind, (("any",),)))
        kept = pa.array(values).drop_null()
        block = _core.hash_elements(kept, domain)
        for element in {block[32 * at : 32 * (at + 1)] for at in range(len(kept))}:
            found[element].append(row)
    return found


def read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def some(rows: Rows, other: Rows, side: int) -> Rows:
    """Eight rows that meet the other side by person, four by plate, and six of any kind."""
    picked = []
    for (kind, *columns), count in zip(SETS.values(), (8, 4), strict=True):
        theirs = named(other, kind, columns[1 - side]).keys()
        meets = [row for row in rows if named([row], kind, columns[side]).keys() & theirs]
        picked += meets[:count]
    return [row for row in rows if row in picked] + rows[:6]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Rows]:
    made = make_twin(tmp_path_factory.mktemp("twin"), 1000, 500, 5, "csv", overlap=0.05)
    claims, records = read(made.claims), read(made.records)
    few = some(claims, records, 0)
    return few, some(records, few, 1)


@pytest.fixture(params=["match", pytest.param("count", marks=pytest.mark.study)])
def job(request: pytest.FixtureRequest, two: Any, rows: tuple[Rows, Rows], monkeypatch: Any) -> Job:
    settings = []
    for party, own in zip((two.insurer, two.police), rows, strict=True):
        with party.rows.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, own[0].keys())
            writer.writeheader()
            writer.writerows(own)
        loaded = party.settings
        sets = tuple(each for each in loaded.identifiers if each.name in SETS)
        settings.append(
            loaded._replace(identifiers=sets, node=loaded.node._replace(pad_sizes=False))
        )
    logs.set_up(two.folder / "greenlane.log")
    ours, theirs = settings
    way = request.param
    asked = asking.Job("", way, ours.identifiers, we_receive=True, both_learn=way == "match")
    source = asking.open_source(ours.source)
    columns = asking.disclosed(source, ours.peers[0].disclose) if way == "match" else ()
    prepared = asking.prepare(source, ours.identifiers, columns, two.folder)
    told: list[list[Learnt]] = []

    def deliver(learnt: list[Learnt], *_: Any) -> int:
        told.append(learnt)
        return 0

    monkeypatch.setattr(answering, "deliver", deliver)
    return Job((ours, theirs), rows, asked, prepared, told)


def places(message: bytes) -> set[int]:
    """First, last and middle byte, and each byte at which a protobuf field begins or ends."""
    return {0, len(message) // 2, len(message) - 1} | (fields(message, 0, len(message)) or set())


def fields(message: bytes, start: int, end: int) -> set[int] | None:
    """Places of fields and of those within them; None if this is no protobuf message."""
    found = set[int]()
    at = start
    while at < end:
        found.add(at)
        tag, at = varint(message, at, end)
        if at < 0 or not tag >> 3:
            return None
        if tag & 7 == 0:
            found.add(at)
            _, at = varint(message, at, end)
            if at < 0:
                return None
        elif tag & 7 == 2:
            found.add(at)
            length, at = varint(message, at, end)
            if at < 0 or at + length > end:
                return None
            if length:
                found |= {at, at + length - 1} | (fields(message, at, at + length) or set())
            at += length
        else:
            return None
    return {min(place, end - 1) for place in found}


def varint(message: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and the place behind it, or -1."""
    number = shift = 0
    while at < end and shift < 64:
        number |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 0x80:
            return number, at
    return 0, -1


def test_a_flipped_bit_anywhere_in_a_job_is_an_error_and_never_a_wrong_result(job: Job) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    draw = np.random.default_rng(seed)
    honest = job.run()
    assert honest.errors == {}
    assert honest.results == {0: job.truth(0), 1: job.truth(1)}
    if job.job.way == "match":
        assert all(len(each) > 2 for each in job.truth(0))
    # Sizes and fields are the same each time; the contents, which are random, are not.
    kinds = Counter[str]()
    for number, (_, message) in enumerate(honest.messages):
        for place in sorted(places(message)):
            line = job.run((number, place, int(draw.integers(8))))
            where = f"message {number}, byte {place} of {len(message)}"
            assert line.errors, f"{where}: nobody noticed"
            for who, learnt in line.results.items():
                assert learnt == job.truth(who), f"{where}: a wrong result"
            for error in line.errors.values():
                assert isinstance(error, PeerError | PartyError), where
            kinds.update({type(error).__name__ for error in line.errors.values()})
    print(dict(kinds))
    assert sum(kinds.values()) > 100
    assert {"MalformedMessage", "TranscriptMismatch", "PeerIncompatible"} <= kinds.keys()
