"""Commands of a node that requires roles: who gave them stands in its log, and who was refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import Left, Run
from green import Pair
from issuer import AUDIENCE, ISSUER, Issuer

from parties import cli
from parties.asking import Question, ask
from parties.audit.showing import lines_of
from parties.errors import TicketRefused
from parties.founding import FILE, found, introduce
from parties.inquiring import inquire
from parties.operators import read_operator_file
from parties.operators.acting import Acting
from parties.operators.keys import PASSPHRASE
from parties.operators.papers import AS, TOKEN
from parties.settings import Settings
from parties.settings_file import load
from parties.store import Store
from psi import Meter

ROOT = Path(__file__).parents[2]
PEOPLE = {
    "analyst": "insurer",
    "compliance": "insurer",
    "investigator": "police",
    "approver": "police",
    "auditor": "police",
    "administrator": "police",
}


@pytest.fixture
def run(run: Run) -> Run:
    """Each with --json."""
    return lambda *words: run(*words, "--json")


@pytest.fixture
def office(tmp_path: Path, run: Run) -> Path:
    """Two nodes that know each other, one of which, the police's, requires roles; six people."""
    one = found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    other = found(tmp_path / "police", "police", "police", "127.0.0.1:2")
    introduce(one, other)
    for duty, party in PEOPLE.items():
        where = ("--settings", tmp_path / party / FILE, "--out", tmp_path / duty)
        assert run("operator", "issue", f"p-{duty}", "--role", duty, *where).status == 0
    Issuer(tmp_path)
    text = other.read_text("utf-8").replace("[operators]\n", "[operators]\nrequired = true\n")
    roles = '{ "gl-investigators" = "investigator", "gl-approvers" = "approver" }'
    text += f'\n[operators.oidc]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
    text += f'keys = "../keys.json"\nroles = {roles}\n'
    other.write_text(text, "utf-8")
    return tmp_path


def police(office: Path, *words: object) -> tuple[object, ...]:
    return (*words, "--settings", office / "police" / FILE)


def facts_of(office: Path, duty: str) -> dict[str, str]:
    operator, _ = read_operator_file(office / duty / "operator.pem")
    certificate = operator.fingerprint.removeprefix("sha256:")
    return {"operator": f"p-{duty}", "role": duty, "certificate": certificate}


