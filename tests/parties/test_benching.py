"""`greenlane bench`: what it says of a run is what the run was."""

from __future__ import annotations

from typing import Literal

import pytest

from parties.benching import Bench, measure
from psi import PROTOCOLS
from psi.subprotocols.decoys import DECOYS


@pytest.mark.parametrize("meeting", ["memory", "turns", "tls"])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_bench_of_several_runs_is_told_as_one(
    name: str, meeting: Literal["tls", "memory", "turns"]
) -> None:
    taken = measure(Bench(name, 300, 200, 1, meeting, runs=3))
    assert (taken["protocol"], taken["meeting"], taken["runs"]) == (name, meeting, 3)
    assert taken["matches"] == taken["expected"] == 100
    promised = PROTOCOLS[name].traffic(300 + DECOYS, 200 + DECOYS)
    # Of one run, and without padding: three of them would be thrice as much.
    assert taken["receiver_sent_bytes"] == pytest.approx(promised.receiver, rel=0.01, abs=1024)
    assert taken["sender_sent_bytes"] == pytest.approx(promised.sender, rel=0.01, abs=1024)
    for role in ("receiver", "sender"):
        assert 0 < taken[f"{role}_base_mb"] <= taken[f"{role}_peak_mb"]
        assert 0 < taken[f"{role}_cpu_seconds"] < 60
    assert 0 < taken["seconds"] < 60
