"""What two nodes write down of a run: charged before, receipts after, the stages in order."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tabled import rows

from parties import asking, commitments
from parties.answering import answers
from parties.audit.comparing import compare
from parties.audit.exported import ExportedLog
from parties.audit.exporting import announce, export
from parties.audit.reading import StoredLog
from parties.audit.showing import lines_of
from parties.audit.verifying import verify
from parties.books import Books
from parties.clearance import find
from parties.credentials import Identity, read_certificates, read_credentials
from parties.errors import PartyError, TicketRefused, code_of
from parties.founding import FILE, found, introduce
from parties.identifiers.rejects import NAME
from parties.job import Job
from parties.jobs import Learnt
from parties.refusals import Refusal
from parties.reports import set_reports
from parties.settings import Settings
from parties.settings_file import load
from parties.sources import ArrowSource
from parties.store import Store
from parties.tickets import SignedTicket, Way
from parties.tickets.files import write_ticket
from parties.tickets.trial import make_trial
from psi import Dialogue, Meter, PsiError, Side, converse

CLAIMS = {
    "claim_no": ["c1", "c2", "c3"],
    "amount": [1, 2, 3],
    "plate": ["浙A12345", "粤B00001", "京C99999"],
}
RECORDS = {"record_no": ["r1", "r2"], "record_type": ["a", "b"], "plate": ["浙A12345", "沪D11111"]}
SESSION = "ab" * 16


class Pair:
    """An insurer that asks and a police node that answers, in memory, about plates."""

    def __init__(self, folder: Path) -> None:
        for name, role in (("A", "insurer"), ("B", "police")):
            found(folder / name, role, role, "127.0.0.1:1")  # type: ignore[arg-type]
        self.files = [folder / name / FILE for name in "AB"]
        introduce(*self.files)
        for file in self.files:
            text = file.read_text(encoding="utf-8")
            text = text.replace('may = ["count", "match"]', 'may = ["count", "list", "match"]')
            file.write_text(text, encoding="utf-8")
        self.claims: dict[str, Any] = dict(CLAIMS)
        self.records: dict[str, Any] = dict(RECORDS)
        self.ours.node.results.mkdir()

    @property
    def ours(self) -> Settings:
        return load(self.files[0])

    @property
    def theirs(self) -> Settings:
        return load(self.files[1])

    def ticket(self, *ways: Way, **changes: Any) -> Path:
        """A ticket for these ways, and no other in the folder."""
        folder = self.ours.tickets.folder
        for path in folder.glob("*.json"):
            path.unlink()
        signed = make_trial(self.ours, self.theirs, datetime.now(UTC), ways, **changes)
        write_ticket(folder / "ticket.json", signed)
        return folder / "ticket.json"

    def dialogues(
        self, way: Any, session: str = "", ours: Settings | None = None
    ) -> tuple[Dialogue[list[Learnt]], Dialogue[None]]:
        """Both sides of a run."""
        settings, session = ours or self.ours, session or os.urandom(16).hex()
        (spec,) = sets = settings.sets(("plate",))
        source, peer = ArrowSource(pa.table(self.claims), "claims"), settings.peers[0]
        job = Job(session, way, sets, we_receive=True)
        clearance = find(settings, peer, job, datetime.now(UTC))
        key = commitments.key_of(settings, clearance.verified.digest)
        prepared = asking.prepare(
            source, (spec,), (), settings.node.results, we_learn=True, key=key
        )
        books, meter = Books(settings), Meter()
        asked = asking._converse(settings, peer, job, prepared, clearance, "dh", books, meter)
        answer = answers(self.theirs, ArrowSource(pa.table(self.records), "records"))
        return asked, answer("insurer", session)

    def learn(self, way: Any, **options: Any) -> Learnt:
        """What the insurer learns."""
        (learnt,) = converse(*map(Side, self.dialogues(way, **options)))[0]
        assert isinstance(learnt, Learnt)
        return learnt

    def run(self, way: Any, **options: Any) -> int:
        """How many both have."""
        found = self.learn(way, **options).cardinality
        assert found is not None
        return found

    def lines(self, settings: Settings, *events: str) -> list[dict[str, Any]]:
        with opened(settings) as store, store.reading() as connection:
            return list(lines_of(connection, events=events))


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    with closing(Store(settings.store.url)) as store:
        yield store


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def exported(settings: Settings, path: Path) -> Path:
    credentials = read_credentials(Identity(settings.node.certificate, settings.node.key))
    with opened(settings) as store:
        with store.writing() as connection:
            now, name = store.now(connection), settings.node.name
            announce(connection, now, name, credentials, "jsonl", None, None)
        with store.reading() as connection:
            export(connection, path, None, None, "jsonl")
    return path


# --- receipts


def test_both_nodes_hold_both_receipts_and_their_logs_agree(pair: Pair, tmp_path: Path) -> None:
    assert pair.run("count") == 1
    assert pair.run("match") == 1
    for settings in (pair.ours, pair.theirs):
        certificate = read_certificates(settings.node.certificate)[0]
        with opened(settings) as store, store.reading() as connection:
            report = verify(StoredLog(connection), certificate)
        assert report.findings == ()
        assert report.receipts == 4
        events = [line["event"] for line in pair.lines(settings)]
        assert events.count("run_begun") == events.count("run_ended") == 2
        (told,) = pair.lines(settings, "disclosure")
        assert told["facts"]["columns"] == ["record_no", "record_type"]
    files = [exported(each, tmp_path / each.node.name) for each in (pair.ours, pair.theirs)]
    comparison = compare(*map(ExportedLog, files))
    assert comparison.holds
    assert comparison.as_json()["findings"] == []


def test_a_run_names_the_line_that_says_how_its_stage_was_decided(pair: Pair) -> None:
    ticket = SignedTicket.decode(pair.ticket("count", "match").read_bytes()).ticket
    assert [pair.run(way) for way in ("count", "match", "match")] == [1, 1, 1]
    for settings in (pair.ours, pair.theirs):
        (came,) = pair.lines(settings, "ticket_received")
        assert came["facts"] == {
            "ticket": ticket.id,
            "digest": ticket.digest,
            "peer": settings.peers[0].name,
            "purpose": ticket.purpose,
        }
        decided = pair.lines(settings, "stage_decided")
        assert [(each["facts"]["way"], each["facts"]["stage"]) for each in decided] == [
            ("count", "run"),
            ("match", "disclosure"),
        ]
        assert [len(each["facts"]["signatures"]) for each in decided] == [4, 8]
        begun = [each["facts"]["decision"] for each in pair.lines(settings, "run_begun")]
        assert begun == [decided[0]["number"], decided[1]["number"], decided[1]["number"]]


def test_a_ticket_that_came_stands_in_the_log_also_if_its_run_is_refused(pair: Pair) -> None:
    pair.ticket("count", "match")
    with pytest.raises(Refusal) as refused:
        pair.run("match")
    assert refused.value.code == "ticket-stage"
    assert len(pair.lines(pair.theirs, "ticket_received")) == 1
    assert pair.lines(pair.theirs, "stage_decided") == []


def test_only_who_learns_has_what_was_found_and_only_in_its_own_log(pair: Pair) -> None:
    pair.run("count")
    (ours,), (theirs,) = (pair.lines(each, "run_ended") for each in (pair.ours, pair.theirs))
    assert ours["facts"]["found"] == {"plate": 1}
    assert "found" not in theirs["facts"]
    assert ours["facts"]["said_bytes"] == theirs["facts"]["heard_bytes"] > 0
    assert ours["facts"]["ours"] == theirs["facts"]["theirs"] == {"plate": 128}


def flipping(dialogue: Dialogue[Any], at: int) -> Dialogue[Any]:
    """The same dialogue, of whose receipt a bit is changed on the way."""
    answer: bytes | None = None
    while True:
        try:
            want = dialogue.send(answer)
        except StopIteration as stop:
            return stop.value
        if isinstance(want, bytes) and b'{"certificate":' in want:
            changed = bytearray(want)
            changed[at] ^= 1
            want = bytes(changed)
        answer = yield want


@pytest.mark.parametrize("at", [0, 1, 40, 700, 1000, -200, -3])
def test_a_receipt_that_was_changed_is_refused_by_name(pair: Pair, at: int) -> None:
    asked, answered = pair.dialogues("count")
    with pytest.raises((PartyError, PsiError)) as refused:
        converse(Side(asked), Side(flipping(answered, at)))
    codes = ("receipt-malformed", "receipt-forged", "malformed-message")
    assert code_of(refused.value) in codes  # type: ignore[arg-type]
    assert pair.lines(pair.ours, "run_ended") != []
    assert [each["facts"]["signer"] for each in pair.lines(pair.ours, "receipt")] == ["ours"]


def test_a_run_that_breaks_stands_in_the_log_and_is_counted(pair: Pair) -> None:
    asked, answered = pair.dialogues("count")
    sides = Side(asked), Side(answered)
    (proposal,) = sides[0].start()
    sides[1].start()
    (acceptance,) = sides[1].hear(proposal)
    sides[0].hear(acceptance)
    for dialogue in (asked, answered):
        dialogue.close()
    for settings in (pair.ours, pair.theirs):
        (failed,) = pair.lines(settings, "run_failed")
        assert failed["facts"]["code"] == "given-up"
        assert pair.lines(settings, "run_ended") == []


# --- tickets


@pytest.mark.parametrize("forgets", ["neither", "ours", "theirs"])
def test_a_ticket_is_spent_on_both_nodes(pair: Pair, forgets: str) -> None:
    """A node that forgets what was used of it is stopped by the other."""
    pair.ticket("count", runs=2)
    for _ in range(2):
        assert pair.run("count") == 1
    if forgets != "neither":
        for file in getattr(pair, forgets).path.parent.glob("state.db*"):
            file.unlink()
    with pytest.raises(Refusal) as refused:
        pair.run("count")
    assert refused.value.code == "ticket-spent"


def test_a_run_is_not_answered_twice(pair: Pair) -> None:
    assert pair.run("count", session=SESSION) == 1
    with pytest.raises(Refusal) as refused:
        pair.run("count", session=SESSION)
    assert refused.value.code == "replayed"


def test_a_run_that_left_a_report_is_not_answered_twice(pair: Pair) -> None:
    pair.records["plate"] = [*pair.records["plate"][:-1], "no plate"]
    pair.run("count", session=SESSION)
    report = pair.theirs.node.results / SESSION / NAME
    before = report.read_bytes()
    for file in pair.ours.path.parent.glob("state.db*"):
        file.unlink()  # the asker forgets, or is not honest
    with pytest.raises(Refusal) as refused:
        pair.run("count", session=SESSION)
    assert refused.value.code == "replayed"
    assert report.read_bytes() == before
    (line,) = pair.lines(pair.theirs, "job_refused")
    assert (line["facts"]["code"], line["facts"]["session"]) == ("replayed", SESSION)


def test_books_are_closed_while_somebody_writes(pair: Pair) -> None:
    books, inside = Books(pair.theirs), threading.Event()

    def writes() -> None:
        with books.writing():
            inside.set()
            time.sleep(0.2)
            assert books.limits  # as what begins and ends a run asks for within its transaction

    with closing(books), ThreadPoolExecutor(2) as pool:
        writing = pool.submit(writes)
        inside.wait()
        pool.submit(books.close).result(timeout=5)
        writing.result(timeout=5)


def test_a_ticket_that_expires_while_it_is_asked_is_refused_by_the_stores_clock(
    pair: Pair,
) -> None:
    """The store's clock was ahead once: the ticket is over, whatever the machine says now."""
    pair.ticket("count")
    later = datetime.now(UTC) + timedelta(days=60)
    with (
        closing(Store(pair.theirs.store.url, machine_time=lambda: later)) as store,
        store.writing() as connection,
    ):
        store.now(connection)
    with pytest.raises(TicketRefused) as refused:
        pair.run("count")
    assert refused.value.code == "ticket-expired"


