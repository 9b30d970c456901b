"""Curve25519 by its coordinate u alone, slow and readable: the oracle of the Rust kernels.

The curve is v^2 = u^3 + A u^2 + u over the integers modulo p = 2^255 - 19. A point and its negative
share one u, and multiplying a point by a number needs no v, so points are numbers u here. A u that
belongs to no point of the curve belongs to one of its twist, where the same formulas hold.

Sources: RFC 7748 (sections 4.1 and 5: curve, ladder, clamping), RFC 9380 (section 5: hashing to the
field; section 6.7.1: Elligator 2; suite curve25519_XMD:SHA-512_ELL2_NU_). Python's numbers take a
time that depends on their value: nothing here may ever touch a secret.
"""

from __future__ import annotations

from hashlib import sha512

P = 2**255 - 19
A = 486662
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the subgroup of prime order; the curve has 8 times as many points (RFC 7748, section 4.1)."""


def decode(u: bytes) -> int:
    """Bytes to a coordinate: little-endian, bit 255 ignored, reduced modulo p (section 5)."""
    return int.from_bytes(u, "little") % 2**255 % P


def encode(u: int) -> bytes:
    """A coordinate to 32 bytes, in its smallest form."""
    return (u % P).to_bytes(32, "little")


def clamp(scalar: bytes) -> int:
    """32 random bytes to a scalar: a multiple of 8 from 2^254 up to 2^255 (section 5)."""
    number = int.from_bytes(scalar, "little")
    return number % 2**254 // 8 * 8 + 2**254


def multiply(scalar: int, u: int) -> int:
    """The Montgomery ladder: u([scalar] P) for a point P with coordinate u; 0 at infinity.

    (x2 : z2) is [k] P and (x3 : z3) is [k + 1] P, for the bits k of the scalar read so far.
    """
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in f"{scalar:0255b}":
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
        plus, minus = x2 + z2, x2 - z2
        cross = (x3 - z3) * plus % P, (x3 + z3) * minus % P
        x3, z3 = (cross[0] + cross[1]) ** 2 % P, u * (cross[0] - cross[1]) ** 2 % P
        aa, bb = plus**2 % P, minus**2 % P
        x2, z2 = aa * bb % P, (aa - bb) * (aa + (A - 2) // 4 * (aa - bb)) % P
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * inverse(z2) % P


def inverse(number: int) -> int:
    """1 / number modulo p, and 0 for 0 (Fermat)."""
    return pow(number, P - 2, P)


def x25519(scalar: bytes, u: bytes) -> bytes:
    """The function X25519 of RFC 7748, section 5."""
    return encode(multiply(clamp(scalar), decode(u)))


def is_square(number: int) -> bool:
    """Whether a number is a square modulo p, 0 among them (Euler)."""
    return pow(number, (P - 1) // 2, P) in (0, 1)


def on_curve(u: int) -> bool:
    """Whether u belongs to a point of the curve, and not of its twist."""
    return is_square(u**3 + A * u**2 + u)


def expand_message_xmd(message: bytes, dst: bytes, length: int) -> bytes:
    """Uniform bytes from a message (RFC 9380, section 5.3.1, with SHA-512)."""
    block, digest = 128, 64
    dst_prime = dst + bytes([len(dst)])
    b0 = sha512(bytes(block) + message + length.to_bytes(2, "big") + b"\0" + dst_prime).digest()
    out, last = b"", bytes(digest)
    for i in range(1, -(-length // digest) + 1):
        last = sha512(bytes(x ^ y for x, y in zip(b0, last, strict=True)) + bytes([i]) + dst_prime)
        last = last.digest()
        out += last
    return out[:length]


def hash_to_field(message: bytes, dst: bytes) -> int:
    """One field element (RFC 9380, section 5.2): 48 bytes, 128 bits more than p has, modulo p."""
    return int.from_bytes(expand_message_xmd(message, dst, 48), "big") % P


def elligator2(r: int) -> int:
    """The coordinate u of a point of the curve (RFC 9380, section 6.7.1, with Z = 2).

    Of x1 and -x1 - A exactly one is on the curve: g(-x1 - A) = 2 r^2 g(x1), and 2 is no square.
    """
    x1 = -A * inverse(1 + 2 * r * r) % P
    return x1 if on_curve(x1) else (-x1 - A) % P


def map_to_curve(message: bytes, dst: bytes) -> int:
    """A message to a point, whose cofactor is not cleared yet."""
    return elligator2(hash_to_field(message, dst))
