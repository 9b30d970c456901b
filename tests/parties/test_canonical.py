"""One encoding of each value, and no other is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from parties import canonical

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@settings(max_examples=40, deadline=None)
@given(some.dictionaries(some.text(), VALUES))
def test_what_was_encoded_is_read_again(values: dict[str, object]) -> None:
    assert canonical.decode(canonical.encode(values)) == values


def test_names_are_sorted_and_all_is_ascii() -> None:
    assert canonical.encode({"b": [1, "浙"], "a": None}) == b'{"a":null,"b":[1,"\\u6d59"]}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"a":1} ',
        b'{"a": 1}',
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":-0}',
        b'{"a":"\xe6\xb5\x99"}',
        b'{"a":"\\u6D59"}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"9" * 5_000 + b"}",
        b"\xff\xfe",
    ],
)
def test_nothing_else_is_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not an object in canonical JSON$"):
        canonical.decode(data)
