"""Operators: whose certificate is believed, and that it never is a node's."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from people import DAY, NOW, YEAR, Authority, People, Person, issued, leaf_extensions, named, urn

from parties.channel import Identity
from parties.channel.pinning import read_pin
from parties.channel.trust import Trust
from parties.credentials import read_certificates, read_credentials
from parties.errors import CertificateError, LocalFault, PartyError, SettingsError
from parties.founding import found
from parties.operators import (
    DUTIES,
    ROLES,
    operator_of,
    read_operator,
    read_operator_file,
)
from parties.operators import keys as operator_keys
from parties.operators.issuing import issue_operator
from parties.operators.keys import PASSPHRASE, read_operator_key, write_operator_key
from parties.operators.papers import CERTIFICATE, KEY
from parties.settings import PeerSettings, Settings
from parties.settings_file import load

WORDS = "correct horse battery"
NAME = urn("police", "approver", "0004")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that is quick to stretch."""
    monkeypatch.setattr(operator_keys, "ROUNDS", 1000)


@pytest.fixture(scope="module")
def people() -> People:
    return People()


def made(
    key: Any = None, extensions: list[tuple[x509.ExtensionType, bool]] | None = None, **options: Any
) -> x509.Certificate:
    """A certificate by nobody in particular."""
    key = key or ed25519.Ed25519PrivateKey.generate()
    return issued("x", key, leaf_extensions(NAME) if extensions is None else extensions, **options)


def test_a_certificate_says_who_somebody_is(people: People) -> None:
    person = people.signers["police", "approver"]
    operator = read_operator(person.chain, (people.police.certificate,), NOW)
    assert operator[:3] == ("city-police", "approver", "0004")
    assert operator.urn == NAME
    signed = hashlib.sha256(person.chain[0].tbs_certificate_bytes).hexdigest()
    assert operator.fingerprint == f"sha256:{signed}"
    assert (operator.not_before, operator.not_after) == (NOW - YEAR, NOW + YEAR)
    assert operator.key == person.key.public_key().public_bytes_raw()


def test_each_party_has_two_duties_and_two_roles_that_sign_nothing() -> None:
    assert ROLES["police"] == ("investigator", "approver", "auditor", "administrator")
    assert ROLES["insurer"] == ("analyst", "compliance", "auditor", "administrator")
    assert all(set(DUTIES[party]) < set(ROLES[party]) for party in DUTIES)


def without(kind: type[x509.ExtensionType]) -> list[tuple[x509.ExtensionType, bool]]:
    return [each for each in leaf_extensions(NAME) if not isinstance(each[0], kind)]


def with_names(*names: x509.GeneralName) -> list[tuple[x509.ExtensionType, bool]]:
    return [*without(x509.SubjectAlternativeName), (x509.SubjectAlternativeName(names), False)]


def for_purposes(*purposes: x509.ObjectIdentifier) -> list[tuple[x509.ExtensionType, bool]]:
    return [*leaf_extensions(NAME), (x509.ExtendedKeyUsage(purposes), False)]


URI = x509.UniformResourceIdentifier
WRONG_FORMS: dict[str, tuple[Any, list[tuple[x509.ExtensionType, bool]], str]] = {
    "elliptic curve": (ec.generate_private_key(ec.SECP256R1()), leaf_extensions(NAME), "Ed25519"),
    "no usage": (None, without(x509.KeyUsage), "key usage"),
    "no digital signature": (None, leaf_extensions(NAME, digital_signature=False), "key usage"),
    "no commitment": (None, leaf_extensions(NAME, content_commitment=False), "key usage"),
    "signs certificates": (None, leaf_extensions(NAME, key_cert_sign=True), "key usage"),
    "authority": (
        None,
        [*without(x509.BasicConstraints), (x509.BasicConstraints(True, None), True)],
        "that of an authority",
    ),
    "server": (None, for_purposes(ExtendedKeyUsageOID.SERVER_AUTH), "servers or clients"),
    "client": (
        None,
        for_purposes(ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH),
        "servers or clients",
    ),
    "any": (None, for_purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE), "servers or clients"),
    "no name": (None, without(x509.SubjectAlternativeName), "one name"),
    "a host too": (None, with_names(URI(NAME), x509.DNSName("city-police")), "one name"),
    "a host": (None, with_names(x509.DNSName("city-police")), "one name"),
    "two names": (None, with_names(URI(NAME), URI(NAME + "5")), "one name"),
}
for wrong in (
    "",
    "urn:greenlane:operator:city-police:approver",
    "urn:greenlane:operator:city-police:chief:0004",
    "urn:greenlane:operator:City-Police:approver:0004",
    "urn:greenlane:operator:city-police:approver:Li",
    "urn:greenlane:operator:city-police:approver:0004:0005",
    "urn:greenlane:operator:city-police:approver:0004\n",
    "urn:greenlane:operator::approver:0004",
    " " + NAME,
    "URN:greenlane:operator:city-police:approver:0004",
):
    WRONG_FORMS[f"name {wrong!r}"] = (None, with_names(URI(wrong)), "one name")


