"""Whether a ticket covers a job: what a node that answers refuses, what one that asks takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest
from people import BODY, DAY, NODES, YEAR, Authority, People, changed

from parties.agreement import Proposed, read_proposal
from parties.answering import answers
from parties.books import Books
from parties.clearance import Clearance, cover, find
from parties.disclosure import Column
from parties.errors import LocalFault, SourceError, TicketRefused
from parties.founding import FILE, found, introduce
from parties.identifiers import domain
from parties.job import Job
from parties.operators import Party
from parties.operators.roles import other
from parties.refusals import Refusal
from parties.runs import Side as Brought
from parties.runs import running
from parties.settings import (
    IdentifierSettings,
    NodeSettings,
    OperatorSettings,
    PeerSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    TicketSettings,
)
from parties.settings_file import load
from parties.standing import standing
from parties.tickets.fields import told
from parties.tickets.revoking import revoke
from parties.tickets.ticket import WAYS
from parties.tickets.trial import file_of
from parties.wire.v1 import job_pb2 as wire
from psi import Side, _core
from psi.errors import ApiMisuse

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
SESSION = "ab" * 16
PERSON = IdentifierSettings("person", "resident_id", (("id",),))
PLATE = IdentifierSettings("plate", "plate", (("plate",),))
SETS = [{"name": each.name, "domain": domain(each)} for each in (PERSON, PLATE)]
CLAIM, AMOUNT, RECORD = (Column(name, "text") for name in ("claim_no", "amount", "record_no"))
ALLOWED: dict[str, Any] = {
    "sets": SETS,
    "ways": ["count", "inquire", "match"],
    "learns": {"insurer": {"columns": ["record_no"]}, "police": {"columns": ["claim_no"]}},
    "max_elements": {"insurer": 1000, "police": 7},
    "normaliser": _core.normaliser_digest().hex(),
    "not_before": told(NOW - DAY),
    "not_after": told(NOW + DAY),
}
MATCH = Job(SESSION, "match", (PERSON, PLATE), we_receive=True, both_learn=True)
COUNT = Job(SESSION, "count", (PLATE,), we_receive=True)
INQUIRE = Job(SESSION, "inquire", (PLATE,), we_receive=True)


class Office(NamedTuple):
    """People who sign, and the files of their authorities.

    Attributes:
        people: certified for a year before and after now.
        folder: of the authorities.
    """

    people: People
    folder: Path

    def ticket(self, signed: Mapping[str, Any] = NOTHING, **changes: Any) -> bytes:
        """A ticket that allows what the nodes of these tests ask, but for what is changed."""
        return self.people.signed(**{"at": NOW - HOUR, **signed}, **(ALLOWED | changes))

    def node(self, role: Party, folder: Path, peer: Mapping[str, Any] = NOTHING) -> Settings:
        """A node whose source is not there: whoever reads a row of it fails."""
        their = NODES[other(role)]
        known = PeerSettings(their, "127.0.0.1:2", their, may=("count", "match", "inquire"))
        known = known._replace(operators=self.folder / f"{other(role)}.pem", **peer)
        return Settings(
            path=folder / FILE,
            node=NodeSettings(NODES[role], role, "127.0.0.1:1", Path("c"), Path("k"), Path("r")),
            source=SourceSettings("csv", (folder / "gone.csv",)),
            identifiers=(PERSON, PLATE),
            peers=(known,),
            operators=OperatorSettings(self.folder / f"{role}.pem"),
            tickets=TicketSettings(folder / "tickets"),
            store=StoreSettings(f"sqlite:///{folder / 'state.db'}"),
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    from cryptography.hazmat.primitives.serialization import Encoding

    valid = {"begin": NOW - YEAR, "end": NOW + YEAR}
    people = People(Authority.new("ours", **valid), Authority.new("theirs", **valid))
    people.signers = {
        (party, duty): people.person(party, duty, duty, **valid)  # type: ignore[arg-type]
        for party, duty in people.signers
    }
    folder = tmp_path_factory.mktemp("authorities")
    for party in NODES:
        data = people.authority(party).certificate.public_bytes(Encoding.PEM)
        (folder / f"{party}.pem").write_bytes(data)
    return Office(people, folder)


@pytest.fixture
def insurer(office: Office, tmp_path: Path) -> Settings:
    return office.node("insurer", tmp_path)


@pytest.fixture
def police(office: Office, tmp_path: Path) -> Settings:
    return office.node("police", tmp_path)


def proposal(insurer: Settings, ticket: bytes, job: Job, columns: tuple[Column, ...]) -> bytes:
    """What a caller says that has not looked at the ticket."""
    ways = {"count": wire.WAY_COUNT, "match": wire.WAY_MATCH, "inquire": wire.WAY_INQUIRE}
    return wire.Proposal(
        standing=standing(insurer, insurer.peers[0], columns),
        way=ways[job.way],
        caller_receives=job.we_receive,
        both_learn=job.both_learn,
        sets=[wire.IdentifierSet(name=each.name, domain=domain(each)) for each in job.sets],
        ticket=ticket,
        inputs=[bytes(32)] * (0 if job.way == "inquire" else len(job.sets)),
    ).SerializeToString()


def heard(police: Settings, said: bytes) -> Proposed:
    """What the answering node makes of a proposal."""
    return read_proposal(police, police.peers[0], SESSION, said)


class Case(NamedTuple):
    """A way in which a ticket is wrong.

    Attributes:
        code: by which it is refused.
        ticket: changes of its entries.
        signed: by whom and when it is signed, as of `People.signed`.
        job: what is asked.
        columns: that the caller would tell.
        node: changes of the answering node.
        peer: changes of what the answering node knows of the caller.
    """

    code: str
    ticket: Mapping[str, Any] = NOTHING
    signed: Mapping[str, Any] = NOTHING
    job: Job = MATCH
    columns: tuple[Column, ...] = (CLAIM,)
    node: Mapping[str, Any] = NOTHING
    peer: Mapping[str, Any] = NOTHING


ONLY_POLICE = {"police": {"columns": ["claim_no"]}}
WRONG = {
    "it has expired": Case("ticket-expired", {"not_after": told(NOW - HOUR / 2)}),
    "it is not valid yet": Case("ticket-early", {"not_before": told(NOW + HOUR)}),
    "it was signed at a time that has not come": Case(
        "ticket-early", signed={"at": NOW + 12 * HOUR}
    ),
    "one who answers for the insurer has not signed": Case(
        "ticket-unsigned", signed={"without": [("insurer", "run", "compliance")]}
    ),
    "one of our own has not signed": Case(
        "ticket-unsigned", signed={"without": [("police", "run", "approver")]}
    ),
    "nobody has signed": Case("ticket-unsigned", signed={"stages": ()}),
    "it is signed for a count, and which are asked": Case(
        "ticket-unsigned", signed={"stages": ("run",)}
    ),
    "one signature for detail is missing": Case(
        "ticket-unsigned", signed={"without": [("insurer", "disclosure", "analyst")]}
    ),
    "the caller is another node than it names": Case("ticket-other-peer", peer={"san": "rival"}),
    "we are another node than it names": Case("ticket-other-peer", node={"name": "province"}),
    "it lacks a set": Case("ticket-other-set", {"sets": SETS[:1]}),
    "it has a set as another kind": Case(
        "ticket-other-set",
        {"sets": [SETS[0], {"name": "plate", "domain": "greenlane/1/composite/plate+text"}]},
    ),
    "it allows a count, and which are asked": Case(
        "ticket-other-way", {"ways": ["count"], "inquiries": 0}
    ),
    "it allows a list, and columns are asked": Case(
        "ticket-other-way", {"ways": ["list"], "inquiries": 0}
    ),
    "it allows matches, and a count is asked": Case(
        "ticket-other-way", {"ways": ["inquire", "match"]}, job=COUNT, columns=()
    ),
    "it allows no inquiry": Case(
        "ticket-other-way", {"ways": ["count"], "inquiries": 0}, job=INQUIRE, columns=()
    ),
    "its protocols are others than the nodes allow": Case(
        "ticket-other-protocol", {"protocols": ["vole-stationary"]}
    ),
    "its protocols do not tell what is asked": Case(
        "ticket-other-protocol", {"protocols": ["vole"]}, job=COUNT, columns=()
    ),
    "it does not let the caller learn": Case(
        "ticket-other-learner",
        {"learns": ONLY_POLICE},
        job=MATCH._replace(both_learn=False),
        columns=(),
    ),
    "it does not let the caller learn a count": Case(
        "ticket-other-learner", {"learns": ONLY_POLICE}, job=COUNT, columns=()
    ),
    "it does not let us learn": Case(
        "ticket-other-learner", {"learns": {"insurer": {"columns": ["record_no"]}}}, columns=()
    ),
    "it does not give us a column that we would get": Case(
        "ticket-other-columns", columns=(CLAIM, AMOUNT)
    ),
    "it was made under other rules for identifiers": Case(
        "ticket-other-normaliser", {"normaliser": "0c" * 32}
    ),
}


@pytest.mark.parametrize("way", WRONG)
def test_a_ticket_that_does_not_cover_the_job_is_refused_by_name(
    office: Office, insurer: Settings, police: Settings, tmp_path: Path, way: str
) -> None:
    case = WRONG[way]
    answering = office.node("police", tmp_path, case.peer)
    answering = answering._replace(node=answering.node._replace(**case.node))
    good, wrong = office.ticket(), office.ticket(case.signed, **case.ticket)
    # The same job under a ticket that holds: so it is the ticket that is refused.
    heard(police, proposal(insurer, good, case.job, tuple(set(case.columns) & {CLAIM})))
    with pytest.raises((TicketRefused, Refusal)) as refused:
        heard(answering, proposal(insurer, wrong, case.job, case.columns))
    assert (refused.value.code, refused.value.exit_code) == (case.code, 7)
    assert list(tmp_path.iterdir()) == [], "nothing was written down or read"


@pytest.mark.parametrize("job", [MATCH, COUNT, INQUIRE], ids=lambda job: job.way)
def test_a_job_without_a_ticket_is_refused(insurer: Settings, police: Settings, job: Job) -> None:
    with pytest.raises(TicketRefused) as refused:
        heard(police, proposal(insurer, b"", job, ()))
    assert refused.value.code == "ticket-missing"


def test_a_ticket_of_which_one_byte_is_another_is_refused(
    office: Office, insurer: Settings, police: Settings
) -> None:
    good = office.ticket()
    codes = set()
    for place in range(0, len(good), 61):
        wrong = bytearray(good)
        wrong[place] ^= 1
        with pytest.raises(TicketRefused) as refused:
            heard(police, proposal(insurer, bytes(wrong), COUNT, ()))
        codes.add(refused.value.code)
    assert {"ticket-malformed", "ticket-forged"} <= codes


def test_what_was_changed_after_it_was_signed_is_refused(
    office: Office, insurer: Settings, police: Settings
) -> None:
    def larger(values: Any) -> None:
        values["ticket"]["max_elements"]["insurer"] += 1

    with pytest.raises(TicketRefused) as refused:
        heard(police, proposal(insurer, changed(office.ticket(), larger), COUNT, ()))
    assert refused.value.code == "ticket-forged"


def test_whoever_is_certified_by_nobody_we_know_signs_nothing(
    office: Office, insurer: Settings, police: Settings
) -> None:
    valid = {"begin": NOW - YEAR, "end": NOW + YEAR}
    by = Authority.new("ours", **valid)  # of the same name
    stranger = office.people.person("insurer", "compliance", "x", by=by, **valid)
    ticket = office.ticket({"instead": {("insurer", "compliance"): stranger}})
    with pytest.raises(TicketRefused) as refused:
        heard(police, proposal(insurer, ticket, COUNT, ()))
    assert refused.value.code == "ticket-forged"


@pytest.mark.parametrize(
    ("what", "code"), [("ticket", "ticket-revoked"), ("signer", "ticket-signer-revoked")]
)
def test_what_was_revoked_here_is_refused_from_then_on(
    office: Office, insurer: Settings, police: Settings, what: str, code: str
) -> None:
    said = proposal(insurer, office.ticket(), COUNT, ())
    heard(police, said)
    approver = office.people.signers["police", "approver"]
    analyst = office.people.signers["insurer", "analyst"]
    gone = BODY["id"] if what == "ticket" else analyst.fingerprint
    revoke(police, gone, "a mistake", approver.key, approver.chain, NOW)
    with pytest.raises(TicketRefused) as refused:
        heard(police, said)
    assert refused.value.code == code


def test_a_count_needs_no_signature_for_detail(
    office: Office, insurer: Settings, police: Settings
) -> None:
    ticket = office.ticket({"stages": ("run",)})
    proposed = heard(police, proposal(insurer, ticket, COUNT, ()))
    assert proposed.clearance.data == ticket
    assert proposed.clearance.verified.ticket.id == BODY["id"]


def test_a_peer_is_the_name_in_its_certificate_and_not_what_we_call_it(
    office: Office, insurer: Settings, tmp_path: Path
) -> None:
    called = office.node("police", tmp_path, {"name": "partner", "san": NODES["insurer"].upper()})
    assert heard(called, proposal(insurer, office.ticket(), COUNT, ())).job.session == SESSION


@pytest.fixture
def books(police: Settings, tmp_path: Path) -> Iterator[Books]:
    """Those of the node that answers."""
    store = StoreSettings(f"sqlite:///{tmp_path}/books.db")
    with closing(Books(police._replace(store=store))) as books:
        yield books


def test_a_set_of_ours_that_the_ticket_does_not_hold_is_never_shown(
    office: Office, insurer: Settings, police: Settings, books: Books
) -> None:
    proposed = heard(police, proposal(insurer, office.ticket(), COUNT, ()))
    bound = ALLOWED["max_elements"]["police"]
    for size in (bound, bound + 1):
        ours = Brought((), (bytes(32),), size)
        run = running(books, police.peers[0], proposed.job, proposed.clearance)
        # What is begun has no end here, and says so.
        with pytest.raises(TicketRefused if size > bound else ApiMisuse) as refused, run as begun:
            begun.bring(ours, proposed.theirs)
        assert getattr(refused.value, "code", "") == ("ticket-too-large" if size > bound else "")
        proposed = proposed._replace(job=proposed.job._replace(session="cd" * 16))


def test_a_column_that_we_would_tell_is_looked_at_before_it_is_said(
    office: Office, insurer: Settings, police: Settings, books: Books
) -> None:
    proposed = heard(
        police, proposal(insurer, office.ticket(ways=["inquire", "match"]), MATCH, (CLAIM,))
    )
    ours = Brought((RECORD, AMOUNT), (bytes(32),), 1)
    run = running(books, police.peers[0], proposed.job, proposed.clearance)
    with pytest.raises(TicketRefused) as refused, run as begun:
        begun.bring(ours, proposed.theirs)
    assert refused.value.code == "ticket-other-columns"


@pytest.mark.parametrize("party", ["insurer", "police"])
def test_a_set_that_is_larger_than_the_ticket_allows_is_not_covered(
    office: Office, tmp_path: Path, party: Party
) -> None:
    settings, ticket = office.node("police", tmp_path), office.ticket()
    bound = ALLOWED["max_elements"][party]

    def covered(size: int) -> Clearance:
        return cover(settings, settings.peers[0], COUNT, ticket, NOW, sizes={party: size})

    assert covered(bound).most(party) == bound
    with pytest.raises(TicketRefused) as refused:
        covered(bound + 1)
    assert refused.value.code == "ticket-too-large"


def test_the_node_reads_its_rows_only_under_a_ticket(tmp_path: Path) -> None:
    one = found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    two = found(tmp_path / "police", "police", "police", "127.0.0.1:2")
    introduce(one, two)
    insurer, police = load(one), load(two)
    (tmp_path / "police/records.csv").unlink()
    job = COUNT._replace(sets=insurer.sets(["plate"]))
    ticket = (insurer.tickets.folder / file_of("count", "police")).read_bytes()

    def answered(said: bytes) -> None:
        side = Side(answers(police)("insurer", SESSION))
        side.start()
        side.hear(said)

    with pytest.raises(TicketRefused) as refused:
        answered(proposal(insurer, b"", job, ()))
    assert refused.value.code == "ticket-missing"
    with pytest.raises(SourceError):
        answered(proposal(insurer, ticket, job, ()))


# --- which ticket is taken by the node that asks


def put(settings: Settings, name: str, ticket: bytes) -> Path:
    path = settings.tickets.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(ticket)
    return path


def chosen(settings: Settings, path: Path | None = None, job: Job = COUNT) -> Clearance:
    return find(settings, settings.peers[0], job, NOW, path=path)


def refusal(settings: Settings, path: Path | None = None, job: Job = COUNT) -> TicketRefused:
    with pytest.raises(TicketRefused) as refused:
        chosen(settings, path, job)
    return refused.value


@pytest.mark.parametrize("there", [True, False])
def test_without_any_ticket_one_is_to_be_drafted(insurer: Settings, there: bool) -> None:
    if there:
        insurer.tickets.folder.mkdir()
    error = refusal(insurer)
    assert error.code == "ticket-missing"
    assert str(error) == (
        f"no ticket in {insurer.tickets.folder} covers this (there is none): "
        "greenlane ticket draft makes one"
    )


def test_the_only_ticket_is_taken(office: Office, insurer: Settings) -> None:
    ticket = office.ticket()
    put(insurer, "t.json", ticket)
    assert chosen(insurer).data == ticket


def test_of_several_that_cover_the_job_somebody_must_name_one(
    office: Office, insurer: Settings
) -> None:
    good = office.ticket()
    put(insurer, "a.json", good)
    path = put(insurer, "b.json", office.ticket(case="2026-12", id="0f" * 16))
    error = refusal(insurer)
    assert error.code == "ticket-missing"
    assert str(error) == f"2 tickets in {insurer.tickets.folder} cover this: name one by --ticket"
    assert chosen(insurer, path).verified.ticket.case == "2026-12"


def test_one_that_covers_the_job_is_taken_whatever_lies_beside_it(
    office: Office, insurer: Settings
) -> None:
    good = office.ticket()
    put(insurer, "b.json", good)
    put(insurer, "a.json", office.ticket(not_after=told(NOW - HOUR / 2)))
    put(insurer, "c.json", office.ticket(ways=["match"], inquiries=0))
    put(insurer, "d.json", office.ticket({"stages": ()}))
    put(insurer, "e.json", b"no ticket")
    put(insurer, "notes.txt", b"nothing")
    (insurer.tickets.folder / "revoked").mkdir()
    assert chosen(insurer).data == good


def test_if_the_only_ticket_does_not_cover_the_job_it_says_why(
    office: Office, insurer: Settings
) -> None:
    put(insurer, "a.json", office.ticket(not_after=told(NOW - HOUR / 2)))
    assert refusal(insurer).code == "ticket-expired"


def test_if_none_of_several_covers_the_job_it_is_counted_why_not(
    office: Office, insurer: Settings
) -> None:
    put(insurer, "a.json", office.ticket(not_after=told(NOW - HOUR / 2)))
    for name in ("b.json", "c.json"):
        put(insurer, name, office.ticket(ways=["match"], inquiries=0))
    error = refusal(insurer)
    assert error.code == "ticket-missing"
    assert "(1 ticket-expired, 2 ticket-other-way)" in str(error)


def test_a_file_that_was_named_is_taken_or_says_why_not(
    office: Office, insurer: Settings, tmp_path: Path
) -> None:
    put(insurer, "a.json", office.ticket())
    named = tmp_path / "mine.ticket"
    named.write_bytes(office.ticket(ways=["match"], inquiries=0))
    assert refusal(insurer, named).code == "ticket-other-way"
    assert chosen(insurer, named, MATCH).data == named.read_bytes()
    with pytest.raises(LocalFault, match="the ticket cannot be read"):
        chosen(insurer, tmp_path / "none.json")


def test_a_column_of_ours_that_the_ticket_does_not_give_is_not_asked_with(
    office: Office, insurer: Settings
) -> None:
    put(insurer, "a.json", office.ticket())
    peer = insurer.peers[0]
    assert find(insurer, peer, MATCH, NOW, ours=(CLAIM,))
    with pytest.raises(TicketRefused) as refused:
        find(insurer, peer, MATCH, NOW, ours=(CLAIM, AMOUNT))
    assert refused.value.code == "ticket-other-columns"


# --- the ticket of a first try


def test_nodes_that_are_introduced_have_a_ticket_for_each_way(tmp_path: Path) -> None:
    one = found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:1")
    two = found(tmp_path / "police", "police", "police", "127.0.0.1:2")
    introduce(one, two)
    now = datetime.now(UTC)
    tickets = set()
    for settings in (load(one), load(two)):
        for job in (MATCH, COUNT, INQUIRE):
            asked = job._replace(sets=settings.identifiers)
            tickets.add(find(settings, settings.peers[0], asked, now).data)
        names = {each.name for each in settings.tickets.folder.iterdir()}
        assert names == {file_of(way, settings.peers[0].name) for way in WAYS}
    assert len(tickets) == 3, "one for each way, and the same on both nodes"
    said = next(each for each in map(json.loads, tickets) if each["ticket"]["ways"] == ["match"])
    assert said["ticket"]["purpose"] == "a first try, with made-up rows"
    assert said["ticket"]["learns"] == {
        "insurer": {"columns": ["record_no", "record_type"]},
        "police": {"columns": ["amount", "claim_no"]},
    }
    keys = [path for path in tmp_path.rglob("*.key") if path.parent.name != "tls"]
    assert keys == [], "the keys that have signed it are nowhere"
