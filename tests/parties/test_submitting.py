"""A ticket between two nodes on the loopback: submitted, decided, waited for, and hostile ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from offices import Offices, id_of

from parties import submissions
from parties.asking import Question
from parties.asking import ask as run
from parties.awaiting import FIRST_PAUSE, LONGEST_PAUSE, Standing, wait
from parties.channel import Identity, Peer
from parties.errors import PartyError, PeerUnreachable, TicketRefused, code_of
from parties.inbox import entries
from parties.standing import hear, standing
from parties.tickets import SignedTicket
from parties.tickets.files import SUFFIX, read_ticket, write_ticket
from parties.tickets.ticket import LONGEST
from parties.wire import PROTOCOL_VERSION
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Meter, PsiError

SESSION = "ab" * 16


@pytest.fixture
def offices(tmp_path: Path) -> Offices:
    return Offices(tmp_path)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises((PartyError, PsiError)) as caught:
        yield
    assert code_of(caught.value) == code, caught.value  # type: ignore[arg-type]


def file_of(offices: Offices, path: Path) -> Path:
    return offices.police.tickets.folder / f"{id_of(path)}{SUFFIX}"


class Pauses:
    """What happens while one waits: one thing in each pause, and none lasts."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self._acts = list(acts)
        self.seconds: list[float] = []
        self.told: list[str] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        assert self._acts, "one waits on, and nothing happens any more"
        self._acts.pop(0)()

    def wait(self, asked: Callable[[], Standing]) -> Standing:
        found = wait(asked, self.told.append, self)
        assert self._acts == []
        return found


# --- how a ticket comes to be


def test_a_ticket_is_submitted_signed_by_two_and_kept_and_then_run(offices: Offices) -> None:
    path = offices.drafted()
    with offices.serving():
        first = offices.desk.submit(path)
        assert (first.state, first.approved, first.file) == ("waiting", (), None)
        offices.approve(path, "analyst")
        assert offices.desk.state(id_of(path)) == first
        assert not file_of(offices, path).exists()
        offices.approve(path, "compliance")
        found = offices.desk.state(id_of(path))
        assert (found.state, found.approved) == ("approved", ("run",))
        assert found.file == file_of(offices, path)
        kept = SignedTicket.decode(read_ticket(found.file))
        assert kept.signed_by("insurer") == kept.signed_by("police") == ("run",)
        assert found.file.stat().st_mode & 0o777 == 0o600
        report = run(offices.police, Question("count", "insurer"), Meter())
    assert report.way == "count"
    for settings in (offices.insurer, offices.police):
        assert len(offices.lines(settings, "ticket_received")) == 1
        (decided,) = offices.lines(settings, "stage_decided")
        (begun,) = offices.lines(settings, "run_begun")
        assert begun["facts"]["decision"] == decided["number"]
    approved = offices.lines(offices.insurer, "ticket_approved")
    assert [each["facts"]["role"] for each in approved] == ["analyst", "compliance"]


def test_a_programme_that_was_approved_in_advance_needs_no_more_decisions(
    offices: Offices,
) -> None:
    path = offices.drafted(ways=("count",), runs=3)
    with offices.serving():
        offices.desk.submit(path)
        offices.approve(path)
        assert offices.desk.submit(path).state == "approved"
        for _ in range(3):
            run(offices.police, Question("count", "insurer"), Meter())
        with refused("ticket-spent"):
            run(offices.police, Question("count", "insurer"), Meter())
        assert offices.desk.state(id_of(path)).state == "approved"
    for settings in (offices.insurer, offices.police):
        (decided,) = offices.lines(settings, "stage_decided")
        begun = offices.lines(settings, "run_begun")
        assert [each["facts"]["decision"] for each in begun] == [decided["number"]] * 3


