"""The second question of an asker that stays: one flight each way, and nothing is let go for it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from green import CLAIMS, Pair, rows
from trial import cleared

from parties import asking_again, inquiries
from parties.agreement import read_proposal
from parties.channel import Identity, Peer
from parties.clearance import Clearance
from parties.errors import PeerRefused
from parties.holdings import Holdings
from parties.inquiring import Inquirer
from parties.job import Job
from parties.settings import Settings
from parties.tickets.trial import file_of
from parties.wire.v1 import job_pb2 as wire
from psi import _core
from psi.dialogue import HEAR
from psi.errors import MalformedMessage, PeerIncompatible, ProofFailed
from psi.protocols.inquiry import BIN


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many calls were made of either form, and how many receipts were given."""
    counted: Counter[str] = Counter()

    def counting(form: str, real: Any) -> Any:
        def count(self: Peer, *given: Any) -> Any:
            counted["receipt" if given[0].__name__ == "give" else form] += 1
            return real(self, *given)

        return count

    for form in ("call", "exchange"):
        monkeypatch.setattr(Peer, form, counting(form, getattr(Peer, form)))
    return counted


def asked(pair: Pair) -> int:
    return pair.asked()


def test_the_second_question_is_one_flight_with_the_same_answer_and_is_counted(
    pair: Pair, calls: Counter[str]
) -> None:
    pair.prepare("plate", "person")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        first = inquirer.ask({"plate": ["浙A12345", "京A00001"]})
        second = inquirer.ask({"plate": ["浙A12345", "京A00001"]})
        assert calls == {"call": 1, "exchange": 1}
        assert second.told == first.told
        assert second.epochs == first.epochs
        assert asked(pair) == 4
        # Another set is not known yet, two sets and none are not asked about in one flight.
        assert inquirer.ask({"person": ["11010519491231002x"]}).told[0].records == 2
        both = inquirer.ask({"plate": ["浙A12345"], "person": ["11010519491231002x"]})
        assert [each.records for each in both.told] == [2, 2]
        assert inquirer.ask({"plate": []}).told == ()
        assert calls == {"call": 4, "exchange": 1}
        inquirer.ask({"person": ["11010519491231002x"]})
        assert calls == {"call": 4, "exchange": 2}
    assert asked(pair) == 8
    assert first.session != second.session


@pytest.mark.parametrize(("size", "form"), [(BIN, "exchange"), (BIN + 1, "call")])
def test_one_bin_goes_in_a_flight_and_more_does_not(
    pair: Pair, calls: Counter[str], size: int, form: str
) -> None:
    pair.changes["daily_inquiries"] = 10_000
    pair.prepare("plate")
    plates = ["浙A12345", *(f"京A{97 * number:05}" for number in range(size - 1))]
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["粤BD12345"]})
        calls.clear()
        report = inquirer.ask({"plate": plates})
    assert calls == {form: 1, "receipt": 1}
    assert rows(report) == {"浙A12345": ["C-1", "C-2"]}
    assert asked(pair) == size + 1


def test_a_table_that_was_prepared_since_is_fetched_and_counted_once(
    pair: Pair, calls: Counter[str]
) -> None:
    pair.prepare("plate")
    ends: list[str] = []
    on_end = lambda ended: ends.append(ended.code)  # noqa: E731
    with pair.serving(on_end=on_end) as police, Inquirer(police, "insurer") as inquirer:
        assert not rows(inquirer.ask({"plate": ["京A00001"]}))
        claims = pair.folder / "insurer/claims.csv"
        claims.write_text(f"{CLAIMS}C-4,,,,京A00001,,400\n", encoding="utf-8")
        pair.prepare("plate")
        assert rows(inquirer.ask({"plate": ["京A00001"]})) == {"京A00001": ["C-4"]}
        assert calls == {"call": 2, "exchange": 1}
        assert rows(inquirer.ask({"plate": ["京A00001"]})) == {"京A00001": ["C-4"]}
        assert calls == {"call": 2, "exchange": 2}
    assert ends == ["done", "other-tables", "done", "done", "done"], "the last is the receipt"
    assert asked(pair) == 3


