"""`greenlane operator` and `greenlane ticket`, from a draft to a revocation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import WORDS, Left, Run

from parties import cli
from parties.cli import operators, output
from parties.cli.operators import OperatorRoleName
from parties.cli.tickets import StageName, WayName
from parties.errors import SettingsError
from parties.founding import FILE, found, introduce
from parties.models.checking import checked
from parties.models.loading import folder_of
from parties.operators import ROLES
from parties.operators.keys import PASSPHRASE
from parties.tickets.ticket import STAGES, WAYS

ROOT = Path(__file__).parents[2]
PEOPLE = {
    "analyst": "insurer",
    "compliance": "insurer",
    "investigator": "police",
    "approver": "police",
}
TELLING = (
    "import sys\nfrom parties.cli import main\n"
    "try:\n main()\nexcept SystemExit:\n pass\n"
    "print(*sys.modules, file=sys.stderr)"
)


@pytest.fixture
def office(tmp_path: Path, run: Run) -> Path:
    """Two nodes that know each other, and the four people who sign."""
    one = found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    other = found(tmp_path / "police", "police", "police", "127.0.0.1:2")
    introduce(one, other)
    for duty, party in PEOPLE.items():
        where = ("--settings", tmp_path / party / FILE, "--out", tmp_path / duty)
        assert run("operator", "issue", f"p-{duty}", "--role", duty, *where).status == 0
    return tmp_path


def drafted(run: Run, office: Path, *words: object) -> Left:
    return run(
        *("ticket", "draft", "--settings", office / "police" / FILE, "--peer", "insurer"),
        *("--purpose", "联合打击 staged accidents", "--legal-basis", "DSL 35", "--case", "2026-11"),
        *("--way", "count", "--way", "match", "--floor", "5", "--out", office / "t.json", *words),
    )


def signed(run: Run, office: Path, duty: str, stage: str, *words: object) -> Left:
    approval = ("--approval", "A-17") if duty == "approver" else ()
    key = ("--key", office / duty / "operator.key")
    certificate = ("--certificate", office / duty / "operator.pem")
    return run(
        "ticket", "sign", office / "t.json", *key, *certificate, "--stage", stage, *approval, *words
    )


def verified(run: Run, office: Path, party: str, *words: object) -> Left:
    settings = ("--settings", office / party / FILE)
    return run("ticket", "verify", office / "t.json", *settings, *words)


def test_a_ticket_from_draft_to_revocation(run: Run, office: Path) -> None:
    made = drafted(run, office, "--get", "claim_no", "--json")
    assert (made.status, made.err) == (0, "")
    assert made.json["file"] == str(office / "t.json")
    assert len(made.json["missing"]) == 8
    assert (office / "t.json").stat().st_mode & 0o777 == 0o600
    missing = 8
    for stage in ("run", "disclosure"):
        for duty in PEOPLE:
            before = verified(run, office, "insurer", "--json")
            done = signed(run, office, duty, stage, "--json")
            missing -= 1
            assert (done.status, len(done.json["missing"])) == (0, missing)
            if stage == "run":
                assert (before.status, before.code) == (7, "ticket-unsigned")
            else:
                assert (before.status, len(before.json["missing"])) == (0, missing + 1)
    assert (office / "t.json").stat().st_mode & 0o777 == 0o600
    for party, peer in (("insurer", "police"), ("police", "insurer")):
        told = verified(run, office, party)
        assert (told.status, told.err) == (0, "")
        assert told.out.startswith(f"ticket {made.json['ticket']} holds, with {peer}, until ")
        assert verified(run, office, party, "--json").json == {
            "ticket": made.json["ticket"],
            "digest": made.json["digest"],
            "peer": peer,
            "missing": [],
        }
    gone = run(
        *("ticket", "revoke", made.json["ticket"], "--settings", office / "police" / FILE),
        *("--key", office / "approver/operator.key", "--reason", "a mistake"),
        *("--certificate", office / "approver/operator.pem", "--json"),
    )
    assert (gone.status, gone.json["revoked"]) == (0, made.json["ticket"])
    refused = verified(run, office, "police")
    assert (refused.status, refused.out) == (7, "")
    assert refused.err == "greenlane: the ticket was revoked; draft a new one\n"
    assert verified(run, office, "insurer").status == 0


def test_a_ticket_is_shown_to_people_and_to_programs(run: Run, office: Path) -> None:
    drafted(run, office, "--get", "claim_no", "--days", "1")
    signed(run, office, "approver", "run")
    shown = run("ticket", "show", office / "t.json")
    assert shown.status == 0
    for text in (
        "purpose       联合打击 staged accidents",
        "case          2026-11",
        "learns        police, columns: claim_no",
        "told from     5 hits on",
        "sets          person (greenlane/1/resident_id), phone (greenlane/1/phone)",
        "signed        by the police's approver for run: p-approver of police, ",
        ", approval A-17",
        "missing       the police's investigator for run",
        "missing       the insurer's compliance for disclosure",
    ):
        assert text in shown.out
    told = run("ticket", "show", office / "t.json", "--json").json
    (signature,) = told["signatures"]
    assert (signature["person"], signature["duty"]) == ("p-approver", "approver")
    assert signature["certificate"].startswith("sha256:")
    assert "signature" not in signature
    assert told["ticket"]["ways"] == ["count", "match"]
    assert len(told["missing"]) == 7


def test_a_draft_says_what_it_gets(run: Run, office: Path) -> None:
    for words, why in (
        ((), "say by --get which columns of theirs we get, or --get-none"),
        (("--get", "x", "--get-none"), "--get: not together with --get-none"),
        (("--get", "x", "--days", "0"), "valid for 1 to 732 days"),
        (("--get", "x", "--floor", "-1"), "floor of the ticket must be a whole number"),
        (("--get", "x", "--rules", "y"), "y: is no folder with a pack.toml"),
        (("--get", "x", "--rules", "0B" * 32), "is no folder with a pack.toml"),
        (("--get", "x", "--set", "y"), "no [identifiers.y]"),
    ):
        left = drafted(run, office, *words)
        assert (left.out, left.status in (2, 3, 7)) == ("", True)
        assert why in left.err
        assert not (office / "t.json").exists()
    assert drafted(run, office, "--get-none").status == 0
    again = drafted(run, office, "--get-none")
    assert again.status == 9
    assert "is there already" in again.err
    (office / "t.json").unlink()
    assert drafted(run, office, "--learns", "peer").status == 0
    learns = run("ticket", "show", office / "t.json", "--json").json["ticket"]["learns"]
    assert learns == {"insurer": {"columns": ["record_no", "record_type"]}}


def test_a_draft_takes_every_option(run: Run, office: Path) -> None:
    left = run(
        *("ticket", "draft", "--settings", office / "insurer" / FILE, "--peer", "police"),
        *("--purpose", "p", "--legal-basis", "l", "--case", "c", "--floor", 0, "--learns", "both"),
        *("--way", "inquire", "--way", "list", "--set", "vin", "--get", "record_no"),
        *("--give", "claim_no", "--max-ours", 7, "--max-theirs", 8, "--runs", 2),
        *("--inquiries", 9, "--protocol", "vole-malicious", "--rules", "0b" * 32, "--days", 1),
    )
    assert left.status == 0
    drafted = (office / "insurer/tickets").iterdir()
    (file,) = (each for each in drafted if not each.name.startswith("trial-"))
    ticket = run("ticket", "show", file, "--json").json["ticket"]
    assert file.name == f"{ticket['id']}.json"
    assert ticket["learns"] == {
        "insurer": {"columns": ["record_no"]},
        "police": {"columns": ["claim_no"]},
    }
    assert ticket["max_elements"] == {"insurer": 7, "police": 8}
    assert (ticket["runs"], ticket["inquiries"], ticket["floor"]) == (2, 9, 0)
    assert (ticket["ways"], ticket["protocols"]) == (["inquire", "list"], ["vole-malicious"])
    assert ticket["sets"] == [{"name": "vin", "domain": "greenlane/1/vin"}]
    assert ticket["rules"] == ["0b" * 32]
    assert f"rules         {'0b' * 32} (a pack that this release does not have)" in shown(run, file)


def test_a_draft_names_a_pack_and_the_ticket_carries_its_digest(run: Run, office: Path) -> None:
    assert drafted(run, office, "--get-none", "--rules", "auto").status == 0
    digest = checked(folder_of("auto")).digest
    told = run("ticket", "show", office / "t.json", "--json").json
    assert told["ticket"]["rules"] == [digest]
    assert told["packs"] == {digest: "auto 1"}
    assert f"rules         {digest} (auto 1)" in shown(run, office / "t.json")


def shown(run: Run, file: Path) -> str:
    return run("ticket", "show", file).out


def test_signing_again_or_as_another_changes_nothing(run: Run, office: Path) -> None:
    drafted(run, office, "--get", "claim_no")
    assert signed(run, office, "investigator", "run").status == 0
    before = (office / "t.json").read_bytes()
    again = signed(run, office, "investigator", "run", "--json")
    assert (again.status, again.code) == (7, "ticket-one-person")
    where = ("--settings", office / "police" / FILE, "--out", office / "twin")
    run("operator", "issue", "p-investigator", "--role", "approver", *where)
    twin = run(
        *("ticket", "sign", office / "t.json", "--key", office / "twin/operator.key"),
        *("--certificate", office / "twin/operator.pem", "--stage", "run"),
        *("--approval", "A-17", "--json"),
    )
    assert (twin.status, twin.code) == (7, "ticket-one-person")
    other = run(
        *("ticket", "sign", office / "t.json", "--key", office / "approver/operator.key"),
        *("--certificate", office / "analyst/operator.pem", "--stage", "run", "--json"),
    )
    assert (other.status, other.code) == (7, "ticket-forged")
    assert (office / "t.json").read_bytes() == before


def test_a_file_that_is_no_ticket_is_refused_by_every_command(run: Run, office: Path) -> None:
    drafted(run, office, "--get", "claim_no")
    path = office / "t.json"
    path.write_bytes(path.read_bytes() + b"\n")
    for left in (
        run("ticket", "show", path, "--json"),
        signed(run, office, "analyst", "run", "--json"),
        verified(run, office, "insurer", "--json"),
    ):
        assert (left.status, left.code) == (7, "ticket-malformed")
    assert run("ticket", "show", office / "none.json").status == 9


def test_an_operators_certificate_is_shown(run: Run, office: Path) -> None:
    shown = run("operator", "show", office / "approver/operator.pem", "--json").json
    assert (shown["node"], shown["role"], shown["person"]) == ("police", "approver", "p-approver")
    lines = run("operator", "show", office / "approver/operator.pem").out.splitlines()
    assert lines[0] == "p-approver, approver of police"
    assert lines[2] == f"fingerprint {shown['fingerprint']}"
    node = run("operator", "show", office / "police/tls/node.pem", "--json")
    assert (node.status, node.code) == (5, "certificate")


def test_an_operator_of_the_other_party_is_not_issued(run: Run, office: Path) -> None:
    where = ("--settings", office / "insurer" / FILE, "--out", office / "x")
    left = run("operator", "issue", "x", "--role", "approver", *where, "--json")
    assert (left.status, left.code) == (3, "settings")
    assert run("operator", "issue", "x", "--role", "king", *where).status == 2
    assert not (office / "x").exists()


def test_a_passphrase_is_asked_for_at_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "short")
    with pytest.raises(SettingsError, match="12 characters"):
        operators.passphrase()
    monkeypatch.delenv(PASSPHRASE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(SettingsError, match="at a terminal"):
        operators.passphrase()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = {}

    def prompt(words: str, **options: Any) -> str:
        asked.update(options)
        return WORDS

    monkeypatch.setattr("typer.prompt", prompt)
    assert operators.passphrase(new=True) == WORDS
    assert asked == {"hide_input": True, "confirmation_prompt": True, "err": True}


def test_choices_of_the_program_are_those_of_the_code() -> None:
    assert [each.value for each in WayName] == list(WAYS)
    assert [each.value for each in StageName] == list(STAGES)
    assert {each.value for each in OperatorRoleName} == {*ROLES["insurer"], *ROLES["police"]}


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if " " in name])
def test_every_command_of_two_words_has_help_and_json(run: Run, name: str) -> None:
    left = run(*name.split(), "--help")
    assert (left.status, left.err) == (0, "")
    assert "--json" in left.out
    assert run(*name.split(), "--nonsense").status == 2


def test_the_first_word_alone_lists_the_second(run: Run) -> None:
    left = run("ticket", "--help")
    assert left.status == 0
    assert all(word in left.out for word in ("draft", "sign", "show", "verify", "revoke"))
    assert run("ticket", "burn").status == 2
    assert "operator" in run("--help").out


def test_one_command_of_two_words_is_picked_alone() -> None:
    groups = cli.app_of(["ticket show"]).registered_groups
    assert [each.name for each in groups] == ["ticket"]
    assert groups[0].typer_instance is not None
    assert [each.name for each in groups[0].typer_instance.registered_commands] == ["show"]


def test_tickets_wait_for_nothing_that_only_jobs_need(run: Run, office: Path) -> None:
    drafted(run, office, "--get", "claim_no")
    heavy = {"duckdb", "grpc", "pyarrow", "numpy", "sqlalchemy"}
    for words in (
        ("ticket", "--help"),
        ("ticket", "show", str(office / "t.json")),
        ("ticket", "verify", str(office / "t.json"), "--settings", str(office / "police" / FILE)),
        ("operator", "show", str(office / "analyst/operator.pem")),
    ):
        done = subprocess.run(
            [sys.executable, "-c", TELLING, *words],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            check=True,
        )
        assert heavy.isdisjoint(done.stderr.split()), words


def test_an_interrupt_says_that_nothing_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(**_: Any) -> None:
        raise KeyboardInterrupt

    for words, said in (("ticket", "written"), ("operator", "made")):
        monkeypatch.setattr(sys, "argv", ["greenlane", words, "sign"])
        with pytest.raises(SystemExit):
            output.run(raises)
        assert capsys.readouterr().err == f"greenlane: interrupted; nothing was {said}\n"
