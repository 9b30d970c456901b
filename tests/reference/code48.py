"""The extended quadratic residue code [48, 24, 12]: the blocks of the VOLE match's code.

Source: MacWilliams and Sloane, The Theory of Error-Correcting Codes, chapter 16. A word of length n
is a number here; bit i is its coordinate i, or the coefficient of x^i.
"""

from __future__ import annotations

PRIME = 47
SIZE = 24
"""Bits that a word stands for, and as many check bits."""

FIELD = 1 << 23 | 1 << 5 | 1
"""x^23 + x^5 + 1, irreducible: 23 is the order of 2 modulo 47, so GF(2^23) has 47th roots of 1."""


def generator_polynomial() -> int:
    """The product of x - beta^r for all quadratic residues r modulo 47.

    beta is a 47th root of 1. The non-residues give the other choice, which comes from another beta
    with the residues; the smaller number of the two is taken.
    """
    beta = 1
    base = 1
    while beta == 1:
        base += 1
        beta = _power(base, (2**23 - 1) // PRIME)
    residues = {r * r % PRIME for r in range(1, PRIME)}
    return min(_with_roots(beta, residues), _with_roots(beta, set(range(1, PRIME)) - residues))


def _with_roots(beta: int, exponents: set[int]) -> int:
    """The polynomial with the roots beta^e; its coefficients, in GF(2^23), are all 0 or 1."""
    coefficients = [1]
    for exponent in exponents:
        root, shifted = _power(beta, exponent), [0, *coefficients]
        coefficients = [
            high ^ _multiply(root, low)
            for high, low in zip(shifted, [*coefficients, 0], strict=True)
        ]
    if not set(coefficients) <= {0, 1}:
        raise ArithmeticError("the polynomial is not one over F2")
    return sum(coefficient << i for i, coefficient in enumerate(coefficients))


def _multiply(a: int, b: int) -> int:
    """The product in GF(2^23)."""
    product = 0
    for i in range(23):
        if b >> i & 1:
            product ^= a << i
    for i in range(44, 22, -1):
        if product >> i & 1:
            product ^= FIELD << i - 23
    return product


def _power(base: int, exponent: int) -> int:
    """base^exponent in GF(2^23)."""
    power = 1
    for digit in f"{exponent:b}":
        power = _multiply(power, power)
        if digit == "1":
            power = _multiply(power, base)
    return power


def systematic_rows() -> list[int]:
    """The rows of [I | B]: multiples of the generator, a bit of parity behind, then reduced."""
    g = generator_polynomial()
    rows = [g << i for i in range(SIZE)]
    rows = [row | (row.bit_count() & 1) << PRIME for row in rows]
    for column in range(SIZE):
        pivot = next(i for i in range(column, SIZE) if rows[i] >> column & 1)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for i in range(SIZE):
            if i != column and rows[i] >> column & 1:
                rows[i] ^= rows[column]
    return rows


def checks() -> list[list[int]]:
    """B: in row i, the columns j with a 1."""
    return [[j for j in range(SIZE) if row >> SIZE + j & 1] for row in systematic_rows()]
