"""The inbox against a model: no order of submissions, decisions, kills and days breaks it.

No bound is exceeded, no signature or refusal is lost while a ticket is kept, and each thing that
happened is one line of the audit log.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from people import DAY, NODES, YEAR, Authority, People
from tabled import driver_of, rows

from parties import audit, inbox
from parties.errors import LocalFault, PartyError
from parties.inbox import Entry, entries
from parties.operators import DUTIES
from parties.settings import NodeSettings, OperatorSettings, PeerSettings, Settings, SourceSettings
from parties.store import Connection, Store
from parties.tickets import SignedTicket, Verified
from parties.tickets.fields import told
from parties.tickets.ticket import STAGES
from parties.tickets.verifying import examine
from psi import _core

NOON: Final = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
WAITING, KEPT, A_DAY, TICKETS = 3, 5, 4, 6
VALID: Final[dict[str, Any]] = {"begin": NOON - YEAR, "end": NOON + YEAR}
STEPS: Final = tuple(timedelta(hours=hours) for hours in (-30, 1, 12, 24, 48))
CODES: Final = {
    *("inbox-full", "ticket-expired", "ticket-unknown", "ticket-unsigned", "ticket-refused"),
    "ticket-one-person",
}
"""By which something is refused here, and by no other."""
SEEN: Final[Counter[str]] = Counter()
"""What came of what was done."""


class Pool:
    """People, and tickets that the police have signed: for a run, and for detail too."""

    def __init__(self, folder: Path) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding

        self.people = People(Authority.new("ours", **VALID), Authority.new("theirs", **VALID))
        self.people.signers = {
            (party, duty): self.people.person(party, duty, duty, **VALID)  # type: ignore[arg-type]
            for party, duty in self.people.signers
        }
        for party in NODES:
            data = self.people.authority(party).certificate.public_bytes(Encoding.PEM)
            (folder / f"{party}.pem").write_bytes(data)
        self.settings = Settings(
            path=folder / "greenlane.toml",
            node=NodeSettings("acme", "insurer", "h:1", Path("c"), Path("k"), Path("r")),
            source=SourceSettings("csv", (folder / "gone.csv",)),
            identifiers=(),
            peers=(PeerSettings("police", "h:2", "city-police"),),
            operators=OperatorSettings(folder / "insurer.pem"),
        )
        ours = [("insurer", stage, duty) for duty in DUTIES["insurer"] for stage in STAGES]
        self.tickets: dict[tuple[int, bool], tuple[Verified, SignedTicket]] = {}
        for number in range(TICKETS):
            for whole in (False, True):
                data = self.people.signed(
                    STAGES if whole else ("run",),
                    without=ours,
                    at=NOON - DAY,
                    id=f"{number:032x}",
                    normaliser=_core.normaliser_digest().hex(),
                    not_before=told(NOON - DAY),
                    not_after=told(NOON + (number % 3 + 1) * 2 * DAY),
                )
                verified = examine(data, self.people.trust)
                self.tickets[number, whole] = verified, SignedTicket.decode(data)


numbers = st.sampled_from(range(TICKETS))
deaths = st.sampled_from([False] * 5 + [True])
duties = st.sampled_from(DUTIES["insurer"])


def machine(pool: Pool) -> type[RuleBasedStateMachine]:
    """The machine for these tickets."""

    class Inbox(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = tempfile.TemporaryDirectory()
            self.time = NOON
            self.open()
            self.lines: Counter[str] = Counter()
            self.came: set[str] = set()
            self.known: dict[str, Entry] = {}

        def open(self) -> None:
            self.store = Store(f"sqlite:///{self.folder.name}/state.db")
            with self.store.writing() as connection:
                audit.begin(connection, "acme")

        def teardown(self) -> None:
            self.store.close()
            self.folder.cleanup()

        def now(self, connection: Connection) -> datetime:
            """By a clock that goes back and forth, and never back in the store."""
            self.store._machine_time = lambda: self.time
            return self.store.now(connection)

        def kept(self) -> dict[str, Entry]:
            with self.store.reading() as connection:
                return {each.signed.ticket.id: each for each in inbox.find_all(connection)}

        def do(self, event: str, act: Any, *, dies: bool) -> bool:
            """Does something in a transaction, of a process that may be killed at its end."""
            try:
                with self.store.writing() as connection:
                    act(connection, self.now(connection))
                    if dies:
                        driver_of(connection).close()
            except LocalFault:
                assert dies
                SEEN["killed"] += 1
                self.store.close()
                self.open()
                return False
            except PartyError as error:
                if error.code not in CODES:
                    raise
                SEEN[error.code] += 1
                return False
            SEEN[event] += 1
            if event:
                self.lines[event] += 1
            return True

        @initialize()
        def begin(self) -> None:
            """There is something to decide, also where nothing more is submitted."""
            for number in range(2):
                self.submit(number=number, whole=True, dies=False)

        @rule(number=numbers, whole=st.booleans(), dies=deaths)
        def submit(self, number: int, whole: bool, dies: bool) -> None:
            verified, signed = pool.tickets[number, whole]

            def take(connection: Connection, at: datetime) -> None:
                inbox.take(connection, at, "police", "insurer", verified, signed, ())

            if self.do("", take, dies=dies):
                self.came.add(signed.ticket.id)

        @rule(number=numbers, duty=duties, stage=st.sampled_from(STAGES), dies=deaths)
        def approve(self, number: int, duty: str, stage: Any, dies: bool) -> None:
            who = pool.people.signers["insurer", duty]

            def sign(connection: Connection, at: datetime) -> None:
                entry = inbox.one_of(connection, f"{number:032x}")
                inbox.approve(connection, at, pool.settings, entry, stage, who.key, who.chain, ())

            self.do("ticket_approved", sign, dies=dies)

        @rule(number=numbers, dies=deaths)
        def refuse(self, number: int, dies: bool) -> None:
            who = pool.people.signers["insurer", "compliance"]

            def say_no(connection: Connection, at: datetime) -> None:
                entry = inbox.one_of(connection, f"{number:032x}")
                inbox.refuse(connection, at, pool.settings, entry, "no", who.key, who.chain, ())

            self.do("ticket_refused", say_no, dies=dies)

        @rule(step=st.sampled_from(STEPS))
        def wait(self, step: timedelta) -> None:
            self.time = max(NOON - DAY / 4, min(self.time + step, NOON + 30 * DAY))

        @rule()
        def restart(self) -> None:
            self.store.close()
            self.open()

        @invariant()
        def no_bound_is_exceeded(self) -> None:
            kept = self.kept()
            with self.store.reading() as connection:
                at = self.now(connection)
                assert entries.taken_on(connection, at, "police") <= A_DAY
            waiting = [each for each in kept.values() if inbox.state_of(each, at, ()) == "waiting"]
            assert len(waiting) <= WAITING
            assert len(kept) <= KEPT

        @invariant()
        def nothing_is_lost_of_what_is_kept(self) -> None:
            kept = self.kept()
            for ticket, entry in kept.items():
                before = self.known.get(ticket)
                if before is not None and before.came == entry.came:
                    assert {*before.signed.signatures} <= {*entry.signed.signatures}
                    assert before.state != "refused" or entry == before._replace(
                        signed=entry.signed
                    )
                signed = entry.signed
                if entry.state == "approved":
                    assert {*signed.signed_by("police")} <= {*signed.signed_by("insurer")}
            self.known = kept

        @invariant()
        def each_thing_that_happened_is_one_line(self) -> None:
            with self.store.reading() as connection:
                lines = Counter(line.event for line in rows(connection, "audit_lines"))
            assert lines.pop("ticket_received", 0) == len(self.came)
            assert lines == +self.lines

    return Inbox


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return Pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture(autouse=True)
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bound in (("WAITING", WAITING), ("KEPT", KEPT), ("A_DAY", A_DAY)):
        monkeypatch.setattr(entries, f"MOST_{name}", bound)


SLOW: Final = [HealthCheck.too_slow, HealthCheck.data_too_large]


def test_no_order_of_things_breaks_the_inbox(pool: Pool) -> None:
    few = settings(
        max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=SLOW
    )
    run_state_machine_as_test(machine(pool), settings=few)


@pytest.mark.study
def test_no_order_of_very_many_things_breaks_the_inbox(pool: Pool) -> None:
    many = settings(
        max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=SLOW
    )
    SEEN.clear()
    run_state_machine_as_test(machine(pool), settings=many)
    assert {*SEEN} == {*CODES, "", "ticket_approved", "ticket_refused", "killed"}, SEEN
