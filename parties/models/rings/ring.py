"""What is told of a ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from parties.models.filling import Held
from psi.lazily import NamedTuple


class Score(NamedTuple):
    """Why a ring stands where it stands among its like: the product of the four.

    Of a ring that chance does not put together only that is counted which does not come by chance:
    claims and ties of `chance.Beyond`, and places where more of its parties meet than by chance.

    Attributes:
        claims: that are tied.
        parties: that the widest tie is of: different persons insured or different vehicles,
            whichever are more. One who claims often ties nobody.
        kinds: of ties between parties that a quarter of the claims name, at least 1: person,
            vehicle, phone, account, record, shop, hospital.
        digits: of the amount of all its claims in whole yuan; 1 if no amount is known. So ten times
            the amount counts for one more, and no single amount for more than all else.
    """

    claims: int
    parties: int
    kinds: int
    digits: int

    @property
    def whole(self) -> int:
        """The product."""
        return self.claims * self.parties * self.kinds * self.digits


class Tie(NamedTuple):
    """Something that several claims of a ring name.

    Attributes:
        name: kind and number within the ring, as "phone 1".
        kind: of tie.
        values: what -> value, masked unless they were asked for; of a vehicle, plate and VIN if
            they tie the same claims.
        roles: columns that name it; of a record, what it was met by.
        claims: of the ring that name it.
        parties: in these, as of `Score`; claims, where neither insured nor vehicle is known.
        elsewhere: claims outside of the ring that name it.
        joins: whether it puts claims together, or is a place to which people go anyhow.
        chance: log10 of how many ties of its sort, as strong, are to be expected by chance in all
            tables; None if chance may explain it.
    """

    name: str
    kind: str
    values: Mapping[str, str]
    roles: Sequence[str]
    claims: Sequence[str]
    parties: int
    elsewhere: int
    joins: bool
    chance: float | None


class Ring(NamedTuple):
    """Claims that are tied to each other.

    Attributes:
        rank: place in the list, from 1.
        score: what the rank is by.
        beyond: whether chance does not put it together; such rings stand first.
        amount: of the claims in yuan; None if none is known.
        claims: their numbers.
        ties: the ones of most claims first.
    """

    rank: int
    score: Score
    beyond: bool
    amount: Decimal | None
    claims: Sequence[str]
    ties: Sequence[Tie]


class Found(NamedTuple):
    """What was found.

    Attributes:
        tables: as they were filled.
        number: of rings in all.
        rings: the first of them.
        loose: claims that hang together by chance alone, which are in no ring.
        too_wide, of_houses: as of `ties.Ties`.
    """

    tables: Mapping[str, Held]
    number: int
    rings: Sequence[Ring]
    loose: int
    too_wide: Mapping[str, int]
    of_houses: Mapping[str, int]
