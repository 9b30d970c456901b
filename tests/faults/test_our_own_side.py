"""What is wrong at home: settings, rows, certificates, ports, folders. Nobody else is needed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS: dict[str, tuple[str, str, str]] = {
    "an unknown entry": ('role = "insurer"', 'rolle = "insurer"', r"\[node\] rolle|lacks role"),
    "a misspelt bound": (
        'may = ["count"',
        'max_element = 5\nmay = ["count"',
        "did you mean max_elements",
    ),
    "an unknown table": ("[source]", "[sources]", "lacks source"),
    "a wrong type": ('listen = "', "listen = 7443 # ", r"\[node\] listen: must be a text"),
    "a port that is none": (":{port}", ":{port}7", r"\[node\] listen: (a port is|does not have)"),
    "no port": (":{port}", "", r"\[node\] listen: does not have the form"),
    "another role": ('role = "insurer"', 'role = "lawyer"', "must be one of insurer, police"),
    "a list of numbers": ('columns = ["plate"]', "columns = [1]", r"\[identifiers.plate\] columns"),
    "a kind that is none": ('kind = "plate"', 'kind = "passport-photo"', "kind: must be one of"),
    "two pins": ('ca = "tls/police.pem"', 'ca = "a"\ncertificate = "b"', "pin the peer by exactly"),
    "no pin": ('ca = "tls/police.pem"', "", "pin the peer by exactly"),
    "a column disclosed twice": ('["claim_no", "amount"]', '["amount", "amount"]', "column twice"),
}


@pytest.mark.parametrize("fault", SETTINGS)
def test_wrong_settings_are_one_sentence_that_names_the_entry(two: Any, fault: str) -> None:
    before, after, pattern = SETTINGS[fault]
    port = two.insurer.settings.node.listen.rpartition(":")[2]
    two.insurer.change(before.format(port=port), after.format(port=port))
    two.ask("count").fails(3, "settings", pattern)


def test_missing_settings_are_one_sentence(two: Any, tmp_path: Path) -> None:
    for command in (("check",), ("serve",), ("count", "--peer", "police")):
        ending = two.program(*command, "--settings", str(tmp_path / "nothing.toml"), "--json")
        ending.fails(3, "settings", "there is no such settings file; `greenlane init` makes one")


@pytest.mark.parametrize("content", [b"[node\nname = 1", b"\xff\xfe\x00", b"", b"a = 1\na = 2"])
def test_settings_that_are_no_toml_are_one_sentence(two: Any, content: bytes) -> None:
    two.insurer.file.write_bytes(content)
    two.ask("count").fails(3, "settings", "is not TOML|cannot be read as UTF-8|lacks node")


def test_settings_that_are_a_folder_are_one_sentence(two: Any, tmp_path: Path) -> None:
    ending = two.program("check", "--settings", str(tmp_path), "--json")
    ending.fails(3, "settings", "cannot be read as UTF-8 text: Is a directory")


def test_a_peer_or_set_that_is_not_in_the_settings_is_named_with_those_that_are(two: Any) -> None:
    two.ask("count", "--peer", "customs").fails(3, "settings", r"no peer .*; there is: police")
    two.ask("count", "--set", "ship").fails(
        3, "settings", r"no \[identifiers.ship\].*person, plate"
    )


def test_wrong_usage_is_one_sentence(two: Any) -> None:
    two.program("count", "--json").fails(2, "usage", "Missing option '--settings'; see --help")
    two.program("dance", "--json").fails(2, "usage", "No such command 'dance'; see --help")
    two.ask("count", "--learns", "both").fails(2, "usage", "a count is learnt by one side")
    two.ask("match", "--format", "xls").fails(2, "usage", "xls")
    assert two.program().status == 2


# --- rows


def _header_only(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")


def _all_wrong(path: Path) -> None:
    header = path.read_text(encoding="utf-8").splitlines()[0]
    row = ",".join(["none"] * len(header.split(",")))
    path.write_text(f"{header}\n{row}\n{row}\n", encoding="utf-8")


def _other_encoding(path: Path) -> None:
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))


ROWS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "is missing": (Path.unlink, "claims.csv: .*(no such file|No such file)"),
    "is a folder": (lambda path: (path.unlink(), path.mkdir()), "claims.csv: "),
    "is empty": (lambda path: path.write_bytes(b""), "claims.csv: is empty"),
    "has a header only": (_header_only, "no row gives an identifier for 'person'.*: 0 rows"),
    "has invalid rows only": (_all_wrong, "no row gives an identifier.*2 rows.*rejected cells"),
    "has another encoding": (_other_encoding, "is not utf-8 text; is the encoding gb18030"),
    "lacks a column": (
        lambda path: path.write_text("claim_no,amount\n1,2\n"),
        "no column '(insured_id|claim_no)'|there is no column",
    ),
    "is no text": (lambda path: path.write_bytes(os.urandom(5000)), "claims.csv: "),
    "has a row with a cell too many": (
        lambda path: path.write_text(path.read_text("utf-8") + "a,b,c,d,e,f,g,h\n", "utf-8"),
        "row 3 after the header .line 4. has 8 cells",
    ),
}


@pytest.mark.parametrize("fault", ROWS)
def test_wrong_rows_are_one_sentence_with_their_place(two: Any, fault: str) -> None:
    change, pattern = ROWS[fault]
    change(two.insurer.rows)
    two.ask("match", "--learns", "both").fails(4, "source", pattern)
    check = two.program("check", "--settings", str(two.insurer.file), "--json")
    assert (check.status, check.err) == (4, "")
    assert check.report["wrong"] >= 1


def test_rows_that_may_not_be_read_are_one_sentence(two: Any) -> None:
    two.insurer.rows.chmod(0)
    if os.access(two.insurer.rows, os.R_OK):
        two.insurer.rows.chmod(0o600)
        pytest.skip("this user may read everything")
    two.ask().fails(4, "source", "claims.csv: cannot be read: this user has no permission")


def test_rejected_cells_are_reported_even_if_nothing_else_comes_of_the_job(two: Any) -> None:
    _all_wrong(two.insurer.rows)
    two.ask().fails(4, "source", "no row gives")
    assert two.insurer.left == {"", "rejects.csv"}


def test_a_column_to_disclose_that_is_not_there_is_named(two: Any) -> None:
    two.insurer.change('["claim_no", "amount"]', '["claim_no", "sum"]')
    two.ask("match", "--learns", "both").fails(4, "source", "no column 'sum' to disclose")
    assert two.insurer.left == set()


# --- certificates, ports, folders


def test_our_own_certificate_is_looked_at_before_anybody_is_called(two: Any) -> None:
    key = two.insurer.folder / "tls/node.key"
    key.write_text("no key")
    two.ask("count").fails(5, "certificate", "node.key holds no PEM private key")
    key.unlink()
    two.ask("count").fails(5, "certificate", "node.key cannot be read: No such file")
    two.program("serve", "--settings", str(two.insurer.file), "--json").fails(
        5, "certificate", "node.key cannot be read: No such file"
    )
    assert two.insurer.left == set()


@pytest.mark.parametrize("page", [False, True], ids=["node", "metrics"])
def test_a_port_that_is_taken_is_one_sentence(two: Any, page: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        if page:
            two.insurer.change("# metrics", f'metrics = "127.0.0.1:{port}" #')
        else:
            two.insurer.change(two.insurer.settings.node.listen, f"127.0.0.1:{port}")
        ending = two.program("serve", "--settings", str(two.insurer.file), "--json")
    ending.fails(9, "local", f"127.0.0.1:{port}: Address already in use; choose another")


def test_results_that_cannot_be_written_are_one_sentence(two: Any) -> None:
    (two.insurer.folder / "results").write_text("a file in the place of the folder")
    two.ask().fails(9, "local", "results: the results folder cannot be used: ")
    check = two.program("check", "--settings", str(two.insurer.file), "--json")
    assert check.status == 9


def test_a_folder_that_is_read_only_is_one_sentence(two: Any, tmp_path: Path) -> None:
    # Root may write to a read-only folder; nobody may write to this one.
    two.insurer.change('results = "results"', 'results = "/proc/self/results"')
    two.ask().fails(9, "local", "/proc/self/results: the results folder cannot be used")


def test_a_log_that_cannot_be_opened_is_one_sentence(two: Any, tmp_path: Path) -> None:
    two.insurer.change('log = "greenlane.log"', 'log = "claims.csv/log"')
    two.ask().fails(9, "local", "log: the log cannot be opened: (Not a directory|File exists)")


def test_a_place_for_joined_rows_that_does_not_exist_is_one_sentence(two: Any) -> None:
    ending = two.ask("match", "--out", str(two.folder / "nowhere/x.csv"))
    ending.fails(9, "local", "nowhere/x.csv: its folder is missing or may not be written")
    assert two.insurer.log == [], "told before anybody was asked"
