"""The inbox in each database: what comes in, within which bounds, and what people do with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from people import BODY, DAY, NODES, YEAR, Authority, People, Person

from parties import audit, canonical, inbox, retaining
from parties.errors import CertificateError, LocalFault, PartyError, SettingsError, TicketRefused
from parties.inbox import Entry, entries
from parties.inbox.states import STATES
from parties.inbox.taking import is_known
from parties.operators import DUTIES, Party
from parties.refusals import Refusal
from parties.settings import NodeSettings, OperatorSettings, PeerSettings, Settings, SourceSettings
from parties.store import Connection, Store
from parties.tickets import SignedTicket, Stage
from parties.tickets.fields import told
from parties.tickets.signing import merged
from parties.tickets.ticket import STAGES
from parties.tickets.verifying import examine
from psi import _core

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
"""Far from midnight, since bounds are of days."""
VALID: dict[str, Any] = {"begin": NOW - YEAR, "end": NOW + YEAR}
SIDES: tuple[Party, ...] = ("police", "insurer")
POLICE, INSURER = (
    [(party, stage, duty) for duty in DUTIES[party] for stage in STAGES] for party in SIDES
)
"""Keys of each side."""
BASE: dict[str, Any] = {
    "normaliser": _core.normaliser_digest().hex(),
    "not_before": told(NOW - DAY),
    "not_after": told(NOW + DAY),
}


LINES = "SELECT event, body FROM audit_lines ORDER BY number"


class Office:
    """An insurer's node with an inbox, and the people of both sides."""

    def __init__(self, folder: Path, people: People, store: Store) -> None:
        self.people, self.store = people, store
        for party in NODES:
            data = people.authority(party).certificate.public_bytes(Encoding.PEM)
            (folder / f"{party}.pem").write_bytes(data)
        self.settings = Settings(
            path=folder / "greenlane.toml",
            node=NodeSettings("acme", "insurer", "h:1", Path("c"), Path("k"), Path("r")),
            source=SourceSettings("csv", (folder / "gone.csv",)),
            identifiers=(),
            peers=(PeerSettings("police", "h:2", "city-police", operators=folder / "police.pem"),),
            operators=OperatorSettings(folder / "insurer.pem"),
        )

    def ticket(self, stages: tuple[Stage, ...] = ("run",), **changes: Any) -> bytes:
        """A ticket that the police alone have signed."""
        changes = BASE | {"id": os.urandom(16).hex()} | changes
        return self.people.signed(stages, without=INSURER, at=NOW - DAY, **changes)

    def check(self, data: bytes) -> Any:
        return inbox.check(self.settings, self.settings.peers[0], data, "police")

    def submit(
        self, data: bytes, at: datetime = NOW, revoked: Any = (), peer: str = "police"
    ) -> Entry:
        signed, verified = SignedTicket.decode(data), self.check(data)
        with self.store.writing() as connection:
            return inbox.take(connection, at, peer, "insurer", verified, signed, revoked)

    def approve(
        self,
        ticket: str,
        duty: str,
        stage: Stage = "run",
        person: Person | None = None,
        **options: Any,
    ) -> Entry:
        who = person or self.people.signers["insurer", duty]
        options = {"at": NOW, "revoked": ()} | options
        at, revoked = options["at"], options["revoked"]
        with self.store.writing() as connection:
            entry = inbox.one_of(connection, ticket)
            return inbox.approve(
                connection, at, self.settings, entry, stage, who.key, who.chain, revoked
            )

    def refuse(
        self, ticket: str, duty: str = "compliance", reason: str = "no case", **options: Any
    ) -> Entry:
        who = self.people.signers["insurer", duty]
        at = options.get("at", NOW)
        with self.store.writing() as connection:
            entry = inbox.one_of(connection, ticket)
            return inbox.refuse(
                connection, at, self.settings, entry, reason, who.key, who.chain, ()
            )

    def state(self, ticket: str, at: datetime = NOW, revoked: Any = ()) -> str:
        return inbox.state_of(self.kept(ticket), at, revoked)

    def kept(self, ticket: str) -> Entry:
        with self.store.reading() as connection:
            return inbox.one_of(connection, ticket)

    def all(self) -> list[Entry]:
        with self.store.reading() as connection:
            return inbox.find_all(connection)

    def lines(self, event: str) -> list[dict[str, Any]]:
        with self.store.reading() as connection:
            found = connection.execute(
                "SELECT event, body FROM audit_lines ORDER BY number"
            ).fetchall()
        return [canonical.decode(body)["facts"] for name, body in found if name == event]


