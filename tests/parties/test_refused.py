"""Whoever is refused as often as they like does not fill the log."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from tabled import rows

from parties import audit, canonical, refused
from parties.store import Store

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Node:
    """A store whose clock a test sets."""

    def __init__(self, url: str) -> None:
        self.time = NOON
        self.store = Store(url, machine_time=lambda: self.time)
        with self.store.writing() as connection:
            audit.begin(connection, "insurer")

    def refuse(self, times: int, peer: str = "police") -> None:
        with self.store.writing() as connection:
            for number in range(times):
                facts = {"peer": peer, "session": f"{number:032x}", "code": "way-not-allowed"}
                refused.write_down(connection, self.store.now(connection), facts)

    def lines(self) -> list[tuple[str, dict[str, object]]]:
        with self.store.reading() as connection:
            bodies = [canonical.decode(row.body) for row in rows(connection, "audit_lines")]
        return [(body["event"], body["facts"]) for body in bodies]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "LINES", 10)


@pytest.mark.usefixtures("few")
def test_a_day_has_so_many_lines_of_refusals_and_then_counts_when_they_double(url: str) -> None:
    node = Node(url)
    with closing(node.store):
        node.refuse(10)
        assert Counter(event for event, _ in node.lines()) == {"job_refused": 10}
        node.refuse(990)
        after = [facts for event, facts in node.lines() if event == "refusals_counted"]
        assert [each["refusals"] for each in after] == [20, 40, 80, 160, 320, 640]
        assert {each["peer"] for each in after} == {"police"}


@pytest.mark.usefixtures("few")
def test_each_peer_and_each_day_has_its_own(url: str) -> None:
    node = Node(url)
    with closing(node.store):
        node.refuse(15)
        node.refuse(1, "other")
        node.time += DAY
        node.refuse(12)
        node.time -= DAY  # the store's clock stays where it is
        node.refuse(1)
        counts = Counter((event, facts["peer"]) for event, facts in node.lines())
        assert counts == {("job_refused", "police"): 20, ("job_refused", "other"): 1}
        with node.store.reading() as connection:
            kept = {tuple(row) for row in rows(connection, "refusals")}
        assert kept == {("police", "2026-12-01", 13), ("other", "2026-11-30", 1)}


def test_a_million_refusals_of_a_day_are_a_thousand_lines_and_ten() -> None:
    told = sum(count <= refused.LINES or refused.has_line(count) for count in range(1, 1_000_001))
    assert told == refused.LINES + 9
