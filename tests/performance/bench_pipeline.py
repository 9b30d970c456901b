"""From two Parquet files to ranked clues: a match, rules, rings and the ledger, phase by phase.

Prints one JSON object. A twin of both files is made, and two nodes with their certificates and
tickets, before the clock starts. Then `serve` runs at the police, and at the insurer one command
after the other, as a person gives them: `match` over mutual TLS, `models try` with each pack that
comes along over what it wrote, `models rings` with its page, `clues add` with the leads of all
packs. Processor time and memory are what the operating system says of each process; the insurer's
memory is that of its largest command. It fails if a planted ring that ties make is not found whole,
if in a million claims another ring stands before one of them, or if memory is above its bound: no
machine changes these.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from watching import Watch

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from casework import filled
from pair import DISCLOSED, Pair
from signing import Signers, draft
from twin import Twin, make_twin
from twin.schemes import GROUPS

from parties.models.loading import names

GREENLANE: Final = (sys.executable, "-m", "parties")
BOUNDS: Final = {"seconds": (30, 12), "peak_mb": (4096, 4096)}
"""What must be reached for a million rows a side on two cores that do nothing else, and what is
aimed at."""
MILLION: Final = 1_000_000


class Insurer:
    """The insurer's commands, one after the other.

    Args:
        folder: for what they print.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.phases: dict[str, dict[str, float]] = {}

    def run(self, phase: str, *words: str) -> dict[str, Any]:
        """Runs a command to its end, adds what it took to its phase, returns what it printed."""
        with Watch(self._folder) as watch:
            process = watch.start(*GREENLANE, *words, "--json")
            watch.until_ended(process)
        seconds, cpu, peak = watch.took(process)
        taken = self.phases.setdefault(phase, {"seconds": 0, "cpu_seconds": 0, "peak_mb": 0})
        taken["seconds"] += seconds
        taken["cpu_seconds"] += cpu
        taken["peak_mb"] = max(taken["peak_mb"], peak)
        self.phases[phase] = {name: round(figure, 2) for name, figure in taken.items()}
        printed: dict[str, Any] = json.loads(watch.said(process))
        return printed


def ticket_of(nodes: Pair, folder: Path) -> tuple[str, str]:
    """Has a ticket for a match and all packs drafted and signed; returns its file and its id.

    The analyst's passphrase is left in the environment: some commands need to know who asks.
    """
    file = folder / "ticket.json"
    number = draft(nodes, DISCLOSED["police"], file, ways=("match",))
    signers = Signers(nodes, folder / "people")
    for stage in ("run", "disclosure"):
        signers.sign(file, stage)
    os.environ.update(signers.environment("analyst"))
    return str(file), number


def places(twin: Twin, rings: list[dict[str, Any]]) -> dict[str, list[int | None]]:
    """Returns the place of each planted ring that ties make, None where none has its claims."""
    at = {frozenset(each["claims"]): each["rank"] for each in rings}
    found: dict[str, list[int | None]] = {}
    for (name, _), claims in twin.planted().items():
        if name in GROUPS:
            found.setdefault(name, []).append(at.get(frozenset(claims)))
    return found


def pipeline(nodes: Pair, folder: Path) -> dict[str, Any]:
    """Runs all of it once, and returns what it took."""
    ticket, number = ticket_of(nodes, folder)
    analyst, joined = str(folder / "people/analyst"), folder / "joined.parquet"
    mapping = folder / "joined.toml"
    mapping.write_text(filled(nodes.twin.claims, joined), encoding="utf-8")
    insurer = Insurer(folder / "insurer")
    with Watch(folder / "police") as police:
        settings = str(nodes.settings("police"))
        serve = police.start(*GREENLANE, "serve", "--settings", settings, "--json")
        police.until_said(serve, b"listen")
        began = time.monotonic()
        named = ("--settings", str(nodes.settings("insurer")), "--peer", "police")
        match = insurer.run("match", "match", *named, "--ticket", ticket, "--out", str(joined))
        data, leads = ("--data", str(mapping)), folder / "leads.jsonl"
        tried = [insurer.run("rules", "models", "try", pack, *data) for pack in names()]
        leads.write_text("".join(f"{json.dumps(each)}\n" for each in tried), encoding="utf-8")
        page = ("--most", "1000", "--page", str(folder / "rings.html"))
        rings = insurer.run("rings", "models", "rings", *data, *page)
        said = ("--leads", str(leads), "--ticket", number, "--as", analyst)
        clues = insurer.run("clues", "clues", "add", *named, *said)["clues"]
        seconds = time.monotonic() - began
        os.kill(serve, signal.SIGTERM)
        police.until_ended(serve)
    _, police_cpu, police_peak = police.took(serve)
    phases = insurer.phases.values()
    return {
        "seconds": round(seconds, 2),
        "insurer_cpu_seconds": round(sum(each["cpu_seconds"] for each in phases), 2),
        "police_cpu_seconds": round(police_cpu, 2),
        "insurer_sent_bytes": match["said_bytes"],
        "police_sent_bytes": match["heard_bytes"],
        "insurer_peak_mb": round(max(each["peak_mb"] for each in phases)),
        "police_peak_mb": round(police_peak),
        "joined_rows": match["rows"],
        "clues": len(clues),
        "rings": rings["rings_found"],
        "places": places(nodes.twin, rings["rings"]),
        "phases": insurer.phases,
    }


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--claims", type=int, default=MILLION)
    arguments.add_argument("--records", type=int, default=MILLION)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=2, help="of each node's kernels")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        twin = make_twin(folder, given.claims, given.records, given.seed)
        nodes = Pair(folder, twin, given.threads)
        nodes.found()
        figures = {"bench": "from files to ranked clues"} | vars(given) | pipeline(nodes, folder)
    print(json.dumps(figures | {"bounds": BOUNDS, "cores": len(os.sched_getaffinity(0))}))
    must_hold(figures)


def must_hold(figures: dict[str, Any]) -> None:
    """Checks what no machine changes.

    Raises:
        SystemExit: something does not hold.
    """
    found = [place for each in figures["places"].values() for place in each]
    if None in found:
        raise SystemExit("a planted ring was not found whole")
    if figures["claims"] >= MILLION and sorted(found) != list(range(1, len(found) + 1)):
        raise SystemExit("a ring stands before a planted one")
    if max(figures["insurer_peak_mb"], figures["police_peak_mb"]) > BOUNDS["peak_mb"][0]:
        raise SystemExit("a node took more memory than it may")


if __name__ == "__main__":
    main()