@pytest.fixture(scope="module")
def people() -> People:
    people = People(Authority.new("ours", **VALID), Authority.new("theirs", **VALID))
    people.signers = {
        (party, duty): people.person(party, duty, duty, **VALID)  # type: ignore[arg-type]
        for party, duty in people.signers
    }
    return people


@pytest.fixture
def office(url: str, tmp_path: Path, people: People) -> Iterator[Office]:
    with closing(Store(url)) as store:
        with store.writing() as connection:
            audit.begin(connection, "acme")
        yield Office(tmp_path, people, store)


def id_of(data: bytes) -> str:
    return SignedTicket.decode(data).ticket.id


@contextmanager
def refused(code: str, match: str | None = None) -> Iterator[None]:
    with pytest.raises(PartyError, match=match) as caught:
        yield
    assert caught.value.code == code


# --- what comes in


def test_a_ticket_that_came_waits_and_is_in_the_log_once(office: Office) -> None:
    data = office.ticket()
    entry = office.submit(data)
    assert (entry.state, office.state(id_of(data))) == ("waiting", "waiting")
    again = office.submit(data, NOW + DAY / 2)
    assert again == entry
    assert is_known(entry, SignedTicket.decode(data)), "of which nothing is verified again"
    assert office.all() == [entry]
    (line,) = office.lines("ticket_received")
    assert line == {
        "ticket": id_of(data),
        "digest": SignedTicket.decode(data).ticket.digest,
        "peer": "police",
        "purpose": BODY["purpose"],
    }


def test_a_ticket_of_both_sides_is_approved_as_it_comes(office: Office) -> None:
    data = office.people.signed(("run",), at=NOW - DAY, **BASE)
    assert office.submit(data).state == "approved"


WRONG: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "nobody has signed": ("ticket-unsigned", {"stages": ()}, {}),
    "one of two has signed": ("ticket-unsigned", {"without": [*INSURER, POLICE[0]]}, {}),
    "it is signed for detail alone": (
        "ticket-unsigned",
        {"stages": ("disclosure",), "without": INSURER},
        {},
    ),
    "our people have signed, and theirs have not": (
        "ticket-unsigned",
        {"without": POLICE},
        {},
    ),
    "it was made under other rules": (
        "ticket-other-normaliser",
        {"without": INSURER},
        {"normaliser": "0c" * 32},
    ),
}


@pytest.mark.parametrize("way", WRONG)
def test_what_is_no_ticket_of_the_peer_for_us_does_not_come_in(
    office: Office, people: People, way: str
) -> None:
    code, signed, changes = WRONG[way]
    options: dict[str, Any] = {"stages": ("run",), "at": NOW - DAY, **signed, **BASE, **changes}
    data = people.signed(**options)
    with refused(code):
        office.check(data)
    assert office.all() == []


def test_a_ticket_for_another_holder_does_not_come_in(office: Office) -> None:
    ticket = SignedTicket.decode(office.ticket()).ticket
    with refused("ticket-other-peer"):
        office.check(SignedTicket(ticket._replace(insurer="other")).encode())


def test_a_ticket_that_is_too_long_is_not_read(office: Office) -> None:
    with refused("ticket-malformed"):
        office.check(b"{" * ((64 << 10) + 1))


def test_a_signature_of_somebody_else_is_found(office: Office, people: People) -> None:
    by = Authority.new("theirs", **VALID)
    stranger = people.person("police", "approver", "x", by=by, **VALID)
    data = people.signed(
        ("run",), without=INSURER, at=NOW - DAY, instead={("police", "approver"): stranger}, **BASE
    )
    with refused("ticket-forged"):
        office.check(data)


