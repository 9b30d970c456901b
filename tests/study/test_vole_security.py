"""The code, the noise and the attacks of the VOLE protocol: checked counts, and the printed table.

The table of `docs/protocols.md` is made by `vole_security.py`, beside this file. Counting formulas
are checked against plain counting at small lengths.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
import vole_security as study

SEED = 20
ROOT = Path(__file__).parents[2]
HAMMING = {0: 1, 4: 14, 8: 1}  # the extended code [8, 4, 4]
PROFILES = [(study.FRESH, study.BLOCKS), (study.STATIONARY, (study.RESIDUE,))]


@pytest.mark.study
@pytest.mark.parametrize(("profile", "blocks"), PROFILES, ids=["fresh", "stationary"])
def test_the_documents_have_the_tables_and_every_attack_is_beyond_reach(profile, blocks) -> None:
    found = study.report(blocks, profile)
    printed = study.table(found)
    print(printed, file=sys.stderr)
    document = (ROOT / "docs/protocols.md").read_text(encoding="utf-8")
    for part in printed.split("\n\n"):
        assert part in document, f"docs/protocols.md lacks\n{part}"
    shipped = found["codes"][study.RESIDUE.name]
    assert shipped["log2_expected"] <= -43
    assert shipped["relative"] >= 0.105
    for width, each in found["widths"].items():
        for attack, bits in each["attacks"].items():
            assert bits >= 128, (width, attack, bits)


@pytest.mark.parametrize(
    ("profile", "bits"), [(study.FRESH, 54), (study.STATIONARY, 44)], ids=["fresh", "stationary"]
)
def test_the_shipped_code_has_few_light_words_and_no_test_sees_its_noise(profile, bits) -> None:
    lighter = study.codewords(study.RESIDUE, profile.length, int(0.105 * profile.length))
    assert lighter[-1] <= -bits
    assert study.linear_test(len(lighter) - 1, of=profile) >= 128
    for width in profile.widths:
        assert study.collisions(width, of=profile) - profile.chunks >= 128
        assert study.interleaved(width, study.TREES, of=profile) - profile.chunks >= 128


@pytest.mark.parametrize("length", [1, 2, 9, 12])
def test_prefix_sums_of_all_words_have_the_weights_that_the_formula_says(length: int) -> None:
    words = np.arange(1 << length)
    sums = words.copy()
    for shift in range(1, length):
        sums ^= words << shift
    sums &= (1 << length) - 1
    counted = np.zeros((length + 1, length + 1))
    np.add.at(counted, (np.bitwise_count(words), np.bitwise_count(sums)), 1)
    for weight in range(1, length + 1):
        one = np.full(length + 1, -np.inf)
        one[weight] = np.log2(comb(length, weight))
        expected = np.exp2(study.accumulate(one, length, length))
        np.testing.assert_allclose(expected, counted[weight], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_words_of_a_product_are_counted_exactly_below_and_from_above_beyond(count: int) -> None:
    block = study.Block("Hamming", 8, HAMMING)
    plain = [1]
    for _ in range(count):
        plain = np.convolve(plain, [HAMMING.get(w, 0) for w in range(9)])
    exact = np.exp2(study.enumerator(block, 8 * count, 8 * count))
    np.testing.assert_allclose(exact, plain, rtol=1e-9)
    bound = np.exp2(study.enumerator(block, 8 * count, 8 * count, exact=4))
    assert (bound >= exact * (1 - 1e-9)).all()
    assert (bound[5:] <= exact[5:] * 4 * count).all()  # and not far above


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_random_blocks_are_counted_as_the_average_of_all_of_them(bits: int) -> None:
    block = study.random_block(bits)
    counted = np.zeros(2 * bits + 1)
    for parities in itertools.product(range(1 << bits), repeat=bits):
        for message in range(1 << bits):
            parity = 0
            for bit in range(bits):
                parity ^= parities[bit] * (message >> bit & 1)
            counted[message.bit_count() + parity.bit_count()] += 1
    counted /= 1 << bits * bits
    given = [block.weights.get(w, 0) / 2**block.scale for w in range(2 * bits + 1)]
    np.testing.assert_allclose(given, counted)


def words_of(length: int) -> Iterator[np.ndarray]:
    """Yields all words of a product of [8, 4, 4] codes, as rows of bits."""
    unit = np.eye(4, dtype=int)
    generator = np.hstack((unit, 1 - unit))
    small = np.array(list(itertools.product((0, 1), repeat=4))) @ generator % 2
    for parts in itertools.product(range(16), repeat=length // 8):
        yield np.concatenate([small[part] for part in parts])


@pytest.mark.parametrize("rounds", [1, 2])
def test_words_after_permutations_and_sums_have_the_expected_weights(rounds: int) -> None:
    length, draws = 24, 400
    block = study.Block("Hamming", 8, HAMMING)
    words = np.array(list(words_of(length)), dtype=np.uint8)
    generator = np.random.default_rng(SEED)
    seen = np.empty((draws, length + 1))
    for draw in range(draws):
        word = words
        for _ in range(rounds):
            word = np.cumsum(word[:, generator.permutation(length)], axis=1, dtype=np.uint8) & 1
        seen[draw] = np.bincount(word.sum(1), minlength=length + 1)
    lighter = np.cumsum(seen, axis=1) - 1  # all but the zero word, of weight at most h
    mean, deviation = lighter.mean(0), lighter.std(0) / draws**0.5
    expected = np.exp2(study.codewords(block, length, length, rounds)[1:])
    # Twenty-four sums within five deviations each: a false alarm in 10^5 seeds.
    off = abs(mean[:-1] - expected)
    assert (off <= 5 * deviation[:-1] + 0.002 * expected).all(), f"seed {SEED}"


def test_expected_words_are_those_of_a_plain_sum_of_fractions() -> None:
    length, block = 240, study.RESIDUE
    words = {0: Fraction(1)}
    for _ in range(length // block.size):
        product: dict[int, Fraction] = {}
        for (w, a), (x, b) in itertools.product(words.items(), block.weights.items()):
            product[w + x] = product.get(w + x, Fraction(0)) + a * b
        words = product
    del words[0]
    for _ in range(2):
        summed = dict.fromkeys(range(length + 1), Fraction(0))
        for w, a in words.items():
            share = a / comb(length, w)
            for h in range((w + 1) // 2, length - w // 2 + 1):
                summed[h] += share * comb(length - h, w // 2) * comb(h - 1, (w + 1) // 2 - 1)
        words = {h: a for h, a in summed.items() if a}
    plain = np.zeros(length + 1)
    plain[list(words)] = list(map(float, words.values()))
    for top in (1, 30, length):
        found = np.exp2(study.codewords(block, length, top))
        assert found[0] == 0
        assert (found[1:] >= np.cumsum(plain)[:top]).all()
        np.testing.assert_allclose(found[1:], np.cumsum(plain)[:top], rtol=1e-3)


def test_the_shipped_block_is_the_extended_residue_code_and_has_these_weights() -> None:
    rows = residue_rows()
    low = np.zeros(1, dtype=np.uint64)
    for row in rows[:12]:
        low = np.concatenate((low, low ^ np.uint64(row)))
    counted = np.zeros(49, dtype=int)
    high = np.zeros(1, dtype=np.uint64)
    for row in rows[12:]:
        high = np.concatenate((high, high ^ np.uint64(row)))
    for each in high:
        counted += np.bincount(np.bitwise_count(low ^ each), minlength=49)
    assert {w: int(n) for w, n in enumerate(counted) if n} == study.RESIDUE.weights


def residue_rows() -> list[int]:
    """Returns generators of the extended code of p = 47 as integers, bit i for position i."""
    residues = {i * i % 47 for i in range(1, 47)}
    modulus = (1 << 47) | 1
    found = []
    for kind in (residues, set(range(1, 47)) - residues):
        idempotent = sum(1 << i for i in kind)
        divisor = common(idempotent, modulus)
        found.append(divisor if divisor.bit_length() == 24 else quotient(divisor, 3))
    generator = min(found)
    assert generator.bit_length() == 24
    shifted = [generator << i for i in range(24)]
    return [row | (row.bit_count() & 1) << 47 for row in shifted]


def common(a: int, b: int) -> int:
    """Returns the greatest common divisor of polynomials over F2."""
    while b:
        while a.bit_length() >= b.bit_length():
            a ^= b << (a.bit_length() - b.bit_length())
        a, b = b, a
    return a


def quotient(a: int, b: int) -> int:
    """Returns a / b for polynomials over F2, b a divisor of a."""
    result = 0
    while a.bit_length() >= b.bit_length():
        shift = a.bit_length() - b.bit_length()
        result |= 1 << shift
        a ^= b << shift
    return result


def test_bits_of_a_linear_test_are_those_of_the_worst_spread_of_a_codeword() -> None:
    generator = np.random.default_rng(SEED)
    trees, leaves = study.TREES, study.FRESH.leaves
    for weight in (1, 816, 11323, trees * leaves // 2):
        for _ in range(20):
            share = generator.dirichlet(np.full(trees, generator.choice([0.1, 1, 100])))
            spread = np.minimum(share * weight, leaves)
            with np.errstate(divide="ignore"):
                bias = np.log2(1 - spread / leaves).sum()
            assert -bias >= study.linear_test(int(spread.sum())) - 1e-6, f"seed {SEED}"


def test_a_functional_lighter_than_given_is_as_rare_as_claimed() -> None:
    for width in study.FRESH.widths:
        weight = study.lightest(width)
        lighter = sum(comb(study.TREES, i) for i in range(weight))
        assert lighter << width + 43 <= 1 << study.TREES
        assert (lighter + comb(study.TREES, weight)) << width + 43 > 1 << study.TREES


def test_wider_values_and_fewer_guesses_never_make_an_attack_dearer() -> None:
    assert study.interleaved(128) < study.interleaved(72) < study.interleaved(64)
    assert study.collisions(128) < study.collisions(72) < study.collisions(64)
    assert study.interleaved(64, study.TREES) < study.interleaved(64)
    assert study.algebraic(False, 0.2) < study.algebraic(False, 0.3) < study.algebraic(False)


def test_maps_of_delta_have_two_in_their_kernel_on_average() -> None:
    document = " ".join((ROOT / "docs/protocols.md").read_text(encoding="utf-8").split())
    assert study.kernel_sentence() in document
    # Kernels of random matrices have a variance of 1; six deviations.
    assert abs(study.kernels(128) - 2) < 6 / study.KERNELS**0.5


def test_a_rank_is_the_number_of_rows_that_do_not_sum_to_zero() -> None:
    rows = [0b0011, 0b0110, 0b0101, 0b1000, 0]
    sums = {sum_of(each) for n in range(6) for each in itertools.combinations(rows, n)}
    assert 1 << study.rank(rows) == len(sums) == 8


def sum_of(rows: tuple[int, ...]) -> int:
    total = 0
    for row in rows:
        total ^= row
    return total
