"""Makes a twin of both parties' files: `python examples/make_twin.py --out DIR`.

Everything in them is made up; see the package `twin`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from twin import OutOfRange, make_twin


def main() -> None:
    """Reads the arguments, writes the files, prints what meets: counts only."""
    arguments = argparse.ArgumentParser(description="Makes a made-up twin of both parties' files.")
    arguments.add_argument("--claims", type=int, default=100_000, help="rows of the insurer's file")
    arguments.add_argument("--records", type=int, default=100_000, help="rows of the police's file")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    arguments.add_argument(
        "--overlap", type=float, default=0.02, help="share of the claims, 0 to 0.5"
    )
    arguments.add_argument("--clean", action="store_true", help="also write the clean identifiers")
    arguments.add_argument(
        "--edges",
        type=int,
        default=0,
        help="how often claims are planted at every edge of every rule; also writes leads.csv",
    )
    arguments.add_argument("--out", type=Path, required=True, help="directory for the files")
    given = arguments.parse_args()
    try:
        twin = make_twin(
            given.out,
            given.claims,
            given.records,
            given.seed,
            given.format,
            overlap=given.overlap,
            clean=given.clean,
            edges=given.edges,
        )
    except OutOfRange as error:
        arguments.error(str(error))
    print(f"{twin.claims}: {given.claims} claims; {twin.records}: {given.records} records")
    for name, found in twin.truth.sets.items():
        print(
            f"{name:>7}: {found.own_distinct} own, {found.their_distinct} theirs, "
            f"{found.common} in common"
        )


if __name__ == "__main__":
    main()