def test_what_is_submitted_drives_no_ticket_out_that_is_remembered(office: Office) -> None:
    before = examine.cache_info()
    for _ in range(3):
        office.check(office.ticket())
    assert examine.cache_info() == before


@pytest.mark.parametrize(
    ("at", "revoked", "code"),
    [
        (NOW + 2 * DAY, (), "ticket-expired"),
        (NOW, ("id",), "ticket-revoked"),
        (NOW, ("signer",), "ticket-signer-revoked"),
        (NOW - 2 * DAY, (), "ticket-early"),
    ],
)
def test_a_ticket_that_does_not_count_does_not_come_in(
    office: Office, at: datetime, revoked: tuple[str, ...], code: str
) -> None:
    data = office.ticket()
    names = {"id": id_of(data), "signer": office.people.signers["police", "approver"].fingerprint}
    with refused(code):
        office.submit(data, at, {names[each] for each in revoked})
    assert (office.all(), office.lines("ticket_received")) == ([], [])


def test_a_ticket_may_come_before_it_begins(office: Office) -> None:
    data = office.ticket(not_before=told(NOW + DAY / 2))
    assert office.submit(data).state == "waiting"


def test_another_ticket_of_the_same_id_is_refused(office: Office) -> None:
    data = office.ticket()
    office.submit(data)
    other = office.ticket(id=id_of(data), purpose="another")
    with refused("ticket-twice"):
        office.submit(other)
    entry = office.kept(id_of(data))
    with refused("ticket-twice"):
        is_known(entry, SignedTicket.decode(other))
    with refused("ticket-twice"):
        merged(entry.signed, SignedTicket.decode(other))
    assert entry.signed.ticket.purpose == BODY["purpose"]


def test_what_a_peer_submits_ends_no_ticket_under_which_something_was_left(
    office: Office,
) -> None:
    ticket, end, session = os.urandom(16).hex(), NOW + 30 * DAY, "5e" * 16
    with office.store.writing() as connection:
        retaining.end(connection, ticket, end)
        retaining.leave(connection, session, ticket, None)
    office.submit(office.ticket(id=ticket))
    with office.store.reading() as connection:
        assert retaining.due(connection, end) == []
        assert retaining.due(connection, end + DAY) == [(session, None)]


def test_tickets_of_one_id_of_two_peers_are_two(office: Office) -> None:
    data = office.ticket()
    office.submit(data)
    office.submit(data, peer="rival")
    with office.store.reading() as connection:
        with refused("ticket-twice"):
            inbox.one_of(connection, id_of(data))
        assert inbox.one_of(connection, id_of(data), "rival").peer == "rival"
        with refused("ticket-unknown"):
            inbox.one_of(connection, id_of(data), "nobody")