@pytest.mark.parametrize("case", WRONG_FORMS)
def test_a_certificate_of_another_form_is_no_operators(case: str) -> None:
    key, extensions, why = WRONG_FORMS[case]
    with pytest.raises(CertificateError, match=why):
        operator_of(made(key, extensions))


def test_other_purposes_than_those_of_nodes_may_be_named() -> None:
    extensions = for_purposes(ExtendedKeyUsageOID.EMAIL_PROTECTION)
    assert operator_of(made(None, extensions)).person == "0004"


# --- chains


def leaf(people: People, by: Authority, *between: Authority, **options: Any) -> Person:
    return people.person("police", "approver", "0004", by=by, between=between, **options)


def test_a_chain_by_intermediates_is_believed(people: People) -> None:
    root = Authority.new("root", key=ed25519.Ed25519PrivateKey.generate())
    place = Authority.new("place", root, key=rsa.generate_private_key(65537, 2048), path_length=1)
    office = Authority.new("office", place, path_length=0, hashed=hashes.SHA384())
    person = leaf(people, office, office, place)
    other = people.police.certificate
    assert read_operator(person.chain, (other, root.certificate), NOW).person == "0004"
    assert read_operator(person.chain[:2], (place.certificate,), NOW).person == "0004"
    for chain in (person.chain[:1], person.chain[:2], (person.chain[0], person.chain[2])):
        with pytest.raises(CertificateError, match=r"^the certificate (was not|does not lead)"):
            read_operator(chain, (root.certificate,), NOW)


def refused_chains(people: People) -> dict[str, tuple[Person, x509.Certificate, str]]:
    root = people.police
    constraint = x509.NameConstraints([x509.DNSName("example")], None)
    none = Authority.new("none", root, ca=False)
    mute = Authority.new("mute", root, signs=False)
    short = Authority.new("short", path_length=0)
    below = Authority.new("below", short)
    early = Authority.new("early", root, begin=NOW + DAY)
    late = Authority.new("late", root, end=NOW - DAY)
    dead = Authority.new("dead", end=NOW - DAY)
    narrow = Authority.new("narrow", root, more=[(constraint, True)])
    weak = Authority.new("weak", root, key=rsa.generate_private_key(65537, 1024))
    twin = Authority.new(root.name)
    deep = [root]
    for depth in range(4):
        deep.append(Authority.new(f"deep-{depth}", deep[-1]))
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    odd = issued(
        "x",
        key := ed25519.Ed25519PrivateKey.generate(),
        [*leaf_extensions(NAME), (strange, True)],
        root,
    )
    pinned, other = root.certificate, "not issued by an authority that is pinned"
    return {
        "another authority": (leaf(people, people.insurer), pinned, other),
        "an authority of the same name": (leaf(people, twin), pinned, other),
        "not yet valid": (leaf(people, root, begin=NOW + DAY), pinned, "not valid yet"),
        "expired": (leaf(people, root, end=NOW - DAY), pinned, "expired"),
        "by no authority": (leaf(people, none, none), pinned, "may not issue"),
        "by one that may sign nothing": (leaf(people, mute, mute), pinned, "may not issue"),
        "too long for the pinned": (leaf(people, below, below), short.certificate, other),
        "intermediate not yet valid": (leaf(people, early, early), pinned, "not valid yet"),
        "intermediate expired": (leaf(people, late, late), pinned, "expired"),
        "pinned expired": (leaf(people, dead), dead.certificate, "authority that was not valid"),
        "name constraints": (leaf(people, narrow, narrow), pinned, "critical extension"),
        "unknown critical": (Person(key, (odd,)), pinned, "critical extension"),
        "a short RSA key": (leaf(people, weak, weak), pinned, "does not lead"),
        "another intermediate": (leaf(people, root, weak), pinned, "does not lead"),
        "too many": (leaf(people, deep[-1], *deep[:0:-1]), pinned, "more than 3"),
        "pinned is no authority": (leaf(people, none), none.certificate, other),
        "itself": (
            Person(key, (made(key),)),
            pinned,
            other,
        ),
    }


def test_every_other_chain_is_refused(people: People) -> None:
    for case, (person, pinned, why) in refused_chains(people).items():
        with pytest.raises(CertificateError, match=why) as refused:
            read_operator(person.chain, (pinned,), NOW)
        assert str(refused.value).startswith("the certificate "), case


