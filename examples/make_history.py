"""Makes a history of claims and of what their cases came to, in which something is planted.

    python examples/make_history.py --out history

Cases of claims at night, reported from a phone that several persons share, are confirmed nine times
in ten; all others once in ten, whatever they are. Everything in the files is made up.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

CITIES = ("杭州市", "宁波市", "温州市", "绍兴市")
COMPANIES = ("PICC", "CPIC", "Ping An")


class History(NamedTuple):
    """Rows of files."""

    claims: Sequence[Mapping[str, Any]]
    links: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]]
    outcomes: Sequence[Mapping[str, Any]]

    def write(self, folder: Path) -> Path:
        """Writes the files; returns that of the outcomes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self._asdict().items():
            if rows:
                with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(rows)
        return folder / "outcomes.csv"


def history(
    seed: int,
    cases: int = 600,
    *,
    planted: float = 0.9,
    base: float = 0.1,
    size: int = 2,
    undecided: int = 300,
) -> History:
    """Makes a history.

    Args:
        seed: of all that is random.
        cases: that were concluded.
        planted: share of the planted cases that is confirmed; `base` to plant nothing.
        base: share of all others.
        size: claims of a case, at most.
        undecided: claims of which nothing was concluded.
    """
    random = Random(seed)  # noqa: S311  # nothing of it is secret
    claims: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []

    def claim(night: bool, shared: bool) -> str:
        number = f"C{len(claims):05d}"
        day, hour = random.randrange(1, 29), random.randrange(0, 6)
        hour += 0 if night else 6 * random.randrange(1, 4)
        began = random.randrange(1, 13)
        insured = f"person-{number}"
        claims.append(
            {
                "claim": number,
                "company": random.choice(COMPANIES),
                "city": random.choice(CITIES),
                "policy_start": f"2023-{began:02d}-01",
                "happened": f"2024-01-{day:02d} {hour:02d}:{random.randrange(60):02d}:00",
                "amount": random.randrange(500, 50_000),
                "insured": insured,
                "driver": insured if random.random() < 0.8 else f"driver-{number}",
                "phone": f"shared-{random.randrange(20)}" if shared else f"phone-{number}",
                "shop": f"shop-{random.randrange(40)}",
                "plate": f"plate-{number}",
            }
        )
        if random.random() < 0.2:
            kind = random.choice(("violation", "drink_driving", "accident"))
            record = f"R{len(records):05d}"
            records.append({"record": record, "kind": kind, "begun": f"2023-12-{day:02d} 08:00:00"})
            role = random.choice(("driver", "insured"))
            links.append({"claim": number, "record": record, "dimension": "person", "role": role})
        return number

    for number in range(cases):
        night, shared = random.random() < 0.25, random.random() < 0.25
        confirmed = random.random() < (planted if night and shared else base)
        for _ in range(random.randrange(1, size + 1)):
            outcomes.append(
                {
                    "claim": claim(night, shared),
                    "outcome": "prosecution" if confirmed else "withdrawn",
                    "case": f"case-{number}",
                }
            )
    for _ in range(undecided):
        claim(random.random() < 0.25, random.random() < 0.25)
    return History(claims, links, records, outcomes)


def main() -> None:
    """Reads the arguments, writes the files, prints counts."""
    arguments = argparse.ArgumentParser(description="Makes a made-up history of claims and cases.")
    arguments.add_argument("--cases", type=int, default=1000, help="that were concluded")
    arguments.add_argument("--undecided", type=int, default=1000, help="claims of no case")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True, help="directory for the files")
    given = arguments.parse_args()
    made = history(given.seed, given.cases, undecided=given.undecided)
    outcomes = made.write(given.out)
    print(f"{given.out}: {len(made.claims)} claims, {len(made.records)} records")
    print(f"{outcomes}: {given.cases} cases")


if __name__ == "__main__":
    main()
