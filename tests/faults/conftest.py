"""Two nodes with real settings, certificates and rows, and what a fault must and must not leave.

Most commands run in this process, through the same `main` as the program: starting a process costs
more than a job. Where the process is the point (signals, limits, kill -9) it is a real one.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from parties import calibration, cli, logs
from parties.answering import answers
from parties.channel import Answer, Ended, Identity, Node
from parties.founding import found, introduce
from parties.settings import Role, Settings
from parties.settings_file import load
from psi import _core

ROOT = Path(__file__).parents[2]
IDENTIFIERS = {
    "insured_id": "resident_id",
    "driver_id": "resident_id",
    "person_id": "resident_id",
    "phone": "phone",
    "plate": "plate",
    "vin": "vin",
}
OTHER: dict[str, Role] = {"insurer": "police", "police": "insurer"}


@dataclass(frozen=True)
class Ending:
    """How a command of the program ended."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        (line,) = self.out.splitlines()
        report: dict[str, Any] = json.loads(line)
        return report

    def fails(self, status: int, code: str, pattern: str) -> None:
        """Checks that it failed as every command must: one sentence, one object, one exit code.

        `code` and `pattern` are regular expressions, of the whole word and of a part of the
        sentence.
        """
        assert (self.status, self.err.count("\n")) == (status, 1), self
        sentence = self.err.removeprefix("greenlane: ").removesuffix("\n")
        assert re.fullmatch(code, self.report["error"]["code"])
        error = self.report["error"] | {"message": sentence, "exit_code": status}
        assert self.report == {"error": error}
        assert error.keys() == {"code", "message", "exit_code"}
        assert re.search(pattern, sentence), sentence
        assert "Traceback" not in self.err


@dataclass
class Party:
    """One node: its folder, as `greenlane init` makes it."""

    folder: Path
    role: Role

    @property
    def file(self) -> Path:
        return self.folder / "greenlane.toml"

    @property
    def settings(self) -> Settings:
        return load(self.file)

    @property
    def rows(self) -> Path:
        return self.folder / ("claims.csv" if self.role == "insurer" else "records.csv")

    @property
    def log(self) -> list[dict[str, Any]]:
        path = self.folder / "greenlane.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def left(self) -> set[str]:
        """What sessions have left in the results folder, without their names."""
        return {"/".join(p.relative_to(self.folder / "results").parts[1:]) for p in self._results()}

    def _results(self) -> Iterator[Path]:
        folder = self.folder / "results"
        everything = folder.rglob("*") if folder.exists() else ()
        yield from (path for path in everything if path != folder / calibration.FILE)

    def change(self, before: str, after: str) -> None:
        """Changes the settings; `before` must stand there once."""
        text = self.file.read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        self.file.write_text(text.replace(before, after), encoding="utf-8")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.log if event["event"] == name]

    def wait_for(self, event: str, count: int = 1, seconds: float = 30) -> dict[str, Any]:
        until(lambda: len(self.events(event)) >= count, f"{event} at {self.role}", seconds)
        return self.events(event)[count - 1]


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def secrets_of(*files: Path) -> set[str]:
    """Every identifier of some CSV files, as it stands there and normalised."""
    secrets = set[str]()
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                for column, kind in IDENTIFIERS.items():
                    if cell := row.get(column):
                        secrets |= {cell, *_normal(kind, cell)}
    return secrets


def _normal(kind: str, cell: str) -> list[str]:
    import pyarrow as pa

    values, _, _ = _core.normalise(kind, pa.array([cell], pa.large_string()))
    return [value for value in pa.array(values).to_pylist() if value]


def shows(folder: Path, secrets: set[str]) -> list[str]:
    """The files whose name or content shows a secret; but for sources and results, which may."""
    places = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        may = path.name.startswith(("joined.", "claims.", "records."))
        content = path.read_bytes() if path.is_file() and not may else b""
        if any(each in name or each.encode() in content for each in secrets):
            places.append(name)
    return places


