"""Shards of a prepared table, slow and readable: the oracle of `table.rs` and `fuse.rs`."""

from __future__ import annotations

import struct
from hashlib import sha512
from typing import NamedTuple

from Crypto.Cipher import ChaCha20_Poly1305

MASK = (1 << 64) - 1
MEMBERS = (1 << 32) - 1


class Shard(NamedTuple):
    """The fields of a shard, and its rows."""

    segment: int
    starts: int
    label: int
    seed: int
    salt: bytes
    rows: list[bytes]


def read(data: bytes) -> Shard:
    """Splits the bytes of a shard."""
    magic, segment, starts, label, _, seed, salt = struct.unpack("<8sIIIIQ32s", data[:64])
    assert magic == b"GLTABLE1"
    width = 5 if label == MEMBERS else 4 + label + 16
    rows = [data[at : at + width] for at in range(64, len(data), width)]
    assert len(rows) == segment * (starts + 2)
    return Shard(segment, starts, label, seed, salt, rows)


def places(shard: Shard, key: bytes) -> list[int]:
    """The three places of a key in a map."""
    low, high = struct.unpack("<QQ", key)
    rotated = (shard.seed << 32 | shard.seed >> 32) & MASK
    product = (low ^ shard.seed) * (high ^ rotated)
    hashed = product >> 64 ^ product & MASK
    first = hashed * shard.segment * shard.starts >> 64
    within = shard.segment - 1
    return [
        first,
        first + shard.segment ^ hashed >> 18 & within,
        first + 2 * shard.segment ^ hashed & within,
    ]


def look(shard: Shard, output: bytes, number: int) -> tuple[int, bytes]:
    """How many records the element with this output of RFC 9497 has, and label `number` of them."""
    derived = sha512(
        b"greenlane/table/1/entry" + shard.salt + struct.pack("<I", number) + output[:32]
    ).digest()
    total = 0
    for place in places(shard, derived[:16]):
        total ^= int.from_bytes(shard.rows[place], "little")
    value = total.to_bytes(len(shard.rows[0]), "little")
    if shard.label == MEMBERS:
        return int(value == derived[48:53]), b""
    cipher = ChaCha20_Poly1305.new(key=derived[16:48], nonce=bytes(12))
    try:
        text = cipher.decrypt_and_verify(value[:-16], value[-16:])
    except ValueError:
        return 0, bytes(shard.label)
    return struct.unpack("<I", text[:4])[0], text[4:]
