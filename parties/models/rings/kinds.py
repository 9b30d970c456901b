"""What may tie claims: kinds of things, and the columns of `claims` that name them."""

from __future__ import annotations

from typing import Final

from psi.lazily import NamedTuple


class Thing(NamedTuple):
    """A sort of thing that several claims may name.

    Attributes:
        what: it is called; of one kind there may be several, as a vehicle has a plate and a VIN.
        kind: of tie, as the score counts them.
        columns: of claims that name it; of a record there are none, links name it.
        joins: whether it puts claims into one ring. A place does not: people who have nothing in
            common go to one repair shop. It is told where claims are tied already.
        masked: whether its values are identifiers, which are masked.
    """

    what: str
    kind: str
    columns: tuple[str, ...]
    joins: bool = True
    masked: bool = True


THINGS: Final = (
    Thing("person", "person", ("insured", "driver", "claimant")),
    Thing("plate", "vehicle", ("plate",)),
    Thing("VIN", "vehicle", ("vin",)),
    Thing("phone", "phone", ("phone",)),
    Thing("account", "account", ("account",)),
    Thing("record", "record", (), masked=False),
    Thing("shop", "shop", ("shop",), joins=False, masked=False),
    Thing("hospital", "hospital", ("hospital",), joins=False, masked=False),
)
"""In the order in which they are told. Flights are none: all who sit in one share it."""
OF_HOUSES: Final = ("phone", "account")
"""What a repair shop has of its own: it reports for its customers, and is paid for them."""
NEEDED: Final = {
    "claims": ("claim", "amount", *(column for each in THINGS for column in each.columns)),
    "links": ("claim", "record", "dimension"),
}
"""Columns of the joined tables that are read, where they are there."""
