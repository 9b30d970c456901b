"""`greenlane check`: each thing that a node needs is looked at, and told in one sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from parties import certificates
from parties.certificates import issue, renew
from parties.checking import Finding, check
from parties.credentials import Identity
from parties.founding import found, introduce
from parties.settings_file import load

Node = Callable[[str, str], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    one = found(tmp_path / "A", "insurer", "insurer", "127.0.0.1:1")
    introduce(one, found(tmp_path / "B", "police", "police", "127.0.0.1:2"))
    return one


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, after), encoding="utf-8")


def findings(file: Path, level: str) -> list[Finding]:
    return [each for each in check(load(file)) if each.level == level]


def the(file: Path, level: str) -> Finding:
    """The only finding of this level; with the other one, nothing is found."""
    (found,) = findings(file, level)
    assert findings(file, "doubt" if level == "wrong" else "wrong") == []
    return found


def certificate(file: Path) -> Identity:
    return Identity(file.parent / "tls/node.pem", file.parent / "tls/node.key")


def authority(file: Path) -> Identity:
    return Identity(file.parent / "tls/authority.pem", file.parent / "tls/authority.key")


def test_a_node_that_is_fine_is_told_piece_by_piece(file: Path) -> None:
    assert [each.where for each in findings(file, "fine")] == [
        "node.certificate",
        "node.results",
        "node.log",
        "store.url",
        "peers.police",
        "operators.authority",
        "tickets.folder",
        "source",
        "identifiers.person",
        "identifiers.plate",
        "identifiers.vin",
        "identifiers.phone",
    ]
    assert findings(file, "wrong") == findings(file, "doubt") == []
    for made in ("results", "state.db"):
        assert not (file.parent / made).exists(), "a check makes nothing"


def test_a_log_that_cannot_be_written_is_wrong(file: Path) -> None:
    change(file, 'log = "greenlane.log"', 'log = "greenlane.toml/x.log"')
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("node.log", 9)


def test_a_certificate_for_another_name_is_wrong(file: Path) -> None:
    change(file, 'name = "insurer"', 'name = "acme"')
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("node.name", 3)
    assert found.text.endswith("node.pem is for insurer, not acme; peers would refuse it")


def test_a_certificate_that_must_be_renewed_soon_is_a_doubt(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "NODE_LIFETIME", timedelta(days=5, hours=1))
    renew(certificate(file), authority(file))
    assert the(file, "doubt").text == "5 days left: renew it"


def test_an_expired_certificate_is_wrong(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "NODE_LIFETIME", timedelta(minutes=-1))
    renew(certificate(file), authority(file))
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("node.certificate", 5)
    assert "expired on" in found.text


def test_a_key_that_others_may_read_is_a_doubt(file: Path) -> None:
    certificate(file).key.chmod(0o640)
    assert the(file, "doubt").text.endswith("node.key is open to others: chmod 600 it")


def test_a_missing_key_is_wrong(file: Path) -> None:
    certificate(file).key.unlink()
    assert (the(file, "wrong").where, the(file, "wrong").exit_code) == ("node.certificate", 5)


def test_a_pin_that_cannot_be_read_is_wrong(file: Path) -> None:
    (file.parent / "tls/police.pem").write_text("no certificate")
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("peers.police", 5)


def test_a_pin_that_is_a_nodes_own_certificate_is_wrong(file: Path) -> None:
    shutil.copy(certificate(file).certificate, file.parent / "tls/police.pem")
    assert "is not an authority's certificate" in the(file, "wrong").text


def test_a_node_without_peers_is_a_doubt(tmp_path: Path) -> None:
    alone = found(tmp_path, "police", "police", "127.0.0.1:1")
    assert the(alone, "doubt").where == "peers"


def test_results_that_cannot_be_written_are_wrong(file: Path) -> None:
    change(file, 'results = "results"', 'results = "claims.csv"')
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("node.results", 9)


def test_rows_that_are_not_there_are_wrong_and_nothing_is_said_of_identifiers(file: Path) -> None:
    (file.parent / "claims.csv").unlink()
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("source", 4)


def test_each_set_is_looked_at_by_itself(file: Path) -> None:
    rows = file.parent / "claims.csv"
    rows.write_text(rows.read_text("utf-8").replace(",plate,", ",number_plate,"), "utf-8")
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("identifiers.plate", 4)
    assert len(findings(file, "fine")) == 11


def test_rejected_cells_are_a_doubt_with_counts_and_no_value(file: Path) -> None:
    rows = file.parent / "claims.csv"
    rows.write_text(rows.read_text("utf-8") + "C-3,,,12345,浙A99999,,1\n", "utf-8")
    found = the(file, "doubt")
    assert found.where == "identifiers.phone"
    assert found.text.startswith("1 identifiers in 3 rows; rejected cells: 1 ")
    assert "12345" not in found.text


def test_a_column_to_disclose_that_is_not_there_is_wrong(file: Path) -> None:
    change(file, '"claim_no", "amount"', '"claim_no", "sum"')
    found = the(file, "wrong")
    assert (found.where, found.exit_code) == ("peers.police.disclose", 4)


def test_a_certificate_of_another_name_for_this_node_cannot_be_issued_over_it(file: Path) -> None:
    with pytest.raises(Exception, match="is there already"):
        issue("acme", certificate(file), authority(file))
