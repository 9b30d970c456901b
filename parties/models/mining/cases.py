"""Claims of one case together: the unit of all that is counted.

The claims of a case were concluded with one outcome, so they are one observation and not many: a
ring of forty claims says of its repair shop what one case says. A case has a set of facts if at
least half of its claims have all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from parties.models.mining.facts import Facts
from parties.models.mining.outcomes import Case, Outcomes
from psi.lazily import NamedTuple

Booleans: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.int64]


class Cases(NamedTuple):
    """Cases of which at least one claim is in the tables.

    Attributes:
        names: of the cases.
        confirmed: whether each was.
        rows: places of their claims among the facts, those of one case together.
        starts: where the claims of each case begin in `rows`.
        absent: claims of cases that are not in the tables.
    """

    names: Sequence[str]
    confirmed: Booleans
    rows: Numbers
    starts: Numbers
    absent: int

    @property
    def sizes(self) -> Numbers:
        """Claims of each case."""
        return np.diff(np.append(self.starts, len(self.rows)))

    def having(self, claims: Booleans) -> Booleans:
        """Whether at least half of the claims of each case are among some.

        Args:
            claims: for each claim of the facts, whether it is.
        """
        return self.mostly(claims[self.rows])

    def mostly(self, claims: Booleans) -> Booleans:
        """As `having`, of claims in the order of `rows`."""
        return 2 * self._summed(claims) >= self.sizes

    def counted(self, claims: Booleans) -> Numbers:
        """How many claims of each case are among some; as of `having`."""
        return self._summed(claims[self.rows])

    def _summed(self, claims: Booleans) -> Numbers:
        if not len(claims):
            return np.zeros(0, np.int64)
        return np.add.reduceat(claims, self.starts, dtype=np.int64)


def gather(facts: Facts, outcomes: Outcomes, *, others: bool = False) -> Cases:
    """Gathers the claims of each case.

    Args:
        facts: of all claims.
        outcomes: of some.
        others: whether claims of which nothing was concluded are taken for cases of their own that
            were not confirmed.
    """
    places: dict[Case, list[int]] = {}
    there = 0
    for place, claim in enumerate(facts.claims):
        case = outcomes.cases.get(claim)
        there += case is not None
        if case is None and others and claim not in outcomes.neither:
            case = Case(f"\0{claim}", False)  # a name that no case has
        if case is not None:
            places.setdefault(case, []).append(place)
    sizes = [len(each) for each in places.values()]
    return Cases(
        names=[case.name for case in places],
        confirmed=np.array([case.confirmed for case in places], np.bool_),
        rows=np.array([row for each in places.values() for row in each], np.int64),
        starts=np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, np.int64),
        absent=len(outcomes.cases) - there,
    )
