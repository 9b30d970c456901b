"""How far counts can be trusted: exact tests, and what many tests ask for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Hypergeometric:
    """Fisher's exact test, one-sided: is more confirmed than a draw at random would have?

    Args:
        most: the largest population.
    """

    def __init__(self, most: int) -> None:
        logarithms = np.log(np.arange(1, most + 1, dtype=np.float64))
        self._factorials = np.concatenate([[0.0], np.cumsum(logarithms)])

    def tail(self, confirmed: int, drawn: int, of: int, population: int) -> float:
        """Returns the probability of as many confirmed as there are, or more.

        Args:
            confirmed: among those drawn.
            drawn: from the population.
            of: confirmed in the population.
            population: in all.
        """
        if confirmed * population <= drawn * of:  # no more than the share of all
            return 1.0
        x = np.arange(confirmed, min(drawn, of) + 1)
        f, rest = self._factorials, population - of
        logs = (
            (f[of] - f[x] - f[of - x])
            + (f[rest] - f[drawn - x] - f[rest - drawn + x])
            - (f[population] - f[drawn] - f[population - drawn])
        )
        return min(1.0, float(np.exp(logs).sum()))


def adjusted(values: Sequence[float], family: int) -> npt.NDArray[np.float64]:
    """Returns p-values adjusted for many tests, so that of those below q a share of q is by chance.

    The procedure of Benjamini and Yekutieli, "The control of the false discovery rate in multiple
    testing under dependency" (2001), theorem 1.3: it holds however the tests depend on each other.
    Sets of facts do, in both directions: some contain others, some exclude each other.

    Args:
        values: of some tests; of those that are left out none is smaller.
        family: tests in all.
    """
    p = np.asarray(values, np.float64)
    order = np.argsort(p, kind="stable")
    harmonic = float((1 / np.arange(1, family + 1)).sum())
    scaled = p[order] * family * harmonic / np.arange(1, len(p) + 1)
    out = np.empty_like(p)
    out[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return out
