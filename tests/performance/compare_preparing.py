"""Preparing a file to be inquired, beside spu's unbalanced matching.

Prints one JSON object. Both programs read the same CSV file of 18-digit keys and evaluate a keyed
function at each; what they leave is what the other party is given once, so that later questions
cost little. "greenlane" is `greenlane prepare`: RFC 9497 on ristretto255, and a table of filters in
which an output finds its record. "spu" is the first of the offline modes of its unbalanced
matching: an evaluation of each key on its curve, FourQ; giving them to the other party is not
measured, of either. Both have one thread. Told that keys are unique, spu does not look; we do.

Figures are those of the operating system when a process has ended, start-up included. The two run
in turn, and each figure is the median of the runs.

    python tests/performance/compare_preparing.py --rows 1048576 --runs 3
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from spu_peer import default_environment, python_with_spu
from watching import Watch
from whole_jobs import MADE_UP

from parties.founding import FILE, found, introduce

SPU_SIDE = """
import sys
import spu.libspu.link as link
import spu.psi as psi
rows, cache, key, result, address = sys.argv[1:]
parties = link.Desc()
parties.add_party("party-0", address)
line = link.create_brpc(parties, 0)
csv = psi.SourceType.SOURCE_TYPE_FILE_CSV
config = psi.UbPsiExecuteConfig(
    mode=psi.UbPsiMode.MODE_OFFLINE_GEN_CACHE,
    role=psi.UbPsiRole.ROLE_SERVER,
    cache_path=cache,
    input_params=psi.InputParams(type=csv, path=rows, selected_keys=["id"], keys_unique=True),
    output_params=psi.OutputParams(type=csv, path=result, disable_alignment=True),
    server_params=psi.UbPsiServerParams(secret_key_path=key),
    join_conf=psi.ResultJoinConfig(type=psi.ResultJoinType.JOIN_TYPE_INNER_JOIN),
)
report = psi.ub_psi_execute(config, line)
line.stop_link()
assert report.original_count == int(sum(1 for _ in open(rows)) - 1)
"""
CACHE = "ub_psi_cache.bin"
"""What spu leaves for the other party."""


class Preparation(NamedTuple):
    """What preparing took.

    Attributes:
        seconds: from the start of the process to its exit.
        cpu: seconds of the process.
        peak_mb: its largest memory in MiB.
        size: bytes of what the other party is given.
    """

    seconds: float
    cpu: float
    peak_mb: float
    size: int


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--rows", type=int, default=1 << 20)
    arguments.add_argument("--runs", type=int, default=3, help="of each program")
    arguments.add_argument(
        "--environment", type=Path, default=default_environment(), help="the one that spu is in"
    )
    given = arguments.parse_args()
    if given.rows < 1 or given.runs < 1:
        raise SystemExit("at least one row and one run are needed")
    python = python_with_spu(given.environment)
    ours, theirs = list[Preparation](), list[Preparation]()
    for _ in range(given.runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run([sys.executable, "-c", MADE_UP, name, str(given.rows)], check=True)
            rows = folder / f"sender-{given.rows}.csv"
            ours.append(prepare(folder, rows, given.rows))
            theirs.append(prepare_by_spu(python, folder, rows))
    figures = {"greenlane": medians(ours, given.rows), "spu": medians(theirs, given.rows)}
    part = figures["greenlane"]["cpu_seconds"] / figures["spu"]["cpu_seconds"]
    head = {"bench": "preparing beside spu", "rows": given.rows, "runs": given.runs, "threads": 1}
    print(json.dumps(head | figures | {"part_of_spu_cpu": round(part, 3)}))


def prepare(folder: Path, rows: Path, count: int) -> Preparation:
    """Runs `greenlane prepare` on a node that was just made."""
    for role, port in (("insurer", 7643), ("police", 7644)):  # which nobody listens on
        found(folder / role, role, role, f"127.0.0.1:{port}")  # type: ignore[arg-type]
    path = folder / "insurer" / FILE
    introduce(path, folder / "police" / FILE)
    text = path.read_text(encoding="utf-8").replace('may = ["count", "match"]', 'may = ["inquire"]')
    node, rest = text.split("[source]")
    peer = rest[rest.index("[peers.") :].replace('disclose = ["claim_no", "amount"]', "")
    node = node.replace("[node]\n", "[node]\nthreads = 1\n")
    source = f'[source]\nformat = "csv"\npaths = ["{rows}"]\n\n'
    source += '[identifiers.id]\nkind = "text"\ncolumns = ["id"]\n\n'
    path.write_text(node + source + peer, encoding="utf-8")
    os.environ["GREENLANE_PASSPHRASE"] = secrets.token_hex(8)
    with Watch(folder) as watch:
        process = watch.start(
            *(sys.executable, "-m", "parties", "prepare", "--settings", str(path)),
            *("--peer", "police", "--json"),
        )
        watch.until_ended(process)
    (made,) = json.loads(watch.said(process))["tables"]
    if made["identifiers"] != count:
        raise SystemExit(f"{made['identifiers']} identifiers were prepared of {count}")
    return Preparation(*watch.took(process), made["size"])


def prepare_by_spu(python: Path, folder: Path, rows: Path) -> Preparation:
    """Has spu evaluate all keys of the file, under a new key of its own."""
    cache, key = folder / "cache", folder / "spu.key"
    cache.mkdir()
    key.write_bytes(secrets.token_bytes(32))
    with Watch(folder) as watch:
        # Nobody connects: the mode has one party, which has an address none the less.
        process = watch.start(
            *(str(python), "-c", SPU_SIDE, str(rows), str(cache), str(key)),
            *(str(folder / "none.csv"), "127.0.0.1:7645"),
        )
        watch.until_ended(process)
    return Preparation(*watch.took(process), (cache / CACHE).stat().st_size)


def medians(taken: Sequence[Preparation], rows: int) -> dict[str, float]:
    """Returns the figures of one program."""
    seconds, cpu, peak_mb, size = map(statistics.median, zip(*taken, strict=True))
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "cpu_us_a_row": round(cpu / rows * 1e6, 2),
        "peak_mb": round(peak_mb),
        "bytes_a_row": round(size / rows, 2),
    }


if __name__ == "__main__":
    main()
