"""Claims that hang together are found as a slow reference finds them, and loose ones are split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.models.rings.arrays import Numbers
from parties.models.rings.communities import communities, connected
from parties.models.rings.splitting import HELD, Edges, split

Pairs = Sequence[tuple[int, int]]
PAIRS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 9)), max_size=40, unique=True)


def edges(pairs: Pairs) -> Edges:
    claims, things = ([pair[end] for pair in sorted(pairs)] for end in (0, 1))
    return Edges(np.array(claims, np.int64), np.array(things, np.int64))


def as_numbered(claims: Numbers, things: Numbers) -> tuple[Numbers, Numbers]:
    """An order of numbers: they are all that claims and things have here."""
    return np.sort(claims), np.sort(things)


def rings(pairs: Pairs, cores: Pairs = ()) -> list[list[int]]:
    parts = split(edges(pairs), edges(cores), as_numbered)
    found: dict[int, list[int]] = {}
    for claim, ring in zip(parts.claims.tolist(), parts.rings.tolist(), strict=True):
        found.setdefault(ring, []).append(claim)
    return sorted(map(sorted, found.values()))


def joined(pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The claims of each component, by union of sets: slow, and plainly right."""
    parts: list[tuple[set[int], set[int]]] = []
    for claim, thing in pairs:
        met = [part for part in parts if claim in part[0] or thing in part[1]]
        parts = [part for part in parts if part not in met]
        claims, things = {claim}, {thing}
        parts.append((claims.union(*(m[0] for m in met)), things.union(*(m[1] for m in met))))
    return [claims for claims, _ in parts]


def held(pairs: Pairs, claims: set[int]) -> bool:
    named: dict[int, int] = {}
    for claim, thing in pairs:
        if claim in claims:
            named[thing] = named.get(thing, 0) + 1
    tied = sum(number * (number - 1) // 2 for number in named.values())
    return HELD * tied >= len(list(combinations(claims, 2)))


@given(PAIRS)
def test_a_component_that_is_held_is_one_ring(pairs: Pairs) -> None:
    whole = [part for part in joined(pairs) if len(part) > 1 and held(pairs, part)]
    found = rings(pairs)
    assert all(sorted(part) in found for part in whole)
    others = {claim for part in joined(pairs) if part not in whole for claim in part}
    assert all(set(each) <= others for each in found if set(each) not in whole)


@given(PAIRS)
def test_every_ring_hangs_together_and_no_claim_is_in_two(pairs: Pairs) -> None:
    found = rings(pairs)
    assert len({claim for each in found for claim in each}) == sum(map(len, found))
    for each in found:
        assert len(each) > 1
        assert len(joined(pair for pair in pairs if pair[0] in each)) == 1


def test_a_chain_of_strangers_is_split_and_a_star_is_not() -> None:
    chain = [(claim, thing) for thing in range(29) for claim in (thing, thing + 1)]
    assert len(rings(chain)) > 3
    assert rings([(claim, 0) for claim in range(30)]) == [list(range(30))]


@pytest.mark.parametrize(("phones", "of", "held"), [(3, 2, 1), (3, 3, 1), (4, 9, 0), (5, 20, 0)])
def test_a_pair_counts_once_for_each_thing_that_ties_it(phones: int, of: int, held: int) -> None:
    """Around so many phones, each in so many claims; what ties them all is another thing each."""
    pairs = [(claim, claim // of) for claim in range(phones * of)]
    chain = [(of * n + end, 100 + n) for n in range(phones - 1) for end in (0, of)]
    named = len({thing for _, thing in chain})
    tied = phones * of * (of - 1) // 2 + named
    one = rings(sorted(pairs + chain)) == [list(range(phones * of))]
    assert (HELD * tied >= len(list(combinations(range(phones * of), 2)))) == one
    assert one == held


def test_two_stars_that_one_claim_ties_are_two_rings() -> None:
    pairs = [(claim, claim // 20) for claim in range(60)]
    pairs += [(claim, 10 + claim // 20) for claim in range(60)]
    for a, b in ((0, 20), (20, 40)):
        pairs += [(a, 100 + a), (b, 100 + a)]
    assert joined(pairs) == [set(range(60))]
    assert rings(pairs) == [list(range(60))]  # six things, each in a third of the claims
    pairs += [(claim, star + claim // 20) for claim in range(60, 200) for star in (0, 10)]
    for a in range(40, 180, 20):
        pairs += [(a, 100 + a), (a + 20, 100 + a)]
    assert rings(pairs) == [list(range(a, a + 20)) for a in range(0, 200, 20)]


Links = Sequence[tuple[int, int]]
NODES = 7
LINKS = st.lists(
    st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)).filter(lambda p: p[0] < p[1]),
    min_size=1,
    unique=True,
)


def weights(links: Links, nodes: int = NODES) -> list[dict[int, int]]:
    rows: list[dict[int, int]] = [{} for _ in range(nodes)]
    for a, b in links:
        rows[a][b] = rows[b][a] = 1
    return rows


def modularity(links: Links, labels: Sequence[int]) -> int:
    """Newman's modularity, times the square of twice the number of edges."""
    degrees = [sum(node in link for link in links) for node in range(len(labels))]
    within = 2 * sum(labels[a] == labels[b] for a, b in links)
    by_chance = sum(
        degrees[a] * degrees[b]
        for a in range(len(labels))
        for b in range(len(labels))
        if labels[a] == labels[b]
    )
    return within * 2 * len(links) - by_chance


@given(LINKS)
def test_no_two_communities_gain_by_becoming_one(links: Links) -> None:
    labels = communities(weights(links))
    found = modularity(links, labels)
    assert modularity(links, range(NODES)) <= found
    for a, b in combinations(set(labels), 2):
        assert modularity(links, [a if each == b else each for each in labels]) <= found


@pytest.mark.parametrize("cliques", [2, 3, 6])
def test_cliques_that_one_edge_ties_are_the_communities(cliques: int) -> None:
    links = [
        (5 * n + a, 5 * n + b) for n in range(cliques) for a, b in combinations(range(5), 2)
    ] + [(5 * n + 4, 5 * n + 5) for n in range(cliques - 1)]
    found = communities(weights(links, 5 * cliques))
    assert found == [node // 5 for node in range(5 * cliques)]


def test_a_community_without_what_held_it_is_in_parts() -> None:
    rows = weights([(0, 1), (1, 2), (3, 4)], 5)
    assert connected(rows, [0, 1, 0, 2, 2]) == [[0], [1], [2], [3, 4]]
    assert connected(rows, [0] * 5) == [[0, 1, 2], [3, 4]]
