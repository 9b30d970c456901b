"""Results that are sealed to those who may open them, at both nodes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arro3.core import RecordBatch
from commands import WORDS, Run
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from green import Pair

from parties.age import INTRO, opened
from parties.asking import Question, ask
from parties.checking import Finding, check
from parties.errors import CertificateError, PeerRefused, SettingsError, SourceError
from parties.founding import FILE
from parties.inquiring import inquire
from parties.joining import write
from parties.operators import keys as operator_keys
from parties.operators import read_operator_file
from parties.operators.acting import Acting, acting_by
from parties.operators.issuing import issue_operator
from parties.operators.keys import PASSPHRASE, read_operator_key
from parties.recipients import named, recipients
from parties.settings import Settings
from parties.settings_file import load
from psi import Meter


@pytest.fixture
def nodes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Two nodes that seal, and two people of each side besides an auditor."""
    monkeypatch.setattr(operator_keys, "ROUNDS", 1000)
    monkeypatch.setenv(PASSPHRASE, WORDS)
    pair.changes["may"] = ("count", "list", "match", "inquire")
    for party, roles in (
        ("insurer", ("analyst", "compliance", "auditor")),
        ("police", ("investigator", "approver", "auditor")),
    ):
        file = pair.folder / party / FILE
        for role in roles:
            issue_operator(load(file), f"p-{role}", role, pair.folder / party / role, WORDS)  # type: ignore[arg-type]
        text = file.read_text("utf-8")
        line = f'[operators]\nsealed = true\nsealed_to = ["{roles[1]}/operator.pem"]\n'
        file.write_text(text.replace("[operators]\n", line), "utf-8")
    return pair


def who(nodes: Pair, party: str, role: str) -> Acting:
    return acting_by(read_operator_file(nodes.folder / party / role / "operator.pem")[0])


def key(nodes: Pair, party: str, role: str) -> Ed25519PrivateKey:
    return read_operator_key(nodes.folder / party / role / "operator.key", WORDS)


def table(path: Path, by: Ed25519PrivateKey) -> Any:
    with path.open("rb") as file:
        return pq.read_table(io.BytesIO(b"".join(opened(file, by))))


def files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root) / name for name in names)


@pytest.mark.parametrize("format", ["csv", "parquet", "arrow"])
def test_a_file_of_each_format_is_the_same_sealed_or_not(tmp_path: Path, format: Any) -> None:
    ours = Ed25519PrivateKey.generate()
    rows = RecordBatch.from_arrow(pa.record_batch({"n": list(range(50_000)), "t": ["x"] * 50_000}))
    for name, to in (("clear", ()), ("sealed", (ours.public_key().public_bytes_raw(),))):
        assert write(iter([rows, rows]), tmp_path / name, format, to) == 100_000
    data = (tmp_path / "sealed").read_bytes()
    assert b"".join(opened(io.BytesIO(data), ours)) == (tmp_path / "clear").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"clear", "sealed"}


def test_rows_that_break_while_they_are_sealed_leave_no_file(tmp_path: Path) -> None:
    def batches() -> Iterator[RecordBatch]:
        yield RecordBatch.from_arrow(pa.record_batch({"n": [1]}))
        raise SourceError("it has changed")

    to = (Ed25519PrivateKey.generate().public_key().public_bytes_raw(),)
    with pytest.raises(SourceError):
        write(batches(), tmp_path / "x", "csv", to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["list", "match"])
def test_what_is_learnt_opens_for_who_asked_and_whom_the_settings_name(
    nodes: Pair, way: Any
) -> None:
    asker = who(nodes, "police", "investigator")
    question = Question(way, "insurer", ("plate",), acting=asker)
    with nodes.serving() as police:
        report = ask(police, question, Meter())
        again = ask(police, question._replace(acting=None), Meter())
    assert report.result is not None
    assert again.result is not None
    name = "list" if way == "list" else "joined"
    assert report.result.name == f"{name}.parquet.age"
    assert report.result.stat().st_mode & 0o777 == 0o600
    for role in ("investigator", "approver"):
        rows = table(report.result, key(nodes, "police", role))
        assert rows.num_rows == report.rows
    assert table(again.result, key(nodes, "police", "approver")).num_rows == again.rows


def test_nothing_that_was_learnt_is_on_the_disk_in_clear(nodes: Pair) -> None:
    asker = who(nodes, "police", "investigator")
    with nodes.serving() as police:
        ask(police, Question("match", "insurer", ("plate",), acting=asker), Meter())
        question = Question("match", "insurer", ("plate",), acting=asker, format="csv")
        report = ask(police, question._replace(out=nodes.folder / "x.csv"), Meter())
        assert report.result == nodes.folder / "x.csv.age"
    assert not (nodes.folder / "x.csv").exists()
    for path in (*files(nodes.folder / "police"), report.result):
        data = path.read_bytes()
        assert b'"C-1"' not in data, path
        if path.parent.parent.name == "results" or path == report.result:
            assert data.startswith(INTRO), path


def test_the_node_that_answers_seals_what_it_learns(nodes: Pair) -> None:
    asker = who(nodes, "police", "investigator")
    question = Question("match", "insurer", ("plate",), both=True, acting=asker)
    with nodes.serving() as police:
        report = ask(police, question, Meter())
    (result,) = (nodes.folder / "insurer/results" / report.session).glob("joined*")
    assert result.name == "joined.parquet.age"
    assert table(result, key(nodes, "insurer", "compliance")).num_rows > 0


