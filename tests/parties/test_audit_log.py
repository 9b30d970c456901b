"""Appending to the audit log: what it takes, in which order, and that nothing takes it back."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from booked import NOON, Booked
from tabled import AUDIT

from parties import audit, canonical
from parties.audit.chain import LONGEST_BODY, Genesis, link, number_in, stamp
from parties.audit.facts import EVENTS
from parties.audit.log import find
from parties.certificates import issue
from parties.credentials import Identity, read_credentials
from parties.errors import LocalFault
from parties.store import Store
from psi.errors import ApiMisuse

SESSION = "0123456789abcdef" * 2
FACTS: dict[str, Any] = {
    "act": "accept",
    "action": "ticket-draft",
    "amount": 5_000_000,
    "certificate": "aa" * 32,
    "claimed": 1_200_050,
    "clue": "0c" * 16,
    "code": "over-limit",
    "columns": ["车牌", "day"],
    "decision": 7,
    "digest": "bb" * 32,
    "elements": {"plate": 5},
    "files": 3,
    "format": "jsonl",
    "found": {"plate": 1},
    "heard_bytes": 10,
    "now": NOON.isoformat(),
    "learns": "us",
    "letter": "merge-asked",
    "merge": "0d" * 16,
    "milliseconds": 12,
    "number": 2,
    "operator": "li.wei",
    "ours": {"plate": 128},
    "outcome": "done",
    "inquiries": 3,
    "peer": "police",
    "purpose": "核查重复理赔",
    "records": 4,
    "recovered": 100_000,
    "refusals": 12,
    "role": "insurer",
    "rule": "vehicle-many-claims",
    "said_bytes": 20,
    "session": SESSION,
    "sets": ["plate"],
    "signatures": [
        {
            "approval": "A-17",
            "at": "2024-11-30T12:00:00Z",
            "certificate": "aa" * 32,
            "operator": "li.wei",
            "party": "police",
            "role": "approver",
            "stage": "run",
        }
    ],
    "signer": "ours",
    "since": stamp(NOON),
    "stage": "count",
    "state": "accepted",
    "subject": "cc" * 32,
    "suspects": 3,
    "theirs": {"plate": 256},
    "ticket": "T-2026-1",
    "until": stamp(NOON),
    "version": "0.1.0",
    "was": stamp(NOON),
    "way": "count",
    "what": "joined-rows",
}


@pytest.fixture
def insurer(tmp_path: Path) -> Booked:
    return Booked(tmp_path / "insurer", "insurer")


def test_the_chain_is_computed_as_it_is_written_down() -> None:
    genesis = Genesis("insurer", bytes(range(32)))
    body = canonical.encode({"format": 1, "id": bytes(range(32)).hex(), "node": "insurer"})
    assert genesis.hash == hashlib.sha256(b"greenlane/audit/1/genesis\n" + body).digest()
    assert (
        link(genesis.hash, b"x")
        == hashlib.sha256(b"greenlane/audit/1/line\n" + genesis.hash + b"x").digest()
    )


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_takes_its_facts_and_stands_in_the_chain(insurer: Booked, event: str) -> None:
    facts = {name: FACTS[name] for name in EVENTS[event]}
    assert insurer.write(event, **facts) == 1
    required = {name: FACTS[name] for name, kind in EVENTS[event].items() if kind.required}
    assert insurer.write(event, **required) == 2
    first, second = insurer.rows()
    values = canonical.decode(first.body)
    assert values["facts"] == facts
    assert (values["number"], values["event"], values["at"]) == (1, event, first.at)
    assert first.hash == link(insurer.genesis().hash, first.body)
    assert second.hash == link(first.hash, second.body)
    assert number_in(second.body) == 2


@pytest.mark.parametrize("event", EVENTS)
def test_a_fact_that_is_unknown_missing_or_of_another_kind_is_a_bug(
    insurer: Booked, event: str
) -> None:
    facts = {name: FACTS[name] for name in EVENTS[event]}
    with pytest.raises(ApiMisuse, match="does not know"):
        insurer.write(event, **facts, plate="浙A12345")
    for name, kind in EVENTS[event].items():
        if kind.required:
            with pytest.raises(ApiMisuse, match=f"lacks its fact {name}"):
                insurer.write(event, **{key: facts[key] for key in facts if key != name})
        for wrong in (
            None,
            1.5,
            True,
            -1,
            1 << 63,
            "\n",
            "浙A12345\n",
            "x" * 1001,
            ["\n"],
            {"": 1},
        ):
            with pytest.raises(ApiMisuse) as caught:
                insurer.write(event, **facts | {name: wrong})
            assert "浙A" not in str(caught.value)
    assert insurer.rows() == []


def test_an_unknown_event_is_a_bug(insurer: Booked) -> None:
    with pytest.raises(ApiMisuse, match="an event that the audit log does not know"):
        insurer.write("sneeze")


def test_the_longest_disclosure_fits_in_a_line(insurer: Booked) -> None:
    facts = {"peer": "p", "session": SESSION, "learns": "peer", "columns": ["车" * 128] * 256}
    insurer.write("disclosure", **facts)
    assert len(insurer.rows()[0].body) < LONGEST_BODY
    with pytest.raises(ApiMisuse, match="columns is not names"):
        insurer.write("disclosure", **facts | {"columns": ["车" * 128] * 257})


def test_two_lines_that_say_the_same_cannot_be_told_by_their_hashes(tmp_path: Path) -> None:
    here = Booked(tmp_path / "a", "insurer")
    with here.store.writing() as connection:
        for _ in range(2):
            audit.append(connection, here.time, "node_started", {"role": "police", "version": "1"})
    one, other = (canonical.decode(row.body) for row in here.rows())
    assert one["salt"] != other["salt"]
    assert len(one["salt"]) == 32


def test_a_line_is_not_earlier_than_the_one_before(insurer: Booked) -> None:
    insurer.write("erased", what="rejects", files=1)
    insurer.time = NOON - timedelta(days=1)
    with pytest.raises(ApiMisuse, match="earlier"):
        insurer.write("erased", what="rejects", files=1)
    insurer.write("clock_set", was=NOON.isoformat(), now=insurer.time.isoformat())
    insurer.write("erased", what="rejects", files=1)
    insurer.sign()
    assert insurer.verified().holds


def test_a_time_without_a_zone_is_a_bug(insurer: Booked) -> None:
    insurer.time = datetime(2026, 11, 30, 12)
    with pytest.raises(ApiMisuse, match="zone"):
        insurer.write("erased", what="rejects", files=1)


def test_a_log_that_was_not_begun_takes_no_line(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(ApiMisuse, match="not begun"), store.writing() as connection:
        audit.append(connection, NOON, "erased", {"what": "rejects", "files": 1})
    with store.reading() as connection:
        assert find(connection) is None


def test_a_log_is_begun_once_and_for_one_node(insurer: Booked) -> None:
    with insurer.store.writing() as connection:
        assert audit.begin(connection, "insurer") == insurer.genesis()
    with (
        pytest.raises(LocalFault, match="is that of insurer"),
        insurer.store.writing() as connection,
    ):
        audit.begin(connection, "police")


def test_a_line_of_a_transaction_that_fails_leaves_no_gap(insurer: Booked) -> None:
    insurer.write("erased", what="rejects", files=1)

    def fail() -> None:
        with insurer.store.writing() as connection:
            assert (
                audit.append(connection, insurer.tick(), "erased", {"what": "x", "files": 1}) == 2
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert insurer.write("erased", what="rejects", files=2) == 2
    assert [row.number for row in insurer.rows()] == [1, 2]


def test_threads_that_append_at_once_leave_no_gap(insurer: Booked) -> None:
    errors: list[BaseException] = []

    def append(part: int) -> None:
        try:
            for count in range(20):
                with insurer.store.writing() as connection:
                    facts = {"what": f"part-{part}", "files": count}
                    audit.append(connection, insurer.store.now(connection), "erased", facts)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=append, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [row.number for row in insurer.rows()] == list(range(1, 81))
    insurer.time = datetime.fromisoformat(insurer.rows()[-1].at)
    insurer.sign()
    assert insurer.verified().holds


def test_an_erasure_is_recorded(insurer: Booked) -> None:
    with insurer.store.writing() as connection:
        audit.record_erasure(connection, insurer.tick(), "joined-rows", SESSION, 2)
        audit.record_erasure(connection, insurer.tick(), "elements", None, 1)
    one, other = (canonical.decode(row.body)["facts"] for row in insurer.rows())
    assert one == {"what": "joined-rows", "session": SESSION, "files": 2}
    assert other == {"what": "elements", "files": 1}


@pytest.mark.parametrize("table", AUDIT)
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "REPLACE"])
def test_no_accident_changes_or_deletes_what_is_in_the_log(
    insurer: Booked, table: str, change: str
) -> None:
    from booked import run

    run(insurer, Booked(insurer.folder.parent / "police", "police"))
    before = insurer.rows(table)
    column = before[0]._fields[0]
    if change == "REPLACE":
        names = ", ".join(before[0]._fields)
        change = f"INSERT OR REPLACE INTO {table} SELECT {names} FROM {table}"
    with (
        pytest.raises(LocalFault, match="the audit log is never changed"),
        insurer.store.writing() as connection,
    ):
        connection.execute(change.format(table, column, column))
    assert insurer.rows(table) == before
    assert insurer.verified().holds


def test_rows_of_sqlite_stand_in_the_order_of_their_numbers(insurer: Booked) -> None:
    with sqlite3.connect(insurer.folder / "store.db") as connection:
        said = [row[1] for row in connection.execute("PRAGMA index_list(audit_lines)")]
    connection.close()
    assert said == [], "the key is no index beside the rows"


def test_a_head_is_signed_once_for_a_place(insurer: Booked) -> None:
    insurer.write("erased", what="rejects", files=1)
    head = insurer.sign()
    assert head.place.number == 2, "after the line that names the certificate"
    assert head.is_signed(insurer.genesis())
    assert insurer.sign() == head
    insurer.write("erased", what="rejects", files=1)
    assert insurer.sign().place.number == 3


def test_a_head_is_of_its_log_place_time_and_node(insurer: Booked) -> None:
    head, genesis = insurer.sign(), insurer.genesis()
    other = audit.Place(head.place.number, bytes(32))
    assert not head._replace(place=other).is_signed(genesis)
    assert not head._replace(at=stamp(NOON)).is_signed(genesis)
    assert not head._replace(certificate=b"none").is_signed(genesis)
    assert not head.is_signed(Genesis("insurer", bytes(32)))
    assert not head.is_signed(Genesis("police", genesis.id))


def test_another_certificate_is_named_by_a_line_before_it_signs(insurer: Booked) -> None:
    insurer.sign()
    files = Identity(insurer.folder / "new.pem", insurer.folder / "new.key")
    issue("insurer", files, insurer.authority)
    insurer.credentials = read_credentials(files)
    head = insurer.sign()
    assert head.place.number == 2
    last = canonical.decode(insurer.rows()[-1].body)
    assert last["event"] == "certificate_used"
    assert last["facts"] == {"certificate": head.signer}
    assert insurer.verified().holds
