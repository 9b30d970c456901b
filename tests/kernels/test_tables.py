"""Prepared tables: what they tell, and that no bytes of a shard do more than be refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psi import ApiMisuse, Elements, _core, tables
from psi.errors import CheckFailed, MalformedMessage, PeerError

SUITE = _core.VoprfSuite.verifiable()
NONE = np.empty(0, np.uint32)


def entropy(seed: int = 1) -> _core.Entropy:
    return _core.Entropy.from_seed_for_tests(bytes([seed]) * 32)


@cache
def key() -> _core.VoprfKey:
    return _core.VoprfKey.draw(entropy())


def named(*names: object) -> Elements:
    return Elements.hash([str(name) for name in names], "test")


def outputs(elements: Elements) -> _core.VoprfOutputs:
    block = bytes(elements.block)
    blinds = _core.VoprfBlinds.draw(SUITE, block, entropy(2))
    points, proof = key().evaluate(SUITE, blinds.points(), entropy(3))
    return blinds.finalize(SUITE, points, proof, key().public())


def known(elements: Elements) -> _core.Evaluations:
    evaluations = _core.Evaluations(key(), SUITE)
    evaluations.evaluate(bytes(elements.block), b"", entropy(4))
    return evaluations


def members(*names: object, capacity: int = 100, seed: int = 5) -> tables.Shard:
    elements = named(*names)
    data = tables.build(known(elements), elements, NONE, None, capacity, entropy(seed))
    return tables.Shard.read(data)


def records(told: dict[str, list[int]], seed: int = 6, capacity: int = 200) -> tables.Shard:
    """A shard of these records, each with a label of two bytes."""
    elements = named(*told)
    pairs = [(i, number) for i, numbers in enumerate(told.values()) for number in numbers]
    positions = np.array([i for i, _ in pairs], np.uint32)
    labels = np.array([number for _, number in pairs], np.uint16).view(np.uint8).reshape(-1, 2)
    data = tables.build(known(elements), elements, positions, labels, capacity, entropy(seed))
    return tables.Shard.read(data)


def read(generations: list[tables.Generation], *names: object) -> dict[str, list[int]]:
    """What a table tells of these names."""
    elements = named(*names)
    found = tables.find(generations, elements, outputs(elements))
    told: dict[str, list[int]] = {
        str(name): [] for name, count in zip(names, found.counts, strict=True) if count
    }
    numbers = np.ascontiguousarray(found.labels).view(np.uint16).ravel().tolist()
    for position, number in zip(
        found.positions, numbers or [0] * len(found.positions), strict=True
    ):
        told[str(names[position])].append(number)
    counts = {str(n): c for n, c in zip(names, found.counts.tolist(), strict=True) if c}
    assert counts == {name: len(listed) for name, listed in told.items()}
    return told


def test_a_shard_tells_members_or_records() -> None:
    table = [tables.Generation({0: members(*range(50))})]
    assert read(table, 3, 50, 49, "x") == {"3": [0], "49": [0]}
    told = {"a": [7], "b": [1, 2, 3], "c": list(range(40))}
    assert read([tables.Generation({0: records(told)})], "c", "x", "a", "b") == told
    assert read([tables.Generation({0: records(told)})]) == {}
    assert read([tables.Generation({0: records(told)})], "x") == {}


@pytest.mark.parametrize("shards", [1, 2, 16, 256])
def test_shards_share_elements_out_by_their_first_bits(shards: int) -> None:
    names = list(range(300))
    elements = named(*names)
    where = tables.shard_of(bytes(elements.block), shards)
    assert set(where) <= set(range(shards))
    first = [elements[i][0] * 256 + elements[i][1] for i in range(300)]
    assert where.tolist() == [number * shards >> 16 for number in first]
    parts = [
        [name for name, at in zip(names, where, strict=True) if at == s] for s in range(shards)
    ]
    table = [
        tables.Generation(
            dict(enumerate(members(*part, seed=9, capacity=400) for part in parts)), shards
        )
    ]
    assert set(read(table, *range(250, 400))) == {str(name) for name in range(250, 300)}


@pytest.mark.parametrize("shards", [0, 3, 1 << 17])
def test_other_numbers_of_shards_are_refused(shards: int) -> None:
    with pytest.raises(ApiMisuse, match="a power of two of shards"):
        tables.shard_of(bytes(32), shards)


def test_a_younger_generation_speaks_first() -> None:
    base = tables.Generation({0: records({"a": [1], "b": [2], "c": [3, 4]})})
    first = tables.Generation(
        {0: records({"b": [20, 21], "d": [30]}, 7)}, removed=members("c", "b")
    )
    second = tables.Generation({0: records({"c": [9]}, 8)}, removed=members("d"))
    assert read([base], *"abcd") == {"a": [1], "b": [2], "c": [3, 4]}
    assert read([first, base], *"abcd") == {"a": [1], "b": [20, 21], "d": [30]}
    assert read([second, first, base], *"abcd") == {"a": [1], "b": [20, 21], "c": [9]}


def test_a_shard_of_one_capacity_has_one_length_whatever_it_holds() -> None:
    lengths = set()
    for count in (0, 1, 60, 100):
        elements = named(*range(count))
        data = tables.build(known(elements), elements, NONE, None, 100, entropy())
        lengths.add(len(data))
    assert len(lengths) == 1
    with pytest.raises(ApiMisuse, match="a shard for 100 entries was given 101"):
        members(*range(101))


def test_salts_are_fresh_so_that_two_shards_of_one_set_have_nothing_in_common() -> None:
    one, two = (members(*range(90), seed=seed) for seed in (10, 11))
    assert one.salt != two.salt
    assert len({row.tobytes() for shard in (one, two) for row in shard.rows}) == 2 * len(one.rows)


def test_an_element_that_was_not_evaluated_is_told() -> None:
    with pytest.raises(ApiMisuse, match="bin 1 has not been evaluated"):
        tables.build(known(named("a")), named("a", "b"), NONE, None, 10, entropy())


def test_a_table_with_fewer_records_than_it_says_is_refused() -> None:
    """A shard that counts three records of `a` and holds two: built from two of different salts."""
    whole = records({"a": [1, 2, 3]}, capacity=3)
    lying = whole._replace(rows=np.array(whole.rows))
    wanted = _core.Wanted(outputs(named("a")), bytes(4), b"\2\0\0\0", whole.salt)
    places = np.frombuffer(wanted.places(whole.shape, whole.seed), np.uint32)
    first = _core.Wanted(outputs(named("a")), bytes(4), bytes(4), whole.salt)
    kept = np.frombuffer(first.places(whole.shape, whole.seed), np.uint32)
    lying.rows[next(place for place in places if place not in kept)] ^= 1
    with pytest.raises(CheckFailed, match="fewer records of an element than it says"):
        read([tables.Generation({0: lying})], "a")


def test_generations_of_different_widths_are_refused() -> None:
    narrow = records({"a": [1]})
    elements = named("b")
    labels = np.zeros((1, 7), np.uint8)
    wide = tables.Shard.read(
        tables.build(known(elements), elements, np.zeros(1, np.uint32), labels, 5, entropy())
    )
    with pytest.raises(CheckFailed, match="different widths"):
        read([tables.Generation({0: wide}), tables.Generation({0: narrow})], "a", "b")


def test_outputs_of_other_elements_are_a_wrong_call() -> None:
    with pytest.raises(ApiMisuse, match="2 elements and 1 outputs"):
        tables.find([], named("a", "b"), outputs(named("a")))


@settings(max_examples=200, deadline=None, print_blob=True)
@given(at=st.integers(0, 63), byte=st.integers(0, 255), cut=st.integers(0, 200))
def test_a_changed_header_is_refused_or_reads_as_another_shard(
    at: int, byte: int, cut: int
) -> None:
    elements = named("a")
    data = bytearray(tables.build(known(elements), elements, NONE, None, 5, entropy()))
    data[at] = byte
    try:
        shard = tables.Shard.read(bytes(data))
    except MalformedMessage:
        return
    read([tables.Generation({0: shard})], "a")
    with pytest.raises(MalformedMessage):
        tables.Shard.read(bytes(data[: -1 - cut]))


@settings(max_examples=200, deadline=None, print_blob=True)
@given(noise=st.binary(max_size=300))
def test_noise_is_no_shard(noise: bytes) -> None:
    for data in (noise, tables.MAGIC + noise):
        with pytest.raises(PeerError):
            tables.Shard.read(data)
