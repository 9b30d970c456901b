from __future__ import annotations

import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from parties import certificates
from parties.certificates import create_authority, inspect, issue, renew
from parties.credentials import (
    Identity,
    is_authority,
    names_of,
    read_certificates,
    read_credentials,
    read_der,
)
from parties.errors import CertificateError, LocalFault


@pytest.fixture
def authority(tmp_path: Path) -> Identity:
    files = Identity(tmp_path / "ca.pem", tmp_path / "ca.key")
    create_authority("city-police", files)
    return files


@pytest.fixture
def node(tmp_path: Path, authority: Identity) -> Identity:
    files = Identity(tmp_path / "node.pem", tmp_path / "node.key")
    issue("city-police", files, authority)
    return files


def test_a_node_certificate_carries_the_name_and_says_when_it_ends(node: Identity) -> None:
    facts = inspect(node.certificate)
    assert facts.names == ("city-police",)
    assert facts.issuer == "CN=city-police-authority"
    assert not facts.authority
    assert facts.days_left == 89  # 90 days, less the moment since
    assert not facts.renewal_is_due
    assert facts.not_before < datetime.now(UTC) < facts.not_after
    assert facts.fingerprint.startswith("sha256:")
    assert len(facts.fingerprint) == 7 + 64


def test_openssl_accepts_what_we_make(node: Identity, authority: Identity) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    for purpose in ("sslserver", "sslclient"):
        command = [openssl, "verify", "-x509_strict", "-purpose", purpose, "-verify_hostname"]
        command += ["city-police", "-CAfile", str(authority.certificate), str(node.certificate)]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert seen.returncode == 0, seen.stderr


def test_an_authority_outlives_its_nodes(authority: Identity, node: Identity) -> None:
    assert inspect(authority.certificate).authority
    assert inspect(authority.certificate).not_after > inspect(node.certificate).not_after


def test_a_node_certificate_does_not_outlive_its_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "AUTHORITY_LIFETIME", timedelta(days=10))
    files = Identity(tmp_path / "ca.pem", tmp_path / "ca.key")
    node = Identity(tmp_path / "node.pem", tmp_path / "node.key")
    create_authority("a", files)
    issue("a", node, files)
    assert inspect(node.certificate).not_after <= inspect(files.certificate).not_after
    assert inspect(node.certificate).renewal_is_due


def test_key_files_are_for_the_owner_alone(authority: Identity, node: Identity) -> None:
    renew(node, authority)
    for files in (authority, node):
        assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_nothing_is_overwritten(authority: Identity, node: Identity) -> None:
    before = node.key.read_bytes()
    with pytest.raises(LocalFault, match=r"node\.pem is there already"):
        issue("city-police", node, authority)
    with pytest.raises(LocalFault, match=r"ca\.pem is there already"):
        create_authority("city-police", authority)
    assert node.key.read_bytes() == before


def test_a_renewed_certificate_has_the_same_name_and_another_key(
    authority: Identity, node: Identity
) -> None:
    before, key = inspect(node.certificate), node.key.read_bytes()
    renew(node, authority)
    assert inspect(node.certificate).names == before.names
    assert inspect(node.certificate).fingerprint != before.fingerprint
    assert node.key.read_bytes() != key
    read_credentials(node)
    assert not list(node.key.parent.glob("*.new"))


def test_an_expired_certificate_can_be_renewed(loopback: Any) -> None:
    old = loopback.issue("insurer", "to-renew", timedelta(days=-9), timedelta(days=-1))
    renew(old, loopback.authority("insurer"))
    read_credentials(old)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a-", "a..b", "a" * 65, "Ärger", "a/b", "a\n"])
def test_a_name_must_be_a_host_name(tmp_path: Path, authority: Identity, name: str) -> None:
    with pytest.raises(CertificateError, match="must be a host name"):
        issue(name, Identity(tmp_path / "x.pem", tmp_path / "x.key"), authority)
    assert not (tmp_path / "x.key").exists()


def test_a_node_is_no_authority(tmp_path: Path, node: Identity) -> None:
    with pytest.raises(CertificateError, match="may not sign"):
        issue("other", Identity(tmp_path / "x.pem", tmp_path / "x.key"), node)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"nowhere\.pem cannot be read: No such file"):
        inspect(tmp_path / "nowhere.pem")


def test_a_file_without_a_certificate_is_named(tmp_path: Path, node: Identity) -> None:
    for content in (b"", b"noise", node.key.read_bytes(), node.certificate.read_bytes()[:200]):
        (tmp_path / "x.pem").write_bytes(content)
        with pytest.raises(CertificateError, match=r"x\.pem holds no PEM certificate"):
            inspect(tmp_path / "x.pem")


def test_a_key_that_is_not_the_certificates_is_named(node: Identity, authority: Identity) -> None:
    with pytest.raises(CertificateError, match=r"ca\.key is not the key of .*node\.pem"):
        read_credentials(Identity(node.certificate, authority.key))


def test_a_key_that_tls_cannot_use_is_named(node: Identity) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    node.key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(CertificateError, match=r"node\.key is neither an ECDSA nor an RSA key"):
        read_credentials(node)


def test_a_key_with_a_passphrase_is_named(node: Identity) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    locked = BestAvailableEncryption(b"secret")
    node.key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(CertificateError, match=r"node\.key .* without a passphrase"):
        read_credentials(node)


@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [(-9, -1, r"expired on 20\d\d-"), (1, 9, r"is not valid before 20\d\d-")],
)
def test_a_certificate_that_is_not_valid_today_is_named(
    loopback: Any, tmp_path: Path, begin: int, end: int, why: str
) -> None:
    files = loopback.issue("insurer", tmp_path.name, timedelta(days=begin), timedelta(days=end))
    with pytest.raises(CertificateError, match=rf"node\.pem {why}.*renew it"):
        read_credentials(files)


def test_secrets_stay_out_of_representations(node: Identity) -> None:
    credentials = read_credentials(node)
    assert "PRIVATE" not in repr(credentials)
    assert read_certificates(node.certificate)[0] == credentials.leaf


def test_a_certificate_of_a_stranger_that_cannot_be_read_has_no_names(node: Identity) -> None:
    good = read_certificates(node.certificate)[0]
    der = good.public_bytes(Encoding.DER)
    # The object identifier of one extension in the place of another's; an unknown version.
    twice = read_der(der.replace(b"\x55\x1d\x0e", b"\x55\x1d\x23"))
    assert twice is not None
    assert names_of(twice) == ()
    assert not is_authority(twice)
    assert read_der(der) == good
    assert read_der(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07")) is None
    assert read_der(b"") is None
