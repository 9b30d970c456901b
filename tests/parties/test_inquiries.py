"""Inquiries between two nodes on the loopback: answers, limits, and what each end refuses."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from green import CLAIMS, PASSPHRASE, Pair, rows

from parties.channel import Identity
from parties.checking import check
from parties.credentials import read_credentials
from parties.errors import (
    LocalFault,
    PartyError,
    PeerRefused,
    SettingsError,
    TableRefused,
)
from parties.inquiring import AsyncInquirer, Inquirer, inquire, inquire_all
from parties.inquiry_books import InquiryBooks
from parties.inquiry_reports import InquiryFailure, InquiryReport
from parties.preparing import prepare
from parties.settings import SourceSettings
from parties.sources import open_source
from parties.tables import ShardFile, sign, verify
from parties.tables.manifest import Files
from parties.tables.sealing import wrapping, write_key
from psi import Elements, Meter, _core
from psi.errors import BoundExceeded, CheckFailed, ProofFailed
from psi.tables import Shard


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
    assert pair.asked() == 3
    again = pair.ask(plate=["粤BD12345"])
    assert rows(again) == {"粤BD12345": ["C-3"]}
    assert again.heard_bytes < 4000 < report.heard_bytes, "the table was fetched once"
    assert pair.asked() == 4
    assert list(again.epochs) == ["plate"]


def test_members_alone_are_told_where_nothing_is_disclosed(pair: Pair) -> None:
    pair.changes["disclose"] = ()
    pair.prepare("plate")
    report = pair.ask(plate=["浙A12345", "京A00001"])
    assert [(each.records, each.rows) for each in report.told] == [(1, None), (0, None)]
    assert "plate 浙A12345: found" in "\n".join(report.lines())


@pytest.mark.parametrize("told", [True, False], ids=["columns", "members"])
def test_without_a_table_a_peer_that_allows_it_is_asked_by_a_match(pair: Pair, told: bool) -> None:
    pair.changes |= {"may": ("match", "inquire")} | ({} if told else {"disclose": ()})
    asked = {"plate": ["浙A12345", "nonsense", "京A00001"], "person": ["11010519491231002x"]}
    with pair.serving() as police:
        report = inquire(police, "insurer", asked, Meter())
        pair.prepare("plate", "person")
        prepared = inquire(police, "insurer", asked, Meter())
    assert "since it has prepared no table" in report.reason
    assert "from the table" in prepared.reason
    both = [
        [(each.set, each.value, each.records, each.asked, each.reason) for each in one.told]
        for one in (report, prepared)
    ]
    assert sorted(both[0]) == sorted(both[1])
    assert rows(report) == rows(prepared)
    assert list((pair.folder / "police/results").rglob("*.parquet")) == []
    assert pair.asked() == 3
    # Only to fetch, there must be a table; and who allows no match lacks the table.
    pair.changes["may"] = ("inquire",)
    with pair.serving() as police, pytest.raises(PeerRefused) as refused:
        inquire(police, "insurer", {"vin": ["1M8GDM9AXKP042788"]}, Meter())
    assert refused.value.code == "no-table"


def test_what_is_no_identifier_is_not_asked_about(pair: Pair) -> None:
    pair.prepare("plate")
    report = pair.ask(plate=["nonsense", "浙A12345", ""])
    assert [each.asked for each in report.told] == [False, True, False]
    assert all(each.reason for each in report.told if not each.asked)
    assert pair.asked() == 1
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
    assert pair.asked() == 2, "what was refused is not counted"
    # Both sets of one inquiry count, or neither does.
    with pytest.raises(PeerRefused):
        pair.ask(plate=["浙A00001"], person=["11010519491231002X"])
    assert pair.asked() == 2
    report = pair.ask(plate=[])
    assert not report.told, "to fetch costs nothing"


def test_a_count_that_cannot_be_written_answers_nothing(pair: Pair) -> None:
    pair.prepare("plate")
    (pair.folder / "insurer/state.db").mkdir()
    with pytest.raises(PeerRefused) as refused:
        pair.ask(plate=["浙A12345"])
    assert refused.value.code == "local"


# What the asker refuses.


def tampered(pair: Pair, change: Any) -> TableRefused:
    """What the police says when the insurer's manifest was changed and signed again, or not."""
    manifest = pair.held().manifest()
    changed = change(manifest)
    path = pair.folder / "insurer/tables/held/police/plate/manifest.json"
    path.write_bytes(changed.encode())
    with pytest.MonkeyPatch.context() as patch:
        # The holder says whatever stands there.
        patch.setattr("parties.inquiries._served", lambda *given: given[2].served())
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


def test_a_shard_that_is_none_is_refused_whatever_is_asked_about(pair: Pair) -> None:
    pair.prepare("plate")
    (good,) = pair.held().manifest().files()
    rubbish = bytes(1000)
    bad = ShardFile(hashlib.sha256(rubbish).hexdigest(), len(rubbish))
    shards = pair.folder / "insurer/tables/held/police/plate/shards"
    (shards / bad.digest).write_bytes(rubbish)
    # What is asked about stands in one of two shards, and would not be looked for in the other.
    for number, pieces in enumerate([(good, bad), (bad, good)]):
        files = (Files(pieces),)
        change = lambda m, n=number, f=files: m._replace(number=50 + n, generations=f)  # noqa: E731
        assert tampered(pair, change).code == "shard-altered"
    assert pair.fetched().manifest() is None


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
    assert pair.asked() == 3, "it was seen before it asked"


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


def test_files_of_tables_leave_after_a_line_says_so_and_once(pair: Pair) -> None:
    pair.prepare("plate")
    pair.ask(plate=["浙A12345"])
    (given,) = pair.noted("tables_given")
    assert (given["peer"], given["sets"]) == ("police", ["plate"])
    (answered,) = pair.noted("inquiry_answered")
    assert {name: given[name] for name in ("session", "ticket", "decision")} == {
        name: answered[name] for name in ("session", "ticket", "decision")
    }
    pair.ask(plate=["浙A12345"])
    assert len(pair.noted("tables_given")) == 1, "the second time all files are there"
    shutil.rmtree(pair.police.tables.folder / "fetched")
    with pytest.MonkeyPatch.context() as patch:

        def cannot(*_: object) -> None:
            raise LocalFault("the node's state cannot be kept")

        patch.setattr(InquiryBooks, "tables_given", cannot)
        with pytest.raises(PartyError):
            pair.ask(plate=["浙A12345"])
    assert not pair.fetched().kept()


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
    assert pair.asked() == 0


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
                _core.Wanted(outputs, bytes(4), n.to_bytes(4, "little"), shard.salt).places(
                    shard.shape, shard.seed
                ),
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
    assert ends == 4 * ["done"], "an answer and receipts, each time"


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
