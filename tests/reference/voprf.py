"""RFC 9497 over ristretto255-SHA512 on plain numbers, slow and readable: the oracle of the core.

Names are those of the RFC. Modes are 0 for OPRF, 1 for VOPRF, 2 for POPRF, which has an `info`.
Python's numbers take a time that depends on their value: nothing here may ever touch a secret.
"""

from __future__ import annotations

from hashlib import sha512
from typing import NamedTuple

from reference.curve25519 import expand_message_xmd
from reference.ristretto255 import (
    GENERATOR,
    IDENTITY,
    ORDER,
    Point,
    add,
    decode,
    encode,
    from_uniform_bytes,
    multiply,
)


class VerifyError(Exception):
    """A proof does not hold (section 2.2.2)."""


def framed(data: bytes) -> bytes:
    """I2OSP(len(data), 2) || data."""
    return len(data).to_bytes(2, "big") + data


class Suite(NamedTuple):
    """A mode, and the public input of POPRF."""

    mode: int
    info: bytes = b""

    @property
    def context(self) -> bytes:
        """contextString of section 3.1."""
        return b"OPRFV1-" + bytes([self.mode]) + b"-ristretto255-SHA512"

    def hash_to_group(self, data: bytes) -> Point:
        """HashToGroup of section 4.1."""
        return from_uniform_bytes(expand_message_xmd(data, b"HashToGroup-" + self.context, 64))

    def hash_to_scalar(self, data: bytes, tag: bytes = b"HashToScalar-") -> int:
        """HashToScalar of section 4.1."""
        expanded = expand_message_xmd(data, tag + self.context, 64)
        return int.from_bytes(expanded, "little") % ORDER

    def derive_key(self, seed: bytes, info: bytes) -> int:
        """DeriveKeyPair of section 3.2.1; the first counter always serves."""
        return self.hash_to_scalar(seed + framed(info) + b"\0", b"DeriveKeyPair")

    def tweak(self) -> int:
        """m of sections 3.3.3."""
        return self.hash_to_scalar(b"Info" + framed(self.info))

    def blind(self, data: bytes, scalar: int) -> bytes:
        """Blind of section 3.3.1."""
        return encode(multiply(scalar, self.hash_to_group(data)))

    def evaluate(self, key: int, blinded: list[bytes]) -> list[bytes]:
        """BlindEvaluate without its proof."""
        if self.mode == 2:
            key = pow(key + self.tweak(), -1, ORDER)
        return [encode(multiply(key, decode(point))) for point in blinded]

    def proven(self, key: Point) -> Point:
        """The public key of which the proof speaks."""
        return add(multiply(self.tweak(), GENERATOR), key) if self.mode == 2 else key

    def ordered(
        self, blinded: list[bytes], evaluated: list[bytes]
    ) -> tuple[list[bytes], list[bytes]]:
        """The lists C and D of a proof."""
        return (evaluated, blinded) if self.mode == 2 else (blinded, evaluated)

    def prove(self, key: int, blinded: list[bytes], evaluated: list[bytes], r: int) -> bytes:
        """GenerateProof of section 2.2.1."""
        k = (key + self.tweak()) % ORDER if self.mode == 2 else key
        public = multiply(k, GENERATOR)
        m, _ = self.composites(public, *self.ordered(blinded, evaluated))
        c = self.challenge(public, m, multiply(k, m), multiply(r, GENERATOR), multiply(r, m))
        return b"".join(n.to_bytes(32, "little") for n in (c, (r - c * k) % ORDER))

    def verify(
        self, public: bytes, blinded: list[bytes], evaluated: list[bytes], proof: bytes
    ) -> None:
        """VerifyProof of section 2.2.2."""
        key = self.proven(decode(public))
        m, z = self.composites(key, *self.ordered(blinded, evaluated))
        c, s = (int.from_bytes(half, "little") for half in (proof[:32], proof[32:]))
        t2 = add(multiply(s, GENERATOR), multiply(c, key))
        t3 = add(multiply(s, m), multiply(c, z))
        if self.challenge(key, m, z, t2, t3) != c:
            raise VerifyError

    def composites(self, key: Point, c: list[bytes], d: list[bytes]) -> tuple[Point, Point]:
        """ComputeComposites of section 2.2.1."""
        seed = sha512(framed(encode(key)) + framed(b"Seed-" + self.context)).digest()
        m = z = IDENTITY
        for i, (ci, di) in enumerate(zip(c, d, strict=True)):
            data = framed(seed) + i.to_bytes(2, "big") + framed(ci) + framed(di) + b"Composite"
            weight = self.hash_to_scalar(data)
            m, z = add(multiply(weight, decode(ci)), m), add(multiply(weight, decode(di)), z)
        return m, z

    def challenge(self, *points: Point) -> int:
        """c of section 2.2.1."""
        return self.hash_to_scalar(b"".join(framed(encode(p)) for p in points) + b"Challenge")

    def finalize(self, data: bytes, scalar: int, evaluated: bytes) -> bytes:
        """Finalize of section 3.3."""
        product = encode(multiply(pow(scalar, -1, ORDER), decode(evaluated)))
        return self.output(data, product)

    def output(self, data: bytes, product: bytes) -> bytes:
        """The last hash of section 3.3."""
        info = framed(self.info) if self.mode == 2 else b""
        return sha512(framed(data) + info + framed(product) + b"Finalize").digest()
