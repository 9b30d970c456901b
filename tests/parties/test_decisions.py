"""What the log says once of a ticket, whatever comes of it and however often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from people import DAY, NOW, People

from parties import audit, canonical, decisions
from parties.store import Connection, Store
from parties.tickets import Verified, verify

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store(url)) as opened:
        with opened.writing() as connection:
            audit.begin(connection, "acme")
        yield opened


def held(people: People, **signed: Any) -> Verified:
    return verify(people.signed(**signed), people.trust, NOW, frozenset())


def decided(store: Store, verified: Verified, way: Any, *, columns: bool = False) -> int:
    with store.writing() as connection:
        return decisions.decided(connection, AT, "police", verified, way, columns=columns)


def lines(store: Store) -> list[tuple[int, str, dict[str, Any]]]:
    with store.reading() as connection:
        found = connection.execute(
            "SELECT number, event, body FROM audit_lines ORDER BY number"
        ).fetchall()
    return [(number, event, canonical.decode(body)["facts"]) for number, event, body in found]


def test_a_ticket_comes_once_and_each_stage_is_decided_once(store: Store, people: People) -> None:
    verified = held(people)
    count = decided(store, verified, "count")
    detail = decided(store, verified, "match", columns=True)
    listed = decided(store, verified, "list")
    assert [number for number, *_ in lines(store)] == [1, count, detail, listed]
    assert [event for _, event, _ in lines(store)] == ["ticket_received", *["stage_decided"] * 3]
    assert decided(store, verified, "count") == count
    assert decided(store, verified, "match", columns=True) == detail
    assert len(lines(store)) == 4


def test_a_decision_says_who_signed_as_what_and_when(store: Store, people: People) -> None:
    decided(store, held(people), "count")
    _, _, facts = lines(store)[1]
    assert (facts["peer"], facts["way"], facts["stage"]) == ("police", "count", "run")
    analyst = people.signers["insurer", "analyst"]
    assert facts["signatures"][0] == {
        "party": "insurer",
        "stage": "run",
        "operator": "wu",
        "role": "analyst",
        "certificate": analyst.fingerprint.removeprefix("sha256:"),
        "at": "2026-11-30T12:00:00Z",
    }
    approvals = [each.get("approval") for each in facts["signatures"]]
    assert [each["role"] for each in facts["signatures"]] == [
        "analyst",
        "compliance",
        "approver",
        "investigator",
    ]
    assert approvals == [None, None, "A-17", None]


def test_what_is_signed_later_decides_its_own_stage_and_no_earlier_one_again(
    store: Store, people: People
) -> None:
    first = decided(store, held(people, stages=("run",)), "count")
    assert decided(store, held(people), "count") == first
    detail = decided(store, held(people), "match", columns=True)
    assert detail > first
    assert [event for _, event, _ in lines(store)].count("ticket_received") == 1


def test_other_signatures_are_another_decision(store: Store, people: People) -> None:
    first = decided(store, held(people), "count")
    assert decided(store, held(people, at=NOW - 2 * DAY), "count") != first


def test_an_inquiry_is_decided_for_what_it_tells(store: Store, people: People) -> None:
    verified = held(people)
    bare = decided(store, verified, "inquire")
    assert decided(store, verified, "inquire", columns=True) != bare
    stages = [facts["stage"] for _, event, facts in lines(store) if event == "stage_decided"]
    assert stages == ["run", "disclosure"]


def test_a_decision_that_is_not_kept_is_made_anew(store: Store, people: People) -> None:
    verified = held(people)

    def decide_and_break(connection: Connection) -> None:
        decisions.decided(connection, AT, "police", verified, "count", columns=False)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.writing() as connection:
        decide_and_break(connection)
    assert lines(store) == []
    assert decided(store, verified, "count") == 2


def test_a_refusal_of_the_peer_is_written_once(store: Store, people: People) -> None:
    ticket = held(people).ticket
    for _ in range(3):
        with store.writing() as connection:
            decisions.refused_by_peer(connection, AT, "police", ticket)
    ((_, event, facts),) = lines(store)
    assert (facts["ticket"], facts["digest"]) == (ticket.id, ticket.digest)
    assert (event, facts["code"], facts["peer"]) == ("ticket_refused", "ticket-refused", "police")
