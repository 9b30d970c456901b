"""`greenlane clues`, from a file of leads to the report of a month, by people of both parties."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from commands import WORDS, Left, Run
from desks import TICKET, books_of, lead, tried

from parties.answering import answers
from parties.channel import Identity, Node
from parties.cli.clue_deciding import Outcome, ReturnCode
from parties.clues.states import OUTCOMES, RETURNS, STEPS
from parties.founding import FILE, found, introduce
from parties.operators import DUTIES, OperatorRole
from parties.operators.issuing import issue_operator
from parties.settings_file import load

STAFF = {
    "wu": ("insurer", "analyst"),
    "sun": ("insurer", "compliance"),
    "lin": ("insurer", "auditor"),
    "0117": ("police", "investigator"),
    "0004": ("police", "approver"),
}


@pytest.fixture
def run(tmp_path: Path, run: Run) -> Run:
    """Runs `greenlane clues WORD` of a node as a person: run("add", "wu", ...).

    The node is the person's, or that of `at`; a node in place of a person is nobody there.
    """
    found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    found(tmp_path / "police", "police", "police", "127.0.0.1:1")
    introduce(tmp_path / "insurer" / FILE, tmp_path / "police" / FILE)
    for node in ("insurer", "police"):
        books_of(load(tmp_path / node / FILE)).close()
    for person, (node, role) in STAFF.items():
        settings = load(tmp_path / node / FILE)
        issue_operator(settings, person, role, tmp_path / person, WORDS)  # type: ignore[arg-type]

    def clues(command: str, person: str, *words: object, at: str = "") -> Left:
        node = at or STAFF.get(person, (person,))[0]
        who = ["--as", tmp_path / person] if person in STAFF else []
        return run("clues", command, *words, "--settings", tmp_path / node / FILE, *who)

    return clues


def listening(folder: Path, node: str, at: str) -> Node:
    """Runs a node, and tells the other where it is."""
    settings = load(folder / node / FILE)
    hallway = answers(settings)
    identity = Identity(settings.node.certificate, settings.node.key)
    server = Node("127.0.0.1:0", identity, settings.peers, hallway, handed=hallway.handed)
    port = server.start()
    file = folder / at / FILE
    text = file.read_text(encoding="utf-8")
    head, _, tail = text.partition("[peers.")
    address = next(line for line in tail.splitlines() if line.startswith("address"))
    tail = tail.replace(address, f'address = "127.0.0.1:{port}"', 1)
    file.write_text(f"{head}[peers.{tail}", encoding="utf-8")
    return server


def added(run: Run, folder: Path, *leads: dict[str, Any]) -> list[str]:
    file = folder / "leads.json"
    file.write_bytes(tried(*leads))
    left = run("add", "wu", "--leads", file, "--peer", "police", "--ticket", TICKET, "--json")
    assert left.status == 0, left.err
    return [*left.json["clues"]]


def test_a_clue_goes_from_a_file_of_leads_to_the_report(run: Run, tmp_path: Path) -> None:
    one, two, three = added(run, tmp_path, lead(1), lead(2, amount=None), lead(3))
    left = run("list", "insurer", "--json")
    listed = {each["id"]: each for each in left.json["clues"]}
    assert {each["state"] for each in listed.values()} == {"draft"}
    assert (listed[one]["claimed"], listed[one]["reaches"]) == (1_200_050, ["individual"])
    assert (listed[two]["claimed"], listed[two]["reaches"]) == (None, [])
    assert "浙A" not in left.out, "a list says nothing of what clues say"
    assert run("assign", "sun", one[:8], "--owner", "wu", "--due", "2000-01-01").status == 0
    assert run("comment", "wu", one, "--text", "call the shop").status == 0
    assert run("review", "wu", one, two).status == 7
    assert run("review", "sun", one, two).status == 0
    assert run("review", "sun", three, "--drop", "a fleet").status == 0
    left = run("transfer", "sun", one, two, "--json")
    assert left.status == 0, "the police are away, which is no fault of the command"
    assert left.json["letters"]["waiting"] == 2
    server = listening(tmp_path, "police", "insurer")
    try:
        left = run("send", "insurer", "--json")
        assert left.json["letters"] == {"sent": 2, "waiting": 0, "why": []}
    finally:
        server.stop(0)
    left = run("list", "insurer", "--overdue", "--json")
    assert [each["id"] for each in left.json["clues"]] == [one]
    server = listening(tmp_path, "insurer", "police")
    try:
        assert run("accept", "0117", one, two).status == 0
        assert run("return", "0004", two, "--code", "innocent", "--text", "a hire car").status == 0
        assert run("file", "0117", one, "--case", "2026-117").status == 0
        figures = ("--suspects", "3", "--amount", "50000", "--recovered", "1000.50")
        left = run("conclude", "0117", one, "--outcome", "prosecution", *figures, "--json")
        assert left.json["letters"]["waiting"] == 0
    finally:
        server.stop(0)
    shown = run("show", "insurer", one)
    for words in ("浙A00001", "call the shop", "case 2026-117", "innocent if: a fleet"):
        assert words in shown.out
    values = run("show", "police", one, "--json").json
    assert (values["suspects"], values["amount"], values["recovered"]) == (3, 5_000_000, 100_050)
    assert [each["act"] for each in values["history"]] == ["receive", "accept", "file", "conclude"]
    for node in ("insurer", "police"):
        made = values["history"][0]["at"][:7]
        left = run("report", node, "--month", made, "--json")
        assert left.json["total"]["clues"] == 2
        assert left.json["total"]["cases"] == 1
        assert left.json["total"]["amount"] == 5_000_000
        for form in ("json", "csv", "html"):
            out = tmp_path / f"{node}.{form}"
            left = run("report", node, "--month", made, "--format", form, "--out", out)
            assert left.status == 0
            assert out.stat().st_mode & 0o777 == 0o600
            text = out.read_text(encoding="utf-8")
            assert "浙A" not in text
            assert "fraud" not in text.lower()
    with (tmp_path / "police.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["insurer"] for row in rows] == ["insurer", "all"]
    assert rows[0]["recovered"] == "1000.50"


def test_who_may_not_is_told_and_nothing_is_done(run: Run, tmp_path: Path) -> None:
    (clue,) = added(run, tmp_path, lead())
    left = run("review", "lin", clue, "--json")
    assert (left.status, left.code) == (10, "operator-not-allowed")
    left = run("transfer", "wu", clue, "--json")
    assert (left.status, left.code) == (7, "clue-role")
    # The police's people are certified by an authority that is not the insurer's.
    left = run("review", "0117", clue, "--json", at="insurer")
    assert (left.status, left.code) == (10, "operator-forged")
    (tmp_path / "wu/operator.key").write_bytes((tmp_path / "sun/operator.key").read_bytes())
    left = run("comment", "wu", clue, "--text", "x", "--json")
    assert (left.status, left.code) == (10, "operator-forged")
    assert run("list", "insurer", "--json").json["clues"][0]["state"] == "draft"
    assert len(run("show", "insurer", clue, "--json").json["history"]) == 1


def test_a_command_of_several_clues_does_all_or_none(run: Run, tmp_path: Path) -> None:
    one, two = added(run, tmp_path, lead(1), lead(2))
    assert run("review", "sun", one).status == 0
    left = run("transfer", "sun", one, two, "--json")
    assert (left.status, left.code) == (7, "clue-state")
    states = {each["id"]: each["state"] for each in run("list", "insurer", "--json").json["clues"]}
    assert states == {one: "reviewed", two: "draft"}


def test_a_clue_that_is_named_twice_is_not_done_twice(run: Run, tmp_path: Path) -> None:
    one, two = added(run, tmp_path, lead(1), lead(2))
    left = run("review", "sun", one, two, one[:10], "--json")
    assert (left.status, left.code) == (7, "clue-state")
    assert {each["state"] for each in run("list", "insurer", "--json").json["clues"]} == {"draft"}
    assert run("comment", "wu", one, one, "--text", "seen twice").status == 0
    history = run("show", "insurer", one, "--json").json["history"]
    assert [each["text"] for each in history] == ["", "seen twice", "seen twice"]


@pytest.mark.parametrize("name", ["abc", "zzzzzz", "000000", "%%%%%%", "______"])
def test_a_clue_that_is_not_there_is_refused_by_its_code(run: Run, name: str) -> None:
    left = run("show", "insurer", name, "--json")
    assert (left.status, left.code) == (7, "clue-unknown")


def test_wrong_usage_leaves_with_2_and_a_wrong_month_with_3(run: Run, tmp_path: Path) -> None:
    (clue,) = added(run, tmp_path, lead())
    assert run("merge", "0117", clue, "--agree", "--refuse").status == 2
    assert run("conclude", "0117", clue, "--outcome", "other", "--amount", "12,000").status == 2
    assert run("report", "insurer", "--month", "2026-13").status == 3
    assert run("report", "insurer", "--month", "0000-01").status == 3
    words = ("--leads", tmp_path / "no.json", "--peer", "police", "--ticket", TICKET)
    assert run("add", "wu", *words).status == 4
    words = ("--leads", tmp_path / "leads.json", "--peer", "police", "--ticket", "T")
    left = run("add", "wu", *words, "--json")
    assert (left.status, left.code) == (7, "clue-malformed")
    words = ("--leads", tmp_path / "leads.json", "--peer", "nobody", "--ticket", TICKET)
    assert run("add", "wu", *words).status == 3


def test_words_of_the_commands_are_those_of_the_ledger() -> None:
    assert [each.value for each in ReturnCode] == [*RETURNS]
    assert [each.value for each in Outcome] == [*OUTCOMES]
    for party, steps in STEPS.items():
        for step in steps.values():
            assert {*step.roles} <= {*DUTIES[party]} <= {*get_args(OperatorRole)}


def test_commands_of_the_ledger_read_nothing_heavy(tmp_path: Path) -> None:
    import subprocess

    found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    code = (
        "import sys\nfrom parties.cli import main\n"
        "try:\n main()\nexcept SystemExit:\n pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'duckdb', 'pyarrow'} & {*sys.modules}\n"
        "assert not heavy, heavy"
    )
    said = ["clues", "list", "--settings", str(tmp_path / "insurer" / FILE)]
    done = subprocess.run(
        [sys.executable, "-c", code, *said], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "no clues\n"
