"""The whole job beside spu's: a CSV file on each side, a result file on one, two processes.

Prints one JSON object. All programs get the same files: rows of 18 digits, half of them in common,
in random order. Each side of each has one thread.

"psi" is the like of spu's two scripts: `examples/two_programs.py`, which carries the protocol
`vole` over a bare socket. "greenlane" is two nodes of `greenlane init`, `serve` on the one side and
`match` on the other, over mutual TLS, without columns to disclose, and with what goes with it: a
ticket, budgets on disk, receipts in two logs. "spu" is RR22 of SecretFlow's spu in its fast mode,
without TLS, told that keys are unique and that the order of the result does not matter, which both
save it work. A node finds out itself how many rows name each identifier, and `psi` that none stands
there twice; with --check-keys spu has to as well.

All are measured in the same way, by what the operating system says of a process when it has ended:
user and system time from its start to its exit, the interpreter, imports and children included.
All keep the bytecode of their modules, as installed packages do, whatever the environment says.
Seconds run from the start of the first process to the exit of the last. The programs run in turn,
each twice, of which the second run counts, and some seconds after another one: a guest's host takes
back what memory a large program has given up, and whoever comes next pays for having it again. Each
figure is the median of the runs that count, and "times_cpu" how many times theirs spu's CPU is.

With --sessions the sessions of `greenlane bench --in-turns` are run in turn with the jobs, without
files, start-up and TLS; their seconds are from the first message to the result. At 2^20 rows and
with unique keys, "cpu_on_zen_4" is their CPU, least and most, where this spu takes 7.7 to 8.9 s for
its job: on the machine of the project's bounds (docs/benchmarks.md).

With --ecdh nodes and spu run Diffie-Hellman, and "psi" nothing: a node the protocol `dh`, spu its
ECDH on the curve that is named. On `CURVE_25519` spu takes a digest for a coordinate as it is; on
`CURVE_25519_ELLIGATOR2` it maps it to the curve.

spu is no part of the project: if it is not there, it is installed into an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spu_peer import default_environment, python_with_spu
from watching import Run
from whole_jobs import Files, found, made_up, run_greenlane, run_psi, run_spu

from parties.benching import Bench, measure

APART = 6.0
"""Seconds in front of another program. A guest gives its host memory back two seconds after it was
freed (Linux, `mm/page_reporting.c`) and needs some more for a gigabyte."""
START_UP = 1 << 8
"""Rows of a run that is nearly all start-up."""
ON_ZEN_4 = (7.7, 8.9)
"""CPU seconds of spu's whole job at 2^20 rows, least and most of several runs, on an AMD Zen 4 of
two cores, for which the project's bounds on time were set."""
CURVES = ("CURVE_25519", "CURVE_25519_ELLIGATOR2")
SESSIONS = ("vole", "vole-stationary", "vole-malicious")


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--rows", type=int, default=1 << 20, help="of each side")
    arguments.add_argument("--runs", type=int, default=5, help="of each program")
    arguments.add_argument(
        "--environment", type=Path, default=default_environment(), help="the one that spu is in"
    )
    arguments.add_argument(
        "--kernel-only",
        action="store_true",
        help=f"run all with {START_UP} rows too, and compare what is left without that",
    )
    arguments.add_argument(
        "--check-keys", action="store_true", help="spu is not told that keys are unique"
    )
    arguments.add_argument(
        "--sessions", action="store_true", help="run the sessions of the three profiles too"
    )
    arguments.add_argument("--ecdh", choices=CURVES, help="run Diffie-Hellman, spu on this curve")
    given = arguments.parse_args()
    if given.rows < START_UP or given.runs < 1:
        raise SystemExit(f"at least {START_UP} rows and one run are needed")
    python = python_with_spu(given.environment)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found(folder)
        jobs: dict[str, Callable[[Files], Run]] = {}
        if not given.ecdh:
            jobs["psi"] = lambda files: run_psi(folder, files)
        jobs |= {
            "greenlane": lambda files: run_greenlane(folder, files, "dh" if given.ecdh else "vole"),
            "spu": lambda files: run_spu(
                python, folder, files, given.ecdh, unique=not given.check_keys
            ),
        }
        sessions = {name: session(name) for name in SESSIONS if given.sessions}
        figures = {"bench": "the whole job beside spu", "rows": given.rows, "threads": 1}
        figures |= {"spu_checks_keys": given.check_keys, "ecdh": given.ecdh}
        done = in_turn(jobs | sessions, made_up(folder, given.rows), given.runs)
        figures |= compared({name: done[name] for name in jobs})
        if given.sessions:
            spu = figures["spu"]["cpu_seconds"]
            scaled = given.rows == 1 << 20 and not given.check_keys
            figures["spu_cpu_on_zen_4"] = ON_ZEN_4
            figures["sessions"] = {
                name: beside(summary(done[name]), spu, scaled=scaled) for name in SESSIONS
            }
        if given.kernel_only:
            start_up = compared(in_turn(jobs, made_up(folder, START_UP), given.runs))
            figures["kernel"] = difference(jobs, figures, start_up)
            figures["start_up"] = {"rows": START_UP} | start_up
    print(json.dumps(figures))


