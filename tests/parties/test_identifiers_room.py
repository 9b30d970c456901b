"""Room 2: columns become sets of elements, and what does not is counted and reported."""

from __future__ import annotations

import csv
import datetime
import random
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from arro3.core import RecordBatch, Schema
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parties.errors import LocalFault, SettingsError, SourceError
from parties.identifiers import (
    NOWHERE,
    IdentifiedSet,
    RejectReport,
    domain,
    elements_of,
    identify,
    rejects,
    reread,
)
from parties.identifiers.texts import as_text
from parties.settings import IdentifierSettings, SourceSettings
from parties.sources import BATCH_ROWS, ArrowSource, open_source
from psi import _core

PERSON = IdentifierSettings("person", "resident_id", (("insured_id",), ("driver_id",)))
PHONE = IdentifierSettings("phone", "phone", (("phone",),))
WHO = IdentifierSettings(
    "who", "composite", (("name", "born"), ("driver", "driver_born")), ("text", "text")
)

ALICE, BOB = "11010519491231002X", "440524188001010014"


def element(text: str, prefix: str) -> bytes:
    """Returns the element of one normalised identifier."""
    return _core.hash_elements(pa.array([text], pa.large_string()), prefix)


def by_element(found: IdentifiedSet) -> dict[bytes, int]:
    return dict(zip(found.elements, found.counts.to_pylist(), strict=True))


def claims(**columns: object) -> ArrowSource:
    return ArrowSource(pa.table(columns), "claims")


def test_identifiers_are_normalised_hashed_and_counted() -> None:
    source = claims(
        insured_id=[ALICE, "110105 19491231 002x", BOB, None, "1", ""],
        driver_id=[BOB, None, None, None, None, " "],
    )
    found = identify(source, PERSON)
    prefix = "greenlane/1/resident_id"
    assert by_element(found) == {element(ALICE, prefix): 2, element(BOB, prefix): 2}
    assert [*found.elements] == [element(ALICE, prefix), element(BOB, prefix)]
    assert (len(found), found.rows, found.named) == (2, 6, 3)
    assert (found.missing, found.rejected, found.warned) == (7, {"length": 1}, {})


def test_a_row_that_names_an_identifier_twice_counts_once() -> None:
    source = claims(insured_id=[ALICE, ALICE], driver_id=[ALICE.lower(), BOB])
    found = identify(source, PERSON)
    prefix = domain(PERSON)
    assert by_element(found) == {element(ALICE, prefix): 2, element(BOB, prefix): 1}
    (batch,) = source.batches()
    first, second = elements_of(batch, PERSON)
    assert first == [element(ALICE, prefix)] * 2
    assert second == [None, element(BOB, prefix)]


def test_the_first_of_three_equal_ways_counts() -> None:
    spec = IdentifierSettings("person", "resident_id", (("a",), ("b",), ("c",)))
    source = claims(a=[None, ALICE, ALICE], b=[ALICE, BOB, ALICE], c=[ALICE, ALICE, ALICE])
    (batch,) = source.batches()
    a, b = element(ALICE, domain(spec)), element(BOB, domain(spec))
    assert elements_of(batch, spec) == [[None, a, a], [a, b, None], [None, None, None]]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([ALICE, BOB, "x", None])] * 2), min_size=1))
def test_counts_are_those_of_plain_python(rows: list[tuple[str | None, str | None]]) -> None:
    expected = Counter(value for row in rows for value in {*row} & {ALICE, BOB})
    insured, driver = zip(*rows, strict=True)
    source = claims(
        insured_id=pa.array(insured, pa.string()), driver_id=pa.array(driver, pa.string())
    )
    if not expected:
        with pytest.raises(SourceError):
            identify(source, PERSON)
        return
    found = identify(source, PERSON)
    prefix = domain(PERSON)
    assert by_element(found) == {element(text, prefix): n for text, n in expected.items()}
    assert found.named == sum(bool({*row} & {ALICE, BOB}) for row in rows)
    for way, places in zip((0, 1), found.places, strict=True):
        for row, place in zip(rows, places.to_pylist(), strict=True):
            text = row[way] if row[way] in (ALICE, BOB) and row.index(row[way]) == way else None
            expected_place = (
                NOWHERE if text is None else [*by_element(found)].index(element(text, prefix))
            )
            assert place == expected_place
    assert found.missing == sum(value is None for row in rows for value in row)
    assert sum(found.rejected.values()) == sum(value == "x" for row in rows for value in row)


