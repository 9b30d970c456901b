"""How often a bin of the key-value store cannot be solved: cores counted, beside what is claimed.

`main` prints JSON and the tables of `docs/protocols.md`. Seeds are fixed and draws come from AES,
so they are the same on every machine.

Peeling a bin leaves its *core*: the largest set of keys that names each of its cells at least
twice. There are two kinds, of different laws.

*Large* cores have more keys than there are dense cells, and are never solved. They are counted at
cells per key where the law of the parameters claims failures that can be counted. The parameters
take that law where nothing can be counted. What it says there is printed beside a straight line
through the rarest counts; neither is shown to be so.

*Small* cores are mostly pairs of keys with equal places. They are counted at the parameters
themselves. The mean number of sets that could be a small core is computed as well, for such sizes
as are too rare to be counted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import ceil, comb, exp, expm1, factorial, log, log2
from typing import Any, Final

from psi._core import okvs_core_sizes
from psi.subprotocols.okvs import DENSE, Shape, shape

DRAWS: Final = {
    1024: {3: 1 << 15, 6: 1 << 17, 9: 1 << 19, 12: 1 << 21, 14: 1 << 22},
    4096: {3: 1 << 14, 6: 1 << 16, 9: 1 << 18, 12: 1 << 20},
    16384: {3: 1 << 13, 6: 1 << 15, 9: 1 << 17, 12: 1 << 19},
    17393: {3: 1 << 13, 6: 1 << 15, 9: 1 << 17, 12: 1 << 19},
}
"""Bins that are drawn, by keys and bits of the claimed failure."""
RARE: Final = 9
"""Bits of the claimed failure from which points are fitted once more, by themselves."""
SHAPES: Final = {1024: 1 << 20, 4096: 1 << 19, 16384: 1 << 17, 1 << 20: 1 << 18}
"""Bins that are drawn, by elements of a set; a bin has as many keys as it has room for."""
LARGEST: Final = 128
"""Keys up to which sets that could be a core are counted by their mean."""
SIGMAS: Final = 1.959964
"""Half of a 95 % interval."""


# The law


def slope(keys: int) -> float:
    """Returns a, the bits by which failures become rarer with one more cell per key."""
    w = log2(3)
    return float(2 ** (0.555 * log2(keys) + 0.093 * w**3 - 1.01 * w**2 + 2.925 * w - 0.133))


def third_for(keys: int, bits: float) -> int:
    """Returns the cells of a third for failures of 2^-bits."""
    return ceil((1.223 + (bits + 9.2) / slope(keys)) * keys / 3)


def claimed(keys: int, third: int) -> float:
    """Returns log2 of the failures that the law claims."""
    return 9.2 - slope(keys) * (3 * third / keys - 1.223)


# Large cores


@dataclass(frozen=True)
class Point:
    """Large cores at one number of cells.

    Attributes:
        bits: of the failure that was asked for; rounding up `third` makes it a little rarer.
        third: cells of a third.
        expansion: cells per key.
        runs: bins that were drawn.
        large: those with a core of more than DENSE keys.
        smallest: keys of the smallest of these cores.
        log2: of the measured frequency.
        low: log2 of the lower end of its 95 % interval (Wilson).
        high: log2 of the upper end.
        claimed: log2 of what the law says.
    """

    bits: int
    third: int
    expansion: float
    runs: int
    large: int
    smallest: int
    log2: float
    low: float
    high: float
    claimed: float


def point(keys: int, bits: int, runs: int) -> Point:
    """Counts large cores where the law claims 2^-bits."""
    third = third_for(keys, bits)
    counts = okvs_core_sizes(keys, third, keys << 8 | bits, runs)
    sizes = {left: number for left, number in counts.items() if left > DENSE}
    large = sum(sizes.values())
    low, high = interval(large, runs)
    return Point(
        bits=bits,
        third=third,
        expansion=3 * third / keys,
        runs=runs,
        large=large,
        smallest=min(sizes),
        log2=log2(large / runs),
        low=log2(low),
        high=log2(high),
        claimed=claimed(keys, third),
    )


def interval(count: int, runs: int) -> tuple[float, float]:
    """Returns the 95 % interval of a frequency (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    squared = SIGMAS**2
    middle = (count + squared / 2) / (runs + squared)
    half = SIGMAS / (runs + squared) * (count * (runs - count) / runs + squared / 4) ** 0.5
    return middle - half, middle + half


def fitted(points: list[Point]) -> tuple[float, float]:
    """Returns the slope of -log2 P in cells per key, and half of its 95 % interval.

    A straight line by least squares, each point weighted by the inverse of its variance. Where
    the points bend, the error says nothing of that.
    """
    weights = [each.large * log(2) ** 2 / (1 - each.large / each.runs) for each in points]
    total = sum(weights)
    center = sum(w * each.expansion for w, each in zip(weights, points, strict=True)) / total
    spread = product = 0.0
    for weight, each in zip(weights, points, strict=True):
        spread += weight * (each.expansion - center) ** 2
        product -= weight * (each.expansion - center) * each.log2
    return product / spread, SIGMAS / spread**0.5


# Small cores


def pairs(keys: int, third: int) -> float:
    """Returns m, the mean number of pairs of keys with equal places in a bin."""
    return comb(keys, 2) / third**3


def sets(keys: int, third: int, largest: int = LARGEST) -> list[Fraction]:
    """Returns, for each g up to `largest`, the mean number of sets of g keys that could be a core.

    In such a set no cell is named exactly once. The maps of g keys to the cells of a third that
    have this are counted by g! [x^g] (exp(x) - x)^third; the recurrence for powers of a series
    (Euler; Knuth, TAOCP 2, section 4.7) has integers only. Any core is such a set, so its
    probability is at most this mean.
    """
    maps = [1]
    for n in range(largest):
        more = third * sum(comb(n, k) * maps[n - k] for k in range(1, n + 1))
        maps.append(more - sum(comb(n, k) * maps[n + 1 - k] for k in range(2, n + 1)))
    return [comb(keys, g) * Fraction(each, third**g) ** 3 for g, each in enumerate(maps)]


def unsolved(each: float, left: int) -> float:
    """Returns a bound on unsolved bins, given how often so many keys are left."""
    return each * 2.0 ** min(0, left - DENSE)


def small(form: Shape, runs: int) -> dict[str, Any]:
    """Counts small cores at the parameters of a set."""
    keys, third = form.capacity, form.third
    counts = okvs_core_sizes(keys, third, keys << 8 | 255, runs)
    m = pairs(keys, third)
    means = [float(each) for each in sets(keys, third)]
    return {
        "keys": keys,
        "third": third,
        "runs": runs,
        "mean_pairs": m,
        "left": {
            left: {
                "counted": counts.get(left, 0),
                "pairs_alone": runs * exp(-m) * m ** (left // 2) / factorial(left // 2),
                "sets": runs * means[left],
            }
            for left in (2, 4, 6)
        },
        "others": {left: n for left, n in counts.items() if left not in (0, 2, 4, 6)},
        "log2_unsolved": {
            "counted": log2(sum(unsolved(n / runs, left) for left, n in counts.items() if left)),
            "pairs_alone": log2(expm1(3 * m)) - DENSE,
            "sets": log2(sum(unsolved(mean, g) for g, mean in enumerate(means) if g)),
        },
    }


# The report


def report() -> dict[str, Any]:
    """Returns all numbers of the tables."""
    large = {}
    thirds = {shape(elements).capacity: shape(elements).third for elements in SHAPES}
    for keys, draws in DRAWS.items():
        points = [point(keys, bits, runs) for bits, runs in draws.items()]
        rare, last, third = [each for each in points if each.bits >= RARE], points[-1], thirds[keys]
        large[keys] = {
            "slope": slope(keys),
            "fitted": fitted(points),
            "fitted_rare": fitted(rare),
            "log2_at_the_parameters": {
                "law": claimed(keys, third),
                "line": last.log2 - fitted(rare)[0] * (3 * third / keys - last.expansion),
            },
            "points": [asdict(each) for each in points],
            "above_the_law": [each.bits for each in points if each.low > each.claimed],
        }
    return {
        "large": large,
        "small": [small(shape(elements), runs) for elements, runs in SHAPES.items()],
    }


def table(found: dict[str, Any]) -> str:
    """Returns the tables as they stand in `docs/protocols.md`."""
    lines = [
        "| keys | cells a key | bins drawn | large cores | measured | 95 % | by the law "
        "| measured above it by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for keys, each in found["large"].items():
        for at in each["points"]:
            cells = [
                f"{keys:,}",
                f"{at['expansion']:.4f}",
                f"{at['runs']:,}",
                f"{at['large']:,}",
                f"2^{at['log2']:.2f}",
                f"2^{at['low']:.2f} to 2^{at['high']:.2f}",
                f"2^{at['claimed']:.2f}",
                f"{at['log2'] - at['claimed']:+.2f} bits",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        f"| keys | a | slope of all points | from 2^-{RARE} on | at the parameters, by the law "
        "| by that slope |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for keys, each in found["large"].items():
        a = each["slope"]
        ratios = [
            f"({value / a:.2f} +- {error / a:.2f}) a"
            for value, error in (each["fitted"], each["fitted_rare"])
        ]
        ends = [f"2^{each['log2_at_the_parameters'][kind]:.1f}" for kind in ("law", "line")]
        lines.append("| " + " | ".join([f"{keys:,}", f"{a:.1f}", *ratios, *ends]) + " |")
    lines += [
        "",
        "| keys | third | bins drawn | 2 left: pairs, counted | 4 left: two pairs, sets, counted "
        "| 6 left: sets, counted | more | unsolved: pairs, sets, counted |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in found["small"]:
        left, bound = each["left"], each["log2_unsolved"]
        cells = [
            f"{each['keys']:,}",
            f"{each['third']:,}",
            f"{each['runs']:,}",
            f"{left[2]['pairs_alone']:,.1f}, {left[2]['counted']:,}",
            f"{left[4]['pairs_alone']:.1f}, {left[4]['sets']:.1f}, {left[4]['counted']}",
            f"{left[6]['sets']:.1f}, {left[6]['counted']}",
            f"{sum(each['others'].values())}",
            ", ".join(f"2^{bound[kind]:.1f}" for kind in ("pairs_alone", "sets", "counted")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Prints the numbers as JSON and the tables."""
    found = report()
    print(json.dumps(found, indent=2))
    print(table(found))


if __name__ == "__main__":
    main()
