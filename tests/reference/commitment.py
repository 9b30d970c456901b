"""The digest of a set under a key, slowly: everything is sorted, and each group is looked up in it.

Written from the head of `rust/src/elements/commitment.rs`.
"""

from __future__ import annotations

from hashlib import sha256, sha512

GROUP = 256


def commitment(key: bytes, elements: list[bytes]) -> bytes:
    """Returns 32 bytes."""
    first = sha512(b"greenlane/commitment/1/" + key).digest()
    bits = 0
    while GROUP << bits < len(elements):
        bits += 1
    groups = []
    for number in range(1 << bits):
        here = sorted(e for e in elements if int.from_bytes(e, "big") >> (256 - bits) == number)
        count = len(here).to_bytes(8, "little")
        groups.append(sha256(first + count + b"".join(here)).digest())
    return sha256(first + len(elements).to_bytes(8, "little") + b"".join(groups)).digest()