def test_a_source_of_many_batches_is_one_set() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    numbers = [draw.randrange(13_000_000_000, 13_000_050_000) for _ in range(2 * BATCH_ROWS + 3)]
    found = identify(claims(phone=pa.array(numbers, pa.int64())), PHONE)
    expected = Counter(numbers)
    some = draw.sample(sorted(expected), 100)
    counts = by_element(found)
    assert len(found) == len(expected)
    assert all(counts[element(f"+86{n}", domain(PHONE))] == expected[n] for n in some)


def test_a_composite_identifier_needs_all_its_parts() -> None:
    day = datetime.date(1949, 12, 31)
    source = claims(
        name=["王 小明", "王 小明", None], born=[day, None, day],
        driver=["王 小明", None, None], driver_born=[day, day, day],
    )  # fmt: skip
    found = identify(source, WHO)
    (count,) = by_element(found).values()
    assert (count, found.named, found.rows, found.missing) == (1, 1, 3, 4)
    key = _core.compose([pa.array([text], pa.large_string()) for text in ("王 小明", "1949-12-31")])
    normal, _, _ = _core.normalise("text", pa.array(["王 小明"], pa.large_string()))
    key = _core.compose([normal, pa.array(["1949-12-31"], pa.large_string())])
    assert [*found.elements] == [_core.hash_elements(key, domain(WHO))]


def test_a_column_that_two_ways_share_is_counted_and_reported_once(tmp_path: Path) -> None:
    spec = IdentifierSettings("x", "composite", (("vin", "a"), ("vin", "b")), ("vin", "text"))
    source = claims(vin=["bad", "1M8GDM9AXKP042788"], a=["1", "2"], b=["3", "4"])
    with RejectReport(tmp_path) as report:
        found = identify(source, spec, report)
    assert found.rejected == {"length": 1}
    assert report.counted == 1


def test_domains_keep_kinds_and_parts_apart() -> None:
    assert domain(PHONE) == "greenlane/1/phone"
    assert domain(PERSON) == "greenlane/1/resident_id"
    assert domain(WHO) == "greenlane/1/composite/text+text"
    assert not any("+" in kind or "/" in kind for kind in _core.kinds())


def test_a_warning_keeps_the_value_and_is_counted() -> None:
    spec = IdentifierSettings("vin", "vin", (("vin",),))
    found = identify(claims(vin=["1M8GDM9A0KP042788", "1M8GDM9AXKP042788"]), spec)
    assert (len(found), found.rejected, found.warned) == (2, {}, {"check digit": 1})


