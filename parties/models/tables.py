"""The joined tables: what a rule may be written over, the same on both nodes.

Three tables. `claims` and `records` have a row for each claim of the insurer and each record of the
police, as far as this node knows them: its own in full, the other side's where they were matched.
`links` says which claim met which record, by what. A column that a node does not have is null.
"""

from __future__ import annotations

from typing import Final

from psi.lazily import NamedTuple


class Column(NamedTuple):
    """A column of a joined table.

    Attributes:
        type: of DuckDB.
        unit: what its values are.
        says: what it holds, in words.
    """

    type: str
    unit: str
    says: str


def _name(says: str) -> Column:
    return Column("VARCHAR", "name", says)


def _instant(says: str) -> Column:
    return Column("TIMESTAMP", "instant", says)


def _day(says: str) -> Column:
    return Column("DATE", "day", says)


LINES: Final = ("auto", "accident", "flight_delay")
"""Lines of business, as `claims.line` spells them; a pack is for one, and sees its claims only."""
RECORD_KINDS: Final = (
    "accident",
    "violation",
    "drink_driving",
    "theft",
    "impound",
    "case",
    "other",
)
"""What `records.kind` may be. Words of a node's own are translated when tables are filled."""
DIMENSIONS: Final = (
    "person",
    "vehicle",
    "phone",
    "account",
    "flight",
    "shop",
    "hospital",
    "place",
    "company",
    "claim",
    "time",
    "amount",
)
"""What ties claims to each other or to records. `links.dimension` is one of the first five."""

TABLES: Final[dict[str, dict[str, Column]]] = {
    "claims": {
        "claim": _name("number of the claim; the key"),
        "line": _name(f"line of business: {', '.join(LINES)}"),
        "company": _name("insurer"),
        "policy": _name("number of the policy"),
        "policy_start": _day("first day of the cover"),
        "cover_raised": _day("day on which the cover was last raised"),
        "bought": _instant("when the policy was bought, local time"),
        "channel": _name("platform or agent that sold the policy"),
        "happened": _instant("when the loss happened, local time"),
        "amount": Column("DECIMAL(18,2)", "yuan", "what is claimed"),
        "insured": _name("person insured; of a vehicle, its owner"),
        "driver": _name("person who drove, as the claim says"),
        "claimant": _name("person who claims, or was injured and is paid"),
        "phone": _name("phone from which the loss was reported"),
        "account": _name("account that is paid"),
        "plate": _name("plate of the vehicle"),
        "vin": _name("vehicle identification number"),
        "shop": _name("repair shop"),
        "hospital": _name("hospital"),
        "nights": Column("BIGINT", "days", "nights in hospital"),
        "city": _name("city in which the loss happened"),
        "flight": _name("number of the flight"),
        "flight_date": _day("scheduled day of departure, local"),
        "departure": _instant("scheduled departure, local time"),
        "refunded": _instant("when the ticket was given back, local time"),
    },
    "records": {
        "record": _name("number of the record; the key"),
        "kind": _name(f"what it is: {', '.join(RECORD_KINDS)}"),
        "begun": _instant("when it happened or began, local time"),
        "ended": _instant("when it ended (found, released), local time; null if it has not"),
    },
    "links": {
        "claim": _name("number of the claim"),
        "record": _name("number of the record that it met"),
        "dimension": _name(f"by what: {', '.join(DIMENSIONS[:5])}"),
        "role": _name("column of claims that held the identifier; null if this node cannot know"),
    },
}
"""Tables and their columns. Identifiers are normalised, so that one thing has one spelling. Columns
of records are the few that rules need: by whom and what a record met a claim stands in `links`, so
the police disclose no identifier for a rule to run."""

KEYS: Final = {"claims": "claim", "records": "record"}
"""Columns of which each value stands in one row."""
