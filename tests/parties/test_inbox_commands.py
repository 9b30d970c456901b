"""`greenlane inbox`, `ticket submit` and `ticket state`; also with processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from commands import WORDS, Left, Run

from parties.founding import FILE, found, introduce
from parties.operators.keys import PASSPHRASE

ROOT = Path(__file__).parents[2]
PEOPLE = {
    "analyst": "insurer",
    "compliance": "insurer",
    "investigator": "police",
    "approver": "police",
}


@pytest.fixture
def office(tmp_path: Path, run: Run) -> Path:
    """Two nodes, their people, and a ticket that the police have signed for a run."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = found(tmp_path / "insurer", "insurer", "insurer", f"127.0.0.1:{port}")
    introduce(one, found(tmp_path / "police", "police", "police", "127.0.0.1:1"))
    for duty, party in PEOPLE.items():
        where = ("--settings", tmp_path / party / FILE, "--out", tmp_path / duty)
        assert run("operator", "issue", f"p-{duty}", "--role", duty, *where).status == 0
    draft(run, tmp_path)
    return tmp_path


def draft(run: Run, office: Path, name: str = "t.json") -> None:
    made = run(
        *("ticket", "draft", "--settings", office / "police" / FILE, "--peer", "insurer"),
        *("--purpose", "联合打击", "--legal-basis", "DSL 35", "--case", "2026-11"),
        *("--way", "count", "--floor", "0", "--out", office / name),
    )
    assert made.status == 0
    for duty in ("investigator", "approver"):
        number = ("--approval", "A-17") if duty == "approver" else ()
        signed = run("ticket", "sign", office / name, *who(office, duty), "--stage", "run", *number)
        assert signed.status == 0


def who(office: Path, duty: str) -> tuple[object, ...]:
    folder = office / duty
    return ("--key", folder / "operator.key", "--certificate", folder / "operator.pem")


def ticket(office: Path, name: str = "t.json") -> str:
    return str(json.loads((office / name).read_bytes())["ticket"]["id"])


def settings(office: Path, party: str) -> tuple[object, ...]:
    return ("--settings", office / party / FILE)


