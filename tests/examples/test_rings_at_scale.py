"""Of a million claims every planted ring is found whole, before all that chance makes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.parquet as pq
import pytest
from test_rules_on_twin import MAPPING, SEED, joined
from twin import make_twin
from twin.schemes import GROUPS

MILLION: Final = 1_000_000
CPU_SECONDS: Final = 10
"""Of processor time: some 7 on the machine on which it was set, from the first row on."""
PEAK_MB: Final = 2048
"""Half of what a node may take."""

pytestmark = pytest.mark.study


class Scale(NamedTuple):
    """What the command told and took."""

    told: dict[str, Any]
    planted: list[frozenset[str]]
    cpu: float
    peak_mb: float


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    folder: Path = tmp_path_factory.mktemp("twin")
    made = make_twin(folder, MILLION, MILLION, SEED)
    pq.write_table(joined(made), folder / "joined.parquet")
    (folder / "joined.toml").write_text(MAPPING, encoding="utf-8")
    planted = [frozenset(row) for (ring, _), row in made.planted().items() if ring in GROUPS]
    command = [sys.executable, "-m", "parties", "models", "rings", "--most", "100", "--json"]
    command += ["--data", str(folder / "joined.toml"), "--page", str(folder / "rings.html")]
    told = folder / "told.json"
    flags = os.O_WRONLY | os.O_CREAT
    prints = [(os.POSIX_SPAWN_OPEN, 1, str(told), flags, 0o600)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=prints)
    _, status, used = os.wait4(process, 0)
    assert status == 0
    cpu = used.ru_utime + used.ru_stime
    found = json.loads(told.read_bytes())
    return Scale(found, planted, cpu, used.ru_maxrss / 1024)


def test_planted_rings_are_the_first_and_whole(scale: Scale) -> None:
    print(f"{scale.cpu:.1f} s of CPU, {scale.peak_mb:.0f} MB, {scale.told['rings_found']} rings")
    first = [frozenset(each["claims"]) for each in scale.told["rings"][: len(scale.planted)]]
    assert len(scale.planted) == 6 * len(GROUPS)
    assert set(first) == set(scale.planted)
    assert all(each["beyond_chance"] for each in scale.told["rings"][: len(first)])


def test_what_is_told_is_what_is_looked_up(scale: Scale) -> None:
    """Rings are found in arrays: objects are made of the few that are told."""
    assert len(scale.told["rings"]) == 100 < scale.told["rings_found"]
    assert scale.told["loose"] > MILLION * 9 // 10
    assert scale.peak_mb < PEAK_MB
    assert scale.cpu < CPU_SECONDS
