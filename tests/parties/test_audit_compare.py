"""Comparing two nodes' logs: they agree, or each way in which they do not is told."""

from __future__ import annotations

import base64
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from booked import NOON, Booked, begun, receipt_of, run
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from parties import audit, canonical
from parties.audit import receipt as receipts
from parties.audit import signing
from parties.audit.chain import stamp
from parties.audit.comparing import Comparison, compare
from parties.audit.exported import ExportedLog
from parties.audit.exporting import announce, export
from parties.audit.reading import StoredLog
from parties.audit.receipt import read
from parties.errors import AuditRefused

SESSION = "0123456789abcdef" * 2


class Both:
    """An insurer and a police node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.insurer = Booked(folder / "insurer", "insurer")
        self.police = Booked(folder / "police", "police")

    def run(self, session: str | None = None, **changes: dict[str, Any]) -> str:
        return run(self.insurer, self.police, session, **changes)

    def export(self, node: Booked, **times: Any) -> ExportedLog:
        with node.store.writing() as connection:
            announce(connection, node.tick(), node.node, node.credentials, "jsonl", **times)
        path = node.folder / "export.jsonl"
        with node.store.reading() as connection:
            export(connection, path, **times)
        return ExportedLog(path)

    def compared(self, **times: Any) -> Comparison:
        """The insurer's store against an export of the police's."""
        theirs = self.export(self.police, **times)
        with self.insurer.store.reading() as connection:
            comparison = compare(StoredLog(connection), theirs)
        ours = self.export(self.insurer)
        seen = [(each.code, each.text) for each in compare(ours, theirs).findings]
        assert seen == [(each.code, each.text) for each in comparison.findings]
        return comparison

    def alone(self, node: Booked, session: str, **changes: Any) -> None:
        """One node's run, of which the other has heard nothing."""
        with node.store.writing() as connection:
            begun(connection, node, session)
            receipt = receipt_of(session, node.node, ended=stamp(node.time))._replace(**changes)
            audit.keep_ours(connection, node.tick(), receipt, node.credentials)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    nodes = Both(tmp_path)
    nodes.insurer.fill(2)
    nodes.police.fill(5)
    for _ in range(3):
        nodes.run()
        nodes.police.fill(1)
    return nodes


def codes(comparison: Comparison) -> list[str]:
    assert comparison.holds == (
        not comparison.findings and comparison.ours.holds and comparison.theirs.holds
    )
    return [each.code for each in comparison.findings]


def test_two_logs_of_the_same_runs_agree(both: Both) -> None:
    comparison = both.compared()
    assert comparison.holds
    assert (comparison.sessions, comparison.agreed) == (3, 3)
    assert (comparison.open, comparison.beyond) == (0, 0)
    assert comparison.text()[-1] == "  everything holds"
    assert comparison.as_json()["holds"] is True


def test_logs_of_nodes_that_never_met_agree(tmp_path: Path) -> None:
    nodes = Both(tmp_path)
    nodes.insurer.sign()
    assert nodes.compared().sessions == 0
    assert nodes.compared().holds


def test_runs_with_others_are_none_of_the_two(both: Both) -> None:
    both.alone(both.police, "aa" * 16, insurer="rival")
    comparison = both.compared()
    assert comparison.holds
    assert comparison.sessions == 3


def test_a_log_is_not_compared_with_one_of_the_same_node(both: Both) -> None:
    ours = both.export(both.insurer)
    with pytest.raises(AuditRefused, match="both logs are of insurer"):
        compare(ours, ours)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"said_bytes": 4999}, "heard_bytes"),
        ({"transcript": "00" * 32}, "transcript"),
        ({"way": "match", "ticket": "T-2026-9"}, "ticket, way"),
        ({"outcome": "transcript-mismatch"}, "outcome"),
    ],
)
def test_the_fields_in_which_two_receipts_disagree_are_told(
    both: Both, change: dict[str, Any], named: str
) -> None:
    session = both.run(police=change)
    comparison = both.compared()
    assert codes(comparison) == ["receipts-disagree"]
    text = comparison.findings[0].text
    assert text == f"run {session}: insurer and police say different things of {named}"
    assert comparison.agreed == 3


