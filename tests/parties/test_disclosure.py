"""What leaves a node for matches: the agreed columns as they stand in the rows, nothing else."""

from __future__ import annotations

import datetime
import os
import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from parties.disclosure import STEP, TYPES, WIDEST, Column, disclosed, records, table
from parties.errors import SourceError
from parties.identifiers import domain, identify
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource
from psi import _core
from psi.errors import MalformedMessage

PLATE = IdentifierSettings("plate", "plate", (("plate",), ("other",)))
ROWS = {
    "plate": ["浙A12345", "浙A·12345", None, "粤BD12345", "nothing"],
    "other": [None, "粤BD12345", "浙A12345", "粤BD12345", None],
    "note": ["ä", None, "", "七个字符的文本", "never"],
    "amount": [1.5, None, -0.0, 1e300, 0.1],
    "number": [1, None, -(2**63), 2**63 - 1, 0],
    "day": [
        datetime.date(2024, 2, 29),
        None,
        datetime.date(1, 1, 1),
        datetime.date(9999, 12, 31),
        None,
    ],
    "time": [datetime.datetime(2024, 1, 1, 12, 30, 0, 123456), None, datetime.datetime(1900, 1, 1)]
    + [None] * 2,
    "flag": [True, False, None, True, None],
}
NAMES = ("note", "amount", "number", "day", "time", "flag")


@pytest.fixture(scope="module")
def source() -> ArrowSource:
    return ArrowSource(pa.table(ROWS), "claims")


def test_columns_cross_with_their_types(source: ArrowSource) -> None:
    kinds = {each.name: each.type for each in disclosed(source, NAMES)}
    assert kinds == {
        "note": "text",
        "amount": "number",
        "number": "whole",
        "day": "date",
        "time": "time",
        "flag": "flag",
    }


@pytest.mark.parametrize(
    ("kind", "crosses"),
    [
        (pa.string(), "text"),
        (pa.dictionary(pa.int32(), pa.string()), "text"),
        (pa.decimal128(20, 2), "text"),
        (pa.uint64(), "text"),
        (pa.timestamp("s", "UTC"), "text"),
        (pa.uint32(), "whole"),
        (pa.int8(), "whole"),
        (pa.float32(), "number"),
        (pa.timestamp("s"), "time"),
        (pa.timestamp("ns"), "time"),
        (pa.date64(), "text"),
        (pa.null(), "text"),
    ],
)
def test_other_types_cross_as_the_nearest_or_as_text(kind: pa.DataType, crosses: str) -> None:
    rows = pa.table({"x": pa.nulls(2, kind), "plate": ["浙A12345", None], "other": ["", None]})
    source = ArrowSource(rows, "claims")
    columns = disclosed(source, ["x"])
    assert columns == (Column("x", crosses),)
    labels = records(source, PLATE, identify(source, PLATE), columns)
    told = table(labels.block, columns)
    assert told["x"].to_pylist() == [None]


def test_a_column_that_is_not_there_is_named(source: ArrowSource) -> None:
    with pytest.raises(SourceError, match="claims: there is no column 'sum' to disclose; correct"):
        disclosed(source, ["note", "sum"])


def test_each_row_that_names_an_identifier_is_a_record_with_the_agreed_columns(
    source: ArrowSource,
) -> None:
    columns = disclosed(source, NAMES)
    own = identify(source, PLATE)
    labels = records(source, PLATE, own, columns)
    told = table(labels.block, columns)
    assert told is not None
    assert told.schema.types == [pa.field(TYPES[each.type]).type for each in columns]
    shown = Counter(
        (own.elements[position], tuple(row.values()))
        for position, row in zip(labels.positions, told.to_pylist(), strict=True)
    )
    due = Counter[Any]()
    for row in range(len(ROWS["plate"])):
        named = {_element(ROWS[column][row]) for column in ("plate", "other")} - {None}
        cells = tuple(ROWS[name][row] for name in NAMES)
        # Text that crosses cannot tell an empty cell from none.
        due.update((element, cells) for element in named)
    assert _without_empty(shown) == _without_empty(due)
    assert labels.width % STEP == 0


