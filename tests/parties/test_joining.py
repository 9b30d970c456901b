"""Room 6: the join is that of plain Python, streams, and is written whole or not at all."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from arro3.core import RecordBatch, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import LocalFault, SourceError
from parties.identifiers import IdentifiedSet, domain, identify
from parties.joining import COLUMNS, Hits, join, write
from parties.settings import IdentifierSettings, SourceSettings
from parties.sources import BATCH_ROWS, ArrowSource, open_source
from psi import _core
from psi.errors import ApiMisuse

PERSON = IdentifierSettings("person", "text", (("insured",), ("driver",)))
PHONE = IdentifierSettings("phone", "phone", (("phone",),))

NAMES = ["ann", "bob", "cid", "dan"]


def element(name: str, spec: IdentifierSettings = PERSON) -> bytes:
    return _core.hash_elements(pa.array([name], pa.large_string()), domain(spec))


def hits_of(
    found: IdentifiedSet,
    theirs: dict[bytes, list[object]] | None,
    wanted: set[bytes],
    *,
    disclosed: bool = True,
) -> Hits:
    """Makes hits as a protocol would: positions, numbers of records, records side by side."""
    elements = [*found.elements]
    places = [at for at, one in enumerate(elements) if one in wanted]
    positions = pa.array(places, pa.uint32())
    if theirs is None:
        return Hits.at(positions, found)
    lists = [theirs[elements[at]] for at in places]
    numbers = np.array([len(one) for one in lists], dtype=np.uint32)
    records = pa.table({"case": pa.array([case for one in lists for case in one], pa.int64())})
    return Hits.at(positions, found, numbers, records if disclosed else None)


def plain_join(
    rows: list[dict[str, object]], theirs: dict[str, list[object]], disclosed: bool
) -> list[tuple[object, ...]]:
    """The join in plain Python: own row, column, own records, their records, case."""
    own = {name: sum(name in (row["insured"], row["driver"]) for row in rows) for name in theirs}
    joined: list[tuple[object, ...]] = []
    for row in rows:
        for column in ("insured", "driver"):
            name = row[column]
            if name not in theirs or (column == "driver" and row["insured"] == name):
                continue
            cases = theirs[name] if disclosed and theirs[name] else [None]
            for case in cases:
                many = (own[name], len(theirs[name]))
                joined.append((row["n"], row["insured"], row["driver"], column, *many, case))
    return joined


@settings(deadline=None, max_examples=200)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([*NAMES, None]), st.sampled_from([*NAMES, None])), min_size=1
    ).filter(lambda rows: any(name for row in rows for name in row)),
    theirs=st.dictionaries(st.sampled_from(NAMES), st.lists(st.integers(0, 99), max_size=4)),
    disclosed=st.booleans(),
    piece=st.integers(1, 9),
)
def test_the_join_is_that_of_plain_python(
    pairs: list[tuple[str | None, str | None]],
    theirs: dict[str, list[object]],
    disclosed: bool,
    piece: int,
) -> None:
    rows: list[dict[str, object]] = [
        {"n": n, "insured": insured, "driver": driver} for n, (insured, driver) in enumerate(pairs)
    ]
    schema = pa.schema([("n", pa.int64()), ("insured", pa.string()), ("driver", pa.string())])
    source = ArrowSource(pa.Table.from_pylist(rows, schema=schema))
    found = identify(source, PERSON)
    by_element = {element(name): cases for name, cases in theirs.items()}
    hits = hits_of(found, by_element, set(by_element), disclosed=disclosed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parties.joining.rows.BATCH_ROWS", piece)
        batches = list(join(source, PERSON, hits, "police"))
    assert all(batch.num_rows <= piece for batch in batches)
    table = pa.table(Table.from_batches(batches))
    added = [*COLUMNS.names, *(["police.case"] if disclosed else [])]
    assert table.schema.names == ["n", "insured", "driver", *added]
    got = [
        (
            row["n"], row["insured"], row["driver"], row["greenlane_column"],
            row["greenlane_own_records"], row["greenlane_their_records"], row.get("police.case"),
        )
        for row in table.to_pylist()
    ]  # fmt: skip
    assert got == plain_join(rows, theirs, disclosed)
    # A batch is read way by way.
    named = dict.fromkeys(element(n) for way in zip(*pairs, strict=True) for n in way if n)
    matched = [one for one in named if one in by_element]
    for row in table.to_pylist():
        name = row[row["greenlane_column"]]
        assert matched[row["greenlane_match"]] == element(name)
        assert row["greenlane_set"] == "person"


def test_rows_of_a_hit_are_as_many_as_the_set_counted() -> None:
    source = ArrowSource(
        pa.table({"insured": ["ann", "bob", "ann", "ann"], "driver": ["ann", "ann", None, "bob"]})
    )
    found = identify(source, PERSON)
    hits = hits_of(found, None, {element("ann"), element("bob")})
    table = pa.table(Table.from_batches(list(join(source, PERSON, hits, "police"))))
    for row in table.to_pylist():
        same = [r for r in table.to_pylist() if r["greenlane_match"] == row["greenlane_match"]]
        assert len(same) == row["greenlane_own_records"]
        assert row["greenlane_their_records"] is None


def test_own_columns_come_out_as_they_stand_in_the_source(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text('phone,note,amount\n138 0013 8000,"a ""b""\n,c",0010\nx,,\n', encoding="utf-8")
    source = open_source(SourceSettings("csv", (path,)))
    found = identify(source, PHONE)
    hits = hits_of(found, None, {element("+8613800138000", PHONE)})
    table = pa.table(Table.from_batches(list(join(source, PHONE, hits, "police"))))
    assert table.select(["phone", "note", "amount"]).to_pylist() == [
        {"phone": "138 0013 8000", "note": 'a "b"\n,c', "amount": "0010"}
    ]


def test_columns_whose_inner_names_differ_are_joined(tmp_path: Path) -> None:
    """A map, whose entries each library calls otherwise, and lists with other field numbers."""
    paths = []
    for number in range(2):
        inner = pa.field("item", pa.int64(), metadata={"PARQUET:field_id": str(7 + number)})
        map_ = pa.map_(pa.string(), pa.int64())
        schema = pa.schema([("phone", pa.string()), ("list", pa.list_(inner)), ("map", map_)])
        row = {"phone": f"1380013800{number}", "list": [1, number], "map": [("a", number)]}
        paths.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.Table.from_pylist([row], schema=schema), paths[-1])
    source = open_source(SourceSettings("parquet", tuple(paths)))
    found = identify(source, PHONE)
    wanted = {element(f"+861380013800{number}", PHONE) for number in range(2)}
    hits = hits_of(found, None, wanted)
    for format in ("parquet", "arrow"):
        assert write(join(source, PHONE, hits, "police"), tmp_path / "x", format) == 2  # type: ignore[arg-type]
    with pa.ipc.open_file(tmp_path / "x") as file:
        joined = file.read_all()
    assert joined["list"].to_pylist() == [[1, 0], [1, 1]]
    assert joined["map"].to_pylist() == [[("a", 0)], [("a", 1)]]


def test_heavy_hitters_are_streamed() -> None:
    """2,000 rows of ours and 50,000 records of theirs are 100 million pairs."""
    source = ArrowSource(pa.table({"phone": [13800138000] * 2000}))
    found = identify(source, PHONE)
    records = pa.table({"case": pa.array(range(50_000), pa.int64())})
    hits = Hits.at(pa.array([0], pa.uint32()), found, np.array([50_000]), records)
    before = pa.total_allocated_bytes()
    batches = join(source, PHONE, hits, "police")
    peak = rows = 0
    for batch in batches:
        assert batch.num_rows <= BATCH_ROWS
        peak = max(peak, pa.total_allocated_bytes() - before)
        rows += batch.num_rows
        if rows > 2_000_000:
            break
    batches.close()  # type: ignore[attr-defined]
    assert peak < 100 << 20


def test_a_source_that_changed_before_the_join_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text("phone\n13800138000\n")
    source = open_source(SourceSettings("csv", (path,)))
    found = identify(source, PHONE)
    path.write_text("phone\n13800138001\n")
    hits = hits_of(found, None, {element("+8613800138000", PHONE)})
    with pytest.raises(SourceError, match="changed while it was in use"):
        list(join(source, PHONE, hits, "police"))


def test_without_hits_there_are_columns_and_no_rows() -> None:
    source = ArrowSource(pa.table({"phone": ["13800138000"]}))
    found = identify(source, PHONE)
    (batch,) = join(source, PHONE, Hits.at(pa.array([], pa.uint32()), found), "police")
    assert batch.num_rows == 0
    assert batch.schema.names == ["phone", *COLUMNS.names]


@pytest.mark.parametrize("name", ["greenlane_match", "police.case"])
def test_a_column_with_a_name_that_the_join_adds_is_refused(name: str) -> None:
    source = ArrowSource(pa.table({"phone": ["13800138000"], name: ["secret"]}), "claims")
    hits = hits_of(
        identify(source, PHONE),
        {element("+8613800138000", PHONE): [1]},
        {element("+8613800138000", PHONE)},
    )
    with pytest.raises(SourceError, match=f"claims: the join adds a column '{name}'"):
        join(source, PHONE, hits, "police")


def test_arguments_that_do_not_fit_each_other_are_refused() -> None:
    source = ArrowSource(pa.table({"phone": ["13800138000", "13800138001"]}))
    found = identify(source, PHONE)
    one = pa.array([1], pa.uint32())
    for positions in ([1, 0], [0, 0], [2]):
        with pytest.raises(ApiMisuse, match="ascend and lie within"):
            Hits.at(pa.array(positions, pa.uint32()), found)
    with pytest.raises(ApiMisuse, match="as many numbers"):
        Hits.at(one, found, np.array([1, 2]))
    with pytest.raises(ApiMisuse, match="add up to"):
        Hits.at(one, found, np.array([2]), pa.table({"case": [1]}))
    with pytest.raises(ApiMisuse, match="add up to"):
        Hits.at(one, found, None, pa.table({"case": [1]}))
    assert "elements" not in repr(Hits.at(one, found))


# --- files ---


def as_given(batch: pa.RecordBatch) -> RecordBatch:
    """Returns a batch as rooms give it on."""
    return RecordBatch.from_arrow(batch)


def some() -> Iterator[RecordBatch]:
    schema = pa.schema(
        [
            ("id", pa.large_string()),
            ("n", pa.int64()),
            ("kind", pa.dictionary(pa.int32(), pa.string())),
        ]
    )
    yield as_given(pa.RecordBatch.from_pylist([], schema=schema))
    for text, kind in [('007,"x"\r\n é', "a"), (None, "b"), ("", "c")]:
        rows = [{"id": text, "n": 1, "kind": kind}]
        yield as_given(pa.RecordBatch.from_pylist(rows, schema=schema))


EXPECTED = {"id": ['007,"x"\r\n é', None, ""], "n": [1, 1, 1], "kind": ["a", "b", "c"]}


def test_results_are_read_back_from_every_format(tmp_path: Path) -> None:
    for format in ("parquet", "csv", "arrow"):
        assert write(some(), tmp_path / f"x.{format}", format) == 3  # type: ignore[arg-type]
    parquet = pq.ParquetFile(tmp_path / "x.parquet")
    assert parquet.metadata.num_row_groups == 1  # small batches are written together
    assert parquet.read().to_pydict() == EXPECTED
    with pa.ipc.open_file(tmp_path / "x.arrow") as file:
        assert file.read_all().to_pydict() == EXPECTED
    data = (tmp_path / "x.csv").read_bytes()
    assert data == '"id","n","kind"\n"007,""x""\r\n é",1,"a"\n,1,"b"\n"",1,"c"\n'.encode()
    options = arrow_csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, column_types={"n": pa.int64()}
    )
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    again = arrow_csv.read_csv(tmp_path / "x.csv", parse_options=parse, convert_options=options)
    assert again.to_pydict() == EXPECTED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.arrow", "x.csv", "x.parquet"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("format", ["parquet", "csv", "arrow"])
def test_a_result_without_rows_has_its_columns(tmp_path: Path, format: str) -> None:
    schema = pa.schema([("id", pa.large_string())])
    empty = as_given(pa.RecordBatch.from_pylist([], schema=schema))
    assert write(iter([empty]), tmp_path / "x", format) == 0  # type: ignore[arg-type]
    if format == "parquet":
        assert pq.read_table(tmp_path / "x").schema.names == ["id"]
    if format == "csv":
        assert (tmp_path / "x").read_bytes() == b'"id"\n'


@pytest.mark.parametrize("format", ["parquet", "csv", "arrow"])
@pytest.mark.parametrize("error", [SourceError("claims.csv: row 7 is bad"), KeyboardInterrupt()])
def test_what_stops_half_way_leaves_the_earlier_file_and_nothing_else(
    tmp_path: Path, format: str, error: BaseException
) -> None:
    path = tmp_path / "x"
    path.write_text("earlier")

    def broken() -> Iterator[RecordBatch]:
        yield from some()
        raise error

    with pytest.raises(type(error)):
        write(broken(), path, format)  # type: ignore[arg-type]
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


FULL = """
import resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from arro3.core import RecordBatch
from parties.errors import LocalFault
from parties.joining import write

