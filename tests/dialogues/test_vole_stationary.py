"""The profile with stationary noise: the plain intersection, over the edges of its short chunks."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from drawn import check, check_one_of_many, sets
from wiretap import RECEIVER, SENDER, carry, kind, parameters

from psi import Elements, Output, Side
from psi.protocols import PROTOCOLS, vole
from psi.protocols.vole_stationary import Receiver, Sender
from psi.subprotocols import okvs
from psi.subprotocols.decoys import DECOYS, size_class
from psi.subprotocols.vole import Profile

NAME = "vole-stationary"
CHUNK = Profile.STATIONARY.chunk


def chunks(total: int) -> int:
    shape = okvs.shape(total)
    return -(-shape.bins * shape.cells // CHUNK)


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
@pytest.mark.parametrize("count", [1, 2, 3, 7])
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


def shape_of(seed: int, n: int, m: int, common: int) -> list[tuple[object, str, int]]:
    """Who said what kind of message, of which length."""
    agreed = parameters(Output.RECEIVER, NAME, max_elements=1 << 20)
    ours, theirs = (Elements(rows.tobytes()) for rows in sets(seed, n, m, common))
    heard = carry(*(Side(r.converse()) for r in (Receiver(ours, agreed), Sender(theirs, agreed))))
    assert heard.results[RECEIVER].cardinality == common
    return [(role, kind(message), len(message)) for role, message in heard.messages]


@pytest.mark.parametrize("n", [10, 40_000])
def test_the_shape_of_a_run_depends_on_sizes_only(n):
    runs = [shape_of(35, n, n, 0), shape_of(36, n, n, n), shape_of(37, n, n, n // 3)]
    assert runs[0] == runs[1] == runs[2]
    lengths = [length for _, name, length in runs[0] if name == "vole_request"]
    assert len(lengths) == chunks(size_class(n))
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


def test_a_role_of_the_other_profile_is_refused_before_anything_is_said_of_the_sets():
    agreed = [parameters(Output.RECEIVER, name) for name in (NAME, "vole")]
    ours = Side(Receiver(Elements(bytes(32)), agreed[0]).converse())
    theirs = Side(vole.Sender(Elements(bytes(32)), agreed[1]).converse())
    heard = carry(ours, theirs)
    assert not heard.results
    assert {kind(message) for _, message in heard.messages} == {"hello"}
