"""Room 1: every kind of source gives the same rows in every pass, and refuses bad ones clearly."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arro3.core import DataType
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import SourceError
from parties.settings import SourceSettings
from parties.sources import (
    BATCH_ROWS,
    ArrowSource,
    Source,
    delimited_rows,
    delimited_text,
    open_source,
)
from parties.sources.parquet import ParquetSource
from psi import _core

SECRET = "11010519491231002X"


def delimited(path: Path, data: bytes, encoding: str = "utf-8", delimiter: str = ",") -> Source:
    path.write_bytes(data)
    return open_source(SourceSettings("csv", (path,), encoding, delimiter))  # type: ignore[arg-type]


def rows_of(source: Source, columns: list[str] | None = None) -> list[dict[str, object]]:
    return [row for batch in source.batches(columns) for row in pa.record_batch(batch).to_pylist()]


def refusal(make: object, *, secret: str = SECRET) -> str:
    """Runs what must be refused, and returns the text once it is sure that it holds no value."""
    with pytest.raises(SourceError) as caught:
        make()  # type: ignore[operator]
    text = str(caught.value)
    assert secret not in text
    assert "\n" not in text
    # A chained error would carry the value into every trace.
    assert caught.value.__cause__ is None
    context = caught.value.__context__
    assert context is None or isinstance(context, OSError)
    return text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "claims.csv"


# --- delimited text: what is read ---


def test_every_cell_of_delimited_text_is_text(file: Path) -> None:
    source = delimited(file, b"id,phone,amount\n007,110105194912310021,1e5\n0,NA,null\n")
    assert set(source.schema.types) == {DataType.large_string()}
    assert rows_of(source) == [
        {"id": "007", "phone": "110105194912310021", "amount": "1e5"},
        {"id": "0", "phone": "NA", "amount": "null"},
    ]


def test_an_empty_cell_is_null_whether_quoted_or_not(file: Path) -> None:
    assert rows_of(delimited(file, b'a,b\n,""\n')) == [{"a": None, "b": None}]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("mark", [True, False])
def test_a_byte_order_mark_is_dropped(file: Path, encoding: str, mark: bool) -> None:
    data = ("\ufeff" * mark + "号牌,姓名\n浙A12345,𠮷野\n").encode(encoding)
    assert rows_of(delimited(file, data, encoding)) == [{"号牌": "浙A12345", "姓名": "𠮷野"}]


def test_line_ends_may_be_mixed_and_stand_in_quotes(file: Path) -> None:
    source = delimited(file, b'a,b\r\n1,"x\r\ny"\n\n2,"p\nq"\r3,z')
    assert rows_of(source) == [
        {"a": "1", "b": "x\r\ny"},
        {"a": "2", "b": "p\nq"},
        {"a": "3", "b": "z"},
    ]


def test_columns_come_as_asked(file: Path) -> None:
    source = delimited(file, b"a,b,c\n1,2,3\n")
    (batch,) = source.batches(["c", "a"])
    assert pa.record_batch(batch).to_pydict() == {"c": ["3"], "a": ["1"]}


@pytest.mark.parametrize(
    "count", [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS]
)
def test_batches_are_bounded_and_whole(file: Path, count: int) -> None:
    source = delimited(file, b"n\n" + b"".join(b"%d\n" % n for n in range(count)))
    batches = list(source.batches())
    assert all(0 < batch.num_rows <= BATCH_ROWS for batch in batches)
    assert [v for b in batches for v in b.column(0).to_pylist()] == [str(n) for n in range(count)]


TEXTS = st.text(
    st.one_of(st.sampled_from('",;|\r\n \té王浙𠮷'), st.characters(codec="utf-8")), max_size=6
).filter(lambda text: "\0" not in text)


@settings(max_examples=300, deadline=None)
@given(
    data=st.data(),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    block=st.integers(1, 40),
    mark=st.booleans(),
)
def test_what_rfc_4180_writes_is_read_back_wherever_blocks_are_cut(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    encoding: str,
    delimiter: str,
    end: str,
    block: int,
    mark: bool,
) -> None:
    width = data.draw(st.integers(2, 3))
    cells = data.draw(st.lists(st.lists(TEXTS, min_size=width, max_size=width), max_size=6))
    always = data.draw(st.booleans())

    def quoted(cell: str) -> str:
        special = always or any(mark in cell for mark in (delimiter, '"', "\r", "\n"))
        return '"' + cell.replace('"', '""') + '"' if special else cell

    lines = [["c0", "c1", "c2"][:width], *cells]
    written = "".join(delimiter.join(map(quoted, line)) + end for line in lines)
    path = tmp_path_factory.mktemp("csv") / "claims.csv"
    with pytest.MonkeyPatch.context() as patch:
        # Blocks of a few bytes; only the refusal of long rows must not come with them.
        patch.setattr(delimited_text, "BLOCK_BYTES", block)
        text = ("\ufeff" * mark + written).encode(encoding)
        source = delimited(path, text, encoding, delimiter)
        for _ in range(2):
            got = [list(row.values()) for row in rows_of(source)]
            assert got == [[cell or None for cell in row] for row in cells]


def test_characters_of_four_bytes_survive_every_cut_of_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a,b\n" + "".join(f"{n},𠮷㐀é王{n}\n" for n in range(20))
    for size in range(1, 9):
        monkeypatch.setattr(delimited_text, "BLOCK_BYTES", size)
        source = delimited(file, text.encode("gb18030"), "gb18030")
        assert [row["b"] for row in rows_of(source)] == [f"𠮷㐀é王{n}" for n in range(20)]


@pytest.mark.parametrize("most", [7, 1000])
def test_a_file_system_that_gives_less_than_is_there_loses_no_row(
    file: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: read(fd, min(size, most), at))
    source = delimited(file, b"n\n" + b"".join(b"%d\n" % n for n in range(2000)))
    assert [row["n"] for row in rows_of(source)] == [str(n) for n in range(2000)]


# --- delimited text: what is refused ---


BAD = {
    "a row that is not UTF-8": (
        b"a,b\n1,2\n%s,\xb2\xe2\n",
        "row 2 after the header (line 3) is not",
    ),
    "a row cut off within a character": (b"a,b\n%s,\xe7\x8e", "row 1 after the header (line 2) is"),
    "a zero byte": (b"a,b\n%s,\0\n", "row 1 after the header (line 2) holds a zero byte"),
    "a row that is too short": (b"a,b\n1,2\n\n%s\n", "row 2 after the header (line 4) has 1 of"),
    "a row that is too long": (b"a,b\n%s,2,3\n", "row 1 after the header (line 2) has 3 cells"),
    "a short row after cells of two lines": (
        b'a,b\n"1\n2",3\n%s',
        "row 2 after the header (line 4)",
    ),
    "a quote that is never closed": (b'a,b\n1,"%s\n2,3\n', "row 1 after the header (line 2) opens"),
    "a quote inside a cell": (b'a,b\n1,2\n%s,5" tyre\n', "row 2 after the header (line 3)"),
    "text after a quote": (b'a,b\n1,"x"%s\n', "row 1 after the header (line 2) has a quote"),
    "a quote that swallows rows": (b'a,b\n1,"x\n2,"%s"\n', "row 1 after the header (line 2)"),
}


@pytest.mark.parametrize(("data", "text"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_bad_row_is_named_by_number_and_line(
    file: Path, data: bytes, text: str, encoding: str
) -> None:
    if encoding == "gb18030" and "is not" in text:
        data = data.replace(b"\xb2\xe2", b"\xb2\x20")
    if encoding == "gb18030" and b"\xe7" in data:
        data = data.replace(b"\xe7\x8e", b"\x81\x30\x81")
    source = delimited(file, data.replace(b"%s", SECRET.encode()), encoding)
    # The column with the fault need not be asked for: a later pass would meet it.
    said = refusal(lambda: rows_of(source, ["a"]))
    assert said.startswith("claims.csv: " + text)


@settings(max_examples=500, deadline=None)
@given(
    body=st.text(st.sampled_from('ab,"\n\r王'), max_size=24),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
    block=st.integers(1, 9),
)
def test_the_fast_and_the_exact_reader_agree_on_any_text(
    tmp_path_factory: pytest.TempPathFactory, body: str, encoding: str, block: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "claims.csv"
    path.write_bytes(f"x,y\n{body}".encode(encoding))
    parsed = [
        delimited_rows.parse(row, encoding, ",") for row in delimited_rows.rows(path, encoding)
    ]
    bad = [n for n, (cells, fault) in enumerate(parsed) if fault or len(cells) != 2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_text, "BLOCK_BYTES", block)
        source = open_source(SourceSettings("csv", (path,), encoding))  # type: ignore[arg-type]
        if bad:
            said = refusal(lambda: rows_of(source))
            assert said.startswith(f"claims.csv: row {bad[0]} after the header (line ")
        else:
            expected = [[cell or None for cell in cells] for cells, _ in parsed[1:]]
            assert [list(row.values()) for row in rows_of(source)] == expected


def test_the_row_is_right_far_into_a_file(file: Path) -> None:
    good = b'1,"x\ny"\n' * 300_000
    source = delimited(file, b"a,b\n" + good + SECRET.encode() + b"\n")
    said = refusal(lambda: rows_of(source))
    assert "row 300001 after the header (line 600002) has 1 of the 2 cells" in said


def test_a_row_longer_than_a_block_is_refused(file: Path) -> None:
    source = delimited(file, b'a,b\n1,"' + b"x\n" * (9 << 20) + b'"\n')
    assert "row 1 after the header (line 2) is longer than 8 MiB" in refusal(
        lambda: rows_of(source)
    )


HEADERS = {
    "is empty": b"",
    "has no header": b"\n\r\n",
    "column 2 of 3 has no name": b"a,,c\n1,2,3\n",
    "columns 1 and 3 have the same name": SECRET.encode() + b",b," + SECRET.encode() + b"\n",
    "the header (line 1) is not utf-8 text": "号牌,姓名\n".encode("gb18030"),
    "the header (line 1) holds a zero byte": "a,b\n".encode("utf-16-le"),
    "begins with the mark of gb18030": "\ufeffa,b\n".encode("gb18030"),
}


@pytest.mark.parametrize(("text", "data"), HEADERS.items())
def test_a_bad_header_is_refused_at_the_start(file: Path, text: str, data: bytes) -> None:
    said = refusal(lambda: delimited(file, data))
    assert said.startswith(f"claims.csv: {text}")


def test_a_mark_of_utf_8_shows_that_the_file_is_not_gb18030(file: Path) -> None:
    said = refusal(lambda: delimited(file, "\ufeff号牌\n".encode(), "gb18030"))
    assert said == "claims.csv: begins with the mark of utf-8; set encoding to utf-8"


def test_a_missing_column_is_named_with_its_neighbours(file: Path) -> None:
    source = delimited(file, b"insured_id,driver_id,plate\n")
    said = refusal(lambda: source.batches(["insurd_id"]))
    assert "there is no column 'insurd_id' among 3; the nearest are 'insured_id'" in said
    assert "plate" not in said


def test_a_missing_header_is_not_printed(file: Path) -> None:
    source = delimited(file, f"{SECRET},浙A12345\n".encode())
    refusal(lambda: source.batches(["insured_id"]))


def test_a_wrong_delimiter_is_suspected(file: Path) -> None:
    source = delimited(file, b"a;b\n1;2\n")
    assert "is the delimiter right?" in refusal(lambda: source.batches(["insured_id"]))


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "，"])
def test_a_delimiter_is_one_ascii_character(file: Path, delimiter: str) -> None:
    assert "delimiter" in refusal(lambda: delimited(file, b"a,b\n", delimiter=delimiter))


def test_several_files_are_read_one_after_the_other_and_rows_have_places(tmp_path: Path) -> None:
    for name, data in {"a.csv": b"n\n1\n2\n", "b.csv": b"n\n", "c.csv": b"n\n3\n"}.items():
        (tmp_path / name).write_bytes(data)
    paths = tuple(tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    source = open_source(SourceSettings("csv", paths))
    assert source.label == "a.csv and 2 more"
    assert [row["n"] for row in rows_of(source)] == ["1", "2", "3"]
    assert [source.place(row) for row in range(3)] == [("a.csv", 1), ("a.csv", 2), ("c.csv", 1)]


def test_files_with_other_headers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n")
    (tmp_path / "b.csv").write_bytes(b"b,a\n")
    paths = (tmp_path / "a.csv", tmp_path / "b.csv")
    said = refusal(lambda: open_source(SourceSettings("csv", paths)))
    assert said == "b.csv: its columns are not those of a.csv, in that order"


# --- files of any format ---


@pytest.mark.parametrize("format", ["csv", "parquet", "duckdb"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, format: str) -> None:
    def opened(path: Path) -> None:
        table = "claims" if format == "duckdb" else None
        open_source(SourceSettings(format, (path,), table=table))  # type: ignore[arg-type]

    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text(SECRET)
    os.mkfifo(tmp_path / "pipe")
    assert "there is no such file" in refusal(lambda: opened(tmp_path / "nothing"))
    assert "is a folder" in refusal(lambda: opened(tmp_path))
    assert "is empty" in refusal(lambda: opened(tmp_path / "empty"))
    assert "no regular file" in refusal(lambda: opened(tmp_path / "pipe"))
    if format != "csv":
        assert refusal(lambda: opened(tmp_path / "text")).startswith("text: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(file: Path) -> None:
    file.write_bytes(b"a\n")
    file.chmod(0)
    assert "permission" in refusal(lambda: open_source(SourceSettings("csv", (file,))))


def sources(folder: Path) -> dict[str, tuple[Source, Path]]:
    """Returns one small source of each format, with its file."""
    text, parquet, database = folder / "a.csv", folder / "a.parquet", folder / "a.duckdb"
    text.write_bytes(b"n,m\n" + b"1,x\n" * 1000)
    pq.write_table(pa.table({"n": ["1"] * 1000, "m": ["x"] * 1000}), parquet)
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE t AS SELECT '1' AS n, 'x' AS m FROM range(1000)")
    return {
        "csv": (open_source(SourceSettings("csv", (text,))), text),
        "parquet": (open_source(SourceSettings("parquet", (parquet,))), parquet),
        "duckdb": (open_source(SourceSettings("duckdb", (database,), table="t")), database),
    }


@pytest.mark.parametrize("format", ["csv", "parquet", "duckdb"])
def test_a_change_between_two_passes_is_noticed(tmp_path: Path, format: str) -> None:
    source, path = sources(tmp_path)[format]
    assert len(rows_of(source)) == 1000
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert "changed while it was in use" in refusal(lambda: rows_of(source))


@pytest.mark.parametrize("format", ["csv", "parquet", "duckdb"])
def test_a_change_during_a_pass_is_noticed(tmp_path: Path, format: str) -> None:
    source, path = sources(tmp_path)[format]
    batches = source.batches()
    next(batches)
    path.rename(tmp_path / "moved")
    path.write_bytes(b"n,m\n")
    assert "changed while it was in use" in refusal(lambda: list(batches))


@pytest.mark.parametrize("format", ["csv", "parquet", "duckdb"])
def test_a_pass_may_be_left_early_and_the_program_still_ends_well(
    tmp_path: Path, format: str
) -> None:
    _, path = sources(tmp_path)[format]
    program = (
        "import sys, pathlib\n"
        "from parties.settings import SourceSettings\n"
        "from parties.sources import open_source\n"
        f"table = 't' if {format!r} == 'duckdb' else None\n"
        f"path = pathlib.Path({str(path)!r})\n"
        f"batches = open_source(SourceSettings({format!r}, (path,), table=table)).batches()\n"
        "next(batches)\n"
        "sys.exit(4)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (run.returncode, run.stderr) == (4, b"")


# --- Parquet ---


def test_parquet_streams_row_groups_and_keeps_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array(range(100_000), pa.int64()),
            "d": pa.array([Decimal(1)] * 100_000, pa.decimal128(18, 0)),
            "s": pa.array(["x", None] * 50_000).dictionary_encode(),
        }
    )
    paths = (tmp_path / "a.parquet", tmp_path / "b.parquet")
    pq.write_table(table, paths[0], row_group_size=30_000)
    pq.write_table(table, paths[1])
    source = open_source(SourceSettings("parquet", paths))
    assert pa.schema(source.schema) == table.schema
    batches = list(source.batches(["s", "n"]))
    assert all(0 < batch.num_rows <= BATCH_ROWS for batch in batches)
    read = pa.Table.from_batches(map(pa.record_batch, batches))
    assert read == pa.concat_tables([table, table]).select(["s", "n"])
    assert source.place(100_000) == ("b.parquet", 1)


def test_parquet_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    paths = (tmp_path / "a.parquet", tmp_path / "b.parquet")
    pq.write_table(pa.table({"n": pa.array([1], pa.int64())}), paths[0])
    pq.write_table(pa.table({"n": pa.array([1], pa.int32())}), paths[1])
    said = refusal(lambda: open_source(SourceSettings("parquet", paths)))
    assert said == "b.parquet: column 'n' is int32, but int64 in a.parquet"
    pq.write_table(pa.table({"m": [1]}), paths[1])
    assert "not those of a.parquet" in refusal(
        lambda: open_source(SourceSettings("parquet", paths))
    )


def test_a_damaged_parquet_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": [SECRET] * 100_000}), path, use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[40:400] = bytes(360)
    path.write_bytes(data)
    source = open_source(SourceSettings("parquet", (path,)))
    assert "is damaged after row 0" in refusal(lambda: rows_of(source))


def test_columns_with_dots_in_their_names_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["1"], "a.b": ["2"], "s": [{"b": 3}]}), path)
    source = open_source(SourceSettings("parquet", (path,)))
    assert rows_of(source, ["a.b"]) == [{"a.b": "2"}]
    assert rows_of(source, ["a"]) == [{"a": "1"}]
    assert rows_of(source, ["s"]) == [{"s": {"b": 3}}]


# --- DuckDB ---


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "claims.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE claims AS SELECT i AS n, printf('%018d', i * 7919 % 100000) AS id, "
            "DATE '2024-01-01' + (i % 365)::INTEGER AS day FROM range(200000) t(i)"
        )
        connection.execute(f"INSERT INTO claims VALUES (-1, '{SECRET}', DATE '2024-01-01')")
        connection.execute('CREATE VIEW "odd ""name" AS SELECT 1 AS x')
    return path


def duck(path: Path, table: str | None = None, query: str | None = None) -> Source:
    return open_source(SourceSettings("duckdb", (path,), table=table, query=query))


def test_a_table_comes_in_the_order_of_insertion(database: Path) -> None:
    source = duck(database, "claims")
    assert source.schema.names == ["n", "id", "day"]
    batches = list(source.batches(["n"]))
    assert all(0 < batch.num_rows <= BATCH_ROWS for batch in batches)
    assert [n for b in batches for n in b.column(0).to_pylist()] == [*range(200_000), -1]
    assert rows_of(duck(database, 'odd "name')) == [{"x": 1}]


@pytest.mark.parametrize("view", [False, True])
def test_a_query_comes_in_the_same_order_whatever_is_asked_of_it(
    database: Path, view: bool
) -> None:
    query: str | None = (
        "SELECT id, count(*) AS many, min(a.n) AS first FROM claims a JOIN claims b USING (id) "
        "GROUP BY id"
    )
    if view:
        with duckdb.connect(str(database)) as connection:
            connection.execute(f"CREATE VIEW pairs AS {query}")
        query = None
    first = duck(database, "pairs" if view else None, query)
    whole = rows_of(first)
    assert len(whole) == 100_001
    assert rows_of(first) == whole
    narrow = rows_of(duck(database, "pairs" if view else None, query), ["first"])
    assert [row["first"] for row in narrow] == [row["first"] for row in whole]


QUERIES = {
    "SELECT 1; SELECT 2": "not one SELECT",
    "COPY claims TO 'x.csv'": "not one SELECT",
    "DELETE FROM claims": "not one SELECT",
    "ATTACH 'other.duckdb'": "not one SELECT",
    "SET threads = 2": "not one SELECT",
    "": "not one SELECT",
    "SELECT FROM WHERE": "not valid SQL",
    "SELECT * FROM clams": "does not have",
    "SELECT nothing FROM claims": "a column that is not there",
    f"SELECT '{SECRET}'::INTEGER": "does not fit",
    "SELECT * FROM read_text('/etc/hostname')": "reaches out of the database",
    "SELECT * FROM read_csv('https://example.org/x.csv')": "",
    "SELECT n, id AS n FROM claims": "columns 1 and 2 have the same name",
}


@pytest.mark.parametrize(("query", "text"), QUERIES.items())
def test_a_query_that_is_no_plain_select_is_refused(database: Path, query: str, text: str) -> None:
    said = refusal(lambda: rows_of(duck(database, query=query)))
    assert said.startswith("claims.duckdb: ")
    assert text in said


def test_a_value_that_stops_a_query_is_not_shown(database: Path) -> None:
    source = duck(database, query="SELECT id::BIGINT AS id FROM claims")
    assert "converts a value" in refusal(lambda: rows_of(source))


def test_a_missing_table_is_named_with_its_neighbours(database: Path) -> None:
    said = refusal(lambda: duck(database, "claim"))
    assert said == "claims.duckdb: there is no table 'claim'; the nearest are 'claims'"


def test_a_database_that_is_open_for_writing_is_refused(database: Path) -> None:
    program = (
        "import duckdb, sys\n"
        f"connection = duckdb.connect({str(database)!r})\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        said = refusal(lambda: duck(database, "claims"))
        assert writer.stdin is not None
        writer.stdin.close()
    assert "does no other program have it open for writing?" in said


def test_a_commit_that_stands_only_in_the_journal_is_noticed(database: Path) -> None:
    source = duck(database, "claims")
    program = (
        "import duckdb, os\n"
        f"connection = duckdb.connect({str(database)!r})\n"
        "connection.execute('INSERT INTO claims VALUES (-2, NULL, NULL)')\n"
        "os._exit(0)\n"  # without carrying the journal over
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert database.with_name("claims.duckdb.wal").exists()
    assert "changed while it was in use" in refusal(lambda: rows_of(source))
    assert len(rows_of(duck(database, "claims"))) == 200_002


def test_a_query_that_gives_other_rows_in_the_second_pass_is_noticed(database: Path) -> None:
    source = duck(database, query="SELECT n FROM claims WHERE random() < 0.5")
    rows_of(source)
    assert "another number of rows" in refusal(lambda: rows_of(source))


@pytest.mark.parametrize(
    ("table", "query"), [(None, None), ("claims", "SELECT 1")], ids=["neither", "both"]
)
def test_a_database_needs_a_table_or_a_query(
    database: Path, table: str | None, query: str | None
) -> None:
    assert "either a table or a query" in refusal(lambda: duck(database, table, query))


# --- Arrow ---


class ArrayOnly:
    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._batch.__arrow_c_array__(requested_schema)


def test_what_is_said_never_to_be_null_may_be() -> None:
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    batch = pa.RecordBatch.from_arrays([pa.array([1, None])], schema=schema)
    assert rows_of(ArrowSource(batch)) == [{"n": 1}, {"n": None}]


def test_a_stream_that_can_be_drawn_once_is_read_twice() -> None:
    table = pa.table({"a": ["1", "2"], "b": [1, None]})
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for data in (table, reader, table.to_batches()[0], ArrayOnly(table.to_batches()[0])):
        source = ArrowSource(data, "claims")
        for _ in range(2):
            assert rows_of(source, ["b", "a"]) == [{"b": 1, "a": "1"}, {"b": None, "a": "2"}]
        assert source.place(1) == ("claims", 2)


def test_what_is_no_arrow_data_is_refused() -> None:
    assert "is not a table" in refusal(lambda: ArrowSource([{"a": SECRET}]))
    assert "is not a table" in refusal(lambda: ArrowSource(pa.array([SECRET])))
    twice = pa.Table.from_arrays([pa.array([SECRET]), pa.array([1])], ["a", "a"])
    assert "columns 1 and 2 have the same name" in refusal(lambda: ArrowSource(twice))


@pytest.mark.parametrize("bad", [b"\xff", b"41\xf0", b"\xf0"])
def test_a_text_that_is_not_utf8_is_an_error_and_no_crash(tmp_path: Path, bad: bytes) -> None:
    """Arrow takes such bytes over as text unseen; the kernels may not."""
    texts = pa.array([b"fine", bad], pa.binary()).view(pa.string())
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"plate": texts}), path)
    with pytest.raises(
        SourceError, match="not UTF-8, or something else that its types do not allow, after row 0"
    ):
        list(ParquetSource((path,)).batches(["plate"]))
    with pytest.raises(SourceError, match="not UTF-8"):
        list(ArrowSource(pa.table({"plate": texts})).batches())
    with pytest.raises(ValueError, match="not UTF-8"):
        _core.normalise("plate", texts.cast(pa.large_binary()).view(pa.large_string()))


def test_a_program_that_has_read_a_csv_file_ends_as_it_should(tmp_path: Path) -> None:
    """Arrow's reader threads once dropped a Python object while the interpreter was ending."""
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from parties.sources import DelimitedSource; "
        "list(DelimitedSource((Path(sys.argv[1]),), 'gb18030', ',').batches(['a']))"
    )
    for _ in range(10):
        done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
        assert done.returncode == 0


def test_utf8_that_is_declared_gb18030_is_refused_and_not_garbled(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("plate,name\n" + "浙A12345,张伟\n粤B12345,李娜\n" * 3, encoding="utf-8")
    settings = SourceSettings("csv", (path,), "gb18030")
    with pytest.raises(SourceError, match="is UTF-8 and not GB18030; set encoding to utf-8"):
        open_source(settings)
    path.write_text("plate,name\n" + "浙A12345,张伟\n粤B12345,李娜\n" * 3, encoding="gb18030")
    (batch,) = open_source(settings).batches()
    assert batch.num_rows == 6
    path.write_text("plate,name\n浙A12345,联通\n", encoding="gb18030")  # few and odd: no verdict
    (batch,) = open_source(settings).batches()
    assert batch.column("name").to_pylist() == ["联通"]
