"""`prepare`, `fetch` and `inquire` as people run them, with one thing wrong each time."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from parties.founding import found, introduce

PASSPHRASE = "of your own choice, and long"


@pytest.fixture
def green(two: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two nodes of which the police may inquire; the insurer has two claims with plates."""
    monkeypatch.setenv("GREENLANE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setattr("parties.tables.sealing.COST", 1 << 4)
    two.insurer.change('may = ["count", "match"]', 'may = ["inquire"]')
    return two


def prepare(green: Any, *options: str) -> Any:
    return green.ask("prepare", *options)


def inquire(green: Any, *options: str) -> Any:
    return green.ask("inquire", *options, asker="police")


def answered(green: Any, *options: str) -> Any:
    with green.answering(role="insurer"):
        return inquire(green, *options)


def why(green: Any, event: str) -> str:
    """The reason that the insurer logged last; both nodes are in one process, so in one log."""
    logged = green.police.events(event)[-1]
    assert logged["peer"] == "police"
    return str(logged["why"])


def test_an_inquiry_is_one_object_and_its_exit_code_is_0(green: Any) -> None:
    prepared = prepare(green, "--set", "plate", "--set", "person")
    assert (prepared.status, prepared.err) == (0, "")
    assert [each["set"] for each in prepared.report["tables"]] == ["plate", "person"]
    ending = answered(green, "--plate", "浙A12345", "--plate", "x", "--id", "plate=京A00001")
    assert (ending.status, ending.err) == (0, "")
    (report,) = ending.report["peers"]
    told = [(each["value"], each["records"], each["asked"]) for each in report["told"]]
    assert told == [("浙A12345", 1, True), ("x", 0, False), ("京A00001", 0, True)]
    assert report["told"][0]["rows"] == [{"claim_no": "C-1", "amount": "12000.00"}]
    assert report["epochs"].keys() == {"plate"}


def test_a_change_is_added_by_files_and_says_when_the_whole_is_needed(
    green: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    monkeypatch.setattr("parties.tables.making.MOST_CHANGED", 1)
    prepare(green, "--set", "plate", "--set", "person")
    header = green.insurer.rows.read_text(encoding="utf-8").splitlines()[0]
    rows, about = (green.insurer.folder / name for name in ("changed.csv", "about.csv"))
    rows.write_text(header + "\n" + row(header, claim_no="C-9", plate="京A00001"), encoding="utf-8")
    about.write_text(
        "plate,insured_id,driver_id\n京A00001,,\n浙A12345,11010519491231002X,\n", encoding="utf-8"
    )
    files = ("--changed", str(rows), "--about", str(about))
    ending = prepare(green, "--set", "plate", "--set", "person", *files)
    assert (ending.status, ending.err) == (0, "")
    told = [(each["identifiers"], each["gone"]) for each in ending.report["tables"]]
    assert told == [(1, 1), (0, 1)]
    plates = ("--plate", "浙A12345", "--plate", "京A00001", "--person", "11010519491231002X")
    (report,) = answered(green, *plates).report["peers"]
    assert {each["value"]: each["records"] for each in report["told"]} == {
        "浙A12345": 0,
        "京A00001": 1,
        "11010519491231002X": 0,
    }
    prepare(green, "--set", "phone", *files).fails(
        9, "whole-needed", r"identifiers\.phone: there is no table yet; prepare without --changed"
    )
    prepare(green, "--about", str(about)).fails(2, "usage", "--about: give --changed as well")
    for more in (("--whole",), ("--epoch", "new")):
        prepare(green, *files, *more).fails(2, "usage", "--changed: .* needs all rows")
    about.unlink()
    prepare(green, "--set", "plate", *files).fails(4, "source", "about.csv: there is no such file")


def row(header: str, **cells: str) -> str:
    return ",".join(cells.get(name, "") for name in header.split(",")) + "\n"


def test_questions_come_from_a_file_too(green: Any, tmp_path: Path) -> None:
    prepare(green, "--set", "plate", "--set", "person")
    questions = tmp_path / "records.asked.csv"  # a file of records may show what it holds
    questions.write_text(
        "plate,person\n浙A12345,11010519491231002X\n,440524188001010014\n", encoding="utf-8-sig"
    )
    (report,) = answered(green, "--file", str(questions)).report["peers"]
    assert [each["records"] for each in report["told"]] == [1, 2, 1]


WRONG_FILES = {
    "ragged": (b"plate\na,b\n", "line 2: 2 cells, the header has 1"),
    "encoding": ("plate\n浙A12345\n".encode("gb18030"), "is not UTF-8 text"),
    "unknown": (b"plates\na\n", "a column as no set is; sets are person, plate, vin, phone"),
    "empty": (b"", "must name a set for each column, once"),
    "twice": (b"plate,plate\na,b\n", "must name a set for each column, once"),
    "quotes": (b'plate\n"a', "line 2"),
}


def test_a_file_of_questions_that_is_wrong_is_named(green: Any, tmp_path: Path) -> None:
    questions = tmp_path / "questions.csv"
    for content, says in WRONG_FILES.values():
        questions.write_bytes(content)
        inquire(green, "--file", str(questions)).fails(4, "source", f"questions.csv.*{says}")
    questions.unlink()
    inquire(green, "--file", str(tmp_path / "none")).fails(4, "source", "none: cannot be read")


def test_wrong_usage_shows_no_identifier(green: Any) -> None:
    inquire(green).fails(2, "usage", "nothing is asked")
    inquire(green, "--id", "浙A12345").fails(2, "usage", "--id: is SET=VALUE")
    inquire(green, "--id", "plates=x").fails(3, "settings", r"no \[identifiers.plates\]")
    inquire(green, "--peer", "nobody", "--plate", "x").fails(3, "settings", "no peer")


def test_what_a_holder_lacks_is_said_by_name(green: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inquire(green, "--plate", "浙A12345").fails(6, "peer-unreachable", "nobody listens")
    answered(green, "--plate", "浙A12345").fails(7, "no-table", "has prepared no table for us")
    monkeypatch.delenv("GREENLANE_PASSPHRASE")
    prepare(green, "--set", "plate").fails(3, "settings", "set tables.wrapping_key to a PEM file")
    monkeypatch.setenv("GREENLANE_PASSPHRASE", "short")
    prepare(green, "--set", "plate").fails(3, "settings", "12 characters or more")
    monkeypatch.setenv("GREENLANE_PASSPHRASE", PASSPHRASE)
    prepare(green, "--set", "plate", "--epoch", "A/..").fails(3, "settings", "name of an epoch")
    assert prepare(green, "--set", "plate").status == 0
    # Another passphrase at the node that answers: its log says what, the peer that it is settings.
    monkeypatch.setenv("GREENLANE_PASSPHRASE", PASSPHRASE + "!")
    answered(green, "--plate", "浙A12345").fails(7, "settings", "settings that do not fit")
    assert "does not open" in why(green, "job_failed")


def test_the_limit_of_a_day_is_a_sentence(green: Any) -> None:
    prepare(green, "--set", "plate")
    green.insurer.change('may = ["inquire"]', 'may = ["inquire"]\ndaily_inquiries = 1')
    assert answered(green, "--plate", "浙A12345").status == 0
    answered(green, "--plate", "浙A12345").fails(
        7, "over-limit", "lets us ask less than that today"
    )
    assert "has asked about 1 of the 1 of a day" in why(green, "job_refused")


def test_a_peer_that_fails_is_an_object_beside_the_others(green: Any) -> None:
    prepare(green, "--set", "plate")
    # A second insurer, where nobody answers.
    found(green.folder / "C", "insurer", "other", "127.0.0.1:1")
    introduce(green.folder / "C/greenlane.toml", green.police.file)
    with green.answering(role="insurer"):
        ending = green.program(
            *("inquire", "--settings", str(green.police.file), "--plate", "浙A12345", "--json")
        )
    assert ending.status == 6
    answer, failed = ending.report["peers"]
    assert answer["told"][0]["records"] == 1
    assert failed["error"]["code"] == "peer-unreachable"


def test_fetch_tells_which_tables_there_are(green: Any) -> None:
    prepare(green, "--set", "plate")
    with green.answering(role="insurer"):
        ending = green.ask("fetch", asker="police")
        named = green.ask("fetch", "--set", "vin", asker="police")
    assert ending.status == 0
    assert [each["epochs"].keys() for each in ending.report["peers"]] == [{"plate"}]
    named.fails(7, "no-table", "has prepared no table")


@pytest.mark.parametrize(("way", "says"), [("prepare", "goes on where it was")])
def test_an_interrupted_command_says_what_became_of_it(
    green: Any, start: Any, way: str, says: str
) -> None:
    lines = "".join(f"C-{n},,,,浙A{n:05d},,1\n" for n in range(60_000))
    head = green.insurer.rows.read_text(encoding="utf-8").splitlines()[0]
    green.insurer.rows.write_text(f"{head}\n{lines}", encoding="utf-8")
    green.killed = True
    options = ("--settings", str(green.insurer.file), "--peer", "police", "--set", "plate")
    process = start(way, *options, "--json")
    green.insurer.wait_for("table_begun")
    journal = green.insurer.folder / "tables/held/police/plate"
    for _ in range(3000):
        if list(journal.glob("epochs/*/evaluated/*")):
            break
        process.process.poll()
        signal.sigtimedwait([], 0.01)
    process.send(signal.SIGINT)
    ending = process.end()
    assert ending.status == 130
    assert says in ending.err
    assert says in json.loads(ending.out)["error"]["message"]
    assert prepare(green, "--set", "plate").status == 0
