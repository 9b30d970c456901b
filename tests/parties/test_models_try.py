"""Joined tables are filled from files, rules run over them, and what was left out is said."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from parties.cli import main
from parties.errors import LocalFault, SettingsError, SourceError
from parties.models.loading import folder_of, load
from parties.models.mapping import mapped
from parties.models.sandbox import Bounds
from parties.models.trying import MOST_LEADS, Trial, tried

AUTO = load(folder_of("auto"))
BOUNDS = Bounds(60, "1GB", 2)
OWN = """\
claim_no,line,company,plate_no,at,paid,place,owner
K1,motor,X,京A·12345,2024-01-01 10:00:00,100.50,杭州市文三路,110101199003074477
K2,motor,X,京A12345,2024-02-01 10:00:00,200,杭州市,110101199003074477
K3,motor,Y, 京a12345 ,2024-03-01 10:00:00,300,宁波市,110101199003074477
K4,motor,Y,京A12345,2024-04-01 10:00:00,400,,
K5,motor,Y,京A12345,2024-05-01 10:00:00,500,,
K5,motor,Y,京A12345,2024-05-01 10:00:00,900,,
K6,motor,Y,no plate,yesterday,much,,
K7,home,Y,京A12345,2024-05-02 10:00:00,900,,
,motor,Y,京A12345,2024-05-02 10:00:00,900,,
"""
JOINED = """\
claim_no,greenlane_set,greenlane_column,police.no,police.type,police.time
K1,plate,plate_no,R1,drink driving,2024-01-01 08:00:00
K1,plate,plate_no,R1,drink driving,2024-01-01 08:00:00
K2,plate,plate_no,R2,riot,2024-02-01 08:00:00
K2,colour,plate_no,R2,riot,2024-02-01 08:00:00
"""
MAPPING = """
[claims]
files = ["own.csv"]
[claims.columns]
claim = "claim_no"
line = { column = "line", words = { motor = "auto" } }
company = "company"
plate = { column = "plate_no", kind = "plate" }
insured = { column = "owner", kind = "resident_id" }
happened = "at"
amount = "paid"
city = { column = "place", up_to = "市" }
[records]
files = ["joined.csv"]
[records.columns]
record = "police.no"
kind = { column = "police.type", words = { "drink driving" = "drink_driving" } }
begun = "police.time"
[links]
files = ["joined.csv"]
[links.columns]
claim = "claim_no"
record = "police.no"
dimension = { column = "greenlane_set", words = { plate = "vehicle" } }
role = { column = "greenlane_column", words = { plate_no = "plate" } }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.csv").write_text(OWN, encoding="utf-8")
    (tmp_path / "joined.csv").write_text(JOINED, encoding="utf-8")
    (tmp_path / "joined.toml").write_text(MAPPING, encoding="utf-8")
    return tmp_path


def trial(*paths: Path, bounds: Bounds = BOUNDS, most: int = MOST_LEADS) -> Trial:
    return tried(AUTO, mapped(paths), {}, bounds, most)


def leads(of: Trial, rule: str) -> list[tuple[Sequence[str], Decimal | None]]:
    (outcome,) = (each for each in of.outcomes if each.rule.name == rule)
    assert outcome.lacking == ()
    return [(lead.claims, lead.amount) for lead in outcome.leads]


def test_a_mapping_brings_own_rows_and_the_result_of_a_match_to_rules(folder: Path) -> None:
    found = trial(folder / "joined.toml")
    assert leads(found, "vehicle-many-claims") == [
        (["K1", "K2", "K3", "K4", "K5"], Decimal("1500.50"))
    ]
    assert leads(found, "drink-driving-before") == [(["K1"], Decimal("100.50"))]


def test_what_was_left_out_is_counted_by_column(folder: Path) -> None:
    tables = trial(folder / "joined.toml").tables
    assert tables["claims"].rows == 6
    assert tables["claims"].left_out == {
        "amount": 1,
        "happened": 1,
        "plate": 1,
        "repeated": 1,
        "rows": 1,
    }
    assert (tables["records"].rows, tables["records"].left_out) == (2, {"repeated": 2})
    assert (tables["links"].rows, tables["links"].left_out) == (3, {"dimension": 1, "repeated": 1})


