"""The whole job beside spu's: a CSV file on each side, a result file on one, two processes.

Prints one JSON object. Both programs get the same files: rows of 18 digits, half of them in common,
in random order. "greenlane" is two nodes of `greenlane init`, `serve` on the one side and `match`
with the protocol `vole` on the other, over mutual TLS, without columns to disclose. "spu" is RR22
of SecretFlow's spu in its fast mode, without TLS, told that keys are unique and that the order of
the result does not matter, which both save it work. A node finds out itself how many rows name each
identifier; with --check-keys spu has to as well. Each side of either has one thread.

Both are measured in the same way, by what the operating system says of a process when it has ended:
user and system time from its start to its exit, the interpreter, imports and children included.
Both keep the bytecode of their modules, as installed packages do, whatever the environment says.
Seconds run from the start of the first process to the exit of the last. The two run in turn;
each figure is the median of its runs.

With --sessions the sessions of `greenlane bench --in-turns` are run in turn with the jobs, without
files, start-up and TLS; their seconds are from the first message to the result. At 2^20 rows and
with unique keys, "cpu_on_zen_4" is their CPU, least and most, where this spu takes 7.7 to 8.9 s for
its job: on the machine of the project's bounds (docs/benchmarks.md).

With --ecdh both run Diffie-Hellman: a node the protocol `dh`, spu its ECDH on the curve that is
named. On `CURVE_25519` spu takes a digest for a coordinate as it is; on `CURVE_25519_ELLIGATOR2` it
maps it to the curve.

spu is no part of the project: if it is not there, it is installed into an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spu_peer import default_environment, python_with_spu
from watching import Run, Watch

from parties.benching import Bench, measure
from parties.settings_file import load
from parties.tickets.trial import write_trial

START_UP = 1 << 8
"""Rows of a run that is nearly all start-up."""
ON_ZEN_4 = (7.7, 8.9)
"""CPU seconds of spu's whole job at 2^20 rows, least and most of several runs, on an AMD Zen 4 of
two cores, for which the project's bounds on time were set."""
CURVES = ("CURVE_25519", "CURVE_25519_ELLIGATOR2")
SESSIONS = ("vole", "vole-stationary", "vole-malicious")
ROLES = ("insurer", "police")
"""The receiver and the sender."""
GREENLANE = (sys.executable, "-m", "parties")

SETTINGS = """
[node]
name = "{role}"
role = "{role}"
listen = "127.0.0.1:{port}"
certificate = "tls/node.pem"
key = "tls/node.key"
results = "results"
log = "greenlane.log"
threads = 1

[operators]
authority = "tls/authority.pem"

[source]
format = "csv"
paths = ["{rows}"]

[identifiers.id]
kind = "text"
columns = ["id"]

[peers.{other}]
address = "127.0.0.1:{other_port}"
ca = "tls/{other}.pem"
"""

SPU_SIDE = """
import sys
import spu.libspu.link as link
import spu.psi as psi
rank, unique, curve, rows, result, *addresses = sys.argv[1:]
parties = link.Desc()
for number, address in enumerate(addresses):
    parties.add_party(f"party-{number}", address)
line = link.create_brpc(parties, int(rank))
csv = psi.SourceType.SOURCE_TYPE_FILE_CSV
if curve == "none":
    protocol = psi.PsiProtocolConfig(
        protocol=psi.PsiProtocol.PROTOCOL_RR22,
        receiver_rank=0,
        broadcast_result=False,
        rr22_params=psi.Rr22Rarams(low_comm_mode=False),
    )
else:
    protocol = psi.PsiProtocolConfig(
        protocol=psi.PsiProtocol.PROTOCOL_ECDH,
        receiver_rank=0,
        broadcast_result=False,
        ecdh_params=psi.EcdhParams(curve=getattr(psi.EllipticCurveType, curve)),
    )
config = psi.PsiExecuteConfig(
    protocol_conf=protocol,
    input_params=psi.InputParams(
        type=csv, path=rows, selected_keys=["id"], keys_unique=unique == "unique"
    ),
    output_params=psi.OutputParams(type=csv, path=result, disable_alignment=True),
    join_conf=psi.ResultJoinConfig(type=psi.ResultJoinType.JOIN_TYPE_INNER_JOIN),
)
psi.psi_execute(config, line)
line.stop_link()
"""

MADE_UP = """
import sys
from pathlib import Path
import numpy as np
folder, rows = Path(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(rows)
# An odd factor makes different numbers of different ones modulo 2^59, which has 18 digits.
numbers = np.arange(2 * rows - rows // 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
numbers %= np.uint64(1 << 59)
for name, mine in (("receiver", numbers[:rows]), ("sender", numbers[-rows:])):
    mine = random.permutation(mine)
    with (folder / f"{name}-{rows}.csv").open("w") as file:
        file.write("id\\n")
        file.writelines(f"{number:018d}\\n" for number in mine.tolist())
"""
"""In a process of its own: a child begins with its parent's peak of memory."""


