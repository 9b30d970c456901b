"""Every planted ring that is a group of claims is found, above what hangs together by chance."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_rules_on_twin import MAPPING, SEED, joined
from twin import make_twin

from parties.models.mapping import mapped
from parties.models.rings.finding import find
from parties.models.rings.ring import Found
from parties.models.sandbox import Bounds

CLAIMS, RECORDS = 9_000, 6_000
GROUPS = (
    "one-shop-nine-cars",
    "one-driver-many-plates",
    "family-many-places",
    "one-phone-many-claimants",
    "one-injured-many-provinces",
)
"""Rings that things tie; of the others each claim stands alone, or its flight ties it."""
FIRST = 10


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, dict[str, set[str]]]:
    folder: Path = tmp_path_factory.mktemp("twin")
    made = make_twin(folder, CLAIMS, RECORDS, SEED)
    pq.write_table(joined(made), folder / "joined.parquet")
    (folder / "joined.toml").write_text(MAPPING, encoding="utf-8")
    planted: dict[str, set[str]] = {}
    for row in pq.read_table(folder / "rings.parquet").to_pylist():
        if row["file"] == "claims":
            planted.setdefault(row["ring"], set()).add(row["row_no"])
    return find(mapped([folder / "joined.toml"]), Bounds(), most=FIRST), planted


@pytest.mark.parametrize("ring", GROUPS)
def test_a_planted_ring_is_found_whole_and_among_the_first(
    twin: tuple[Found, dict[str, set[str]]], ring: str
) -> None:
    found, planted = twin
    assert found.loose > CLAIMS * 3 // 4  # all else hangs together, by chance
    (place,) = [each.rank for each in found.rings if set(each.claims) == planted[ring]]
    assert place <= FIRST
