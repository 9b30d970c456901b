"""What tickets, budgets and the audit log take of a match: CPU of both nodes, and their share.

Prints one JSON object. The jobs are two nodes of `greenlane init`, `serve` on the one side and
`match` on the other over mutual TLS, from CSV files to a CSV file, each with one thread. "records"
is a match as tickets are drafted for: the police disclose three columns of their records of what is
in common. "bare" is that of `compare_spu.py`, without columns: the least that a match can be, in
which what is done once a process weighs most. "again" is one more like it, by a node that serves
already and under a ticket that was used: a run of five less a run of one, by four.

In both processes everything is timed that a node would do without if a job needed no ticket, after
what it would do first in any case, as verifying a certificate for the first time: finding and
verifying a ticket, commitments to sets, charging, transactions of whoever writes, lines of the log,
that of the node's start among them, heads and receipts, and also importing what all of that is made
of. A set is committed to while its identifiers are told apart: by how much that takes longer is
measured apart, in this process, with as many identifiers as a side has. Of threads their CPU, in
the kernel too. The whole is what the operating system says of both processes; figures are medians
of the runs.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from psi.lazily import uncompiled

WITHOUT = (
    "parties.channel",
    "parties.credentials",
    "parties.disclosure",
    "parties.identifiers",
    "parties.job",
    "parties.joining",
    "parties.logs",
    "parties.settings_file",
    "parties.sources",
    "parties.standing",
    "parties.wire.v1.job_pb2",
)
"""What a job without tickets imports as well."""
CHECKS = ("audit", "books", "clearance", "commitments", "parting", "runs", "tally")
"""What all jobs import for the checks alone."""
OF_A_NODE_THAT_SERVES = ("inquiry_books", "receipting", "submissions")
"""What a node that answers imports besides: it may be asked anything."""
REPORT = "checks-{}.json"
"""The file beside a node's settings into which a process writes what it has timed."""
AGAIN = 4
"""Matches of a node that serves already, of which each has a share of the whole."""


class Timed:
    """CPU seconds by name; within one that is timed another is not timed again."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._within = threading.local()

    def add(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the call, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            if getattr(self._within, "one", False):
                return call(*arguments, **named)
            self._within.one = True
            began = time.thread_time()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds[name] += time.thread_time() - began
                self._within.one = False

        return timed


def side() -> None:
    """Runs the program with its checks timed."""
    gc.disable()  # as `parties.__main__` does
    with uncompiled():  # as `parties.operators` does, which is imported first there
        import_module("cryptography.x509")
    for name in WITHOUT:
        import_module(name)
    settings = Path(sys.argv[sys.argv.index("--settings") + 1])
    look_at_peer(settings)
    assert sys.modules.keys().isdisjoint(
        f"parties.{name}" for name in (*CHECKS, "tickets", "store")
    )

    began = time.thread_time()
    for name in CHECKS + (OF_A_NODE_THAT_SERVES if sys.argv[1] == "serve" else ()):
        import_module(f"parties.{name}")
    from parties import audit, books, clearance, commitments, runs
    from parties.store import Store
    from parties.store.sqlite import SqliteLine
    from parties.tally import Tally

    timed = Timed()
    timed.seconds["imports"] = time.thread_time() - began
    import parties.answering
    import parties.asking  # noqa: F401
    from parties.cli import main

    for name, call in (
        ("tickets", clearance.find),
        ("tickets", clearance.cover),
        ("commitments", commitments.commit),
        ("commitments", commitments.key_of),
        ("books", runs.may_ask),
        ("books", audit.begin),
        ("books", audit.append),
        ("books", audit.sign_head),
    ):
        with_time = timed.add(name, call)
        for module in [each for key, each in sys.modules.items() if key.startswith("parties.")]:
            for own, value in list(vars(module).items()):
                if value is call:
                    setattr(module, own, with_time)
    for kind, names in (
        (runs.Run, ("begin", "bring", "count", "end", "confirm", "fail")),
        (books.Books, ("received", "refused", "leaves", "close")),
        (Store, ("__init__", "close")),
        (SqliteLine, ("begin_writing", "commit", "rollback")),
        (Tally, ("begin", "transcript", "_hash")),
    ):
        for name in names:
            setattr(kind, name, timed.add("books", getattr(kind, name)))
    status: Any = 0
    try:
        main()
    except SystemExit as left:
        status = left.code
    report = settings.with_name(REPORT.format(os.getpid()))
    report.write_text(json.dumps(timed.seconds), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status if isinstance(status, int) else 1)  # as `parties.__main__` does


def look_at_peer(settings: Path) -> None:
    """Looks whether the peer's certificate is the one that is pinned, as a call does."""
    from parties.channel.pinning import read_pin
    from parties.credentials import read_certificates
    from parties.settings_file import load

    (peer,) = load(settings).peers
    (certificate, *_) = read_certificates(settings.parents[1] / peer.name / "tls" / "node.pem")
    assert read_pin(peer).accepts(certificate)


