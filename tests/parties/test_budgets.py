"""Budgets that both nodes keep: what costs a run, what is counted of elements, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from green import Pair as Holder
from tabled import rows
from test_books import Pair, opened

from parties import audit
from parties.audit.showing import lines_of
from parties.errors import PeerRefused, PeerUnreachable, SettingsError, TicketRefused
from parties.inquiring import inquire
from parties.limits import Limits
from parties.refusals import Refusal
from parties.runs import DAILY_SETS
from parties.settings import Settings
from parties.settings_file import load
from parties.store import Store
from parties.tickets import SignedTicket, trial
from parties.tickets.drafting import draft
from parties.tickets.ticket import Ticket
from psi import Dialogue, Meter, Side, converse

CLASS = 128
"""Of the smallest sets, as they are shown."""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


@contextmanager
def tickets_with(**changes: Any) -> Iterator[None]:
    """Trial tickets that are drafted within the block have these entries."""

    def drafted(*of: Any) -> Ticket:
        return draft(*of)._replace(**changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "draft", drafted)
        yield


def refused(pair: Pair, way: str, **options: Any) -> str:
    with pytest.raises((Refusal, TicketRefused)) as refusal:
        pair.run(way, **options)
    return refusal.value.code


def asked(settings: Settings, peer: str, **of: Any) -> int:
    with closing(Limits(Store(settings.store.url))) as limits:
        return limits.asked(peer, **of)


def spent(settings: Settings) -> list[tuple[int, int]]:
    with opened(settings) as store, store.reading() as connection:
        return [(row.runs, row.inquiries) for row in rows(connection, "spent")]


def forget(settings: Settings) -> None:
    for file in settings.path.parent.glob("state.db*"):
        file.unlink()


def allow(pair: Pair, which: int, line: str) -> None:
    """Adds an entry to what a node says of its peer."""
    path = pair.files[which]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("\nmay = ", f"\n{line}\nmay = "), encoding="utf-8")


# --- what costs a run


@pytest.mark.parametrize("whose", ["claims", "records"])
def test_to_find_out_whether_a_set_has_changed_costs_a_run(pair: Pair, whose: str) -> None:
    pair.ticket("count", "match", runs=3)
    assert pair.run("count") == 1
    changed = getattr(pair, whose)
    changed["plate"] = [*changed["plate"][:-1], "湘E22222"]
    for _ in range(2):
        assert refused(pair, "match") == "ticket-other-input"
    assert spent(pair.theirs) == [(3, 0)]
    assert refused(pair, "match") == "ticket-spent"
    lines = pair.lines(pair.theirs, "run_begun", "run_ended", "run_failed", "job_refused")
    (begun, ended), *tried, last = [lines[:2], lines[2:5], lines[5:8], lines[8:]]
    assert [each["event"] for each in (begun, ended)] == ["run_begun", "run_ended"]
    for each in tried:
        assert [line["event"] for line in each] == ["run_begun", "run_failed", "job_refused"]
        assert {line["facts"].get("code") for line in each[1:]} == {"ticket-other-input"}
    assert [line["facts"]["code"] for line in last] == ["ticket-spent"]


def test_to_find_out_that_a_set_is_larger_than_allowed_costs_a_run(pair: Pair) -> None:
    with tickets_with(max_elements={"insurer": 9, "police": 1}):
        pair.ticket("count", runs=2)
    for _ in range(2):
        assert refused(pair, "count") == "ticket-too-large"
    assert refused(pair, "count") == "ticket-spent"


def test_what_says_nothing_of_a_set_costs_nothing(pair: Pair) -> None:
    pair.ticket("count", "match", runs=1)
    assert refused(pair, "match") == "ticket-stage"
    assert spent(pair.theirs) == spent(pair.ours) == []
    assert pair.run("count") == 1


# --- elements of runs


def test_both_nodes_count_the_elements_of_who_learns(pair: Pair) -> None:
    pair.run("count")
    pair.run("match")
    assert asked(pair.ours, "police", way="count", whose="ours") == 2 * CLASS
    assert asked(pair.theirs, "insurer", way="count", whose="theirs") == 2 * CLASS
    assert asked(pair.ours, "police", way="count", whose="theirs") == 0
    assert asked(pair.theirs, "insurer", way="count", whose="ours") == 0
    for settings, whose in ((pair.ours, "ours"), (pair.theirs, "theirs")):
        with opened(settings) as store, store.reading() as connection:
            brought = rows(connection, "brought")
        assert [(row.whose, row.set, row.elements) for row in brought] == [
            (whose, "plate", CLASS)
        ] * 2


def test_a_day_bounds_what_a_partner_brings_and_the_run_is_counted(pair: Pair) -> None:
    allow(pair, 1, f"daily_elements = {2 * CLASS}")
    pair.ticket("count", runs=9)
    for _ in range(2):
        assert pair.run("count") == 1
    assert refused(pair, "count") == "over-limit"
    assert spent(pair.theirs) == [(3, 0)]
    assert asked(pair.theirs, "insurer", way="count") == 2 * CLASS
    failed = pair.lines(pair.theirs, "run_failed")
    assert [line["facts"]["code"] for line in failed] == ["over-limit"]


def test_without_an_entry_a_day_is_ten_of_the_largest_sets(pair: Pair) -> None:
    allow(pair, 1, "max_elements = 64")
    pair.ticket("count", runs=20)
    for _ in range(DAILY_SETS):
        assert pair.run("count") == 1
    assert refused(pair, "count") == "over-limit"


# --- our own operators


def test_a_node_keeps_to_the_inquiries_of_a_ticket_with_a_partner_that_does_not(
    passphrase: None, tmp_path: Path
) -> None:
    pair = holding(tmp_path)
    pair.changes["daily_inquiries"] = 9999
    pair.prepare("plate")
    plates, ticket = {"plate": ["浙A12345", "粤BD12345"]}, tmp_path / "ticket.json"
    with pair.serving() as police, tickets_with(inquiries=3):
        signed = trial.make_trial(pair.insurer, police, datetime.now(UTC), ("inquire",))
        ticket.write_bytes(signed.encode())
        assert inquire(police, "insurer", plates, Meter(), ticket).told
    forget(pair.insurer)
    with pair.serving() as police:
        with pytest.raises(Refusal) as refusal:
            inquire(police, "insurer", plates, Meter(), ticket)
        assert refusal.value.code == "ticket-spent"
    assert spent(police) == [(0, 2)]
    assert asked(police, "insurer", whose="ours") == 2


def test_an_inquiry_that_was_not_answered_is_not_counted_where_it_was_asked(
    passphrase: None, tmp_path: Path
) -> None:
    pair = holding(tmp_path)
    pair.changes["daily_inquiries"] = 1
    pair.prepare("plate")
    with pair.serving() as police, pytest.raises(PeerRefused):
        inquire(police, "insurer", {"plate": ["浙A12345", "粤BD12345"]}, Meter())
    gone = police.peers[0]._replace(address="127.0.0.1:1")
    with pytest.raises(PeerUnreachable):
        inquire(police._replace(peers=(gone,)), "insurer", {"plate": ["浙A12345"]}, Meter())
    assert asked(police, "insurer", whose="ours") == 0
    assert spent(police) == [(0, 0)]
    with pair.serving() as police:
        assert inquire(police, "insurer", {"plate": ["浙A12345"]}, Meter()).told
    events = ("inquiry_asked", "inquiry_not_answered", "job_refused")
    with opened(police) as store, store.reading() as connection:
        lines = list(lines_of(connection, events=events))
        assert rows(connection, "inquiries") == [], "no receipt is due of what was not answered"
    sessions = list(dict.fromkeys(line["facts"]["session"] for line in lines))
    told = [[each["event"] for each in lines if each["facts"]["session"] == s] for s in sessions]
    was_refused, unreachable, answered = told
    assert was_refused == ["inquiry_asked", "inquiry_not_answered", "job_refused"]
    assert unreachable == ["inquiry_asked", "inquiry_not_answered"]
    assert answered == ["inquiry_asked"]


def holding(folder: Path) -> Holder:
    from green import CLAIMS

    from parties.founding import FILE, found, introduce

    (folder / "insurer").mkdir()
    (folder / "insurer/claims.csv").write_text(CLAIMS, encoding="utf-8")
    found(folder / "insurer", "insurer", "insurer", "127.0.0.1:7443")
    found(folder / "police", "police", "police", "127.0.0.1:7444")
    introduce(folder / "insurer" / FILE, folder / "police" / FILE)
    return Holder(folder, {})


def test_a_run_ends_well_though_the_clock_is_set_back_meanwhile(pair: Pair) -> None:
    pair.ticket("count")
    later = datetime.now(UTC) + timedelta(days=1)
    for settings in (pair.ours, pair.theirs):
        store = Store(settings.store.url, machine_time=lambda: later)
        with closing(store), store.writing() as connection:
            store.now(connection)

    def setting_back(dialogue: Dialogue[Any]) -> Dialogue[Any]:
        """Sets both clocks back when the first message comes."""
        answer: bytes | None = None
        heard = 0
        while True:
            try:
                want = dialogue.send(answer)
            except StopIteration as stop:
                return stop.value
            answer = yield want
            heard += answer is not None
            if heard == 2 and answer is not None:
                for settings in (pair.ours, pair.theirs):
                    with opened(settings) as store:
                        assert store.set_clock(audit.append)

    asked, answered = pair.dialogues("count")
    converse(Side(asked), Side(setting_back(answered)))
    for settings in (pair.ours, pair.theirs):
        (ended,) = pair.lines(settings, "run_ended")
        assert ended["facts"]["milliseconds"] == 0


# --- who a partner is, and which ticket


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ('san = "Police.A"\nca = "a.pem"', 'san = "police.a"\nca = "b.pem"', "san"),
        ('certificate = "a.pem"', 'certificate = "a.pem"', "certificate"),
        (*(f'fingerprint = "sha256:{"ab" * 32}"',) * 2, "fingerprint"),
    ],
)
def test_two_entries_for_one_partner_are_refused(
    pair: Pair, first: str, second: str, what: str
) -> None:
    path = pair.files[0]
    text = path.read_text(encoding="utf-8")
    for name, lines in (("north", first), ("south", second)):
        text += f'\n[peers.{name}]\naddress = "127.0.0.1:1"\n{lines}\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"\[peers.south\] {what}: .* \[peers.north\]"):
        load(path)


def test_a_budget_stays_with_a_partner_that_gets_another_name_here(pair: Pair) -> None:
    pair.ticket("count", runs=1)
    assert pair.run("count") == 1
    path = pair.files[0]
    text = path.read_text(encoding="utf-8")
    text = text.replace("[peers.police]", '[peers.partner]\nsan = "police"')
    path.write_text(text, encoding="utf-8")
    forget(pair.theirs)
    assert refused(pair, "count") == "ticket-spent"


def test_another_ticket_with_the_same_id_is_refused_by_name(pair: Pair) -> None:
    path = pair.ticket("count", runs=1)
    assert pair.run("count") == 1
    with tickets_with(id=SignedTicket.decode(path.read_bytes()).ticket.id):
        pair.ticket("count", runs=50)
    assert refused(pair, "count") == "ticket-twice"
    forget(pair.ours)
    assert refused(pair, "count") == "ticket-twice", "by either node"
