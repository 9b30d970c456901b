"""What is remembered of an identity's files is forgotten when they change, or end."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from parties import credentials, kept
from parties.certificates import create_authority, issue
from parties.credentials import Identity, read_certificates, read_credentials
from parties.errors import CertificateError
from parties.operators import chains


@pytest.fixture
def node(tmp_path: Path) -> Identity:
    """A node's files, changed a minute ago; of another node there are new ones."""
    authority = Identity(tmp_path / "ca.pem", tmp_path / "ca.key")
    create_authority("insurer", authority)
    for name in ("node", "new"):
        issue("insurer", Identity(tmp_path / f"{name}.pem", tmp_path / f"{name}.key"), authority)
    return Identity(tmp_path / "node.pem", tmp_path / "node.key")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file was changed just now."""
    monkeypatch.setattr(kept, "_TICK_NS", -(10**12))


@pytest.mark.usefixtures("later")
def test_files_are_read_again_when_they_have_changed_and_looked_at_each_time(
    node: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_credentials(node)
    assert read_credentials(node) is first
    for old in node:
        old.with_stem("new").replace(old)
    second = read_credentials(node)
    assert second.leaf != first.leaf
    assert read_certificates(node.certificate)[0] == second.leaf
    monkeypatch.setattr(credentials, "why_not_now", lambda _: "has expired")
    with pytest.raises(CertificateError, match="has expired"):
        read_credentials(node)


@pytest.mark.usefixtures("later")
def test_a_file_that_is_gone_is_not_remembered(
    node: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not where it came and went between two looks."""
    monkeypatch.setattr(kept, "stamp_of", lambda *paths: (None,) * len(paths))
    assert read_certificates(node.certificate)
    node.certificate.unlink()
    with pytest.raises(CertificateError, match="cannot be read"):
        read_certificates(node.certificate)


def test_a_file_that_was_changed_just_now_is_read_again(
    node: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a coarse clock it may change once more and have the same times."""
    first = read_credentials(node)
    assert read_credentials(node) is not first
    for path in node:
        os.utime(path, (1, 1))
    second = read_credentials(node)
    assert read_credentials(node) is not second, "it was changed, by ctime"
    monkeypatch.setattr(kept, "_TICK_NS", -(10**12))
    assert read_credentials(node) is not second, "nor is it gone by later"


def test_a_certificate_whose_serial_number_is_not_positive_is_none(node: Identity) -> None:
    """RFC 5280, section 4.1.2.2: a warning of the library's is nothing that a peer may cause."""
    (leaf, *_) = read_certificates(node.certificate)
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1)
    der = leaf.public_bytes(Encoding.DER)
    assert (der.count(serial), serial[0] < 0x80) == (1, True)
    negative = der.replace(serial, bytes([serial[0] | 0x80]) + serial[1:])
    assert credentials.read_der(der) == chains.read_der(der) == leaf
    assert credentials.read_der(negative) is chains.read_der(negative) is None
    pem = (
        f"-----BEGIN CERTIFICATE-----\n{b64encode(negative).decode()}\n-----END CERTIFICATE-----\n"
    )
    node.certificate.write_text(pem, encoding="ascii")
    with pytest.raises(CertificateError, match=r"node\.pem holds no PEM certificate"):
        read_certificates(node.certificate)
