"""Verifying a log: whatever was done to it is found, and named by the number of the line."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from booked import Booked, run

from parties import audit, canonical
from parties.audit import reading
from parties.audit.exported import ExportedLog
from parties.audit.exporting import export
from parties.audit.findings import MOST, Report
from parties.audit.reading import StoredLog
from parties.audit.verifying import verify
from parties.certificates import create_authority, issue
from parties.credentials import Identity, read_credentials
from parties.errors import AuditRefused, LocalFault
from parties.store import Store

LINES = 12


@pytest.fixture
def insurer(tmp_path: Path) -> Booked:
    """A log of some lines, one run, and a head at its end."""
    node = Booked(tmp_path / "insurer", "insurer")
    node.fill(3)
    run(node, Booked(tmp_path / "police", "police"))
    node.fill(LINES - len(node.rows()))
    node.sign()
    assert len(node.rows()) == LINES
    assert node.verified().holds
    return node


def found(report: Report) -> list[tuple[str, int | None]]:
    assert report.holds == (report.findings == ())
    return [(each.code, each.number) for each in report.findings]


def exported(node: Booked) -> Path:
    path = node.folder / "export.jsonl"
    with node.store.reading() as connection:
        export(connection, path)
    return path


def of_file(node: Booked, lines: list[bytes]) -> list[tuple[str, int | None]]:
    path = node.folder / "tampered.jsonl"
    path.write_bytes(b"".join(lines))
    return found(verify(ExportedLog(path)))


def found_or_refused(node: Booked, lines: list[bytes]) -> list[str]:
    """The codes of what is found, or of the refusal."""
    try:
        return [code for code, _ in of_file(node, lines)]
    except AuditRefused as refused:
        return [refused.code]


def test_a_log_that_nobody_touched_holds(insurer: Booked) -> None:
    report = insurer.verified()
    assert (report.first, report.last, report.lines, report.proven) == (1, LINES, LINES, LINES)
    assert (report.heads, report.receipts) == (3, 2)
    assert report.signer == f"sha256:{hashlib.sha256(insurer.credentials.leaf_der).hexdigest()}"
    assert report.text()[-1] == "  everything holds"
    assert report.as_json()["holds"] is True
    assert verify(ExportedLog(exported(insurer))) == report


def test_lines_after_the_last_head_hold_and_are_not_proven(insurer: Booked) -> None:
    insurer.fill(2)
    report = insurer.verified()
    assert report.holds
    assert (report.last, report.proven) == (LINES + 2, LINES)


def test_an_empty_log_holds(tmp_path: Path) -> None:
    report = Booked(tmp_path / "node", "insurer").verified()
    assert report.holds
    assert (report.first, report.last, report.lines) == (1, 0, 0)


def test_a_log_in_many_batches_holds_and_its_faults_are_found_at_every_edge(
    insurer: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 5)
    monkeypatch.setattr("parties.audit.exported.BATCH", 5)
    assert insurer.verified().holds
    assert verify(ExportedLog(exported(insurer))).holds
    for number in (5, 6, 10, 11):
        insurer.tamper(
            "UPDATE audit_lines SET hash = zeroblob(32) WHERE number = :number", number=number
        )
        assert found(insurer.verified())[0] == ("line-altered", number)
        insurer.rechain(number)


@pytest.mark.parametrize("number", range(1, LINES + 1))
def test_any_altered_byte_of_a_body_is_found(insurer: Booked, number: int) -> None:
    body = insurer.rows()[number - 1].body
    places = (0, 7, 30, 45, len(body) // 2, len(body) - 60, len(body) - 3, len(body) - 1)
    for place in places:
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        text = "UPDATE audit_lines SET body = :body WHERE number = :number"
        insurer.tamper(text, body=altered, number=number)
        findings = found(insurer.verified())
        assert findings[0] == ("line-altered", number), place
        assert {line for code, line in findings if code == "line-altered"} == {number}
        insurer.tamper(text, body=body, number=number)
    assert insurer.verified().holds


@pytest.mark.parametrize("number", range(1, LINES + 1))
def test_any_altered_hash_is_found(insurer: Booked, number: int) -> None:
    text = "UPDATE audit_lines SET hash = zeroblob(32) WHERE number = :number"
    insurer.tamper(text, number=number)
    assert found(insurer.verified())[0] == ("line-altered", number)


@pytest.mark.parametrize(
    ("column", "value"), [("at", "2024-11-30T11:00:00.000000Z"), ("event", "erased"), ("at", "")]
)
def test_a_column_that_does_not_say_what_its_line_says_is_found(
    insurer: Booked, column: str, value: str
) -> None:
    insurer.tamper(f"UPDATE audit_lines SET {column} = :value WHERE number = 3", value=value)
    assert found(insurer.verified()) == [("line-altered", 3)]


@pytest.mark.parametrize("number", range(1, LINES))
def test_a_dropped_line_is_found(insurer: Booked, number: int) -> None:
    insurer.tamper("DELETE FROM audit_lines WHERE number = :number", number=number)
    assert found(insurer.verified())[0] == ("line-missing", number)


def test_several_dropped_lines_are_one_gap(insurer: Booked) -> None:
    insurer.tamper("DELETE FROM audit_lines WHERE number IN (2, 3)")
    report = insurer.verified()
    assert found(report)[0] == ("line-missing", 2)
    assert "lines 2 to 3" in report.findings[0].text


def test_a_dropped_line_whose_gap_is_closed_is_found(insurer: Booked) -> None:
    insurer.tamper(
        "DELETE FROM audit_lines WHERE number = 3",
        "UPDATE audit_lines SET number = number - 1 WHERE number > 3",
    )
    assert found(insurer.verified())[0] == ("line-altered", 3)


def test_two_swapped_lines_are_found(insurer: Booked) -> None:
    insurer.tamper(
        "UPDATE audit_lines SET number = -1 WHERE number = 2",
        "UPDATE audit_lines SET number = 2 WHERE number = 3",
        "UPDATE audit_lines SET number = 3 WHERE number = -1",
    )
    assert found(insurer.verified())[:2] == [("line-altered", 2), ("line-altered", 3)]


def test_an_inserted_line_is_found(insurer: Booked) -> None:
    insurer.tamper(
        "UPDATE audit_lines SET number = -number - 1 WHERE number > 2",
        "UPDATE audit_lines SET number = -number WHERE number < 0",
        "INSERT INTO audit_lines SELECT 3, at, event, body, hash FROM audit_lines WHERE number = 2",
    )
    assert found(insurer.verified())[0] == ("line-altered", 3)


@pytest.mark.parametrize("kept", range(LINES))
def test_a_log_that_was_cut_at_its_end_is_found(insurer: Booked, kept: int) -> None:
    insurer.tamper("DELETE FROM audit_lines WHERE number > :kept", kept=kept)
    codes = found(insurer.verified())
    assert ("log-cut", LINES) in codes


def test_a_log_that_was_written_anew_without_the_key_does_not_fit_its_heads(
    insurer: Booked,
) -> None:
    line = insurer.rows()[1]
    values = canonical.decode(line.body)
    values["facts"]["code"] = "other-version"
    insurer.tamper(
        "UPDATE audit_lines SET body = :body WHERE number = 2", body=canonical.encode(values)
    )
    insurer.rechain(2)
    findings = found(insurer.verified())
    assert [code for code, _ in findings] == 3 * ["head-misfit"] + ["not-signed"]
    assert findings[2] == ("head-misfit", LINES)


def test_heads_that_are_made_to_fit_are_not_signed(insurer: Booked) -> None:
    insurer.rechain(1)
    line = insurer.rows()[1]
    values = canonical.decode(line.body)
    values["facts"]["code"] = "other-version"
    insurer.tamper(
        "UPDATE audit_lines SET body = :body WHERE number = 2", body=canonical.encode(values)
    )
    insurer.rechain(2)
    insurer.tamper(
        "UPDATE audit_heads SET hash = "
        "(SELECT hash FROM audit_lines WHERE audit_lines.number = audit_heads.number)"
    )
    assert [code for code, _ in found(insurer.verified())] == 3 * ["head-forged"] + ["not-signed"]


@pytest.mark.parametrize("column", ["signature", "certificate", "at"])
def test_a_head_of_which_something_was_altered_is_found(insurer: Booked, column: str) -> None:
    value: Any = "2024-11-30T12:00:00.000000Z" if column == "at" else b"\1"
    text = f"UPDATE audit_heads SET {column} = :value WHERE number = {LINES}"
    insurer.tamper(text, value=value)
    assert found(insurer.verified()) == [("head-forged", LINES)]


def test_a_certificate_that_somebody_else_made_in_our_name_signs_no_head(
    insurer: Booked,
) -> None:
    folder = insurer.folder / "forger"
    authority = Identity(folder / "ca.pem", folder / "ca.key")
    files = Identity(folder / "node.pem", folder / "node.key")
    create_authority("insurer", authority)
    issue("insurer", files, authority)
    insurer.credentials, ours = read_credentials(files), insurer.credentials
    insurer.tamper()
    insurer.fill(1)
    insurer.sign()  # names the forger's certificate in a line, and signs that
    insurer.credentials = ours
    assert found(insurer.verified()) == [("not-signed", LINES + 2)]
    # Without a line that names it.
    insurer.tamper(
        f"DELETE FROM audit_lines WHERE number = {LINES + 2}",
        f"UPDATE audit_heads SET number = {LINES + 1}, hash = "
        f"(SELECT hash FROM audit_lines WHERE number = {LINES + 1}) WHERE number > {LINES}",
    )
    insurer.credentials, head = read_credentials(files), insurer.rows("audit_heads")[-1]
    forged = audit.Head(audit.Place(head.number, head.hash), head.at, b"", head.certificate)
    from parties.audit import heads, signing

    said = forged.said(insurer.genesis())
    signature = signing.sign(heads.DOMAIN, said, insurer.credentials)
    insurer.tamper(
        f"UPDATE audit_heads SET signature = :signature WHERE number = {LINES + 1}",
        signature=signature,
    )
    insurer.credentials = ours
    assert found(insurer.verified()) == [("head-forged", LINES + 1)]


def test_a_log_of_another_genesis_is_found(insurer: Booked) -> None:
    insurer.tamper("UPDATE audit_log SET id = zeroblob(32)")
    codes = found(insurer.verified())
    assert codes[0] == ("line-altered", 1)
    assert {code for code, _ in codes[1:]} == {"head-forged", "not-signed"}


def test_lines_without_any_head_are_not_proven(insurer: Booked) -> None:
    insurer.tamper("DELETE FROM audit_heads")
    assert found(insurer.verified()) == [("not-signed", None)]


@pytest.mark.parametrize("signer", ["ours", "theirs"])
def test_a_receipt_that_was_altered_dropped_or_put_elsewhere_is_found(
    insurer: Booked, signer: str
) -> None:
    rows = {row.signer: row for row in insurer.rows("audit_receipts")}
    line, data = rows[signer].line, rows[signer].data
    text = "UPDATE audit_receipts SET data = :data WHERE line = :line"
    insurer.tamper(text, data=data[:-1], line=line)
    assert found(insurer.verified()) == [("receipt-malformed", line)]
    cut = data.replace(b'"count"', b'"match"')
    insurer.tamper(text, data=cut, line=line)
    assert found(insurer.verified()) == [("receipt-forged", line)]
    other = rows["ours" if signer == "theirs" else "theirs"].data
    insurer.tamper(text, data=other, line=line)
    assert found(insurer.verified()) == [("receipt-altered", line)]
    insurer.tamper(text, data=data, line=line)
    insurer.tamper("UPDATE audit_receipts SET session = :to WHERE line = :line", to="x", line=line)
    assert found(insurer.verified()) == [("receipt-altered", line)]
    insurer.tamper("DELETE FROM audit_receipts WHERE line = :line", line=line)
    assert found(insurer.verified()) == [("receipt-missing", line)]


def test_a_receipt_that_no_line_names_is_found(insurer: Booked) -> None:
    insurer.tamper(
        "INSERT INTO audit_receipts SELECT 1, 'other', signer, data FROM audit_receipts LIMIT 1"
    )
    assert found(insurer.verified()) == [("receipt-altered", 1)]


def test_of_a_log_in_which_all_is_wrong_some_is_told_and_the_rest_counted(
    insurer: Booked,
) -> None:
    insurer.fill(MOST)
    insurer.tamper("UPDATE audit_lines SET body = zeroblob(100)")
    report = insurer.verified()
    assert len(report.findings) == MOST
    assert report.more > LINES
    assert report.text()[-1] == f"  and {report.more:,} more"


def test_an_altered_export_is_found_wherever_it_was_altered(insurer: Booked) -> None:
    lines = exported(insurer).read_bytes().splitlines(keepends=True)
    assert of_file(insurer, lines) == []
    for at, line in enumerate(lines):
        for place in {0, 8, len(line) // 3, len(line) // 2, len(line) - 20, len(line) - 2}:
            altered = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
            codes = found_or_refused(insurer, [*lines[:at], altered, *lines[at + 1 :]])
            assert codes, (at, place)


def test_a_line_of_an_export_that_is_dropped_swapped_or_there_twice_is_named(
    insurer: Booked,
) -> None:
    lines = exported(insurer).read_bytes().splitlines(keepends=True)
    two, three = lines[2], lines[3]
    assert b'"number":2,' in two
    assert of_file(insurer, [*lines[:2], *lines[3:]]) == [("line-missing", 2)]
    swapped = [*lines[:2], three, two, *lines[4:]]
    assert of_file(insurer, swapped) == [("line-missing", 2), ("line-inserted", 2)]
    assert of_file(insurer, [*lines[:3], two, *lines[3:]]) == [("line-inserted", 2)]
    no_number = two.replace(b'"number":2', b'"number":x')
    assert of_file(insurer, [*lines[:3], no_number, *lines[3:]]) == [("line-inserted", -1)]


def test_an_export_that_was_cut_is_found(insurer: Booked) -> None:
    lines = exported(insurer).read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines) - 1):
        codes = of_file(insurer, lines[:kept])
        assert "log-cut" in [code for code, _ in codes]
    assert of_file(insurer, lines[:-1]) == [], "the head alone; an older one still holds"
    with pytest.raises(AuditRefused, match="line 5 of the file"):
        of_file(insurer, [*lines[:4], lines[4][:-1]])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}\n",
        b'{"body":{},"hash":"x"}\n',
        b'{"body":' + 80 * b" " + b'"}\n',
        b'{"head":{}}\n',
        b'{"head":[]}\n',
        b'{"data":{},"line":-1,"signer":"ours"}\n',
        b'{"data":{},"line":1,"signer":"we"}\n',
        b'{"data":{},"line":1}\n',
        b"\xff\n",
    ],
)
def test_what_is_none_of_an_export_is_refused(insurer: Booked, line: bytes) -> None:
    lines = exported(insurer).read_bytes().splitlines(keepends=True)
    with pytest.raises(AuditRefused, match="line 1 of the file"):
        of_file(insurer, [line])
    if line:
        with pytest.raises(AuditRefused, match="line 3 of the file"):
            of_file(insurer, [*lines[:2], line, *lines[2:]])


def test_a_line_that_fits_and_is_none_that_a_node_writes_is_found(insurer: Booked) -> None:
    from parties.audit.chain import link

    lines = exported(insurer).read_bytes().splitlines(keepends=True)
    body = b'{"at":"2024-11-30T12:00:00.000000Z","event":"receipt","facts":[],"number":1,"salt":"'
    body += 32 * b"0" + b'"}'
    made = b'{"body":' + body + b',"hash":"' + link(insurer.genesis().hash, body).hex().encode()
    assert of_file(insurer, [lines[0], made + b'"}\n'])[0] == ("line-altered", 1)


def test_more_heads_than_lines_are_not_read_into_memory(
    insurer: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = exported(insurer).read_bytes().splitlines(keepends=True)
    monkeypatch.setattr("parties.audit.exported.BATCH", 20)
    with pytest.raises(AuditRefused, match="is not one of an exported"):
        of_file(insurer, [*lines, *(100 * lines[-1:])])


def test_a_file_that_is_not_there_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="cannot be read"):
        ExportedLog(tmp_path / "none")


def test_a_store_without_a_log_cannot_be_verified(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    with store.reading() as connection, pytest.raises(LocalFault, match="no audit log yet"):
        StoredLog(connection)


def test_a_copy_of_the_database_holds_as_well(insurer: Booked, tmp_path: Path) -> None:
    insurer.store.close()
    shutil.copy(insurer.folder / "store.db", tmp_path / "copy.db")
    with Store(f"sqlite:///{tmp_path / 'copy.db'}").reading() as connection:
        assert verify(StoredLog(connection), insurer.credentials.leaf).holds
