"""Plants every edge of every rule, as often as is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from . import accident, auto, auto_records, flight_delay
from .published import PUBLISHED
from .ring_rules import of_rings
from .scheme import Knobs, Planter, Scheme

PACKS: Mapping[str, Mapping[str, Scheme]] = {
    "accident": accident.SCHEMES,
    "auto": auto.SCHEMES | auto_records.SCHEMES,
    "flight_delay": flight_delay.SCHEMES,
}


def plant_edges(planter: Planter, times: int) -> None:
    """Plants published figures once and each edge `times` times, inside and outside.

    Args:
        planter: with the claims of the rings.
        times: 1 or more.
    """
    of_rings(planter)
    for published in PUBLISHED:
        published(planter)
    for _ in range(times):
        for pack, schemes in PACKS.items():
            for rule, scheme in schemes.items():
                for edge, (inside, outside) in scheme.edges.items():
                    name = edge.partition(":")[0]
                    _plant(planter, pack, rule, scheme, name, inside, "lead")
                    _plant(planter, pack, rule, scheme, name, outside, "no-lead")


def _plant(
    planter: Planter,
    pack: str,
    rule: str,
    scheme: Scheme,
    edge: str,
    knobs: Knobs,
    expected: str,
) -> None:
    begun = planter.begin(pack, rule)
    held = scheme.make(planter, **knobs)
    every = range(begun, len(planter.claims))
    # Of a near-miss no claim may be in a lead, also of those that would not be in it otherwise.
    planter.expect(rule, expected, edge, every if held is None or expected != "lead" else held)
    for other in scheme.also:
        planter.expect(other, "either", edge, every)
