"""Inquiries between two nodes on the loopback: answers, tables that were tampered with, limits."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parties.answering import answers
from parties.channel import Identity, Node
from parties.checking import check
from parties.credentials import read_credentials
from parties.disclosure import Column
from parties.errors import (
    LocalFault,
    PartyError,
    PeerRefused,
    SettingsError,
    TableRefused,
)
from parties.founding import FILE, found, introduce
from parties.inquiring import (
    AsyncInquirer,
    Inquirer,
    InquiryFailure,
    InquiryReport,
    inquire,
    inquire_all,
)
from parties.limits import Limits
from parties.preparing import prepare
from parties.refusals import Refusal
from parties.settings import Settings, SourceSettings
from parties.settings_file import load
from parties.sources import open_source
from parties.tables import Fetched, Held, Manifest, ShardFile, Signed, sign, verify
from parties.tables.building import SHARD, SMALLEST, capacity_for, shards_for
from parties.tables.files import Journal, write_whole
from parties.tables.manifest import Files, root
from parties.tables.sealing import Passphrase, WrappingKey, read_key, wrapping, write_key
from psi import Elements, Meter, _core
from psi.errors import BoundExceeded, CheckFailed, ProofFailed
from psi.tables import Shard

PASSPHRASE = "correct horse battery staple"
CLAIMS = (
    "claim_no,insured_id,driver_id,phone,plate,vin,amount\n"
    "C-1,11010519491231002X,,13800138000,浙A12345,,100\n"
    "C-2,11010519491231002X,,,浙A12345,,200\n"
    "C-3,,,,粤BD12345,,300\n"
)


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase, and one that is quick to stretch."""
    monkeypatch.setenv("GREENLANE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setattr("parties.tables.sealing.COST", 1 << 4)


@dataclass
class Pair:
    """An insurer that holds tables and a police node that asks."""

    folder: Path
    changes: dict[str, Any]

    @property
    def insurer(self) -> Settings:
        settings = load(self.folder / "insurer" / FILE)
        peer = settings.peers[0]._replace(**({"may": ("inquire",)} | self.changes))
        return settings._replace(peers=(peer,))

    @property
    def police(self) -> Settings:
        return load(self.folder / "police" / FILE)

    def prepare(self, *sets: str, epoch: str | None = None, whole: bool = False) -> None:
        prepare(self.insurer, "police", sets, epoch, Meter(), whole=whole)

    @contextmanager
    def serving(self, **options: Any) -> Iterator[Settings]:
        """Runs the insurer; gives settings of the police that know its port."""
        node = self.insurer.node
        identity = Identity(node.certificate, node.key)
        answer, peers = answers(self.insurer), self.insurer.peers
        server = Node("127.0.0.1:0", identity, peers, answer, **options)
        port = server.start()
        police = self.police
        try:
            peer = police.peers[0]._replace(address=f"127.0.0.1:{port}")
            yield police._replace(peers=(peer,))
        finally:
            server.stop(0)

    def ask(self, **asked: list[str]) -> InquiryReport:
        with self.serving() as police:
            return inquire(police, "insurer", asked, Meter())

    def held(self, name: str = "plate") -> Held:
        return Held(self.insurer.tables, self.insurer.peers[0], name)

    def fetched(self, name: str = "plate") -> Fetched:
        return Fetched(self.police.tables, self.police.peers[0], name)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    (tmp_path / "insurer").mkdir()
    (tmp_path / "insurer/claims.csv").write_text(CLAIMS, encoding="utf-8")
    found(tmp_path / "insurer", "insurer", "insurer", "127.0.0.1:7443")
    found(tmp_path / "police", "police", "police", "127.0.0.1:7444")
    introduce(tmp_path / "insurer" / FILE, tmp_path / "police" / FILE)
    return Pair(tmp_path, {})


def rows(report: InquiryReport) -> dict[str, list[str]]:
    """The claims that were told, by what was asked."""
    return {
        each.value: [row["claim_no"] for row in each.rows or ()]
        for each in report.told
        if each.records
    }


def test_an_inquiry_tells_the_agreed_columns_of_what_was_asked_and_nothing_else(
    pair: Pair,
) -> None:
    pair.prepare("plate", "person")
    report = pair.ask(plate=["浙A12345", "浙A-12345", "京A00001"], person=["11010519491231002x"])
    assert rows(report) == {
        "浙A12345": ["C-1", "C-2"],
        "浙A-12345": ["C-1", "C-2"],
        "11010519491231002x": ["C-1", "C-2"],
    }
    assert [each.records for each in report.told] == [2, 2, 0, 2]
    assert set(report.told[0].rows[0]) == {"claim_no", "amount"}
    # Two spellings are one question; the counter has three elements.
    limits = Limits(pair.insurer.tables.counts)
    assert limits.asked("police") == 3
    again = pair.ask(plate=["粤BD12345"])
    assert rows(again) == {"粤BD12345": ["C-3"]}
    assert again.heard_bytes < 4000 < report.heard_bytes, "the table was fetched once"
    assert limits.asked("police") == 4
    assert list(again.epochs) == ["plate"]


def test_members_alone_are_told_where_nothing_is_disclosed(pair: Pair) -> None:
    pair.changes["disclose"] = ()
    pair.prepare("plate")
    report = pair.ask(plate=["浙A12345", "京A00001"])
    assert [(each.records, each.rows) for each in report.told] == [(1, None), (0, None)]
    assert "plate 浙A12345: found" in "\n".join(report.lines())


def test_what_is_no_identifier_is_not_asked_about(pair: Pair) -> None:
    pair.prepare("plate")
    report = pair.ask(plate=["nonsense", "浙A12345", ""])
    assert [each.asked for each in report.told] == [False, True, False]
    assert all(each.reason for each in report.told if not each.asked)
    assert Limits(pair.insurer.tables.counts).asked("police") == 1
    assert json.loads(json.dumps(report.as_json()))["told"][1]["records"] == 2


def test_several_peers_are_asked_at_once_and_a_program_with_an_event_loop_goes_on(
    pair: Pair,
) -> None:
    pair.prepare("plate")
    with pair.serving() as police:
        twice = inquire_all(police, ["insurer", "insurer"], {"plate": ["浙A12345"]}, Meter())
        assert [rows(each) for each in twice] == [{"浙A12345": ["C-1", "C-2"]}] * 2

        async def many() -> list[InquiryReport]:
            async with AsyncInquirer(police, "insurer") as inquirer:
                calls = [inquirer.ask({"plate": [plate]}) for plate in ("浙A12345", "京A1")]
                return await asyncio.gather(*calls)

        assert [rows(each) for each in asyncio.run(many())] == [{"浙A12345": ["C-1", "C-2"]}, {}]


def test_an_inquirer_stays_connected_and_survives_errors_and_restarts(pair: Pair) -> None:
    pair.changes["daily_inquiries"] = 3
    pair.prepare("plate")
    with pair.serving() as police:
        with Inquirer(police, "insurer") as inquirer:
            for _ in range(3):
                assert rows(inquirer.ask({"plate": ["浙A12345"]}))
            with pytest.raises(PeerRefused, match="less than that today"):
                inquirer.ask({"plate": ["浙A12345"]})
            assert inquirer.ask({"plate": []}).told == ()
            (node,) = inquirer._idle
            assert node._connected is not None
        assert node._connected is None
    with pytest.raises(SettingsError, match="no peer"):
        Inquirer(pair.police, "nobody")


def test_to_prepare_again_evaluates_nothing_twice_and_a_new_epoch_everything(pair: Pair) -> None:
    pair.prepare("plate")
    held, first = pair.held(), pair.held().manifest()
    journal = (
        pair.folder / f"insurer/tables/held/police/plate/epochs/{first.epoch}/evaluated/0000-0001"
    )
    evaluated = journal.read_bytes()
    claims = pair.folder / "insurer/claims.csv"
    claims.write_text(CLAIMS + "C-4,,,,京A00001,,5\n", encoding="utf-8")
    pair.prepare("plate")
    second = held.manifest()
    assert journal.read_bytes().startswith(evaluated)
    # One element more: its 64 bytes, what sealing adds, and the length of the block.
    assert len(journal.read_bytes()) == len(evaluated) + 64 + 40 + 4
    assert (second.number, second.public) == (first.number + 1, first.public)
    assert rows(pair.ask(plate=["京A00001"])) == {"京A00001": ["C-4"]}
    pair.prepare("plate", epoch="next")
    third = held.manifest()
    assert (third.number, third.epoch) == (second.number + 1, "next")
    assert third.public != second.public
    report = pair.ask(plate=["京A00001", "浙A12345"])
    assert rows(report) == {"京A00001": ["C-4"], "浙A12345": ["C-1", "C-2"]}
    assert report.epochs == {"plate": "next"}


def test_a_build_that_was_cut_off_goes_on(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parties.tables.building.PART", 1)
    appended: list[int] = []
    append = Journal.append

    def stop_at_the_second(self: Journal, block: bytes) -> None:
        if len(appended) == 1:
            raise KeyboardInterrupt
        appended.append(len(block))
        append(self, block)

    monkeypatch.setattr(Journal, "append", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        pair.prepare("plate")
    assert pair.held().manifest() is None
    epoch = next((pair.folder / "insurer/tables/held/police/plate/epochs").glob("2*")).name
    # The machine stopped in the middle of a block.
    journal = pair.folder / f"insurer/tables/held/police/plate/epochs/{epoch}/evaluated/0000-0001"
    with journal.open("ab") as file:
        file.write((100).to_bytes(4, "little") + b"half")
    monkeypatch.setattr(Journal, "append", append)
    meter = Meter()
    prepare(pair.insurer, "police", ("plate",), epoch, meter)
    assert (meter.total, meter.done) == (2, 2)
    assert len(list(Journal(journal).blocks())) == 2
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


def test_a_damaged_journal_is_told_unless_a_stop_may_have_done_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.tables.building.PART", 1)
    pair.prepare("plate", epoch="one")
    epoch = pair.folder / "insurer/tables/held/police/plate/epochs/one"
    whole = (epoch / "evaluated/0000-0001").read_bytes()

    def damage(path: Path, at: int) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    damage(epoch / "evaluated/0000-0001", 40)
    with pytest.raises(LocalFault, match=r"evaluated/0000-0001: block 0 is damaged"):
        pair.prepare("plate", whole=True)
    for tail in (whole[:-3], whole[:-1] + b"x", whole + bytes(500)):
        (epoch / "evaluated/0000-0001").write_bytes(tail)
        pair.prepare("plate", whole=True)
        assert len(list(Journal(epoch / "evaluated/0000-0001").blocks())) == 2
    damage(epoch / "contents/0000-0001", 40)
    pair.prepare("plate")
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


# What has changed.


def write_claims(pair: Pair, told: dict[str, list[str]]) -> None:
    """Claims of these numbers for these plates."""
    lines = [f"{number},,,,{plate},,1" for plate, numbers in told.items() for number in numbers]
    text = "\n".join([CLAIMS.splitlines()[0], *lines]) + "\n"
    (pair.folder / "insurer/claims.csv").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("shards", [1, 4])
def test_any_sequence_of_changes_reads_as_the_records_are(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    """A model is a dictionary; what was asked for is all plates that ever were."""
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    monkeypatch.setattr("parties.tables.making.shards_for", lambda entries: shards)
    pair.changes["daily_inquiries"] = 10_000
    random = Random(7)
    told = {f"浙A{n:05d}": [f"C-{n}"] for n in range(120)}
    ever, generations, number = dict.fromkeys(told), set[int](), 1000
    write_claims(pair, told)
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        for step in range(12):
            pair.prepare("plate", whole=step == 8)
            manifest = pair.held().manifest()
            assert manifest.number == step + 1
            generations.add(len(manifest.generations))
            report = inquirer.ask({"plate": list(ever)})
            found = {plate: sorted(numbers) for plate, numbers in rows(report).items()}
            assert found == {plate: sorted(numbers) for plate, numbers in told.items()}, (7, step)
            for plate in random.sample(sorted(ever), 4):
                number += 1
                match random.choice(("gone", "other", "more", "back")):
                    case "gone":
                        told.pop(plate, None)
                    case "other" | "back":
                        told[plate] = [f"C-{number}"]
                    case _:
                        told[plate] = [*told.get(plate, []), f"C-{number}"]
            new = f"粤B{step:05d}"
            told[new], ever[new] = [f"C-{number}x{i}" for i in range(random.randrange(1, 4))], None
            write_claims(pair, told)
    assert max(generations) >= 3, "most changes were generations of their own"


def test_nothing_new_is_no_new_table_and_much_is_a_whole_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    told = {f"浙A{n:05d}": [f"C-{n}"] for n in range(100)}
    write_claims(pair, told)
    pair.prepare("plate")
    first = pair.held().manifest()
    pair.prepare("plate")
    assert pair.held().manifest() == first
    told["浙A00001"] = ["C-x"]
    write_claims(pair, told)
    pair.prepare("plate")
    assert len(pair.held().manifest().generations) == 2
    told |= {f"浙A{n:05d}": [f"D-{n}"] for n in range(50)}
    write_claims(pair, told)
    pair.prepare("plate")
    assert len(pair.held().manifest().generations) == 1
    # A longer record than the labels have room for, other columns, another epoch: as a whole.
    for change in ("long", "columns", "epoch"):
        told["浙A00002"] = ["C-" + "9" * 80] if change == "long" else told["浙A00002"]
        write_claims(pair, told)
        if change == "columns":
            pair.changes["disclose"] = ("claim_no", "amount", "vin")
        pair.prepare("plate", epoch="other" if change == "epoch" else None)
        assert len(pair.held().manifest().generations) == 1, change
        assert rows(pair.ask(plate=["浙A00002"])) == {"浙A00002": told["浙A00002"]}


@pytest.mark.parametrize("place", ["publish", "remember"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_table_that_was_stopped_anywhere_is_made_right_the_next_time(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, place: str, whole: bool
) -> None:
    """Stopped before it is served, or before what it holds was written down."""
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    told = {f"浙A{n:05d}": [f"C-{n}"] for n in range(100)}
    write_claims(pair, told)
    pair.prepare("plate")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    told["浙A00001"] = ["D-1"]
    del told["浙A00002"]
    write_claims(pair, told)
    with monkeypatch.context() as patch:
        if place == "publish":
            patch.setattr(Held, "publish", stop)
        else:
            patch.setattr("parties.tables.making.remember", stop)
        with pytest.raises(KeyboardInterrupt):
            pair.prepare("plate", whole=whole)
    # Back to what it was: what the stopped table said of it must not stand.
    told["浙A00001"], told["浙A00003"] = ["C-1"], ["E-3"]
    write_claims(pair, told)
    pair.prepare("plate")
    report = pair.ask(plate=[f"浙A{n:05d}" for n in range(100)])
    assert rows(report) == told


# What the settings and the holder refuse.


def test_a_peer_inquires_only_if_it_may_and_a_table_is_there(pair: Pair) -> None:
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "no-table"
    pair.changes["may"] = ("count", "match")
    with pytest.raises(SettingsError, match='add "inquire" to its `may`'):
        pair.prepare("plate")
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "way-not-allowed"


def test_the_daily_limit_is_the_holders_and_survives_it(pair: Pair) -> None:
    pair.changes["daily_inquiries"] = 3
    pair.prepare("plate", "person")
    assert pair.ask(plate=["浙A12345", "京A00001"]).told
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A00001", "浙A00002"])
    assert refused.value.code == "over-limit"
    limits = Limits(pair.insurer.tables.counts)
    assert limits.asked("police") == 2, "what was refused is not counted"
    # Both sets of one inquiry count, or neither does.
    with pytest.raises(PeerRefused):
        pair.ask(plate=["浙A00001"], person=["11010519491231002X"])
    assert limits.asked("police") == 2
    report = pair.ask(plate=[])
    assert not report.told, "to fetch costs nothing"


def test_a_count_that_cannot_be_written_answers_nothing(pair: Pair) -> None:
    pair.prepare("plate")
    pair.insurer.tables.counts.mkdir()
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "local"


def test_a_question_is_answered_once(tmp_path: Path) -> None:
    limits = Limits(tmp_path / "counts.db")
    limits.charge("police", "1", 1, 10)
    limits.charge("police", "2", 1, 10)
    limits.charge("other", "1", 1, 10)
    with pytest.raises(Refusal) as refused:
        limits.charge("police", "1", 1, 10)
    assert refused.value.code == "replayed"
    with pytest.raises(Refusal) as refused:
        limits.charge("police", "3", 9, 10)
    assert refused.value.code == "over-limit"
    limits.charge("police", "3", 8, 10)  # what was refused has not been answered
    assert limits.asked("police") == 10


def test_limits_hold_for_many_askers_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stores = [Limits(tmp_path / "counts.db") for _ in range(3)]

    def charge(number: int) -> bool:
        try:
            stores[number % 3].charge("police", str(number), 7, 500)
        except Refusal:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        admitted = sum(threads.map(charge, range(120)))
    assert admitted == 71
    assert {store.asked("police") for store in stores} == {497}
    stores[0].charge("police", "a", 3, 500)
    stores[0].charge("police", "b", 499, 500, ticket="T-1")
    assert stores[1].asked("police", ticket="T-1") == 499


# What the asker refuses.


def tampered(pair: Pair, change: Any) -> TableRefused:
    """What the police says when the insurer's manifest was changed and signed again, or not."""
    manifest = pair.held().manifest()
    changed = change(manifest)
    path = pair.folder / "insurer/tables/held/police/plate/manifest.json"
    path.write_bytes(changed.encode())
    with pytest.MonkeyPatch.context() as patch:
        # The holder says whatever stands there.
        patch.setattr("parties.inquiries._served", lambda *given: given[2].manifest())
        with pytest.raises(TableRefused) as refused:
            pair.ask(plate=["浙A12345"])
    path.write_bytes(manifest.encode())
    return refused.value


def test_a_stale_or_foreign_manifest_is_refused_by_name(pair: Pair) -> None:
    pair.prepare("plate")
    first = pair.held().manifest()
    pair.prepare("plate", whole=True)
    pair.ask(plate=["浙A12345"])
    assert tampered(pair, lambda _: first).code == "manifest-stale"
    other = lambda manifest: manifest._replace(made="2001-01-01")  # noqa: E731
    assert tampered(pair, other).code == "manifest-stale", "another one of the same number"
    newer = lambda **changes: lambda m: m._replace(number=m.number + 1, **changes)  # noqa: E731
    for changes in ({"holder": "x"}, {"asker": "x"}, {"set": "person"}, {"public": "ab" * 32}):
        assert tampered(pair, newer(**changes)).code == "manifest-other"
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


def test_an_altered_shard_is_refused_and_fetched_again(pair: Pair) -> None:
    pair.prepare("plate")
    (file,) = pair.held().manifest().files()
    path = pair.folder / f"insurer/tables/held/police/plate/shards/{file.digest}"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(TableRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "shard-altered"
    assert pair.fetched().manifest() is None
    data[-1] ^= 1
    path.write_bytes(data)
    assert rows(pair.ask(plate=["浙A12345"]))
    # One that says something else than its manifest: honest bytes, other form.
    label = lambda m: m._replace(number=9, label=(m.label or 0) + 16)  # noqa: E731
    assert tampered(pair, label).code == "shard-altered"


def test_a_fetched_shard_that_is_damaged_is_told_and_fetched_again(pair: Pair) -> None:
    pair.prepare("plate")
    assert rows(pair.ask(plate=["浙A12345"]))
    (path,) = (pair.folder / "police/tables/fetched/insurer/plate/shards").iterdir()
    data = path.read_bytes()
    for damaged in (data[:64] + bytes(len(data) - 64), data[:8] + b"\1" + data[9:]):
        path.write_bytes(damaged)
        with pytest.raises(LocalFault, match="was removed; ask again"):
            pair.ask(plate=["浙A12345"])
        assert rows(pair.ask(plate=["浙A12345"]))
    assert Limits(pair.insurer.tables.counts).asked("police") == 3, "it was seen before it asked"


def test_the_key_of_an_epoch_that_is_served_is_not_drawn_again(pair: Pair) -> None:
    pair.prepare("plate", epoch="one")
    key = pair.folder / "insurer/tables/held/police/plate/epochs/one/key.json"
    key.rename(key.with_name("kept"))
    for epoch in (None, "one"):
        with pytest.raises(LocalFault, match="put it back, or give a new --epoch"):
            pair.prepare("plate", epoch=epoch)
    key.with_name("kept").rename(key)
    pair.prepare("plate")
    assert rows(pair.ask(plate=["浙A12345"]))


def test_a_shard_that_the_holder_has_lost_or_cut_is_its_own_fault(pair: Pair) -> None:
    pair.prepare("plate")
    (file,) = pair.held().manifest().files()
    path = pair.folder / f"insurer/tables/held/police/plate/shards/{file.digest}"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "local"


def test_check_says_what_an_inquirer_would_meet(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(**changes: Any) -> dict[str, tuple[str, str]]:
        pair.changes.update(changes)
        return {each.where: (each.level, each.text) for each in check(pair.insurer)}

    assert found()["identifiers.plate for police"][0] == "doubt"
    pair.prepare("plate", "person", epoch="one")
    pair.ask(plate=["浙A12345"])
    seen = found()
    assert seen["identifiers.plate for police"] == ("fine", "table 1 of epoch one")
    assert ("fine", "has inquired 1 of 1000 of today") in seen.values()
    narrowed = found(disclose=("claim_no",))["identifiers.plate for police"]
    assert narrowed[0] == "doubt"
    assert "other columns" in narrowed[1]
    found(disclose=("claim_no", "amount"))
    monkeypatch.setenv("GREENLANE_PASSPHRASE", PASSPHRASE + "!")
    assert found()["identifiers.plate for police"][0] == "wrong"
    monkeypatch.delenv("GREENLANE_PASSPHRASE")
    assert "tables.wrapping_key" in found()["peers.police.may"][1]


def test_composites_are_not_prepared_and_rejected_cells_are_told(pair: Pair) -> None:
    path = pair.folder / "insurer" / FILE
    text = path.read_text(encoding="utf-8").replace(
        "[identifiers.vin]",
        '[identifiers.both]\nkind = "composite"\nparts = ["plate", "text"]\n'
        'columns = [["plate", "claim_no"]]\n\n[identifiers.vin]',
    )
    path.write_text(text, encoding="utf-8")
    claims = pair.folder / "insurer/claims.csv"
    claims.write_text(CLAIMS + "C-9,,,,nonsense,,1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="a composite cannot be inquired"):
        pair.prepare("both")
    (made,) = prepare(pair.insurer, "police", ("plate",), None, Meter())
    assert sum(made.rejected.values()) == 1
    assert "rejected here" in made.lines()[1]


def test_a_fetch_that_was_cut_off_goes_on_where_it_was(pair: Pair) -> None:
    pair.prepare("plate")
    (file,) = pair.held().manifest().files()
    shards = pair.folder / "police/tables/fetched/insurer/plate/shards"
    shards.mkdir(parents=True)
    whole = (pair.folder / f"insurer/tables/held/police/plate/shards/{file.digest}").read_bytes()
    (shards / f"{file.digest}.part").write_bytes(whole[:-100])
    (shards / "stale").write_bytes(b"of another table")
    report = pair.ask(plate=["浙A12345"])
    assert rows(report)
    assert report.heard_bytes < 4000
    assert [path.name for path in shards.iterdir()] == [file.digest]
    # A part that is longer than the file begins anew.
    (shards / file.digest).rename(shards / f"{file.digest}.part")
    (shards / f"{file.digest}.part").write_bytes(whole + b"more")
    assert rows(pair.ask(plate=["浙A12345"]))


def test_a_key_that_is_not_the_tables_answers_nothing_and_counts_nothing(pair: Pair) -> None:
    pair.prepare("plate", epoch="one")
    folder = pair.folder / "insurer/tables/held/police/plate/epochs/one"
    write_key(
        folder / "key.json",
        _core.VoprfKey.draw(_core.Entropy.from_os()),
        wrapping(None),
    )
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "local"
    assert Limits(pair.insurer.tables.counts).asked("police") == 0


def test_a_holder_that_switches_keys_is_refused(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _core.VoprfKey.draw(_core.Entropy.from_os())
    pair.prepare("plate")
    monkeypatch.setattr("parties.holdings.Holdings.key", lambda *_: other)
    with pytest.raises(ProofFailed):
        pair.ask(plate=["浙A12345"])


def test_what_is_found_does_not_show_at_the_holder(pair: Pair) -> None:
    """A table that counts two records of a plate and has one: it is read when the call is over."""
    pair.prepare("plate", epoch="one")
    held, manifest = pair.held(), pair.held().manifest()
    (file,) = manifest.files()
    shard = Shard.read(held.read_shard(file, 0, file.size))
    key = held.key("one", wrapping(None))
    known = _core.Evaluations(key, manifest.function.suite)
    element = Elements.hash(["浙A12345"], manifest.domain)
    known.evaluate(bytes(element.block), b"", _core.Entropy.from_os())
    # The second record of the plate is built into a shard of the same salt, then taken out.
    blinds = _core.VoprfBlinds.draw(
        manifest.function.suite, bytes(element.block), _core.Entropy.from_os()
    )
    points, proof = key.evaluate(manifest.function.suite, blinds.points(), _core.Entropy.from_os())
    outputs = blinds.finalize(manifest.function.suite, points, proof, key.public())
    places = [
        set(
            np.frombuffer(
                _core.Wanted(outputs, [0], [n], shard.salt).places(shard.shape, shard.seed),
                np.uint32,
            ).tolist()
        )
        for n in (0, 1)
    ]
    path = pair.folder / f"insurer/tables/held/police/plate/shards/{file.digest}"
    data = bytearray(path.read_bytes())
    place = (places[1] - places[0]).pop()
    data[64 + place * shard.rows.shape[1]] ^= 1
    altered = held.write_shard(bytes(data))
    changed = manifest._replace(generations=(Files((altered,)),), number=manifest.number + 1)
    (path.parents[1] / "manifest.json").write_bytes(changed.encode())
    ends: list[str] = []
    for plate, learnt in (("京A00001", True), ("浙A12345", False)):
        with pair.serving(on_end=lambda ended: ends.append(ended.code)) as police:
            if learnt:
                inquire(police, "insurer", {"plate": [plate]}, Meter())
            else:
                with pytest.raises(CheckFailed, match="fewer records"):
                    inquire(police, "insurer", {"plate": [plate]}, Meter())
    assert ends == ["done", "done"]


def test_what_a_holder_may_not_tell_any_more_it_does_not_answer_with(pair: Pair) -> None:
    pair.prepare("plate", epoch="one")
    assert pair.ask(plate=["浙A12345"]).told[0].rows[0].keys() == {"claim_no", "amount"}
    pair.changes["disclose"] = ("claim_no",)
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "no-table"
    with pytest.raises(SettingsError, match="give an --epoch"):
        pair.prepare("plate")
    pair.prepare("plate", epoch="two")
    assert pair.ask(plate=["浙A12345"]).told[0].rows[0].keys() == {"claim_no"}


def test_a_table_larger_than_was_agreed_is_not_fetched(pair: Pair) -> None:
    pair.prepare("plate")
    manifest = pair.held().manifest()
    (file,) = manifest.files()
    large = manifest._replace(number=9, generations=(Files((file._replace(size=1 << 50),)),))
    path = pair.folder / "insurer/tables/held/police/plate/manifest.json"
    path.write_bytes(large.encode())
    with pytest.raises(BoundExceeded, match=r"peers\.insurer\.max_elements"):
        pair.ask(plate=["浙A12345"])


def test_days_times_and_numbers_that_are_none_are_told_as_json(pair: Pair) -> None:
    claims = pa.table(
        {
            "plate": ["浙A12345", "粤BD12345"],
            "claim_no": pa.array([1.5, float("nan")]),
            "amount": pa.array(["2026-11-30", None]).cast(pa.date32()),
        }
    )
    path = pair.folder / "insurer/claims.parquet"
    pq.write_table(claims, path)
    source = open_source(SourceSettings("parquet", (path,)))
    prepare(pair.insurer, "police", ("plate",), None, Meter(), source)
    report = pair.ask(plate=["浙A12345", "粤BD12345"])
    told = json.loads(json.dumps(report.as_json(), allow_nan=False))["told"]
    assert [each["rows"] for each in told] == [
        [{"claim_no": 1.5, "amount": "2026-11-30"}],
        [{"claim_no": "nan", "amount": None}],
    ]


def test_what_a_holder_tells_does_not_steer_a_terminal(pair: Pair) -> None:
    claims = CLAIMS.replace("C-1", '"C\n  plate 京A00001: 7 records\x85"')
    (pair.folder / "insurer/claims.csv").write_text(claims, encoding="utf-8")
    pair.prepare("plate")
    lines = "\n".join(pair.ask(plate=["浙A12345"]).lines())
    assert "\n  plate 京A00001" not in lines
    assert "\x85" not in lines


def test_one_peer_that_fails_does_not_take_the_others_answers(pair: Pair) -> None:
    pair.prepare("plate")
    with pair.serving() as police:
        silent = police.peers[0]._replace(name="silent", address="127.0.0.1:1")
        both = police._replace(peers=(silent, *police.peers))
        failed, answer = inquire_all(both, ["silent", "insurer"], {"plate": ["浙A12345"]}, Meter())
    assert isinstance(failed, InquiryFailure)
    assert failed.as_json()["error"]["code"] == "peer-unreachable"
    assert "silent: no answer" in failed.lines()[0]
    assert isinstance(answer, InquiryReport)
    assert rows(answer)


def test_two_preparations_at_once_are_one_after_the_other(pair: Pair) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: pair.prepare("plate", epoch="one", whole=True), range(4)))
    assert pair.held().manifest().number == 4
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


def test_a_forged_signature_is_refused(pair: Pair) -> None:
    pair.prepare("plate")
    manifest = pair.held().manifest()
    node, other = pair.insurer.node, pair.police.node
    credentials = read_credentials(Identity(node.certificate, node.key))
    signed = sign(manifest, credentials)
    assert verify(signed)[0] == manifest
    theirs = read_credentials(Identity(other.certificate, other.key))
    for forged in (
        signed._replace(manifest=manifest._replace(number=7).encode()),
        signed._replace(signature=signed.signature[:-1]),
        signed._replace(signature=b""),
        signed._replace(certificate=theirs.leaf_der),
        signed._replace(certificate=b"no certificate"),
    ):
        with pytest.raises(TableRefused) as refused:
            verify(forged)
        assert refused.value.code == "manifest-forged"
    # Signed well, by somebody whom the police has not pinned as the insurer.
    from parties.inquiries import _checked

    stranger = sign(manifest, theirs)
    (spec,) = pair.police.sets(("plate",))
    with pytest.raises(TableRefused, match="that signed a manifest was not issued") as refused:
        _checked(pair.police, pair.police.peers[0], stranger, spec, None)
    assert refused.value.code == "manifest-forged"


# Manifests, keys and files.

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