def committing(rows: int) -> float:
    """CPU seconds by which identifiers are told apart later if they are committed to."""
    from arro3.core import Array, DataType

    from psi import _core
    from psi.elements import KEY

    texts = Array([f"{row:018}" for row in range(rows)], DataType.large_string())
    taken = []
    for key in (None, bytes(KEY)):
        grouping = _core.Grouping("bench", 1)
        grouping.add([texts])
        began = time.thread_time()
        grouping.finish(key)
        taken.append(time.thread_time() - began)
    return taken[1] - taken[0]


def run(
    folder: Path, files: Any, rows: int, disclosed: Sequence[str], times: int = 1
) -> dict[str, float]:
    """Runs a job, and returns CPU seconds: of all, and of each kind of check."""
    from whole_jobs import run_greenlane

    taken: dict[str, float] = defaultdict(float)
    program = (sys.executable, __file__, "side")
    taken["all"] = sum(run_greenlane(folder, files, "vole", program, disclosed, times).cpu)
    for report in folder.glob(f"*/{REPORT.format('*')}"):
        for name, seconds in json.loads(report.read_text("utf-8")).items():
            taken[name] += seconds
        report.unlink()
    taken["commitments"] += 2 * times * committing(rows)
    return taken


def again(folder: Path, files: Any, rows: int) -> dict[str, float]:
    """As `run`, of one match more of a node that serves, under a ticket of before."""
    once, more = (run(folder, files, rows, (), times) for times in (1, 1 + AGAIN))
    return {name: (seconds - once[name]) / AGAIN for name, seconds in more.items()}


def main() -> None:
    """Prints the figures."""
    from whole_jobs import RECORD, found, made_up

    from parties.machine import use

    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--rows", type=int, default=1 << 20, help="of each side")
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    use(1)
    figures: dict[str, Any] = {"bench": "checks of a match", "rows": given.rows, "threads": 1}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found(folder)
        for job, columns in (("records", RECORD), ("bare", ())):
            files = made_up(folder, given.rows, columns)
            figures[job] = summary(
                [run(folder, files, given.rows, columns) for _ in range(given.runs)]
            )
        bare = made_up(folder, given.rows)
        figures["again"] = summary([again(folder, bare, given.rows) for _ in range(given.runs)])
    print(json.dumps(figures))


def summary(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Returns the medians."""
    medians = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
    whole = medians.pop("all")
    checks = statistics.median(sum(each.values()) - each["all"] for each in runs)
    return {
        "cpu_seconds": round(whole, 3),
        "checks_cpu_seconds": round(checks, 4),
        "each_check": {name: round(seconds, 4) for name, seconds in medians.items()},
        "share_of_the_rest": round(checks / (whole - checks), 4),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        del sys.argv[1]
        side()
    else:
        main()