def test_a_rule_whose_columns_are_not_there_is_not_run_and_says_which(folder: Path) -> None:
    lacking = {each.rule.name: each.lacking for each in trial(folder / "joined.toml").outcomes}
    assert lacking["stolen-meanwhile"] == ["records.ended"]
    assert lacking["shop-late-night"] == ["claims.shop"]
    assert lacking["vehicle-many-claims"] == ()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_files_that_are_named_like_the_tables_need_no_mapping(tmp_path: Path, suffix: str) -> None:
    table = pa.table(
        {
            "claim": [f"C{n}" for n in range(5)],
            "plate": ["A"] * 5,
            "company": ["X"] * 5,
            "happened": pa.array([n * 86_400_000_000 for n in range(5)], pa.timestamp("us")),
            "amount": pa.array([Decimal(n) for n in range(5)], pa.decimal128(12, 2)),
            "colour": ["red"] * 5,
        }
    )
    path = tmp_path / f"claims.{suffix}"
    match suffix:
        case "parquet":
            pyarrow.parquet.write_table(table, path)
        case "csv":
            pyarrow.csv.write_csv(table, path)
        case _:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
    for given in (tmp_path, path):
        found = trial(given)
        assert leads(found, "vehicle-many-claims") == [([f"C{n}" for n in range(5)], Decimal(10))]
        assert found.tables["claims"].left_out == {}


def test_claims_of_which_the_line_is_not_known_are_all_looked_at(folder: Path) -> None:
    mapping = MAPPING.replace('line = { column = "line", words = { motor = "auto" } }', "")
    (folder / "joined.toml").write_text(mapping, encoding="utf-8")
    assert trial(folder / "joined.toml").tables["claims"].rows == 7


def test_a_flight_has_one_number_whatever_its_spelling(tmp_path: Path) -> None:
    rows = "\n".join(
        f"C{n},{flight},2024-05-01,P,100,I{n},X"
        for n, flight in enumerate(["CA0101", "CA 101", "ca101"] * 4)
    )
    head = "no,flight_no,day,tel,paid,who,firm\n"
    (tmp_path / "own.csv").write_text(head + rows + "\n", encoding="utf-8")
    (tmp_path / "map.toml").write_text(
        """
[claims]
files = ["own.csv"]
[claims.columns]
claim = "no"
flight = { column = "flight_no", kind = "flight" }
flight_date = "day"
phone = "tel"
amount = "paid"
insured = "who"
company = "firm"
""",
        encoding="utf-8",
    )
    pack = load(folder_of("flight_delay"))
    found = tried(pack, mapped([tmp_path / "map.toml"]), {}, BOUNDS)
    (lead,) = next(each for each in found.outcomes if each.rule.name == "flight-one-reporter").leads
    assert lead.subject == {"flight_of": "CA101 of 2024-05-01", "phone": "P"}
    assert len(lead.claims) == 12


def test_a_pack_that_is_run_twice_says_the_same(folder: Path) -> None:
    assert trial(folder / "joined.toml") == trial(folder / "joined.toml")


