"""Which role may give which command, who shows what, and what is refused by name."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from issuer import Issuer
from people import DAY, NODES, NOW, Authority, People, Person

from parties import signatures
from parties.admitting import admit, admit_signer, must_be_one
from parties.clearance import Clearance, must_be_another
from parties.cli import COMMANDS
from parties.credentials import Identity
from parties.errors import OperatorRefused, TicketRefused
from parties.operators import ROLES, OperatorRole, Party, operator_of, read_operator_file
from parties.operators import keys as operator_keys
from parties.operators.acting import Acting, acting_by
from parties.operators.keys import read_operator_key, write_operator_key
from parties.operators.papers import AS, LONGEST, TOKEN, Token, shown
from parties.operators.proving import challenge_of, proven
from parties.operators.rights import ANYBODY, RIGHTS, UNWRITTEN, action_of, must_have_right
from parties.settings import NodeSettings, OperatorSettings, Settings, SourceSettings
from parties.tickets import Verified
from parties.tickets.signing import Key
from parties.tickets.verifying import Signer

ASK, ANSWER, AUDIT, KEEP = "investigator analyst", "approver compliance", "auditor", "administrator"
MAY: Final[dict[str, str]] = {
    "serve": KEEP,
    "check": KEEP,
    "prepare": KEEP,
    "store set-clock": KEEP,
    "fetch": f"{ASK} {KEEP}",
    "count": ASK,
    "list": ASK,
    "match": ASK,
    "inquire": ASK,
    "erase": f"{ASK} {ANSWER} {KEEP}",
    "results open": f"{ASK} {ANSWER}",
    "ticket draft": f"{ASK} {ANSWER}",
    "ticket sign": f"{ASK} {ANSWER}",
    "ticket verify": f"{ASK} {ANSWER} {AUDIT} {KEEP}",
    "ticket revoke": ANSWER,
    "ticket submit": f"{ASK} {ANSWER}",
    "ticket state": f"{ASK} {ANSWER}",
    "inbox list": f"{ASK} {ANSWER} {AUDIT}",
    "inbox show": f"{ASK} {ANSWER} {AUDIT}",
    "inbox approve": f"{ASK} {ANSWER}",
    "inbox refuse": f"{ASK} {ANSWER}",
    "audit show": f"{ANSWER} {AUDIT}",
    "audit verify": f"{ANSWER} {AUDIT}",
    "audit compare": f"{ANSWER} {AUDIT}",
    "audit export": f"{ANSWER} {AUDIT}",
    "audit key": ANSWER,
    **{
        f"clues {word}": f"{ASK} {ANSWER}"
        for word in (
            *("list", "show", "add", "assign", "comment", "review", "transfer"),
            *("accept", "return", "file", "conclude", "merge"),
        )
    },
    "models mine": f"{ASK} {ANSWER}",
    "clues send": f"{ASK} {ANSWER} {KEEP}",
    "clues report": f"{ASK} {ANSWER} {AUDIT}",
    "operator whoami": f"{ASK} {ANSWER} {AUDIT} {KEEP}",
    "operator issue": "",
}
"""Written a second time, by hand: who loosens the table loosens it here as well."""
ALL_ROLES: Final = sorted({*ROLES["insurer"], *ROLES["police"]})
DATA: Final = (
    *("count", "list", "match", "inquire", "results open", "ticket draft", "ticket sign"),
    *("inbox list", "inbox show", "inbox approve", "inbox refuse", "ticket submit", "ticket state"),
    "audit show",
)
WORDS: Final = "correct horse battery"


def test_every_command_is_in_the_table_or_asks_nobody() -> None:
    assert {*RIGHTS} | ANYBODY == {*COMMANDS}
    assert not ANYBODY & {*RIGHTS}
    assert {*RIGHTS} > UNWRITTEN
    assert {*MAY} == {*RIGHTS}


@pytest.mark.parametrize("command", MAY)
@pytest.mark.parametrize("role", ALL_ROLES)
def test_each_role_is_allowed_or_refused_each_command_by_name(
    command: str, role: OperatorRole
) -> None:
    acting = Acting("0117", role, certificate="aa" * 32)
    if role in MAY[command].split():
        must_have_right(acting, command)
        return
    with pytest.raises(OperatorRefused, match=f"`{command}` is not for the role {role}") as caught:
        must_have_right(acting, command)
    assert caught.value.code == "operator-not-allowed"
    assert caught.value.exit_code == 10
    assert caught.value.who == acting.facts()


def test_an_administrator_is_given_no_command_that_shows_data() -> None:
    given = {command for command, roles in RIGHTS.items() if "administrator" in roles}
    assert given.isdisjoint(DATA)
    assert given == {"serve", "check", "prepare", "store set-clock"} | {
        *("fetch", "erase", "clues send", "operator whoami", "ticket verify")
    }


def test_nobody_who_asks_reads_the_log_and_nobody_who_reads_it_asks() -> None:
    asks = {role for command in ("count", "list", "match", "inquire") for role in RIGHTS[command]}
    reads = {role for command in RIGHTS if command.startswith("audit") for role in RIGHTS[command]}
    assert asks.isdisjoint(reads)


def test_the_log_can_say_the_name_of_every_command() -> None:
    assert all(re.fullmatch("[a-z][a-z-]*", action_of(command)) for command in RIGHTS)
    assert len({action_of(command) for command in RIGHTS}) == len(RIGHTS)


@pytest.fixture(scope="module")
def people() -> People:
    return People()


def proof(
    people: People,
    person: Person,
    *,
    key: Ed25519PrivateKey | None = None,
    revoked: frozenset[str] = frozenset(),
    node: str = NODES["police"],
    party: Party = "police",
    at: datetime = NOW,
) -> Acting:
    authorities = (people.police.certificate,)
    return proven(key or person.key, person.chain, authorities, revoked, node, party, "match", at)


def refused(people: People, person: Person, **changes: Any) -> str:
    with pytest.raises(OperatorRefused) as caught:
        proof(people, person, **changes)
    return caught.value.code


def test_who_has_the_key_of_a_certificate_is_who_it_names(people: People) -> None:
    for role in ROLES["police"]:
        person = people.person("police", role, "0117")
        digest, key = person.fingerprint.removeprefix("sha256:"), person.key.public_key()
        expected = Acting("0117", role, certificate=digest, key=key.public_bytes_raw())
        assert proof(people, person) == expected


def test_every_certificate_that_does_not_hold_is_refused_by_name(people: People) -> None:
    person = people.person("police", "investigator", "0117")
    other = people.person("police", "investigator", "0118")
    assert refused(people, person, key=other.key) == "operator-forged"
    assert refused(people, person, at=NOW + 400 * DAY) == "operator-forged"
    assert refused(people, person, at=NOW - 400 * DAY) == "operator-forged"
    stranger = people.person("police", "investigator", "0117", by=Authority.new("x"))
    assert refused(people, stranger) == "operator-forged"
    assert refused(people, person, revoked=frozenset({person.fingerprint})) == "operator-revoked"
    assert refused(people, person, node="other-police") == "operator-other"
    insurer = people.person("insurer", "analyst", "wu", by=people.police)
    assert refused(people, insurer) == "operator-other"
    assert refused(people, insurer, node=NODES["insurer"]) == "operator-other"


def test_a_challenge_is_for_one_node_command_and_time_and_is_new_each_time() -> None:
    one = challenge_of("police", "match", NOW)
    assert one.startswith(b"greenlane/operator/1/challenge\n")
    for other in (
        challenge_of("police", "match", NOW),
        challenge_of("acme", "match", NOW),
        challenge_of("police", "count", NOW),
        challenge_of("police", "match", NOW + DAY),
    ):
        assert other != one


def test_the_key_signs_what_is_neither_a_ticket_nor_a_revocation(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[bytes] = []
    sign = signatures.sign
    monkeypatch.setattr(
        signatures, "sign", lambda data, key: (signed.append(data), sign(data, key))[1]
    )
    proof(people, people.person("police", "investigator", "0117"))
    (data,) = signed
    assert data.startswith(b"greenlane/operator/1/challenge\n")
    assert b'"node":"city-police"' in data
    assert b'"command":"match"' in data


@pytest.fixture
def node(tmp_path: Path, people: People, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The police's, with an authority and an issuer; and the folder of an investigator."""
    monkeypatch.setattr(operator_keys, "ROUNDS", 1000)
    monkeypatch.delenv(AS, raising=False)
    monkeypatch.delenv(TOKEN, raising=False)
    authority = tmp_path / "authority.pem"
    authority.write_bytes(people.police.certificate.public_bytes(Encoding.PEM))
    files = NodeSettings(
        NODES["police"], "police", "127.0.0.1:1", tmp_path / "n.pem", tmp_path / "n.key", tmp_path
    )
    operators = OperatorSettings(authority, required=True, oidc=Issuer(tmp_path).settings)
    return Settings(
        tmp_path / "greenlane.toml",
        files,
        SourceSettings("csv", ()),
        (),
        (),
        operators=operators,
    )


