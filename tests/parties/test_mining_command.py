"""`greenlane models mine`: of a file of outcomes, and of what the clues of a ledger came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commands import WORDS, Run
from desks import INVESTIGATOR, TICKET, Desks, desks, lead
from make_history import history

from parties.audit.showing import lines_of
from parties.clues.concluded import Concluded, concluded
from parties.clues.erasing import erase
from parties.clues.leads import read_leads
from parties.errors import OperatorRefused, PackRefused, SettingsError, SourceError
from parties.founding import FILE
from parties.models.mining.outcomes import Case, of_ledger
from parties.operators.issuing import issue_operator
from parties.settings_file import load


def test_the_command_tells_sets_writes_drafts_and_the_page(run: Run, tmp_path: Path) -> None:
    data, drafts, page = tmp_path / "data", tmp_path / "drafts", tmp_path / "mined.html"
    outcomes = history(13, 400, base=0.2).write(data)
    words = ("models", "mine", "auto", "--data", data, "--outcomes", outcomes, "--longest", 2)
    left = run(*words, "--drafts", drafts, "--page", page)
    assert left.status == 0, left.err
    assert "the loss happened from 00:00 to 06:00; its phone stands with 2 or more" in left.out
    assert "scorecard, on cases held out:" in left.out
    assert "of claims that nobody looked into it says nothing" in left.out
    for file in (page, *drafts.iterdir()):
        assert file.stat().st_mode & 0o077 == 0
    told = run(*words, "--json").json
    (first, *_) = told["sets"]
    assert [each["dimension"] for each in first["facts"]] == ["hour", "phone_people"]
    assert first["confidence"] == first["confirmed"] / first["cases"]
    assert told["confirmed"] / told["cases"] * first["lift"] == pytest.approx(first["confidence"])
    assert len(told["scorecard"]["held_out"]["tenths"]) == 10
    left = run("models", "check", drafts)
    assert left.status == 0, left.err
    assert "drafts, which nobody has accepted: mined-" in left.out
    assert run("models", "page", drafts).status == 0
    left = run(*words, "--drafts", drafts)
    assert left.status == SettingsError.exit_code
    assert "is there already" in left.err


def test_a_lead_of_a_draft_becomes_no_clue_and_its_pack_is_in_no_ticket(
    run: Run, tmp_path: Path
) -> None:
    data, drafts = tmp_path / "data", tmp_path / "drafts"
    outcomes = history(13, 400, base=0.2).write(data)
    words = ("--data", data, "--outcomes", outcomes, "--longest", 2, "--drafts", drafts)
    assert run("models", "mine", "auto", *words).status == 0
    left = run("models", "try", drafts, "--data", data, "--json")
    assert left.json["leads"]
    file = tmp_path / "leads.json"
    file.write_text(left.out)
    with pytest.raises(SourceError, match="version of lead 1 of line 1"):
        read_leads(file, "auto")
    from parties.cli.tickets import _digest_of

    with pytest.raises(PackRefused, match="is a draft; no ticket names a pack of such"):
        _digest_of(str(drafts))


def test_too_few_cases_for_a_scorecard_are_said_and_no_page_is_written(
    run: Run, tmp_path: Path
) -> None:
    data, page = tmp_path / "data", tmp_path / "mined.html"
    outcomes = history(14, 100, planted=0.3, base=0.3).write(data)
    words = ("models", "mine", "auto", "--data", data, "--outcomes", outcomes, "--longest", 1)
    left = run(*words, "--page", page)
    assert left.status == SourceError.exit_code
    assert "a scorecard takes 50 concluded cases that were confirmed and 50 that were" in left.err
    assert not page.exists()
    left = run(*words, "--drafts", tmp_path / "drafts")
    assert left.status == 0
    assert "no scorecard: a scorecard takes 50 concluded cases" in left.out
    assert "no drafts were written" in left.out
    assert not (tmp_path / "drafts").exists()
    assert run(*words, "--json").json["scorecard"] is None


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["auto", "--outcomes", "a.csv", "--settings", "b.toml"], 2),
        (["auto"], 2),
        (["ships", "--outcomes", "a.csv"], 2),
        (["auto", "--outcomes", "a.csv", "--page", "a.txt"], 3),
        (["auto", "--outcomes", "nowhere.csv"], 4),
    ],
)
def test_wrong_words_leave_with_their_codes(
    run: Run, tmp_path: Path, words: list[str], status: int
) -> None:
    assert run("models", "mine", *words, "--data", tmp_path).status == status


@pytest.fixture
def ledgers(tmp_path: Path) -> Any:
    with desks(tmp_path, lambda name: f"sqlite:///{tmp_path / name / 'state.db'}") as opened:
        yield opened


def followed(three: Desks) -> list[str]:
    """Clues that come to everything that one can come to."""
    made = three.insurer.transferred(*(lead(n) for n in range(1, 8)))
    three.carry()
    for clue in made[:6]:
        three.police.act(clue, "accept")
    for clue, outcome in zip(
        made, ("prosecution", "administrative", "withdrawn", "other"), strict=False
    ):
        three.police.act(clue, "file")
        three.police.act(clue, "conclude", code=outcome)
    three.police.act(made[4], "return", code="innocent")
    three.police.act(made[5], "return", code="known")
    three.carry()
    return made


def test_outcomes_are_what_the_clues_of_the_ledger_came_to(ledgers: Desks) -> None:
    made = followed(ledgers)
    for desk in (ledgers.insurer, ledgers.police):
        with desk.books.limits.store.reading() as connection:
            found = list(concluded(connection))
        expected = [
            (made[0], "prosecution"),
            (made[1], "administrative"),
            (made[2], "withdrawn"),
            (made[3], "other"),
            (made[4], "innocent"),
        ]
        assert sorted(found) == sorted(
            Concluded(clue, outcome, (f"C-{n}-1", f"C-{n}-2"))
            for n, (clue, outcome) in enumerate(expected, 1)
        )
        outcomes = of_ledger(found)
        assert {outcomes.cases[each].confirmed for each in ("C-1-1", "C-2-2")} == {True}
        assert {outcomes.cases[each].confirmed for each in ("C-3-1", "C-5-2")} == {False}
        assert outcomes.cases["C-1-1"] == outcomes.cases["C-1-2"] == Case(made[0], True)
        assert outcomes.neither == {"C-4-1", "C-4-2"}


@pytest.mark.parametrize("ends", [("accept", "file", "conclude"), ("return",)])
def test_clues_that_were_merged_are_one_case_and_erased_ones_have_no_claims(
    ledgers: Desks, ends: tuple[str, ...]
) -> None:
    one, two = (
        desk.transferred(lead(n))[0] for n, desk in ((1, ledgers.insurer), (2, ledgers.rival))
    )
    ledgers.carry()
    police = ledgers.police
    police.propose(one, two, who=INVESTIGATOR)
    ledgers.carry()
    ledgers.insurer.answer(one)
    ledgers.rival.answer(two)
    ledgers.carry()
    for what in ends:
        police.act(one, what, **{"code": "innocent"} if what == "return" else {})
    with police.books.limits.store.reading() as connection:
        outcomes = of_ledger(concluded(connection))
    assert {*outcomes.cases.values()} == {Case(one, ends != ("return",))}
    assert {*outcomes.cases} == {"C-1-1", "C-1-2", "C-2-1", "C-2-2"}
    with police.writing() as (connection, at):
        erase(connection, at, TICKET)
        outcomes = of_ledger(concluded(connection))
    assert outcomes == ({}, frozenset(), 2)


def test_the_ledger_is_mined_by_those_who_work_on_clues(
    run: Run, tmp_path: Path, ledgers: Desks
) -> None:
    followed(ledgers)
    file = tmp_path / "insurer" / FILE
    for person, role in (("wu", "analyst"), ("lin", "auditor")):
        issue_operator(load(file), person, role, tmp_path / person, WORDS)  # type: ignore[arg-type]
    claims = [f"C-{n}-{m},{n * m},{'A' if n < 3 else 'B'}" for n in range(1, 8) for m in (1, 2)]
    data = tmp_path / "claims.csv"
    data.write_text("\n".join(["claim,amount,plate", *claims, ""]))
    words = ("models", "mine", "auto", "--data", data, "--settings", file, "--least", 2)
    told = run(*words, "--as", tmp_path / "wu", "--json").json
    assert (told["cases"], told["confirmed"], told["claims_of_cases"]) == (4, 2, 8)
    assert (told["claims_not_in_tables"], told["claims_of_neither_outcome"]) == (0, 2)
    assert told["sets"] == [], "four cases are no evidence"
    left = run(*words, "--as", tmp_path / "lin", "--json")
    assert left.status == OperatorRefused.exit_code
    assert left.json["error"]["code"] == "operator-not-allowed"
    with ledgers.insurer.books.limits.store.reading() as connection:
        lines = [
            (each["event"], each["facts"]["action"])
            for each in lines_of(connection, events=("operator_action", "operator_refused"))
        ]
    assert lines == [("operator_action", "models-mine"), ("operator_refused", "models-mine")]