@contextmanager
def serving(office: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs `greenlane serve` as a process; it is killed at the end."""
    command = [sys.executable, "-m", "parties", "serve", *map(str, settings(office, "insurer"))]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "listens" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def asking(office: Path, *words: object) -> subprocess.Popen[str]:
    """Runs a command of the police as a process."""
    command = ["ticket", *words, *settings(office, "police"), "--peer", "insurer"]
    return subprocess.Popen(
        [sys.executable, "-m", "parties", *map(str, command)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, PASSPHRASE: WORDS},
    )


def until_told(process: subprocess.Popen[str], words: str) -> None:
    """Reads what a process tells, until it says this."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"it never said: {words}")


def approve(run: Run, office: Path, duty: str, *words: object, name: str = "t.json") -> Left:
    where = settings(office, "insurer")
    who_ = who(office, duty)
    return run("inbox", "approve", ticket(office, name), *where, *who_, "--stage", "run", *words)


def test_a_ticket_waits_through_kills_of_both_nodes_and_is_approved_in_between(
    run: Run, office: Path
) -> None:
    first = asking(office, "submit", office / "t.json", "--wait")
    with first:
        until_told(first, "asked again until it answers")  # nobody serves yet
        with serving(office):
            until_told(first, "have not decided yet")
        first.kill()
    assert approve(run, office, "analyst").status == 0  # while no process runs
    with ExitStack() as nodes:
        node = nodes.enter_context(serving(office))
        second = asking(office, "state", ticket(office), "--wait", "--json")
        with second:
            until_told(second, "have not decided yet")
            node.kill()
            node.wait()
            assert approve(run, office, "compliance").status == 0
            nodes.enter_context(serving(office))
            out, _ = second.communicate()
        assert second.returncode == 0
        kept = office / "police/tickets" / f"{ticket(office)}.json"
        assert json.loads(out) == {
            "ticket": ticket(office),
            "peer": "insurer",
            "state": "approved",
            "reason": "",
            "approved": ["run"],
            "file": str(kept),
        }
        counted = run(
            "count", *settings(office, "police"), "--peer", "insurer", "--ticket", kept, "--json"
        )
        assert counted.status == 0


def test_who_is_interrupted_while_waiting_is_told_that_the_ticket_waits(office: Path) -> None:
    with serving(office):
        process = asking(office, "submit", office / "t.json", "--wait")
        with process:
            until_told(process, "have not decided yet")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        assert (process.returncode, out) == (130, "")
        assert err.splitlines()[-1] == (
            "greenlane: interrupted; what was submitted waits at the peer: see `ticket state`"
        )


def test_people_list_show_approve_and_refuse(run: Run, office: Path) -> None:
    draft(run, office, "other.json")
    here = settings(office, "insurer")
    empty = run("inbox", "list", *here)
    assert (empty.status, empty.out) == (0, "no ticket waits\n")
    police = (*settings(office, "police"), "--peer", "insurer")
    with serving(office):
        for name in ("t.json", "other.json"):
            told = run("ticket", "submit", office / name, *police)
            assert told.status == 0
            assert f"ticket {ticket(office, name)} at insurer: waiting\n" in told.out
        listed = run("inbox", "list", *here)
        both = {ticket(office), ticket(office, "other.json")}
        assert {line.split()[0] for line in listed.out.splitlines()} == both
        assert "police  waiting: 联合打击" in listed.out
        shown = run("inbox", "show", ticket(office), *here)
        for words in (
            "purpose       联合打击",
            "signed        by the police's approver for run: p-approver",
            "police submitted it at",
            "to be signed by the insurer's analyst for run",
        ):
            assert words in shown.out
        one = approve(run, office, "analyst", "--json").json
        assert (one["state"], one["purpose"]) == ("waiting", "联合打击")
        assert one["lacks"] == [{"party": "insurer", "stage": "run", "duty": "compliance"}]
        again = approve(run, office, "analyst")
        assert (again.status, again.out) == (7, "")
        done = approve(run, office, "compliance")
        assert (done.status, done.out.splitlines()[-1][-8:]) == (0, "approved")
        no = run(
            *("inbox", "refuse", ticket(office, "other.json"), *here),
            *(*who(office, "analyst"), "--reason", "no case"),
        )
        assert no.status == 0
        assert "refused\nreason: no case\n" in no.out
        assert run("inbox", "list", *here).out == "no ticket waits\n"
        every = run("inbox", "list", *here, "--all", "--json").json["tickets"]
        assert {each["id"]: each["state"] for each in every} == {
            ticket(office): "approved",
            ticket(office, "other.json"): "refused",
        }
        asked = run("ticket", "state", ticket(office, "other.json"), *police)
        assert (asked.status, asked.out.splitlines()[1:]) == (0, ["reason: no case"])
        waited = run("ticket", "submit", office / "other.json", *police, "--wait", "--json")
        assert (waited.status, waited.code) == (7, "ticket-refused")
        assert "no case" in waited.json["error"]["message"]
    unknown = run("inbox", "show", "0" * 32, *here, "--json")
    assert (unknown.status, unknown.code) == (7, "ticket-unknown")


def test_a_reason_that_is_no_line_is_refused_before_anything_is_decided(
    run: Run, office: Path
) -> None:
    here = settings(office, "insurer")
    with serving(office):
        police = (*settings(office, "police"), "--peer", "insurer")
        assert run("ticket", "submit", office / "t.json", *police).status == 0
    no = run(
        *("inbox", "refuse", ticket(office), *here, *who(office, "analyst")),
        *("--reason", "a\nb"),
    )
    assert (no.status, "one line" in no.err) == (3, True)
    assert len(run("inbox", "list", *here, "--json").json["tickets"]) == 1


def test_a_node_that_requires_roles_asks_who_decides(run: Run, office: Path) -> None:
    here = settings(office, "insurer")
    with serving(office):
        police = (*settings(office, "police"), "--peer", "insurer")
        assert run("ticket", "submit", office / "t.json", *police).status == 0
    file = office / "insurer" / FILE
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[operators]\n", "[operators]\nrequired = true\n"), "utf-8")
    nobody = run("inbox", "list", *here, "--json")
    assert (nobody.status, nobody.code) == (10, "operator-missing")
    keeper = ("operator", "issue", "keeper", "--role", "administrator", "--out", office / "keeper")
    file.write_text(text, "utf-8")
    assert run(*keeper, *here).status == 0
    file.write_text(text.replace("[operators]\n", "[operators]\nrequired = true\n"), "utf-8")
    kept = run("inbox", "show", ticket(office), *here, "--as", office / "keeper", "--json")
    assert (kept.status, kept.code) == (10, "operator-not-allowed")
    listed = run("inbox", "list", *here, "--as", office / "analyst", "--json").json
    assert [each["id"] for each in listed["tickets"]] == [ticket(office)]
    other = approve(run, office, "analyst", "--as", office / "compliance", "--json")
    assert (other.status, other.code) == (10, "operator-other")
    assert approve(run, office, "analyst").status == 0