def folder_of(node: Settings, person: Person) -> Path:
    folder = node.path.parent / "person"
    folder.mkdir(exist_ok=True)
    (folder / "operator.pem").write_bytes(
        b"".join(each.public_bytes(Encoding.PEM) for each in person.chain)
    )
    write_operator_key(folder / "operator.key", person.key, WORDS)
    return folder


def admitted(node: Settings, command: str, path: Path | None) -> Acting:
    return admit(node, command, shown(path), key_of, NOW)


def key_of(path: Path) -> Ed25519PrivateKey:
    return read_operator_key(path, WORDS)


def test_a_folder_a_certificate_and_a_token_are_taken_by_file_stdin_and_environment(
    node: Settings, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = people.person("police", "investigator", "0117")
    folder = folder_of(node, person)
    operator, _ = read_operator_file(folder / "operator.pem")
    for path in (folder, folder / "operator.pem"):
        assert admitted(node, "match", path) == acting_by(operator)
    token = node.path.parent / "token"
    token.write_text(Issuer(node.path.parent).token() + "\n")
    by_token = admitted(node, "match", token)
    assert (by_token.person, by_token.role, by_token.certificate) == ("0117", "investigator", None)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(token.read_bytes())))
    assert admitted(node, "match", Path("-")) == by_token
    monkeypatch.setenv(TOKEN, token.read_text())
    assert admitted(node, "match", None) == by_token
    monkeypatch.setenv(AS, str(folder))
    assert admitted(node, "match", None) == acting_by(operator)
    assert admitted(node, "match", token) == by_token


