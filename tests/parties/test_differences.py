"""Sets that differ by a few: found always, whatever their size, and others hardly ever."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabled import rows
from test_books import Pair, opened

from parties import commitments, differences
from parties.differences import BUCKETS, MOST_SOUGHT, NUMBER, Digest, digest
from parties.refusals import Refusal
from parties.store import Store
from psi import Elements

KEY: Final = bytes(range(32))
NOW: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)
FLOORS: Final = (2, 3, 5, 10, 50, MOST_SOUGHT)


def some(random: random.Random, count: int) -> list[bytes]:
    return [random.randbytes(32) for _ in range(count)]


def of(elements: Sequence[bytes]) -> Digest:
    return digest(KEY, Elements(b"".join(elements)))


def changed(random: random.Random, elements: list[bytes], by: int) -> list[bytes]:
    """Another set: some are gone, others are new, so many together; and in another order."""
    gone = random.randint(0, min(by, len(elements) - 1))
    other = elements[gone:] + some(random, by - gone)
    random.shuffle(other)
    return other


# --- a digest


@given(st.integers(0, 1 << 30), st.integers(2, 60), st.integers(1, 600))
@settings(deadline=None, max_examples=40)
def test_no_set_seems_to_differ_by_more_than_it_does(seed: int, size: int, by: int) -> None:
    dice = random.Random(seed)
    first = some(dice, size)
    found = of(first).differs_by(of(changed(dice, first, by)))
    assert 0 < found <= by


def test_the_same_set_in_another_order_has_the_same_digest() -> None:
    elements = some(random.Random(1), 500)
    assert of(elements) == of(elements[::-1])
    assert of(elements).differs_by(of(elements)) == 0
    assert len(of(elements).buckets) == BUCKETS * NUMBER


def test_under_another_key_everything_is_another_set() -> None:
    """So whoever reads digests, and lacks the key, can try nothing out."""
    elements = Elements(b"".join(some(random.Random(2), 100)))
    other = digest(os.urandom(32), elements)
    assert other.differs_by(digest(KEY, elements)) > BUCKETS - 20
    assert other.whole != digest(KEY, elements).whole


def test_two_sets_whose_numbers_agree_by_chance_are_still_two() -> None:
    one = of(some(random.Random(3), 10))
    assert one._replace(whole=bytes(32)).differs_by(one) == 1


def seems(first: Digest, others: Sequence[Digest], floor: int) -> int:
    """How many of others would be refused after a first set."""
    return sum(0 < each.differs_by(first) < min(floor, MOST_SOUGHT) for each in others)


@pytest.mark.parametrize("size", [1, 40, 1000, 30_000])
def test_fewer_than_the_floor_are_found_and_twice_as_many_are_not(size: int) -> None:
    dice = random.Random(size)
    first = some(dice, size)
    begin = of(first)
    for floor in FLOORS:
        for by in {1, floor // 2, floor - 1} - {0}:
            assert seems(begin, [of(changed(dice, first, by))], floor) == 1
        assert seems(begin, [of(changed(dice, first, 2 * floor))], floor) == 0
    assert seems(begin, [of(some(dice, size))], 2) == 0 or size == 1


@pytest.mark.study
@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_a_few_of_a_million_are_found(size: int) -> None:
    dice = random.Random(size)
    first = some(dice, size)
    block = Elements(b"".join(first))
    began = time.perf_counter()
    begin = digest(KEY, block)
    print(f"\n{size} elements: {time.perf_counter() - began:.3f} s")
    for by in (1, 2, 3, 10, 100, MOST_SOUGHT - 1):
        assert seems(begin, [of(changed(dice, first, by))], MOST_SOUGHT) == 1
    for floor in FLOORS:
        assert seems(begin, [of(changed(dice, first, 2 * floor))], floor) == 0


def chance(floor: int) -> float:
    """At most how likely 2 * floor different elements are in fewer than floor buckets."""
    few, elements = floor - 1, 2 * floor
    return float(math.comb(BUCKETS, few) * (few / BUCKETS) ** elements)


def test_the_chance_of_a_refusal_without_reason_is_what_the_module_says() -> None:
    """A union bound over all choices of buckets; larger floors by the deviation that is named."""
    assert max(chance(floor) for floor in range(2, 100)) <= 2**-30
    share = 2 * MOST_SOUGHT / BUCKETS
    expected = BUCKETS * (1 - math.exp(-share))
    deviation = math.sqrt(BUCKETS * (math.exp(-share) - (1 + share) * math.exp(-2 * share)))
    assert round(expected) == 403
    assert (expected - MOST_SOUGHT) / deviation > 19


# --- in the store


def refused(store: Store, each: Digest, floor: int, peer: str = "police") -> bool:
    try:
        with store.reading() as connection:
            differences.must_be_apart(connection, peer, "plate", each, floor)
    except Refusal as refusal:
        return refusal.code == "difference"
    return False


def test_a_set_is_compared_with_all_of_before_of_its_name_and_partner(url: str) -> None:
    dice = random.Random(4)
    sets = [some(dice, 50) for _ in range(3)]
    with closing(Store(url)) as store:
        for number, each in enumerate(sets):
            assert not refused(store, of(each), 5)
            with store.writing() as connection:
                at = NOW + timedelta(seconds=number)
                differences.keep(connection, "police", "plate", of(each), at)
        for each in sets:
            near = of(changed(dice, each, 4))
            assert refused(store, near, 5)
            assert not refused(store, near, 4)
            assert not refused(store, near, 0)
            assert not refused(store, near, 5, peer="other")
            assert not refused(store, of(each), 5)


def test_the_oldest_sets_are_forgotten_after_many_others(url: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(differences, "_FORGET", differences._FORGET.replace("256", "3"))
    dice = random.Random(5)
    sets = [of(some(dice, 9)) for _ in range(5)]
    with closing(Store(url)) as store:
        for number, each in enumerate([*sets, sets[2]]):
            with store.writing() as connection:
                at = NOW + timedelta(seconds=number)
                differences.keep(connection, "police", "plate", each, at)
                differences.keep(connection, "other", "plate", each, at)
        with store.reading() as connection:
            kept = {bytes(r.whole) for r in rows(connection, "differences") if r.peer == "police"}
    assert kept == {sets[2].whole, sets[3].whole, sets[4].whole}


# --- on nodes


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.claims = {"plate": [f"浙A{number:05}" for number in range(30)]}
    pair.claims |= {"claim_no": [str(number) for number in range(30)], "amount": [1] * 30}
    pair.records["plate"] = pair.claims["plate"][:2]
    return pair


def without(pair: Pair, count: int) -> None:
    pair.claims = {name: values[count:] for name, values in pair.claims.items()}


def test_who_counts_with_a_set_that_differs_by_too_few_is_refused_before_anything_is_said(
    pair: Pair,
) -> None:
    pair.ticket("count", floor=2, runs=9)
    assert pair.run("count") == 2
    assert pair.run("count") == 2, "the same set tells nothing new"
    without(pair, 1)
    for _ in range(2):
        with pytest.raises(Refusal, match=r"identifiers\.plate differs by 1 from a set"):
            pair.run("count")
    pair.ticket("count", floor=2, runs=9)
    with pytest.raises(Refusal):
        pair.run("count")
    assert len(pair.lines(pair.theirs, "run_begun")) == 2, "the partner was asked nothing"
    pair.records["plate"] = pair.claims["plate"][-2:]
    without(pair, 6)
    assert pair.run("count") == 2


def test_a_ticket_without_a_floor_has_nothing_to_guard(pair: Pair) -> None:
    pair.ticket("count", floor=0, runs=9)
    assert pair.run("count") == 2
    without(pair, 1)
    assert pair.run("count") == 1


def test_two_at_once_cannot_both_count_with_sets_that_differ_by_too_few(pair: Pair) -> None:
    """Each looked before the other was written: the second is refused before it learns."""
    from psi import Side, converse

    pair.ticket("count", floor=2, runs=9)
    first, answered = pair.dialogues("count")
    sides = Side(first), Side(answered)
    (proposal,) = sides[0].start()
    sides[1].start()
    without(pair, 1)
    second = pair.dialogues("count")
    sides[0].hear(sides[1].hear(proposal)[0])
    with pytest.raises(Refusal) as refused:
        converse(*map(Side, second))
    assert refused.value.code == "difference"
    for dialogue in (first, answered):
        dialogue.close()


def test_what_is_kept_of_sets_is_sealed_by_a_key_that_is_not_in_the_store(pair: Pair) -> None:
    pair.ticket("count", floor=2)
    pair.run("count")
    keys = (
        (pair.ours.tickets.folder / commitments.FILE).read_bytes(),
        commitments.key_of(pair.ours, differences.KEY_NAME),
    )
    for file in pair.files[0].parent.glob("state.db*"):
        assert all(key not in file.read_bytes() for key in keys)
    with opened(pair.theirs) as store, store.reading() as connection:
        assert rows(connection, "differences") == [], "who does not learn needs none"