def test_who_has_used_up_a_ticket_is_told_nothing_of_our_sets(pair: Pair) -> None:
    pair.ticket("count", runs=1)
    assert pair.run("count") == 1
    pair.records["plate"] = ["no plate", "none"]  # of which nothing can be read
    with pytest.raises(Refusal) as refused:
        pair.run("count")
    assert refused.value.code == "ticket-spent"
    assert list(pair.theirs.node.results.glob("*")) == [], "and no report of rejects is left"


# --- stages


def test_a_match_follows_a_count_of_the_same_sets(pair: Pair) -> None:
    pair.ticket("count", "match")
    with pytest.raises(Refusal) as refused:
        pair.run("match")
    assert refused.value.code == "ticket-stage"
    assert pair.run("count") == 1
    assert pair.run("match") == 1
    assert pair.run("match") == 1


def test_all_three_stages_are_run_in_order_and_a_count_begins_anew(pair: Pair) -> None:
    pair.ticket("count", "list", "match")
    for early in ("list", "match"):
        with pytest.raises(Refusal, match="has not ended well"):
            pair.run(early)
    assert pair.run("count") == 1
    with pytest.raises(Refusal, match="match follows list"):
        pair.run("match")
    listed = pair.learn("list")
    assert listed.hits is not None
    assert listed.hits.records is None
    assert pair.run("match") == 1
    assert pair.run("count") == 1
    with pytest.raises(Refusal, match="match follows list"):
        pair.run("match")