def _element(cell: Any) -> bytes | None:
    values, _, _ = _core.normalise("plate", pa.array([cell], pa.large_string()))
    return None if values.null_count else _core.hash_elements(values, domain(PLATE))


def _without_empty(records: Counter[Any]) -> Counter[Any]:
    result = Counter[Any]()
    for (element, cells), count in records.items():
        result[element, tuple(None if cell == "" else cell for cell in cells)] += count
    return result


def test_without_columns_a_record_has_no_label(source: ArrowSource) -> None:
    own = identify(source, PLATE)
    labels = records(source, PLATE, own, ())
    assert labels.width == 0
    assert len(labels) == sum(own.counts.to_pylist())


def test_all_labels_have_the_width_of_the_longest() -> None:
    """The rows of one batch and of the next; the peer learns the longest of all, to 16 bytes."""
    rows = pa.table(
        {"plate": ["浙A12345", "粤BD12345"], "other": ["", ""], "note": ["a", "b" * 100]}
    )
    source = ArrowSource(rows, "claims")
    columns = disclosed(source, ["note"])
    labels = records(source, PLATE, identify(source, PLATE), columns)
    assert labels.block.shape == (2, 112)
    told = table(labels.block, columns)
    assert told is not None
    assert sorted(told["note"].to_pylist()) == ["a", "b" * 100]


def test_a_row_that_is_too_long_to_leave_is_refused_without_showing_it() -> None:
    secret = "x" * (WIDEST + 1)
    rows = pa.table({"plate": ["浙A12345"], "other": [""], "note": [secret]})
    source = ArrowSource(rows, "claims")
    own = identify(source, PLATE)
    with pytest.raises(SourceError, match="need 1040 bytes in one row, at most 1024") as error:
        records(source, PLATE, own, disclosed(source, ["note"]))
    assert "xx" not in str(error.value)


def test_no_label_raises_anything_but_that_it_is_malformed() -> None:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    draw = random.Random(seed)
    columns = [Column(kind, kind) for kind in TYPES]
    texts = [
        pa.array([text], pa.large_string())
        for text in ("a", "1", "0.5", "true", "2024-01-01", "2024-01-01")
    ]
    good = _core.pack_labels(texts, 64)
    block = np.frombuffer(good, np.uint8).reshape(1, 64)
    assert table(block, columns) is not None
    texts_of_errors = set[str]()
    for _ in range(2000):
        spoilt = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            spoilt[draw.randrange(64)] = draw.randrange(256)
        label = np.frombuffer(bytes(spoilt), np.uint8).reshape(1, 64)
        try:
            table(label, columns)
        except MalformedMessage as error:
            texts_of_errors.add(str(error))
    assert texts_of_errors == {"a label does not hold the columns that were agreed"}


def test_no_matches_are_a_table_without_rows() -> None:
    columns = [Column("a", "text"), Column("b", "time")]
    told = table(np.empty((0, 32), np.uint8), columns)
    assert told is not None
    assert told.schema.types == [pa.large_string(), pa.timestamp("us")]
    assert told.num_rows == 0


@pytest.mark.parametrize(
    "values",
    [
        pa.array([["a"], ["b"]]),
        pa.array([{"a": 1}, None]),
        pa.array([b"\xff", b"a"]),
    ],
    ids=["list", "struct", "bytes"],
)
def test_a_column_that_cannot_cross_is_refused_before_a_run(values: pa.Array) -> None:
    with pytest.raises(SourceError, match="cannot be disclosed"):
        disclosed(ArrowSource(pa.table({"x": values})), ["x"])


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["x" * 70_000, "a"]),
        pa.array([1, 2], pa.timestamp("ns")),
        pa.array([1 << 62, 2], pa.timestamp("s")),
    ],
    ids=["long", "too fine a time", "a time out of range"],
)
def test_a_value_that_cannot_cross_is_the_sources_fault(values: pa.Array) -> None:
    table = pa.table({"plate": ["浙A12345", "浙A12346"], "x": values})
    source = ArrowSource(table)
    spec = IdentifierSettings("plate", "plate", (("plate",),))
    with pytest.raises(SourceError, match="out of range or too long") as refused:
        records(source, spec, identify(source, spec), disclosed(source, ["x"]))
    assert refused.value.__context__ is None
