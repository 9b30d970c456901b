"""Limits against a model: no order of questions, restarts, kills and clocks exceeds a bound."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tabled import STORE, driver_of, rows

from parties import counters
from parties.errors import LocalFault
from parties.limits import Allowance, Charge, Limits
from parties.refusals import Refusal
from parties.store import Store

NOON: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAILY: Final = 12
RUNS: Final = 2
INQUIRIES: Final = 20
ELEMENTS: Final = {"plate": 25, "person": 9}
STEPS: Final = (
    *(timedelta(seconds=seconds) for seconds in (-3600, -30, 1, 30, 3600)),
    *(timedelta(days=days) for days in (-365, -8, -1, 1, 7, 8, 365)),
)

questions = st.builds(
    Charge,
    peer=st.sampled_from(["police", "other"]),
    session=st.integers(0, 60).map(str),
    way=st.sampled_from(["inquire", "match", "count"]),
    elements=st.dictionaries(st.sampled_from([*ELEMENTS]), st.integers(0, 7), max_size=2),
    ticket=st.sampled_from(["", "", "T-1", "T-2"]),
)


def allowed(asked: Charge) -> Allowance:
    return Allowance(DAILY, RUNS, INQUIRIES, ELEMENTS) if asked.ticket else Allowance(DAILY)


class Model:
    """What must be counted, in dictionaries."""

    def __init__(self) -> None:
        self.latest = datetime(1970, 1, 1, tzinfo=UTC)
        self.days: Counter[tuple[str, str, str, str]] = Counter()
        self.spent: Counter[tuple[str, str, str]] = Counter()
        self.brought: Counter[tuple[str, str, str]] = Counter()
        self.sessions: dict[tuple[str, str], str] = {}
        self.old: set[tuple[str, str]] = set()  # sessions that may be forgotten
        self.runs: dict[tuple[str, str], str] = {}

    def verdict(self, asked: Charge, now: datetime) -> str:
        """What must become of a question; if its session may be forgotten, as if it were."""
        session, day = (asked.peer, asked.session), now.date().isoformat()
        if session in self.runs or session in self.sessions.keys() - self.old:
            return "replayed"
        total = sum(
            count
            for (peer, of_day, way, _), count in self.days.items()
            if (peer, of_day, way) == (asked.peer, day, asked.way)
        )
        if total + sum(asked.elements.values()) > DAILY:
            return "over-limit"
        if asked.ticket:
            more, kind, most = 1, "runs", RUNS
            if asked.way == "inquire":
                more, kind, most = sum(asked.elements.values()), "inquiries", INQUIRIES
            if self.spent[asked.peer, asked.ticket, kind] + more > most:
                return "ticket-spent"
            for name, count in asked.elements.items():
                if self.brought[asked.peer, asked.ticket, name] + count > ELEMENTS[name]:
                    return "ticket-spent"
        return "counted"

    def count(self, asked: Charge, now: datetime) -> None:
        self.latest = max(self.latest, now)
        today = now.date()
        active = sorted({day for _, day, _, _ in self.days}, reverse=True)[: counters.REMEMBERED]
        before = (today - timedelta(days=counters.REMEMBERED)).isoformat()
        self.old |= {s for s, day in self.sessions.items() if day < before and day not in active}
        session = (asked.peer, asked.session)
        self.old.discard(session)
        self.sessions[session] = today.isoformat()
        place = (asked.peer, today.isoformat(), asked.way, asked.ticket)
        self.days[place] += sum(asked.elements.values())
        if asked.way != "inquire":
            self.runs[session] = "begun"
        if asked.ticket:
            inquires = asked.way == "inquire"
            kind, more = "inquiries" if inquires else "runs", sum(asked.elements.values())
            self.spent[asked.peer, asked.ticket, kind] += more if inquires else 1
            for name, count in asked.elements.items():
                self.brought[asked.peer, asked.ticket, name] += count


class Machine(RuleBasedStateMachine):
    """One node, that is asked, restarted and killed, and whose clock is set."""

    url: str
    taken: Counter[str]

    @initialize()
    def begin(self) -> None:
        self.time = NOON
        self.model = Model()
        self.opened: list[Limits] = []
        self.open()
        with self.limits.store.writing() as connection:
            for table in STORE:
                empty = "UPDATE clock SET at = 0" if table == "clock" else f"DELETE FROM {table}"
                connection.execute(empty)

    def open(self) -> None:
        self.limits = Limits(Store(self.url, machine_time=lambda: self.time))
        self.opened.append(self.limits)

    @property
    def now(self) -> datetime:
        return max(self.time, self.model.latest)

    @rule(questions=st.lists(questions, min_size=1, max_size=9))
    def ask(self, questions: list[Charge]) -> None:
        for asked in questions:
            self.ask_one(asked)

    def ask_one(self, asked: Charge) -> None:
        expected, became = self.model.verdict(asked, self.now), "counted"
        try:
            self.limits.charge_alone(asked, allowed(asked))
        except Refusal as refusal:
            became = refusal.code
        may_be_kept = (asked.peer, asked.session) in self.model.old
        assert became == expected or (may_be_kept and became == "replayed")
        self.taken[became] += 1
        if became == "counted":
            self.model.count(asked, self.now)

    @rule(asked=questions)
    def ask_and_be_killed(self, asked: Charge) -> None:
        """The process ends before its transaction does: nothing was counted or answered."""
        with suppress(LocalFault, Refusal), self.limits.store.writing() as connection:
            self.limits.charge(connection, asked, allowed(asked))
            driver_of(connection).close()
            self.taken["killed"] += 1
        self.open()

    @rule(asked=questions)
    def ask_and_fail(self, asked: Charge) -> None:
        """What is written beside the count cannot be."""
        with suppress(ZeroDivisionError, Refusal), self.limits.store.writing() as connection:
            self.limits.charge(connection, asked, allowed(asked))
            raise ZeroDivisionError
        self.taken["failed"] += 1

    @rule()
    def restart(self) -> None:
        self.limits.close()
        self.open()

    @rule()
    def another_process(self) -> None:
        """From now on another process of the node answers, that has the store open as well."""
        self.open()

    @rule(step=st.sampled_from(STEPS))
    def jump(self, step: timedelta) -> None:
        self.time = max(NOON - timedelta(days=3000), self.time + step)

    @rule()
    def set_clock(self) -> None:
        was_ahead = self.limits.store.set_clock(lambda *_: None)
        assert was_ahead == max(timedelta(0), self.model.latest - self.time)
        self.model.latest = min(self.model.latest, self.time)

    @rule(end=st.sampled_from(["done", "failed"]), data=st.data())
    def end_run(self, end: Any, data: Any) -> None:
        begun = sorted(run for run, state in self.model.runs.items() if state == "begun")
        if begun:
            run = data.draw(st.sampled_from(begun))
            with self.limits.store.writing() as connection:
                self.limits.end_run(connection, *run, end)
            self.model.runs[run] = end

    @invariant()
    def all_counts_are_those_of_the_model(self) -> None:
        with self.limits.store.reading() as connection:
            found = {t: rows(connection, t) for t in ("asked", "spent", "brought", "runs")}
            assert self.limits.store.now(connection) == self.now
        model = self.model
        assert {row[:4]: row[4] for row in found["asked"]} == model.days
        spent = {(peer, ticket, "runs"): runs for peer, ticket, runs, _ in found["spent"]}
        spent |= {(peer, ticket, "inquiries"): count for peer, ticket, _, count in found["spent"]}
        assert {k: n for k, n in spent.items() if n} == {k: n for k, n in model.spent.items() if n}
        assert {row[:3]: row[3] for row in found["brought"]} == {**model.brought}
        assert {row[:2]: row[5] for row in found["runs"]} == model.runs
        self.no_bound_is_exceeded(found)
        self.taken["steps"] += 1

    def no_bound_is_exceeded(self, found: dict[str, list[Any]]) -> None:
        """Once more without the model, from what is in the store alone."""
        days: Counter[Any] = Counter()
        for peer, day, way, _, elements in found["asked"]:
            days[peer, day, way] += elements
        assert max(days.values(), default=0) <= DAILY
        for _, _, runs, inquiries in found["spent"]:
            assert (runs <= RUNS, inquiries <= INQUIRIES) == (True, True)
        for _, _, name, elements in found["brought"]:
            assert elements <= ELEMENTS[name]

    def teardown(self) -> None:
        for limits in getattr(self, "opened", ()):
            limits.close()


def run(url: str, examples: int, steps: int) -> Counter[str]:
    Machine.url, Machine.taken = url, Counter()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to find a shorter one takes minutes of writes to the disk
            print_blob=True,
            suppress_health_check=[*HealthCheck],
        ),
    )
    return Machine.taken


def test_no_order_of_events_exceeds_a_bound(url: str) -> None:
    taken = run(url, examples=6, steps=30)
    assert taken["steps"] > 60
    assert taken["counted"] > 0


@pytest.mark.study
def test_no_order_of_ten_thousand_events_exceeds_a_bound(url: str) -> None:
    taken = run(url, examples=300, steps=60)
    print(f"\n{url.partition(':')[0]}: {dict(taken)}")
    assert taken["steps"] >= 10_000
    assert {"counted", "over-limit", "ticket-spent", "replayed", "killed", "failed"} <= {*taken}
