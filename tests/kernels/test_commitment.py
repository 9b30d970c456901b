"""A set is committed to by a digest that only itself has, in any order."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as some
from reference.commitment import commitment

from psi import ApiMisuse, Elements

KEY = bytes(range(32))


def made_up(count: int) -> list[bytes]:
    return [sha256(number.to_bytes(4, "big")).digest() for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 511, 512, 513, 1024, 1025, 5000])
def test_the_digest_is_that_of_the_reference(count: int) -> None:
    elements = made_up(count)
    assert Elements(b"".join(elements)).commitment(KEY) == commitment(KEY, elements)


@given(some.sets(some.binary(min_size=32, max_size=32)), some.randoms())
def test_order_does_not_matter(elements: set[bytes], random: object) -> None:
    distinct = list({element[:16]: element for element in elements}.values())
    digest = Elements(b"".join(distinct)).commitment(KEY)
    random.shuffle(distinct)  # type: ignore[attr-defined]
    assert Elements(b"".join(distinct)).commitment(KEY) == digest == commitment(KEY, distinct)


def test_another_key_or_another_set_has_another_digest() -> None:
    elements = made_up(600)
    sets = [elements, elements[1:], [*elements, bytes(32)], [*elements[1:], bytes(32)]]
    keys = [KEY, bytes(32)]
    digests = {Elements(b"".join(each)).commitment(key) for each in sets for key in keys}
    assert len(digests) == len(sets) * len(keys)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ApiMisuse, match=f"32 bytes, not {length}"):
        Elements(b"").commitment(bytes(length))


def test_elements_of_a_kernel_are_digested_as_their_bytes_are() -> None:
    hashed = Elements.hash(["a", "b", "c"], "of a test")
    assert hashed.commitment(KEY) == Elements(bytes(hashed.block)).commitment(KEY)
