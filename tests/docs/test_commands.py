"""What the README and the quickstart tell people to type is typed here, and does what they say."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from documents import blocks

from parties.models import mapping
from parties.settings_file import load

SECONDS = 120
"""For all blocks of a document, or one of Python; they take some 10 on a quiet machine."""

PROGRAMS = Path(sys.executable).parent
POLICE_PORT = 7444
"""Where `greenlane init police` lets the node listen."""


@pytest.fixture
def police_port() -> None:
    """Waits until nobody listens where the documents' police node will."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_server(("127.0.0.1", POLICE_PORT)).close()
        except OSError:
            assert time.monotonic() < until, f"port {POLICE_PORT} is taken by another program"
            time.sleep(0.5)
        else:
            return


@pytest.fixture
def surroundings() -> dict[str, str]:
    """The environment of a shell in which `make build` has been run."""
    # Nothing else of the tester's environment: a failing test shows it.
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def typed(script: str, folder: Path, surroundings: dict[str, str]) -> str:
    """Runs a script and returns its output; ends all that it started."""
    shell = subprocess.Popen(
        ["bash", "-eu", "-c", script],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=SECONDS)
    finally:
        # A node that the script started and did not stop is in the script's own group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    assert shell.returncode == 0, output
    return output


@pytest.mark.usefixtures("police_port")
@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.md"])
def test_the_shell_commands_run_in_order(
    document: str, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    output = typed("\n".join(blocks(document, "sh")), tmp_path, surroundings)
    assert "wrong " not in output
    assert output.count("nothing is wrong") == 2
    assert "count with police" in output
    assert "match with police" in output
    with (tmp_path / "A/joined.csv").open(encoding="utf-8", newline="") as file:
        joined = list(csv.DictReader(file))
    assert joined
    assert {"greenlane_set", "police.record_no", "police.record_type"} <= set(joined[0])
    for folder in tmp_path.glob("[AB]/results/*/"):
        assert folder.stat().st_mode & 0o777 == 0o700
        for file in folder.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600
    both = len(list(tmp_path.glob("B/results/*/joined.parquet")))
    assert both == "\n".join(blocks(document, "sh")).count("--learns both")


def test_the_python_of_the_readme_runs(tmp_path: Path, surroundings: dict[str, str]) -> None:
    (program,) = blocks("README.md", "python")
    assert len(program.strip().splitlines()) <= 20
    python(program, tmp_path, surroundings)


def test_the_python_of_operations_runs_in_a_node_s_folder(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    typed("greenlane init insurer .", tmp_path, surroundings)
    shown, renewed = blocks("docs/operations.md", "python")
    before = python(shown, tmp_path, surroundings)
    assert before.startswith("sha256:")
    python(renewed, tmp_path, surroundings)
    assert python(shown, tmp_path, surroundings) != before
    typed("greenlane check --settings greenlane.toml", tmp_path, surroundings)


def test_wrong_usage_leaves_with_2(surroundings: dict[str, str]) -> None:
    for arguments in (["count"], ["count", "--bogus"], ["bogus"], ["bench", "--protocol", "bogus"]):
        command = [PROGRAMS / "greenlane", *arguments]
        left = subprocess.run(command, env=surroundings, capture_output=True, timeout=SECONDS)
        assert left.returncode == 2, (arguments, left.stderr)


FRAGMENTS = [
    text
    for document in ("docs/quickstart.md", "docs/operations.md")
    for text in blocks(document, "toml")
]


@pytest.mark.parametrize("text", FRAGMENTS, ids=lambda text: text.splitlines()[0])
def test_settings_in_documents_are_accepted(text: str, tmp_path: Path) -> None:
    whole = {
        "node": 'name = "a"\nrole = "insurer"\nlisten = "127.0.0.1:1"\n'
        'certificate = "c"\nkey = "k"\nresults = "r"',
        "source": 'format = "csv"\npaths = ["f"]',
        "identifiers": '[identifiers.plate]\nkind = "plate"\ncolumns = ["plate"]',
    }
    there = tomllib.loads(text)
    if "claims" in there:  # says how joined tables are filled, and no settings
        file = tmp_path / "mapping.toml"
        file.write_text(text, encoding="utf-8")
        assert {*mapping.read(file)} == {*there}
        return
    lacking = [f"[{name}]\n{body}\n" for name, body in whole.items() if name not in there]
    file = tmp_path / "greenlane.toml"
    file.write_text(text + "\n" + "\n".join(lacking), encoding="utf-8")
    settings = load(file)
    assert {each.name for each in settings.peers} == set(there.get("peers", {}))


def python(program: str, folder: Path, surroundings: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
