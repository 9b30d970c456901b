"""What one rule's edges are, and how a group of claims is planted at one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..clock import DAY, FIRST, HOUR
from ..geography import BRANDS, CITIES
from ..rings import ACCIDENT, AUTO, DELAY, Expected, Maker

LINE = {"auto": AUTO, "accident": ACCIDENT, "flight_delay": DELAY}
"""The line of business of each pack."""

Knobs = Mapping[str, int]
Make = Callable[..., "list[int] | None"]
"""Plants claims and returns which of them a lead has to hold; None for all of them."""
Pair = tuple[Knobs, Knobs]
"""What makes a group that is just inside of an edge, and one that is just outside."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A rule: how claims are planted that are inside of all its edges, and each of its edges.

    make: with nothing given, plants claims at which the rule points.
    edges: name -> what is given for just inside and for just outside. The name is that of the
        parameter; after a colon stands which of several edges. A name that is no parameter is an
        edge of the window that no parameter moves.
    also: rules of the pack that rightly point at such claims as well.
    """

    make: Make
    edges: Mapping[str, Pair]
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class Planter(Maker):
    """Plants claims of one line of business, and writes down what rules have to say of them."""

    pack: str = ""
    start: int = FIRST
    city: int = 0
    account: int = 0
    shop: int = 0

    def begin(self, pack: str, rule: str) -> int:
        """Begins a group: a moment and a city of its own; returns the place of its first claim.

        The moment is at ten in the morning, so that nothing is late at night by chance.
        """
        self.pack, self.name, self.group = pack, f"{pack}/{rule}", self.group + 1
        self.start = FIRST + 60 * DAY + self.below(300) * DAY + 10 * HOUR
        self.city = self.below(len(CITIES))
        return len(self.claims)

    def expect(
        self, rule: str, expected: str, edge: str, claims: Iterable[int], group: str = ""
    ) -> None:
        """Writes down what a rule of the pack has to say of claims, by their places."""
        name = group or f"{self.name}/{self.group}"
        self.expected.append(Expected(name, self.pack, rule, expected, edge, tuple(claims)))

    def at(self, after: int, **fields: int) -> None:
        """Adds a claim some seconds after the group's moment.

        Whatever is not given is of no use to any rule: nobody is named, the insurer is one, the
        policy is old, the amount is small.
        """
        row = {
            "line": LINE[self.pack],
            "policy_days": 500 + self.below(200),
            "company": 0,
            "amount": 50_000 + self.below(1_000_000),
        }
        time = self.start + after
        self.claim(time, fields.pop("city", self.city), **(row | fields))

    def noted(self, type_: int, after: int = 0, **fields: int) -> None:
        """Adds a record some seconds after the group's moment."""
        self.record(type_, self.start + after, self.city, **fields)

    def spread(self, number: int, apart: int) -> list[int]:
        """Returns times in order: 0, others drawn between, and `apart`; of one the first alone."""
        between = sorted(1 + self.below(apart - 1) for _ in range(number - 2))
        return [0, *between, apart][:number]

    def persons(self, different: int, number: int) -> list[int]:
        """Returns so many different new persons in turns, one for each of so many claims.

        A near-miss thus has as many claims as what it is near to, and fewer persons.
        """
        people = [self.new("person") for _ in range(different)]
        return [people[n % different] for n in range(number)]

    def new_account(self) -> int:
        """Returns an account that nobody else has."""
        self.account += 1
        return self.account

    def new_shop(self) -> int:
        """Returns a shop to which no other claim goes; see `geography.OWN_SHOPS`."""
        self.shop += 1
        return len(CITIES) * len(BRANDS) + self.shop - 1

    def plate(self) -> dict[str, int]:
        """Returns a new plate, without a VIN."""
        return {"plate": self.new("plate")}