def in_turn(
    jobs: Mapping[str, Callable[[Files], Run]], files: Files, runs: int
) -> dict[str, list[Run]]:
    """Runs the jobs in turn, so that what else the machine does falls on all of them.

    Each runs behind one of its own, as large as itself, and not behind another.
    """
    done: dict[str, list[Run]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            time.sleep(APART)
            job(files)
            done[name].append(job(files))
    return done


def compared(done: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Returns the figures of each program, and how many times ours spu's CPU is."""
    figures = {name: summary(runs) for name, runs in done.items()}
    return figures | {"times_cpu": times(figures)}


def beside(taken: dict[str, Any], spu: float, *, scaled: bool) -> dict[str, Any]:
    """Returns the figures of a session with its CPU beside that of spu's job."""
    mine = taken["cpu_seconds"]
    there = [round(mine * seconds / spu, 4) for seconds in ON_ZEN_4] if scaled else None
    return taken | {"times_cpu": round(spu / mine, 1), "cpu_on_zen_4": there}


def difference(
    programs: Iterable[str], whole: Mapping[str, Any], start_up: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the CPU of each program without that of its start-up, and how many times ours."""
    figures = {
        name: {
            key: round(whole[name][key] - start_up[name][key], 3)
            for key in ("cpu_seconds", "receiver_cpu_seconds", "sender_cpu_seconds")
        }
        for name in programs
    }
    return figures | {"times_cpu": times(figures)}


def times(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float | None]:
    """Returns how many times that of each of our programs spu's CPU is; None of nothing."""
    taken = {name: program["cpu_seconds"] for name, program in figures.items()}
    spu = taken.pop("spu")
    return {name: round(spu / mine, 2) if mine > 0 else None for name, mine in taken.items()}


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Returns the medians."""

    def median(figure: Callable[[Run], float], digits: int | None = None) -> float:
        return round(statistics.median(map(figure, runs)), digits)

    def median_of(counts: Iterable[int | None]) -> int | None:
        known = [count for count in counts if count is not None]
        return round(statistics.median(known)) if known else None

    return {
        "cpu_seconds": median(lambda run: sum(run.cpu), 3),
        "receiver_cpu_seconds": median(lambda run: run.cpu[0], 3),
        "sender_cpu_seconds": median(lambda run: run.cpu[1], 3),
        "seconds": median(lambda run: run.seconds, 3),
        "receiver_peak_mb": median(lambda run: run.peak_mb[0]),
        "sender_peak_mb": median(lambda run: run.peak_mb[1]),
        "loopback_bytes": median_of(run.loopback for run in runs),
        "message_bytes": median_of(run.messages for run in runs),
        "each_cpu_seconds": [round(sum(run.cpu), 3) for run in runs],
    }


def session(protocol: str) -> Callable[[Files], Run]:
    """Returns a job that runs sessions over as many elements as the files have rows."""

    def run(files: Files) -> Run:
        rows = 2 * files.common
        taken = measure(Bench(protocol, rows, rows, 1, "turns", runs=3))
        roles = ("receiver", "sender")
        cpu, peak = (
            tuple(taken[f"{role}_{what}"] for role in roles) for what in ("cpu_seconds", "peak_mb")
        )
        sent = sum(taken[f"{role}_sent_bytes"] for role in roles)
        return Run(taken["seconds"], cpu, peak, loopback=None, messages=sent)

    return run


if __name__ == "__main__":
    main()