def test_detail_is_decided_after_a_count_in_the_same_way(offices: Offices) -> None:
    path = offices.drafted(get=offices.insurer.peers[0].disclose)
    with offices.serving():
        offices.desk.submit(path)
        offices.approve(path)
        kept = offices.desk.state(id_of(path)).file
        assert kept is not None
        run(offices.police, Question("count", "insurer"), Meter())
        with refused("ticket-unsigned"):
            run(offices.police, Question("match", "insurer"), Meter())
        offices.signed(kept, ["disclosure"])
        again = offices.desk.submit(kept)
        assert (again.state, again.approved) == ("waiting", ("run",))
        offices.approve(path, stage="disclosure")
        found = offices.desk.submit(kept)
        assert (found.state, found.approved) == ("approved", ("run", "disclosure"))
        assert found.file == kept
        run(offices.police, Question("match", "insurer"), Meter())
    for settings in (offices.insurer, offices.police):
        decided = offices.lines(settings, "stage_decided")
        assert [each["facts"]["way"] for each in decided] == ["count", "match"]
        assert [len(each["facts"]["signatures"]) for each in decided] == [4, 8]


def test_what_is_submitted_again_changes_nothing(offices: Offices) -> None:
    path = offices.drafted()
    with offices.serving():
        answers = [offices.desk.submit(path) for _ in range(3)]
        before = offices.entries()
        offices.approve(path)
        approved = [offices.desk.submit(path) for _ in range(2)]
    assert answers[0] == answers[1] == answers[2]
    assert approved[0] == approved[1]
    assert len(before) == 1
    assert len(offices.lines(offices.insurer, "ticket_received")) == 1
    assert len(offices.lines(offices.police, "ticket_received")) == 1


def test_the_ticket_is_kept_where_it_lies_under_whatever_name(offices: Offices) -> None:
    path = offices.drafted()
    own = offices.police.tickets.folder / "mine.json"
    write_ticket(own, SignedTicket.decode(read_ticket(path)))
    (own.parent / "another.json").write_text("no ticket")
    with offices.serving():
        offices.desk.submit(own)
        offices.approve(path)
        assert offices.desk.state(id_of(path)).file == own
    assert not file_of(offices, path).exists()
    assert SignedTicket.decode(read_ticket(own)).signed_by("insurer") == ("run",)


def test_a_ticket_is_asked_about_in_a_stream_as_well(offices: Offices) -> None:
    path = offices.drafted()
    police = offices.police
    with offices.serving():
        node = Peer(Identity(police.node.certificate, police.node.key), police.peers[0])
        asked = submissions.ask(police, police.peers[0], ticket=read_ticket(path))
        assert node.call(asked, SESSION).state == "waiting"


# --- waiting


def test_one_waits_through_a_node_that_is_down_and_started_again(offices: Offices) -> None:
    path, nodes = offices.drafted(), []
    pauses = Pauses(
        lambda: nodes.append(offices.start()),
        lambda: offices.approve(path, "analyst"),
        lambda: nodes.pop().stop(0),
        lambda: offices.approve(path, "compliance"),
        lambda: nodes.append(offices.start()),
    )
    try:
        found = pauses.wait(lambda: offices.desk.submit(path))
    finally:
        for node in nodes:
            node.stop(0)
    assert (found.state, found.file) == ("approved", file_of(offices, path))
    assert len(pauses.told) == 3, "once each time that something is otherwise"
    down, up, again = pauses.told
    assert down == again
    assert "asked again until it answers" in down
    assert "have not decided yet" in up


def test_who_waits_tells_of_each_stage(offices: Offices) -> None:
    path = offices.drafted(("run", "disclosure"))
    with offices.serving():
        offices.desk.submit(path)
        pauses = Pauses(
            lambda: offices.approve(path),
            lambda: offices.approve(path, stage="disclosure"),
        )
        found = pauses.wait(lambda: offices.desk.state(id_of(path)))
    assert found.approved == ("run", "disclosure")
    assert [told.endswith("approved so far: run") for told in pauses.told] == [False, True]