@pytest.mark.parametrize(
    ("kind", "columns", "parts", "text"),
    [
        ("plates", (("a",),), (), "there is no kind 'plates'"),
        ("composite", (("a",),), (), "parts belong to the kind composite"),
        ("phone", (("a",),), ("text",), "parts belong to the kind composite"),
        ("composite", (("a",),), ("text", "text"), "must have 2 column(s)"),
        ("phone", (("a", "b"),), (), "must have 1 column(s)"),
        ("phone", (), (), "must have 1 column(s)"),
        ("composite", (("a", "b"),), ("text", "date"), "there is no kind 'date'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    kind: str, columns: tuple[tuple[str, ...], ...], parts: tuple[str, ...], text: str
) -> None:
    spec = IdentifierSettings("x", kind, columns, parts)
    with pytest.raises(SettingsError) as caught:
        identify(claims(a=["1"], b=["2"]), spec)
    assert str(caught.value).startswith("identifiers.x: ")
    assert text in str(caught.value)
    with pytest.raises(SettingsError):
        domain(spec)


def test_a_source_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_bytes(b"phone\n")
    source = open_source(SourceSettings("csv", (tmp_path / "claims.csv",)))
    with pytest.raises(SourceError, match=r"claims\.csv: no row gives .* 'phone' .*: 0 rows"):
        identify(source, PHONE)


def test_a_source_whose_rows_are_all_invalid_is_refused_with_numbers() -> None:
    source = claims(insured_id=[ALICE[:-1] + "1", "1", "2", None], driver_id=["", "?", None, None])
    with pytest.raises(SourceError) as caught:
        identify(source, PERSON)
    text = str(caught.value)
    assert text.startswith("claims: no row gives an identifier for 'person' (resident_id): 4 rows")
    assert "4 empty cells, 4 rejected cells (1 alphabet; 1 check character; 2 length)" in text
    assert ALICE[:-1] not in text


class Changing:
    """A source that gives other rows in its second pass."""

    def __init__(self, first: pa.Table, second: pa.Table) -> None:
        self._tables = [first, second]
        self.schema, self.label = Schema.from_arrow(first.schema), "claims"

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
        return map(RecordBatch.from_arrow, self._tables.pop(0).to_batches(max_chunksize=20))

    def place(self, row: int) -> tuple[str, int]:
        return self.label, row + 1


PHONES = [str(13800138000 + row) for row in range(50)]


def test_another_pass_gives_the_places_of_the_rows_again() -> None:
    source = claims(phone=PHONES)
    found = identify(source, PHONE)
    ((batch, (places,)),) = reread(source, PHONE, found)
    elements = [*by_element(found)]
    named = [elements[place] for place in places.to_pylist()]
    assert named == [element(f"+86{text}", domain(PHONE)) for text in PHONES]
    assert batch.column("phone").to_pylist() == PHONES


@pytest.mark.parametrize(
    "second",
    [
        PHONES[::-1],
        [*PHONES[1:], PHONES[0]],
        [*PHONES[:20], *PHONES[30:40], *PHONES[20:30], *PHONES[40:]],
        PHONES[:-1],
        [*PHONES, PHONES[0]],
        [*PHONES[:-1], None],
    ],
    ids=["backwards", "shifted", "swapped", "fewer", "more", "missing"],
)
def test_a_source_that_gives_other_rows_in_another_pass_is_refused(
    second: list[str | None],
) -> None:
    source = Changing(pa.table({"phone": PHONES}), pa.table({"phone": second}))
    found = identify(source, PHONE)
    with pytest.raises(SourceError, match="claims: gives other rows than in the first pass"):
        list(reread(source, PHONE, found))


def test_nothing_of_a_set_shows_in_its_repr() -> None:
    found = identify(claims(insured_id=[ALICE], driver_id=[BOB]), PERSON)
    shown = repr(found)
    assert "elements" not in shown
    assert "counts" not in shown
    assert "places" not in shown
    assert ALICE not in shown
    assert "rows=1" in shown


# --- columns of other types ---


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([13800138000, None], pa.int64()), ["13800138000", None]),
        (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
        (pa.array([Decimal(110105194912310021)], pa.decimal128(38, 0)), ["110105194912310021"]),
        (pa.array([datetime.date(2024, 1, 31)]), ["2024-01-31"]),
        (pa.array([datetime.date(2024, 1, 31)], pa.date64()), ["2024-01-31"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([5, 6], pa.int32()).dictionary_encode(), ["5", "6"]),
        (pa.array(["é"], pa.string_view()), ["é"]),
        (pa.array([None, None]), [None, None]),
        (
            pa.array([datetime.datetime(2024, 1, 31)] * 2, pa.timestamp("ns")),
            ["2024-01-31", "2024-01-31"],
        ),
        (
            pa.array([datetime.datetime(2024, 1, 31, 8, 30)], pa.timestamp("us")),
            ["2024-01-31 08:30:00"],
        ),
        (
            pa.array([datetime.datetime(2024, 1, 31, 0, 0, 0, 120)], pa.timestamp("us")),
            ["2024-01-31 00:00:00.00012"],
        ),
        (
            pa.array([datetime.datetime(2024, 1, 31, 10, 0, 10)], pa.timestamp("s")),
            ["2024-01-31 10:00:10"],
        ),
    ],
)
def test_a_column_has_one_text(column: pa.Array, texts: list[str | None]) -> None:
    text = as_text(column, "column")
    assert text.type == pa.large_string()
    assert text.to_pylist() == texts


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([13800138000.0]), "is double, and numbers with a point lose digits"),
        (pa.array([1.5], pa.float32()).dictionary_encode(), "is float"),
        (pa.array([Decimal("1.50")]), "is decimal128(3, 2)"),
        (pa.array([datetime.datetime(2024, 1, 31)], pa.timestamp("us", "UTC")), "time zone"),
        (pa.array([True]), "is bool, which holds no identifiers"),
        (pa.array([b"13800138000"]), "is binary"),
        (pa.array([["13800138000"]]), "is list"),
        (pa.array([datetime.time(8)]), "is time64"),
    ],
)
def test_a_column_that_lost_digits_or_is_no_text_is_refused(column: pa.Array, text: str) -> None:
    with pytest.raises(SourceError) as caught:
        identify(ArrowSource(pa.table({"phone": column}), "claims"), PHONE)
    assert str(caught.value).startswith("claims, column 'phone': ")
    assert text in str(caught.value)
    assert "13800138000" not in str(caught.value)


def test_a_missing_column_is_refused_before_a_row_is_read() -> None:
    with pytest.raises(SourceError, match="there is no column 'driver_id'"):
        identify(claims(insured_id=[ALICE]), PERSON)


