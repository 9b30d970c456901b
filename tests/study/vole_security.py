"""What the parameters of the VOLE protocol are worth: its code, its noise, and known attacks.

Pure Python and numpy. `main` prints JSON and the table of `docs/protocols.md`.

Notation. A chunk has t trees of s leaves, N = t s positions, n outputs. The public map G is an
n x N matrix over F2; e has one noise position in each tree, whose value is W uniform bits; the
receiver's output is a = G e. Rows of G span the *code*: a linear test is a codeword, and what it
cannot see are the noise positions outside of its support.

Proven here, for the ensemble of codes that a session draws one of: the expected number of light
codewords (`codewords`), so by Markov the probability that a session has one; and with no light
codeword the bias of every linear test (`linear_test`). Computed: costs of known attacks, each from
below, by the formula of its source. Conjectured, and by nothing here: that no other attack on
regular noise under this code is better (dual LPN).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, floor, log2
from random import Random
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TREES: Final = 816


@dataclass(frozen=True)
class Profile:
    """How a chunk is made.

    Attributes:
        name: of the protocol that has it.
        leaves: of a tree, s.
        chunks: log2 of the chunks of the largest session, of 2^30 elements.
        widths: bits of a value that it may have.
    """

    name: str
    leaves: int
    chunks: int
    widths: tuple[int, ...]

    @property
    def length(self) -> int:
        """Positions of a chunk, N."""
        return TREES * self.leaves

    @property
    def outputs(self) -> int:
        """Outputs of a chunk, n."""
        return self.length // 2


FRESH: Final = Profile("vole", 128, 15, (64, 72, 128))  # 1.37 x 2^30 / 51,408 < 2^15
STATIONARY: Final = Profile("vole-stationary", 32, 17, (64, 72))  # 1.37 x 2^30 / 12,240 < 2^17
KERNELS: Final = 600  # values whose maps of Delta are looked at, for each width
CODE_BITS: Final = 43  # a session has a light codeword with at most 2^-43

# Each log2 below is made of ten numbers or fewer, each wrong by less than 2^-15 even where a long
# double is a double, and sums of positive terms lose less than 2^-30 of themselves. So two rounds
# are wrong by less than a thousandth of a bit.
SLACK: Final = 0.001


# The code


@dataclass(frozen=True)
class Block:
    """A small code, or the average of an ensemble of them, as the number of words of each weight.

    Attributes:
        name: what the table calls it.
        size: its length.
        weights: number of words of each weight, times 2^scale. The zero word counts as one word.
        scale: log2 of the common denominator.
    """

    name: str
    size: int
    weights: dict[int, int]
    scale: int = 0


RESIDUE: Final = Block(
    "extended quadratic residue [48, 24, 12]",
    48,
    {0: 1, 48: 1}
    | {12: 17296, 36: 17296}
    | {16: 535095, 32: 535095}
    | {20: 3995376, 28: 3995376}
    | {24: 7681680},
)
GOLAY: Final = Block("Golay [24, 12, 8]", 24, {0: 1, 8: 759, 12: 2576, 16: 759, 24: 1})


def random_block(bits: int) -> Block:
    """Returns the average of systematic codes [2 bits, bits] with uniform parity bits."""
    weights = {0: 1 << bits}
    for ones in range(1, bits + 1):
        for parity in range(bits + 1):
            weight = ones + parity
            weights[weight] = weights.get(weight, 0) + comb(bits, ones) * comb(bits, parity)
    return Block(f"random systematic [{2 * bits}, {bits}]", 2 * bits, weights, bits)


def enumerator(block: Block, length: int, top: int, exact: int = 1600) -> Array:
    """Returns log2 of an upper bound on the words of each weight up to `top` in the product code.

    Exact up to weight `exact`, by the recurrence for powers of a power series in integers (Euler;
    Knuth, TAOCP 2, section 4.7, eq. 9). Above, A(z)^k / z^w for some z > 0: all coefficients are
    positive, so every z gives an upper bound; z is chosen where the mean weight is w.
    """
    count = length // block.size
    bound = np.full(top + 1, -np.inf)
    bound[0] = 0.0
    scale = block.scale * count
    first, rest = block.weights[0], sorted(w for w in block.weights if w)
    power = [first**count]
    for weight in range(1, min(top, exact) + 1):
        total = sum(
            (each * (count + 1) - weight) * block.weights[each] * power[weight - each]
            for each in rest
            if each <= weight
        )
        power.append(total // (weight * first))
        bound[weight] = _log2(power[weight]) - scale
    if top <= exact:
        return bound
    degrees = np.array([0, *rest], float)
    numbers = np.array([_log2(block.weights[int(each)]) for each in degrees]) - block.scale
    points = np.linspace(-40.0, 40.0, 20001)  # log2 z

    def sums(point: Array) -> tuple[Array, Array]:
        terms = numbers + point[:, None] * degrees
        most = terms.max(1)
        parts = np.exp2(terms - most[:, None])
        return most + np.log2(parts.sum(1)), (parts * degrees).sum(1) / parts.sum(1)

    means = sums(points)[1] * count
    weights = np.arange(exact + 1, top + 1, dtype=float)
    chosen = np.interp(weights, means, points)
    above = sums(chosen)[0] * count - weights * chosen
    step = np.gcd.reduce(np.array(rest))
    above[weights % step != 0] = -np.inf  # no word has such a weight
    bound[exact + 1 :] = above
    return bound


def accumulate(words: Array, length: int, top: int) -> Array:
    """Returns log2 of the expected words of each weight after a permutation and a prefix sum.

    An input of weight w becomes one of weight h with probability C(N - h, floor(w/2))
    C(h - 1, ceil(w/2) - 1) / C(N, w) (Divsalar, Jin, McEliece, Allerton 1998, section 5): its ones
    open and close runs, w of them open or close, the last run may stay open. Suffix sums, which the
    transposed map takes, are prefix sums read backwards. Every weight is summed; there is no grid.
    """
    table = _factorials(length)
    weights = np.arange(top + 1)
    shape = np.full(top + 1, -np.inf)
    shape[1:] = table[length - weights[1:]] + table[weights[1:] - 1]
    backwards = table[::-1]  # backwards[i] = table[length - i]
    most = np.full(top + 1, -1e300)
    total = np.zeros(top + 1)
    inputs = [int(w) for w in np.flatnonzero(np.isfinite(words)) if w and (w + 1) // 2 <= top]
    rows = np.empty((32, top + 1))
    for start in range(0, len(inputs), len(rows)):
        part = inputs[start : start + len(rows)]
        block = rows[: len(part)]
        low = (part[0] + 1) // 2  # weights below it have no input here or later
        block[:, low:] = -np.inf
        for row, weight in zip(block, part, strict=True):
            pairs, opened = weight // 2, (weight + 1) // 2
            last = min(top, length - pairs)
            constant = words[weight] - table[pairs] - table[opened - 1]
            constant -= table[length] - table[weight] - table[length - weight]
            part_of_row = row[opened : last + 1]
            np.subtract(shape[opened : last + 1], table[: last + 1 - opened], out=part_of_row)
            part_of_row -= backwards[opened + pairs : last + 1 + pairs]
            part_of_row += constant
        # Terms below 2^-100 of the largest are left out; fewer than 2^17 of them are in a sum.
        peaks = block[:, low:].max(0)
        matter = low + np.flatnonzero(peaks > most[low:] - 100)
        if matter.size == 0:
            continue
        part_of_sum = slice(matter[0], matter[-1] + 1)
        terms = block[:, part_of_sum]
        larger = np.maximum(most[part_of_sum], terms.max(0))
        total[part_of_sum] *= np.exp2(most[part_of_sum] - larger)
        terms -= larger
        total[part_of_sum] += np.exp2(terms, out=terms).sum(0)
        most[part_of_sum] = larger
    with np.errstate(divide="ignore"):
        return most + np.log2(total)


def codewords(block: Block, length: int, top: int, rounds: int = 2) -> Array:
    """Returns, for d up to `top`, log2 of a bound on the expected codewords lighter than d.

    The zero word is not among them. The ensemble: blocks, then `rounds` times a uniform permutation
    and a prefix sum (Bazzi, Mahdian, Spielman, IEEE Trans. Inf. Theory 55, 2009; with blocks in
    place of repetition: Kolesnikov, Peceny, Raghuraman, Rindal, on block-accumulate codes).
    """
    reach = [min(length, top << left) for left in range(rounds, -1, -1)]  # h >= w / 2
    words = enumerator(block, length, reach[0])
    words[0] = -np.inf  # the map is one to one, so only the zero message gives the zero word
    for each in reach[1:]:
        words = accumulate(words, length, each)
    return np.concatenate(([-np.inf], np.logaddexp2.accumulate(words)))[: top + 1] + SLACK


def distance(lighter: Array, bits: int = CODE_BITS) -> int:
    """Returns the largest d with at most 2^-bits expected codewords lighter than d."""
    return int(np.flatnonzero(lighter <= -bits)[-1])


BLOCKS: Final = (RESIDUE, GOLAY, random_block(8), random_block(16), random_block(32))


# The noise


def linear_test(d: int, *, of: Profile = FRESH) -> float:
    """Returns -log2 of the largest bias of a linear test, if no codeword is lighter than d.

    A test takes any F2-linear function of all bits of a. It is a matrix C of n x W bits, and its
    result on noise is the sum over trees of <row p_j of G^T C, v_j>, p_j the noise position. A row
    that is not zero meets a uniform v_j and makes the result uniform. So the bias is the
    probability that all rows met are zero, the product over trees of 1 - w_j / s, w_j the number of
    nonzero rows in tree j. Each nonzero column of G^T C is a codeword, so these add to at least d,
    and the product is at most (1 - d / N)^t (geometric and arithmetic mean).

    Splitting: a test that reads one bit of each value sees binary noise that is 1 half of the time.
    Its bias is this, and not (1 - 2 d / N)^t, which holds only where noise is always 1.
    """
    return -TREES * log2(1 - d / of.length)


def lightest(width: int) -> int:
    """Returns a weight below which no functional of the values has, except with 2^-43.

    x in F2^W turns the values v_j into t uniform bits <v_j, x>: a random [t, W] code. An attacker
    who knew the lightest of its 2^W words would face binary noise of that weight.
    """
    words = 0
    for weight in range(TREES):
        words += comb(TREES, weight)
        if width + _log2(words) - TREES > -CODE_BITS:
            return weight
    raise AssertionError


# Attacks, as log2 of operations, from below. One iteration or one pattern counts as one operation.


def gauss(present: float = 1.0, spared: int = 0, *, of: Profile = FRESH) -> float:
    """Returns the bits of guessing N - n positions without noise and solving the rest.

    Prange 1962; Esser, Kuebler, May, CRYPTO 2017 (Pooled Gauss). Each tree has noise with
    probability `present`. For any choice of positions, z_j of them in tree j, the guess is right
    with the product of 1 - present z_j / s, at most (1 - present z / N)^t. `spared` positions need
    not be guessed (parity equations of regular noise: Esser and Santini, CRYPTO 2024).
    """
    return -TREES * log2(1 - present * (of.length - of.outputs - spared) / of.length)


def interleaved(width: int, spared: int = 0, *, of: Profile = FRESH) -> float:
    """Returns the bits of Prange's algorithm on all W syndromes at once.

    r noise positions among those guessed leave a functional that is blind to them with probability
    at most 2^(W - r), which shows as rows that span less than W dimensions. So the probability is
    at most 2^W E[2^-r], the product of 1 - z_j / 2s. Hence W bits less than one random functional.
    """
    return gauss(0.5, spared, of=of) - width


def collisions(width: int, *, of: Profile = FRESH) -> float:
    """Returns the bits of list decoding (Stern to BJMM) if the lightest functional is known.

    With w noise positions, p of them among those guessed, an iteration succeeds with C(w, p) / 2^w
    and goes through C(w, p) (s/2)^p patterns at least. Meeting in the middle costs the square root
    of that. Representations save at most 4^p on it (C(p, p/2) ways to halve, and as many by
    positions that cancel), which leaves more than the fourth root; we charge the fourth root and
    nothing else. A heuristic floor. Canto-Torres and Sendrier, PQCrypto 2016: for w = o(N) all of
    them cost 2^w at rate 1/2, up to lower terms of the exponent.
    """
    weight = lightest(width)
    costs = []
    for p in range(weight // 2 + 1):
        ways = log2(comb(weight, p))
        costs.append(weight - ways + (ways + p * log2(of.leaves / 2)) / 4)
    return min(costs)


def statistical(d: int, *, of: Profile = FRESH) -> float:
    """Returns the bits of statistical decoding with codewords of the least weight, found for free.

    Al Jabri 2001; Liu, Wang, Yang, Yu, EUROCRYPT 2024: 1 / bias^2 tests.
    """
    return 2 * linear_test(d, of=of)


def algebraic(
    large: bool, present: float = 1.0, degrees: int = 12, *, of: Profile = FRESH
) -> float:
    """Returns the bits of the hybrid algebraic attack of Briaud and Oygarden, EUROCRYPT 2023.

    Variables are the N positions; equations are the n of the syndrome and all products of two
    positions in a tree. After a guess of m zeros in f trees the Hilbert series is conjectured to be

        F2:           (1 + (s - 1) z)^(t - f) (1 + (s - m - 1) z)^f / (1 + z)^(n - 1)
        large field:  (1 + (s - 1) z)^(t - f) (1 + (s - m - 1) z)^f (1 - z)^(n - t)

    The system is solved at the first degree at which the coefficients from the second on sum to
    zero or less, by linear algebra of exponent 2 on as many monomials M as the quotient by the
    products has: 3 (N - n + 1 - guesses) M^2. We search all f and m, and also guesses that are
    spread evenly over all trees, which are likelier to be right (ePrint 2025/1284).
    `present` is as in `gauss`; the F2 series charges one noise position in each tree all the same,
    which makes the system easier than it is.
    """
    unknown = of.length - of.outputs
    f, m = (each.astype(float) for each in np.meshgrid(np.arange(TREES + 1), np.arange(of.leaves)))
    families = [
        (((TREES - f, 0 * m), (f, m)), f * m),
        (((TREES - f, m), (f, np.minimum(m + 1, of.leaves - 1))), TREES * m + f),
    ]
    best = np.inf
    for parts, guessed in families:
        monomials = [np.ones_like(f)] + [np.zeros_like(f)] * degrees
        bits = np.zeros_like(f)
        for number, zeros in parts:
            monomials = _times(monomials, _power(of.leaves - 1 - zeros, number, degrees))
            bits -= number * np.log2(1 - present * zeros / of.leaves)
        flat = np.ones_like(f)
        if large:
            series = _times(monomials, _power(-flat, (of.outputs - TREES) * flat, degrees))
            monomials = _times(monomials, _power(-flat, (1 - TREES) * flat, degrees))
        else:
            series = _times(monomials, _power(flat, (1 - of.outputs) * flat, degrees))
        left, columns = np.zeros_like(f), monomials[1].copy()
        usable = guessed <= unknown
        for degree in range(2, degrees + 1):
            left += series[degree]
            columns += monomials[degree]
            solved = usable & (left < 1)
            if solved.any():
                cost = 2 * np.log2(columns[solved]) + bits[solved]
                cost += np.log2(3 * (unknown + 1 - guessed[solved]))
                best = min(best, float(cost.min()))
    return best


# The report


# The last level of half-trees


def kernels(width: int, draws: int = KERNELS) -> float:
    """Returns the mean number of Delta with s(Delta) = v Delta, over random v of `width` bits.

    s is that of `ccr`, (hi, lo) -> (hi + lo, hi). Over all v of the field the mean is 2 - 2^-128:
    each Delta but 0 is counted for one v, s(Delta) / Delta. Narrower v are some of these only.
    """
    source = Random(width)
    total = 0
    for _ in range(draws):
        product, images = source.getrandbits(width), []
        for i in range(128):
            high, low = divmod(1 << i, 1 << 64)
            images.append(((high ^ low) << 64 | high) ^ product)
            product <<= 1
            product ^= (product >> 128) * ((1 << 128) | 0b1000_0111)  # GF(2^128) of the protocol
        total += 1 << (128 - rank(images))
    return total / draws


def rank(rows: list[int]) -> int:
    """Returns the rank of rows of bits over F2."""
    pivots: dict[int, int] = {}
    for row in rows:
        while row and row.bit_length() in pivots:
            row ^= pivots[row.bit_length()]
        if row:
            pivots[row.bit_length()] = row
    return len(pivots)


def report(alternatives: Sequence[Block] = BLOCKS, of: Profile = FRESH) -> dict[str, Any]:
    """Returns all numbers of the tables."""
    top = int(0.1105 * of.length)  # beyond the Gilbert-Varshamov distance 0.1100 of rate 1/2
    shipped = int(0.105 * of.length)
    codes: dict[str, Any] = {}
    for block in alternatives:
        lighter = codewords(block, of.length, top)
        d = distance(lighter)
        codes[block.name] = {
            "distance": d,
            "relative": d / of.length,
            "log2_expected": float(lighter[d]) if d > 1 else None,
            "log2_expected_at_0.105": float(lighter[shipped]),
            "linear_test": linear_test(d, of=of),
        }
    d = codes[RESIDUE.name]["distance"]
    field = algebraic(large=True, of=of)
    widths = {}
    for width in of.widths:
        weight = lightest(width)
        attacks = {
            "Pooled Gauss over the field": gauss(of=of),
            "Pooled Gauss on one functional": gauss(0.5, of=of),
            "Prange on all W syndromes": interleaved(width, of=of),
            "the same with parity equations of regular noise": interleaved(width, TREES, of=of),
            "lists (Stern to BJMM), lightest functional given": collisions(width, of=of),
            "algebraic, large field": field,
            "algebraic, F2, lightest functional given": algebraic(False, weight / TREES, of=of),
        }
        # A session gives many syndromes under one code; decoding any of them is enough.
        attacks = {name: bits - of.chunks for name, bits in attacks.items()}
        attacks = {
            "any linear test": linear_test(d, of=of),
            "statistical decoding, light codewords given": statistical(d, of=of),
        } | attacks
        widths[width] = {"lightest_functional": weight, "attacks": attacks}
    return {
        "profile": of.name,
        "trees": TREES,
        "leaves": of.leaves,
        "length": of.length,
        "outputs": of.outputs,
        "codes": codes,
        "widths": widths,
    }


def table(found: dict[str, Any]) -> str:
    """Returns both tables as they stand in `docs/protocols.md`; bits are rounded down."""
    lines = [
        "| blocks of the code | largest d with E <= 2^-43 | d / N | log2 E at 0.105 N "
        "| a linear test, bits |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, code in found["codes"].items():
        cells = ["none", "-", f"{code['log2_expected_at_0.105']:.1f}", "-"]
        if code["distance"] > 1:  # 1 says no more than that the zero word is not counted
            cells[:2] = f"{code['distance']:,}", f"{floor(code['relative'] * 1e4) / 1e4:.4f}"
            cells[3] = str(floor(code["linear_test"]))
        lines.append("| " + " | ".join([name, *cells]) + " |")
    widths = list(found["widths"])
    lines += [
        "",
        "| attack, bits | " + " | ".join(f"W = {width}" for width in widths) + " |",
        "| --- |" + " --- |" * len(widths),
    ]
    for attack in found["widths"][widths[0]]["attacks"]:
        row = [str(floor(found["widths"][width]["attacks"][attack])) for width in widths]
        lines.append("| " + " | ".join([attack, *row]) + " |")
    return "\n".join(lines)


def kernel_sentence() -> str:
    """Returns the numbers of `kernels` as they stand in `docs/protocols.md`."""
    means = ", ".join(f"{kernels(width):.2f}" for width in FRESH.widths)
    return f"{means} for {KERNELS} v each of {', '.join(map(str, FRESH.widths))} bits"


def main() -> None:
    """Prints the numbers as JSON and the tables."""
    for profile, blocks in ((FRESH, BLOCKS), (STATIONARY, (RESIDUE,))):
        found = report(blocks, profile)
        print(json.dumps(found, indent=2))
        print(table(found))
    print(kernel_sentence())


# Arithmetic


def _log2(number: int) -> float:
    """Returns log2 of an integer of any size, -inf of 0."""
    if number == 0:
        return -np.inf
    shift = max(0, number.bit_length() - 64)
    return shift + log2(number >> shift)


@lru_cache
def _factorials(top: int) -> Array:
    """Returns log2 of 0!, 1!, ..., top!, summed with 64 bits of mantissa."""
    logs = np.log2(np.arange(1, top + 1, dtype=np.longdouble))
    return np.concatenate((np.zeros(1), np.cumsum(logs))).astype(float)


def _power(slope: Array, exponent: Array, degrees: int) -> list[Array]:
    """Returns the coefficients of (1 + slope z)^exponent."""
    terms = [np.ones_like(slope)]
    for degree in range(1, degrees + 1):
        terms.append(terms[-1] * slope * (exponent - degree + 1) / degree)
    return terms


def _times(left: list[Array], right: list[Array]) -> list[Array]:
    """Returns the coefficients of a product, as many as the factors have."""
    return [
        np.sum([left[i] * right[degree - i] for i in range(degree + 1)], axis=0)
        for degree in range(len(left))
    ]


if __name__ == "__main__":
    main()
