"""The kernels of the join agree with numpy and with pyarrow's writer of CSV, byte for byte.

Random cases are numpy's under a seed that is the name of the test's case.
"""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest

from parties.joining.delimited import CsvWriter
from psi import _core

Numbers = npt.NDArray[np.integer]

# --- hits ---


def found(places: list[Numbers], positions: Numbers, elements: int) -> list[Numbers]:
    """Row, way and match of each hit, by numpy."""
    table = np.full(elements + 1, -1)  # the last is for `NOWHERE`
    table[positions] = np.arange(positions.size)
    by_row = np.stack([table.take(way, mode="clip") for way in places], axis=1)
    at = np.flatnonzero(by_row >= 0)
    rows, ways = np.divmod(at, len(places))
    return [rows, ways, by_row.ravel()[at]]


@pytest.mark.parametrize("seed", range(60))
def test_hits_are_those_of_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    elements, rows, ways = rng.integers(1, 500), rng.integers(0, 200), rng.integers(1, 4)
    places = [rng.integers(0, elements, rows, dtype=np.uint32) for _ in range(ways)]
    for way in places:
        way[rng.random(rows) < 0.3] = _core.NOWHERE
    positions = np.flatnonzero(rng.random(elements) < rng.random())
    matched = _core.Matched(pa.array(positions, pa.uint32()), elements)
    hits = matched.find([pa.array(way) for way in places])
    assert [pa.array(each).type for each in hits] == [pa.uint32(), pa.uint32(), pa.int64()]
    for got, expected in zip(hits, found(places, positions, elements), strict=True):
        assert got.to_pylist() == expected.tolist()


def test_places_that_are_none_are_refused() -> None:
    matched = _core.Matched(pa.array([0], pa.uint32()), 2)
    with pytest.raises(ValueError, match="places: index 2 in a batch of 2"):
        matched.find([pa.array([0, 2], pa.uint32())])
    with pytest.raises(ValueError, match="places: length 0, expected 1"):
        matched.find([pa.array([0], pa.uint32()), pa.array([], pa.uint32())])
    with pytest.raises(TypeError, match="an array of UInt32 is due"):
        matched.find([pa.array([0], pa.int32())])
    with pytest.raises(ValueError, match="positions: index 2 in a batch of 2"):
        _core.Matched(pa.array([0, 2], pa.uint32()), 2)
    with pytest.raises(TypeError, match="an array of UInt32 is due"):
        _core.Matched(pa.array([0], pa.int32()), 2)


# --- rows as text ---

PIECES = ["a", '"', ",", "\n", "\r\n", "京A", "é", "𠮷", " ", "=1", "", "x" * 31, "y" * 33, "\0"]
VALUES = {
    pa.int64(): [-(2**63), 2**63 - 1, -1, 0, 9, 10, 99, 100, 10**18],
    pa.uint32(): [2**32 - 1, 0, 1, 10, 4_000_000_000],
    pa.int8(): [-128, 0, 127],
    pa.uint64(): [2**64 - 1, 0],
    pa.float64(): [1.5, -0.0, float("nan"), float("-inf"), 1e300, 1e-7],
    pa.bool_(): [True, False],
    pa.date32(): [-719_162, 0, 20_000],
    pa.timestamp("us"): [0, -1, 1_577_840_523_000_004],
    pa.timestamp("s", "Asia/Shanghai"): [0, 1_577_840_523],
    pa.time64("us"): [0, 86_399_999_999],
    pa.duration("ms"): [-1, 0, 5],
    pa.decimal128(9, 2): [Decimal("0.00"), Decimal("-0.01"), Decimal("1234567.89")],
    pa.decimal128(9, -2): [Decimal(0), Decimal(100), Decimal(-4500)],
    pa.null(): [None],
}


def by_pyarrow(batches: list[pa.RecordBatch]) -> bytes:
    file = io.BytesIO()
    with arrow_csv.CSVWriter(file, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return file.getvalue()


def by_kernel(batches: list[pa.RecordBatch]) -> bytes:
    file = io.BytesIO()
    writer = CsvWriter(file, batches[0].schema)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()
    return file.getvalue()


def column(rng: np.random.Generator, kind: pa.DataType, rows: int) -> pa.Array:
    """Random cells, some of them null, in the middle of a longer array."""
    before, behind = rng.integers(0, 9, 2)
    pieces = PIECES if rng.random() < 0.7 else ["a", "bc", "京"]
    gone = rng.choice([0, 0.3, 1])
    cells = [
        None
        if rng.random() < gone
        else VALUES[kind][rng.integers(len(VALUES[kind]))]
        if kind in VALUES
        else "".join(rng.choice(pieces, rng.integers(0, 5)))
        for _ in range(before + rows + behind)
    ]
    return pa.array(cells, kind).slice(before, rows)


@pytest.mark.parametrize("seed", range(120))
def test_rows_are_written_as_pyarrow_writes_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: list[pa.DataType] = [pa.large_string(), pa.string(), *VALUES]
    if seed % 2:
        kinds = [pa.large_string(), pa.int64(), pa.uint32()]
    picked = [kinds[rng.integers(len(kinds))] for _ in range(rng.integers(1, 8))]
    names = [f"{at}{rng.choice(PIECES)}" for at in range(len(picked))]
    batches = [
        pa.RecordBatch.from_arrays([column(rng, kind, rows) for kind in picked], names)
        for rows in rng.integers(0, 40, rng.integers(1, 4))
    ]
    assert by_kernel(batches) == by_pyarrow(batches)


def test_rows_of_several_pieces_are_written_as_pyarrow_writes_them() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(-(2**63), 2**63 - 1, 20_001)
    batch = pa.record_batch(
        {
            "n": numbers,
            "t": pa.array([f'{n}"{"x" * (n % 40)}' for n in numbers.tolist()], pa.large_string()),
            "u": pa.array(numbers >> 40 & 0xFFFFFF, pa.uint32()),
        }
    )
    assert by_kernel([batch, batch.slice(5, 9000)]) == by_pyarrow([batch, batch.slice(5, 9000)])


def test_columns_that_are_none_are_refused() -> None:
    one, two = pa.array([1]), pa.array([1, 2])
    with pytest.raises(ValueError, match="columns: length 2, expected 1"):
        _core.write_rows([one, two], [False, False])
    with pytest.raises(ValueError, match="quoted: length 1, expected 2"):
        _core.write_rows([one, one], [False])
    with pytest.raises(TypeError, match="an array of large_string is due"):
        _core.write_rows([pa.array([1.5])], [False])
    damaged = pa.Array.from_buffers(
        pa.large_string(), 1, [None, pa.py_buffer(np.array([0, 1])), pa.py_buffer(b"\xff")]
    )
    for quoted in (True, False):
        with pytest.raises(ValueError, match="a text is not UTF-8"):
            _core.write_rows([damaged], [quoted])
