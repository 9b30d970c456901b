"""Receipts of inquiries: each node gets the other's, and who cheats is refused by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from green import Pair
from tabled import rows as rows_of

from parties import audit, inquiries, inquiring, open_inquiries, receipting, receipts_due
from parties.audit import receipt as receipts
from parties.audit.comparing import Comparison, compare
from parties.audit.exported import ExportedLog
from parties.audit.exporting import export
from parties.audit.inquiries import InquiryReceipt, outcome_of, transcript_of
from parties.audit.page import page_of
from parties.audit.reading import StoredLog
from parties.audit.receipt import Receipt
from parties.audit.verifying import verify
from parties.channel import Identity, Peer
from parties.credentials import read_credentials
from parties.errors import PartyError, PeerLost, PeerRefused
from parties.inquiring import Inquirer
from parties.inquiry_books import InquiryBooks
from parties.limits import Allowance, Charge, Limits
from parties.refusals import Refusal
from parties.settings import Settings
from parties.store import Store
from parties.wire.v1 import job_pb2 as wire
from psi.dialogue import HEAR
from psi.errors import MalformedMessage, PsiError

PLATE = {"plate": ["浙A12345"]}


@contextmanager
def log_of(settings: Settings) -> Iterator[StoredLog]:
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        yield StoredLog(connection)


def kept(settings: Settings) -> list[tuple[str, Receipt]]:
    """Who signed each receipt that a node has, and what it says."""
    with log_of(settings) as log:
        return [(each.signer, receipts.read(each.data).receipt) for each in log.receipts()]


def opened(settings: Settings) -> list[Any]:
    """The inquiries of which receipts are due."""
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        return rows_of(connection, "inquiries")


def compared(pair: Pair) -> Comparison:
    path = pair.folder / "police.jsonl"
    path.unlink(missing_ok=True)
    with closing(Store(pair.police.store.url)) as store, store.reading() as connection:
        export(connection, path)
    with log_of(pair.insurer) as log:
        return compare(log, ExportedLog(path))


def lines(settings: Settings, *events: str) -> list[dict[str, Any]]:
    from parties.audit.showing import lines_of

    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        return [line["facts"] for line in lines_of(connection, events=events)]


def refused_with(work: Callable[[], object]) -> str:
    with pytest.raises((PartyError, PsiError)) as caught:
        work()
    return (
        caught.value.code if isinstance(caught.value, PartyError) else type(caught.value).__name__
    )


def changed(receipt: Receipt, inquiries: Sequence[InquiryReceipt], **changes: Any) -> Receipt:
    """A receipt that says this of its inquiries, and adds up."""
    return receipt._replace(
        inquiries=tuple(inquiries),
        said_bytes=sum(each.said_bytes for each in inquiries),
        heard_bytes=sum(each.heard_bytes for each in inquiries),
        transcript=transcript_of(inquiries),
        outcome=outcome_of(inquiries),
        **changes,
    )


def test_one_question_leaves_a_receipt_of_each_node_at_both(pair: Pair) -> None:
    pair.prepare("plate", "person")
    report = pair.ask(plate=["浙A12345", "京A00001"], person=["11010519491231002x"])
    ours, theirs = kept(pair.insurer), kept(pair.police)
    assert [signer for signer, _ in ours] == ["theirs", "ours"]
    assert [signer for signer, _ in theirs] == ["ours", "theirs"]
    assert {receipt for _, receipt in ours} == {receipt for _, receipt in theirs}
    by = {receipt.signer: receipt for _, receipt in ours}
    (of_police,), (of_insurer,) = by["police"].inquiries, by["insurer"].inquiries
    assert of_police.session == report.session
    assert of_police.elements == (("person", 1), ("plate", 2))
    assert (of_police.said_bytes, of_police.heard_bytes) == (report.said_bytes, report.heard_bytes)
    assert (of_insurer.said_bytes, of_insurer.heard_bytes) == (
        report.heard_bytes,
        report.said_bytes,
    )
    assert of_insurer.transcript == of_police.transcript != ""
    assert {each.learns for each in by.values()} == {"police"}
    assert {each.stage for each in by.values()} == {"disclosure"}
    (answered,) = pair.noted("inquiry_answered")
    assert answered["ticket"] == by["police"].ticket == by["insurer"].ticket
    assert "found" not in json.dumps(by["police"].as_values()), "who holds learns no number of hits"
    assert opened(pair.insurer) == opened(pair.police) == []
    comparison = compared(pair)
    assert comparison.holds, comparison.text()
    assert (comparison.sessions, comparison.inquiries, comparison.inquiries_agreed) == (0, 1, 1)
    assert "1 inquiries, 1 agreed" in "\n".join(comparison.text())


def test_questions_of_one_program_share_receipts_and_none_is_left_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (receipts_due, open_inquiries):
        monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(open_inquiries, "_DUE", open_inquiries._DUE.replace("LIMIT 64", "LIMIT 3"))
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        sessions = [inquirer.ask(PLATE).session for _ in range(8)]
        with pytest.raises(PeerRefused):
            inquirer.ask({"vin": ["1M8GDM9AXKP042788"]})  # no table: not answered
        inquirer.ask({"plate": []})  # nothing asked
    covered = [
        each.session
        for signer, receipt in kept(pair.insurer)
        if signer == "ours"
        for each in receipt.inquiries
    ]
    assert sorted(covered) == sorted(sessions)
    sizes = [len(receipt.inquiries) for signer, receipt in kept(pair.insurer) if signer == "ours"]
    assert sizes[0] == max(sizes) == 3, "then as many as were asked meanwhile"
    comparison = compared(pair)
    assert comparison.holds, comparison.text()
    assert (comparison.inquiries, comparison.inquiries_agreed) == (8, 8)


def test_a_question_that_goes_without_an_end_gets_its_receipt_soon(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_due, "SOON", 0.01)
    given = threading.Event()
    keep = receipting.keep_answer

    def keep_answer(*of: Any) -> None:
        keep(*of)
        given.set()

    monkeypatch.setattr(receipting, "keep_answer", keep_answer)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        assert given.wait(30), "while it is still connected"
        inquirer.ask(PLATE)
    assert opened(pair.insurer) == []


def test_several_askers_at_once_share_what_is_due(pair: Pair) -> None:
    pair.prepare("plate")
    errors: list[Exception] = []

    def ask(police: Settings) -> None:
        try:
            with Inquirer(police, "insurer") as inquirer:
                for _ in range(2):
                    inquirer.ask(PLATE)
        except Exception as error:
            errors.append(error)

    with pair.serving(most_calls=16) as police:
        threads = [threading.Thread(target=ask, args=(police,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert opened(pair.insurer) == opened(pair.police) == []
    comparison = compared(pair)
    assert comparison.holds, comparison.text()
    assert comparison.inquiries_agreed == 8


# What the holder does without the asker's receipt.


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Askers give no receipts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipts_due.Receipts, "give", lambda *_, **__: None)
        yield patch


def test_who_gives_no_receipts_is_answered_no_more_until_they_are_there(
    pair: Pair, silent: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_inquiries, "MOST_OPEN", 2)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        for _ in range(2):
            inquirer.ask(PLATE)
        assert refused_with(lambda: inquirer.ask(PLATE)) == "receipts-due"
        assert pair.asked() == 2, "what was refused is not counted"
    assert [each["code"] for each in pair.noted("job_refused")] == 2 * ["receipts-due"]
    assert len(opened(pair.insurer)) == 2
    with log_of(pair.insurer) as log:
        page = page_of(log)
    assert page.count("<td>inquiry answered</td>") == 2, "an auditor sees which"
    # An honest program of the same node gives what the other has not given, and is answered.
    silent.undo()
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
    assert opened(pair.insurer) == opened(pair.police) == []
    assert compared(pair).inquiries_agreed == 3


def test_receipts_that_are_due_are_given_before_the_question_is_asked_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_inquiries, "MOST_OPEN", 2)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        sessions = [inquirer.ask(PLATE).session for _ in range(5)]
        assert pair.asked() == 5
    answered = [each["session"] for each in pair.noted("inquiry_answered")]
    assert answered == sessions, "in the session in which it was refused first"
    assert compared(pair).inquiries_agreed == 5


def test_what_a_peer_has_forgotten_does_not_shut_it_out_for_ever(
    pair: Pair, silent: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_inquiries, "MOST_OPEN", 1)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        assert refused_with(lambda: inquirer.ask(PLATE)) == "receipts-due"
    with closing(Store(pair.police.store.url)) as store, store.writing() as connection:
        connection.execute("DELETE FROM inquiries")  # its store was put back from a copy
    silent.undo()
    with pair.serving() as police:
        ask = lambda: inquire_once(police)  # noqa: E731
        assert refused_with(ask) == "receipts-due"
        with closing(Store(pair.insurer.store.url)) as store, store.writing() as connection:
            connection.execute("UPDATE inquiries SET at = 0")  # long before
        ask()
    assert compared(pair).inquiries_agreed == 1


def inquire_once(police: Settings) -> None:
    with Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)


# What a cheat gets: one error with a name, and nothing is kept of it.


def give(police: Settings, signed: bytes, session: str, **more: Any) -> bytes:
    """Gives a receipt as an asker does, and returns the holder's."""
    node, peer = police.node, police.peers[0]

    def dialogue() -> Any:
        said = receipting.give(police, peer, signed)
        proposal = wire.Proposal.FromString(next(said))  # type: ignore[arg-type]
        proposal.MergeFrom(wire.Proposal(**more))
        yield proposal.SerializeToString()
        return (yield from said)

    return Peer(Identity(node.certificate, node.key), peer).exchange(dialogue(), session)


