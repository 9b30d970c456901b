"""What rules have to say of the rings of `schemes`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from ..rings import Row
from .scheme import Planter

Rows = list[tuple[int, Row]]
"""Rows of one ring, each with its place among all claims."""
Split = Callable[[Rows], list[Rows]]


def _whole(rows: Rows) -> list[Rows]:
    return [rows]


def _each(rows: Rows) -> list[Rows]:
    return [[row] for row in rows]


def _by(field: str) -> Split:
    def split(rows: Rows) -> list[Rows]:
        parts: dict[int, Rows] = defaultdict(list)
        for place, row in rows:
            parts[row[field]].append((place, row))
        return list(parts.values())

    return split


def _back(rows: Rows) -> list[Rows]:
    """Of the nine cars two came to the shop once only."""
    return [[each for part in _by("plate")(rows) if len(part) > 1 for each in part]]


def _for_others(rows: Rows) -> list[Rows]:
    return [[(place, row) for place, row in rows if row["claimant"] != row["insured"]]]


RINGS: Mapping[str, tuple[str, Mapping[str, Split]]] = {
    "one-shop-nine-cars": ("auto", {"shop-same-reporter": _back}),
    "one-driver-many-plates": ("auto", {"driver-many-vehicles": _whole}),
    "family-many-places": (
        "accident",
        {
            "case-many-claims": _whole,
            "collector-many-insured": _for_others,
            "new-policy-losses": _by("insured"),
            "person-many-companies": _by("insured"),
            "phone-many-insured": _whole,
        },
    ),
    "one-phone-many-claimants": (
        "auto",
        {"case-many-claims": _whole, "phone-many-insured": _whole},
    ),
    "one-injured-many-provinces": (
        "auto",
        {
            "case-many-claims": _whole,
            "claimant-many-cities": _whole,
            "phone-many-insured": _whole,
        },
    ),
    "drunk-driving-before": ("auto", {"drink-driving-before": _each}),
    "reported-stolen-before": ("auto", {"stolen-before": _each, "stolen-meanwhile": _each}),
    "one-flight-many-policies": (
        "flight_delay",
        {
            "case-flight": _whole,
            "flight-one-reporter": _whole,
            "person-many-companies": _by("insured"),
            "person-many-policies": _by("insured"),
        },
    ),
}
"""The pack of each kind of ring, and which of its rules must point at which of its claims; other
rules of the pack may, for the claims of a ring are much alike."""


def of_rings(p: Planter) -> None:
    """Writes down what rules have to say of the rings that have been made."""
    rings: dict[tuple[str, int], Rows] = defaultdict(list)
    for place, (name, group, row) in enumerate(p.claims):
        rings[name, group].append((place, row))
    for (name, number), rows in rings.items():
        p.pack, rules = RINGS[name]
        for rule, split in rules.items():
            for n, part in enumerate(split(rows)):
                places = [place for place, _ in part]
                p.expect(rule, "lead", "published", places, f"{name}/{number}/{n}")
        p.expect("*", "either", "published", [place for place, _ in rows], f"{name}/{number}")