def test_files_that_are_gone_here_are_fetched_again(pair: Pair, calls: Counter[str]) -> None:
    pair.prepare("plate")
    (file,) = pair.held().manifest().files()
    folder = pair.folder / "police/tables/fetched/insurer/plate"
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["浙A12345"]})
        for path in (folder / "shards" / file.digest, folder / "manifest.json"):
            path.unlink()
            assert rows(inquirer.ask({"plate": ["浙A12345"]})) == {"浙A12345": ["C-1", "C-2"]}
        assert calls == {"call": 3}
        # One that was altered is seen, removed, and fetched again.
        shard = folder / "shards" / file.digest
        data = bytearray(shard.read_bytes())
        data[-1] ^= 1
        shard.write_bytes(data)
        assert rows(inquirer.ask({"plate": ["浙A12345"]})) == {"浙A12345": ["C-1", "C-2"]}
        assert calls == {"call": 4}
    assert asked(pair) == 4


def test_the_limit_and_what_a_peer_may_hold_as_well(pair: Pair, calls: Counter[str]) -> None:
    pair.changes["daily_inquiries"] = 3
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        for _ in range(3):
            inquirer.ask({"plate": ["浙A12345"]})
        with pytest.raises(PeerRefused) as refused:
            inquirer.ask({"plate": ["浙A12345"]})
    assert refused.value.code == "over-limit"
    assert calls == {"call": 1, "exchange": 3, "receipt": 1}
    assert asked(pair) == 3


def test_a_session_is_answered_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["浙A12345"]})
        with monkeypatch.context() as patch:  # receipts have sessions of their own
            patch.setattr("parties.inquiring.secrets.token_hex", lambda _: "ab" * 16)
            inquirer.ask({"plate": ["浙A12345"]})
            with pytest.raises(PeerRefused) as refused:
                inquirer.ask({"plate": ["浙A12345"]})
    assert refused.value.code == "replayed"
    assert asked(pair) == 2


def test_both_ends_log_as_of_any_call(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.prepare("plate")
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr("parties.logs._WAY.write", lambda event: lines.append(dict(event)))
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        for _ in range(2):
            report = inquirer.ask({"plate": ["浙A12345"]})
            events = [line["event"] for line in lines if line.get("session") == report.session]
            lines.clear()
            assert sorted(events) == sorted(
                ["inquiry_asked", "job_proposed", "inquiry_answered", "inquiry_done"]
                + 2 * ["call_began", "call_ended"]
            )
    assert "浙A12345" not in json.dumps(lines, ensure_ascii=False)


def test_a_holder_that_switches_keys_is_refused(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.prepare("plate")
    other = _core.VoprfKey.draw(_core.Entropy.from_os())
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["浙A12345"]})
        monkeypatch.setattr("parties.holdings.Holdings.key", lambda *_: other)
        with pytest.raises(ProofFailed):
            inquirer.ask({"plate": ["浙A12345"]})


def test_who_means_other_tables_than_it_says_gets_no_answer(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest is that of the holder's tables, and what the asker goes by is something else."""
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["浙A12345"]})
        known = inquirer._known["plate"]
        tables = wire.Tables.FromString(known.tables)
        tables.standing.max_elements += 1
        words = inquiries.words_of
        monkeypatch.setattr(
            asking_again,
            "words_of",
            lambda session, said, _: words(session, said, tables.SerializeToString()),
        )
        with pytest.raises(PeerIncompatible):
            inquirer.ask({"plate": ["浙A12345"]})


@pytest.mark.parametrize(("way", "size"), [("WAY_INQUIRE", 31), ("WAY_MATCH", 32)])
def test_a_digest_of_tables_has_its_length_and_belongs_to_inquiries(
    pair: Pair, way: str, size: int
) -> None:
    pair.changes["may"] = ("match", "inquire")
    police, insurer = pair.police, pair.insurer
    (spec,) = police.sets(("plate",))
    question = asking_again.Question(spec, None)  # type: ignore[arg-type]
    said = inquiries.proposal_of(
        police, police.peers[0], [question], ticket_of(police), bytes(size)
    )
    proposal = wire.Proposal.FromString(said)
    proposal.way = wire.Way.Value(way)
    with pytest.raises(MalformedMessage, match="digest of another length"):
        read_proposal(insurer, insurer.peers[0], "0" * 32, proposal.SerializeToString())