def test_a_run_that_one_log_does_not_have_is_told(both: Both) -> None:
    both.alone(both.insurer, SESSION)
    both.police.time = both.insurer.time + timedelta(hours=2)
    both.police.fill(1)
    comparison = both.compared()
    assert codes(comparison) == 3 * ["receipt-missing"]
    assert {each.text for each in comparison.findings} == {
        f"run {SESSION}: the log of insurer lacks police's receipt",
        f"run {SESSION}: the log of police lacks insurer's receipt",
        f"run {SESSION}: the log of police lacks police's receipt",
    }


def test_a_run_that_only_the_other_log_has_is_told(both: Both) -> None:
    both.alone(both.police, SESSION)
    both.insurer.time = both.police.time + timedelta(hours=2)
    both.insurer.fill(1)
    texts = {each.text for each in both.compared().findings}
    assert f"run {SESSION}: the log of insurer lacks police's receipt" in texts
    assert f"run {SESSION}: the log of insurer lacks insurer's receipt" in texts


def test_a_run_that_just_ended_is_not_expected_of_a_log_by_another_clock(both: Both) -> None:
    both.alone(both.insurer, SESSION)
    both.police.time = both.insurer.time
    both.police.fill(1)
    comparison = both.compared()
    assert {each.text for each in comparison.findings} == {
        f"run {SESSION}: the log of insurer lacks police's receipt"
    }


def test_a_run_that_broke_may_lack_a_receipt(both: Both) -> None:
    both.alone(both.insurer, SESSION, outcome="peer-lost", transcript="")
    comparison = both.compared()
    assert comparison.holds
    assert (comparison.sessions, comparison.agreed, comparison.open) == (4, 3, 1)


def test_a_run_whose_last_message_was_lost_is_told(both: Both) -> None:
    both.alone(both.insurer, SESSION)
    both.alone(both.police, SESSION, outcome="peer-lost", transcript="")
    assert codes(both.compared()) == ["receipts-disagree", *2 * ["receipt-missing"]]


def test_a_log_that_was_written_anew_with_its_key_does_not_fit_what_the_other_has(
    both: Both, tmp_path: Path
) -> None:
    # The police write their log anew, all of it well signed, without a line of before the runs.
    again = Booked(tmp_path / "again", "police")
    again.credentials = both.police.credentials
    again.tamper("UPDATE audit_log SET id = :id", id=both.police.genesis().id)
    for row in both.police.rows()[1:]:
        values = canonical.decode(row.body)
        with again.store.writing() as connection:
            if values["event"] == "certificate_used":
                continue
            number = audit.append(connection, again.tick(), values["event"], values["facts"])
            for kept in both.police.rows("audit_receipts"):
                if kept.line == row.number:
                    moved = "INSERT INTO audit_receipts VALUES (:line, :session, :signer, :data)"
                    connection.execute(moved, kept._asdict() | {"line": number})
    again.sign()
    assert again.verified().holds, "by itself it is in order"
    both.police = again
    comparison = both.compared()
    assert comparison.theirs.holds
    assert codes(comparison) == 3 * ["history-rewritten"]
    assert "police signed a place of its log that is not on the chain" in comparison.text()[-1]


def test_our_own_log_is_held_against_what_the_other_has_of_it(both: Both) -> None:
    rows = both.insurer.rows()
    values = canonical.decode(rows[0].body)
    values["facts"]["code"] = "busy"
    both.insurer.tamper(
        "UPDATE audit_lines SET body = :body WHERE number = 1", body=canonical.encode(values)
    )
    both.insurer.rechain(1)
    comparison = both.compared()
    assert not comparison.ours.holds
    assert codes(comparison) == 3 * ["history-rewritten"]


def own_receipt(node: Booked, session: str) -> Any:
    """The row of the receipt that a node has signed of a run."""
    found = node.rows("audit_receipts")
    return next(each for each in found if (each.session, each.signer) == (session, "ours"))


