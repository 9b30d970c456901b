"""No order of commands brings a clue into a state that it must not reach; reports add up."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from desks import (
    APPROVER,
    INVESTIGATOR,
    PEOPLE,
    SUN,
    TICKET,
    Desk,
    Desks,
    books_of,
    lead,
    settle,
)
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from parties.audit.reading import StoredLog
from parties.audit.verifying import verify
from parties.clues import counting, reporting
from parties.clues.counting import Counts
from parties.clues.erasing import erase
from parties.errors import ClueRefused
from parties.settings import StoreSettings

LATER = {
    "draft": {"reviewed", "dropped"},
    "reviewed": {"transferred", "dropped"},
    "transferred": {"accepted", "returned"},
    "received": {"accepted", "returned"},
    "accepted": {"filed", "returned"},
    "filed": {"concluded"},
    "dropped": set(),
    "returned": set(),
    "concluded": set(),
}
"""What the brief of the ledger says, written down without looking at the table of the program."""
BY: dict[str, set[str]] = {
    "add": {"wu", "li", "sun"},
    "review": {"wu", "li", "sun"},
    "drop": {"wu", "li", "sun"},
    "transfer": {"sun"},
}
POLICE = {"0117", "0004"}
BEFORE = ["received", "accepted", "filed", "concluded"]
START = datetime(2026, 11, 28, tzinfo=UTC)
people = st.sampled_from(PEOPLE)
insurers = st.sampled_from(["insurer", "rival"])
which = st.integers(0, 5)


class Ledgers(RuleBasedStateMachine):
    """Two insurers and the police do anything, in any order, by anybody, and letters are lost."""

    certificates: Path
    url_of: Callable[[Path, str], str]

    @initialize(there=st.integers(0, 3))
    def begin(self, there: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gl-clues-"))
        self.now = START
        desks = []
        for name, each in CERTIFICATES.items():
            path = self.folder / name / "greenlane.toml"
            path.parent.mkdir()
            store = StoreSettings(type(self).url_of(self.folder, name))
            changed = each._replace(path=path, store=store)
            desks.append(Desk(changed, books_of(changed, lambda: self.now)))
        self.desks = Desks(*desks)
        self.refusals: Counter[str] = Counter()
        for desk, number in ((self.desks.insurer, 1), (self.desks.rival, 1), (desks[0], 2)):
            if there:
                desk.transferred(lead(number))
                there -= 1
        self.desks.carry()

    def teardown(self) -> None:
        if hasattr(self, "desks"):
            for desk in self.desks:
                desk.books.close()
            shutil.rmtree(self.folder)

    def tries(self, call: Any, *arguments: Any, **named: Any) -> None:
        """Does it, or is refused, and then nothing has changed."""
        before = [(desk.every(), desk.waiting()) for desk in self.desks]
        try:
            call(*arguments, **named)
        except ClueRefused as why:
            self.refusals[why.code] += 1
            assert [(desk.every(), desk.waiting()) for desk in self.desks] == before

    def clue(self, desk: Desk, place: int) -> str | None:
        every = desk.every()
        return every[place % len(every)].id if every else None

    def desk(self, name: str) -> Desk:
        return self.desks.insurer if name == "insurer" else self.desks.rival

    # --- what people do

    @rule(name=insurers, who=people, number=st.integers(1, 3))
    def draft(self, name: str, who: Any, number: int) -> None:
        if len(self.desk(name).every()) < 3:
            self.tries(self.desk(name).draft, lead(number), who=who)

    @rule(name=insurers, place=which, who=people, drop=st.sampled_from(["", "", "a fleet"]))
    def review(self, name: str, place: int, who: Any, drop: str) -> None:
        if clue := self.clue(self.desk(name), place):
            self.tries(self.desk(name).review, clue, who, drop)

    @rule(name=insurers, place=which, who=st.sampled_from([SUN, *PEOPLE]))
    def transfer(self, name: str, place: int, who: Any) -> None:
        if clue := self.clue(self.desk(name), place):
            self.tries(self.desk(name).transfer, clue, who)

    @rule(name=insurers, number=st.integers(4, 9))
    def transfer_one(self, name: str, number: int) -> None:
        if len(self.desk(name).every()) < 3:
            self.desk(name).transferred(lead(number))
            self.desks.carry()

    @rule(
        place=which,
        what=st.sampled_from(["accept", "return", "file", "conclude", "receive", "transfer"]),
        who=st.sampled_from([INVESTIGATOR, APPROVER, *PEOPLE]),
        anywhere=st.sampled_from([False, False, False, True]),
    )
    def act(self, place: int, what: str, who: Any, anywhere: bool) -> None:
        desk = self.desks.insurer if anywhere else self.desks.police
        if clue := self.clue(desk, place):
            self.tries(desk.act, clue, what, who)

    @rule(place=which)
    def go_on(self, place: int) -> None:
        """The step that comes next, so that cases come to their end."""
        usual = {"received": "accept", "accepted": "file", "filed": "conclude"}
        open_ = [each for each in self.desks.police.every() if each.state in usual]
        if open_:
            clue = open_[place % len(open_)]
            self.tries(self.desks.police.act, clue.id, usual[clue.state])

    @precondition(lambda self: len(self.desks.police.every()) > 1)
    @rule(head=which, place=which, who=st.sampled_from([INVESTIGATOR, SUN]))
    def propose(self, head: int, place: int, who: Any) -> None:
        first, other = (self.clue(self.desks.police, each) for each in (head, place))
        assert first is not None
        assert other is not None
        self.tries(self.desks.police.propose, first, other, who=who)

    @rule(steps=st.integers(0, 2))
    def merge_with_a_case(self, steps: int) -> None:
        """Two clues that came are merged, of which one may have been accepted or filed before."""
        police = self.desks.police
        free = [each for each in police.every() if not (each.merge or each.merged)]
        fresh = [each.id for each in free if each.state == "received"]
        if len(fresh) > 1:
            for what in ("accept", "file")[:steps]:
                police.act(fresh[0], what)
            police.propose(*fresh[:2])
            self.all_agree()

    @rule(place=which)
    def withdraw(self, place: int) -> None:
        if clue := self.clue(self.desks.police, place):
            self.tries(self.desks.police.withdraw, clue)

    @rule(name=insurers, place=which, agrees=st.sampled_from([True, True, False]))
    def answer(self, name: str, place: int, agrees: bool) -> None:
        if clue := self.clue(self.desk(name), place):
            self.tries(self.desk(name).answer, clue, agrees=agrees)

    @rule()
    def all_agree(self) -> None:
        """So that merges come about often."""
        self.desks.carry()
        for desk in (self.desks.insurer, self.desks.rival):
            for each in desk.every():
                if each.asked == "open":
                    desk.answer(each.id)
        self.desks.carry()

    @rule(name=insurers)
    def carry(self, name: str) -> None:
        self.desk(name).say_to(self.desks.police)

    @rule(name=insurers)
    def carry_back(self, name: str) -> None:
        self.desks.police.say_to(self.desk(name))

    @rule(name=insurers, lost=st.booleans())
    def repeat(self, name: str, lost: bool) -> None:
        """A letter is handed over, and its receipt is lost; or one is told out of its turn."""
        desk = self.desk(name)
        for sender, receiver in ((desk, self.desks.police), (self.desks.police, desk)):
            letters = [each for each in sender.waiting() if each.peer == receiver.name]
            if letters:
                letter = letters[0 if lost else -1]
                before = receiver.every()
                try:
                    receiver.hear_again(sender, letter)
                except ClueRefused:
                    assert receiver.every() == before

    @rule(days=st.sampled_from([1, 5]))
    def time_goes_on(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(desk=st.integers(0, 2), ticket=st.sampled_from(["f" * 32, "f" * 32, TICKET]))
    def erase(self, desk: int, ticket: str) -> None:
        with self.desks[desk].writing() as (connection, at):
            erase(connection, at, ticket)

    # --- what is always so

    @invariant()
    def no_clue_went_where_it_must_not(self) -> None:
        if not hasattr(self, "desks"):
            return
        for desk in self.desks:
            first = "received" if desk is self.desks.police else "draft"
            for clue in desk.every():
                history = desk.history(clue.id)
                assert [each.number for each in history] == list(range(1, len(history) + 1))
                assert history[0].state == first
                author = ""
                state = first
                for before, each in pairwise(history):
                    assert each.at >= before.at
                    if each.state != state:
                        assert each.state in LATER[state], (state, each)
                        state = each.state
                    if each.act in BY:
                        assert each.person in BY[each.act]
                    if desk is self.desks.police and each.act in ("accept", "file", "conclude"):
                        assert each.person in POLICE or (each.role, each.code) == (
                            "merge",
                            "merged",
                        )
                assert clue.state == state
                if first == "draft":
                    author = history[0].person
                    assert author in BY["add"]
                    (*_, reviewed) = [e.person for e in history if e.act == "review"] or [""]
                    assert reviewed != author
                    if state in ("transferred", "accepted", "filed", "concluded"):
                        assert reviewed

    @invariant()
    def the_insurer_is_never_ahead_of_the_police(self) -> None:
        if not hasattr(self, "desks"):
            return
        there = {each.id: each for each in self.desks.police.every()}
        for desk in (self.desks.insurer, self.desks.rival):
            for clue in desk.every():
                if clue.state in ("accepted", "filed", "concluded"):
                    police = there[clue.id]
                    assert police.state == "returned" or BEFORE.index(clue.state) <= BEFORE.index(
                        police.state
                    )
                if clue.state == "returned":
                    assert there[clue.id].state == "returned"
                if clue.id in there:
                    assert there[clue.id].peer == desk.name

    @invariant()
    def who_follows_is_where_the_one_is_that_stands_for_it(self) -> None:
        if not hasattr(self, "desks"):
            return
        there = {each.id: each for each in self.desks.police.every()}
        for clue in there.values():
            if clue.head:
                head = there[clue.head]
                assert (clue.state, clue.filed, clue.outcome) == (
                    head.state,
                    head.filed,
                    head.outcome,
                )
                assert head.head == ""
                assert clue.merge == ""

    @invariant()
    def the_months_add_up_to_the_ledger(self) -> None:
        if not hasattr(self, "desks"):
            return
        for desk in self.desks:
            made = reports(desk, self.now)
            got = counting.total(each.total for each in made)
            assert got == counted(desk), desk.name
            for each in made:
                assert counting.total(each.rows.values()) == each.total


def reports(desk: Desk, now: datetime) -> list[counting.Report]:
    months, day = [], START
    while day <= now:
        months.append(f"{day:%Y-%m}")
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    node = desk.settings.node
    insurers_ = {each.name: each.san for each in desk.settings.peers}
    with desk.books.limits.store.reading() as connection:
        return [
            counting.report(connection, month, node.name, node.role, insurers_)
            for month in dict.fromkeys(months)
        ]


def counted(desk: Desk) -> Counts:
    """The numbers as the clues themselves have them, without their history."""
    police = desk.settings.node.role == "police"
    every = desk.every()
    came = every if police else [each for each in every if each.digest]
    own = [each for each in came if not each.head]
    done = [each for each in own if each.state == "concluded"]
    # A clue that was accepted before it was returned counts in both.
    accepted = sum(any(h.act == "accept" for h in desk.history(each.id)) for each in own)
    return Counts(
        clues=len(came),
        claimed=sum(max(each.claimed, 0) for each in came),
        merged=len(came) - len(own),
        accepted=accepted,
        returned=sum(each.state == "returned" for each in own),
        cases=sum(bool(each.filed) for each in own),
        concluded=len(done),
        suspects=sum(each.suspects for each in done),
        amount=sum(max(each.amount, 0) for each in done),
        recovered=sum(max(each.recovered, 0) for each in done),
    )


CERTIFICATES: dict[str, Any] = {}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> None:
    CERTIFICATES.update(settle(tmp_path_factory.mktemp("model"), lambda name: "sqlite:///nowhere"))


def run(machine: type[Ledgers], examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.usefixtures("certificates")
def test_no_order_of_commands_reaches_a_forbidden_state() -> None:
    class OnSqlite(Ledgers):
        @staticmethod
        def url_of(folder: Path, name: str) -> str:
            return f"sqlite:///{folder / name / 'state.db'}"

    run(OnSqlite, 15, 40)


@pytest.mark.study
@pytest.mark.usefixtures("certificates")
def test_nor_does_it_with_postgresql(postgresql: Any) -> None:
    class OnPostgresql(Ledgers):
        @staticmethod
        def url_of(folder: Path, name: str) -> str:
            return str(postgresql.schema())

    run(OnPostgresql, 2, 25)


@pytest.mark.study
@pytest.mark.usefixtures("certificates")
def test_no_longer_order_of_commands_does() -> None:
    class Longer(Ledgers):
        @staticmethod
        def url_of(folder: Path, name: str) -> str:
            return f"sqlite:///{folder / name / 'state.db'}"

    run(Longer, 200, 60)


@pytest.mark.usefixtures("certificates")
def test_a_report_says_the_same_as_json_as_csv_and_as_a_page(tmp_path: Path) -> None:
    desk = filled(tmp_path)
    try:
        (made,) = reports(desk, START)
        with desk.books.limits.store.reading() as connection:
            log = verify(StoredLog(connection))
    finally:
        desk.books.close()
    assert [each.code for each in log.findings] == ["not-signed"], "no run gave a reason to sign"
    values = reporting.as_values(made)
    assert json.loads(json.dumps(values)) == values
    assert [(row["line"], row["insurer"]) for row in values["rows"]] == [
        ("accident", "insurer"),
        ("auto", "insurer"),
        ("auto", "rival"),
    ]
    assert values["total"] == {
        "clues": 5,
        "claimed": 5 * 1_200_050,
        "merged": 1,
        "accepted": 2,
        "returned": 1,
        "cases": 1,
        "concluded": 1,
        "suspects": 3,
        "amount": 5_000_000,
        "recovered": 100_000,
    }
    header, *rows, last = reporting.as_csv(made).split("\r\n")[:-1]
    assert header.split(",") == ["month", "line", "insurer", *Counts._fields]
    assert len(rows) == 3
    assert last == "2026-11,all,all,5,60002.50,1,2,1,1,1,3,50000.00,1000.00"
    page = reporting.as_page(made)
    assert "60,002.50" in page
    assert "<script" not in page
    for text in (page, str(values), str(reporting.as_lines(made)), reporting.as_csv(made)):
        assert "fraud" not in text.lower()
        assert "浙A" not in text


def filled(folder: Path) -> Desk:
    """The police's ledger with five clues, of which two are merged, and a case."""
    desks = []
    for name, each in CERTIFICATES.items():
        path = folder / name / "greenlane.toml"
        path.parent.mkdir()
        store = StoreSettings(f"sqlite:///{folder / name / 'state.db'}")
        changed = each._replace(path=path, store=store)
        desks.append(Desk(changed, books_of(changed, lambda: START)))
    three = Desks(*desks)
    ours = three.insurer.transferred(lead(1), lead(2), lead(3))
    (other,) = three.insurer.transferred(lead(4), pack="accident")
    (theirs,) = three.rival.transferred(lead(1))
    three.carry()
    three.police.propose(ours[0], theirs)
    three.carry()
    three.insurer.answer(ours[0])
    three.rival.answer(theirs)
    three.carry()
    three.police.act(ours[0], "accept")
    three.police.act(other, "accept")
    three.police.act(ours[1], "return")
    three.police.act(ours[0], "file")
    three.police.act(ours[0], "conclude")
    for each in (three.insurer, three.rival):
        each.books.close()
    return three.police
