"""Which claims belong together: components that are held, of others what chance does not make."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import numpy as np

from parties.models.rings.arrays import Mask, Numbers, components, renumbered
from parties.models.rings.communities import Weights, communities, connected
from psi.lazily import NamedTuple

HELD: Final = 4
"""A component is one ring if things tie at least one in so many pairs of its claims, a pair counted
once for each thing that ties it. Three phones, each in a third of the claims, hold nine claims or
more: 3 x 3 pairs of 36; four, each in a quarter, never quite do. Claims that hang together in
chains, as those of strangers who once shared a car, are not held."""
MOST_EDGES: Final = 20_000
"""Up to so many edges a component that is not held is split by modularity. In a graph of m edges a
community is sure to show if it has more than sqrt(2 m) of them (Fortunato and Barthelemy,
"Resolution limit in community detection", 2007): up to here one of a hundred claims with two ties
each. A larger one is what chance makes of a large table: as soon as a claim that was reached leads
to more than one other, nearly all hang together (Molloy and Reed, "A critical point for random
graphs with a given degree sequence", 1995). What chance does not explain is out of it by then."""


class Edges(NamedTuple):
    """Claims and the things that put them together, pair by pair; each pair once."""

    claims: Numbers
    things: Numbers

    def where(self, mask: Mask) -> Edges:
        """The pairs for which a mask holds."""
        return Edges(self.claims[mask], self.things[mask])


class Parts(NamedTuple):
    """Which claims belong together.

    Attributes:
        claims, rings: each claim of a ring, and the number of its ring.
        loose: claims that hang together by chance alone, in components too large to be split.
    """

    claims: Numbers
    rings: Numbers
    loose: int


Ordered: TypeAlias = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]
"""Puts distinct claims and things into an order that does not depend on how they are numbered."""


def split(edges: Edges, cores: Edges, ordered: Ordered) -> Parts:
    """Finds rings.

    A component that is held is a ring. In another, what chance does not put together are rings, and
    of what is left are rings: components that are held, and parts of the small ones that are not,
    split by modularity until they are held or have no parts. No claim is in two.

    Args:
        edges: which claim names which thing that joins.
        cores: likewise, but only what chance does not put together; a claim of any component.
        ordered: so that modularity finds the same whatever the order of rows.
    """
    found: list[tuple[Numbers, Numbers]] = []
    held, rest, _ = _components(edges, HELD)
    found.append(held)
    taken, _, _ = _components(cores.where(_among(cores.claims, rest.claims)), None)
    found.append(taken)
    held, rest, label = _components(_shared(rest.where(~_among(rest.claims, taken[0]))), HELD)
    found.append(held)
    small = np.bincount(label, minlength=1)[label] <= MOST_EDGES
    parts = [
        part
        for each in _grouped(label[small], rest.where(small))
        for part in _communities(each, ordered)
        if len(part) > 1
    ]
    if parts:
        sizes = [len(part) for part in parts]
        found.append((np.concatenate(parts), np.repeat(np.arange(len(parts)), sizes)))
    claims = np.concatenate([part for part, _ in found])
    first = np.cumsum([0, *(rings.max(initial=-1) + 1 for _, rings in found)])
    rings = np.concatenate([rings + at for (_, rings), at in zip(found, first, strict=False)])
    return Parts(claims, rings, len(renumbered(rest.claims[~small])[0]))


def _components(edges: Edges, held: int | None) -> tuple[tuple[Numbers, Numbers], Edges, Numbers]:
    """Returns claims and rings of the components that are held; edges of the others, and of which.

    Args:
        edges: of a graph.
        held: as `HELD`; None to take every component.
    """
    claims, rows = renumbered(edges.claims)
    things, columns = renumbered(edges.things)
    nodes = components(rows, columns + len(claims), len(claims) + len(things))
    label_of = nodes[: len(claims)]
    label = label_of[rows]
    others = np.bincount(columns)[columns] - 1  # claims to which an edge's thing ties its claim
    tied = np.bincount(label, others).astype(np.int64)  # exact below 2^53
    sizes = np.bincount(label_of)
    good = sizes > 1
    if held is not None:
        good &= held * tied >= sizes * (sizes - 1)
    inside = good[label_of]
    left = ~good[label]
    return (claims[inside], renumbered(label_of[inside])[1]), edges.where(left), label[left]


def _among(values: Numbers, others: Numbers) -> Mask:
    """Whether each number stands in another array."""
    there = np.zeros(int(max(values.max(initial=-1), others.max(initial=-1))) + 1, bool)
    there[others] = True
    return there[values]


def _shared(edges: Edges) -> Edges:
    """Returns the edges of things that two claims or more still name."""
    return edges.where(np.bincount(edges.things, minlength=1)[edges.things] > 1)


def _grouped(label: Numbers, edges: Edges) -> Iterator[Edges]:
    """Yields the edges of each component."""
    order = np.argsort(label, kind="stable")
    ends = np.flatnonzero(np.diff(label[order])) + 1
    for each in np.split(order, ends) if len(order) else ():
        yield Edges(edges.claims[each], edges.things[each])


def _communities(edges: Edges, ordered: Ordered) -> Iterator[Numbers]:
    """Yields the claims of each part of a component that is held, or has no parts of its own.

    Modularity does not show small communities in a large graph; within one of its parts it does.
    """
    claims, things = ordered(np.unique(edges.claims), np.unique(edges.things))
    place = {claim: at for at, claim in enumerate(claims.tolist())}
    beside = {thing: at for at, thing in enumerate(things.tolist(), len(claims))}
    whole: Weights = [{} for _ in range(len(claims) + len(things))]
    for claim, thing in zip(edges.claims.tolist(), edges.things.tolist(), strict=True):
        whole[place[claim]][beside[thing]] = whole[beside[thing]][place[claim]] = 1
    waiting: list[list[int]] = [list(range(len(whole)))]
    while waiting:
        nodes = waiting.pop()
        places = {node: at for at, node in enumerate(nodes)}
        weights = [
            {places[other]: 1 for other in sorted(whole[node]) if other in places} for node in nodes
        ]
        inside = bisect_left(nodes, len(claims))
        labels = [] if _held(weights, inside) else communities(weights)
        if max(labels, default=0) == 0:
            yield claims[nodes[:inside]]
            continue
        waiting += [sorted(nodes[at] for at in part) for part in connected(weights, labels)]


def _held(weights: Weights, claims: int) -> bool:
    """Whether things tie enough pairs of claims; the first nodes are claims, the others things."""
    tied = sum(len(each) * (len(each) - 1) for each in weights[claims:])
    return HELD * tied >= claims * (claims - 1)
