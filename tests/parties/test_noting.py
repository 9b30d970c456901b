"""What commands write into the audit log of a node, beside its runs."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from commands import Run

from parties import audit
from parties.audit.reading import StoredLog
from parties.audit.showing import lines_of
from parties.audit.verifying import verify
from parties.cli.noting import noting
from parties.errors import LocalFault
from parties.founding import FILE, found, introduce
from parties.operators import read_operator_file
from parties.settings_file import load
from parties.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(run: Run) -> Run:
    """Each with --json."""
    return lambda *words: run(*words, "--json")


@pytest.fixture
def office(tmp_path: Path, run: Run) -> Path:
    """Two nodes, two people of the police and one of the insurer, and a ticket of nobody yet."""
    one = found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    introduce(one, found(tmp_path / "police", "police", "police", "127.0.0.1:2"))
    for duty, party in (
        ("analyst", "insurer"),
        ("investigator", "police"),
        ("approver", "police"),
    ):
        where = ("--settings", tmp_path / party / FILE, "--out", tmp_path / duty)
        assert run("operator", "issue", f"p-{duty}", "--role", duty, *where).status == 0
    drafted = run(
        *("ticket", "draft", "--settings", tmp_path / "police" / FILE, "--peer", "insurer"),
        *("--purpose", "p", "--legal-basis", "l", "--case", "c", "--way", "count", "--floor", 0),
        *("--out", tmp_path / "t.json"),
    )
    assert drafted.status == 0
    return tmp_path


def people(office: Path, duty: str) -> tuple[object, ...]:
    folder = office / duty
    return ("--key", folder / "operator.key", "--certificate", folder / "operator.pem")


def fingerprint(office: Path, duty: str) -> str:
    operator, _ = read_operator_file(office / duty / "operator.pem")
    return operator.fingerprint


def log_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a node's log; none if it has no store."""
    settings = load(folder / FILE)
    if not (folder / "state.db").exists():
        return []
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        return list(lines_of(connection))


def test_who_signs_is_written_down_where_the_node_is_known(run: Run, office: Path) -> None:
    sign = ("ticket", "sign", office / "t.json", "--stage", "run")
    ours = ("--settings", office / "police" / FILE)
    assert run(*sign, *people(office, "investigator")).status == 0
    assert log_of(office / "police") == []
    made = run(*sign, *people(office, "approver"), "--approval", "A-17", *ours)
    assert made.status == 0
    (line,) = log_of(office / "police")
    assert line["event"] == "ticket_approved"
    assert line["facts"] == {
        "ticket": made.json["ticket"],
        "digest": made.json["digest"],
        "stage": "run",
        "operator": "p-approver",
        "role": "approver",
        "certificate": fingerprint(office, "approver").removeprefix("sha256:"),
    }


def test_who_may_not_sign_leaves_no_line_and_the_ticket_as_it_was(run: Run, office: Path) -> None:
    sign = ("ticket", "sign", office / "t.json", "--stage", "run")
    ours = ("--settings", office / "police" / FILE)
    assert run(*sign, *people(office, "investigator"), *ours).status == 0
    before = (office / "t.json").read_bytes()
    again = run(*sign, *people(office, "investigator"), *ours)
    assert again.code == "ticket-one-person"
    other = run(*sign, *people(office, "analyst"), *ours)
    assert (other.status, other.code) == (5, "certificate")
    assert other.json["error"]["message"] == (
        "the certificate is for an operator of insurer, and --settings are those of police"
    )
    assert len(log_of(office / "police")) == 1
    assert (office / "t.json").read_bytes() == before


def test_a_ticket_that_cannot_be_written_leaves_no_line(
    run: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LocalFault("no space")

    monkeypatch.setattr("parties.tickets.files.write_ticket", full)
    ours = ("--settings", office / "police" / FILE)
    signed = run(
        *("ticket", "sign", office / "t.json", "--stage", "run"),
        *people(office, "investigator"),
        *ours,
    )
    assert signed.status == 9
    assert log_of(office / "police") == []


@pytest.mark.parametrize("what", ["ticket", "certificate"])
def test_who_revokes_is_written_down(run: Run, office: Path, what: str) -> None:
    gone = {"ticket": "0f" * 16, "certificate": fingerprint(office, "analyst")}[what]
    revoke = ("ticket", "revoke", gone, "--settings", office / "police" / FILE, "--reason", "why")
    assert run(*revoke, *people(office, "approver")).status == 0
    (line,) = log_of(office / "police")
    by = fingerprint(office, "approver").removeprefix("sha256:")
    who = {"operator": "p-approver", "role": "approver"}
    if what == "ticket":
        assert line["event"] == "ticket_revoked"
        assert line["facts"] == who | {"ticket": gone, "certificate": by}
    else:
        assert line["event"] == "certificate_revoked"
        assert line["facts"] == who | {"certificate": gone.removeprefix("sha256:")}


def test_who_may_not_revoke_leaves_no_line(run: Run, office: Path) -> None:
    revoke = ("ticket", "revoke", "0f" * 16, "--settings", office / "police" / FILE)
    left = run(*revoke, "--reason", "why", *people(office, "investigator"))
    assert left.code == "certificate"
    assert log_of(office / "police") == []
    assert not (office / "police/tickets/revoked").exists()


def test_lines_of_commands_stand_in_the_chain_and_a_log_is_begun_once(office: Path) -> None:
    settings = load(office / "police" / FILE)
    for number in (1, 2, 3):
        with noting(settings) as note:
            assert note("node_started", {"role": "police", "version": "1"}) == number
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        report = verify(StoredLog(connection))
    assert [each.code for each in report.findings] == ["not-signed"]


def test_a_store_of_another_node_takes_no_line(office: Path) -> None:
    settings = load(office / "police" / FILE)
    with closing(Store(settings.store.url)) as store, store.writing() as connection:
        audit.begin(connection, "other")
    with pytest.raises(LocalFault, match="is that of other"), noting(settings):
        pytest.fail("nothing may be done")
    assert log_of(office / "police") == []


def serve(folder: Path, port: int) -> subprocess.Popen[str]:
    file = folder / FILE
    text = file.read_text("utf-8").replace("127.0.0.1:2", f"127.0.0.1:{port}")
    file.write_text(text, "utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "parties", "serve", "--settings", str(file), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_a_node_that_starts_says_so_in_its_log(office: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with serve(office / "police", port) as node:
        try:
            assert node.stdout is not None
            assert "listen" in node.stdout.readline()
            line, used = log_of(office / "police")
        finally:
            node.send_signal(signal.SIGTERM)
        node.communicate(timeout=60)
    assert node.returncode == 0
    assert used["event"] == "certificate_used", "and signs where its log ends"
    assert line["event"] == "node_started"
    assert line["facts"] == {"role": "police", "version": version("greenlane")}


def test_a_node_that_cannot_start_leaves_no_line(office: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with serve(office / "police", taken.getsockname()[1]) as node:
            node.communicate(timeout=60)
        assert node.returncode == 9
    assert log_of(office / "police") == []


def test_a_node_whose_log_is_another_nodes_does_not_start(office: Path) -> None:
    settings = load(office / "police" / FILE)
    with closing(Store(settings.store.url)) as store, store.writing() as connection:
        audit.begin(connection, "other")
    with serve(office / "police", 2) as node:
        _, err = node.communicate(timeout=60)
    assert node.returncode == 9
    assert "the store's audit log is that of other, and this node is police" in err
