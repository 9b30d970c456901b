"""Splits a component that is held together here and there into parts that are so throughout.

The method is that of Blondel, Guillaume, Lambiotte and Lefebvre, "Fast unfolding of communities in
large networks" (2008): nodes move to the community of a neighbour while modularity grows, then each
community becomes a node. All numbers are whole, so that a gain is a gain on every machine, and it
ends because modularity grows with every move.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

Weights: TypeAlias = Sequence[dict[int, int]]
"""Node -> neighbour -> weight of the edge; both ways. A node's edge to itself counts both ends."""


def communities(weights: Weights) -> list[int]:
    """Returns the community of each node: numbers from 0, in order of their first nodes.

    Nodes are visited in order, and of equal gains the lowest community is taken, so that the same
    graph has the same communities.
    """
    found = list(range(len(weights)))
    while True:
        labels = _settled(weights)
        if len(set(labels)) == len(weights):
            return found
        found = [labels[each] for each in found]
        weights = _folded(weights, labels)


def connected(weights: Weights, labels: Sequence[int]) -> list[list[int]]:
    """Returns the nodes of each community, in as many lists as it has components.

    A community may hang together by nodes alone that have left it.
    """
    seen, parts = [False] * len(weights), []
    for first in range(len(weights)):
        if seen[first]:
            continue
        seen[first], part = True, [first]
        for node in part:  # it grows meanwhile
            for other in weights[node]:
                if not seen[other] and labels[other] == labels[first]:
                    seen[other] = True
                    part.append(other)
        parts.append(part)
    return parts


def _settled(weights: Weights) -> list[int]:
    """Moves nodes until no move gains anything; only where a neighbour moved is looked again."""
    degrees = [sum(each.values()) for each in weights]
    whole, labels, totals = sum(degrees), list(range(len(weights))), list(degrees)
    waiting, queue = [True] * len(weights), deque(range(len(weights)))
    while queue:
        node = queue.popleft()
        waiting[node] = False
        neighbours, old, degree = weights[node], labels[node], degrees[node]
        near: dict[int, int] = {}
        for other, weight in neighbours.items():
            label = labels[other]
            near[label] = near.get(label, 0) + weight
        here = near.pop(old, 0) - neighbours.get(node, 0)
        new, best = old, here * whole - (totals[old] - degree) * degree
        for label, weight in near.items():
            gain = weight * whole - totals[label] * degree
            if gain > best or (gain == best and old != new > label):
                new, best = label, gain
        if new == old:
            continue
        totals[old] -= degree
        totals[new] += degree
        labels[node] = new
        for other in neighbours:
            if labels[other] != new and not waiting[other]:
                waiting[other] = True
                queue.append(other)
    return _numbered(labels)


def _numbered(labels: Sequence[int]) -> list[int]:
    numbers: dict[int, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]


def _folded(weights: Weights, labels: Sequence[int]) -> Weights:
    """Makes a node of each community."""
    folded: list[dict[int, int]] = [{} for _ in range(max(labels) + 1)]
    for node, neighbours in enumerate(weights):
        row = folded[labels[node]]
        for other, weight in neighbours.items():
            row[labels[other]] = row.get(labels[other], 0) + weight
    return folded
