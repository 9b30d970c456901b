"""VOLE-PSI at the sizes that matter, in one run: prints one JSON object a line, then a summary.

Each line is `greenlane bench` at one size, by default five sessions of which medians are told, one
thread a side. The three profiles at 2^20 are run in turn, in two processes that meet in memory, and
in one where the sides take turns and nothing is passed on. The summary puts figures beside the
bounds that the project has set itself; it prints whether they are kept and fails if a bound on
bytes is not. Times are of the machine on which it runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any, Literal, TypeAlias

from parties.benching import Bench, measure

BOUNDS = {
    "2^20 in memory, CPU of both, s": (0.30, 0.15),
    "2^20 in memory, CPU of both, stationary, s": (0.18, 0.10),
    "2^20 in turns, CPU of both, s": (0.30, 0.15),
    "2^20 in turns, CPU of both, stationary, s": (0.18, 0.10),
    "2^20 over mutual TLS, wall, s": (0.5, 0.2),
    "2^24 in memory, CPU of both, s": (6.0, 2.5),
    "2^16 in memory, wall, s": (0.060, 0.020),
    "2^20, bits an element": (230, 150),
    "growth of CPU an element from 2^18 to 2^24": (1.5, 1.2),
    "2^22, bytes of memory an element, receiver": (64, 64),
    "2^22, bytes of memory an element, sender": (64, 64),
    "2^20, CPU of both, malicious over semi-honest": (1.5, 1.25),
}
"""What must be reached, and what is aimed at."""
ON_ANY_MACHINE = ("2^20, bits an element",)
PROFILES = ("vole", "vole-stationary", "vole-malicious")
ROUNDS = 3
"""How often the profiles are run in turn: what else the machine does falls on all of them."""


Meeting: TypeAlias = Literal["tls", "memory", "turns"]


def run(
    log2: int, runs: int, *, meeting: Meeting = "memory", protocol: str = "vole"
) -> dict[str, Any]:
    taken = measure(Bench(protocol, 1 << log2, 1 << log2, 1, meeting, runs))
    assert taken["matches"] == taken["expected"]
    print(json.dumps(taken), flush=True)
    return taken


def cpu(taken: dict[str, Any]) -> float:
    return float(taken["receiver_cpu_seconds"] + taken["sender_cpu_seconds"])


def in_turn(log2: int, runs: int, meeting: Meeting) -> dict[str, float]:
    """Returns for each profile the median of its rounds, CPU of both sides."""
    rounds = [
        [cpu(run(log2, runs, meeting=meeting, protocol=protocol)) for protocol in PROFILES]
        for _ in range(ROUNDS)
    ]
    return dict(zip(PROFILES, map(statistics.median, zip(*rounds, strict=True)), strict=True))


def memory(taken: dict[str, Any], role: str) -> float:
    """Bytes an element beyond what the process held before, its set included."""
    added = taken[f"{role}_peak_mb"] - taken[f"{role}_base_mb"]
    return float(added * 2**20 / taken[f"{role}_size"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--largest", type=int, default=24, help="log2 of the largest sets")
    options = parser.parse_args()
    sizes = {
        log2: run(log2, options.runs) for log2 in (16, 18, 20, 22, 24) if log2 <= options.largest
    }
    tls = run(20, options.runs, meeting="tls")
    profiles = in_turn(20, options.runs, "memory")
    turns = in_turn(20, options.runs, "turns")
    bits = 8 * (sizes[20]["receiver_sent_bytes"] + sizes[20]["sender_sent_bytes"]) / 2**20
    figures = {
        "2^20 in memory, CPU of both, s": profiles["vole"],
        "2^20 in memory, CPU of both, stationary, s": profiles["vole-stationary"],
        "2^20 in turns, CPU of both, s": turns["vole"],
        "2^20 in turns, CPU of both, stationary, s": turns["vole-stationary"],
        "2^20 over mutual TLS, wall, s": tls["seconds"],
        "2^16 in memory, wall, s": sizes[16]["seconds"],
        "2^20, bits an element": bits,
        "2^20, CPU of both, malicious over semi-honest": (
            profiles["vole-malicious"] / profiles["vole"]
        ),
    }
    if 22 in sizes:
        for role in ("receiver", "sender"):
            figures[f"2^22, bytes of memory an element, {role}"] = memory(sizes[22], role)
    if 24 in sizes:
        figures["2^24 in memory, CPU of both, s"] = cpu(sizes[24])
        growth = cpu(sizes[24]) / 2**24 / (cpu(sizes[18]) / 2**18)
        figures["growth of CPU an element from 2^18 to 2^24"] = growth
    for name, figure in figures.items():
        must, aim = BOUNDS[name]
        print(
            json.dumps(
                {
                    "what": name,
                    "is": round(figure, 4),
                    "must": must,
                    "aim": aim,
                    "kept": figure <= must,
                }
            )
        )
    if any(figures[name] > BOUNDS[name][0] for name in ON_ANY_MACHINE):
        raise SystemExit("a bound that does not depend on the machine is not kept")


if __name__ == "__main__":
    main()
