"""An insurer node and a police node as two processes on the loopback, over a twin's files."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from twin import Twin

from parties.settings_file import load
from parties.tickets.trial import write_trial

GREENLANE: Final = (sys.executable, "-m", "parties")
ROLES: Final = ("insurer", "police")
DISCLOSED: Final = {
    "insurer": ("claim_no", "line", "accident_time", "amount"),
    "police": ("record_no", "record_type", "event_time"),
}
"""What each party has agreed to show of its rows of matches."""


class NodeFailed(Exception):
    """A command of a node did not end well; carries its exit code and its one sentence."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass
class Pair:
    """Two nodes that know each other; a context manager in which both run.

    Args:
        folder: where their settings, certificates, logs and results go.
        twin: the files of both parties.
        threads: of each node's kernels; 0 for all cores.
        passphrase: under which the keys of prepared tables are sealed.
    """

    folder: Path
    twin: Twin
    threads: int = 0
    passphrase: str = field(default_factory=secrets.token_urlsafe, repr=False)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Pair:
        self.found()
        try:
            for role in ROLES:
                self._serve(role)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self._processes.clear()

    def found(self) -> None:
        """Makes both nodes, which know each other and have trial tickets; neither runs yet."""
        ports = dict(zip(ROLES, _free_ports(len(ROLES)), strict=True))
        for role in ROLES:
            listen = f"127.0.0.1:{ports[role]}"
            run("init", role, str(self.folder / role), "--listen", listen)
        for role, other in (ROLES, ROLES[::-1]):
            authority = self.folder / other / "tls/authority.pem"
            (self.folder / role / f"tls/{other}.pem").write_bytes(authority.read_bytes())
            text = self._settings(role, ports[role], other, ports[other])
            self.settings(role).write_text(text, encoding="utf-8")
        ours, theirs = (load(self.settings(role)) for role in ROLES)
        write_trial(ours, theirs, datetime.now(UTC))

    def settings(self, role: str) -> Path:
        """The settings file of one node."""
        return self.folder / role / "greenlane.toml"

    def ask(self, asker: str, *command: str) -> dict[str, Any]:
        """Lets one node ask the other, and returns its report.

        Raises:
            NodeFailed: the command did not end well.
        """
        (other,) = {*ROLES} - {asker}
        way, *options = command
        named = ("--settings", str(self.settings(asker)), "--peer", other)
        return run(way, *named, *options, environment=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {"GREENLANE_PASSPHRASE": self.passphrase}

    def _serve(self, role: str) -> None:
        command = [*GREENLANE, "serve", "--settings", str(self.settings(role)), "--json"]
        with (self.folder / role / "stderr.log").open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(  # noqa: S603 our own program
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self._environment,
            )
        self._processes.append(process)
        said = process.stdout.readline() if process.stdout else ""
        report = json.loads(said) if said else {}
        if "listen" not in report:
            sentence = report.get("error", {}).get("message", "said nothing")
            raise NodeFailed(f"the {role} node did not start: {sentence}", process.wait(timeout=60))

    def _settings(self, role: str, port: int, other: str, other_port: int) -> str:
        path = self.twin.claims if role == "insurer" else self.twin.records
        sets = [
            f'[identifiers.{name}]\nkind = "{columns.kind}"\n'
            f"columns = {_list(columns.own if role == 'insurer' else columns.their)}\n"
            for name, columns in self.twin.columns.items()
        ]
        return "\n".join(
            [
                "[node]",
                f'name = "{role}"',
                f'role = "{role}"',
                f'listen = "127.0.0.1:{port}"',
                'certificate = "tls/node.pem"',
                'key = "tls/node.key"',
                'results = "results"',
                'log = "greenlane.log"',
                f"threads = {self.threads}",
                "",
                "[source]",
                f'format = "{self.twin.format}"',
                f"paths = {_list([str(path.resolve())])}",
                "",
                "[operators]",
                'authority = "tls/authority.pem"',
                "",
                *sets,
                f"[peers.{other}]",
                f'address = "127.0.0.1:{other_port}"',
                f'ca = "tls/{other}.pem"',
                'may = ["count", "match", "inquire"]',
                f"disclose = {_list(DISCLOSED[role])}",
                *(["daily_clues = 1000"] if role == "police" else []),
                "",
            ]
        )


def run(*command: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs a command of the program and returns what it printed.

    Raises:
        NodeFailed: it did not end well.
    """
    done = subprocess.run(  # noqa: S603 our own program
        [*GREENLANE, *command, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    if done.returncode:
        sentence = report.get("error", {}).get("message", done.stderr.strip())
        raise NodeFailed(f"greenlane {command[0]}: {sentence}", done.returncode)
    return report


def _free_ports(count: int) -> list[int]:
    """Finds ports that are free now; the nodes take them a moment later."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _list(texts: Sequence[str]) -> str:
    return json.dumps(list(texts), ensure_ascii=False)