# --- the report ---


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rejects_are_reported_with_place_and_shape(tmp_path: Path) -> None:
    for name, data in {
        "a.csv": 'insured_id,driver_id\n"1\n1",\n',
        "b.csv": f"insured_id,driver_id\n{ALICE},\n\n{ALICE[:-1]}1,张三 Ａx\n",
    }.items():
        (tmp_path / name).write_text(data, encoding="utf-8")
    source = open_source(SourceSettings("csv", (tmp_path / "a.csv", tmp_path / "b.csv")))
    with RejectReport(tmp_path) as report:
        identify(source, PERSON, report)
    assert report.path == tmp_path / "rejects.csv"
    assert report.counted == report.written == 3
    assert lines(report.path) == [
        {
            "file": file, "row": row, "column": column, "kind": "resident_id",
            "reason": reason, "value": value,
        }
        for file, row, column, reason, value in [
            ("a.csv", "1", "insured_id", "length", "3 characters: digits, spaces"),
            ("b.csv", "2", "insured_id", "check character", "18 characters: digits"),
            ("b.csv", "2", "driver_id", "alphabet",
             "5 characters: Latin letters, Chinese characters, spaces, others"),
        ]
    ]  # fmt: skip


def test_the_report_is_for_its_owner_only_even_if_it_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("old")
    path.chmod(0o644)
    with RejectReport(tmp_path) as report:
        identify(claims(phone=["13800138000", "x"]), PHONE, report)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" not in path.read_text()


def test_there_is_no_report_before_a_cell_is_rejected_and_that_it_comes_is_said_first(
    tmp_path: Path,
) -> None:
    there = []
    with RejectReport(tmp_path, lambda: there.append([*tmp_path.iterdir()])) as report:
        identify(claims(phone=["13800138000"]), PHONE, report)
        assert ([*tmp_path.iterdir()], there) == ([], [])
        for _ in range(2):
            identify(claims(phone=["13800138000", "x"]), PHONE, report)
    assert (there, [*tmp_path.iterdir()]) == ([[]], [report.path])


def test_the_report_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "rejects.csv").symlink_to(tmp_path / "victim")
    with pytest.raises(LocalFault), RejectReport(tmp_path) as report:
        identify(claims(phone=["13800138000", "x"]), PHONE, report)
    assert (tmp_path / "victim").read_text() == "kept"


def test_the_report_is_bounded_and_counts_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects, "MOST_LINES", 5)
    source = claims(phone=["13800138000"] + ["x"] * 8)
    with RejectReport(tmp_path) as report:
        identify(source, PHONE, report)
        identify(source, PHONE, report)
    assert (report.written, report.counted) == (5, 16)
    written = lines(report.path)
    assert [line["row"] for line in written] == ["2", "3", "4", "5", "6", ""]
    assert written[-1]["reason"] == "11 more are counted and not written"


def class_of(character: str) -> str:
    if character.isascii() and character.isdigit():
        return "digits"
    if character.isascii() and character.isalpha():
        return "Latin letters"
    if "\u4e00" <= character <= "\u9fff":
        return "Chinese characters"
    return "spaces" if character.isspace() else "others"


@given(st.text(min_size=1))
@example("".join(map(chr, range(0x3100))))
def test_a_masked_value_says_how_long_it_is_and_of_what(value: str) -> None:
    there = {class_of(character) for character in value}
    classes = ", ".join(name for name in rejects.CLASSES if name in there)
    length = str(len(value)) if len(value) <= rejects.LONGEST else "more than 32"
    assert rejects.masked(value) == f"{length} characters: {classes}"


def test_a_folder_that_cannot_be_written_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    with (
        pytest.raises(LocalFault, match=r"rejects\.csv cannot be written"),
        RejectReport(tmp_path / "nothing") as report,
    ):
        identify(claims(phone=["13800138000", "x"]), PHONE, report)


FULL = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from parties.errors import LocalFault
from parties.identifiers import RejectReport, identify
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource

source = ArrowSource(pa.table({"phone": ["13800138000"] + ["x"] * 50_000}), "claims")
spec = IdentifierSettings("phone", "phone", (("phone",),))
# The system refuses to write more than this to a file, as it does on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with RejectReport(Path(sys.argv[1])) as report:
        identify(source, spec, report)
except LocalFault as fault:
    print(fault)
"""


def test_a_full_disk_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (run.stdout, run.stderr) == ("rejects.csv cannot be written: File too large\n", "")
