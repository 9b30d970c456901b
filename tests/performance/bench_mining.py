"""What `greenlane models mine` takes: one run over a made-up history, in a process of its own.

    python tests/performance/bench_mining.py --cases 100000

Each case has one claim, and all were concluded, which is the most that so many claims can cost.
Prints one JSON object: seconds of the processor and memory of that process, sets that were tested,
and what stands out, of which one set was planted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from make_history import history


def main() -> None:
    arguments = argparse.ArgumentParser(description="Measures mining.")
    arguments.add_argument("--cases", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        outcomes = history(given.seed, given.cases, size=1, undecided=0).write(data)
        command = [sys.executable, "-m", "parties", "models", "mine", "auto", "--json"]
        words = ["--data", folder, "--outcomes", str(outcomes), "--page", str(data / "page.html")]
        ran = subprocess.run([*command, *words], stdout=subprocess.PIPE, text=True, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(ran.stdout)
    print(
        json.dumps(
            {
                "claims": given.cases,
                "seed": given.seed,
                "cores": len(os.sched_getaffinity(0)),
                "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
                "peak_mb": round(used.ru_maxrss / 1024),
                "sets_tested": told["sets_tested"],
                "sets": [[fact["says"] for fact in each["facts"]] for each in told["sets"]],
            }
        )
    )


if __name__ == "__main__":
    main()
