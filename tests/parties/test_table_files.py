"""What tables are made of on this machine: manifests, sealed keys, journals, classes of sizes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from green import CLAIMS, PASSPHRASE, Pair, rows

from parties.disclosure import Column
from parties.errors import (
    LocalFault,
    PartyError,
    SettingsError,
    TableRefused,
)
from parties.kept import Kept
from parties.tables import Manifest, ShardFile, Signed
from parties.tables.building import SHARD, SMALLEST, capacity_for, shards_for
from parties.tables.files import Journal
from parties.tables.manifest import Files, root
from parties.tables.sealing import Passphrase, WrappingKey, read_key, wrapping, write_key
from parties.whole_files import write_whole
from psi import _core

pytestmark = pytest.mark.usefixtures("passphrase")

A_FILE = ShardFile("ab" * 32, 100)


def manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "holder": "insurer",
        "asker": "police",
        "set": "plate",
        "domain": "greenlane/1/plate",
        "normaliser": "cd" * 32,
        "epoch": "2026-11",
        "number": 3,
        "public": "ef" * 32,
        "columns": (Column("claim_no", "text"), Column("金额", "number")),
        "label": 64,
        "made": "2026-11-30",
        "generations": (Files((A_FILE,), A_FILE), Files((A_FILE, A_FILE))),
    }
    return Manifest(**(values | changes))


def test_a_manifest_is_read_as_it_was_written_and_in_no_other_form() -> None:
    written = manifest().encode()
    assert Manifest.decode(written) == manifest()
    assert written.isascii()
    values = json.loads(written)
    wrong = [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        written + b" ",
        json.dumps(values).encode(),
        *(_encoded(values | {name: None}) for name in values if name != "label"),
        *(_encoded(values | {"number": number}) for number in (-1, True, 1.5, 1 << 63)),
        *(_encoded(values | {"label": label}) for label in (-1, "x")),
        *(
            _encoded(values | {"generations": g})
            for g in ([], [[[], None]], [[[A_FILE] * 3, None]])
        ),
        _encoded(values | {"columns": [["a", "blob"]]}),
        _encoded(values | {"root": "00" * 32}),
        _encoded(values | {"public": "EF" * 32}),
        _encoded(values | {"more": 1}),
        _encoded(values | {"generations": [[[["../../etc", 100]], None]]}),
    ]
    for data in wrong:
        with pytest.raises(TableRefused) as refused:
            Manifest.decode(data)
        assert refused.value.code == "manifest-malformed"


def _encoded(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def test_the_root_is_that_of_rfc_6962() -> None:
    """The tree by its definition: split at the largest power of two below the number of leaves."""

    def tree(leaves: list[bytes]) -> bytes:
        if not leaves:
            return hashlib.sha256().digest()
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + leaves[0]).digest()
        split = 1 << ((len(leaves) - 1).bit_length() - 1)
        left, right = tree(leaves[:split]), tree(leaves[split:])
        return hashlib.sha256(b"\1" + left + right).digest()

    for count in range(20):
        digests = [hashlib.sha256(bytes([i])).digest() for i in range(count)]
        assert root([ShardFile(digest.hex(), 64) for digest in digests]) == tree(digests)


def test_a_key_file_opens_by_what_sealed_it_alone(tmp_path: Path, pair: Pair) -> None:
    key = _core.VoprfKey.draw(_core.Entropy.from_os())
    ways = [
        Passphrase(PASSPHRASE),
        Passphrase(PASSPHRASE + "!"),
        WrappingKey(pair.insurer.node.key),
        WrappingKey(pair.police.node.key),
    ]
    for number, by in enumerate(ways):
        path = tmp_path / f"{number}.json"
        write_key(path, key, by)
        assert path.stat().st_mode & 0o077 == 0
        assert key.public().hex() in path.read_text()
        for other in ways:
            if other is by:
                assert read_key(path, other).public() == key.public()
            else:
                with pytest.raises(PartyError) as refused:
                    read_key(path, other)
                assert "does not open" in str(refused.value) or "other way round" in str(
                    refused.value
                )


@pytest.mark.parametrize(
    "change",
    [
        {"greenlane_key": 2},
        {"wrapped": {"by": "passphrase", "scrypt": 1 << 30, "salt": "00"}},
        {"wrapped": {"by": "nobody"}},
        {"sealed": "zz"},
        {"public": 7},
    ],
)
def test_a_damaged_key_file_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "key.json"
    write_key(path, _core.VoprfKey.draw(_core.Entropy.from_os()), Passphrase(PASSPHRASE))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(LocalFault, match="is no key file"):
        read_key(path, Passphrase(PASSPHRASE))
    with pytest.raises(LocalFault, match="cannot be read"):
        read_key(tmp_path / "none.json", Passphrase(PASSPHRASE))


def test_what_seals_keys_must_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    monkeypatch.setenv("GREENLANE_PASSPHRASE", "short")
    with pytest.raises(SettingsError, match="12 characters or more"):
        wrapping(None)
    monkeypatch.delenv("GREENLANE_PASSPHRASE")
    with pytest.raises(SettingsError, match=r"set tables\.wrapping_key to a PEM file"):
        wrapping(None)
    with pytest.raises(SettingsError, match="cannot be read"):
        wrapping(tmp_path / "none.pem")
    with pytest.raises(SettingsError, match="is no private key in PEM"):
        wrapping(pair.insurer.node.certificate)


def test_numbers_of_shards_and_capacities_are_classes() -> None:
    assert [shards_for(n) for n in (0, 1, SHARD, SHARD + 1, 3 * SHARD, 100_000_000)] == [
        1, 1, 1, 2, 4, 128,
    ]  # fmt: skip
    assert [capacity_for(n) for n in (0, 1, SMALLEST, SMALLEST + 1)] == [1024, 1024, 1024, 1056]
    previous = 0
    for n in range(1, 20_000, 37):
        capacity = capacity_for(n)
        assert capacity >= max(n, previous)
        assert n <= SMALLEST or capacity <= n * 33 / 32 + 1
        previous = capacity


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "folder/file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(LocalFault, match="cannot be written"):
        write_whole(tmp_path / "blocked/file", b"x")


def test_a_journal_gives_whole_blocks_whatever_it_was_cut_to(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    assert list(journal.blocks()) == []
    for block in (b"a" * 10, b"b", b"c" * 5):
        journal.append(block)
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        again = Journal(path)
        blocks = list(again.blocks())
        assert blocks == [b"a" * 10, b"b", b"c" * 5][: len(blocks)]
        again.append(b"new")
        assert again.last() == b"new"
        assert list(Journal(path).blocks()) == [*blocks, b"new"]


def test_found_labels_are_those_of_the_records(pair: Pair) -> None:
    """As many claims for one plate as make several steps of looking."""
    lines = [f"C-{i},,,,浙A12345,,{i}" for i in range(100)]
    claims = pair.folder / "insurer/claims.csv"
    claims.write_text(CLAIMS.splitlines()[0] + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    pair.prepare("plate")
    report = pair.ask(plate=["浙A12345"])
    assert sorted(rows(report)["浙A12345"]) == sorted(f"C-{i}" for i in range(100))
    assert np.unique([row["amount"] for row in report.told[0].rows or ()]).size == 100


def test_a_signed_manifest_that_is_kept_is_checked_again(pair: Pair) -> None:
    pair.prepare("plate")
    pair.ask(plate=["浙A12345"])
    path = pair.folder / "police/tables/fetched/insurer/plate/manifest.json"
    signed = Signed(*map(bytes.fromhex, json.loads(path.read_bytes())))
    path.write_text(json.dumps([signed.manifest.hex(), "00", signed.certificate.hex()]))
    with pytest.raises(LocalFault, match="is damaged; remove"):
        pair.ask(plate=["浙A12345"])


def test_what_a_file_held_is_kept_as_long_as_it_is_the_same_file(tmp_path: Path) -> None:
    path, reads = tmp_path / "file", list[bytes | None]()

    def read(path: Path) -> bytes | None:
        # It comes when it has been looked for already.
        appearing = not reads
        if appearing:
            path.write_bytes(b"first")
        reads.append(path.read_bytes() if path.exists() else None)
        return reads[-1]

    kept = Kept(read)
    assert kept.get(path) == b"first"
    path.unlink()
    assert kept.get(path) is None, "kept without a stamp, it would be there for ever"
    path.write_bytes(b"other")
    assert [kept.get(path), kept.get(path)] == [b"other", b"other"]
    assert len(reads) == 3
    # Another of the same size, set back to the same time.
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(b"third")
    os.utime(path, ns=times)
    assert kept.get(path) == b"third"