def due(pair: Pair, silent: pytest.MonkeyPatch, questions: int = 1) -> Receipt:
    """The receipt of some questions that the police would give."""
    pair.prepare("plate")
    with pair.serving() as police:
        for _ in range(questions):
            inquire_once(police)
    silent.undo()
    with closing(InquiryBooks(pair.police)) as books:
        signed = receipting.sign_next(pair.police, pair.police.peers[0], books)
    assert signed is not None
    return signed.receipt


def signed_by(settings: Settings, receipt: Receipt) -> bytes:
    credentials = read_credentials(Identity(settings.node.certificate, settings.node.key))
    return receipts.sign(receipt, credentials).data


OTHERS: dict[str, Callable[[Receipt], Receipt]] = {
    "size": lambda r: changed(r, [r.inquiries[0]._replace(elements=(("plate", 2),))]),
    "set": lambda r: changed(r, [r.inquiries[0]._replace(elements=(("person", 1),))]),
    "transcript": lambda r: changed(r, [r.inquiries[0]._replace(transcript="ab" * 32)]),
    "bytes": lambda r: changed(r, [r.inquiries[0]._replace(said_bytes=1)]),
    "inquiry": lambda r: changed(r, [r.inquiries[0]._replace(session="ab" * 16)]),
    "more": lambda r: changed(r, [*r.inquiries, r.inquiries[0]._replace(session="ab" * 16)]),
    "ticket": lambda r: r._replace(ticket="T-2026-9"),
    "digest": lambda r: r._replace(ticket_digest="ab" * 32),
    "stage": lambda r: r._replace(stage="run"),
    "learns": lambda r: r._replace(learns="insurer"),
    "session": lambda r: r._replace(session="cd" * 16),
    "police": lambda r: r._replace(insurer="other"),
    "time": lambda r: r._replace(started="2001-01-01T00:00:00.000000Z"),
}