def test_pauses_grow_to_a_bound_and_begin_anew_when_something_changes() -> None:
    waiting = Standing("t", "insurer", "waiting", "", (), None)
    states = [waiting] * 20 + [waiting._replace(approved=("run",))] * 2
    states.append(waiting._replace(state="approved"))
    pauses = Pauses(*[lambda: None] * 22)
    pauses.wait(lambda: states.pop(0))
    assert pauses.seconds[:2] == [FIRST_PAUSE, FIRST_PAUSE * 1.5]
    assert max(pauses.seconds) == LONGEST_PAUSE
    assert pauses.seconds[-2:] == [FIRST_PAUSE, FIRST_PAUSE * 1.5]


def test_who_interrupts_the_waiting_ends_the_waiting_alone(offices: Offices) -> None:
    path = offices.drafted()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with offices.serving():
        with pytest.raises(KeyboardInterrupt):
            Pauses(interrupt).wait(lambda: offices.desk.submit(path))
        offices.approve(path)
        assert offices.desk.state(id_of(path)).state == "approved"


def test_a_peer_that_breaks_in_the_middle_is_asked_again(offices: Offices) -> None:
    path, nodes = offices.drafted(), []

    def broken(peer: str, session: str) -> Dialogue[None]:
        yield from hear()
        raise RuntimeError

    nodes.append(offices.start(broken))

    def mend() -> None:
        nodes.pop().stop(0)
        nodes.append(offices.start())

    pauses = Pauses(mend, lambda: offices.approve(path))
    try:
        assert pauses.wait(lambda: offices.desk.submit(path)).state == "approved"
    finally:
        nodes[0].stop(0)


def test_without_waiting_a_node_that_is_down_is_an_error(offices: Offices) -> None:
    with pytest.raises(PeerUnreachable):
        offices.desk.submit(offices.drafted())


# --- no


def test_a_refused_ticket_ends_the_waiting_with_the_reason_and_is_in_both_logs(
    offices: Offices,
) -> None:
    path = offices.drafted()
    with offices.serving():
        pauses = Pauses(lambda: offices.refuse(path, "没有立案"))
        with pytest.raises(TicketRefused, match="没有立案") as no:
            pauses.wait(lambda: offices.desk.submit(path))
        assert (no.value.code, no.value.exit_code) == ("ticket-refused", 7)
        found = offices.desk.state(id_of(path))
        assert (found.state, found.reason, found.file) == ("refused", "没有立案", None)
        assert offices.desk.submit(path) == found
    (ours,) = offices.lines(offices.insurer, "ticket_refused")
    (theirs,) = offices.lines(offices.police, "ticket_refused")
    assert ours["facts"]["operator"] == "p-compliance"
    assert theirs["facts"]["peer"] == "insurer"
    assert ours["facts"]["digest"] == theirs["facts"]["digest"]
    with refused("ticket-missing"):
        run(offices.police, Question("count", "insurer"), Meter())


def test_a_revoked_ticket_ends_the_waiting_and_is_not_given(offices: Offices) -> None:
    path = offices.drafted()
    with offices.serving():
        with refused("ticket-revoked"):
            Pauses(lambda: offices.revoke(path)).wait(lambda: offices.desk.submit(path))
        assert offices.desk.state(id_of(path)).state == "revoked"
    other = offices.drafted()
    with offices.serving():
        offices.desk.submit(other)
        offices.approve(other)
        offices.revoke(other)
        assert offices.desk.state(id_of(other))[2:] == ("revoked", "", (), None)


def test_what_our_people_have_not_signed_is_not_submitted(offices: Offices) -> None:
    for stages in ((), ("disclosure",)):
        with refused("ticket-unsigned"):
            offices.desk.submit(offices.drafted(stages))  # and nobody answers there


# --- hostile callers


def said(offices: Offices, **changes: Any) -> wire.Proposal:
    police = offices.police
    return wire.Proposal(
        **{"standing": standing(police, police.peers[0], ()), "way": wire.WAY_TICKET, **changes}
    )


def say(offices: Offices, proposal: bytes) -> wire.TicketAnswer:
    """Says this, whatever it is, and returns what comes."""

    def dialogue() -> Dialogue[wire.TicketAnswer]:
        yield proposal
        return wire.TicketAnswer.FromString((yield from hear()))

    police = offices.police
    node = Peer(Identity(police.node.certificate, police.node.key), police.peers[0])
    return node.exchange(dialogue(), SESSION)


