"""The audit log of two nodes: appending, verifying, exporting, comparing.

Prints one JSON object for each measure: lines, seconds, peak memory of the process. Most lines are
inquiries that were answered, and are chained here, since appending them takes minutes; so many runs
have receipts of both nodes, of which each is a signature to check, and two signed heads at each.

    python tests/performance/bench_audit.py --lines 1000000 --runs 5000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from parties import audit
from parties.audit.chain import SALT_BYTES, body_of, link, stamp
from parties.audit.comparing import compare
from parties.audit.exported import ExportedLog
from parties.audit.exporting import announce, export
from parties.audit.log import place
from parties.audit.reading import StoredLog
from parties.audit.receipt import Receipt, SetReceipt
from parties.audit.verifying import verify
from parties.certificates import create_authority, issue
from parties.credentials import Identity, read_credentials
from parties.store import Store

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = "inquiry_answered"
RUN_LINES = 4
INSERT = "INSERT INTO audit_lines (number, at, event, body, hash) VALUES (?, ?, ?, ?, ?)"
"""Of a run: begun, ended, two receipts."""


class Node:
    """A node with a log.

    Args:
        folder: for its files.
        name: insurer or police.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.time = name, BEGAN
        self.peer = "police" if name == "insurer" else "insurer"
        authority = Identity(folder / f"{name}-ca.pem", folder / f"{name}-ca.key")
        files = Identity(folder / f"{name}.pem", folder / f"{name}.key")
        create_authority(name, authority)
        issue(name, files, authority)
        self.credentials = read_credentials(files)
        self.store = Store(f"sqlite:///{folder / f'{name}.db'}")
        self.file = folder / f"{name}.jsonl"
        self.head: audit.Head
        with self.store.writing() as connection:
            self.genesis = audit.begin(connection, name)

    def tick(self) -> datetime:
        """A second later."""
        self.time += timedelta(seconds=1)
        return self.time

    def inquiry(self, connection: Any, number: int) -> None:
        """A line of an inquiry."""
        facts = {"peer": self.peer, "session": f"{number:032x}", "elements": {"plate": 500}}
        audit.append(connection, self.tick(), EVENT, facts)

    def ran(self, connection: Any, session: str) -> audit.Signed:
        """The lines of a run up to our receipt, which is returned."""
        facts = {"peer": self.peer, "session": session, "way": "count"}
        audit.append(
            connection, self.tick(), "run_begun", {**facts, "sets": ["plate"], "learns": "us"}
        )
        sizes = {"ours": {"plate": 128}, "theirs": {"plate": 1024}}
        took = {"said_bytes": 1000, "heard_bytes": 1000, "milliseconds": 60_000}
        audit.append(connection, self.tick(), "run_ended", {**facts, **sizes, **took})
        receipt = Receipt(
            session=session,
            ticket="T-2026-1",
            ticket_digest="ab" * 32,
            insurer="insurer",
            police="police",
            way="count",
            stage="count",
            learns="police",
            sets=(SetReceipt("plate", "dh", 128, 1024),),
            said_bytes=1000,
            heard_bytes=1000,
            transcript="cd" * 32,
            started=stamp(self.time),
            ended=stamp(self.time),
            outcome="done",
            signer=self.name,
            place=audit.Place(0, bytes(32)),
        )
        return audit.keep_ours(connection, self.tick(), receipt, self.credentials)


@contextmanager
def timed(what: str, **values: Any) -> Iterator[dict[str, Any]]:
    """Prints what was done in the block, and how long it took."""
    began, cpu = time.monotonic(), time.process_time()
    yield values
    took = {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }
    print(json.dumps({"what": what, **values, **took}), flush=True)


def fill_fast(node: Node, connection: Any, lines: int) -> None:
    """Chains lines of inquiries as `append` does, and writes them in one piece."""
    last, before = place(connection)
    rows = []
    for number in range(last + 1, last + lines + 1):
        facts = {"peer": node.peer, "session": f"{number:032x}", "elements": {"plate": 500}}
        at = stamp(node.tick())
        body = body_of(number, at, EVENT, facts, os.urandom(SALT_BYTES))
        before = link(before, body)
        rows.append((number, at, EVENT, body, before))
    if rows:
        connection.executemany(INSERT, rows)


def fill(nodes: tuple[Node, Node], lines: int, runs: int) -> None:
    """Writes both logs, in one transaction each: runs spread evenly among inquiries."""
    here, there = nodes
    between = max((lines - RUN_LINES * runs) // max(runs, 1), 0)
    with here.store.writing() as one, there.store.writing() as other:
        for run in range(runs):
            here.time = there.time = max(here.time, there.time)  # receipts say when a run ended
            fill_fast(here, one, between)
            fill_fast(there, other, between)
            session = f"{run:032x}"
            ours, theirs = here.ran(one, session), there.ran(other, session)
            audit.keep_theirs(one, here.tick(), theirs, here.credentials)
            audit.keep_theirs(other, there.tick(), ours, there.credentials)


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser(description="The audit log, timed.")
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=5000, help="five a day for three years")
    arguments.add_argument("--each", type=int, default=1000, help="in a transaction of their own")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        nodes = Node(Path(name), "insurer"), Node(Path(name), "police")
        here, there = nodes
        with timed("append, a transaction each", lines=given.each):
            for number in range(given.each):
                with here.store.writing() as connection:
                    here.inquiry(connection, number)
        batch = 20 * given.each
        with (
            timed("append, one transaction", lines=batch),
            here.store.writing() as connection,
        ):
            for number in range(batch):
                here.inquiry(connection, number)
        runs = given.runs
        with timed("lines of both nodes made, and receipts signed", runs=runs):
            fill(nodes, given.lines, runs)
        for node in nodes:
            with node.store.writing() as connection:
                announce(connection, node.tick(), node.name, node.credentials, "jsonl")
                node.head = audit.sign_head(connection, node.credentials, node.time)
        with timed("a yardstick: as many hashes", lines=given.lines):
            before = bytes(32)
            body = bytes(230)
            for _ in range(given.lines):
                before = link(before, body)
        with timed("a yardstick: as many signatures", signatures=4 * runs):
            head = there.head
            for _ in range(4 * runs):
                assert head.is_signed(there.genesis)
        with timed("verify the store") as said, here.store.reading() as connection:
            report = verify(StoredLog(connection), here.credentials.leaf)
            said |= {"lines": report.lines, "heads": report.heads, "receipts": report.receipts}
            assert report.holds, report.text()
        for node in nodes:
            with timed("export") as said, node.store.reading() as connection:
                said["lines"] = export(connection, node.file)
        with timed("verify an export") as said:
            report = verify(ExportedLog(there.file))
            said["lines"] = report.lines
            assert report.holds, report.text()
        with timed("compare the store with an export") as said, here.store.reading() as connection:
            comparison = compare(StoredLog(connection), ExportedLog(there.file))
            said |= {
                "lines": [comparison.ours.lines, comparison.theirs.lines],
                "sessions": comparison.sessions,
            }
            assert comparison.holds, comparison.text()
        with timed("page") as said, here.store.reading() as connection:
            said["lines"] = export(connection, here.file.with_suffix(".html"), format="html")
        for node in nodes:
            node.store.close()


if __name__ == "__main__":
    main()
