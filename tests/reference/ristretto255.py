"""The group ristretto255 on plain numbers, slow and readable: the oracle of curve25519-dalek.

Elements are points (X : Y : Z : T) of the twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2 over
the integers modulo p = 2^255 - 19, with x = X/Z, y = Y/Z, xy = T/Z. Points of the subgroup of even
points that differ by one of order 2 or 4 are one element; `encode` gives them the same bytes.

Sources: RFC 9496, section 4; Hisil, Wong, Carter, Dawson, ASIACRYPT 2008, section 3.1 (adding).
Python's numbers take a time that depends on their value: nothing here may ever touch a secret.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group (RFC 9496, section 4)."""

Point: TypeAlias = tuple[int, int, int, int]

# RFC 9496, section 4.1.
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P

IDENTITY: Point = (0, 1, 1, 0)


def is_negative(number: int) -> bool:
    """Whether the smallest form is odd (section 4.1)."""
    return number % P % 2 == 1


def absolute(number: int) -> int:
    """The one of a number and its negative that is not negative."""
    return -number % P if is_negative(number) else number % P


def sqrt_ratio_m1(u: int, v: int) -> tuple[bool, int]:
    """Whether u/v is a square, and the root of u/v or of SQRT_M1 u/v (section 4.2); 0 for v = 0."""
    r = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    if check in (-u % P, -u * SQRT_M1 % P):
        r = r * SQRT_M1 % P
    return check in (u % P, -u % P), absolute(r)


def decode(data: bytes) -> Point:
    """32 bytes to an element (section 4.3.1); ValueError if they are none that `encode` gives."""
    s = int.from_bytes(data, "little")
    if len(data) != 32 or s >= P or is_negative(s):
        raise ValueError("not in its smallest form")
    u1, u2 = 1 - s * s, 1 + s * s
    v = -D * u1**2 - u2**2
    is_square, inverse = sqrt_ratio_m1(1, v * u2**2 % P)
    x = absolute(2 * s * inverse * u2)
    y = u1 * inverse**2 * u2 * v % P
    t = x * y % P
    if not is_square or is_negative(t) or y == 0:
        raise ValueError("not an element")
    return x, y, 1, t


def encode(point: Point) -> bytes:
    """An element to 32 bytes (section 4.3.2)."""
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    _, inverse = sqrt_ratio_m1(1, u1 * u2**2 % P)
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = den1 * den2 * t % P
    if is_negative(t * z_inverse):
        x, y = y * SQRT_M1, x * SQRT_M1
        den2 = den1 * INVSQRT_A_MINUS_D
    if is_negative(x * z_inverse):
        y = -y
    return absolute(den2 * (z - y)).to_bytes(32, "little")


def from_uniform_bytes(data: bytes) -> Point:
    """64 uniform bytes to a uniform element (section 4.3.4)."""
    if len(data) != 64:
        raise ValueError("not 64 bytes")
    halves = (int.from_bytes(half, "little") % 2**255 for half in (data[:32], data[32:]))
    first, second = map(_map, halves)
    return add(first, second)


def _map(t: int) -> Point:
    """MAP of section 4.3.4."""
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio_m1(u, v)
    c = -1
    if not was_square:
        s, c = -absolute(s * t), r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1, w2, w3 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P, (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def add(p: Point, q: Point) -> Point:
    """The sum; it holds for all points, equal ones and the identity among them."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * D * p[3] * q[3] % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(point: Point) -> Point:
    """The inverse element."""
    x, y, z, t = point
    return -x % P, y, z, -t % P


def multiply(scalar: int, point: Point) -> Point:
    """[scalar] point: the sum of [2^i] point for each bit i that is set."""
    product = IDENTITY
    for i, power in enumerate(doubled(point)):
        if scalar % ORDER >> i & 1:
            product = add(product, power)
    return product


@lru_cache(maxsize=4)
def doubled(point: Point) -> list[Point]:
    """[2^i] point for each bit of a scalar; kept, as many scalars multiply one point."""
    powers = [point]
    while len(powers) < ORDER.bit_length():
        powers.append(add(powers[-1], powers[-1]))
    return powers


GENERATOR = decode(
    bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
)
"""The element with this encoding (section 4.4 and appendix A.1)."""