# --- bounds


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller bounds, so that a test reaches them."""
    for name, bound in (("WAITING", 2), ("KEPT", 4), ("A_DAY", 3)):
        monkeypatch.setattr(entries, f"MOST_{name}", bound)


def test_bounds_keep_an_inbox_small_and_let_one_be_worked_through() -> None:
    assert entries.MOST_WAITING < entries.MOST_KEPT, "so one that is settled can make room"
    assert entries.MOST_KEPT * (64 << 10) <= 16 << 20


@pytest.mark.usefixtures("tight")
def test_so_many_tickets_of_a_peer_wait_and_no_more(office: Office) -> None:
    first = office.ticket()
    office.submit(first)
    office.submit(office.ticket())
    with refused("inbox-full"):
        office.submit(office.ticket())
    office.submit(office.ticket(), peer="rival")  # whose own part it is
    office.submit(first)  # which is there
    office.refuse(id_of(first))
    office.submit(office.ticket())
    assert len(office.lines("ticket_received")) == 4


@pytest.mark.usefixtures("tight")
def test_so_many_tickets_come_in_a_day_and_no_more_whatever_becomes_of_them(
    office: Office,
) -> None:
    for count in range(3):
        at = NOW + timedelta(seconds=2 * count)
        office.submit(office.ticket(not_after=told(at + timedelta(seconds=1))), at)
    with refused("inbox-full"):
        office.submit(office.ticket(not_after=told(NOW + 3 * DAY)), NOW + DAY / 24)
    assert len(office.lines("ticket_received")) == 3
    office.submit(office.ticket(not_after=told(NOW + 3 * DAY)), NOW + DAY)


@pytest.mark.usefixtures("tight")
def test_what_is_settled_makes_room_and_what_waits_does_not(office: Office) -> None:
    waiting = office.ticket(not_after=told(NOW + 9 * DAY))
    office.submit(waiting)
    settled = []
    for day in range(5):
        data = office.ticket(not_after=told(NOW + 9 * DAY))
        office.submit(data, NOW + day * DAY)
        office.refuse(id_of(data), at=NOW + day * DAY)
        settled.append(id_of(data))
    there = [entry.signed.ticket.id for entry in office.all()]
    assert there == [id_of(waiting), *settled[2:]]


@pytest.mark.usefixtures("tight")
def test_what_has_expired_waits_no_more_and_makes_room(office: Office) -> None:
    for _ in range(2):
        office.submit(office.ticket())
    at = NOW + 2 * DAY
    data = office.ticket(not_after=told(NOW + 9 * DAY))
    assert office.submit(data, at).state == "waiting"
    assert [office.state(each.signed.ticket.id, at) for each in office.all()] == [
        "expired",
        "expired",
        "waiting",
    ]


def test_what_came_in_a_day_is_counted_for_each_peer_and_the_day_before_is_forgotten(
    office: Office,
) -> None:
    def taken(at: datetime, peer: str = "police") -> int:
        with office.store.reading() as connection:
            return entries.taken_on(connection, at, peer)

    for _ in range(2):
        office.submit(office.ticket())
    office.submit(office.ticket(), peer="rival")
    assert (taken(NOW), taken(NOW, "rival"), taken(NOW + DAY)) == (2, 1, 0)
    office.submit(office.ticket(not_after=told(NOW + 3 * DAY)), NOW + DAY)
    assert (taken(NOW), taken(NOW, "rival"), taken(NOW + DAY)) == (0, 1, 1)


def test_a_row_that_is_no_ticket_is_a_fault_that_names_it(office: Office) -> None:
    data = office.ticket()
    office.submit(data)

    def spoil(connection: Connection) -> None:
        connection.execute("UPDATE inbox SET data = :data", {"data": b"x"})

    with office.store.writing() as connection:
        spoil(connection)
    with pytest.raises(LocalFault, match=id_of(data)):
        office.all()


# --- what people do


@pytest.mark.parametrize("order", [("analyst", "compliance"), ("compliance", "analyst")])
def test_two_people_approve_in_whatever_order(office: Office, order: tuple[str, str]) -> None:
    data = office.ticket()
    office.submit(data)
    states = [office.approve(id_of(data), duty).state for duty in order]
    assert states == ["waiting", "approved"]
    assert office.state(id_of(data)) == "approved"
    lines = office.lines("ticket_approved")
    assert [(line["role"], line["stage"]) for line in lines] == [(duty, "run") for duty in order]


def test_a_stage_that_a_ticket_does_not_need_is_not_waited_for(office: Office) -> None:
    data = office.ticket(("run", "disclosure"), ways=["count"], inquiries=0)
    office.submit(data)
    states = [office.approve(id_of(data), duty).state for duty in DUTIES["insurer"]]
    assert states == ["waiting", "approved"]


def test_the_peer_gets_no_signature_before_both_have_signed(office: Office) -> None:
    data = office.ticket(("run", "disclosure"))
    office.submit(data)
    one = office.approve(id_of(data), "analyst")
    assert inbox.given(one.signed, "insurer") is None
    run = office.approve(id_of(data), "compliance")
    given = inbox.given(run.signed, "insurer")
    assert given is not None
    assert given.signed_by("insurer") == ("run",)
    assert given.signed_by("police") == ("run", "disclosure")
    part = office.approve(id_of(data), "compliance", "disclosure")
    assert inbox.given(part.signed, "insurer") == given
    whole = office.approve(id_of(data), "analyst", "disclosure")
    assert whole.state == "approved"
    assert inbox.given(whole.signed, "insurer") == whole.signed


def test_one_person_approves_for_one_duty_and_once(office: Office, people: People) -> None:
    data = office.ticket()
    office.submit(data)
    office.approve(id_of(data), "analyst")
    with refused("ticket-one-person"):
        office.approve(id_of(data), "analyst")
    key = people.signers["insurer", "analyst"].key
    both = people.person("insurer", "compliance", "other-name", key=key, **VALID)
    with refused("ticket-one-person"):
        office.approve(id_of(data), "compliance", person=both)
    named = people.person("insurer", "compliance", "analyst", **VALID)
    with refused("ticket-one-person"):
        office.approve(id_of(data), "compliance", person=named)
    assert office.state(id_of(data)) == "waiting"
    assert len(office.lines("ticket_approved")) == 1


def test_detail_is_approved_after_a_run_and_if_it_was_asked(office: Office) -> None:
    data = office.ticket(("run", "disclosure"))
    office.submit(data)
    with refused("ticket-unsigned"):
        office.approve(id_of(data), "analyst", "disclosure")
    office.approve(id_of(data), "analyst")
    with refused("ticket-unsigned"):
        office.approve(id_of(data), "analyst", "disclosure")
    other = office.ticket()
    office.submit(other)
    with refused("ticket-unsigned", "police has not signed it for disclosure"):
        office.approve(id_of(other), "analyst", "disclosure")


def test_a_later_stage_waits_again_and_takes_nothing_back(office: Office, people: People) -> None:
    whole = office.ticket(("run", "disclosure"))
    signed = SignedTicket.decode(whole)
    run = [each for each in signed.signatures if each.key.stage == "run"]
    first = SignedTicket(signed.ticket, tuple(run)).encode()
    office.submit(first)
    for duty in ("analyst", "compliance"):
        office.approve(id_of(first), duty)
    assert office.state(id_of(first)) == "approved"
    with refused("ticket-one-person"):
        office.approve(id_of(first), "analyst")
    assert office.submit(whole).state == "waiting"
    assert office.submit(first).state == "waiting", "nothing is taken back"
    assert office.kept(id_of(first)).signed.signed_by("insurer") == ("run",)
    for duty in ("analyst", "compliance"):
        office.approve(id_of(first), duty, "disclosure")
    assert office.state(id_of(first)) == "approved"
    assert len(office.lines("ticket_received")) == 1


def test_a_refusal_says_why_and_stays(office: Office) -> None:
    whole = office.ticket(("run", "disclosure"))
    signed = SignedTicket.decode(whole)
    run = [each for each in signed.signatures if each.key.stage == "run"]
    first = SignedTicket(signed.ticket, tuple(run)).encode()
    office.submit(first)
    entry = office.refuse(id_of(first), reason="没有立案 (no case)")
    assert (entry.state, entry.reason) == ("refused", "没有立案 (no case)")
    assert office.submit(first) == entry
    assert office.submit(whole).state == "refused"
    for act in (
        lambda: office.approve(id_of(first), "analyst"),
        lambda: office.refuse(id_of(first), "analyst"),
    ):
        with refused("ticket-refused"):
            act()
    (line,) = office.lines("ticket_refused")
    assert (line["code"], line["role"], line["peer"]) == ("ticket-refused", "compliance", "police")
    assert "没有立案" not in str(line)


@pytest.mark.parametrize("reason", ["", " ", "a\nb", " a", "x" * 1001, "\x1b[2J"])
def test_a_reason_is_one_line_of_text(office: Office, reason: str) -> None:
    data = office.ticket()
    office.submit(data)
    with pytest.raises(SettingsError, match="reason is one line"):
        office.refuse(id_of(data), reason=reason)
    assert office.state(id_of(data)) == "waiting"


def test_nobody_decides_on_what_has_expired_or_was_revoked(office: Office) -> None:
    data = office.ticket()
    office.submit(data)
    second = timedelta(seconds=1)
    assert office.state(id_of(data), NOW + DAY) == "waiting", "in the last second"
    assert office.state(id_of(data), NOW + DAY + second) == "expired"
    with refused("ticket-expired"):
        office.approve(id_of(data), "analyst", at=NOW + 2 * DAY)
    with refused("ticket-expired"):
        office.refuse(id_of(data), at=NOW + 2 * DAY)
    with refused("ticket-revoked"):
        office.approve(id_of(data), "analyst", revoked={id_of(data)})
    signer = office.people.signers["police", "investigator"].fingerprint
    with refused("ticket-revoked"):
        office.approve(id_of(data), "analyst", revoked={signer})


def test_what_both_have_approved_is_not_refused_any_more(office: Office) -> None:
    data = office.ticket()
    office.submit(data)
    for duty in DUTIES["insurer"]:
        office.approve(id_of(data), duty)
    for act in (lambda: office.refuse(id_of(data)), lambda: office.approve(id_of(data), "analyst")):
        with refused("ticket-one-person", "for all that the peer has signed for"):
            act()
    assert office.state(id_of(data)) == "approved"
    assert office.lines("ticket_refused") == []


def test_only_people_of_this_node_with_a_duty_decide(office: Office, people: People) -> None:
    data = office.ticket()
    office.submit(data)
    analyst = people.signers["insurer", "analyst"]
    by = Authority.new("ours", **VALID)
    strangers = {
        "were not issued by": people.person("insurer", "analyst", "x", by=by, **VALID),
        "only analyst and compliance": people.person("insurer", "auditor", "x", **VALID),
        "decide on its tickets": people.person(
            "insurer", "analyst", "x", name="urn:greenlane:operator:other:analyst:x", **VALID
        ),
        "key is not that": Person(people.signers["insurer", "compliance"].key, analyst.chain),
        "had expired": people.person("insurer", "analyst", "x", begin=NOW - YEAR, end=NOW - DAY),
    }
    for why, person in strangers.items():
        with pytest.raises(CertificateError, match=why.replace("were not", "was not")):
            office.approve(id_of(data), "analyst", person=person)
    with pytest.raises(CertificateError, match="revoked at this node"):
        office.approve(id_of(data), "analyst", revoked={analyst.fingerprint})
    assert office.kept(id_of(data)).signed == SignedTicket.decode(data)
    assert office.lines("ticket_approved") == []


def test_a_signature_is_dated_by_the_machine_if_the_store_is_ahead(office: Office) -> None:
    data = office.ticket(not_after=told(NOW + 9 * DAY))
    office.submit(data)
    entry = office.approve(id_of(data), "analyst", at=NOW + 3 * DAY)
    (ours,) = [each for each in entry.signed.signatures if each.key.party == "insurer"]
    assert ours.at < NOW + DAY


# --- how it stands


def test_every_state_is_one_that_is_told(office: Office) -> None:
    data = office.ticket()
    office.submit(data)
    ticket = id_of(data)
    signer = office.people.signers["police", "approver"].fingerprint
    seen = [
        office.state(ticket),
        office.state(ticket, NOW + 2 * DAY),
        office.state(ticket, revoked={ticket}),
    ]
    assert seen == ["waiting", "expired", "revoked"]
    assert office.state(ticket, revoked={signer}) == "revoked"
    assert office.state(ticket, revoked={"other"}) == "waiting"
    for duty in ("analyst", "compliance"):
        office.approve(ticket, duty)
    seen += [office.state(ticket), office.state(ticket, NOW + 2 * DAY)]
    assert seen[3:] == ["approved", "expired"]
    other = office.ticket()
    office.submit(other)
    office.refuse(id_of(other))
    assert office.state(id_of(other), NOW + 2 * DAY) == "refused", "and the reason is still told"
    assert {*seen, "refused"} == {*STATES}


def test_what_people_have_decided_is_there_after_a_restart(
    office: Office, url: str, people: People, tmp_path: Path
) -> None:
    data = office.ticket()
    office.submit(data)
    office.approve(id_of(data), "analyst")
    with closing(Store(url)) as store:
        again = Office(tmp_path, people, store)
        assert again.state(id_of(data)) == "waiting"
        again.approve(id_of(data), "compliance")
    assert office.state(id_of(data)) == "approved"


def test_a_full_inbox_is_no_error_of_the_ticket() -> None:
    assert issubclass(Refusal, PartyError)
    assert not issubclass(Refusal, TicketRefused)