def log_of(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        return [(line["event"], line["facts"]) for line in lines_of(connection)]


def log(office: Path) -> list[tuple[str, dict[str, Any]]]:
    return log_of(load(office / "police" / FILE))


def test_who_gave_a_command_is_written_down(run: Run, office: Path) -> None:
    assert run(*police(office, "audit", "show"), "--as", office / "auditor").status == 0
    assert run(*police(office, "store", "set-clock"), "--as", office / "administrator").status == 0
    assert log(office) == [
        ("operator_action", facts_of(office, "auditor") | {"action": "audit-show"}),
        ("operator_action", facts_of(office, "administrator") | {"action": "store-set-clock"}),
    ]
    assert run(*police(office, "check"), "--as", office / "administrator").status == 0
    assert len(log(office)) == 2


GIVEN: dict[str, tuple[tuple[str, ...], str]] = {
    "serve": (("serve",), "auditor"),
    "check": (("check",), "investigator"),
    "count": (("count", "--peer", "insurer"), "administrator"),
    "list": (("list", "--peer", "insurer"), "administrator"),
    "match": (("match", "--peer", "insurer"), "administrator"),
    "inquire": (("inquire", "--plate", "浙A12345"), "administrator"),
    "prepare": (("prepare", "--peer", "insurer"), "investigator"),
    "fetch": (("fetch",), "auditor"),
    "store set-clock": (("store", "set-clock"), "approver"),
    "audit show": (("audit", "show"), "administrator"),
    "audit verify": (("audit", "verify"), "administrator"),
    "audit compare": (("audit", "compare", "x"), "investigator"),
    "audit export": (("audit", "export", "--out", "x"), "administrator"),
    "audit key": (("audit", "key", "0a" * 32), "auditor"),
    "ticket verify": (("ticket", "verify", "x"), ""),
    "ticket submit": (("ticket", "submit", "x", "--peer", "insurer"), "administrator"),
    "ticket state": (("ticket", "state", "0a", "--peer", "insurer"), "auditor"),
    "inbox list": (("inbox", "list"), "administrator"),
    "inbox show": (("inbox", "show", "0a"), "administrator"),
    "clues list": (("clues", "list"), "administrator"),
    "clues show": (("clues", "show", "0a"), "administrator"),
    "clues report": (("clues", "report", "--month", "2026-11"), "administrator"),
    "clues send": (("clues", "send"), "auditor"),
    "results open": (("results", "open", "x", "--out", "x"), "administrator"),
    "ticket draft": (
        *(("ticket", "draft", "--peer", "insurer", "--purpose", "p", "--legal-basis", "l"),),
        "administrator",
    ),
}
MORE = {"ticket draft": ("--case", "c", "--way", "count", "--floor", "0")}


@pytest.mark.parametrize("command", GIVEN)
def test_who_may_not_is_refused_before_anything_is_done_and_written_down(
    run: Run, office: Path, command: str, tmp_path: Path
) -> None:
    words, duty = GIVEN[command]
    action = command.replace(" ", "-")
    expected = []
    if duty:
        left = run(*police(office, *words), *MORE.get(command, ()), "--as", office / duty)
        assert (left.status, left.code) == (10, "operator-not-allowed")
        assert left.err.startswith(
            f"greenlane: `{command}` is not for the role {duty}; ask one who"
        )
        facts = {"action": action, "code": "operator-not-allowed"}
        expected.append(("operator_refused", facts | facts_of(office, duty)))
    left = run(*police(office, *words), *MORE.get(command, ()))
    assert (left.status, left.code) == (10, "operator-missing")
    assert f"who gives `{command}`: show a certificate by --as or GREENLANE_AS" in left.err
    expected.append(("operator_refused", {"action": action, "code": "operator-missing"}))
    assert log(office) == expected
    assert not (office / "police/results").exists()
    assert not (tmp_path / "x").exists()


WORK: dict[str, tuple[str, ...]] = {
    "add": ("--leads", "x", "--peer", "insurer", "--ticket", "T-1"),
    "assign": ("0a0a0a",),
    "comment": ("0a0a0a", "--text", "x"),
    "review": ("0a0a0a",),
    "transfer": ("0a0a0a",),
    "accept": ("0a0a0a",),
    "return": ("0a0a0a", "--code", "known"),
    "file": ("0a0a0a", "--case", "1"),
    "conclude": ("0a0a0a", "--outcome", "other"),
    "merge": ("0a0a0a", "0b0b0b"),
}


@pytest.mark.parametrize("word", WORK)
def test_nobody_but_those_who_sign_works_on_clues(run: Run, office: Path, word: str) -> None:
    (office / "x").write_text('{"leads": []}')
    words = [str(office / each) if each == "x" else each for each in WORK[word]]
    command = police(office, "clues", word, *words)
    left = run(*command, "--as", office / "administrator")
    assert (left.status, left.code) == (10, "operator-not-allowed")
    assert run(*command).status == 2
    ((event, facts),) = log(office)
    assert (event, facts["action"]) == ("operator_refused", f"clues-{word}")


def test_a_ticket_of_the_inbox_is_decided_by_who_may_sign(run: Run, office: Path) -> None:
    for word, more in (("approve", ("--stage", "run")), ("refuse", ("--reason", "x"))):
        for duty, code in (("auditor", "operator-not-allowed"), ("analyst", "operator-forged")):
            files = ("--key", office / duty / "operator.key")
            files = (*files, "--certificate", office / duty / "operator.pem")
            left = run(*police(office, "inbox", word, "0a" * 16), *files, *more)
            assert (left.status, left.code) == (10, code)
    assert [facts["action"] for _, facts in log(office)] == [
        *("inbox-approve", "inbox-approve", "inbox-refuse", "inbox-refuse")
    ]


def test_a_token_gives_a_command_and_one_that_does_not_hold_is_refused_by_name(
    run: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer(office)
    show = police(office, "audit", "show")
    monkeypatch.setenv(TOKEN, issuer.token(roles="gl-approvers"))
    assert run(*show).status == 0
    monkeypatch.setenv(TOKEN, issuer.token(aud="mail"))
    left = run(*show)
    assert (left.status, left.code) == (10, "token-audience")
    (event, facts), refused = log(office)
    assert (event, facts["operator"], facts["role"]) == ("operator_action", "0117", "approver")
    assert {"action", "operator", "role", "subject"} == {*facts}
    assert refused == ("operator_refused", {"action": "audit-show", "code": "token-audience"})


def test_a_certificate_or_a_subject_that_was_revoked_gives_no_command(
    run: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, Issuer(office).token(roles="gl-approvers"))
    assert run(*police(office, "audit", "show")).status == 0
    subject = log(office)[0][1]["subject"]
    monkeypatch.delenv(TOKEN)
    auditor = facts_of(office, "auditor")["certificate"]
    for digest in (subject, auditor):
        gone = run(
            *police(office, "ticket", "revoke", f"sha256:{digest}", "--reason", "left"),
            *("--key", office / "approver/operator.key"),
            *("--certificate", office / "approver/operator.pem"),
        )
        assert gone.status == 0
    left = run(*police(office, "audit", "show"), "--as", office / "auditor")
    assert (left.status, left.code) == (10, "operator-revoked")
    monkeypatch.setenv(TOKEN, Issuer(office).token(roles="gl-approvers"))
    assert run(*police(office, "audit", "show")).code == "operator-revoked"
    codes = [facts["code"] for event, facts in log(office) if event == "operator_refused"]
    assert codes == ["operator-revoked"] * 2


def test_whom_a_node_takes_somebody_for_is_told_to_them(
    run: Run,
    office: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = police(office, "operator", "whoami")
    left = run(*command, "--as", office / "auditor")
    assert left.status == 0
    who = left.json
    may = who.pop("may")
    assert who == facts_of(office, "auditor")
    assert {"ticket verify", "audit show", "audit export"} < {*may}
    assert {"match", "ticket sign", "serve", "operator issue"}.isdisjoint(may)
    monkeypatch.setenv(TOKEN, Issuer(office).token())
    told = run(*command).json
    assert told["operator"] == "0117"
    monkeypatch.setattr(sys, "argv", ["greenlane", *map(str, command)])
    with pytest.raises(SystemExit):
        cli.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["0117, investigator", f"subject sha256:{told['subject']}"]
    assert lines[2] == f"may {', '.join(told['may'])}"
    assert {"match", "inquire", "results open"} < {*told["may"]}
    assert {"serve", "audit show"}.isdisjoint(told["may"])
    monkeypatch.delenv(TOKEN)
    insurer = ("operator", "whoami", "--settings", office / "insurer" / FILE)
    assert run(*insurer).code == "operator-missing"
    assert log(office) == []


def drafted(run: Run, office: Path) -> Path:
    ticket = office / "t.json"
    left = run(
        *police(office, "ticket", "draft", "--peer", "insurer", "--purpose", "p"),
        *("--legal-basis", "l", "--case", "c", "--way", "count", "--floor", 0, "--out", ticket),
        *("--as", office / "investigator"),
    )
    assert left.status == 0
    return ticket


def signing(office: Path, duty: str, ticket: Path) -> tuple[object, ...]:
    approval = ("--approval", "A-17") if duty == "approver" else ()
    folder = office / duty
    files = ("--key", folder / "operator.key", "--certificate", folder / "operator.pem")
    return ("ticket", "sign", ticket, "--stage", "run", *files, *approval)


def test_who_signs_is_who_they_show_besides_and_nobody_signs_both_keys(
    run: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, issuer = drafted(run, office), Issuer(office)
    sign = police(office, *signing(office, "investigator", ticket))
    # One person signs in, and holds the certificate of another; or has two roles.
    for claims in (
        {"sub": "p-approver", "roles": "gl-approvers"},
        {"sub": "p-investigator", "roles": "gl-approvers"},
        {"sub": "p-approver", "roles": "gl-investigators"},
    ):
        monkeypatch.setenv(TOKEN, issuer.token(**claims))
        left = run(*sign)
        assert (left.status, left.code) == (10, "operator-other")
    monkeypatch.setenv(TOKEN, issuer.token(sub="p-investigator"))
    assert run(*sign).status == 0
    monkeypatch.delenv(TOKEN)
    left = run(*police(office, *signing(office, "auditor", ticket)))
    assert (left.status, left.code) == (10, "operator-not-allowed")
    assert run(*police(office, *signing(office, "approver", ticket))).status == 0
    alone = run(*signing(office, "approver", ticket), "--as", office / "approver")
    assert alone.status == 2
    events = [event for event, _ in log(office)]
    assert events.count("operator_refused") == 4
    assert events.count("ticket_approved") == 2


def test_who_says_who_they_are_is_held_to_it_where_nothing_is_required(
    run: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("audit", "show", "--settings", office / "insurer" / FILE)
    assert run(*where, "--as", office / "analyst").code == "operator-not-allowed"
    assert run(*where, "--as", office / "compliance").status == 0
    assert run(*where, "--as", office / "approver").code == "operator-forged"
    assert run(*where).status == 0
    # Making operators asks nobody there, whatever the environment has.
    monkeypatch.setenv(AS, str(office / "compliance"))
    made = ("--settings", office / "insurer" / FILE, "--out", office / "x")
    assert run("operator", "issue", "x", "--role", "auditor", *made).status == 0


def test_where_roles_are_required_nobody_is_made_an_operator(run: Run, office: Path) -> None:
    made = police(office, "operator", "issue", "x", "--role", "auditor", "--out", office / "x")
    left = run(*made)
    assert (left.status, left.code) == (10, "operator-not-allowed")
    assert not (office / "x").exists()


def test_check_says_what_it_finds_of_people(run: Run, office: Path) -> None:
    as_ = ("--as", office / "administrator")
    found = {
        (each["where"], each["level"])
        for each in run(*police(office, "check"), *as_).json["findings"]
    }
    assert ("operators.required", "fine") in found
    assert ("operators.authority", "doubt") in found  # its key is on this machine
    assert ("operators.oidc.keys", "fine") in found
    settings = office / "police" / FILE
    text = settings.read_text("utf-8")
    settings.write_text(text.replace('"approver" }', '"compliance" }'), "utf-8")
    (office / "keys.json").write_text("{}")
    left = run(*police(office, "check"), *as_)
    found = {(each["where"], each["level"]) for each in left.json["findings"]}
    assert ("operators.oidc.keys", "wrong") in found
    assert ("operators.oidc.roles.gl-approvers", "wrong") in found
    keys = ('keys = "../keys.json"', 'keys_url = "https://localhost:1/keys"')
    settings.write_text(text.replace(*keys), "utf-8")
    left = run(*police(office, "check"), *as_)
    found = {(each["where"], each["level"]) for each in left.json["findings"]}
    assert ("operators.oidc.keys_url", "fine") in found


ASKS = Acting("0117", "investigator", subject="cc" * 32)


def test_runs_and_inquiries_name_who_asked_at_the_node_that_asks(pair: Pair) -> None:
    pair.changes["may"] = ("count", "match", "inquire")
    pair.prepare("plate")
    with pair.serving() as police:
        ask(police, Question("count", "insurer", ("plate",), acting=ASKS), Meter())
        inquire(police, "insurer", {"plate": ["浙A12345"]}, Meter(), acting=ASKS)
        inquire(police, "insurer", {"phone": ["13800138000"]}, Meter(), acting=ASKS)
    told = [
        {name: facts.get(name) for name in ("operator", "role", "subject", "certificate")}
        for event, facts in log_of(police)
        if event in ("run_begun", "inquiry_asked")
    ]
    assert told == [ASKS.facts() | {"certificate": None}] * len(told)
    assert len(told) >= 3
    for _, facts in log_of(pair.insurer):
        assert "operator" not in facts


def test_a_refused_run_names_who_asked(pair: Pair) -> None:
    approver = Acting("trial-approver", "investigator", subject="cc" * 32)
    with pair.serving() as police, pytest.raises(TicketRefused) as caught:
        ask(police, Question("count", "insurer", acting=approver), Meter())
    assert caught.value.code == "ticket-one-person"
    ((event, facts),) = log_of(police)
    assert (event, facts["code"]) == ("job_refused", "ticket-one-person")
    assert facts["operator"] == "trial-approver"
    with pair.serving() as police, pytest.raises(TicketRefused):
        inquire(police, "insurer", {"plate": ["浙A12345"]}, Meter(), acting=approver)


def test_nothing_of_a_token_is_left_on_the_disk(
    run: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Issuer(office).token(roles="gl-approvers")
    monkeypatch.setenv(TOKEN, token)
    assert run(*police(office, "audit", "show")).status == 0
    assert run(*police(office, "count", "--peer", "insurer")).status == 10
    for folder, _, names in os.walk(office / "police"):
        for name in names:
            data = (Path(folder) / name).read_bytes()
            for piece in token.split("."):
                assert piece.encode() not in data


def test_two_nodes_that_require_roles_and_seal_match_by_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, "correct horse battery")
    monkeypatch.delenv(AS, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

    def program(*words: object) -> Left:
        command = [sys.executable, "-m", "parties", *map(str, words), "--json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        return Left(done.returncode, done.stdout, done.stderr)

    assert program("init", "insurer", tmp_path / "a", "--listen", listen).status == 0
    assert program("init", "police", tmp_path / "b", "--peer", tmp_path / "a").status == 0
    for role, party in (("administrator", "a"), ("investigator", "b"), ("administrator", "b")):
        where = ("--settings", tmp_path / party / FILE, "--out", tmp_path / party / role)
        assert program("operator", "issue", role, "--role", role, *where).status == 0
    for party in ("a", "b"):
        file = tmp_path / party / FILE
        text = (
            file.read_text("utf-8").replace("# required", "required").replace("# sealed", "sealed")
        )
        file.write_text(text, "utf-8")
    a, b = ("--settings", tmp_path / "a" / FILE), ("--settings", tmp_path / "b" / FILE)
    assert program("serve", *a).code == "operator-missing"
    serve = ["serve", *a, "--as", tmp_path / "a/administrator", "--json"]
    command = [sys.executable, "-m", "parties", *map(str, serve)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as node:
        try:
            assert node.stdout is not None
            assert "listen" in node.stdout.readline()
            match = ("match", *b, "--peer", "insurer", "--set", "plate")
            assert program(*match, "--as", tmp_path / "b/administrator").status == 10
            left = program(*match, "--as", tmp_path / "b/investigator")
            assert left.status == 0, left.err
        finally:
            node.send_signal(signal.SIGTERM)
        node.communicate(timeout=60)
    assert node.returncode == 0
    assert left.json["result"].endswith("joined.parquet.age")
    out = tmp_path / "joined.parquet"
    opening = ("results", "open", left.json["result"], *b, "--out", out)
    assert program(*opening, "--as", tmp_path / "b/investigator").status == 0
    assert out.read_bytes().startswith(b"PAR1")
    named = [
        (event, facts["operator"])
        for event, facts in log_of(load(tmp_path / "b" / FILE))
        if "operator" in facts
    ]
    assert named == [
        ("operator_refused", "administrator"),
        ("operator_action", "investigator"),
        ("run_begun", "investigator"),
        ("operator_action", "investigator"),
    ]
    lines = [(event, facts.get("operator")) for event, facts in log_of(load(tmp_path / "a" / FILE))]
    assert lines[:3] == [
        ("operator_refused", None),
        ("operator_action", "administrator"),
        ("node_started", None),
    ]
    assert ("run_begun", None) in lines
