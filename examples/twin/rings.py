"""Planted groups of rows: what a ring is made of, and how one is put together.

A ring is a lead made for the demo: rows of claims and of records that belong together, with
identities of their own that nobody else has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .clock import FIRST, SPAN
from .geography import CREWS, ROADS
from .pools import KINDS, Index

AUTO, ACCIDENT, DELAY = range(3)
"""Lines of business, as numbered in `claims.LINES`."""
RECORD_ACCIDENT, RECORD_VIOLATION, RECORD_THEFT, RECORD_DRUNK, RECORD_CASE, RECORD_IMPOUND = range(
    6
)
"""Types of record, as numbered in `records.TYPES`."""

Row = dict[str, int]
PERSON_FIELDS = ("insured", "driver", "claimant", "person")
_KIND_OF = {
    **dict.fromkeys(PERSON_FIELDS, "person"),
    "plate": "plate",
    "vin": "vin",
    "phone": "phone",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a rule has to say of planted claims.

    group: of a name of its own.
    pack, rule: which; the rule "*" is any of the pack.
    expected: "lead", "no-lead" or "either".
    edge: of which parameter or window the claims are at the edge; "published" for figures of a
        report, "" otherwise.
    claims: their places among `Rings.claims`.
    """

    group: str
    pack: str
    rule: str
    expected: str
    edge: str
    claims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rings:
    """All planted rows, and which ring each ring identity is of.

    claims, records: the rows, each with its ring's name and number; fields hold numbers as in the
        blocks, an absent field is -1.
    names: kind -> the ring's name for each identity of the kind's range of rings.
    luxury: the VINs that are to be of European makes, ascending.
    expected: what rules have to say of the claims; empty unless edges are planted.
    """

    claims: list[tuple[str, int, Row]]
    records: list[tuple[str, int, Row]]
    names: dict[str, list[str]]
    luxury: list[int]
    expected: list[Expected]

    def placed(self, starts: dict[str, int]) -> Rings:
        """Moves the identities from 0 to where the range of each kind starts."""

        def moved(row: Row) -> Row:
            return {
                key: value + starts[_KIND_OF[key]] if key in _KIND_OF and value >= 0 else value
                for key, value in row.items()
            }

        return Rings(
            [(name, group, moved(row)) for name, group, row in self.claims],
            [(name, group, moved(row)) for name, group, row in self.records],
            self.names,
            [number + starts["vin"] for number in self.luxury],
            self.expected,
        )

    def columns(self, insurer: bool, fields: tuple[str, ...]) -> dict[str, Index]:
        """Returns the rows of one file as columns."""
        rows = self.claims if insurer else self.records
        return {
            name: np.array([row.get(name, -1) for _, _, row in rows], np.int64) for name in fields
        }


@dataclass(slots=True)
class Maker:
    """Hands out identities and collects the rows of the ring that is being made."""

    rng: np.random.Generator
    name: str = ""
    group: int = 0
    claims: list[tuple[str, int, Row]] = field(default_factory=list)
    records: list[tuple[str, int, Row]] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    luxury: list[int] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)

    def rings(self) -> Rings:
        """Returns all that was made."""
        return Rings(self.claims, self.records, self.names, self.luxury, self.expected)

    def new(self, kind: str) -> int:
        """Returns the next identity of the kind; numbers start at 0, see `Rings.placed`."""
        self.names[kind].append(self.name)
        return len(self.names[kind]) - 1

    def vehicle(self, *, luxury: bool = False) -> Row:
        """Returns a new plate and a new VIN."""
        vehicle = {"plate": self.new("plate"), "vin": self.new("vin")}
        if luxury:
            self.luxury.append(vehicle["vin"])
        return vehicle

    def below(self, bound: int) -> int:
        """Draws a number from 0 to bound - 1."""
        return int(self.rng.integers(0, bound))

    def moment(self) -> int:
        """Returns a moment of the first half of the calendar, so that all of a ring fits in."""
        return FIRST + self.below(SPAN // 2)

    def claim(self, time: int, city: int, **fields: int) -> None:
        """Adds a claim; fields not given are drawn or stay empty; amounts in fen."""
        row = {
            "line": AUTO,
            "policy_days": 20 + self.below(200),
            "place": city * len(ROADS) + self.below(len(ROADS)),
            "amount": 800_000 + self.below(4_000_000),
            "company": self.below(12),
        }
        self.claims.append((self.name, self.group, row | fields | {"time": time}))

    def record(self, type_: int, time: int, city: int, **fields: int) -> None:
        """Adds a record; fields not given are drawn or stay empty."""
        row = {
            "type": type_,
            "place": city * len(ROADS) + self.below(len(ROADS)),
            "station": city * len(CREWS) + self.below(len(CREWS)),
        }
        self.records.append((self.name, self.group, row | fields | {"time": time}))
