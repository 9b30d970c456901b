"""Every planted ring that is a group of claims is found, above what hangs together by chance."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_rules_on_twin import MAPPING, SEED, joined
from twin import make_twin
from twin.schemes import GROUPS

from parties.models.mapping import mapped
from parties.models.rings.finding import find
from parties.models.rings.ring import Found
from parties.models.sandbox import Bounds

CLAIMS, RECORDS = 9_000, 6_000
FIRST = 10


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, dict[str, set[str]]]:
    folder: Path = tmp_path_factory.mktemp("twin")
    made = make_twin(folder, CLAIMS, RECORDS, SEED)
    pq.write_table(joined(made), folder / "joined.parquet")
    (folder / "joined.toml").write_text(MAPPING, encoding="utf-8")
    planted = {ring: claims for (ring, _), claims in made.planted().items()}
    assert len(planted) == len(made.planted())  # one group of each
    return find(mapped([folder / "joined.toml"]), Bounds(), most=FIRST), planted


@pytest.mark.parametrize("ring", GROUPS)
def test_a_planted_ring_is_found_whole_and_among_the_first(
    twin: tuple[Found, dict[str, set[str]]], ring: str
) -> None:
    found, planted = twin
    assert found.loose > CLAIMS * 3 // 4  # all else hangs together, by chance
    (place,) = [each.rank for each in found.rings if set(each.claims) == planted[ring]]
    assert place <= FIRST
