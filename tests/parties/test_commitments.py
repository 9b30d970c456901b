"""Keys of commitments: one file, and another key for each name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from arro3.core import Array, DataType
from blake3 import blake3
from commands import Run
from test_books import Pair

from parties import commitments
from parties.errors import LocalFault
from psi import _core
from psi.elements import Elements


def test_of_one_file_each_name_has_a_key_of_its_own(tmp_path: Path) -> None:
    settings = Pair(tmp_path).ours
    first, second = (commitments.key_of(settings, name) for name in ("ab" * 32, "sweeps"))
    assert first != second
    assert commitments.key_of(settings, "ab" * 32) == first
    file = settings.tickets.folder / commitments.FILE
    assert file.stat().st_mode & 0o077 == 0
    due = hashlib.blake2b(
        b"sweeps", key=file.read_bytes(), digest_size=32, person=b"greenlane/keys/1"
    )
    assert second == due.digest()
    assert [each.name for each in file.parent.iterdir() if "commit" in each.name] == [file.name]


def test_a_file_that_is_no_key_is_named_and_none_is_drawn(tmp_path: Path) -> None:
    settings = Pair(tmp_path).ours
    file = settings.tickets.folder / commitments.FILE
    file.write_bytes(bytes(31))
    with pytest.raises(LocalFault, match=r"commitments\.key"):
        commitments.key_of(settings, "ab" * 32)
    assert file.read_bytes() == bytes(31)


@pytest.mark.parametrize("repeats", [0, 700])
def test_a_set_is_committed_to_while_it_is_grouped_or_later(repeats: int) -> None:
    texts = Array([f"{row}" for row in [*range(5000), *range(repeats)]], DataType.large_string())
    blocks = []
    for key in (None, bytes(32)):
        grouping = _core.Grouping("plate", 1)
        grouping.add([texts])
        blocks.append(Elements(grouping.finish(key)[0]))
    plain, committed = blocks
    assert len(committed) == 5000
    rows = sorted(committed[place][:16] for place in range(5000))
    for key in (bytes(32), bytes(31) + b"\1"):
        due = blake3(b"".join(rows), key=key).digest()
        for elements in (plain, committed, Elements(bytes(committed.block))):
            assert elements.commitment(key) == due


def test_the_key_of_a_ticket_is_shown_for_an_auditor(tmp_path: Path, run: Run) -> None:
    settings = Pair(tmp_path).ours
    digest = "ab" * 32
    left = run("audit", "key", digest, "--settings", settings.path, "--json")
    assert left.json == {"ticket_digest": digest, "key": commitments.key_of(settings, digest).hex()}
    refused = run("audit", "key", "no digest", "--settings", settings.path)
    assert (refused.status, "64 hexadecimal digits" in refused.err) == (2, True)