def test_no_more_leads_are_told_than_asked_for_and_the_largest_first(tmp_path: Path) -> None:
    lines = [f"C{n},{n % 3},{100 + n},2024-01-{n + 1:02d},X" for n in range(15)]
    text = "\n".join(["claim,plate,amount,happened,company", *lines, ""])
    (tmp_path / "claims.csv").write_text(text, encoding="utf-8")
    whole = trial(tmp_path)
    (few,) = (
        each for each in trial(tmp_path, most=1).outcomes if each.rule.name == "vehicle-many-claims"
    )
    assert few.found == 3
    assert [lead.subject for lead in few.leads] == [{"plate": "2"}]
    assert few.amount == sum(100 + n for n in range(15))
    assert [amount for _, amount in leads(whole, "vehicle-many-claims")] == [540, 535, 530]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[records]", "[recods]", "the file has an entry 'recods'"),
        ('files = ["own.csv"]', "", r"\[claims\] files must be a list of paths"),
        ('claim = "claim_no"\nline', "line", r"\[claims.columns\] lacks claim, which is the key"),
        ('company = "company"', 'colour = "red"', "has an entry 'colour'"),
        ('kind = "plate"', 'kind = "colour"', "claims.columns.plate.kind must be one of"),
        ('up_to = "市"', "up_to = 5", "claims.columns.city must have a text under column"),
        ('up_to = "市"', 'until = "市"', "claims.columns.city has an entry 'until'"),
        (
            'kind = "plate"',
            'kind = "plate", up_to = "5"',
            "claims.columns.plate has kind, and then",
        ),
        (
            '"plate_no", kind',
            '"plate_no", words = { a = "b" }, kind',
            "claims.columns.plate has kind",
        ),
        ("words = { motor", 'up_to = "o", words = { motor', "claims.columns.line may have words"),
        (
            'amount = "paid"',
            'amount = { column = "paid", words = { a = "1" } }',
            r"claims.columns.amount is of type DECIMAL\(18,2\), and has neither kind nor words",
        ),
        ('"own.csv"', '"own.txt"', "must end in one of"),
        ("[claims]", "[claims", "cannot be read as TOML"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_by_its_entry(
    folder: Path, old: str, new: str, words: str
) -> None:
    (folder / "joined.toml").write_text(MAPPING.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        trial(folder / "joined.toml")


def test_files_that_are_missing_or_bad_are_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match="no file is named like a joined table"):
        trial(folder)
    (folder / "claims.csv").write_text("colour\nred\n", encoding="utf-8")
    with pytest.raises(SourceError, match="has no column of claims that a rule needs"):
        trial(folder)
    (folder / "claims.csv").write_text("claim_no,plate\nC1,A\n", encoding="utf-8")
    with pytest.raises(SourceError, match="has no column `claim`, by which claims are told apart"):
        trial(folder)
    (folder / "claims.csv").write_text("claim,plate\nC1,A,B\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"claims\.csv"):
        trial(folder)
    (folder / "claims.arrow").write_bytes(b"none")
    with pytest.raises(SettingsError, match="two files are named like claims"):
        trial(folder)
    with pytest.raises(SourceError, match=r"claims\.arrow: cannot be read as a file of Arrow"):
        trial(folder / "claims.arrow")
    (folder / "own.csv").unlink()
    with pytest.raises(SourceError, match=r"own\.csv"):
        trial(folder / "joined.toml")


def test_tables_that_need_too_much_memory_are_a_fault_of_this_machine(tmp_path: Path) -> None:
    table = pa.table(
        {"claim": [f"C{n:040d}" for n in range(200_000)], "plate": ["A" * 40] * 200_000}
    )
    pyarrow.parquet.write_table(table, tmp_path / "claims.parquet")
    with pytest.raises(LocalFault, match="the joined tables need more than 10MB of memory"):
        trial(tmp_path, bounds=Bounds(60, "10MB", 1))


def typed(
    words: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["greenlane", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0), capsys.readouterr().out


def test_the_command_tells_leads_with_reason_and_what_would_be_innocent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["models", "try", "auto", "--data", str(folder / "joined.toml")]
    status, out = typed([*words, "--json"], capsys, monkeypatch)
    told: dict[str, Any] = json.loads(out)
    assert status == 0
    assert told["digest"] == AUTO.digest
    assert [lead["rule"] for lead in told["leads"]] == [
        "drink-driving-before",
        "vehicle-many-claims",
    ]
    assert told["leads"][1] == {
        "rule": "vehicle-many-claims",
        "version": 1,
        "subject": {"plate": "京A12345"},
        "claims": ["K1", "K2", "K3", "K4", "K5"],
        "records": [],
        "amount": "1500.50",
        "reason": "Vehicle 京A12345 stands in 5 claims within 365 days, from 2024-01-01 10:00 to "
        "2024-05-01 10:00, at 2 insurers, for 1,500.50 yuan in all.",
        "innocent": "A taxi, a delivery van or a car that is shared is on the road all day; "
        "several small damages may have been reported one by one.",
        "source": told["leads"][1]["source"],
    }
    assert told["rules"][-3] == {
        "rule": "vehicle-many-claims",
        "version": 1,
        "leads": 1,
        "amount": "1500.50",
        "told": 1,
        "lacking": [],
        "parameters": {
            "least": {"value": 5, "unit": "count"},
            "within": {"value": 365, "unit": "days"},
        },
    }
    status, out = typed(words, capsys, monkeypatch)
    assert status == 0
    assert "vehicle-many-claims: 1 leads, 1,500.50 yuan" in out
    assert "stolen-meanwhile: not run, for there is no records.ended" in out
    assert "innocent if: A taxi" in out
    assert "claims: 6 rows; amount left out: 1" in out
    status, out = typed([*words, "--set", "vehicle-many-claims.least=6"], capsys, monkeypatch)
    assert "vehicle-many-claims: 0 leads" in out


def test_the_command_checks_packs_and_refuses_by_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out = typed(["models", "check", "--json"], capsys, monkeypatch)
    packs = json.loads(out)["packs"]
    assert (status, [each["name"] for each in packs]) == (0, ["accident", "auto", "flight_delay"])
    assert packs[1]["digest"] == AUTO.digest
    status, out = typed(["models", "check", os.fspath(tmp_path), "--json"], capsys, monkeypatch)
    assert (status, json.loads(out)["error"]["code"]) == (3, "pack")
