"""The graph of claims and things, and which claims belong together in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import rustworkx

from parties.models.rings.communities import Weights, communities, connected
from parties.models.rings.ties import Edges, Numbers

Graph: TypeAlias = "rustworkx.PyGraph[Any, Any]"

HELD: Final = 4
"""A component is one ring if things tie at least one in so many pairs of its claims. A ring around
four people or phones, each of which ties a quarter of the claims, is just held: 4 x (1/4)^2. Claims
that hang together in chains, as those of strangers who once shared a car, are not."""
STEP: Final = 1 << 16
"""Edges that are Python objects at once, on their way into the graph: some 10 MB."""


def split(edges: Edges) -> Iterator[Numbers]:
    """Yields the claims of each ring, ascending; rings in order of their first claims.

    Args:
        edges: which claim names which thing.
    """
    claims, rows = np.unique(edges.claims, return_inverse=True)
    things, columns = np.unique(edges.things, return_inverse=True)
    graph: Graph = rustworkx.PyGraph()
    graph.add_nodes_from([None] * (len(claims) + len(things)))
    for at in range(0, len(rows), STEP):
        ends = rows[at : at + STEP].tolist(), (columns[at : at + STEP] + len(claims)).tolist()
        graph.add_edges_from_no_data(list(zip(*ends, strict=True)))
    found = [
        sorted(node for node in part if node < len(claims))
        for whole in rustworkx.connected_components(graph)
        for part in _parts(graph, whole, len(claims))
    ]
    for each in sorted(part for part in found if len(part) > 1):
        yield claims[each]


def _parts(graph: Graph, whole: Collection[int], claims: int) -> Iterator[Collection[int]]:
    """Splits a component into parts that are held, or have no parts of their own.

    Modularity has a limit of its own: in a large graph small communities do not show (Fortunato and
    Barthélemy, 2007). Within one of them they do.
    """
    waiting = [whole]
    while waiting:
        nodes = waiting.pop()
        ordered = sorted(nodes)
        places = {node: place for place, node in enumerate(ordered)}
        weights = [
            {places[each]: 1 for each in graph.neighbors(node) if each in places}
            for node in ordered
        ]
        if _held(weights, bisect_left(ordered, claims)):
            yield nodes
            continue
        labels = communities(weights)
        if max(labels) == 0:
            yield nodes
            continue
        waiting += [[ordered[place] for place in part] for part in connected(weights, labels)]


def _held(weights: Weights, claims: int) -> bool:
    """Whether things tie enough pairs of claims; the first nodes are claims, the others things."""
    tied = sum(len(each) * (len(each) - 1) for each in weights[claims:])
    return HELD * tied >= claims * (claims - 1)
