"""Reading a large source: rows a second and peak memory, from file to distinct elements.

Prints one JSON object for each format. The file is written first, streamed; what is measured is a
second process that opens it, normalises one column, hashes it and makes it distinct.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from bench_identifiers import resident_ids

BLOCK = 500_000

READ = """
import json, re, sys, time
from pathlib import Path
from parties.identifiers import identify
from parties.settings import IdentifierSettings, SourceSettings
from parties.sources import open_source
from psi import _core
_core.use_threads(1)
def peak():  # ru_maxrss would include the parent's
    status = Path('/proc/self/status').read_text()
    return round(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) / 1024)
base = peak()
began, cpu = time.monotonic(), time.process_time()
source = open_source(SourceSettings(sys.argv[1], (Path(sys.argv[2]),)))
own = identify(source, IdentifierSettings("person", "resident_id", (("person_id",),)))
print(json.dumps({
    "rows": own.rows, "distinct": len(own), "seconds": round(time.monotonic() - began, 2),
    "cpu_seconds": round(time.process_time() - cpu, 2),
    "peak_mb": peak(), "base_mb": base,
}))
"""


def write(path: Path, format: str, rows: int) -> None:
    """Writes a file with an identifier and two other columns, block by block."""
    schema = pa.schema(
        [("row_no", pa.int64()), ("person_id", pa.large_string()), ("amount", pa.float64())]
    )
    writer = (
        arrow_csv.CSVWriter(path, schema) if format == "csv" else pq.ParquetWriter(path, schema)
    )
    with writer:
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            columns = [
                pa.array(range(start, start + count), pa.int64()),
                resident_ids(count, seed=start),
                pa.array([float(i % 9973) for i in range(count)]),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def main() -> None:
    """Prints the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for format in ("parquet", "csv"):
            path = Path(folder) / f"rows.{format}"
            write(path, format, given.rows)
            command = [sys.executable, "-c", READ, format, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            taken = json.loads(done.stdout)
            size = round(path.stat().st_size / 1e6)
            print(json.dumps({"bench": "read a source", "format": format, "file_mb": size} | taken))
            path.unlink()


if __name__ == "__main__":
    main()
