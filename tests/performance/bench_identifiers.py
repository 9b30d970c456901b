"""Normalising and hashing, identifiers a second on one core, beside python-stdnum and hashlib.

Prints one JSON object. Rows: clean 18-digit resident IDs, all different, valid birth dates and
check characters. "greenlane" is `normalise` and `hash_elements` on an Arrow column; "peer" is
`stdnum.cn.ric.validate` (birth date, check character, region) and `hashlib.sha256`, row by row, on
the same texts, and must accept every row too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import time

import numpy as np
import pyarrow as pa
from stdnum.cn import ric

from psi import _core

ROUNDS = 5
"""Rounds; the median is reported, with the fastest and the slowest."""
WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
CHECKS = np.frombuffer(b"10X98765432", np.uint8)


def resident_ids(rows: int, seed: int) -> pa.LargeStringArray:
    """Makes rows of valid 18-character resident IDs."""
    random = np.random.default_rng(seed)
    days = random.integers(0, 365 * 60, rows).astype("timedelta64[D]")
    dates = np.datetime_as_string(np.datetime64("1945-01-01") + days, unit="D")
    area = np.array(["110101", "110102", "110105", "110106"])[random.integers(0, 4, rows)]
    serial = np.char.zfill(random.integers(0, 1000, rows).astype(str), 3)
    head = np.char.add(np.char.add(area, np.char.replace(dates, "-", "")), serial)
    digits = head.astype("S17").view(np.uint8).reshape(rows, 17)
    check = CHECKS[((digits - 48) * WEIGHTS).sum(axis=1) % 11]
    text = np.concatenate([digits, check[:, None]], axis=1).tobytes()
    offsets = pa.py_buffer(np.arange(0, 18 * (rows + 1), 18, dtype=np.int64).tobytes())
    return pa.LargeStringArray.from_buffers(rows, offsets, pa.py_buffer(text))


def seconds(work: object, rounds: int) -> list[float]:
    """Returns what each round of some work took in CPU seconds of this process."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()  # type: ignore[operator]
        taken.append(time.process_time() - began)
    return sorted(taken)


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=2_000_000)
    arguments.add_argument("--peer-rows", type=int, default=50_000)
    given = arguments.parse_args()
    _core.use_threads(1)
    column = resident_ids(given.rows, seed=1)
    texts = column[: given.peer_rows].to_pylist()

    def ours() -> None:
        values, reasons, _ = _core.normalise("resident_id", column)
        if any(reasons) or values.null_count:
            raise SystemExit("a valid row was rejected")

    def rules() -> None:
        _core.normalise("resident_id", column)

    def peer() -> None:
        for text in texts:
            hashlib.sha256(ric.validate(text).encode()).digest()

    taken, alone, theirs = (seconds(work, ROUNDS) for work in (ours, rules, peer))
    median = ROUNDS // 2
    rate = given.rows / taken[median]
    peer_rate = given.peer_rows / theirs[median]
    figures = {
        "bench": "normalise and hash resident IDs",
        "rows": given.rows,
        "threads": 1,
        "cpu_seconds": [round(taken[i], 4) for i in (0, median, -1)],
        "per_second": round(rate),
        "normalise_alone_per_second": round(given.rows / alone[median]),
        "peer": "python-stdnum and hashlib",
        "peer_rows": given.peer_rows,
        "peer_per_second": round(peer_rate),
        "times_peer": round(rate / peer_rate, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
