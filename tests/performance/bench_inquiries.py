"""Inquiries between two processes over mutual TLS on the loopback: preparing, asking, many askers.

Prints one JSON object for each: what a prepared record costs and takes up, what it costs to add a
change to the table and to find it in the whole source, how long one identifier and a thousand take
once the table is at the asker, and what many askers at once get; and what receipts of
all that take up. Made-up plates; one in two that is
asked about is there.

    python tests/performance/bench_inquiries.py --records 1048576 --runs 5 --seconds 10
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from parties import logs
from parties.audit.inquiries import sessions_in
from parties.audit.reading import StoredLog
from parties.founding import FILE, found, introduce
from parties.inquiring import Inquirer
from parties.machine import use
from parties.preparing import prepare
from parties.settings_file import load
from parties.store import Store
from parties.tickets.trial import write_trial
from psi import Meter

PREFIXES = [a + b for a in "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋" for b in "ABCDEFGHJK"]
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
TEN_MILLION = 10_000_000
BOUND = 0.01
"""What a change of a thousandth of ten million records may take, of what building them takes."""


def plate(number: int) -> str:
    """A plate for each number below 200 x 34^5."""
    prefix, rest = PREFIXES[number % len(PREFIXES)], number // len(PREFIXES)
    # The last of five is a digit or letter of the rest; the first ones vary fastest.
    return prefix + "".join(LETTERS[rest // 34**i % 34] for i in range(5))


def write_claims(path: Path, numbers: Sequence[int]) -> None:
    """Writes a file of the insurer's: a claim with the plate of each number."""
    plates = pa.array(map(plate, numbers), pa.large_string(), size=len(numbers))
    claims = {"plate": plates, "claim_no": pa.array(numbers, pa.int64())}
    pq.write_table(pa.table(claims), path)


def found_pair(folder: Path, records: int, disclose: bool) -> tuple[Path, Path]:
    """Makes both nodes; the insurer's file has so many plates."""
    write_claims(folder / "claims.parquet", range(records))
    for role, port in (("insurer", 0), ("police", 1)):
        found(folder / role, role, role, f"127.0.0.1:{7643 + port}")  # type: ignore[arg-type]
    introduce(folder / "insurer" / FILE, folder / "police" / FILE)
    path = folder / "insurer" / FILE
    text = path.read_text(encoding="utf-8").replace('may = ["count", "match"]', 'may = ["inquire"]')
    head, rest = text.split("[source]")
    peer = rest[rest.index("[peers.") :].replace(
        '["claim_no", "amount"]', '["claim_no"]' if disclose else "[]"
    )
    sets = '[source]\nformat = "parquet"\npaths = ["../claims.parquet"]\n\n'
    sets += '[identifiers.plate]\nkind = "plate"\ncolumns = ["plate"]\n\n'
    path.write_text(head + sets + peer + "daily_inquiries = 1000000000\n", encoding="utf-8")
    write_trial(load(path), load(folder / "police" / FILE), datetime.now(UTC))
    return path, folder / "police" / FILE


