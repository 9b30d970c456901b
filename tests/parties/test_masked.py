"""A masked list: one row for each match, and of an identifier never more than half."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as some

from parties.identifiers import RejectReport, identify
from parties.joining import Hits, masked, write
from parties.joining.masked import COLUMNS, mask
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource

PLATE = IdentifierSettings("plate", "plate", (("plate",), ("other",)))
ROWS = {
    "plate": ["浙A·12345", None, "浙A12345", "京C99999", "粤BD12345"],
    "other": [None, "粤BD12345", None, "浙A12345", None],
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a", "*"),
        ("ab", "**"),
        ("abc", "a**"),
        ("浙A12345", "浙A****5"),
        ("13800138000", "138*******0"),
        ("11010519491231002X", "1101***********02X"),
        ("1M8GDM9AXKP042788", "1M8G***********88"),
    ],
)
def test_the_middle_is_hidden(text: str, shown: str) -> None:
    assert mask(text) == shown


@given(some.text(max_size=200))
def test_at_least_half_is_hidden_and_the_length_stays(text: str) -> None:
    shown = mask(text)
    assert len(shown) == len(text)
    kept = sum(one == other for one, other in zip(shown, text, strict=True) if other != "*")
    assert 2 * kept <= len(text)


def the_list(positions: list[int], path: Path) -> list[dict[str, object]]:
    source = ArrowSource(pa.table(ROWS), "rows")
    with RejectReport(path) as report:
        own = identify(source, PLATE, report)
    assert len(own) == 3
    hits = Hits.at(pa.array(positions, pa.uint32()), own)
    count = write(masked(source, PLATE, hits), path / "list", "parquet")
    assert count == len(positions)
    table = pq.read_table(path / "list")
    assert table.column_names == COLUMNS.names
    return table.to_pylist()


def test_each_match_stands_once_as_in_the_first_row_that_names_it(tmp_path: Path) -> None:
    rows = the_list([0, 1, 2], tmp_path)
    assert sorted(each["greenlane_match"] for each in rows) == [0, 1, 2]
    assert [(each["greenlane_identifier"], each["greenlane_own_records"]) for each in rows] == [
        ("浙A*****5", 3),
        ("粤B*****5", 2),
        ("京C****9", 1),
    ]
    assert {each["greenlane_set"] for each in rows} == {"plate"}


def test_a_list_without_a_match_has_its_columns(tmp_path: Path) -> None:
    assert the_list([], tmp_path) == []


def test_parts_of_a_composite_are_masked_each(tmp_path: Path) -> None:
    spec = IdentifierSettings("x", "composite", (("plate", "other"),), ("plate", "text"))
    source = ArrowSource(pa.table({"plate": ["浙A12345"], "other": ["abcd"]}), "rows")
    with RejectReport(tmp_path) as report:
        own = identify(source, spec, report)
    hits = Hits.at(pa.array([0], pa.uint32()), own)
    (batch,) = masked(source, spec, hits)
    assert batch.column("greenlane_identifier")[0].as_py() == "浙A****5+a***"
