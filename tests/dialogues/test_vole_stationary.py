"""The profile with stationary noise: the plain intersection, over the edges of its short chunks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import pytest
from drawn import check, check_one_of_many, sets
from wiretap import OTHER, RECEIVER, SENDER, Heard, Tamper, carry, kind, parameters

from psi import Elements, Output, Side
from psi.errors import DecoyMismatch, MalformedMessage
from psi.parameters import Role
from psi.protocols import PROTOCOLS, vole
from psi.protocols.vole_stationary import Receiver, Sender
from psi.subprotocols import okvs
from psi.subprotocols.decoys import DECOYS, size_class
from psi.subprotocols.vole import Profile
from psi.wire.v1.messages_pb2 import Message

NAME = "vole-stationary"
CHUNK, BATCH = Profile.STATIONARY.chunk, Profile.STATIONARY.batch
SUMS = 816 * 16
"""Bytes of a correction for each chunk."""


def chunks(total: int) -> int:
    shape = okvs.shape(total)
    return -(-shape.bins * shape.cells // CHUNK)


SEVERAL = 40_000
"""Elements with a batch and a shorter one."""


def largest(count: int) -> int:
    """The most elements, decoys included, whose cells come from so many chunks."""
    return bisect_left(range(1 << 17), count + 1, key=chunks) - 1


@pytest.mark.parametrize("output", [Output.RECEIVER, Output.BOTH])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("n", "m", "common"), [(0, 0, 0), (0, 5, 0), (5, 0, 0), (1, 1, 1), (500, 500, 0), (3, 500, 2)]
)
def test_sets_of_all_shapes_meet(n, m, common, output, told):
    check(31, n, m, common, output, told, NAME)


@pytest.mark.parametrize(("n", "m"), [(1, 1 << 20), (1 << 20, 1)])
def test_one_element_against_a_million(n, m):
    """The latter takes 117 chunks of the same trees."""
    check(32, n, m, 1, protocol=NAME)


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 3, BATCH, BATCH + 1, 2 * BATCH])
def test_receivers_around_the_edge_of_a_chunk_meet(count, more):
    total = largest(count) + more
    assert chunks(total) == count + more
    check(33, total - DECOYS, 2000, 700, protocol=NAME, exact=True)


@pytest.mark.parametrize("width", [72, 80, 128])
def test_wide_values_serve(width, monkeypatch):
    monkeypatch.setattr(okvs, "value_width", lambda elements: width)
    check(34, 30_000, 1000, 900, protocol=NAME)


@pytest.mark.parametrize("seed", range(20))
def test_a_seeded_run_equals_the_plain_intersection(seed):
    check_one_of_many(seed, NAME)


def run(
    seed: int, n: int, m: int, common: int, tamper: Tamper | None = None, bare: bool = False
) -> Heard:
    """A match of two sets; `bare` is without the comparison of transcripts."""
    agreed = parameters(Output.RECEIVER, NAME, max_elements=1 << 20)
    ours, theirs = (Elements(rows.tobytes()) for rows in sets(seed, n, m, common))
    roles = Receiver(ours, agreed), Sender(theirs, agreed)
    dialogues = [role._converse() if bare else role.converse() for role in roles]
    return carry(Side(dialogues[0]), Side(dialogues[1]), tamper)


def shape_of(seed: int, n: int, m: int, common: int) -> list[tuple[object, str, int]]:
    """Who said what kind of message, of which length."""
    heard = run(seed, n, m, common)
    assert heard.results[RECEIVER].cardinality == common
    return [(role, kind(message), len(message)) for role, message in heard.messages]


@pytest.mark.parametrize("n", [10, 40_000])
def test_the_shape_of_a_run_depends_on_sizes_only(n):
    runs = [shape_of(35, n, n, 0), shape_of(36, n, n, n), shape_of(37, n, n, n // 3)]
    assert runs[0] == runs[1] == runs[2]
    lengths = [length for _, name, length in runs[0] if name == "vole_request"]
    assert len(lengths) == -(-chunks(size_class(n)) // BATCH)
    assert all(length < 10 for length in lengths[1:])


@pytest.mark.parametrize(("n", "m"), [(100, 100), (5000, 50_000), (50_000, 5000)])
def test_the_traffic_that_is_told_is_what_is_said(n, m):
    said = dict.fromkeys((RECEIVER, SENDER), 0)
    for role, _, length in shape_of(38, n, m, 50):
        said[role] += length
    told = PROTOCOLS[NAME].traffic(size_class(n), size_class(m))
    # But for Hello, digest, and the bytes around each message.
    assert 0 < said[RECEIVER] - told.receiver < 1000
    assert 0 < said[SENDER] - told.sender < 1000


def changed(name: str, first: int, change: Callable[[bytes], bytes]) -> Tamper:
    """Another message of this kind for the batch that begins with this chunk."""

    def tamper(number: int, role: Role, data: bytes) -> list[tuple[Role, bytes]]:
        message = Message.FromString(data)
        body = getattr(message, name)
        if message.HasField(name) and body.chunk == first:
            body.corrections = change(body.corrections)
        return [(OTHER[role], message.SerializeToString(deterministic=True))]

    return tamper


@pytest.mark.parametrize("first", [0, BATCH])
@pytest.mark.parametrize(
    "change",
    [
        lambda said: b"",
        lambda said: said[:-1],
        lambda said: said + b"\0",
        lambda said: said[:-SUMS],
        lambda said: said + bytes(SUMS),
    ],
)
def test_a_batch_cut_short_or_too_long_is_malformed(first, change):
    """Of two: the last has fewer chunks than the first."""
    heard = run(39, SEVERAL, 100, 50, changed("vole_correction", first, change))
    assert {r: type(e) for r, e in heard.errors.items()} == {RECEIVER: MalformedMessage}
    assert not heard.results


@pytest.mark.parametrize("said", [b"\0", bytes(5760 * 4)])
def test_a_later_request_that_says_something_is_malformed(said):
    heard = run(40, SEVERAL, 100, 50, changed("vole_request", BATCH, lambda _: said))
    assert {r: type(e) for r, e in heard.errors.items()} == {SENDER: MalformedMessage}
    assert not heard.results


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("chunk", [1, BATCH])
def test_one_flipped_bit_of_any_chunk_of_a_batch_is_a_decoy_mismatch(chunk, bare):
    """Its sums come last in the message, in the order of chunks."""
    first = chunk - chunk % BATCH

    def flip(said: bytes) -> bytes:
        count = min(BATCH, chunks(size_class(SEVERAL)) - first)
        at = len(said) - (count - chunk % BATCH) * SUMS
        return said[:at] + bytes([said[at] ^ 1]) + said[at + 1 :]

    heard = run(41, SEVERAL, 100, 50, changed("vole_correction", first, flip), bare)
    assert {r: type(e) for r, e in heard.errors.items()} == {RECEIVER: DecoyMismatch}
    assert RECEIVER not in heard.results


def test_a_role_of_the_other_profile_is_refused_before_anything_is_said_of_the_sets():
    agreed = [parameters(Output.RECEIVER, name) for name in (NAME, "vole")]
    ours = Side(Receiver(Elements(bytes(32)), agreed[0]).converse())
    theirs = Side(vole.Sender(Elements(bytes(32)), agreed[1]).converse())
    heard = carry(ours, theirs)
    assert not heard.results
    assert {kind(message) for _, message in heard.messages} == {"hello"}
