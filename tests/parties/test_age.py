"""Sealed files: what `age` has made opens, what was altered does not, and nobody else opens it."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.age import INTRO, PIECE, TAG, NotForUs, SealedFile, montgomery, opened

OURS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
BY_AGE = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNzaC1lZDI1NTE5IHRBWEZ5USBYQThxcFFySk9Gd1JW"
    "MDRhdUViMVRxd0hwRXZJWkhyNUdTMXlndDVzVno0CjNFQ2hHa0lmOTc1TXpXdlhvZFRKWGRQbkhX"
    "UnYwbVlXMmVGcFdSaTJzS1EKLT4gc3NoLWVkMjU1MTkgbGJtc29BIFJGekluKzU2TC9KN09FTzcv"
    "VURFOVpicUlkeFN2cm96NCtVSGY2VjFQbFUKQWRkM1E3T3FvSG5SMjF1WW5xTzhnelAzbEpnbGxO"
    "c3E1a3pQdXpJTWVWVQotLS0gSFp6VkVWRm03djcyc092K2ExWEJlV2ZDYWduWm5jRUdkQm9hN2Zm"
    "NHFDcwoBJluZRnxN5I4vU5rCG0EqdIPZkEdXgFi4Ed3UqixgHvbgyKRm/3JwD8/CIb+GwC/GBlXw"
    "gIO8P9w="
)
"""Of `age` 1.1.1 (FiloSottile/age), sealed to both keys."""
CLEAR = b"a lead, and nothing more\n"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def sealed(data: bytes, *keys: Ed25519PrivateKey, step: int = 1 << 20) -> bytes:
    file = io.BytesIO()
    with SealedFile(file, [public(each) for each in keys or (OURS,)]) as to:
        for start in range(0, len(data), step):
            assert to.write(data[start : start + step]) == len(data[start : start + step])
        assert to.tell() == len(data)
    return file.getvalue()


def clear(data: bytes, key: Ed25519PrivateKey = OURS) -> bytes:
    return b"".join(opened(io.BytesIO(data), key))


def test_what_the_program_age_has_sealed_opens_for_each_of_its_recipients() -> None:
    assert clear(BY_AGE) == clear(BY_AGE, OTHER) == CLEAR


LENGTHS = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 200_000]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("step", [1 << 20, PIECE + 1, PIECE, 4097])
def test_what_is_sealed_opens_as_it_was(length: int, step: int) -> None:
    data = (bytes(range(251)) * 1000)[:length]
    file = sealed(data, OTHER, OURS, step=step)
    assert clear(file) == clear(file, OTHER) == data
    pieces = max(1, -(-length // PIECE))
    head = file.index(b"\n--- ") + 5 + 44
    assert len(file) == head + 16 + length + TAG * pieces


def test_nobody_else_opens_it() -> None:
    with pytest.raises(NotForUs):
        clear(sealed(CLEAR, OTHER))
    with pytest.raises(NotForUs):
        clear(BY_AGE, Ed25519PrivateKey.generate())


def test_a_file_is_sealed_to_somebody() -> None:
    with pytest.raises(ValueError, match="to nobody"):
        SealedFile(io.BytesIO(), [])


def test_two_files_of_one_content_have_nothing_in_common() -> None:
    one, other = sealed(CLEAR), sealed(CLEAR)
    assert one[-40:] != other[-40:]
    assert CLEAR not in one
    assert public(OURS) not in one


def test_a_file_that_was_altered_by_one_bit_anywhere_does_not_open() -> None:
    for file in (BY_AGE, sealed(CLEAR, OURS, OTHER)):
        for place in range(len(file)):
            altered = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
            with pytest.raises((ValueError, NotForUs)):
                clear(altered)


def test_a_file_that_was_cut_anywhere_does_not_open() -> None:
    file = sealed(CLEAR)
    for length in range(len(file)):
        with pytest.raises((ValueError, NotForUs)):
            clear(file[:length])
    with pytest.raises(ValueError, match="altered or cut"):
        clear(file + b"x")


def test_pieces_that_were_swapped_dropped_repeated_or_cut_off_do_not_open() -> None:
    file = sealed(bytes(3 * PIECE))
    whole = PIECE + TAG
    head, body = file[: -3 * whole], file[-3 * whole :]
    one, two, three = (body[place : place + whole] for place in range(0, len(body), whole))
    assert clear(head + one + two + three) == bytes(3 * PIECE)
    for pieces in (
        *((two, one, three), (one, three), (one, two), (one, two, two, three)),
        *((one, two, three, three), (one, two, three[:-1]), (three,), ()),
    ):
        with pytest.raises(ValueError, match="altered or cut"):
            clear(head + b"".join(pieces))


def test_a_last_piece_without_content_is_only_that_of_an_empty_file() -> None:
    class Ends(SealedFile):
        def empty(self) -> None:
            self._seal(self._waiting, last=False)
            self._waiting.clear()

    file = io.BytesIO()
    with Ends(file, [public(OURS)]) as to:
        to.write(bytes(PIECE))
        to.empty()
    with pytest.raises(ValueError, match="last piece is empty"):
        clear(file.getvalue())


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"age-encryption.org/v2\n",
        INTRO,
        INTRO + b"---\n",
        INTRO + b"-> X25519 abc\nabc\n--- " + b"A" * 43 + b"\n",
        INTRO + b"-> ssh-ed25519 AAAAAA " + b"A" * 43 + b"\n" + b"A" * 42 + b"\n",
        INTRO + (b"-> ssh-ed25519 AAAAAA " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n") * 600,
        INTRO + b"x" * (1 << 17),
    ],
)
def test_what_is_no_sealed_file_is_told(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|no sealed file"):
        clear(head)


def test_a_share_of_low_order_opens_nothing() -> None:
    tag = sealed(CLEAR).split(b" ")[2]
    zero = base64.b64encode(bytes(32)).rstrip(b"=")
    stanza = b"-> ssh-ed25519 " + tag + b" " + zero + b"\n" + b"A" * 43 + b"\n"
    with pytest.raises(ValueError):  # noqa: PT011 of the library's own
        clear(INTRO + stanza + b"--- " + b"A" * 43 + b"\n")


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_the_map_of_keys_is_that_of_their_scalars(seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    scalar = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])
    assert montgomery(public(key)) == scalar.public_key().public_bytes_raw()


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_whatever_bytes_there_are_end_in_a_refusal(data: bytes) -> None:
    for file in (data, INTRO + data, BY_AGE[:-60] + data):
        if file != BY_AGE:
            with pytest.raises((ValueError, NotForUs)):
                clear(file)