@dataclass(frozen=True, slots=True)
class Files:
    """The rows of both sides, and how many the result must have."""

    receiver: Path
    sender: Path
    common: int


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
        help=f"run both with {START_UP} rows too, and compare what is left without that",
    )
    arguments.add_argument(
        "--check-keys", action="store_true", help="spu is not told that keys are unique"
    )
    arguments.add_argument(
        "--sessions", action="store_true", help="run the sessions of the three profiles too"
    )
    arguments.add_argument(
        "--ecdh", choices=CURVES, help="both run Diffie-Hellman, spu on this curve"
    )
    given = arguments.parse_args()
    if given.rows < START_UP or given.runs < 1:
        raise SystemExit(f"at least {START_UP} rows and one run are needed")
    python = python_with_spu(given.environment)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found(folder)
        jobs: dict[str, Callable[[Files], Run]] = {
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
            figures["kernel"] = difference(figures, start_up)
            figures["start_up"] = {"rows": START_UP} | start_up
    print(json.dumps(figures))


def in_turn(
    jobs: Mapping[str, Callable[[Files], Run]], files: Files, runs: int
) -> dict[str, list[Run]]:
    """Runs the jobs in turn, so that what else the machine does falls on all of them."""
    done: dict[str, list[Run]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            done[name].append(job(files))
    return done


def compared(done: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Returns the figures of each program, and how many times ours spu's CPU is."""
    figures: dict[str, Any] = {name: summary(runs) for name, runs in done.items()}
    return figures | {"times_cpu": times(figures["spu"], figures["greenlane"])}


def beside(taken: dict[str, Any], spu: float, *, scaled: bool) -> dict[str, Any]:
    """Returns the figures of a session with its CPU beside that of spu's job."""
    mine = taken["cpu_seconds"]
    there = [round(mine * seconds / spu, 4) for seconds in ON_ZEN_4] if scaled else None
    return taken | {"times_cpu": round(spu / mine, 1), "cpu_on_zen_4": there}


def difference(whole: Mapping[str, Any], start_up: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the CPU of each program without that of its start-up, and how many times ours."""
    figures: dict[str, Any] = {
        name: {
            key: round(whole[name][key] - start_up[name][key], 3)
            for key in ("cpu_seconds", "receiver_cpu_seconds", "sender_cpu_seconds")
        }
        for name in ("greenlane", "spu")
    }
    return figures | {"times_cpu": times(figures["spu"], figures["greenlane"])}


def times(peer: Mapping[str, float], ours: Mapping[str, float]) -> float | None:
    """Returns how many times ours the peer's CPU is; None if nothing is left of ours."""
    mine = ours["cpu_seconds"]
    return round(peer["cpu_seconds"] / mine, 2) if mine > 0 else None


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


# --- the two programs


def run_greenlane(
    folder: Path, files: Files, protocol: str, program: Sequence[str] = GREENLANE
) -> Run:
    """Runs `serve` as the sender and `match` as the receiver; as another program if told."""
    ports = dict(zip(ROLES, free_ports(), strict=True))
    rows = dict(zip(ROLES, (files.receiver, files.sender), strict=True))
    for role, other in (ROLES, ROLES[::-1]):
        text = SETTINGS.format(
            role=role, other=other, port=ports[role], other_port=ports[other], rows=rows[role]
        )
        (folder / role / "greenlane.toml").write_text(text, encoding="utf-8")
    nodes = (load(folder / role / "greenlane.toml") for role in ROLES)
    write_trial(*nodes, datetime.now(UTC))
    insurer, police = (str(folder / role / "greenlane.toml") for role in ROLES)
    result = folder / "joined.csv"
    with Watch(folder) as watch:
        sender = watch.start(*program, "serve", "--settings", police, "--json")
        watch.until_said(sender, b"listen")
        receiver = watch.start(
            *(*program, "match", "--settings", insurer, "--peer", "police", "--json"),
            *("--protocol", protocol, "--format", "csv", "--out", str(result)),
        )
        watch.until_ended(receiver)
        os.kill(sender, signal.SIGTERM)
        watch.until_ended(sender)
    must_have(result, files.common)
    report = json.loads(watch.said(receiver))
    return watch.run(receiver, sender, report["said_bytes"] + report["heard_bytes"])


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


def run_spu(python: Path, folder: Path, files: Files, curve: str | None, *, unique: bool) -> Run:
    """Runs both parties of spu; the first is the receiver.

    Args:
        python: of the environment with spu.
        folder: for what it leaves.
        files: what it reads.
        curve: on which it runs ECDH; None for RR22.
        unique: whether it is told that no key stands in two rows.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports()]
    result, none = folder / "spu.csv", folder / "none.csv"
    keys = "unique" if unique else "unknown"

    def start(rank: int, rows: Path, out: Path) -> int:
        options = (str(rank), keys, curve or "none", str(rows), str(out), *addresses)
        return watch.start(str(python), "-c", SPU_SIDE, *options)

    with Watch(folder) as watch:
        receiver = start(0, files.receiver, result)
        sender = start(1, files.sender, none)
        watch.until_ended(receiver)
        watch.until_ended(sender)
    must_have(result, files.common)
    return watch.run(receiver, sender, None)


def must_have(result: Path, rows: int) -> None:
    """Ends the comparison if a result does not have as many rows as were planted; removes it."""
    with result.open("rb") as file:
        had = sum(1 for _ in file) - 1
    result.unlink()
    if had != rows:
        raise SystemExit(f"{result.name}: {had} rows, {rows} were planted")


# --- what they need


def found(folder: Path) -> None:
    """Makes two nodes that know each other; their settings are written for each run."""
    for role, other in (ROLES, ROLES[::-1]):
        known = ["--peer", str(folder / other)] if (folder / other).exists() else []
        command = [*GREENLANE, "init", role, str(folder / role), *known]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def made_up(folder: Path, rows: int) -> Files:
    """Makes the files of both sides."""
    subprocess.run([sys.executable, "-c", MADE_UP, str(folder), str(rows)], check=True)
    receiver, sender = (folder / f"{side}-{rows}.csv" for side in ("receiver", "sender"))
    return Files(receiver, sender, common=rows // 2)


def free_ports() -> list[int]:
    """Finds two ports that are free now; the programs take them a moment later."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in ROLES]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    main()