def with_byte(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


HOSTILE: dict[str, tuple[str, Callable[[Offices, bytes], dict[str, Any]]]] = {
    "too long": ("ticket-malformed", lambda _, data: {"ticket": b" " * (LONGEST + 1)}),
    "as long as a flight": (
        "ticket-malformed",
        lambda _, data: {"ticket": b"[" * ((2 << 20) - 1024)},
    ),
    "no ticket": ("ticket-malformed", lambda _, data: {"ticket": b"{}"}),
    "with a line end": ("ticket-malformed", lambda _, data: {"ticket": data + b"\n"}),
    "with another byte": ("ticket-forged", lambda _, data: {"ticket": spoilt(data)}),
    "for others": ("ticket-other-peer", lambda _, data: {"ticket": renamed(data)}),
    "without signatures": ("ticket-unsigned", lambda _, data: {"ticket": bare(data)}),
    "nothing": ("malformed-message", lambda _, data: {}),
    "two things": ("malformed-message", lambda _, data: {"ticket": data, "about": "0" * 32}),
    "a ticket and sets": (
        "malformed-message",
        lambda _, data: {"ticket": data, "sets": [wire.IdentifierSet(name="plate")]},
    ),
    "a ticket and tables": (
        "malformed-message",
        lambda _, data: {"ticket": data, "tables": bytes(32)},
    ),
    "a job about a ticket": (
        "malformed-message",
        lambda _, data: {"way": wire.WAY_COUNT, "ticket": data, "about": "0" * 32},
    ),
    "an id of none": ("ticket-unknown", lambda _, data: {"about": "0" * 32}),
    "an id that is none": ("ticket-unknown", lambda _, data: {"about": "' OR 1 --\x00"}),
    "another version": (
        "other-version",
        lambda _, data: {
            "ticket": data,
            "standing": wire.Standing(protocol_version=PROTOCOL_VERSION + 1),
        },
    ),
}


def spoilt(data: bytes) -> bytes:
    signed = SignedTicket.decode(data)
    first, *others = signed.signatures
    first = first._replace(signature=with_byte(first.signature, 5))
    return SignedTicket(signed.ticket, (first, *others)).encode()


def renamed(data: bytes) -> bytes:
    signed = SignedTicket.decode(data)
    return signed._replace(ticket=signed.ticket._replace(insurer="other")).encode()


def bare(data: bytes) -> bytes:
    return SignedTicket(SignedTicket.decode(data).ticket).encode()


def test_what_a_hostile_peer_submits_is_refused_by_name_and_leaves_nothing(
    offices: Offices,
) -> None:
    data = read_ticket(offices.drafted())
    with offices.serving():
        for what, (code, changes) in HOSTILE.items():
            with pytest.raises((PartyError, PsiError)) as caught:
                say(offices, said(offices, **changes(offices, data)).SerializeToString())
            assert code_of(caught.value) == code, what  # type: ignore[arg-type]
        with refused("malformed-message"):
            say(offices, b"\xff")
    assert offices.entries() == []
    assert offices.lines(offices.insurer, "ticket_received") == []
    codes = [each["facts"]["code"] for each in offices.lines(offices.insurer, "job_refused")]
    assert "ticket-unknown" not in codes, "a question is no submission"
    assert codes.count("ticket-forged") == 1


def test_a_flood_is_bounded_in_the_inbox_and_in_the_log(
    offices: Offices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MOST_WAITING", 2)
    monkeypatch.setattr("parties.refused.LINES", 3)
    with offices.serving():
        for _ in range(2):
            offices.desk.submit(offices.drafted())
        for _ in range(6):
            with refused("inbox-full"):
                offices.desk.submit(offices.drafted())
        for _ in range(6):
            with refused("ticket-unknown"):
                offices.desk.state("0" * 32)
    assert len(offices.entries()) == 2
    assert len(offices.lines(offices.insurer, "ticket_received")) == 2
    assert len(offices.lines(offices.insurer, "job_refused")) == 3
    (counted,) = offices.lines(offices.insurer, "refusals_counted")
    assert counted["facts"]["refusals"] == 6, "and no question is among them"


def test_who_waits_for_a_place_gets_it_when_there_is_one(
    offices: Offices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MOST_WAITING", 1)
    first, second = offices.drafted(), offices.drafted()
    with offices.serving():
        offices.desk.submit(first)
        pauses = Pauses(lambda: offices.refuse(first, "no"), lambda: offices.approve(second))
        assert pauses.wait(lambda: offices.desk.submit(second)).state == "approved"


def test_a_ticket_of_another_peer_is_as_one_that_is_not_there(offices: Offices) -> None:
    path = offices.drafted()
    with offices.serving():
        offices.desk.submit(path)
        with offices.inbox() as (store, _), store.writing() as connection:
            connection.execute("UPDATE inbox SET peer = 'rival'")
        with refused("ticket-unknown"):
            offices.desk.state(id_of(path))


# --- hostile holders


ANSWERS: dict[str, tuple[str, Callable[[Offices, bytes], dict[str, Any]]]] = {
    "no state": ("malformed-message", lambda _, data: {}),
    "a state of later": ("malformed-message", lambda _, data: {"state": 9}),
    "approved, and no ticket": ("malformed-message", lambda _, data: {"state": 2}),
    "refused without a reason": ("malformed-message", lambda _, data: {"state": 3}),
    "waiting with a reason": ("malformed-message", lambda _, data: {"state": 1, "reason": "x"}),
    "a reason that steers": (
        "malformed-message",
        lambda _, data: {"state": 3, "reason": "\x1b[2J"},
    ),
    "a reason without end": (
        "malformed-message",
        lambda _, data: {"state": 3, "reason": "x" * 1001},
    ),
    "too long": ("bound-exceeded", lambda _, data: {"state": 2, "ticket": b"x" * (LONGEST + 1)}),
    "no ticket": ("ticket-malformed", lambda _, data: {"state": 2, "ticket": b"x"}),
    "not signed by them": ("ticket-unsigned", lambda _, data: {"state": 2, "ticket": data}),
    "not signed by us": ("ticket-unsigned", lambda _, data: {"state": 2, "ticket": bare(data)}),
    "forged": ("ticket-forged", lambda _, data: {"state": 2, "ticket": spoilt(data)}),
    "of another standing": (
        "peer-incompatible",
        lambda _, data: {"state": 1, "standing": wire.Standing()},
    ),
}


def test_what_a_hostile_holder_answers_is_an_error_and_nothing_is_kept(offices: Offices) -> None:
    path = offices.drafted()
    data, insurer = read_ticket(path), offices.insurer
    told: list[dict[str, Any]] = []

    def answer(peer: str, session: str) -> Dialogue[None]:
        yield from hear()
        where = standing(insurer, insurer.peers[0], ())
        yield wire.TicketAnswer(**{"standing": where, **told[-1]}).SerializeToString()

    with offices.serving(answer):
        for what, (code, changes) in ANSWERS.items():
            told.append(changes(offices, data))
            with pytest.raises((PartyError, PsiError)) as caught:
                offices.desk.submit(path)
            assert code_of(caught.value) == code, what  # type: ignore[arg-type]
    assert not file_of(offices, path).exists()


def test_a_ticket_that_was_not_asked_about_is_not_kept(offices: Offices) -> None:
    path, other = offices.drafted(), offices.drafted()
    with offices.serving():
        offices.desk.submit(other)
        offices.approve(other)
        found = offices.desk.state(id_of(other))
        assert found.file is not None
    insurer, data = offices.insurer, read_ticket(found.file)

    def answer(peer: str, session: str) -> Dialogue[None]:
        yield from hear()
        where = standing(insurer, insurer.peers[0], ())
        yield wire.TicketAnswer(standing=where, state=2, ticket=data).SerializeToString()

    with offices.serving(answer), refused("malformed-message"):
        offices.desk.submit(path)
    assert not file_of(offices, path).exists()