@pytest.mark.parametrize("whose", ["claims", "records"])
def test_another_set_at_a_later_stage_is_refused_until_it_is_counted(
    pair: Pair, whose: str
) -> None:
    pair.ticket("count", "match")
    assert pair.run("count") == 1
    rows = getattr(pair, whose)
    rows["plate"] = [*rows["plate"][:-1], "湘E22222"]
    with pytest.raises(Refusal) as refused:
        pair.run("match")
    assert refused.value.code == "ticket-other-input"
    assert pair.run("count") == 1
    assert pair.run("match") == 1


def test_rows_in_another_order_are_the_same_set(pair: Pair) -> None:
    pair.ticket("count", "match")
    assert pair.run("count") == 1
    pair.claims = {name: values[::-1] for name, values in pair.claims.items()}
    assert pair.run("match") == 1


def test_who_says_the_old_commitment_of_another_node_is_refused_by_the_other(pair: Pair) -> None:
    """A commitment is under a key of one node and one ticket: nothing else has it."""
    pair.ticket("count", "match")
    pair.run("count")
    key = pair.ours.tickets.folder / commitments.FILE
    assert key.stat().st_mode & 0o077 == 0
    key.write_bytes(os.urandom(32))
    with pytest.raises(Refusal) as refused:
        pair.run("match")
    assert refused.value.code == "ticket-other-input"