def put_in_its_place(node: Booked, row: Any, data: bytes) -> None:
    """What a node does that writes its log anew, with another receipt of its own in it."""
    line = next(each for each in node.rows() if each.number == row.line)
    values = canonical.decode(line.body)
    values["facts"]["digest"] = sha256(data).hexdigest()
    node.tamper(
        "UPDATE audit_receipts SET data = :data WHERE line = :line", data=data, line=row.line
    )
    body = canonical.encode(values)
    node.tamper(
        "UPDATE audit_lines SET body = :body WHERE number = :line", body=body, line=row.line
    )
    node.rechain(row.line)
    node.tamper("DELETE FROM audit_heads WHERE number >= :line", line=row.line)
    node.sign()


def test_a_receipt_that_was_signed_twice_is_told(both: Both) -> None:
    session = both.run()
    row = own_receipt(both.police, session)
    other = read(row.data).receipt._replace(started=stamp(NOON - timedelta(seconds=1)))
    put_in_its_place(both.police, row, receipts.sign(other, both.police.credentials).data)
    comparison = both.compared()
    assert comparison.theirs.holds
    assert codes(comparison) == ["receipt-twice"]
    assert (
        comparison.findings[0].text == f"run {session}: police has signed two receipts that differ"
    )


def test_another_signature_under_the_same_words_is_no_other_receipt(both: Both) -> None:
    """A key has many for one text (ECDSA); a peer could hand out a second to accuse its partner."""
    session = both.run()
    row = own_receipt(both.police, session)
    values = canonical.decode(row.data)
    key = load_pem_private_key(both.police.credentials.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    said = signing._bound(
        receipts.DOMAIN, canonical.encode(values["receipt"]), both.police.credentials.leaf
    )
    again = key.sign(said, ec.ECDSA(hashes.SHA256()))
    data = canonical.encode(values | {"signature": base64.b64encode(again).decode()})
    assert data != row.data
    assert read(data).receipt == read(row.data).receipt
    put_in_its_place(both.police, row, data)
    assert codes(both.compared()) == []


@pytest.mark.parametrize("signer", ["ours", "theirs"])
def test_a_receipt_whose_signature_fails_is_told_in_whichever_log(both: Both, signer: str) -> None:
    for node in (both.insurer, both.police):
        row = next(each for each in node.rows("audit_receipts") if each.signer == signer)
        text = "UPDATE audit_receipts SET data = :data WHERE line = :line"
        node.tamper(text, data=row.data.replace(b'"count"', b'"match"'), line=row.line)
        comparison = both.compared()
        assert not comparison.holds
        report = comparison.ours if node is both.insurer else comparison.theirs
        assert [(each.code, each.number) for each in report.findings] == [
            ("receipt-forged", row.line)
        ]
        assert "receipt-missing" in codes(comparison), "it counts as if it were not there"
        node.tamper(text, data=row.data, line=row.line)


def test_what_is_outside_of_the_export_is_counted_and_not_missed(both: Both) -> None:
    both.police.time += timedelta(days=1)
    both.insurer.time += timedelta(days=1)
    since = both.police.time
    both.run()
    until = both.police.time = both.police.time + timedelta(days=1)
    both.insurer.time += timedelta(days=1)
    both.run()
    later = both.compared(since=since)
    assert later.holds, later.text()
    assert (later.agreed, later.beyond) == (2, 3)
    early = both.compared(until=until)
    assert early.holds, early.text()
    assert (early.agreed, early.beyond) == (4, 1)
    middle = both.compared(since=since, until=until)
    assert middle.holds, middle.text()
    assert (middle.agreed, middle.beyond) == (1, 4)


def test_an_export_that_is_older_than_a_run_lacks_nothing(both: Both) -> None:
    theirs = both.export(both.police)
    both.run()
    with both.insurer.store.reading() as connection:
        comparison = compare(StoredLog(connection), theirs)
    assert comparison.holds
    assert (comparison.agreed, comparison.beyond) == (3, 1)