def test_a_path_length_counts_the_authorities_below(people: People) -> None:
    short = Authority.new("short", path_length=1)
    middle = Authority.new("middle", short, path_length=0)
    lower = Authority.new("lower", middle)
    assert read_operator(leaf(people, middle, middle).chain, (short.certificate,), NOW)
    with pytest.raises(CertificateError, match="may not issue"):
        read_operator(leaf(people, lower, lower, middle).chain, (short.certificate,), NOW)


def test_a_signature_under_a_shorter_hash_is_none(people: People) -> None:
    old = leaf(people, people.police, hashed=hashes.SHA224())
    with pytest.raises(CertificateError, match="not issued"):
        read_operator(old.chain, (people.police.certificate,), NOW)


def test_a_second_authority_that_is_valid_still_counts(people: People) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    old = Authority.new("same", key=key, end=NOW - DAY)
    new = Authority.new("same", key=key)
    person = leaf(people, old)
    assert read_operator(person.chain, (old.certificate, new.certificate), NOW)
    with pytest.raises(CertificateError, match="authority that was not valid"):
        read_operator(person.chain, (old.certificate,), NOW)


# --- never a node


def test_an_operators_certificate_is_refused_as_a_nodes(
    people: People, tmp_path: Path, loopback: Any
) -> None:
    now = datetime.now(UTC)  # nodes look at the machine's time
    valid: dict[str, Any] = {"begin": now - DAY, "end": now + DAY}
    authority = Authority.new("police-authority", **valid)
    person = people.person("police", "approver", "0004", by=authority, **valid)
    files = Identity(tmp_path / "operator.pem", tmp_path / "operator.key")
    files.certificate.write_bytes(person.chain[0].public_bytes(Encoding.PEM))
    files.key.write_bytes(
        person.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    with pytest.raises(CertificateError, match="neither an ECDSA nor an RSA key"):
        read_credentials(files)
    with pytest.raises(CertificateError, match="does not carry the name"):
        read_pin(PeerSettings("p", "127.0.0.1:1", "city-police", certificate=files.certificate))
    for pin in (
        {"ca": tmp_path / "ca.pem"},
        {"fingerprint": f"sha256:{person.chain[0].fingerprint(hashes.SHA256()).hex()}"},
    ):
        peer = PeerSettings("city-police", "127.0.0.1:1", "city-police", **pin)
        trust = Trust(loopback.identity("insurer"), [peer])
        assert trust.peer_of(person.chain[0]) is None
        assert read_pin(peer).why_not(person.chain[0]) == "does not carry the name city-police"


def test_a_nodes_certificate_is_refused_as_an_operators(loopback: Any) -> None:
    chain = read_certificates(loopback.identity("police").certificate)
    authorities = read_certificates(loopback.authority("police").certificate)
    with pytest.raises(CertificateError, match="has a key on Ed25519, this has not"):
        read_operator(chain, authorities, NOW)


# --- issued by the development authority


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(found(tmp_path / "node", "police", "city-police", "127.0.0.1:1"))


def test_a_new_node_issues_operators_that_it_believes(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "0117"
    operator = issue_operator(settings, "0117", "investigator", folder, WORDS)
    assert sorted(path.name for path in folder.iterdir()) == [KEY, CERTIFICATE]
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600
    read, chain = read_operator_file(folder / CERTIFICATE)
    assert read == operator
    assert settings.operators.authority is not None
    authorities = read_certificates(settings.operators.authority)
    assert read_operator(chain, authorities, operator.not_before) == operator
    key = read_operator_key(folder / KEY, WORDS)
    assert key.public_key().public_bytes_raw() == operator.key
    assert operator.not_after - operator.not_before <= timedelta(days=366)
    with pytest.raises(LocalFault, match="is there already"):
        issue_operator(settings, "0117", "investigator", folder, WORDS)


@pytest.mark.parametrize(
    ("person", "role", "words", "why"),
    [
        ("0117", "analyst", WORDS, "police has no analyst; its roles are investigator, approver"),
        ("0117", "compliance", WORDS, "police has no compliance"),
        ("Li", "approver", WORDS, "staff number"),
        ("a:b", "approver", WORDS, "staff number"),
        ("", "approver", WORDS, "staff number"),
        ("0117", "approver", "eleven char", "12 characters"),
    ],
)
def test_what_cannot_be_issued_leaves_nothing(
    settings: Settings, tmp_path: Path, person: str, role: Any, words: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        issue_operator(settings, person, role, tmp_path / "out", words)
    assert not (tmp_path / "out").exists()


def test_an_authority_that_is_none_issues_nothing(settings: Settings, tmp_path: Path) -> None:
    without_any = settings._replace(operators=settings.operators._replace(authority=None))
    with pytest.raises(SettingsError, match=r"\[operators\] lacks authority"):
        issue_operator(without_any, "0117", "auditor", tmp_path / "out", WORDS)
    node = settings.operators._replace(authority=settings.node.certificate)
    with pytest.raises(CertificateError, match="is not the authority that `greenlane init` makes"):
        issue_operator(settings._replace(operators=node), "0117", "auditor", tmp_path, WORDS)


# --- keys


def test_a_key_file_opens_by_its_passphrase_alone(tmp_path: Path) -> None:
    path, key = tmp_path / "k", ed25519.Ed25519PrivateKey.generate()
    write_operator_key(path, key, WORDS)
    assert path.stat().st_mode & 0o777 == 0o600
    raw = key.private_bytes_raw()
    assert raw not in path.read_bytes()
    assert read_operator_key(path, WORDS).private_bytes_raw() == raw
    for words in ("correct horse batterY", "x" * 12):
        with pytest.raises(CertificateError, match="another passphrase opens it"):
            read_operator_key(path, words)
    with pytest.raises(SettingsError, match=f"{PASSPHRASE}: a passphrase has 12 characters"):
        read_operator_key(path, "eleven char")


def test_a_key_file_is_what_other_tools_read(tmp_path: Path) -> None:
    path, key = tmp_path / "k", ed25519.Ed25519PrivateKey.generate()
    write_operator_key(path, key, WORDS)
    loaded = load_pem_private_key(path.read_bytes(), WORDS.encode())
    assert isinstance(loaded, ed25519.Ed25519PrivateKey)
    assert loaded.private_bytes_raw() == key.private_bytes_raw()
    parsed = subprocess.run(
        ["openssl", "asn1parse", "-in", str(path)], capture_output=True, text=True, check=True
    ).stdout
    for name in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", "INTEGER           :03E8"):
        assert name in parsed


def test_a_passphrase_is_stretched_as_much_as_is_said() -> None:
    # 600,000 has its highest bit at the head of a byte's neighbour: 09 27 C0, no sign to add.
    assert operator_keys._integer(600_000) == bytes.fromhex("02030927c0")
    assert operator_keys._integer(0x80) == bytes.fromhex("02020080")


@pytest.mark.parametrize("kind", ["open", "other", "none", "missing"])
def test_a_key_file_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    path, key = tmp_path / "k", ed25519.Ed25519PrivateKey.generate()
    curve = ec.generate_private_key(ec.SECP256R1())
    sealed = BestAvailableEncryption(WORDS.encode())
    match kind:
        case "open":
            data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        case "other":
            data = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
        case _:
            data = b"-----BEGIN"
    if kind != "missing":
        path.write_bytes(data)
    why = {
        "open": "seal it by a passphrase",
        "other": "one on Ed25519",
        "none": "no private key",
        "missing": "cannot be read",
    }
    with pytest.raises(CertificateError, match=why[kind]) as refused:
        read_operator_key(path, WORDS)
    assert str(refused.value).startswith(str(path))


def test_a_certificate_file_may_bring_intermediates_and_leaves_out_roots(
    people: People, tmp_path: Path
) -> None:
    office = Authority.new("office", people.police)
    person = leaf(people, office, office, people.police)
    path = tmp_path / "operator.pem"
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in person.chain))
    _, chain = read_operator_file(path)
    assert chain == person.chain[:2]
    assert named("office") == chain[1].subject
    path.write_bytes(office.certificate.public_bytes(Encoding.PEM))
    with pytest.raises(PartyError, match=rf"{path}: the certificate of an operator"):
        read_operator_file(path)


def test_the_second_signature_of_an_authority_makes_no_other_certificate(people: People) -> None:
    """(r, n - s) is as good as (r, s) under ECDSA: what was revoked must not come back by it."""
    (certificate,) = people.signers["police", "approver"].chain
    r, s = decode_dss_signature(certificate.signature)
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    other, der = encode_dss_signature(r, n - s), certificate.public_bytes(Encoding.DER)
    signed = certificate.tbs_certificate_bytes
    rest = der[der.index(signed) + len(signed) :]
    algorithm = rest[: 2 + rest[1]]
    body = signed + algorithm + bytes([3, len(other) + 1, 0]) + other
    length = len(body).to_bytes(2, "big") if len(body) > 0xFF else bytes([len(body)])
    twin = x509.load_der_x509_certificate(bytes([0x30, 0x80 + len(length)]) + length + body)
    assert twin.public_bytes(Encoding.DER) != der
    first, second = (
        read_operator([each], (people.police.certificate,), NOW) for each in (certificate, twin)
    )
    assert first == second