def test_an_asker_that_says_otherwise_than_the_holder_gets_nothing(
    pair: Pair, silent: pytest.MonkeyPatch
) -> None:
    receipt = due(pair, silent)
    with pair.serving() as police:
        for name, change in OTHERS.items():
            data = signed_by(police, change(receipt))
            code = refused_with(lambda d=data: give(police, d, receipt.session))  # type: ignore[misc]
            assert code == "receipt-other", name
        forged = json.loads(signed_by(police, receipt))
        forged["receipt"]["said_bytes"] += 1
        forged["receipt"]["inquiries"][0]["said_bytes"] += 1
        data = json.dumps(forged, sort_keys=True, separators=(",", ":")).encode()
        assert refused_with(lambda: give(police, data, receipt.session)) == "receipt-forged"
        of_us = receipt._replace(signer="insurer")
        data = signed_by(pair.insurer, of_us)
        assert refused_with(lambda: give(police, data, receipt.session)) == "receipt-other"
        for rubbish in (b"", b"{}", b"\xff" * 70_000):
            code = refused_with(lambda r=rubbish: give(police, r, receipt.session))  # type: ignore[misc]
            assert code == "receipt-malformed"
        assert kept(pair.insurer) == []
        assert len(opened(pair.insurer)) == 1
        whole = signed_by(police, receipt)
        answer = give(police, whole, receipt.session)
        assert give(police, whole, receipt.session) == answer, "said again it is answered as before"
        # Once more in another session, or another receipt in this one: it has its receipts.
        again = signed_by(police, receipt._replace(session="cd" * 16))
        assert refused_with(lambda: give(police, again, "cd" * 16)) == "receipt-other"
        other = signed_by(police, OTHERS["transcript"](receipt))
        assert refused_with(lambda: give(police, other, receipt.session)) == "receipt-other"
    assert len(kept(pair.insurer)) == 2
    with log_of(pair.insurer) as log:
        assert verify(log).holds
    codes = [each["code"] for each in pair.noted("job_refused")]
    assert {*codes} == {"receipt-other", "receipt-forged", "receipt-malformed"}


