"""Every way in which a ticket can be wrong, in one table, between two nodes on the loopback.

The insurer asks and does not look at its ticket; the police node holds the data. For each way: it
is the holder that refuses, by the name in the table; it has read no row, hashed no element, run no
protocol and counted nothing, but where the table says otherwise; and the audit logs of both nodes
have the refusal, with one session. And where the asker can know, it refuses itself, if it looks.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pytest
from people import BODY, DAY, NODES, YEAR, Authority, People, forged

from parties import (
    agreement,
    answering,
    asking,
    clearance,
    inquiries,
    inquiring,
    inquiry_books,
    receipting,
    runs,
)
from parties.answering import answers
from parties.asking import Question, ask
from parties.audit.showing import lines_of
from parties.channel import Ended, Identity, Node
from parties.clearance import Clearance
from parties.errors import PartyError, PeerRefused, TicketRefused
from parties.founding import FILE, found, introduce
from parties.identifiers import domain
from parties.inquiring import inquire
from parties.operators import Party
from parties.preparing import prepare
from parties.settings import OperatorSettings, Settings, StoreSettings, TicketSettings, Way
from parties.settings_file import load
from parties.sources import ArrowSource
from parties.store import Store
from parties.tickets.fields import told
from parties.tickets.revoking import revoke
from psi import Meter, _core

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
SESSION = "ab" * 16
PLATES = ["浙A12345", "粤B00001", "京C99999"]
RECORDS = "record_no,record_type,id_no,plate,vin,phone\nr1,a,,浙A12345,,\nr2,b,,沪D11111,,\n"
LOGGED = ("audit", "clock", "alembic", "sqlite", "noted", "refusals", "ticket_ends")
LOGGED += ("ticket_packs",)
"""Tables of the log, of what was noted of tickets or refused, of the clock; all others count."""
VALID = {"begin": NOW - YEAR, "end": NOW + YEAR}


class House(NamedTuple):
    """Two nodes as they were founded, and the people of both sides.

    Attributes:
        settings: of each.
        people: who sign.
        folder: of the authorities of people.
    """

    settings: Mapping[Party, Settings]
    people: People
    folder: Path

    def ticket(self, signed: Mapping[str, Any] = NOTHING, **changes: Any) -> bytes:
        """A ticket that allows all that is asked here, but for what is changed."""
        plate = next(s for s in self.settings["police"].identifiers if s.name == "plate")
        allowed: dict[str, Any] = {
            "sets": [{"name": "plate", "domain": domain(plate)}],
            "ways": ["count", "inquire", "match"],
            "learns": {"insurer": {"columns": ["record_no", "record_type"]}},
            "floor": 0,
            "protocols": ["dh", "vole"],
            "normaliser": _core.normaliser_digest().hex(),
            "not_before": told(NOW - DAY),
            "not_after": told(NOW + DAY),
        }
        allowed |= changes
        if "inquiries" not in changes:
            allowed["inquiries"] = 9 if "inquire" in allowed["ways"] else 0
        return self.people.signed(**{"at": NOW - HOUR, **signed}, **allowed)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    from cryptography.hazmat.primitives.serialization import Encoding

    folder = tmp_path_factory.mktemp("house")
    parties: tuple[Party, ...] = ("insurer", "police")
    for party in parties:
        found(folder / party, party, NODES[party], "127.0.0.1:1")
    introduce(folder / "insurer" / FILE, folder / "police" / FILE)
    people = People(Authority.new("ours", **VALID), Authority.new("theirs", **VALID))
    people.signers = {
        (party, duty): people.person(party, duty, duty, **VALID)  # type: ignore[arg-type]
        for party, duty in people.signers
    }
    for party in parties:
        data = people.authority(party).certificate.public_bytes(Encoding.PEM)
        (folder / f"{party}.pem").write_bytes(data)
    return House({party: load(folder / party / FILE) for party in parties}, people, folder)


class Nodes:
    """Both nodes for one test: state and files of their own.

    Attributes:
        careless: whether the insurer takes any ticket that it is told to take.
        plates: with which it asks.
        prepared: how often the police node has read its rows.
        ran: how often it has run a protocol.
        ends: of the calls that it took.
    """

    def __init__(self, house: House, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.house, self.folder = house, folder
        self.careless, self.plates = True, list(PLATES)
        self.prepared = self.ran = 0
        self.ends: list[Ended] = []
        self.changes: dict[str, Any] = {}
        for party in NODES:
            (folder / party / "tickets").mkdir(parents=True)
            (folder / party / "results").mkdir()
        self.records = folder / "police/records.csv"
        self.records.write_text(RECORDS, encoding="utf-8")
        self._patch(patch)

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        honest = clearance.cover

        def cover(
            settings: Settings, peer: Any, job: Any, data: bytes, *rest: Any, **known: Any
        ) -> Any:
            try:
                return honest(settings, peer, job, data, *rest, **known)
            except TicketRefused:
                if self.careless and settings.node.role == "insurer":
                    return Clearance(data, self._verified(honest))
                raise

        for module in (clearance, agreement, answering, inquiries, inquiring, inquiry_books, runs):
            patch.setattr(module, "cover", cover)
        read, run = answering.prepare, answering.run

        def prepared(*arguments: Any, **options: Any) -> Any:
            self.prepared += 1
            return read(*arguments, **options)

        def ran(*arguments: Any, **options: Any) -> Any:
            self.ran += 1
            return run(*arguments, **options)

        patch.setattr(answering, "prepare", prepared)
        patch.setattr(answering, "run", ran)

    def _verified(self, cover: Any) -> Any:
        settings = self.settings("police")
        job = asking.Job(SESSION, "count", settings.sets(("plate",)), we_receive=False)
        return cover(settings, settings.peers[0], job, self.house.ticket(), NOW).verified

    def settings(self, party: Party) -> Settings:
        settings, folder = self.house.settings[party], self.folder / party
        other = "police" if party == "insurer" else "insurer"
        peer = settings.peers[0]._replace(
            operators=self.house.folder / f"{other}.pem",
            may=("count", "inquire", "match"),
        )
        node = settings.node._replace(results=folder / "results", log=None)
        return settings._replace(
            node=node._replace(**self.changes.get("node", {})) if party == "police" else node,
            source=settings.source._replace(paths=(self.records,)),
            peers=(peer,),
            operators=OperatorSettings(self.house.folder / f"{party}.pem"),
            tables=settings.tables._replace(folder=folder / "tables"),
            tickets=TicketSettings(folder / "tickets"),
            store=StoreSettings(f"sqlite:///{folder / 'state.db'}"),
        )

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Runs the police node; gives its port."""
        settings = self.settings("police")
        identity = Identity(settings.node.certificate, settings.node.key)
        answer = answers(settings)
        node = Node(
            "127.0.0.1:0",
            identity,
            settings.peers,
            answer,
            at_once=answer.at_once,
            on_end=self.ends.append,
        )
        port = node.start()
        try:
            yield port
        finally:
            node.stop(0)

    def ask(self, port: int, ticket: bytes, way: Way = "count") -> Any:
        """Asks under a ticket."""
        settings = self.settings("insurer")
        peer = settings.peers[0]._replace(address=f"127.0.0.1:{port}")
        path = settings.tickets.folder / "ticket.json"
        path.write_bytes(ticket)
        settings = settings._replace(peers=(peer,))
        if way == "inquire":
            return inquire(settings, peer.name, {"plate": self.plates}, Meter(), path)
        question = Question(way, peer.name, ("plate",), protocol="dh", ticket=path)
        rows = {"claim_no": self.plates, "amount": self.plates, "plate": self.plates}
        source = ArrowSource(pa.table(rows), "claims")
        return ask(settings, question, Meter(), source)

    def counted(self) -> dict[str, list[Any]]:
        """All that the store of the police node has, but for its log and its clock."""
        path = self.folder / "police/state.db"
        if not path.exists():
            return {}
        with closing(sqlite3.connect(path)) as store:
            names = [
                name
                for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return {
                name: rows
                for name in names
                if not name.startswith(LOGGED)
                and (rows := store.execute(f"SELECT * FROM {name}").fetchall())
            }

    def logged(self, party: Party, *events: str) -> list[Any]:
        """Lines of a node's audit log: event, peer, session, code."""
        with closing(Store(self.settings(party).store.url)) as store, store.reading() as connection:
            lines = list(lines_of(connection, events=events))
        names = ("peer", "session", "code")
        return [(line["event"], *(line["facts"].get(name) for name in names)) for line in lines]


class Case(NamedTuple):
    """A way in which a ticket is wrong.

    Attributes:
        code: by which it is refused.
        ticket: changes of its entries.
        signed: by whom and when it is signed, as of `People.signed`.
        way: in which is asked.
        before: what happens before it is asked, while the node runs.
        made: the bytes of the ticket, if they are more than changes.
        changes: of the police node.
        inquired: whether an inquiry is refused by the same; else it is of matches alone, or is seen
            only by who has prepared tables.
        seen: whether an asker that looks sees it too.
        opens: whether the holder must know which columns it has to see it.
        reads: whether it must know its rows.
        begun: whether the run was charged when it is seen: what a node refuses after it has begun
            to look at what it holds may tell of that.
    """

    code: str
    ticket: Mapping[str, Any] = NOTHING
    signed: Mapping[str, Any] = NOTHING
    way: Way = "count"
    before: Callable[[Nodes, int, bytes], None] | None = None
    made: Callable[[House], bytes] | None = None
    changes: Mapping[str, Any] = NOTHING
    inquired: bool = True
    seen: bool = True
    opens: bool = False
    reads: bool = False
    begun: bool = False


def one_person(house: House) -> bytes:
    """The police's investigator signs as their approver too, with a certificate for that."""
    key = house.people.signers["police", "investigator"].key
    again = house.people.person("police", "approver", "investigator", key=key, **VALID)  # type: ignore[arg-type]
    ticket = house.ticket()
    for stage in ("run", "disclosure"):
        ticket = forged(ticket, ("police", stage, "approver"), again, NOW - HOUR, "A-17")
    return ticket


def same_person_other_key(house: House) -> bytes:
    again = house.people.person("police", "approver", "investigator", **VALID)  # type: ignore[arg-type]
    ticket = house.ticket()
    for stage in ("run", "disclosure"):
        ticket = forged(ticket, ("police", stage, "approver"), again, NOW - HOUR, "A-17")
    return ticket


def by_a_stranger(house: House) -> bytes:
    by = Authority.new("theirs", **VALID)
    stranger = house.people.person("police", "approver", "approver", by=by, **VALID)  # type: ignore[arg-type]
    return house.ticket({"instead": {("police", "approver"): stranger}})


def for_another(party: Party) -> Callable[[House], bytes]:
    """A ticket that is good between one of the two and a third node."""

    def made(house: House) -> bytes:
        theirs = {
            (party, duty): house.people.person(
                party,
                duty,
                duty,
                name=f"urn:greenlane:operator:third:{duty}:{duty}",
                **VALID,  # type: ignore[arg-type]
            )
            for whose, duty in house.people.signers
            if whose == party
        }
        return house.ticket({"instead": theirs}, **{party: "third"})

    return made


def revoked(*whom: str) -> Callable[[Nodes, int, bytes], None]:
    """The police's approver revokes the ticket, or somebody's certificate."""

    def before(nodes: Nodes, _: int, __: bytes) -> None:
        people = nodes.house.people
        approver = people.signers["police", "approver"]
        gone = people.signers[whom].fingerprint if whom else BODY["id"]  # type: ignore[index]
        settings = nodes.settings("police")
        revoke(settings, gone, "a mistake", approver.key, approver.chain, NOW)

    return before


def once(nodes: Nodes, port: int, ticket: bytes) -> None:
    """It is asked once, and answered."""
    assert nodes.ask(port, ticket).sets[0].matches == 1


def once_with_others(nodes: Nodes, port: int, ticket: bytes) -> None:
    """It is counted, and then another set is asked with."""
    once(nodes, port, ticket)
    nodes.plates[-1] = "湘E22222"


def with_a_table(nodes: Nodes, _: int, __: bytes) -> None:
    """The holder has prepared a table."""
    prepare(nodes.settings("police"), NODES["insurer"], ["plate"], None, Meter(), whole=False)


def inquired_once(nodes: Nodes, port: int, ticket: bytes) -> None:
    """It is inquired once, about three identifiers, and answered."""
    with_a_table(nodes, port, ticket)
    told = nodes.ask(port, ticket, "inquire").told
    assert [each.records for each in told] == [1, 0, 0]


def many(nodes: Nodes, _: int, __: bytes) -> None:
    """The asker has more than the smallest size class."""
    nodes.plates = [f"浙A{number:05}" for number in range(100)]


WRONG = {
    "it has expired": Case("ticket-expired", {"not_after": told(NOW - HOUR / 2)}),
    "it is not valid yet": Case("ticket-early", {"not_before": told(NOW + HOUR)}),
    "it was signed at a time that has not come": Case(
        "ticket-early", signed={"at": NOW + 12 * HOUR}
    ),
    "there is none": Case("ticket-missing", made=lambda _: b"", seen=False),
    "it was changed after it was signed": Case(
        "ticket-forged", made=lambda house: house.ticket().replace(b'"2026-11"', b'"2026-12"')
    ),
    "it is cut off": Case("ticket-malformed", made=lambda house: house.ticket()[:-1]),
    "one of the insurer has signed, not two": Case(
        "ticket-unsigned", signed={"without": [("insurer", "run", "compliance")]}
    ),
    "one of the police has signed, not two": Case(
        "ticket-unsigned", signed={"without": [("police", "run", "approver")]}
    ),
    "nobody has signed": Case("ticket-unsigned", signed={"stages": ()}),
    "it is signed for a run, and detail is asked": Case(
        "ticket-unsigned", signed={"stages": ("run",)}, way="match", ticket={"ways": ["match"]}
    ),
    "one person has signed twice, with one key": Case("ticket-one-person", made=one_person),
    "one person has signed twice, with two keys": Case(
        "ticket-one-person", made=same_person_other_key
    ),
    "somebody has signed whom nobody certified": Case("ticket-forged", made=by_a_stranger),
    "a key that signed it was revoked": Case(
        "ticket-signer-revoked", before=revoked("insurer", "analyst"), seen=False
    ),
    "it was revoked": Case("ticket-revoked", before=revoked(), seen=False),
    "it is for another insurer": Case("ticket-other-peer", made=for_another("insurer")),
    "it is for another police": Case("ticket-other-peer", made=for_another("police")),
    "the caller is another node than it names": Case(
        "ticket-other-peer", changes={"node": {"name": "province"}}, seen=False
    ),
    "it is for another set": Case(
        "ticket-other-set", {"sets": [{"name": "person", "domain": "greenlane/1/resident_id"}]}
    ),
    "it is for another kind": Case(
        "ticket-other-set",
        {"sets": [{"name": "plate", "domain": "greenlane/1/composite/plate+text"}]},
    ),
    "it is for another profile": Case(
        "ticket-other-protocol", {"protocols": ["vole-stationary"]}, inquired=False
    ),
    "its profile tells no count": Case(
        "ticket-other-protocol", {"protocols": ["vole"]}, inquired=False
    ),
    "it is for another way": Case("ticket-other-way", {"ways": ["match"]}),
    "it is for another learner": Case(
        "ticket-other-learner", {"learns": {"police": {"columns": ["claim_no"]}}}
    ),
    "it gives fewer columns": Case(
        "ticket-other-columns",
        {"learns": {"insurer": {"columns": ["record_no"]}}, "ways": ["match"]},
        way="match",
        seen=False,
        opens=True,
        begun=True,
    ),
    "it is spent": Case("ticket-spent", {"runs": 1}, before=once, inquired=False, seen=False),
    "it is replayed": Case("replayed", before=once, inquired=False, seen=False),
    "a stage comes before": Case("ticket-stage", way="match", seen=False),
    "another set than was counted is brought": Case(
        "ticket-other-input",
        way="match",
        before=once_with_others,
        seen=False,
        reads=True,
        begun=True,
    ),
    "the asker's set is larger": Case(
        "ticket-too-large",
        {"max_elements": {"insurer": 2, "police": 9}},
        before=many,
        inquired=False,
        seen=False,
        reads=True,
        begun=True,
    ),
    "the holder's set is larger": Case(
        "ticket-too-large",
        {"max_elements": {"insurer": 9, "police": 1}},
        inquired=False,
        seen=False,
        reads=True,
        begun=True,
    ),
    "its inquiries are spent": Case(
        "ticket-spent", {"inquiries": 4}, way="inquire", before=inquired_once, seen=False
    ),
    "an inquiry is replayed": Case("replayed", way="inquire", before=inquired_once, seen=False),
    "more are inquired than a set may have": Case(
        "ticket-too-large",
        {"max_elements": {"insurer": 2, "police": 9}},
        way="inquire",
        before=with_a_table,
        seen=False,
    ),
    "it was made under another normaliser": Case(
        "ticket-other-normaliser", {"normaliser": "0c" * 32}
    ),
}


@pytest.fixture
def nodes(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passphrase: None) -> Nodes:
    # Receipts of inquiries have sessions of their own.
    monkeypatch.setattr(receipting, "secrets", SimpleNamespace(token_hex=secrets.token_hex))
    monkeypatch.setattr(asking.secrets, "token_hex", lambda _: SESSION)
    return Nodes(house, tmp_path, monkeypatch)


def ticket_of(house: House, case: Case) -> bytes:
    return case.made(house) if case.made else house.ticket(case.signed, **case.ticket)


ASKED = [(wrong, case.way) for wrong, case in WRONG.items()]
ASKED += [
    (wrong, "inquire") for wrong, case in WRONG.items() if case.way == "count" and case.inquired
]


@pytest.mark.parametrize(("wrong", "way"), ASKED)
def test_the_holder_refuses_by_name_computes_nothing_and_both_logs_say_so(
    nodes: Nodes, house: House, monkeypatch: pytest.MonkeyPatch, wrong: str, way: Way
) -> None:
    case = WRONG[wrong]
    nodes.changes = dict(case.changes)
    ticket = ticket_of(house, case)
    with nodes.serving() as port:
        if case.before:
            case.before(nodes, port, ticket)
        counted, before = nodes.counted(), (nodes.prepared, nodes.ran, len(nodes.ends))
        if case.code != "replayed":
            monkeypatch.setattr(asking.secrets, "token_hex", lambda _: "cd" * 16)
        if not case.reads and not case.opens:
            nodes.records.unlink()  # whoever reads it now fails
        with pytest.raises(PeerRefused) as refused:
            nodes.ask(port, ticket, way)
    assert (refused.value.code, refused.value.exit_code) == (case.code, PeerRefused.exit_code)
    assert [end.code for end in nodes.ends[before[2] :]] == [case.code], "it is the holder's word"
    assert nodes.prepared - before[0] == case.reads
    assert nodes.ran == before[1], "no protocol was run"
    assert (nodes.counted() == counted) == (not case.begun)
    assert list((nodes.folder / "police/results").iterdir()) == []
    session = SESSION if case.code == "replayed" else "cd" * 16
    for party, other in (("insurer", "police"), ("police", "insurer")):
        lines = nodes.logged(party, "job_refused")  # type: ignore[arg-type]
        assert lines == [("job_refused", NODES[other], session, case.code)]  # type: ignore[index]


@pytest.mark.parametrize(("wrong", "way"), [each for each in ASKED if WRONG[each[0]].seen])
def test_an_asker_that_looks_refuses_itself_and_calls_nobody(
    nodes: Nodes, house: House, wrong: str, way: Way
) -> None:
    case = WRONG[wrong]
    nodes.careless, ticket = False, ticket_of(house, case)
    with nodes.serving() as port, pytest.raises(TicketRefused) as refused:
        nodes.ask(port, ticket, way)
    assert refused.value.code == case.code
    assert nodes.ends == []
    assert nodes.logged("insurer", "job_refused") == [
        ("job_refused", NODES["police"], SESSION, case.code)
    ]


def test_the_ticket_that_is_changed_in_the_table_holds(nodes: Nodes, house: House) -> None:
    """And so it is what was changed that is refused."""
    nodes.careless = False
    with nodes.serving() as port:
        assert nodes.ask(port, house.ticket()).sets[0].matches == 1
    assert nodes.counted() != {}
    assert nodes.logged("police", "job_refused") == []


PARTS = 24


def test_a_byte_that_is_altered_anywhere_is_refused_by_the_holder(
    nodes: Nodes, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = house.ticket()
    nodes.records.unlink()
    step = len(good) // PARTS
    with nodes.serving() as port:
        for number, place in enumerate(range(step // 2, len(good), step)):
            monkeypatch.setattr(asking.secrets, "token_hex", lambda _, n=number: f"{n:032x}")
            with pytest.raises(PeerRefused) as refused:
                nodes.ask(port, altered(good, place))
            assert refused.value.code in ("ticket-malformed", "ticket-forged"), place
    assert (nodes.prepared, nodes.ran, nodes.counted()) == (0, 0, {})
    ours, theirs = (nodes.logged(party, "job_refused") for party in ("insurer", "police"))
    assert len(ours) >= PARTS
    assert [line[2:] for line in ours] == [line[2:] for line in theirs]


def test_every_byte_of_a_ticket_counts(nodes: Nodes, house: House) -> None:
    """One bit of each byte, by what the holder looks at; a byte in seven, and all of the ticket."""
    good, settings = house.ticket(), nodes.settings("police")
    job = asking.Job(SESSION, "count", settings.sets(("plate",)), we_receive=False)
    peer = settings.peers[0]
    said = good.index(b'"ticket":')
    for place in sorted({*range(0, said, 7), *range(said, len(good))}):
        with pytest.raises(PartyError) as refused:
            clearance.cover(settings, peer, job, altered(good, place), NOW)
        assert isinstance(refused.value, TicketRefused), place


def altered(ticket: bytes, place: int) -> bytes:
    changed = bytearray(ticket)
    changed[place] ^= 1
    return bytes(changed)