@dataclass
class Two:
    """An insurer and a police node that know each other. The insurer asks, unless told."""

    folder: Path
    insurer: Party
    police: Party
    program: Callable[..., Ending]
    killed: bool = False
    """Whether the test kills a node, which then cannot remove the folder that it has made."""

    def ask(self, *command: str, asker: str = "insurer") -> Ending:
        party: Party = getattr(self, asker)
        way, *options = command or ("match",)
        return self.program(
            way, "--settings", str(party.file), "--peer", OTHER[asker], *options, "--json"
        )

    @contextmanager
    def answering(
        self, answer: Answer | None = None, settings: Settings | None = None, role: str = "police"
    ) -> Iterator[list[Ended]]:
        """Runs a node in this process; its ended calls are appended to what it yields."""
        ours = settings or getattr(self, role).settings
        ends = list[Ended]()
        hallway = answers(ours)
        node = Node(
            ours.node.listen,
            Identity(ours.node.certificate, ours.node.key),
            ours.peers,
            answer or hallway,
            at_once=answer or hallway.at_once,
            patience=ours.node.patience,
            on_end=ends.append,
        )
        node.start()
        try:
            yield ends
        finally:
            node.stop(10)  # returns as soon as no job runs


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ending]]:
    """Runs a command of the program in this process."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}

    def run(*command: str) -> Ending:
        monkeypatch.setattr(sys, "argv", ["greenlane", *command])
        capfd.readouterr()
        with pytest.raises(SystemExit) as leave:
            cli.main()
        said = capfd.readouterr()
        return Ending(int(leave.value.code or 0), said.out, said.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    logs.set_up(None)


@pytest.fixture
def two(tmp_path: Path, program: Callable[..., Ending]) -> Iterator[Two]:
    """Two fresh nodes. After the test nothing has shown an identifier, and no job is half done."""
    nodes = make_two(tmp_path, program)
    secrets = secrets_of(nodes.insurer.rows, nodes.police.rows)
    assert len(secrets) > 10
    yield nodes
    assert shows(tmp_path, secrets) == []
    assert list(tmp_path.rglob("*.part")) == []
    sessions = [each for party in ("A", "B") for each in tmp_path.glob(f"{party}/results/*/")]
    empty = [each for each in sessions if not any(each.iterdir())]
    assert empty == [] or nodes.killed, "an empty session folder"


def make_two(folder: Path, program: Callable[..., Ending]) -> Two:
    roles: dict[str, Role] = {"A": "insurer", "B": "police"}
    for name, role in roles.items():
        found(folder / name, role, role, f"127.0.0.1:{free_port()}")
    introduce(folder / "A/greenlane.toml", folder / "B/greenlane.toml")
    return Two(folder, Party(folder / "A", "insurer"), Party(folder / "B", "police"), program)


@dataclass
class Started:
    """A real process of the program."""

    process: subprocess.Popen[str]
    _lines: list[str] = field(default_factory=list)

    def say(self) -> str:
        """Waits for one line on stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, seconds: float = 30) -> Ending:
        """Waits for its end."""
        out, err = self.process.communicate(timeout=seconds)
        return Ending(self.process.returncode, out, err)

    def send(self, number: int) -> None:
        self.process.send_signal(number)


@pytest.fixture
def start() -> Iterator[Callable[..., Started]]:
    """Starts real processes of the program; none outlives the test."""
    with ExitStack() as stack:

        def run(*command: str, before: str = "") -> Started:
            code = f"{before}\nfrom parties.cli import main\nmain()"
            process = subprocess.Popen(
                [sys.executable, "-c", code, *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

            def stop() -> None:
                process.kill()
                process.communicate()

            stack.callback(stop)
            return Started(process)

        yield run


@pytest.fixture
def serve(start: Callable[..., Started]) -> Callable[..., Started]:
    """Starts real nodes, and returns when they listen."""

    def run(party: Party, before: str = "") -> Started:
        node = start("serve", "--settings", str(party.file), "--json", before=before)
        assert json.loads(node.say())["role"] == party.role
        return node

    return run


@pytest.fixture
def slow_line() -> Iterator[Callable[[Party, Party], None]]:
    """Puts a line between two nodes on which each piece takes a while, so that a job takes long."""
    over = threading.Event()
    with ExitStack() as stack:

        def put(asker: Party, answering: Party, delay: float = 0.12) -> None:
            (peer,) = asker.settings.peers
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            asker.change(peer.address, f"127.0.0.1:{listener.getsockname()[1]}")
            target = int(answering.settings.node.listen.rpartition(":")[2])
            listener.settimeout(0.2)
            thread = threading.Thread(target=_accept, args=(listener, target, delay, over))
            thread.start()
            stack.callback(thread.join)
            stack.callback(over.set)

        yield put


def _accept(listener: socket.socket, target: int, delay: float, over: threading.Event) -> None:
    with ExitStack() as stack:
        while not over.is_set():
            try:
                caller, _ = listener.accept()
            except TimeoutError:
                continue
            try:
                node = socket.create_connection(("127.0.0.1", target), 5)
            except OSError:
                caller.close()
                continue
            ends = (stack.enter_context(caller), stack.enter_context(node))
            for one, other in (ends, ends[::-1]):
                one.settimeout(None)
                threading.Thread(target=_carry, args=(one, other, delay, over), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket, delay: float, over: threading.Event) -> None:
    try:
        while data := one.recv(65536):
            over.wait(delay)
            other.sendall(data)
    except OSError:
        pass
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