def test_a_broken_count_is_no_stage(pair: Pair) -> None:
    pair.ticket("count", "match")
    asked, answered = pair.dialogues("count")
    sides = Side(asked), Side(answered)
    (proposal,) = sides[0].start()
    sides[1].start()
    sides[0].hear(sides[1].hear(proposal)[0])
    for dialogue in (asked, answered):
        dialogue.close()
    with pytest.raises(Refusal) as refused:
        pair.run("match")
    assert refused.value.code == "ticket-stage"


def test_what_is_kept_of_stages_is_commitments_alone(pair: Pair) -> None:
    pair.ticket("count", "match")
    pair.run("count")
    with opened(pair.theirs) as store, store.reading() as connection:
        (row,) = rows(connection, "stages")
    assert (row.way, row.set) == ("count", "plate")
    assert (len(row.ours), len(row.theirs)) == (32, 32)
    assert row.ours != row.theirs
    assert isinstance(SignedTicket.decode(pair.ticket("count").read_bytes()), SignedTicket)


# --- the floor


@pytest.mark.parametrize("way", ["count", "match"])
@pytest.mark.parametrize(("floor", "common"), [(1, 0), (2, 0), (2, 1), (3, 2), (1, 1), (2, 2)])
def test_below_the_floor_nothing_is_told_whatever_it_is(
    pair: Pair, way: Way, floor: int, common: int
) -> None:
    pair.ticket(way, floor=floor)
    pair.records["plate"] = [*pair.claims["plate"][:common], *["沪D11111", "沪D22222"][common:]]
    learnt = pair.learn(way)
    (line,) = pair.lines(pair.ours, "run_ended")
    assert learnt.withheld == (common < floor)
    if common < floor:
        assert (learnt.cardinality, learnt.hits) == (None, None)
        assert "found" not in line["facts"]
    else:
        assert learnt.cardinality == common
        assert line["facts"]["found"] == {"plate": common}
    assert "found" not in pair.lines(pair.theirs, "run_ended")[0]["facts"]


def test_what_is_below_the_floor_is_reported_the_same_whatever_it_is(pair: Pair) -> None:
    pair.ticket("count", floor=3)
    reports = []
    for common in (0, 1, 2):
        pair.records["plate"] = [*pair.claims["plate"][:common], *["沪D11111", "沪D22222"][common:]]
        reports.append(set_reports([pair.learn("count")]))
    assert reports[0] == reports[1] == reports[2]
    assert reports[0][0].withheld