def test_nothing_is_learnt_that_can_be_sealed_to_nobody(nodes: Pair) -> None:
    def bare(settings: Settings) -> Settings:
        return settings._replace(operators=settings.operators._replace(sealed_to=()))

    by_token = Acting("0117", "investigator", subject="cc" * 32)
    question = Question("match", "insurer", ("plate",), acting=by_token)
    with nodes.serving() as police:
        with pytest.raises(SettingsError, match="there is nobody to seal results to"):
            ask(bare(police), question, Meter())
        ask(bare(police), question._replace(way="count"), Meter())
        theirs = Question("match", "insurer", ("plate",), receive=False, acting=by_token)
        assert ask(bare(police), theirs, Meter()).result is None
    file = nodes.folder / "insurer" / FILE
    text = file.read_text("utf-8")
    file.write_text(text.replace('sealed_to = ["compliance/operator.pem"]\n', ""), "utf-8")
    with nodes.serving() as police, pytest.raises(PeerRefused) as caught:
        ask(police, theirs, Meter())
    assert caught.value.code == "settings"
    assert not [each for each in files(nodes.folder / "police/results") if "joined" in each.name]


def test_a_few_identifiers_by_a_match_are_told_and_left_nowhere(nodes: Pair) -> None:
    asker = who(nodes, "police", "investigator")
    with nodes.serving() as police:
        report = inquire(police, "insurer", {"plate": ["浙A12345"]}, Meter(), acting=asker)
    assert report.reason.startswith("by a match")
    (told,) = report.told
    assert {row["claim_no"] for row in told.rows or ()} == {"C-1", "C-2"}
    assert not [each for each in files(nodes.folder / "police/results") if "joined" in each.name]


def test_only_those_who_sign_for_this_node_now_are_sealed_to(nodes: Pair, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    settings = nodes.police

    def to(*paths: Path, at: datetime = now) -> tuple[bytes, ...]:
        operators = settings.operators._replace(sealed_to=paths)
        return recipients(settings._replace(operators=operators), None, at)

    approver = nodes.folder / "police/approver/operator.pem"
    both = who(nodes, "police", "approver"), who(nodes, "police", "investigator")
    assert recipients(settings, both[1], now) == (both[1].key, both[0].key)
    assert recipients(settings, both[0], now) == (both[0].key,)
    with pytest.raises(SettingsError, match="is not that of one who signs for police"):
        to(nodes.folder / "police/auditor/operator.pem")
    with pytest.raises(CertificateError, match="was not issued by an authority that is pinned"):
        to(nodes.folder / "insurer/analyst/operator.pem")
    with pytest.raises(CertificateError, match="had expired then"):
        to(approver, at=now + timedelta(days=730))
    with pytest.raises(CertificateError, match="cannot be read"):
        to(tmp_path / "none.pem")
    off = settings.operators._replace(sealed=False)
    assert recipients(settings._replace(operators=off), both[0], now) == ()
    assert named(Path("a/b.csv"), ()) == Path("a/b.csv")
    assert named(Path("a/b.age"), (b"",)) == Path("a/b.age")


def test_check_says_to_whom_results_are_sealed(nodes: Pair) -> None:
    def finding(**changes: Any) -> Finding:
        operators = nodes.police.operators._replace(**changes)
        found = check(nodes.police._replace(operators=operators))
        (one,) = (each for each in found if each.where == "operators.sealed_to")
        return one

    assert finding().level == "fine"
    assert finding(sealed_to=()).level == "doubt"
    auditor = nodes.folder / "police/auditor/operator.pem"
    assert finding(sealed_to=(auditor,)).level == "wrong"


@pytest.fixture
def run(run: Run) -> Run:
    """Each with --json."""
    return lambda *words: run(*words, "--json")


def test_results_are_opened_by_a_command_and_only_for_their_people(nodes: Pair, run: Run) -> None:
    asker = who(nodes, "police", "investigator")
    with nodes.serving() as police:
        report = ask(police, Question("match", "insurer", ("plate",), acting=asker), Meter())
    assert report.result is not None
    out, folder = nodes.folder / "clear.parquet", nodes.folder / "police"
    command = ("results", "open", report.result, "--settings", folder / FILE, "--out", out)
    left = run(*command)
    assert (left.status, left.code) == (10, "operator-missing")
    left = run(*command, "--as", folder / "auditor")
    assert (left.status, left.code) == (10, "operator-not-allowed")
    stranger = nodes.folder / "stranger"
    settings = load(folder / FILE)
    issue_operator(settings, "p-other", "investigator", stranger, WORDS)
    left = run(*command, "--as", stranger)
    assert (left.status, left.code) == (10, "operator-other")
    assert not out.exists()
    left = run(*command, "--as", folder / "investigator")
    assert (left.status, left.json) == (0, {"file": str(out), "bytes": out.stat().st_size})
    assert out.stat().st_mode & 0o777 == 0o600
    assert pq.read_table(out).num_rows == report.rows
    data = report.result.read_bytes()
    report.result.write_bytes(data[:-1])
    out.unlink()
    left = run(*command, "--as", folder / "investigator")
    assert (left.status, left.code) == (9, "local")
    assert left.json["error"]["message"].endswith("it was altered or cut")
    assert not out.exists()
    left = run(*command[:2], nodes.folder / "none", *command[3:], "--as", folder / "approver")
    assert left.status == 9
