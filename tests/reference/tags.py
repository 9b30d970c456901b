"""Tags: the first bits of the sender's outputs, ascending, their high parts counted in unary.

Sources: Elias, JACM 21 (1974); Fano, MIT Project MAC memo 61 (1971): a code for ascending numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from reference.blocks import pack, unpack

LAMBDA = 40


@dataclass(frozen=True)
class Form:
    """How many tags there are, their bits, and how many of those are said of each."""

    count: int
    bits: int
    low: int

    @property
    def high(self) -> int:
        """Bits of the high part; none of so few tags that what is said of each is longer."""
        return max(0, self.bits - self.low)

    @property
    def unary(self) -> int:
        """Bits that count them."""
        return self.count + 2**self.high


def form(receiver: int, sender: int) -> Form:
    """LAMBDA + 3 bits more than there are pairs; whole bytes of each are said."""
    bits = LAMBDA + 3 + (receiver * sender - 1).bit_length()
    return Form(sender, bits, -(-(bits - (sender.bit_length() - 1)) // 8) * 8)


def tags(outputs: Sequence[int], form: Form) -> list[int]:
    """The top bits of outputs of 128 bits."""
    return [output >> 128 - form.bits for output in outputs]


def encode(listed: Sequence[int], form: Form) -> tuple[bytes, bytes]:
    """The counts, and the low parts."""
    ascending = sorted(listed)
    bits = []
    high = 0
    for tag in ascending:
        while high < tag >> form.low:
            bits.append(0)
            high += 1
        bits.append(1)
    bits += [0] * (2**form.high - high)
    lows = [(tag % 2**form.low).to_bytes(form.low // 8, "little") for tag in ascending]
    return pack(np.array(bits, np.uint8)), b"".join(lows)


def decode(unary: bytes, lows: bytes, form: Form) -> list[int]:
    """The tags, ascending; ValueError if the counts are not those of the tags."""
    if len(unary) != -(-form.unary // 8) or len(lows) != form.count * form.low // 8:
        raise ValueError("not whole")
    bits = unpack(unary)
    if bits.sum() != form.count or bits[form.unary :].any():
        raise ValueError("the counts are not those of the tags")
    listed, high, at = [], 0, 0
    for bit in bits[: form.unary].tolist():
        if bit:
            low = int.from_bytes(lows[at : at + form.low // 8], "little")
            listed.append(high << form.low | low)
            at += form.low // 8
        else:
            high += 1
    return listed