def test_who_knows_the_tables_gets_no_files_with_the_answer(pair: Pair) -> None:
    pair.prepare("plate")
    (file,) = pair.held().manifest().files()
    wish = wire.ShardRequest(digest=bytes.fromhex(file.digest)).SerializeToString()

    def ask_for_files(real: Any) -> Any:
        def ask_again(*given: Any) -> Any:
            dialogue = real(*given)
            yield next(dialogue)
            yield wish
            yield from dialogue

        return ask_again

    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["浙A12345"]})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("parties.inquiring.ask_again", ask_for_files(asking_again.ask_again))
            with pytest.raises(PeerRefused) as refused:
                inquirer.ask({"plate": ["浙A12345"]})
        assert refused.value.code == "malformed-message"
        assert asked(pair) == 1
        assert rows(inquirer.ask({"plate": ["浙A12345"]}))


def ticket_of(police: Settings) -> Clearance:
    """The ticket that `greenlane init` has made, for a question about plates."""
    job = Job("ab" * 16, "inquire", police.sets(("plate",)), we_receive=True)
    return cleared(
        police, job, (police.tickets.folder / file_of("inquire", "insurer")).read_bytes()
    )


@pytest.mark.parametrize("way", ["WAY_COUNT", "WAY_MATCH", "WAY_INQUIRE"])
def test_nothing_else_is_taken_all_at_once(pair: Pair, way: str) -> None:
    pair.changes["may"] = ("count", "match", "inquire")
    pair.prepare("plate")
    (spec,) = pair.police.sets(("plate",))

    def ask(police: Any) -> Any:
        question = asking_again.Question(spec, None)  # type: ignore[arg-type]
        said = inquiries.proposal_of(police, police.peers[0], [question], ticket_of(police), b"")
        proposal = wire.Proposal.FromString(said)
        proposal.way = wire.Way.Value(way)
        name = way.removeprefix("WAY_").lower()
        proposal.ticket = (police.tickets.folder / file_of(name, "insurer")).read_bytes()  # type: ignore[arg-type]
        if name != "inquire":
            proposal.inputs.append(bytes(32))
        yield proposal.SerializeToString()
        yield wire.ShardRequest(elements=[1]).SerializeToString()
        yield HEAR

    ends: list[str] = []
    on_end = lambda ended: ends.append(ended.code)  # noqa: E731
    with pair.serving(on_end=on_end) as police:
        node = police.node
        peer = Peer(Identity(node.certificate, node.key), police.peers[0])
        with pytest.raises(PeerRefused) as refused:
            peer.exchange(ask(police), "ab" * 16)
    assert refused.value.code == "unexpected-message"
    assert ends == ["unexpected-message"]
    assert asked(pair) == 0


def test_signatures_may_differ_and_certificates_may_not(
    pair: Pair, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.prepare("plate")
    sign = Holdings.sign

    def signing(**other: bytes) -> None:
        monkeypatch.setattr(Holdings, "sign", lambda *given: sign(*given)._replace(**other))

    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask({"plate": ["浙A12345"]})
        signing(signature=b"of another process")
        assert rows(inquirer.ask({"plate": ["浙A12345"]}))
        assert calls == {"call": 1, "exchange": 1}
        signing(certificate=b"that was renewed")
        assert rows(inquirer.ask({"plate": ["浙A12345"]}))
        assert calls == {"call": 2, "exchange": 2}
    assert asked(pair) == 3


def test_what_nobody_reads_is_not_in_the_digest() -> None:
    tables = wire.Tables(manifests=[wire.SignedManifest(manifest=b"m", certificate=b"c")])
    tables.standing.role = "insurer"
    unknown = wire.Tables.FromString(tables.SerializeToString() + b"\xf8\x07\x01")
    unknown.standing.MergeFromString(b"\xf8\x07\x01")
    assert unknown != tables
    assert inquiries.unsigned(unknown) == inquiries.unsigned(tables)