noise = np.random.default_rng(1).integers(0, 2**62, 200_000)
batch = RecordBatch.from_arrow(pa.record_batch({"n": noise}))
# The system refuses to write more than this to a file, as it does on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    write(iter([batch, batch]), Path(sys.argv[1]), sys.argv[2])
except LocalFault as fault:
    print(fault)
"""


@pytest.mark.parametrize("format", ["parquet", "csv", "arrow"])
def test_a_full_disk_is_a_fault_of_this_machine(tmp_path: Path, format: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "x"), format],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.stdout, run.stderr) == ("x cannot be written: File too large\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="x cannot be written: No such file or directory"):
        write(some(), tmp_path / "nothing" / "x", "csv")


def test_a_folder_in_the_place_of_the_file_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(LocalFault, match="x cannot be written: Is a directory"):
        write(some(), tmp_path / "x", "csv")
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([["a"]]),
        pa.array([{"a": 1}]),
        pa.array([b"\xff"]),
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        pa.array(["{}"], pa.json_()),
        pa.array([0], pa.timestamp("s", "no such zone")),
    ],
)
def test_a_column_that_csv_cannot_hold_is_refused(tmp_path: Path, column: pa.Array) -> None:
    batch = pa.record_batch({"x": column})
    with pytest.raises(SourceError, match=r"column 'x' is .*write Parquet or Arrow instead"):
        write(iter([batch]), tmp_path / "x", "csv")
    assert write(iter([batch]), tmp_path / "y", "arrow") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["y"]
