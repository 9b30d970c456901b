"""Elements: what a protocol compares. 32 bytes each, the hash of one identifier in a domain.

An element is as sensitive as its identifier: plates and names can be guessed, so their hash hides
nothing. Elements stay at home and out of logs; a protocol sends only what a fresh secret covers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, runtime_checkable

from arro3.core import Array, DataType

from psi import _core
from psi.errors import ApiMisuse

WIDTH: Final = 32
"""Bytes of an element: 256 bits, so that two of 2^30 identifiers collide with less than 2^-190."""
KEY: Final = 32
"""Bytes of the key of a commitment: 256 bits."""


@runtime_checkable
class ArrowArray(Protocol):
    """Any object that exports an Arrow array by PyCapsule."""

    def __arrow_c_array__(self, requested_schema: object | None = None, /) -> tuple[object, object]:
        """Returns the capsules of schema and array."""


class Elements:
    """A set of elements: no duplicates, order fixed, position i for identifier i.

    Args:
        block: n x 32 bytes, or what a kernel has made of distinct elements.

    Raises:
        ApiMisuse: the block is not whole elements, or holds one twice.
    """

    __slots__ = ("_block",)

    def __init__(self, block: bytes | _core.Block) -> None:
        if len(block) % WIDTH:
            raise ApiMisuse(f"elements have {WIDTH} bytes each, the block has {len(block)}")
        # By their first 16 bytes, as `vole` does: two of 2^30 hashes share these with 2^-69.
        if isinstance(block, bytes) and not _core.are_distinct(block):
            raise ApiMisuse(
                "a set holds each element once, and elements are hashes; "
                "group equal identifiers first"
            )
        self._block = block

    @classmethod
    def hash(cls, identifiers: Iterable[str] | ArrowArray, domain: str) -> Elements:
        """Hashes identifiers in a domain: SHA-256(SHA-512(label || domain) || identifier).

        Args:
            identifiers: n texts, or an Arrow array of large_string; none missing, none twice.
            domain: what keeps sets of different uses apart; both parties use the same.

        Raises:
            ApiMisuse: an identifier is missing or stands there twice.
        """
        block = None
        try:
            if not isinstance(identifiers, ArrowArray):
                identifiers = Array(list(identifiers), DataType.large_string())
            block = _core.hash_elements(identifiers, domain)
        except ValueError:
            pass  # raised below, outside of the handler: what it says may hold a character
        if block is None:
            raise ApiMisuse("an identifier is missing, or is no Unicode text")
        return cls(block)

    @property
    def block(self) -> bytes | _core.Block:
        """The elements, n x 32 bytes; `bytes` makes them of it."""
        return self._block

    def commitment(self, key: bytes) -> bytes:
        """Returns 32 bytes that stand for the set: for these elements alone, in any order.

        A party commits itself to its set with them. Who lacks the key learns nothing of the set;
        who has it can tell whether a set is the one. How they are made stands in
        `rust/src/elements/commitment.rs`.

        Args:
            key: 32 random bytes. Secret: with it, elements can be guessed one set after the other.

        Raises:
            ApiMisuse: the key has another length.
        """
        if len(key) != KEY:
            raise ApiMisuse(f"the key of a commitment has {KEY} bytes, not {len(key)}")
        return _core.commitment(key, self._block)

    def __getitem__(self, position: int) -> bytes:
        """Returns one element, 32 bytes; positions count from 0.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"there is no element {position} of {len(self)}")
        if isinstance(self._block, bytes):
            return self._block[WIDTH * position : WIDTH * (position + 1)]
        return self._block.row(position)

    def __len__(self) -> int:
        return len(self._block) // WIDTH
