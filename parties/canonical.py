"""Canonical JSON: one encoding of each value, for what is signed or hashed.

Names are sorted, there are no spaces, and all is ASCII; values are objects, lists, texts, whole
numbers, true, false and null. There are no fractions, of which JSON knows many spellings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final


def encode(values: Mapping[str, Any]) -> bytes:
    """Returns the encoding of an object."""
    return _ENCODER.encode(values).encode("ascii")


def decode(data: bytes) -> dict[str, Any]:
    """Reads an object that somebody else has encoded; nothing in it is checked.

    Raises:
        ValueError: it is no object in this encoding. The text does not quote it.
    """
    try:
        values = _DECODER.decode(data.decode("ascii"))
        if isinstance(values, dict) and encode(values) == data:
            return values
    except (ValueError, RecursionError):
        pass  # raised below, outside of the handler: the error's text may quote the data
    raise ValueError("not an object in canonical JSON")


def _none(_: str) -> None:
    raise ValueError


_ENCODER: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)
_DECODER: Final = json.JSONDecoder(parse_float=_none, parse_constant=_none)
"""Made once: `json.dumps` and `json.loads` make one for each value."""
