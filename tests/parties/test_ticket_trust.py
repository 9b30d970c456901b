"""Whom a node believes about tickets, what was revoked there, and what it drafts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from parties import canonical
from parties.checking import check
from parties.errors import CertificateError, LocalFault, PartyError, SettingsError, TicketRefused
from parties.founding import FILE, found, introduce
from parties.operators import keys as operator_keys
from parties.operators import read_operator_file
from parties.operators.issuing import issue_operator
from parties.operators.keys import read_operator_key
from parties.operators.papers import CERTIFICATE, KEY
from parties.settings import Settings
from parties.settings_file import load
from parties.tickets import SignedTicket, Ticket, peer_of, revoked, trust_in, verify
from parties.tickets.drafting import MOST_DAYS, Wish, draft
from parties.tickets.revocations import FOLDER
from parties.tickets.revoking import Revocation, revoke
from parties.tickets.signing import sign
from parties.tickets.ticket import LONGEST_VALID
from psi import _core

WORDS = "correct horse battery"
NOW = datetime.now(UTC).replace(microsecond=0)
WISH = Wish("purpose", "law", "case", ("count", "match"), 5, get=("claim_no",))
DUTIES = [
    ("insurer", "analyst"),
    ("insurer", "compliance"),
    ("police", "investigator"),
    ("police", "approver"),
]


class Signs(NamedTuple):
    """What an operator signs with."""

    key: Any
    chain: Any

    @property
    def fingerprint(self) -> str:
        from parties.operators import operator_of

        return operator_of(self.chain[0]).fingerprint


class Office(NamedTuple):
    """Two nodes that know each other, and the four people who sign."""

    folder: Path

    def settings(self, party: str) -> Settings:
        return load(self.folder / party / FILE)

    def signs(self, duty: str) -> Signs:
        folder = self.folder / "people" / duty
        _, chain = read_operator_file(folder / CERTIFICATE)
        return Signs(read_operator_key(folder / KEY, WORDS), chain)

    def signed(self) -> bytes:
        police = self.settings("police")
        signed = SignedTicket(draft(police, police.peer("insurer"), WISH, NOW))
        for _, duty in DUTIES:
            person = self.signs(duty)
            number = "A-17" if duty == "approver" else ""
            signed = sign(signed, "run", person.key, person.chain, NOW, number)
        return signed.encode()

    def verify(self, party: str, data: bytes) -> Ticket:
        settings = self.settings(party)
        peer = peer_of(settings, SignedTicket.decode(data).ticket)
        return verify(data, trust_in(settings, peer), NOW, revoked(settings)).ticket


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("office")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator_keys, "ROUNDS", 1000)
        one = found(folder / "insurer", "insurer", "insurer", "127.0.0.1:1")
        other = found(folder / "police", "police", "police", "127.0.0.1:2")
        introduce(one, other)
        for party, duty in DUTIES:
            settings = load(folder / party / FILE)
            issue_operator(settings, f"p-{duty}", duty, folder / "people" / duty, WORDS)  # type: ignore[arg-type]
    return Office(folder)


@pytest.fixture
def office(founded: Office, tmp_path: Path) -> Office:
    shutil.copytree(founded.folder, tmp_path / "office")
    return Office(tmp_path / "office")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


# --- trust


def test_two_new_nodes_take_each_others_tickets(office: Office) -> None:
    data = office.signed()
    tickets = [office.verify(party, data) for party in ("insurer", "police")]
    assert tickets[0] == tickets[1]
    for party in ("insurer", "police"):
        assert {each.level for each in check(office.settings(party))} == {"fine"}


def test_a_peers_operators_may_have_an_authority_of_their_own(office: Office) -> None:
    data = office.signed()
    settings = office.settings("insurer")
    own = settings.operators.authority
    assert own is not None
    peer = settings.peer("police")._replace(operators=own)
    with pytest.raises(TicketRefused, match="police's approver") as refused:
        verify(data, trust_in(settings, peer), NOW, ())
    assert refused.value.code == "ticket-forged"
    pinned = peer._replace(operators=peer.ca, ca=None, certificate=Path("node.pem"))
    assert verify(data, trust_in(settings, pinned), NOW, ())


def test_without_an_authority_no_ticket_is_taken(office: Office) -> None:
    settings = office.settings("insurer")
    peer = settings.peer("police")
    bare = peer._replace(ca=None, fingerprint="sha256:" + "00" * 32)
    with pytest.raises(SettingsError, match=r"\[peers.police\] lacks operators"):
        trust_in(settings, bare)
    nobody = settings._replace(operators=settings.operators._replace(authority=None))
    with pytest.raises(SettingsError, match=r"\[operators\] lacks authority"):
        trust_in(nobody, peer)
    for changed, level, where in (
        (nobody, "wrong", "operators.authority"),
        (settings._replace(peers=(bare,)), "doubt", "peers.police.operators"),
    ):
        assert (level, where) in {(each.level, each.where) for each in check(changed)}


def test_an_authority_that_is_none_is_named(office: Office) -> None:
    settings = office.settings("insurer")
    node = settings.operators._replace(authority=settings.node.certificate)
    with pytest.raises(CertificateError, match=rf"{settings.node.certificate} holds a cert"):
        trust_in(settings._replace(operators=node), settings.peer("police"))
    gone = settings.operators._replace(authority=office.folder / "gone.pem")
    for changed in (node, gone):
        levels = {(f.level, f.where) for f in check(settings._replace(operators=changed))}
        assert ("wrong", "operators.authority") in levels


def test_a_new_authority_counts_when_its_file_has_changed(office: Office) -> None:
    data = office.signed()
    assert office.verify("insurer", data)
    settings = office.settings("insurer")
    ca, own = settings.peer("police").ca, settings.operators.authority
    assert ca is not None
    assert own is not None
    both = ca.read_bytes()
    ca.write_bytes(own.read_bytes())
    with pytest.raises(TicketRefused):
        office.verify("insurer", data)
    ca.write_bytes(own.read_bytes() + both)
    assert office.verify("insurer", data)


def test_a_ticket_of_others_has_no_peer_here(office: Office) -> None:
    ticket = SignedTicket.decode(office.signed()).ticket
    settings = office.settings("insurer")
    assert peer_of(settings, ticket).name == "police"
    for other in (ticket._replace(insurer="other"), ticket._replace(police="other")):
        with pytest.raises(TicketRefused) as refused:
            peer_of(settings, other)
        assert refused.value.code == "ticket-other-peer"


# --- revoking


def revoking(office: Office, party: str, duty: str, what: str, **options: Any) -> Path:
    person = office.signs(duty)
    values = {"reason": "left the force", "at": NOW, "key": person.key} | options
    return revoke(
        office.settings(party), what, values["reason"], values["key"], person.chain, values["at"]
    )


def test_a_revoked_ticket_is_refused_by_the_node_that_revoked_it(office: Office) -> None:
    data = office.signed()
    ticket = office.verify("insurer", data)
    path = revoking(office, "insurer", "compliance", ticket.id)
    assert path.name == f"{ticket.id}.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert revoked(office.settings("insurer")) == {ticket.id}
    with pytest.raises(TicketRefused) as refused:
        office.verify("insurer", data)
    assert refused.value.code == "ticket-revoked"
    assert office.verify("police", data) == ticket
    assert revoking(office, "insurer", "compliance", ticket.id) == path, "once more is fine"


@pytest.mark.parametrize("duty", [duty for _, duty in DUTIES])
def test_a_revoked_signer_has_signed_nothing(office: Office, duty: str) -> None:
    data = office.signed()
    fingerprint = office.signs(duty).fingerprint
    revoking(office, "police", "approver", fingerprint)
    assert revoked(office.settings("police")) == {fingerprint}
    with pytest.raises(TicketRefused, match=duty) as refused:
        office.verify("police", data)
    assert refused.value.code == "ticket-signer-revoked"


@pytest.mark.parametrize(
    ("party", "duty", "what", "options", "why"),
    [
        ("police", "investigator", "00" * 16, {}, "only approver of police revokes"),
        ("insurer", "analyst", "00" * 16, {}, "only compliance of insurer revokes"),
        ("insurer", "approver", "00" * 16, {}, "not issued by an authority that is pinned"),
        ("police", "approver", "00" * 15, {}, "what is revoked is a ticket's id"),
        ("police", "approver", "../" * 10 + "00", {}, "what is revoked is a ticket's id"),
        ("police", "approver", "SHA256:" + "00" * 32, {}, "what is revoked is a ticket's id"),
        ("police", "approver", "00" * 16, {"reason": ""}, "reason of the revocation"),
        ("police", "approver", "00" * 16, {"reason": "x" * 1001}, "reason of the revocation"),
        ("police", "approver", "00" * 16, {"at": NOW + timedelta(days=400)}, "had expired"),
    ],
)
def test_nobody_else_revokes_and_nothing_else(
    office: Office, party: str, duty: str, what: str, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(PartyError, match=why):
        revoking(office, party, duty, what, **options)
    assert not (office.folder / party / "tickets" / FOLDER).exists()
    assert revoked(office.settings(party)) == frozenset()


def test_the_key_that_revokes_is_that_of_the_certificate(office: Office) -> None:
    with pytest.raises(CertificateError, match="not that of the certificate"):
        revoking(office, "police", "approver", "00" * 16, key=office.signs("investigator").key)


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> bytes:
    values = json.loads(path.read_bytes())
    change(values)
    return canonical.encode(values)


UNSOUND: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda path: b"",
    "cut": lambda path: path.read_bytes()[:-1],
    "not canonical": lambda path: path.read_bytes() + b"\n",
    "another ticket": lambda path: rewritten(path, lambda v: v.update(revoked="11" * 16)),
    "another reason": lambda path: rewritten(path, lambda v: v.update(reason="because")),
    "another time": lambda path: rewritten(path, lambda v: v.update(at="2020-01-01T00:00:00Z")),
    "no certificate": lambda path: rewritten(path, lambda v: v.update(certificates=[])),
    "a certificate that is none": lambda path: rewritten(
        path, lambda v: v.update(certificates=["AAAA"])
    ),
    "another signature": lambda path: rewritten(path, lambda v: v.update(signature="AAAA")),
    "more": lambda path: rewritten(path, lambda v: v.update(more=1)),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_a_revocation_that_is_not_sound_is_a_fault_and_not_ignored(
    office: Office, case: str
) -> None:
    data, settings = office.signed(), office.settings("police")
    path = revoking(office, "police", "approver", "00" * 16)
    assert office.verify("police", data)
    unsound = UNSOUND[case](path)
    path.write_bytes(unsound)
    with pytest.raises(LocalFault, match=str(path)):
        revoked(settings)
    assert "wrong" in {each.level for each in check(settings) if "operators" in each.where}


def test_a_revocation_under_another_name_or_of_another_side_is_a_fault(office: Office) -> None:
    path = revoking(office, "police", "approver", "00" * 16)
    other = office.folder / "insurer/tickets" / FOLDER / path.name
    other.parent.mkdir(parents=True)
    shutil.copyfile(path, other)
    with pytest.raises(LocalFault, match="is no revocation"):
        revoked(office.settings("insurer"))
    path.rename(path.with_name("11" * 16 + ".json"))
    with pytest.raises(LocalFault, match="is no revocation by approver"):
        revoked(office.settings("police"))


def test_a_revocation_by_who_may_not_is_a_fault(office: Office) -> None:
    path = revoking(office, "police", "approver", "00" * 16)
    person, made = office.signs("investigator"), Revocation.decode(path.read_bytes())
    certificates = tuple(each.public_bytes(Encoding.DER) for each in person.chain)
    other = made._replace(certificates=certificates)
    path.write_bytes(other._replace(signature=person.key.sign(other.signed())).encode())
    with pytest.raises(LocalFault, match="is no revocation by approver"):
        revoked(office.settings("police"))


def test_what_is_being_written_is_not_read_yet(office: Office) -> None:
    path = revoking(office, "police", "approver", "00" * 16)
    path.with_name(f".{path.name}.0123").write_bytes(b"half")
    assert revoked(office.settings("police")) == {"00" * 16}


def test_a_revocation_stays_when_the_certificate_that_signed_it_has_expired(
    office: Office,
) -> None:
    path = revoking(office, "police", "approver", "00" * 16, at=NOW - timedelta(minutes=30))
    assert Revocation.decode(path.read_bytes()).at == NOW - timedelta(minutes=30)
    assert revoked(office.settings("police")) == {"00" * 16}


# --- drafting


def test_a_draft_is_filled_from_the_settings(office: Office) -> None:
    police = office.settings("police")
    ticket = draft(police, police.peer("insurer"), WISH, NOW)
    assert (ticket.insurer, ticket.police) == ("insurer", "police")
    assert [each.name for each in ticket.sets] == ["person", "phone", "plate", "vin"]
    assert ticket.sets[0].domain == "greenlane/1/resident_id"
    assert ticket.protocols == ("dh", "vole")
    assert ticket.learns == {"police": ("claim_no",)}
    assert ticket.max_elements == {"insurer": 20_000_000, "police": 20_000_000}
    assert (ticket.floor, ticket.runs, ticket.inquiries, ticket.rules) == (5, 1, 0, ())
    assert ticket.normaliser == _core.normaliser_digest().hex()
    assert (ticket.not_before, ticket.not_after) == (NOW, NOW + timedelta(days=30))
    assert draft(police, police.peer("insurer"), WISH, NOW).id != ticket.id


def test_a_draft_gives_what_the_settings_disclose_unless_it_says_less(office: Office) -> None:
    insurer = office.settings("insurer")
    peer = insurer.peer("police")
    both = draft(insurer, peer, WISH._replace(learns="both", get=()), NOW)
    assert both.learns == {"insurer": (), "police": ("amount", "claim_no")}
    less = draft(insurer, peer, WISH._replace(learns="peer", give=()), NOW)
    assert less.learns == {"police": ()}
    count = draft(insurer, peer, WISH._replace(learns="peer", ways=("count",)), NOW)
    assert count.learns == {"police": ()}, "a count tells no columns"
    sizes = draft(insurer, peer, WISH._replace(ours=7, theirs=8), NOW).max_elements
    assert sizes == {"insurer": 7, "police": 8}
    asks = WISH._replace(ways=("inquire",), inquiries=9, sets=("plate",))
    inquiry = draft(insurer, peer, asks, NOW)
    assert (inquiry.runs, inquiry.inquiries, inquiry.protocols) == (0, 9, ())
    assert [each.name for each in inquiry.sets] == ["plate"]


@pytest.mark.parametrize(
    "changes",
    [
        {"days": 0},
        {"days": MOST_DAYS + 1},
        {"days": 10**12},
        {"floor": -1},
        {"ways": ("inquire",)},
        {"runs": 0},
        {"purpose": ""},
        {"rules": ("x",)},
    ],
)
def test_a_wish_that_makes_no_ticket_is_refused(office: Office, changes: dict[str, Any]) -> None:
    police = office.settings("police")
    with pytest.raises(TicketRefused) as refused:
        draft(police, police.peer("insurer"), WISH._replace(**changes), NOW)
    assert refused.value.code == "ticket-malformed"


def test_the_longest_ticket_can_be_drafted(office: Office) -> None:
    police = office.settings("police")
    ticket = draft(police, police.peer("insurer"), WISH._replace(days=MOST_DAYS), NOW)
    assert ticket.not_after - ticket.not_before == LONGEST_VALID
    with pytest.raises(SettingsError, match=r"no \[identifiers.x\]"):
        draft(police, police.peer("insurer"), WISH._replace(sets=("x",)), NOW)