def test_whoever_shows_nothing_or_something_else_is_refused_by_name(
    node: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def code(path: Path | None, settings: Settings = node) -> str:
        with pytest.raises(OperatorRefused) as caught:
            admitted(settings, "match", path)
        return caught.value.code

    assert code(None) == "operator-missing"
    assert code(tmp_path / "nobody") == "operator-missing"
    (tmp_path / "huge").write_bytes(b"a" * (LONGEST + 1))
    assert code(tmp_path / "huge") == "token-malformed"
    (tmp_path / "text").write_bytes(b"\xff\x00")
    assert code(tmp_path / "text") == "token-malformed"
    monkeypatch.setenv(TOKEN, "a" * (LONGEST + 1))
    assert code(None) == "token-malformed"
    monkeypatch.setenv(TOKEN, "\udcff")
    assert code(None) == "token-malformed"
    monkeypatch.setenv(TOKEN, "")
    assert code(None) == "operator-missing"
    bare = node._replace(operators=node.operators._replace(oidc=None))
    assert code(tmp_path / "text", bare) == "operator-malformed"


def test_no_more_is_read_than_a_token_may_have(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"a" * LONGEST)
    assert shown(file) == Token("a" * LONGEST)
    file.write_bytes(b"a" * (LONGEST + 1))
    with pytest.raises(OperatorRefused, match=f"it has more than {LONGEST} bytes"):
        shown(file)


def test_a_token_is_in_no_representation() -> None:
    assert "secret" not in repr(Token("secret"))


def test_who_signs_and_who_is_shown_besides_are_one_person_in_one_role(
    node: Settings, people: People
) -> None:
    person = people.person("police", "approver", "0117")
    signer = admit_signer(node, "ticket sign", person.key, person.chain, NOW)
    must_be_one(signer, Acting("0117", "approver", subject="cc" * 32))
    for other in (
        Acting("0117", "investigator", subject="cc" * 32),
        Acting("0118", "approver", subject="cc" * 32),
    ):
        with pytest.raises(OperatorRefused, match="another person's") as caught:
            must_be_one(signer, other)
        assert caught.value.code == "operator-other"
        assert caught.value.who == other.facts()
    auditor = people.person("police", "auditor", "0117")
    with pytest.raises(OperatorRefused, match="is not for the role auditor"):
        admit_signer(node, "ticket sign", auditor.key, auditor.chain, NOW)


def test_who_has_signed_a_ticket_in_one_role_does_not_ask_under_it_in_another(
    people: People,
) -> None:
    def signer(party: Party, role: OperatorRole, name: str) -> Signer:
        certificate = people.person(party, role, name).chain[0]
        return Signer(Key(party, "run", role), operator_of(certificate), NOW, "")

    signers = (signer("police", "approver", "0117"), signer("insurer", "analyst", "0118"))
    verified = Verified(None, "aa" * 32, signers, ())  # type: ignore[arg-type]
    clearance = Clearance(b"", verified)
    with pytest.raises(TicketRefused, match="has signed the ticket as the police's approver") as e:
        must_be_another(Acting("0117", "investigator", subject="cc" * 32), clearance, "police")
    assert e.value.code == "ticket-one-person"
    must_be_another(Acting("0117", "approver", subject="cc" * 32), clearance, "police")
    must_be_another(Acting("0118", "investigator", subject="cc" * 32), clearance, "police")
    must_be_another(None, clearance, "police")


def test_where_roles_are_required_nobody_makes_operators(node: Settings) -> None:
    with pytest.raises(OperatorRefused, match="is for nobody") as caught:
        admit(node, "operator issue", Identity(Path("a"), Path("b")), key_of, datetime.now(UTC))
    assert caught.value.code == "operator-not-allowed"
