"""What it takes to count one question: a transaction that is on the disk when it is over.

Prints one JSON object: the median and the tenth of the fastest, in microseconds. The disk is most
of it, so compare only what was measured on the same disk, in turns.

    python tests/performance/bench_limits.py sqlite:////var/tmp/bench.db --charges 1000
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import closing

from parties.limits import Allowance, Charge, Limits
from parties.store import Store


def measure(url: str, charges: int, ticket: str) -> dict[str, float]:
    """Charges so often, after a hundred times that are not measured."""
    allowed = Allowance(daily=1 << 40)
    taken = []
    with closing(Limits(Store(url))) as limits:
        for number in range(100 + charges):
            session = f"{time.time_ns():x}-{number}"
            charge = Charge("police", session, "inquire", {"plate": 3}, ticket)
            began = time.perf_counter()
            limits.charge_alone(charge, allowed)
            taken.append((time.perf_counter() - began) * 1e6)
    ordered = sorted(taken[100:])
    return {"median_us": statistics.median(ordered), "tenth_us": ordered[len(ordered) // 10]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a store that may be written to")
    parser.add_argument("--charges", type=int, default=1000)
    parser.add_argument("--ticket", default="")
    given = parser.parse_args()
    print(json.dumps(measure(given.url, given.charges, given.ticket)))