@contextmanager
def serving(path: Path) -> Iterator[None]:
    """Runs the insurer as a process."""
    command = [sys.executable, "-m", "parties", "serve", "--settings", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, CPU seconds of this process, and the result."""
    began, cpu = time.monotonic(), time.process_time()
    result = work()
    return time.monotonic() - began, time.process_time() - cpu, result


def add_change(folder: Path, insurer: Path, held: range, changed: int) -> tuple[float, float]:
    """Has the program replace so many plates of a table, the first ones, by others.

    Returns seconds, and CPU seconds of the process, its start included.
    """
    write_claims(folder / "changed.parquet", range(held.stop, held.stop + changed))
    write_claims(
        folder / "about.parquet", [*held[:changed], *range(held.stop, held.stop + changed)]
    )
    command = [sys.executable, "-m", "parties", "prepare", "--settings", str(insurer)]
    command += ["--peer", "police", "--set", "plate", "--json"]
    command += ["--changed", str(folder / "changed.parquet")]
    command += ["--about", str(folder / "about.parquet")]
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, cpu


def shifted(held: range, changed: int) -> range:
    """What a table holds of which so many, the first ones, were replaced."""
    return range(held.start + changed, held.stop + changed)


def ask(inquirer: Inquirer, numbers: range, known: range) -> None:
    """Asks about plates and checks the answers."""
    plates = [plate(n) for n in numbers]
    report = inquirer.ask({"plate": plates})
    wrong = [
        each
        for each, n in zip(report.told, numbers, strict=True)
        if bool(each.records) != (n in known)
    ]
    assert not wrong, f"{len(wrong)} wrong answers"


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser(description="Inquiries, timed.")
    arguments.add_argument("--records", type=int, default=1 << 20)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--asked", type=int, default=1000)
    arguments.add_argument("--askers", type=int, default=64)
    arguments.add_argument("--seconds", type=float, default=10, help="for how long they ask")
    arguments.add_argument("--threads", type=int, default=0, help="of the kernels; 0 for all")
    arguments.add_argument("--labels", action="store_true", help="tell a column, not members alone")
    given = arguments.parse_args()
    os.environ["GREENLANE_PASSPHRASE"] = "made up for a benchmark"
    use(given.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        insurer, police = found_pair(folder, given.records, given.labels)
        settings = load(insurer)
        seconds, cpu, (made,) = timed(
            lambda: prepare(settings, "police", ("plate",), None, Meter())
        )
        show(
            what="prepare",
            records=given.records,
            threads=given.threads,
            seconds=round(seconds, 2),
            cpu_seconds=round(cpu, 2),
            cpu_us_a_record=round(cpu / given.records * 1e6, 2),
            bytes_a_record=round(made.size / given.records, 2),
        )
        held = range(given.records)
        _, cpu_one = add_change(folder, insurer, held, 1)
        held = shifted(held, 1)
        # What a thousandth of ten million is, if that is little of these records.
        changed = min(TEN_MILLION // 1000, max(given.records // 64, 1))
        seconds, cpu_change = add_change(folder, insurer, held, changed)
        held = shifted(held, changed)
        of_each = (cpu_change - cpu_one) / changed
        at_ten_million = cpu_one + of_each * TEN_MILLION / 1000
        show(
            what="prepare --changed",
            changed=changed,
            seconds=round(seconds, 2),
            cpu_seconds=round(cpu_change, 2),
            cpu_seconds_of_one=round(cpu_one, 2),
            cpu_us_a_changed_record=round(of_each * 1e6, 1),
            cpu_of_whole_at_ten_million=round(
                at_ten_million / (cpu / given.records) / TEN_MILLION, 4
            ),
            bound_at_ten_million=BOUND,
        )
        write_claims(folder / "claims.parquet", held)
        read_seconds, cpu_read, _ = timed(
            lambda: prepare(settings, "police", ("plate",), None, Meter())
        )
        changed = max(given.records // 1000, 1)
        held = shifted(held, changed)
        write_claims(folder / "claims.parquet", held)
        delta_seconds, cpu_delta, _ = timed(
            lambda: prepare(settings, "police", ("plate",), None, Meter())
        )
        show(
            what="prepare what changed in the whole source",
            changed=changed,
            seconds=round(delta_seconds, 2),
            cpu_seconds=round(cpu_delta, 2),
            seconds_if_nothing_changed=round(read_seconds, 2),
            cpu_seconds_if_nothing_changed=round(cpu_read, 2),
            cpu_of_whole=round(cpu_delta / cpu, 4),
        )
        logs.set_up(folder / "police.log")
        with serving(insurer), Inquirer(load(police), "insurer") as asker:
            fetched, _, _ = timed(lambda: ask(asker, range(0), held))
            show(what="fetch", seconds=round(fetched, 3), bytes=made.size)
            for count in (1, given.asked):
                start = held.stop - count // 2
                runs = [
                    timed(lambda n=count, s=start: ask(asker, range(s, s + n), held))
                    for _ in range(given.runs)
                ]
                show(
                    what="inquire",
                    asked=count,
                    runs=given.runs,
                    seconds=round(statistics.median(run[0] for run in runs), 4),
                    asker_cpu_seconds=round(statistics.median(run[1] for run in runs), 4),
                )
            show(**crowd(asker, given.askers, given.seconds, held))
        show(**receipts_in(insurer))


def receipts_in(node: Path) -> dict[str, Any]:
    """Receipts that a node keeps, its own and its peer's."""
    with closing(Store(load(node).store.url)) as store, store.reading() as connection:
        kept = [each.data for each in StoredLog(connection).receipts()]
    inquiries = sum(len(sessions_in(data)) for data in kept)
    return {
        "what": "receipts",
        "receipts": len(kept),
        "inquiries": inquiries // 2,
        "bytes": sum(map(len, kept)),
        "bytes_of_the_shortest": min(map(len, kept)),
        "bytes_an_inquiry": round(sum(map(len, kept)) / inquiries),
    }


def crowd(inquirer: Inquirer, askers: int, seconds: float, known: range) -> dict[str, Any]:
    """Many askers at once, each with one identifier after the other."""
    until, times, errors = time.monotonic() + seconds, list[float](), list[str]()

    def run(number: int) -> None:
        at = number
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                start = known.start + at % len(known)
                ask(inquirer, range(start, start + 1), known)
            except Exception as error:
                errors.append(type(error).__name__)
            times.append(time.monotonic() - began)
            at += askers

    threads = [threading.Thread(target=run, args=(number,)) for number in range(askers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quantiles = statistics.quantiles(times, n=100)
    return {
        "what": "crowd",
        "askers": askers,
        "seconds": seconds,
        "answers": len(times),
        "errors": len(errors),
        "kinds_of_errors": sorted(set(errors)),
        "p50_seconds": round(quantiles[49], 3),
        "p99_seconds": round(quantiles[98], 3),
    }


def show(**values: Any) -> None:
    """Prints one JSON object."""
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
