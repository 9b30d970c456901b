"""The program: what it prints, where, and with which exit code; and how soon."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parties import cli, errors
from parties.asking import Question
from parties.cli import asking, output
from parties.cli.progress import Progress, line
from parties.errors import CertificateError, LocalFault, PeerLost, PeerRefused, SettingsError
from psi import PROTOCOLS, Meter
from psi.errors import (
    ApiMisuse,
    BoundExceeded,
    CheckFailed,
    DecoyMismatch,
    MalformedMessage,
    PeerIncompatible,
)

ROOT = Path(__file__).parents[2]


def program(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parties", *command],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


TELLING = (
    "import sys\nfrom parties.cli import main\n"
    "try:\n main()\nexcept SystemExit:\n pass\n"
    "print(*sys.modules, file=sys.stderr)"
)
"""The program, which in the end says what it has imported."""


def imported(*command: str) -> set[str]:
    """The packages that a command brings in."""
    done = subprocess.run(
        [sys.executable, "-c", TELLING, *command],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=True,
    )
    return set(done.stderr.split())


def test_help_and_wrong_usage_do_not_wait_for_what_only_jobs_need() -> None:
    for command in (("--help",), ("match", "--help"), ("match",), ("audit", "--help"), ("audit",)):
        assert imported(*command).isdisjoint({"duckdb", "grpc", "pyarrow", "psi"})


def test_the_version_needs_neither_database_nor_network() -> None:
    assert imported("version").isdisjoint({"duckdb", "grpc"})


def test_a_match_of_text_files_waits_for_no_other_source_and_no_page_of_metrics(
    tmp_path: Path,
) -> None:
    insurer, police = tmp_path / "A", tmp_path / "B"
    for role, folder, known in (("insurer", insurer, ()), ("police", police, ("--peer", insurer))):
        made = program("init", role, str(folder), "--listen", "127.0.0.1:1", *map(str, known))
        assert made.returncode == 0
    there = imported("match", "--settings", str(insurer / "greenlane.toml"), "--peer", "police")
    assert "grpc._channel" in there, "it has come as far as the call"
    assert there.isdisjoint(
        {"duckdb", "grpc_health.v1", "grpc_reflection.v1alpha", "alembic"}
        | {"prometheus_client", "pyarrow.csv", "pyarrow.parquet", "pydantic"}
        | {"asyncio", "google.protobuf.internal.python_message", "parties.cli.clues"}
    )


def test_what_a_library_was_spared_is_there_when_it_is_used() -> None:
    code = (
        "import parties.channel, sys, grpc\n"
        "assert 'asyncio' not in sys.modules and 'grpc.aio' not in sys.modules\n"
        "held = grpc.aio\n"
        "assert held.Channel and 'asyncio.tasks' in sys.modules\n"
        "import asyncio.events, grpc.aio\n"
        "assert held.Channel is grpc.aio.Channel and asyncio.run\n"
        "from psi.lazily import unread\n"
        "with unread('asyncio', 'wave', 'chunk_of_nobody'):\n"
        "    import asyncio as same, wave\n"
        "assert same is asyncio and 'wave' not in sys.modules\n"
        "import wave as real\n"
        "assert wave is not real and wave.open is real.open"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("hallway", ["asking", "answering"])
def test_an_expression_of_a_library_is_compiled_when_it_is_used(hallway: str) -> None:
    code = (
        f"import parties.{hallway}, re\n"
        "from cryptography import x509\n"
        "names = x509.name._RFC4514NameParser\n"
        "assert not isinstance(names._STRING_RE, re.Pattern) and re.compile('a').match('a')\n"
        "assert x509.Name.from_rfc4514_string('CN=a b').rfc4514_string() == 'CN=a b'\n"
        "assert names._STRING_RE.pattern and names._OID_RE.fullmatch('2.5.4.3')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_match_of_text_files_without_records_needs_neither_numpy_nor_pyarrow(
    tmp_path: Path,
) -> None:
    insurer, police = tmp_path / "A", tmp_path / "B"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    listen = ("--listen", f"127.0.0.1:{port}")
    assert program("init", "insurer", str(insurer), "--listen", "127.0.0.1:1").returncode == 0
    assert program("init", "police", str(police), *listen, "--peer", str(insurer)).returncode == 0
    for folder in (insurer, police):
        settings = folder / "greenlane.toml"
        text = settings.read_text("utf-8")
        settings.write_text(re.sub(r"(?m)^disclose = .*$", "disclose = []", text), "utf-8")
    serve = ("serve", "--settings", str(police / "greenlane.toml"), "--json")
    with subprocess.Popen(
        [sys.executable, "-c", TELLING, *serve],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as node:
        try:
            assert node.stdout is not None
            assert "listen" in node.stdout.readline()
            here = imported(
                *("match", "--settings", str(insurer / "greenlane.toml"), "--peer", "police"),
                *("--protocol", "vole", "--format", "csv", "--out", str(tmp_path / "joined.csv")),
            )
        finally:
            node.terminate()
        _, said = node.communicate(timeout=60)
    assert (tmp_path / "joined.csv").read_text("utf-8").count("\n") > 1
    for modules in (here, set(said.split())):
        assert "psi.protocols.vole" in modules
        assert modules.isdisjoint({"numpy", "pyarrow"})


@pytest.mark.parametrize(("command", "status"), [("version", 0), ("nonsense", 2)])
def test_the_program_says_all_and_is_not_taken_apart(command: str, status: int) -> None:
    code = "import atexit; atexit.register(print, 'apart')\n"
    code += "from parties.__main__ import program; program()"
    done = subprocess.run(
        [sys.executable, "-c", code, command, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == status
    assert json.loads(done.stdout).keys() >= ({"error"} if status else {"greenlane", "protocol"})


def test_what_a_command_has_imported_is_never_looked_through_for_garbage() -> None:
    kept = gc.get_freeze_count()
    gc.disable()
    try:
        output.keep_imported()
        assert gc.isenabled()
        assert gc.get_freeze_count() > kept
    finally:
        gc.enable()
        gc.unfreeze()


def test_the_version_is_what_two_nodes_compare() -> None:
    told = json.loads(program("version", "--json").stdout)
    assert told.keys() == {"greenlane", "protocol", "normaliser", "normaliser_digest"}
    assert len(told["normaliser_digest"]) == 64


def test_a_node_is_made_and_checked_and_nothing_is_made_twice(tmp_path: Path) -> None:
    made = program("init", "insurer", str(tmp_path / "A"), "--json")
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout) == {
        "settings": str(tmp_path / "A/greenlane.toml"),
        "name": "insurer",
        "role": "insurer",
    }
    again = program("init", "insurer", str(tmp_path / "A"), "--json")
    assert again.returncode == 9
    assert json.loads(again.stdout)["error"]["message"] in again.stderr


# --- in this process


@pytest.fixture
def leaves(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., tuple[int, str, str]]:
    """Runs something as the program would, and returns exit code, stdout and stderr."""

    def run(app: Callable[..., Any], *options: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["greenlane", *options])
        with pytest.raises(SystemExit) as leave:
            output.run(app)
        said = capsys.readouterr()
        return int(leave.value.code or 0), said.out, said.err

    return run


@pytest.mark.parametrize(
    "command", ["init", "check", "serve", "match", "count", "bench", "version"]
)
def test_every_command_has_help_and_json(leaves: Any, command: str) -> None:
    status, out, err = leaves(cli.app_of(cli.COMMANDS), command, "--help")
    assert (status, err) == (0, "")
    assert "--json" in out
    assert leaves(cli.app_of(cli.COMMANDS), command, "--nonsense")[0] == 2


def test_a_bench_whose_sides_meet_in_two_ways_is_refused(leaves: Any) -> None:
    status, out, err = leaves(cli.app_of(cli.COMMANDS), "bench", "--in-memory", "--in-turns")
    assert (status, out) == (2, "")
    assert "--in-memory or --in-turns, not both" in err


ERRORS: list[tuple[BaseException, int, str]] = [
    (SettingsError("x"), 3, "settings"),
    (errors.SourceError("x"), 4, "source"),
    (CertificateError("x"), 5, "certificate"),
    (errors.PeerUnreachable("x"), 6, "peer-unreachable"),
    (PeerLost("x"), 6, "peer-lost"),
    (PeerRefused("x", "same-role"), 7, "same-role"),
    (PeerIncompatible("x"), 7, "peer-incompatible"),
    (BoundExceeded("x"), 7, "bound-exceeded"),
    (MalformedMessage("x"), 8, "malformed-message"),
    (CheckFailed("x"), 8, "check-failed"),
    (DecoyMismatch("x"), 8, "decoy-mismatch"),
    (LocalFault("x"), 9, "local"),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=lambda each: str(each))
def test_every_error_has_its_exit_code_and_its_word(
    leaves: Any, error: BaseException, status: int, code: str
) -> None:
    def app(**_: Any) -> None:
        raise error

    assert leaves(app) == (status, "", "greenlane: x\n")
    told = {"error": {"code": code, "message": "x", "exit_code": status}}
    assert leaves(app, "--json") == (status, json.dumps(told) + "\n", "greenlane: x\n")


def test_the_text_of_a_foreign_error_is_not_shown(leaves: Any) -> None:
    def app(**_: Any) -> None:
        raise ValueError("11010519491231002X is not a number")

    status, out, err = leaves(app)
    assert (status, out) == (1, "")
    assert err.startswith("greenlane: a bug of Greenlane: ValueError in app:")
    assert "1101" not in err
    assert leaves(lambda **_: (_ for _ in ()).throw(ApiMisuse("x")))[0] == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.EMFILE])
def test_what_the_system_refuses_is_a_fault_of_this_machine(leaves: Any, number: int) -> None:
    def app(**_: Any) -> None:
        raise OSError(number, os.strerror(number), "/secret/path")

    status, _, err = leaves(app)
    assert status == 9
    assert err == f"greenlane: the operating system says: {os.strerror(number)}\n"


def test_an_interrupt_is_one_sentence_wherever_it_comes(leaves: Any) -> None:
    def raises(**_: Any) -> None:
        raise KeyboardInterrupt

    for app in (raises, lambda **_: 130):  # as typer makes of it
        assert leaves(app) == (130, "", "greenlane: interrupted; nothing was learnt\n")


def test_a_command_that_left_with_a_code_says_no_more(leaves: Any) -> None:
    assert leaves(lambda **_: 4) == (4, "", "")
    assert leaves(lambda **_: None) == (0, "", "")


def test_a_result_is_one_object_or_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output.give({"name": "浙"}, ["one", "two"], as_json=True)
    output.give({"name": "浙"}, ["one", "two"], as_json=False)
    assert capsys.readouterr().out == '{"name": "浙"}\none\ntwo\n'


def test_nobody_at_stdout_is_a_fault_of_this_machine() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "parties", "version"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr.count("\n")) == (9, 1)
    assert done.stderr.startswith("greenlane: nobody reads stdout any more")


def test_progress_is_a_share_and_a_time() -> None:
    assert line(0, 100, 5) == "0 %"
    assert line(50, 100, 90) == "50 %, 1:30 left"
    assert line(100, 100, 90) == "100 %, 0:00 left"


def test_progress_is_shown_to_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(Meter(100, 50)):
        pass
    assert capsys.readouterr() == ("", "")


def test_gprcs_own_lines_are_off_unless_an_operator_wants_them() -> None:
    show = "import os, parties.channel; print(os.environ['GRPC_VERBOSITY'])"
    for given, expected in ((None, "NONE"), ("debug", "debug")):
        environment = {k: v for k, v in os.environ.items() if k != "GRPC_VERBOSITY"}
        if given:
            environment["GRPC_VERBOSITY"] = given
        done = subprocess.run(
            [sys.executable, "-c", show],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            cwd=ROOT,
            check=True,
        )
        assert done.stdout.strip() == expected


def test_options_are_those_of_a_question() -> None:
    assert [each.value for each in asking.Learns] == ["us", "peer", "both"]
    assert [each.value for each in asking.FileFormat] == ["parquet", "csv", "arrow"]
    assert {each.value for each in asking.Protocol} == set(PROTOCOLS)


@pytest.mark.parametrize(
    ("way", "options", "protocol"),
    [
        ("match", (), None),
        ("match", ("--protocol", "dh"), "dh"),
        ("match", ("--protocol", "vole"), "vole"),
        ("count", (), None),
    ],
)
def test_the_protocol_is_what_the_operator_says_or_left_to_the_planner(
    leaves: Any, monkeypatch: pytest.MonkeyPatch, way: str, options: Any, protocol: str | None
) -> None:
    asked = list[Question]()
    monkeypatch.setattr(asking, "_ask", lambda _, question, *rest, **__: asked.append(question))
    where = ("--settings", "greenlane.toml", "--peer", "police")
    assert leaves(cli.app_of(cli.COMMANDS), way, *where, *options)[0] == 0
    assert [each.protocol for each in asked] == [protocol]


def test_no_other_protocol_can_be_asked_for_and_none_for_a_count(leaves: Any) -> None:
    where = ("--settings", "greenlane.toml", "--peer", "police")
    status, _, err = leaves(cli.app_of(cli.COMMANDS), "match", *where, "--protocol", "rot13")
    assert status == 2
    assert "rot13" in err
    assert leaves(cli.app_of(cli.COMMANDS), "count", *where, "--protocol", "dh")[0] == 2
