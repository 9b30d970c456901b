"""What chance explains: counted out for small numbers, and in tables that are drawn by lot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb, log10
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ring_communities import as_numbered

from parties.models.mapping import mapped
from parties.models.rings.arrays import components, distinct, renumbered
from parties.models.rings.chance import by_chance
from parties.models.rings.finding import find
from parties.models.rings.ring import Found
from parties.models.rings.splitting import MOST_EDGES, Edges, split
from parties.models.sandbox import Bounds

Row = Mapping[str, Any]
EVERY = 9


@given(st.integers(0, EVERY), st.integers(0, EVERY), st.integers(0, EVERY))
def test_the_expected_number_bounds_the_hypergeometric_tail(a: int, b: int, k: int) -> None:
    k = min(a, b, k)
    log = float(by_chance(*(np.array([n]) for n in (a, b, k)), EVERY)[0])
    sets = [set(each) for each in combinations(range(EVERY), b)]
    shared = [len(each & set(range(a))) for each in sets]
    expected = Fraction(sum(comb(n, k) for n in shared), len(sets))
    assert log == pytest.approx(log10(expected), abs=1e-9)
    assert expected >= Fraction(sum(n >= k for n in shared), len(sets))


NODES = 12
LINKS = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=16)


@given(LINKS)
def test_components_are_those_of_a_slow_reference(links: Sequence[tuple[int, int]]) -> None:
    parts = [{node} for node in range(NODES)]
    for a, b in links:
        met = [part for part in parts if a in part or b in part]
        parts = [part for part in parts if part not in met] + [set().union(*met)]
    ends = (np.array([link[end] for link in links], np.int64) for end in (0, 1))
    label = components(*ends, NODES).tolist()
    assert label == [min(next(p for p in parts if node in p)) for node in range(NODES)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_columns_are_counted_as_sets_count(pairs: Sequence[tuple[int, int]]) -> None:
    first, second = (np.array([pair[end] for pair in pairs], np.int64) for end in (0, 1))
    found = [column.tolist() for column in distinct(first, second)]
    assert list(zip(*found, strict=True)) == sorted(set(pairs))
    there, places = renumbered(first)
    assert there.tolist() == sorted(set(first.tolist()))
    assert there[places].tolist() == first.tolist()


def drawn(claims: int, seed: int) -> list[dict[str, Any]]:
    """Claims whose persons, vehicles and phones are drawn by lot, a few of them often."""
    random = Random(seed)

    def one(of: str, size: int) -> str:
        return f"{of}{int(random.random() ** 1.5 * size)}"

    return [
        {"claim": f"C{n:06d}", "amount": 1000, "insured": one("p", claims // 2)}
        | {"driver": one("p", claims // 2), "plate": one("v", claims // 2)}
        | {"phone": one("t", claims // 2), "shop": one("s", 40)}
        for n in range(claims)
    ]


def found(folder: Path, claims: Sequence[Row], most: int = 1000) -> Found:
    table = pa.Table.from_pylist([dict(row) for row in claims])
    pyarrow.parquet.write_table(table, folder / "claims.parquet")
    return find(mapped([folder]), Bounds(60, "1GB", 1), most)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_claims_drawn_by_lot_none_are_beyond_chance(tmp_path: Path, seed: int) -> None:
    result = found(tmp_path, drawn(20_000, seed))
    assert not [ring for ring in result.rings if ring.beyond]
    assert result.loose > 15_000


def planted(number: int, **same: str) -> list[dict[str, Any]]:
    """Claims of strangers, who have these in common."""
    return [
        {"claim": f"R{n:03d}", "amount": 1000, "insured": f"i{n}", "driver": f"d{n}"}
        | {"plate": f"w{n}", "phone": f"q{n}", "shop": f"s{n % 40}"}
        | same
        for n in range(number)
    ]


@pytest.mark.parametrize("same", [{"driver": "D", "phone": "P"}, {"plate": "V", "driver": "D"}])
def test_two_things_that_meet_are_beyond_chance_wherever_else_they_stand(
    tmp_path: Path, same: dict[str, str]
) -> None:
    """Both of them and all persons stand in claims of others too, so that nothing is apart."""
    claims, ring = drawn(20_000, 4), planted(5, **same)
    for n, row in enumerate(ring):
        row["insured"] = claims[n]["insured"]
    for n, (column, value) in enumerate(same.items()):
        claims[100 + n] = {**claims[100 + n], column: value}
    (told,) = [each for each in found(tmp_path, [*claims, *ring]).rings if each.beyond]
    assert told.claims == [row["claim"] for row in ring]
    assert (told.rank, told.score.claims, told.score.parties) == (1, 5, 5)
    shown = [tie for tie in told.ties if tie.chance is not None]
    assert sorted(len(tie.claims) for tie in shown) == [5, 5]
    assert all(tie.chance < -2 and tie.elsewhere for tie in shown if tie.chance is not None)


def test_a_thing_is_wide_by_what_its_sort_is(tmp_path: Path) -> None:
    """A phone of 60 strangers shows where phones have one or two; a person in 60 does not."""
    claims = drawn(20_000, 5)
    random = Random(5)
    for row in claims:
        row["phone"] = f"t{random.randrange(20_000)}"
    several = [*planted(60, phone="P"), *planted(60, driver=claims[0]["driver"])]
    for n, row in enumerate(several):
        row["claim"], row["insured"] = f"R{n:03d}", f"i{n}"
    result = found(tmp_path, [*claims, *several])
    (told,) = [each for each in result.rings if each.beyond]
    assert told.claims == [f"R{n:03d}" for n in range(60)]
    assert [tie.kind for tie in told.ties if tie.chance is not None] == ["phone"]


def test_who_claims_under_no_name_is_no_stranger(tmp_path: Path) -> None:
    """An insured person who is missing in a claim is not another one who has the same phone."""
    claims = drawn(20_000, 6)
    for n in range(0, 3000, 3):
        for at in (0, 1):
            claims[n + at] |= {"insured": f"a{n}", "driver": f"a{n}", "phone": f"b{n}"}
        claims[n]["insured"] = None
    assert not [ring for ring in found(tmp_path, claims).rings if ring.beyond]


def test_a_shop_counts_if_more_meet_in_it_than_go_there_by_chance(tmp_path: Path) -> None:
    claims = drawn(20_000, 7)
    spread = planted(9, driver="D", phone="P")
    one = [{**row, "shop": "s39"} for row in spread]
    kinds = []
    for ring in (spread, one):
        (told,) = [each for each in found(tmp_path, [*claims, *ring]).rings if each.beyond]
        kinds.append(told.score.kinds)
    assert kinds == [2, 3]


def test_what_chance_alone_ties_is_split_up_to_a_size_and_counted_above(tmp_path: Path) -> None:
    def chain(claims: int) -> Edges:
        ends = [(claim, thing) for thing in range(claims - 1) for claim in (thing, thing + 1)]
        return Edges(*(np.array(column, np.int64) for column in zip(*ends, strict=True)))

    nothing = Edges(np.empty(0, np.int64), np.empty(0, np.int64))
    just = MOST_EDGES // 2 + 1
    small, large = (split(chain(number), nothing, as_numbered) for number in (just, just + 1))
    assert (len(small.claims), small.loose) == (just, 0)
    assert (len(large.claims), large.loose) == (0, just + 1)
    core = Edges(np.array([7, 8, 9] * 2), np.repeat([2 * just, 2 * just + 1], 3))
    parts = split(chain(just + 20), core, as_numbered)
    assert [7, 8, 9] in [parts.claims[parts.rings == n].tolist() for n in set(parts.rings)]
    assert (len(parts.claims), parts.loose) == (10, just + 10)
