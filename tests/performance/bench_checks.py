"""What tickets, budgets and the audit log take of a match: CPU of both nodes, and their share.

Prints one JSON object. The job is that of `compare_spu.py`: two nodes of `greenlane init`, `serve`
on the one side and `match` on the other over mutual TLS, from CSV files, without columns; each with
one thread. In both processes everything is timed that a node would do without if a job needed no
ticket: finding and verifying one, commitments to sets, charging, lines of the log, heads and
receipts, and also importing what all of that is made of. Of threads their CPU, in the kernel too.
The whole is what the operating system says of both processes; figures are medians of the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REPORT = "GREENLANE_BENCH_REPORT"
"""The variable of the environment with the file into which a side writes what it has timed."""


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
    import parties.channel
    import parties.credentials
    import parties.identifiers
    import parties.joining
    import parties.logs
    import parties.settings_file
    import parties.sources  # what a job without tickets needs as well

    began = time.thread_time()
    import parties.books as books
    import parties.clearance as clearance
    import parties.commitments as commitments

    timed = Timed()
    timed.seconds["imports"] = time.thread_time() - began
    import parties.answering
    import parties.asking  # noqa: F401
    from parties.cli import main

    for name, call in (
        ("tickets", clearance.find),
        ("tickets", clearance.cover),
        ("commitments", commitments.commit),
    ):
        with_time = timed.add(name, call)
        for module in [each for key, each in sys.modules.items() if key.startswith("parties.")]:
            for own, value in list(vars(module).items()):
                if value is call:
                    setattr(module, own, with_time)
    for kind, names in (
        (books.Run, ("begin", "end", "confirm", "fail")),
        (books.Books, ("must_be_left", "refused", "close")),
    ):
        for name in names:
            setattr(kind, name, timed.add("books", getattr(kind, name)))
    status: Any = 0
    try:
        main()
    except SystemExit as left:
        status = left.code
    Path(os.environ[REPORT]).write_text(json.dumps(timed.seconds), encoding="utf-8")
    sys.exit(status)


def run(folder: Path, files: Any) -> dict[str, Any]:
    """Runs the job once, and returns CPU seconds: of all, and of each kind of check."""
    from compare_spu import SETTINGS, free_ports, must_have
    from watching import Watch

    from parties.settings_file import load
    from parties.tickets.trial import write_trial

    roles = ("insurer", "police")
    ports = dict(zip(roles, free_ports(), strict=True))
    rows = dict(zip(roles, (files.receiver, files.sender), strict=True))
    settings, reports = {}, {}
    for role, other in (roles, roles[::-1]):
        text = SETTINGS.format(
            role=role, other=other, port=ports[role], other_port=ports[other], rows=rows[role]
        )
        settings[role] = folder / role / "greenlane.toml"
        settings[role].write_text(text, encoding="utf-8")
        reports[role] = folder / f"{role}.json"
    write_trial(*(load(settings[role]) for role in roles), datetime.now(UTC))
    program = (sys.executable, __file__, "side")
    result = folder / "joined.csv"
    with Watch(folder) as watch:
        os.environ[REPORT] = str(reports["police"])
        sender = watch.start(*program, "serve", "--settings", str(settings["police"]), "--json")
        watch.until_said(sender, b"listen")
        os.environ[REPORT] = str(reports["insurer"])
        receiver = watch.start(
            *(*program, "match", "--settings", str(settings["insurer"]), "--peer", "police"),
            *("--json", "--protocol", "vole", "--format", "csv", "--out", str(result)),
        )
        watch.until_ended(receiver)
        os.kill(sender, signal.SIGTERM)
        watch.until_ended(sender)
    must_have(result, files.common)
    taken: dict[str, float] = defaultdict(float)
    for report in reports.values():
        for name, seconds in json.loads(report.read_text(encoding="utf-8")).items():
            taken[name] += seconds
    return {"all": sum(watch.run(receiver, sender, None).cpu), **taken}


def main() -> None:
    """Prints the figures."""
    from compare_spu import found, made_up

    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--rows", type=int, default=1 << 20, help="of each side")
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found(folder)
        files = made_up(folder, given.rows)
        runs = [run(folder, files) for _ in range(given.runs)]
    medians = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
    whole = medians.pop("all")
    checks = statistics.median(sum(each.values()) - each["all"] for each in runs)
    figures = {
        "bench": "checks of a match",
        "rows": given.rows,
        "threads": 1,
        "cpu_seconds": round(whole, 3),
        "checks_cpu_seconds": round(checks, 4),
        "each_check": {name: round(seconds, 4) for name, seconds in medians.items()},
        "share_of_the_rest": round(checks / (whole - checks), 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        del sys.argv[1]
        side()
    else:
        main()
