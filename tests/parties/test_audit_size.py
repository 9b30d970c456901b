"""Logs of many lines: found is what was done to one of them, and memory does not grow."""

from __future__ import annotations

import resource
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from booked import Booked, run

from parties.audit.comparing import compare
from parties.audit.exported import ExportedLog
from parties.audit.exporting import export
from parties.audit.reading import StoredLog
from parties.audit.verifying import verify

MIB = 1 << 20


def exported(node: Booked) -> ExportedLog:
    path = node.folder / "export.jsonl"
    with node.store.reading() as connection:
        export(connection, path)
    return ExportedLog(path)


def pair(folder: Path, lines: int, runs: int) -> tuple[Booked, Booked]:
    """Two nodes with so many lines each, and runs between them at both ends."""
    here, there = Booked(folder / "insurer", "insurer"), Booked(folder / "police", "police")
    for part in (lines // 2, lines - lines // 2):
        for node in (here, there):
            node.fill_fast(part)
        for _ in range(runs // 2):
            run(here, there)
    return here, there


def check(here: Booked, there: Booked, altered: int, show: Callable[[str, float], None]) -> None:
    began = time.monotonic()
    assert here.verified().holds
    show("verify the store", time.monotonic() - began)
    theirs = exported(there)
    began = time.monotonic()
    assert verify(theirs).holds
    show("verify an export", time.monotonic() - began)
    began = time.monotonic()
    with here.store.reading() as connection:
        assert compare(StoredLog(connection), theirs).holds
    show("compare", time.monotonic() - began)
    here.tamper(
        "UPDATE audit_lines SET body = "
        "CAST(replace(CAST(body AS TEXT), '500', '501') AS BLOB) WHERE number = :number",
        number=altered,
    )
    report = here.verified()
    assert [(each.code, each.number) for each in report.findings] == [("line-altered", altered)]
    with here.store.reading() as connection:
        assert not compare(StoredLog(connection), theirs).holds


def test_one_altered_line_of_many_is_found(tmp_path: Path) -> None:
    here, there = pair(tmp_path, 9000, 4)
    check(here, there, 7777, lambda _, __: None)


@pytest.mark.study
def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    peaks = []
    for lines in (10_000, 40_000):
        node = Booked(tmp_path / str(lines), "insurer")
        node.fill_fast(lines)
        node.sign()
        file = exported(node)
        tracemalloc.start()
        assert verify(file).holds
        assert node.verified().holds
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + MIB


@pytest.mark.study
def test_a_million_lines(tmp_path: Path) -> None:
    here, there = pair(tmp_path, 1_000_000, 1000)
    check(here, there, 654_321, lambda what, seconds: print(f"{what}: {seconds:.1f} s"))
    print(f"peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
