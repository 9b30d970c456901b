"""The ledger of clues at the desks of two insurers and the police, with letters carried by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desks import (
    APPROVER,
    INVESTIGATOR,
    LI,
    PACK,
    SOMEBODY,
    SUN,
    TICKET,
    WU,
    Desk,
    Desks,
    desks,
    lead,
    letter_values,
    tried,
)

from parties import canonical, retaining
from parties.clues import clue as clues
from parties.clues import ledger, merging, outbox
from parties.clues.amounts import UNKNOWN, fen_of, flags, yuan
from parties.clues.clue import content_of
from parties.clues.erasing import erase
from parties.clues.leads import read_leads
from parties.clues.letters import LETTER, MOST_LETTERS
from parties.clues.merging import LEFT
from parties.clues.words import why_not
from parties.erasing import erase_due
from parties.errors import ClueRefused, SourceError
from parties.settings import RetentionSettings


@pytest.fixture(params=["sqlite", "postgresql"])
def three(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desks]:
    def url_of(name: str) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path / name / 'state.db'}"
        return str(request.getfixturevalue("postgresql").schema())

    with desks(tmp_path, url_of) as opened:
        yield opened


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Desks]:
    """The three on SQLite, for what no database has a say in."""
    with desks(tmp_path, lambda name: f"sqlite:///{tmp_path / name / 'state.db'}") as opened:
        yield opened


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ClueRefused) as why:
        call(*arguments, **named)
    assert why.value.code in ClueRefused.CODES
    return why.value.code


# --- from the draft to the end of a case


def test_a_clue_goes_from_the_draft_to_the_end_of_a_case(three: Desks) -> None:
    insurer, _, police = three.insurer, three.rival, three.police
    (clue,) = insurer.transferred(lead())
    assert insurer.find(clue).state == "transferred"
    assert three.carry() == []
    there = police.find(clue)
    assert (there.state, there.peer, there.author) == ("received", "insurer", "")
    assert there.digest == insurer.find(clue).digest != ""
    with police.books.limits.store.reading() as connection:
        content = content_of(connection, there)
    assert content is not None
    assert content.subject == {"plate": "浙A00001"}
    assert content.claims == ("C-1-1", "C-1-2")
    for what, state in (("accept", "accepted"), ("file", "filed"), ("conclude", "concluded")):
        police.act(clue, what)
        assert three.carry() == []
        assert police.find(clue).state == insurer.find(clue).state == state
    for desk in (insurer, police):
        found = desk.find(clue)
        assert (found.filed, found.outcome) == ("2026-117", "prosecution")
        assert (found.suspects, found.amount, found.recovered) == (3, 5_000_000, 100_000)
    acts = [(each.act, each.state, each.person) for each in insurer.history(clue)]
    assert acts == [
        ("add", "draft", "wu"),
        ("review", "reviewed", "li"),
        ("transfer", "transferred", "sun"),
        ("accept", "accepted", ""),
        ("file", "filed", ""),
        ("conclude", "concluded", ""),
    ]


def test_a_clue_that_is_returned_says_why_on_both_sides(three: Desks) -> None:
    (clue,) = three.insurer.transferred(lead())
    three.carry()
    three.police.act(clue, "return", code="innocent", text="a hire car")
    three.carry()
    assert three.insurer.find(clue).state == "returned"
    last = three.insurer.history(clue)[-1]
    assert (last.act, last.code, last.text) == ("return", "innocent", "a hire car")


def test_the_author_does_not_review_and_an_analyst_does_not_transfer(quick: Desks) -> None:
    (clue,) = (each.id for each in quick.insurer.draft(lead()))
    assert refused(quick.insurer.transfer, clue) == "clue-state"
    assert refused(quick.insurer.review, clue, WU) == "clue-same-person"
    assert refused(quick.insurer.review, clue, SOMEBODY) == "clue-role"
    assert refused(quick.insurer.review, clue, INVESTIGATOR) == "clue-role"
    quick.insurer.review(clue, SUN)
    assert refused(quick.insurer.transfer, clue, LI) == "clue-role"
    quick.insurer.transfer(clue)
    assert refused(quick.insurer.transfer, clue) == "clue-state"
    assert len(quick.insurer.waiting()) == 1


def test_a_draft_that_is_dropped_says_why_and_goes_nowhere(quick: Desks) -> None:
    (clue,) = (each.id for each in quick.insurer.draft(lead()))
    quick.insurer.review(clue, WU, drop="a fleet of taxis")
    assert quick.insurer.find(clue).state == "dropped"
    assert quick.insurer.history(clue)[-1].text == "a fleet of taxis"
    assert refused(quick.insurer.review, clue) == "clue-state"
    assert refused(quick.insurer.transfer, clue) == "clue-state"


def test_steps_of_the_police_are_none_of_an_insurer_and_the_other_way(quick: Desks) -> None:
    (clue,) = quick.insurer.transferred(lead())
    quick.carry()
    for what in ("accept", "return", "file", "conclude"):
        assert refused(quick.insurer.act, clue, what, SUN) == "clue-role"
    assert refused(quick.police.review, clue, APPROVER) == "clue-state"
    assert refused(quick.police.transfer, clue, APPROVER) == "clue-state"
    assert refused(quick.police.draft, lead(2), who=INVESTIGATOR) == "clue-state"
    assert refused(quick.insurer.propose, clue, clue, who=SUN) == "clue-state"
    assert quick.police.find(clue).state == "received"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("file", {"case": ""}),
        ("file", {"case": "2" * 65}),
        ("return", {"code": "because"}),
        ("conclude", {"code": "guilty"}),
        ("conclude", {"suspects": -1}),
        ("conclude", {"recovered": 5_000_001}),
        ("conclude", {"amount": UNKNOWN, "recovered": 1}),
    ],
)
def test_what_a_step_says_must_have_its_form(quick: Desks, what: str, said: dict[str, Any]) -> None:
    (clue,) = quick.insurer.transferred(lead())
    quick.carry()
    if what != "return":
        quick.police.act(clue, "accept")
    if what == "conclude":
        quick.police.act(clue, "file")
    before = quick.police.find(clue), quick.police.waiting()
    assert refused(quick.police.act, clue, what, **said) == "clue-malformed"
    assert (quick.police.find(clue), quick.police.waiting()) == before


# --- leads


def test_a_lead_makes_one_clue_however_often_its_file_is_read(three: Desks) -> None:
    assert len(three.insurer.draft(lead(1), lead(2))) == 2
    assert len(three.insurer.draft(lead(1), lead(2), lead(3))) == 1
    clue = three.insurer.every()[0].id
    three.insurer.review(clue, drop="a fleet")
    assert len(three.insurer.draft(lead(1), lead(2), lead(3))) == 1, "the dropped one"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"amount": 12000}, "amount of lead 1 of line 1"),
        ({"amount": "1e9"}, "amount of lead 1 of line 1"),
        ({"amount": "1.005"}, "amount of lead 1 of line 1"),
        ({"amount": "-1"}, "amount of lead 1 of line 1"),
        ({"rule": "Robert'); DROP"}, "rule of lead 1"),
        ({"version": True}, "version of lead 1"),
        ({"subject": {}}, "subject of lead 1"),
        ({"subject": {"plate": "x" * 129}}, "subject of lead 1"),
        ({"subject": {"Plate!": "x"}}, "a name in subject"),
        ({"claims": []}, "claims of lead 1"),
        ({"claims": ["C"] * 1001}, "claims of lead 1"),
        ({"claims": [7]}, "claims of lead 1"),
        ({"reason": ""}, "reason of lead 1"),
        ({"reason": "x" * 2001}, "reason of lead 1"),
        ({"reason": "two\nlines"}, "reason of lead 1"),
        ({"reason": "insurance ＦＲＡＵＤ"}, "reason of lead 1"),
        ({"innocent": "涉嫌诈骗"}, "innocent of lead 1"),
        ({"more": 1}, "lead 1 of line 1 has an entry"),
    ],
)
def test_a_file_of_leads_is_read_strictly_and_its_values_are_not_told(
    tmp_path: Path, change: dict[str, Any], where: str
) -> None:
    (tmp_path / "leads.json").write_bytes(tried(lead(**change)))
    with pytest.raises(SourceError, match=where) as why:
        read_leads(tmp_path / "leads.json")
    assert "浙A" not in str(why.value)
    assert "DROP" not in str(why.value)


def test_a_file_of_leads_names_its_line_of_insurance(tmp_path: Path) -> None:
    file = tmp_path / "leads.json"
    file.write_bytes(tried(lead(), pack="ours") + tried(lead(2), pack="ours"))
    with pytest.raises(SourceError, match="name it by --line"):
        read_leads(file)
    assert [each.line for each in read_leads(file, "accident")] == ["accident"] * 2
    file.write_bytes(b"{not json}\n")
    with pytest.raises(SourceError, match="line 1 is no JSON"):
        read_leads(file)
    with pytest.raises(SourceError, match="cannot be read"):
        read_leads(tmp_path / "nothing.json")


# --- amounts, owners, words


def test_amounts_are_whole_fen_and_flags_are_the_thresholds() -> None:
    assert fen_of("12000.5") == 1_200_050
    assert fen_of("0.07") == 7
    assert yuan(1_200_050) == "12,000.50"
    assert yuan(UNKNOWN) == "-"
    assert flags(999_999) == []
    assert flags(1_000_000) == ["individual"]
    assert flags(4_999_999) == ["individual"]
    assert flags(5_000_000) == ["individual", "unit"]
    assert flags(UNKNOWN) == []


def test_a_clue_is_overdue_from_the_day_after_it_was_due_until_it_is_over(quick: Desks) -> None:
    (clue,) = quick.insurer.draft(lead())
    with quick.insurer.writing() as (connection, at):
        due = ledger.assign(connection, at, "insurer", WU, clue, "li", "2026-12-31")
    assert (due.owner, due.due) == ("li", "2026-12-31")
    assert not due.is_overdue("2026-12-31")
    assert due.is_overdue("2027-01-01")
    assert not due._replace(state="concluded").is_overdue("2027-01-01")
    for owner, day in (("Li Li", ""), ("", "31.12.2026"), ("", "2026-02-30")):
        with quick.insurer.writing() as (connection, at):
            assert (
                refused(ledger.assign, connection, at, "insurer", WU, clue, owner, day)
                == "clue-malformed"
            )
    with quick.insurer.writing() as (connection, at):
        never = ledger.assign(connection, at, "insurer", WU, due, "", "never")
    assert (never.owner, never.due) == ("li", "")


def test_no_clue_says_the_word_in_whatever_letters(quick: Desks) -> None:
    (clue,) = quick.insurer.draft(lead())
    for text in ("a Fraud", "ｆｒａｕｄ", "保险诈骗", "骗保", "欺诈"):
        assert why_not(text)
        with quick.insurer.writing() as (connection, at):
            assert (
                refused(ledger.comment, connection, at, "insurer", WU, clue, text) == "clue-words"
            )
    quick.insurer.transferred(lead(2))
    quick.carry()
    (there,) = quick.police.every()
    assert refused(quick.police.act, there.id, "return", text="诈骗") == "clue-words"
    assert quick.police.find(there.id).state == "received"


def test_a_comment_stays_and_no_line_of_the_history_is_changed(three: Desks) -> None:
    (clue,) = three.insurer.draft(lead())
    with three.insurer.writing() as (connection, at):
        ledger.comment(connection, at, "insurer", SUN, clue, "call the shop")
    assert three.insurer.history(clue.id)[-1].text == "call the shop"
    with three.insurer.writing() as (connection, at):
        nothing = (connection, at, "insurer", SUN, clue, "")
        assert refused(ledger.comment, *nothing) == "clue-words"
    for statement in (
        "UPDATE clue_history SET person = 'li'",
        "DELETE FROM clue_history",
        "INSERT OR REPLACE INTO clue_history SELECT * FROM clue_history",
    ):
        if "REPLACE" in statement and "postgresql" in three.insurer.settings.store.url:
            continue
        with (
            pytest.raises(Exception, match="history of a clue is never changed"),
            three.insurer.writing() as (connection, _),
        ):
            connection.execute(statement, {})


# --- letters


def test_a_letter_that_comes_again_changes_nothing_and_gets_the_same_receipt(three: Desks) -> None:
    (clue,) = three.insurer.transferred(lead())
    (letter,) = three.insurer.waiting()
    data = three.insurer.letter(letter)
    receipt = three.police.hear(three.insurer, data)
    before = three.police.history(clue)
    assert three.police.hear(three.insurer, data) == receipt
    assert three.police.history(clue) == before
    assert three.police.ask("SELECT count(*) FROM clue_heard") == [(1,)]


def test_another_letter_under_the_same_number_is_refused(quick: Desks) -> None:
    quick.insurer.transferred(lead())
    values = letter_values(quick.insurer)
    quick.carry()
    values["body"]["claimed"] += 1
    data = quick.insurer.signed(values)
    assert refused(quick.police.hear, quick.insurer, data) == "clue-other"


def test_letters_come_in_order_and_about_own_clues_only(quick: Desks) -> None:
    (clue,) = quick.insurer.transferred(lead())
    quick.insurer.say_to(quick.police)
    quick.police.act(clue, "accept")
    quick.police.act(clue, "file")
    accept, file = map(quick.police.letter, quick.police.waiting())
    assert refused(quick.insurer.hear, quick.police, file) == "clue-order"
    quick.insurer.hear(quick.police, accept)
    quick.insurer.hear(quick.police, file)
    assert quick.insurer.find(clue).state == "filed"
    # The rival may not write about it, nor take its id.
    values = {
        "body": {"merge": "0" * 32},
        "clue": clue,
        "format": 1,
        "from": "rival",
        "kind": "merge-agreed",
        "number": 2,
        "to": "police",
    }
    assert refused(quick.police.hear, quick.rival, quick.rival.signed(values)) == "clue-unknown"
    quick.rival.transferred(lead())
    stolen = letter_values(quick.rival) | {"clue": clue}
    assert refused(quick.police.hear, quick.rival, quick.rival.signed(stolen)) == "clue-other"
    assert quick.police.find(clue).peer == "insurer"


def test_the_police_hear_of_no_clue_that_an_insurer_did_not_transfer(quick: Desks) -> None:
    (clue,) = (each.id for each in quick.insurer.draft(lead()))
    values = {
        "body": {},
        "clue": clue,
        "format": 1,
        "from": "police",
        "kind": "accept",
        "number": 1,
        "to": "insurer",
    }
    data = quick.police.signed(values)
    assert refused(quick.insurer.hear, quick.police, data) == "clue-unknown"
    assert quick.insurer.find(clue).state == "draft"


def test_a_letter_brings_a_clue_into_no_state_that_the_table_does_not_have(quick: Desks) -> None:
    (clue,) = quick.insurer.transferred(lead())
    quick.carry()
    body = {"outcome": "other", "suspects": 1, "amount": -1, "recovered": -1}
    for kind, said in (
        ("conclude", body),
        ("file", {"case": "7"}),
        ("merged", {"merge": "0" * 32}),
    ):
        values = {
            "body": said,
            "clue": clue,
            "format": 1,
            "from": "police",
            "kind": kind,
            "number": 1,
            "to": "insurer",
        }
        data = quick.police.signed(values)
        assert refused(quick.insurer.hear, quick.police, data) == "clue-state"
    assert quick.insurer.find(clue).state == "transferred"


def changed(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *names, last = path.split(".")
    inner = values
    for name in names:
        inner = inner[name]
    inner[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("format", 2, "clue-malformed"),
        ("kind", "accept", "clue-malformed"),
        ("number", 0, "clue-malformed"),
        ("number", MOST_LETTERS + 1, "clue-malformed"),
        ("number", 2, "clue-order"),
        ("clue", "../..", "clue-malformed"),
        ("from", "rival", "clue-forged"),
        ("to", "rival", "clue-forged"),
        ("more", 1, "clue-malformed"),
        ("body.line", "life", "clue-malformed"),
        ("body.rule", "x" * 65, "clue-malformed"),
        ("body.version", 10**9, "clue-malformed"),
        ("body.ticket", "T", "clue-malformed"),
        ("body.ticket", "f" * 32, "clue-ticket"),
        ("body.pack", "0b" * 32, "clue-pack"),
        ("body.pack", "0a", "clue-malformed"),
        ("body.claimed", -2, "clue-malformed"),
        ("body.claimed", 10**15 + 1, "clue-malformed"),
        ("body.content.subject", {f"k{n}": "x" for n in range(17)}, "clue-malformed"),
        ("body.content.claims", ["x"] * 1001, "clue-malformed"),
        ("body.content.reason", "骗保", "clue-malformed"),
        ("body.content.salt", "", "clue-malformed"),
        ("body.content", [], "clue-malformed"),
    ],
)
def test_a_letter_that_is_none_is_refused_and_leaves_nothing(
    quick: Desks, path: str, value: Any, code: str
) -> None:
    quick.insurer.transferred(lead())
    data = quick.insurer.signed(changed(letter_values(quick.insurer), path, value))
    assert refused(quick.police.hear, quick.insurer, data) == code
    assert quick.police.every() == []
    assert quick.police.ask("SELECT count(*) FROM clue_heard") == [(0,)]


def test_no_clue_is_drafted_of_a_pack_or_ticket_that_both_did_not_agree_on(quick: Desks) -> None:
    desk = quick.insurer
    file = desk.settings.path.parent / "leads.json"
    file.write_bytes(tried(lead()) + tried(lead(2)).replace(PACK.encode(), b"0b" * 32))
    with desk.writing() as (connection, at):
        for ticket, code in ((TICKET, "clue-pack"), ("f" * 32, "clue-ticket")):
            leads = read_leads(file)
            said = (connection, at, "insurer", WU, leads, "police", ticket)
            assert refused(ledger.add, *said) == code
    assert desk.every() == []


def test_a_letter_is_signed_by_the_node_that_hands_it_over(quick: Desks) -> None:
    quick.insurer.transferred(lead())
    values = letter_values(quick.insurer)
    altered = quick.insurer.signed(values).replace(b'"claimed":1200050', b'"claimed":2100050')
    for data, code in (
        (quick.rival.signed(values), "clue-forged"),
        (altered, "clue-forged"),
        (b"", "clue-malformed"),
        (b"{}", "clue-malformed"),
        (b"[" * 100_000, "clue-malformed"),
        (b"x" * (LETTER.longest + 1), "clue-malformed"),
        (quick.insurer.signed(values)[:-2], "clue-malformed"),
    ):
        assert refused(quick.police.hear, quick.insurer, data) == code
    assert quick.police.every() == []


def test_the_largest_clue_fits_into_a_letter(quick: Desks) -> None:
    rows = [f"{n:04}{'浙' * 60}" for n in range(1000)]
    subject = {f"k{n:02}{'x' * 61}": "浙" * 128 for n in range(16)}
    texts = dict.fromkeys(("reason", "innocent", "source"), "浙" * 2000)
    (clue,) = quick.insurer.transferred(lead(subject=subject, claims=rows, records=rows, **texts))
    assert quick.carry() == []
    assert quick.police.find(clue).state == "received"


@pytest.mark.parametrize("most", [0, 2])
def test_only_so_many_clues_a_day_are_taken_from_a_peer_and_none_where_nothing_is_said(
    quick: Desks, most: int
) -> None:
    police = quick.police
    peers = tuple(each._replace(daily_clues=most) for each in police.settings.peers)
    limited = Desk(police.settings._replace(peers=peers), police.books)
    quick.insurer.transferred(*(lead(n) for n in range(5)))
    assert quick.insurer.say_to(limited) == ["clue-limit"] * (5 - most)
    assert len(police.every()) == most
    assert quick.insurer.say_to(police) == []
    assert len(police.every()) == 5


def test_what_a_node_does_with_clues_stands_in_its_audit_log_without_what_they_say(
    three: Desks,
) -> None:
    (clue,) = three.insurer.transferred(lead())
    three.carry()
    three.police.act(clue, "accept")
    three.police.act(clue, "file", case="CASE-4711")
    three.police.act(clue, "conclude")
    three.carry()
    for desk in (three.insurer, three.police):
        lines = desk.ask("SELECT event, body FROM audit_lines ORDER BY number")
        events = [event for event, _ in lines]
        assert {"clue_moved", "clue_sent", "clue_heard"} <= {*events}
        said = b"".join(bytes(body) for _, body in lines).decode()
        for word in ("浙A", "\\u6d59", "C-1-1", "CASE-4711", "within 30 days"):
            assert word not in said
        assert '"amount":5000000' in said
    assert (
        '"operator":"sun"'
        in b"".join(
            bytes(row[0]) for row in three.insurer.ask("SELECT body FROM audit_lines")
        ).decode()
    )


# --- erasing


def test_what_clues_of_a_ticket_say_is_erased_and_their_numbers_stay(three: Desks) -> None:
    sent, waits = three.insurer.transferred(lead(1), lead(2))
    (first, _) = three.insurer.waiting()
    receipt = three.police.hear(three.insurer, three.insurer.letter(first))
    with three.insurer.writing() as (connection, at):
        outbox.sent(connection, at, first, receipt)
        ledger.comment(connection, at, "insurer", SUN, clues.named(connection, sent), "about Li")
    with three.insurer.writing() as (connection, at):
        assert erase(connection, at, "f" * 32) == 0
        assert erase(connection, at, TICKET) == 2
        assert erase(connection, at, TICKET) == 0
    ((line,),) = three.insurer.ask("SELECT body FROM audit_lines WHERE event = 'erased'")
    assert canonical.decode(bytes(line))["facts"] == {"what": "clues", "files": 2}
    for table in ("clue_contents", "clue_texts"):
        assert three.insurer.ask(f"SELECT count(*) FROM {table}") == [(0,)]
    assert three.insurer.ask(
        "SELECT count(*) FROM clue_letters WHERE data <> :none", {"none": b""}
    ) == [(0,)]
    assert three.insurer.waiting() == []
    assert {each.id for each in three.insurer.every()} == {sent, waits}
    assert "about Li" not in str(three.insurer.history(sent))
    for clue in (sent, waits):
        last = three.insurer.history(clue)[-1]
        assert (last.act, last.person, last.role) == ("erase", "", "retention")
    with three.police.writing() as (connection, at):
        assert erase(connection, at, TICKET) == 1
    # The case goes on without it.
    three.police.act(sent, "accept")
    assert three.police.say_to(three.insurer) == []
    assert three.insurer.find(sent).state == "accepted"


def test_what_clues_say_goes_so_many_days_after_their_ticket(three: Desks) -> None:
    three.insurer.transferred(lead())
    assert three.carry() == []
    for desk in (three.insurer, three.police):
        with desk.writing() as (connection, at):
            retaining.end(connection, TICKET, at + timedelta(days=30))
        settings = desk.settings._replace(retention=RetentionSettings(clues_days=10))
        for days, gone in ((39, 0), (41, 1), (42, 0)):
            now = datetime.now(UTC) + timedelta(days=days)
            desk.books.limits.store._machine_time = lambda now=now: now
            assert erase_due(settings, desk.books).clues == gone
            assert desk.ask("SELECT count(*) FROM clue_contents") == [(int(days < 40),)]


def test_a_clue_that_was_erased_before_it_was_transferred_goes_nowhere(quick: Desks) -> None:
    (clue,) = (each.id for each in quick.insurer.draft(lead()))
    quick.insurer.review(clue)
    with quick.insurer.writing() as (connection, at):
        erase(connection, at, TICKET)
    assert refused(quick.insurer.transfer, clue) == "clue-erased"
    assert quick.insurer.find(clue).state == "reviewed"


# --- merging


def both(three: Desks) -> tuple[str, str]:
    (ours,) = three.insurer.transferred(lead())
    (theirs,) = three.rival.transferred(lead())
    assert three.carry() == []
    return ours, theirs


def test_clues_of_two_insurers_are_merged_when_both_agree_and_go_together(three: Desks) -> None:
    ours, theirs = both(three)
    three.police.propose(ours, theirs)
    for what in ("accept", "return"):
        assert refused(three.police.act, ours, what) == "clue-merging"
        assert refused(three.police.act, theirs, what) == "clue-merging"
    assert refused(three.police.propose, theirs, ours) == "clue-merging"
    three.carry()
    assert three.insurer.find(ours).asked == "open"
    three.insurer.answer(ours)
    assert refused(three.insurer.answer, ours) == "clue-merging"
    three.carry()
    assert three.police.find(theirs).head == ""
    three.rival.answer(theirs)
    three.carry()
    three.carry()
    assert three.police.find(theirs).head == ours
    assert three.insurer.find(ours).merged == three.rival.find(theirs).merged == 1
    assert refused(three.police.act, theirs, "accept") == "clue-merging"
    for what in ("accept", "file", "conclude"):
        three.police.act(ours, what)
    three.carry()
    for desk, clue in ((three.insurer, ours), (three.rival, theirs), (three.police, theirs)):
        found = desk.find(clue)
        assert (found.state, found.filed) == ("concluded", "2026-117")
        assert (found.suspects, found.amount, found.recovered) == (0, -1, -1), "not both's figures"
    assert three.police.find(ours).suspects == 3


def test_a_merge_is_of_two_clues_or_more_each_once_and_of_so_many(
    quick: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = both(quick)
    assert refused(quick.police.propose, ours) == "clue-merging"
    assert refused(quick.police.propose, ours, theirs, ours) == "clue-merging"
    (third,) = quick.insurer.transferred(lead(3))
    quick.carry()
    monkeypatch.setattr(merging, "MOST", 2)
    assert refused(quick.police.propose, ours, theirs, third) == "clue-limit"
    assert quick.police.waiting() == []
    quick.police.propose(ours, theirs)


def test_an_insurer_sees_of_the_other_only_that_its_clue_was_merged(quick: Desks) -> None:
    (ours,) = quick.insurer.transferred(lead(claims=["OURS-1"], amount="777.01"))
    (theirs,) = quick.rival.transferred(lead(claims=["THEIRS-1"], amount="888.02"))
    quick.carry()
    quick.police.propose(ours, theirs)
    quick.carry()
    quick.insurer.answer(ours)
    quick.rival.answer(theirs)
    quick.carry()
    for what in ("accept", "file", "conclude"):
        quick.police.act(ours, what)
    for each in quick.police.waiting():
        values = str(letter_values(quick.police, quick.police.waiting().index(each)))
        if each.peer == "insurer":
            assert theirs not in values
            assert "rival" not in values
        else:
            assert ours not in values
            assert "insurer" not in values
        for word in ("OURS", "THEIRS", "777.01", "888.02", "5000000"):
            assert word not in values
    quick.carry()
    for desk, own, other in ((quick.insurer, ours, theirs), (quick.rival, theirs, ours)):
        file = Path(desk.settings.store.url.removeprefix("sqlite:///"))
        desk.books.limits.store.close()
        assert own.encode() in file.read_bytes()
        assert other.encode() not in file.read_bytes()


def test_one_that_refuses_ends_a_merge_and_all_go_on_alone(three: Desks) -> None:
    ours, theirs = both(three)
    three.police.propose(ours, theirs)
    three.carry()
    three.insurer.answer(ours)
    three.rival.answer(theirs, agrees=False)
    three.carry()
    three.carry()
    for desk, clue in ((three.insurer, ours), (three.rival, theirs), (three.police, ours)):
        found = desk.find(clue)
        assert (found.merge, found.asked, found.merged, found.head) == ("", "", 0, "")
    three.police.act(ours, "accept")
    three.police.act(theirs, "return")
    three.carry()
    assert three.insurer.find(ours).state == "accepted"
    assert three.rival.find(theirs).state == "returned"


def test_the_police_withdraw_and_an_answer_that_comes_late_changes_nothing(three: Desks) -> None:
    ours, theirs = both(three)
    three.police.propose(ours, theirs)
    three.carry()
    three.insurer.answer(ours)
    three.rival.answer(theirs)
    three.police.withdraw(ours)
    assert refused(three.police.withdraw, ours) == "clue-merging"
    three.carry()
    three.carry()
    for desk, clue in ((three.insurer, ours), (three.rival, theirs), (three.police, theirs)):
        found = desk.find(clue)
        assert (found.merge, found.merged, found.head) == ("", 0, "")


def test_a_clue_that_comes_later_follows_a_case_that_was_filed(three: Desks) -> None:
    (ours,) = three.insurer.transferred(lead())
    three.carry()
    three.police.act(ours, "accept")
    three.police.act(ours, "file")
    (theirs,) = three.rival.transferred(lead())
    three.carry()
    assert refused(three.police.propose, theirs, ours) == "clue-state"
    three.police.propose(ours, theirs)
    three.carry()
    three.insurer.answer(ours)
    three.rival.answer(theirs)
    three.carry()
    three.carry()
    found = three.rival.find(theirs)
    assert (found.state, found.filed, found.merged) == ("filed", "2026-117", 1)
    assert [each.act for each in three.rival.history(theirs)][-3:] == ["merged", "accept", "file"]


def test_merges_that_are_proposed_again_and_again_leave_letters_for_the_end(quick: Desks) -> None:
    ours, theirs = both(quick)
    rounds = 0
    while quick.police.find(ours).said <= MOST_LETTERS - LEFT:
        quick.police.propose(ours, theirs)
        quick.police.withdraw(ours)
        rounds += 1
    assert 20 < rounds < 40
    assert refused(quick.police.propose, ours, theirs) == "clue-limit"
    for what in ("accept", "file", "conclude"):
        quick.police.act(ours, what)
    assert quick.carry() == []
    assert quick.insurer.find(ours).state == "concluded"


def test_a_letter_that_is_refused_waits_longer_each_time(quick: Desks) -> None:
    quick.insurer.transferred(lead())
    for tries in range(10):
        (letter,) = quick.insurer.waiting()
        assert letter.tries == tries
        with quick.insurer.writing() as (connection, at):
            outbox.refused(connection, at, letter, "clue-limit")
        (letter,) = quick.insurer.waiting()
        waits = timedelta(microseconds=letter.next) - (at - at.fromtimestamp(0, at.tzinfo))
        assert waits == outbox.AGAIN * 2 ** min(tries, outbox.MOST_DOUBLED)
        assert letter.code == "clue-limit"
