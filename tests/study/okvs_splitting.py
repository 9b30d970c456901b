"""How rare bins are that cannot be solved, at the parameters themselves: multilevel splitting.

`main` prints JSON and the tables of `docs/protocols.md`. Seeds are fixed and draws come from AES,
so they are the same on every machine.

Large cores are far too rare there to be counted as in `okvs_failures.py`. A bin with fewer keys
has them more rarely still; so from a number of keys at which they are common, one goes down in
levels to the number that is wanted, and multiplies the shares that each level keeps of the one
before (`rust/src/okvs/splitting.rs` has the method and its sources). The law says only where the
levels stand. The product has the probability as its mean wherever they do, and runs with other
seeds show how it scatters.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import inf, log, log2
from statistics import fmean, variance
from typing import Any, Final

from okvs_failures import DRAWS, LARGEST, Point, claimed, point, sets, slope, third_for

from psi._core import okvs_large_cores
from psi.subprotocols.okvs import DENSE, MARGIN, shape

SIZES: Final = {1: 512, 4096: 256, (1 << 14) + 1: 128, 1 << 20: 128, 1 << 30: 128}
"""Bins that a run takes through the levels, by elements of a set."""
COUNTED: Final = {1024: 12, 4096: 9, 17393: 9}
"""Bits of the claimed failure at which large cores are counted as well, by keys."""
CHECKED: Final = 256
"""Bins that a run takes through the levels where it is compared with a count."""
SEEDS: Final = range(1, 7)
"""A run for each."""
STEPS: Final = 20
"""Steps of a bin at each level."""
FIRST: Final = -3
"""Bits of the claimed failure at the first level; each has one more than the one before."""
STUDENT: Final = 2.570582
"""Half of a 95 % interval in deviations, from the scatter of six runs (Student's law, 5)."""


def levels(keys: int, third: int) -> list[tuple[int, int]]:
    """Returns the keys of each level, and how many of these a step draws anew at most.

    The rarer large cores are, the closer bins that have one are to losing it, and the fewer keys
    can be drawn anew at a time. That about a third of the steps succeed is tried out, not derived;
    it decides how far the runs scatter.
    """
    last = -claimed(keys, third)
    bits = [FIRST + each for each in range(int(last - FIRST) + 1)]
    if last - bits[-1] > 0.5:
        bits.append(last)
    expansions = [1.223 + (each + 9.2) / slope(keys) for each in bits]
    counts = [*(round(3 * third / each) for each in expansions[:-1]), keys]
    return [
        (count, max(8, keys >> min(10, 2 + max(0, int(each)) // 4)))
        for count, each in zip(counts, bits, strict=True)
    ]


@dataclass(frozen=True)
class Estimate:
    """What the runs of one bin found.

    Attributes:
        keys: of the bin.
        third: cells of a third.
        levels: from the first to the last.
        population: bins that a run took through them.
        runs: log2 of the product of shares, one a seed.
        log2: of the mean of these products.
        high: log2 of the upper end of a 95 % interval of their expectation.
        claimed: log2 of what the law says.
    """

    keys: int
    third: int
    levels: int
    population: int
    runs: list[float]
    log2: float
    high: float
    claimed: float


def estimate(keys: int, third: int, population: int, seeds: range = SEEDS) -> Estimate:
    """Estimates how often a bin has a large core."""
    steps = levels(keys, third)
    runs = [
        product(okvs_large_cores(steps, third, keys << 8 | seed, population, STEPS), population)
        for seed in seeds
    ]
    return Estimate(
        keys=keys,
        third=third,
        levels=len(steps),
        population=population,
        runs=runs,
        log2=log2(fmean(2**each for each in runs)),
        high=upper(runs),
        claimed=claimed(keys, third),
    )


def product(found: list[int], population: int) -> float:
    """Returns log2 of the product of shares."""
    return sum(log2(each / population) if each else -inf for each in found)


def upper(runs: list[float]) -> float:
    """Returns log2 of the upper end of a 95 % interval of the mean of six runs.

    A product of many shares is nearly lognormal, and its mean is above its median. This is Cox's
    interval of such a mean (Zhou, Gao, Stat. Med. 16, 1997), with Student's law for so few.
    """
    logs = [each * log(2) for each in runs]
    spread = variance(logs)
    error = (spread / len(logs) + spread**2 / 2 / (len(logs) - 1)) ** 0.5
    return (fmean(logs) + spread / 2 + STUDENT * error) / log(2)


def lower(runs: list[float]) -> float:
    """Returns log2 of the lower end of the same interval."""
    logs = [each * log(2) for each in runs]
    return (2 * fmean(logs) + variance(logs)) / log(2) - upper(runs)


def report() -> dict[str, Any]:
    """Returns all numbers of the tables."""
    counted = []
    for keys, bits in COUNTED.items():
        found: Point = point(keys, bits, DRAWS[keys][bits])
        split = estimate(keys, third_for(keys, bits), CHECKED)
        counted.append({"counted": asdict(found), "split": asdict(split), "low": lower(split.runs)})
    shipped = []
    for elements, population in SIZES.items():
        form = shape(elements)
        split = estimate(form.capacity, form.third, population)
        needed = -(MARGIN + log2(form.bins))
        # Large cores of so few keys are bounded without any run.
        least = log2(sum(sets(form.capacity, form.third)[DENSE + 1 :]))
        sizes = {"elements": elements, "bins": form.bins, "needed": needed, "least_sets": least}
        shipped.append({**sizes, **asdict(split)})
    return {"seeds": list(SEEDS), "steps": STEPS, "counted": counted, "shipped": shipped}


def table(found: dict[str, Any]) -> str:
    """Returns the tables as they stand in `docs/protocols.md`."""
    lines = [
        "| keys | third | counted | 95 % | by splitting | 95 % |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in found["counted"]:
        plain, split = each["counted"], each["split"]
        cells = [
            f"{split['keys']:,}",
            f"{split['third']:,}",
            f"2^{plain['log2']:.2f}",
            f"2^{plain['low']:.2f} to 2^{plain['high']:.2f}",
            f"2^{split['log2']:.2f}",
            f"2^{each['low']:.2f} to 2^{split['high']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "| elements | bins | keys | third | levels | lowest and highest of six runs | mean "
        f"| upper end, 95 % | by the law | needed | {DENSE + 1} to {LARGEST} left: sets |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in found["shipped"]:
        cells = [
            f"up to {each['keys']:,}" if each["elements"] == 1 else f"{each['elements']:,}",
            f"{each['bins']:,}",
            f"{each['keys']:,}",
            f"{each['third']:,}",
            f"{each['levels']}",
            f"2^{min(each['runs']):.1f}, 2^{max(each['runs']):.1f}",
            *(f"2^{each[name]:.1f}" for name in ("log2", "high", "claimed")),
            f"2^{each['needed']:.0f}",
            f"2^{each['least_sets']:.0f}",
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
