"""`greenlane init`: a folder that works as it stands, and nothing made over what is there."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from parties.checking import check
from parties.errors import LocalFault, SettingsError
from parties.founding import found, introduce
from parties.settings import Role
from parties.settings_file import load


@pytest.mark.parametrize("role", get_args(Role))
def test_a_new_node_is_fine_as_it_stands(tmp_path: Path, role: Role) -> None:
    settings = load(found(tmp_path / "a/b", role, "city-node", "127.0.0.1:0"))
    assert (settings.node.role, settings.node.name) == (role, "city-node")
    assert {each.level for each in check(settings) if each.where != "peers"} == {"fine"}
    keys = list(tmp_path.rglob("*.key"))
    assert len(keys) == 2
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert (tmp_path / "a/b/tls").stat().st_mode & 0o777 == 0o700


def test_nodes_are_introduced_once(tmp_path: Path) -> None:
    one = found(tmp_path / "A", "insurer", "insurer", "127.0.0.1:1")
    other = found(tmp_path / "B", "police", "city-police", "127.0.0.1:2")
    for _ in range(2):
        introduce(one, other)
        ours, theirs = load(one), load(other)
        assert [(peer.name, peer.address) for peer in ours.peers] == [
            ("city-police", "127.0.0.1:2")
        ]
        assert [(peer.name, peer.address) for peer in theirs.peers] == [("insurer", "127.0.0.1:1")]
        authority = (tmp_path / "B/tls/authority.pem").read_bytes()
        assert (tmp_path / "A/tls/city-police.pem").read_bytes() == authority
        assert {each.level for each in (*check(ours), *check(theirs))} == {"fine"}


def test_two_nodes_of_one_role_are_not_introduced(tmp_path: Path) -> None:
    one = found(tmp_path / "A", "police", "a", "127.0.0.1:1")
    other = found(tmp_path / "B", "police", "b", "127.0.0.1:2")
    before = one.read_text()
    with pytest.raises(SettingsError, match="both nodes are police; one must be insurer"):
        introduce(one, other)
    assert one.read_text() == before


@pytest.mark.parametrize("strict", ["A", "B"])
def test_nobody_is_introduced_to_a_node_that_requires_roles(tmp_path: Path, strict: str) -> None:
    one = found(tmp_path / "A", "insurer", "insurer", "127.0.0.1:1")
    other = found(tmp_path / "B", "police", "police", "127.0.0.1:2")
    file = tmp_path / strict / one.name
    file.write_text(file.read_text("utf-8").replace("# required", "required"), "utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SettingsError, match="requires roles, and nobody is introduced to it"):
        introduce(one, other)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["", "Police", "a b", "-a", "a_b", "a" * 64, "../x"])
def test_a_name_that_is_none_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="small letters"):
        found(tmp_path / "A", "police", name, "127.0.0.1:1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "listen", ["", "127.0.0.1", ":7443", "127.0.0.1:65536", "127.0.0.1:99999", "h:x"]
)
def test_an_address_that_is_none_is_refused_before_anything_is_made(
    tmp_path: Path, listen: str
) -> None:
    with pytest.raises(SettingsError, match="must be host:port"):
        found(tmp_path / "A", "police", "police", listen)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_made_again(tmp_path: Path) -> None:
    made = found(tmp_path, "police", "police", "127.0.0.1:1")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(LocalFault, match="is there already; choose another folder"):
        found(tmp_path, "insurer", "insurer", "127.0.0.1:1")
    made.unlink()
    with pytest.raises(LocalFault, match=r"authority.pem is there already"):
        found(tmp_path, "insurer", "insurer", "127.0.0.1:1")
    del before[made]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_rows_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("mine")
    found(tmp_path, "police", "police", "127.0.0.1:1")
    assert (tmp_path / "records.csv").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalFault, match=r"file/A.* cannot be written: Not a directory"):
        found(tmp_path / "file/A", "police", "police", "127.0.0.1:1")