def test_receipts_are_exchanged_in_a_session_of_their_own(
    pair: Pair, silent: pytest.MonkeyPatch
) -> None:
    receipt = due(pair, silent, questions=2)
    one, two = receipt.inquiries
    with pair.serving() as police:
        # Else an auditor would not see that the other one has no receipts.
        moved = changed(receipt._replace(session=one.session), [two])
        data = signed_by(police, moved)
        assert refused_with(lambda: give(police, data, one.session)) == "receipt-other"
        assert len(opened(pair.insurer)) == 2
        give(police, signed_by(police, receipt), receipt.session)
    # Nor is a run or a question put into it later, whose own receipts would have no place.
    peer = pair.insurer.peers[0].partner
    with closing(Store(pair.insurer.store.url)) as store, store.writing() as connection:
        connection.execute("DELETE FROM questions")  # as a week later
        for way in ("match", "inquire"):
            asked = Charge(peer, receipt.session, way, {"plate": 1})  # type: ignore[arg-type]
            assert refused_with(partial(Limits(store).charge, connection, asked, Allowance())) == (
                "replayed"
            )


def test_no_receipt_is_given_of_an_inquiry_that_is_being_answered(
    pair: Pair, silent: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, codes = due(pair, silent), []
    with pair.serving() as police:
        give(police, signed_by(police, receipt), receipt.session)

        def meanwhile(_: int) -> None:
            row = opened(pair.insurer)[-1]
            lost = InquiryReceipt(row.session, (("plate", 1),), 0, 0, "", "lost")
            under = {"ticket": row.ticket, "ticket_digest": row.digest, "stage": row.stage}
            data = signed_by(police, changed(receipt, [lost], session="ab" * 16, **under))
            codes.append(refused_with(lambda: give(police, data, "ab" * 16)))

        monkeypatch.setattr(inquiries, "_was_charged", meanwhile)
        inquire_once(police)
    assert codes == ["receipt-other"]


def test_a_clock_that_was_set_back_holds_no_receipt_up(
    pair: Pair, silent: pytest.MonkeyPatch
) -> None:
    receipt = due(pair, silent)
    with closing(Store(pair.insurer.store.url)) as store, store.writing() as connection:
        connection.execute("UPDATE inquiries SET at = at + 1800000000")
    with pair.serving() as police:
        answer = receipts.read(give(police, signed_by(police, receipt), receipt.session)).receipt
    assert answer.started == answer.ended


def test_a_receipt_of_several_tickets_is_none(pair: Pair, silent: pytest.MonkeyPatch) -> None:
    receipt = due(pair, silent, questions=2)
    with closing(Store(pair.insurer.store.url)) as store, store.writing() as connection:
        session = receipt.inquiries[1].session
        connection.execute(
            "UPDATE inquiries SET ticket = 'another' WHERE session = :session", {"session": session}
        )
    with pair.serving() as police:
        data = signed_by(police, receipt)
        assert refused_with(lambda: give(police, data, receipt.session)) == "receipt-other"


def test_who_gives_a_receipt_proposes_nothing_else(pair: Pair) -> None:
    others: list[dict[str, Any]] = [{"ticket": b"x"}, {"about": "x"}, {"caller_receives": True}]
    with pair.serving() as police:
        for more in others:
            code = refused_with(lambda m=more: give(police, b"", "ab" * 16, **m))  # type: ignore[misc]
            assert code == "malformed-message", more


def holder_says(
    monkeypatch: pytest.MonkeyPatch, pair: Pair, change: Callable[[Receipt], bytes]
) -> None:
    """The holder gives another receipt than its own."""
    real = receipting._exchanged

    def exchanged(*of: Any) -> bytes:
        return change(receipts.read(real(*of)).receipt)

    monkeypatch.setattr(receipting, "_exchanged", exchanged)


def test_a_holder_that_says_otherwise_than_the_asker_is_refused(pair: Pair) -> None:
    # Its own name must be in its certificate.
    others = OTHERS | {"police": lambda r: r._replace(police="other")}
    pair.prepare("plate")
    with pair.serving() as police:
        for name, change in others.items():
            with pytest.MonkeyPatch.context() as patch:
                holder_says(patch, pair, lambda r, c=change: signed_by(pair.insurer, c(r)))  # type: ignore[misc]
                assert refused_with(lambda: inquire_once(police)) == "receipt-other", name
    signers = [(signer, receipt.signer) for signer, receipt in kept(pair.police)]
    assert signers == len(others) * [("ours", "police")], "theirs are not kept"
    refused = [(line["code"], line["session"]) for line in lines(pair.police, "job_refused")]
    assert refused == [("receipt-other", receipt.session) for _, receipt in kept(pair.police)]
    assert {each.code for each in compared(pair).findings} == {"receipt-missing"}


def test_a_holder_whose_receipt_is_none_or_forged_is_refused(pair: Pair) -> None:
    pair.prepare("plate")
    for change, code in (
        (lambda _: b"", "receipt-malformed"),
        (lambda r: signed_by(pair.police, r._replace(signer="police")), "receipt-other"),
        (lambda r: _altered(signed_by(pair.insurer, r)), "receipt-forged"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            holder_says(patch, pair, change)
            assert refused_with(lambda: pair.ask(**PLATE)) == code
    # It was told each time; what is asked next has receipts again.
    pair.ask(**PLATE)
    assert [signer for signer, _ in kept(pair.police)].count("theirs") == 1


def _altered(data: bytes) -> bytes:
    return data.replace(b'"way":"inquire"', b'"way":"inquire"').replace(
        b'"stage":"disclosure"', b'"stage":"disclosurf"'
    )


def test_a_holder_that_pads_its_receipt_says_no_honest_one(pair: Pair) -> None:
    police, insurer = pair.police, pair.insurer
    said = receipting.give(police, police.peers[0], b"")
    proposal = wire.Proposal.FromString(next(said))  # type: ignore[arg-type]
    next(said)
    assert next(said) is HEAR
    with pytest.raises(MalformedMessage, match="no padding"):
        said.send(wire.Receipt(signed=b"x", padding=b"\0").SerializeToString())
    with closing(InquiryBooks(insurer)) as books:
        heard = receipting.answer(insurer, insurer.peers[0], proposal, "ab" * 16, books)
        assert next(heard) is HEAR
        with pytest.raises(MalformedMessage, match="no padding"):
            heard.send(wire.Receipt(signed=b"x", padding=b"\0").SerializeToString())


def test_a_holder_that_gives_no_receipt_is_asked_no_more(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> bytes:
        raise PeerRefused("it will not", "local")

    monkeypatch.setattr(receipting, "_exchanged", none)
    pair.prepare("plate")
    assert refused_with(lambda: pair.ask(**PLATE)) == "local"
    asked = pair.asked()
    assert refused_with(lambda: pair.ask(**PLATE)) == "local"
    assert pair.asked() == asked, "nothing was asked"
    monkeypatch.undo()
    monkeypatch.setenv("GREENLANE_PASSPHRASE", "correct horse battery staple")
    monkeypatch.setattr("parties.tables.sealing.COST", 1 << 4)
    pair.ask(**PLATE)
    assert compared(pair).inquiries_agreed == 2


def test_a_holder_that_is_gone_when_a_receipt_is_due_is_given_it_the_next_time(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.prepare("plate")
    with pair.serving() as police:
        inquirer = Inquirer(police, "insurer")
        first = inquirer.ask(PLATE)
    inquirer.close()  # the answer is good; what is due waits
    assert [each.outcome for each in opened(pair.police)] == ["done"]
    with pair.serving() as police:
        inquire_once(police)
    assert opened(pair.insurer) == opened(pair.police) == []
    covered = [each.session for _, r in kept(pair.police) for each in r.inquiries]
    assert covered.count(first.session) == 2
    comparison = compared(pair)
    assert comparison.holds, comparison.text()
    assert comparison.inquiries_agreed == 2, "the holder was stopped and begun again meanwhile"


def test_an_answer_with_the_receipt_that_is_lost_is_given_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, lost = receipting.keep_answer, [True]

    def keep_answer(*of: Any) -> None:
        if lost:
            lost.clear()
            raise PeerLost("the connection broke")
        keep(*of)

    monkeypatch.setattr(receipting, "keep_answer", keep_answer)
    pair.prepare("plate")
    pair.ask(**PLATE)
    assert (len(kept(pair.insurer)), len(kept(pair.police))) == (2, 1)
    pair.ask(**PLATE)
    assert (len(kept(pair.insurer)), len(kept(pair.police))) == (4, 4)
    assert compared(pair).inquiries_agreed == 2


# Processes that are killed.


def test_who_was_killed_says_so_and_is_not_accused(
    pair: Pair, silent: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.prepare("plate")
    monkeypatch.setattr(
        InquiryBooks, "close", lambda *_, **__: None
    )  # a process that is killed closes nothing
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
    silent.undo()
    assert [each.outcome for each in opened(pair.police)] == [""]
    # It may still run: only after a day it is taken for lost.
    with pair.serving() as police:
        inquire_once(police)
        assert len(opened(pair.police)) == 1
        monkeypatch.setattr(open_inquiries, "ENDLESS", timedelta(0))
        inquire_once(police)
    assert opened(pair.insurer) == []
    outcomes = [r.outcome for signer, r in kept(pair.police) if signer == "ours"]
    assert sorted(outcomes) == ["done", "done", "lost"]
    comparison = compared(pair)
    assert (comparison.inquiries, comparison.inquiries_agreed) == (3, 2)
    found = [each.text for each in comparison.findings]
    assert all("say different things of inquiries." in text for text in found)
    assert all(text.endswith(".outcome") for text in found)


def test_what_the_holder_never_answered_is_given_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> Any:
        raise PeerLost("the connection broke")

    pair.prepare("plate")
    with pair.serving() as police:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inquiring.Peer, "call", lost)
            assert refused_with(lambda: inquire_once(police)) == "peer-lost"
        assert [each.outcome for each in opened(pair.police)] == ["peer-lost"]
        inquire_once(police)
    assert opened(pair.insurer) == opened(pair.police) == []
    comparison = compared(pair)
    assert comparison.holds, comparison.text()
    assert (comparison.inquiries, comparison.inquiries_agreed) == (2, 1)


def test_a_holder_that_has_forgotten_is_told_once_and_asked_again(pair: Pair) -> None:
    pair.prepare("plate")
    with pair.serving() as police:
        inquirer = Inquirer(police, "insurer")
        inquirer.ask(PLATE)
        with closing(Store(pair.insurer.store.url)) as store, store.writing() as connection:
            connection.execute("DELETE FROM inquiries")
        with pytest.raises(PeerRefused) as refused:
            inquirer.close()
        assert refused.value.code == "receipt-other"
        inquire_once(police)
    found = {each.code for each in compared(pair).findings}
    assert "receipt-missing" in found, "the auditor is told"


def test_of_what_this_node_kept_from_its_own_operators_there_are_receipts_too(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(*_: Any) -> None:
        raise Refusal("sweep", "too many of a block")

    monkeypatch.setattr("parties.inquiry_books.Sweeps.keep", sweep)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        assert refused_with(lambda: inquirer.ask(PLATE)) == "sweep"
    assert pair.asked() == 1, "it was answered, while this node looked at it"
    assert opened(pair.insurer) == opened(pair.police) == []
    comparison = compared(pair)
    assert comparison.holds, comparison.text()
    assert comparison.inquiries_agreed == 1


def test_who_is_interrupted_does_not_wait_for_receipts(pair: Pair) -> None:
    pair.prepare("plate")
    with pair.serving() as police:
        with pytest.raises(KeyboardInterrupt):
            interrupted(police)
        assert kept(pair.police) == []
        inquire_once(police)
    assert compared(pair).inquiries_agreed == 2


def interrupted(police: Settings) -> None:
    with Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        raise KeyboardInterrupt


# What an auditor finds between two logs.


DISAGREE = {
    "size": "inquiries.{}.elements",
    "transcript": "inquiries.{}.transcript",
    "bytes": "inquiries.{}.heard_bytes",
    "inquiry": "inquiries",
    "ticket": "ticket",
    "outcome": "inquiries.{}.outcome",
}


def test_two_logs_that_disagree_about_an_inquiry_are_found(pair: Pair) -> None:
    """Both nodes look away while they exchange receipts; the auditor does not."""
    pair.prepare("plate")
    due_are: list[str] = []
    with pair.serving() as police:
        for name in DISAGREE:
            with pytest.MonkeyPatch.context() as patch:
                look_away(patch, pair, name)
                with Inquirer(police, "insurer") as inquirer:
                    due_are.append(inquirer.ask(PLATE).session)
    comparison = compared(pair)
    assert {each.code for each in comparison.findings} == {"receipts-disagree"}
    said = [each.text.partition("say different things of ")[2] for each in comparison.findings]
    due_fields = [text.format(of) for text, of in zip(DISAGREE.values(), due_are, strict=True)]
    assert sorted(said) == sorted(due_fields)
    assert comparison.inquiries_agreed == 0


def look_away(patch: pytest.MonkeyPatch, pair: Pair, name: str) -> None:
    """The asker signs something else, and neither minds."""
    lost = lambda r: changed(r, [r.inquiries[0]._replace(outcome="lost", transcript="")])  # noqa: E731
    change, sign, find = (OTHERS | {"outcome": lost})[name], audit.keep_ours, open_inquiries.find
    patch.setattr(receipting.audit, "keep_ours", lambda c, at, r, by: sign(c, at, change(r), by))
    patch.setattr(receipting, "_must_not_contradict", lambda *_: None)
    if name == "inquiry":
        patch.setattr(
            open_inquiries,
            "find",
            lambda c, place, _: find(c, place, [each.session for each in opened(pair.insurer)]),
        )


def test_the_page_counts_inquiries_and_their_receipts(
    pair: Pair, silent: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pair.prepare("plate")
    pair.ask(**PLATE)
    silent.undo()
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        inquirer.ask(PLATE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(receipts_due.Receipts, "give", lambda *_, **__: None)
            with pytest.raises(PeerRefused):
                inquirer.ask({"vin": ["1M8GDM9AXKP042788"]})
    from parties.audit.summary import Summary

    for settings, asked, answered in ((pair.insurer, 0, 3), (pair.police, 4, 0)):
        with log_of(settings) as log:
            summary = Summary(log)
        months = summary.months.values()
        counts = [(each.asked, each.inquiries, each.receipted) for each in months]
        assert [sum(each) for each in zip(*counts, strict=True)] == [asked, answered, 3]
        assert summary.open() == []
