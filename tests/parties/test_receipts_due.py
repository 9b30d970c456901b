"""An asker whose receipts the holder does not take, or answers with none of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from green import Pair
from tabled import rows as rows_of

from parties import open_inquiries, receipting
from parties.errors import AuditRefused, PeerLost, PeerRefused
from parties.inquiring import Inquirer
from parties.inquiry_books import InquiryBooks
from parties.limits import Limits
from parties.open_inquiries import Place
from parties.receipts_due import Receipts
from parties.settings import Settings
from parties.store import Store, microseconds
from parties.store.clock import machine_time
from psi.errors import MalformedMessage

PLATE = {"plate": ["浙A12345"]}


def opened(settings: Settings) -> list[Any]:
    """The inquiries of which receipts are due."""
    with closing(Store(settings.store.url)) as store, store.reading() as connection:
        return rows_of(connection, "inquiries")


def write(settings: Settings, statement: str, **values: Any) -> None:
    with closing(Store(settings.store.url)) as store, store.writing() as connection:
        connection.execute(statement, values)


def asked_by(police: Settings) -> int:
    """About how many elements the police have inquired today, by their own count."""
    with closing(Limits(Store(police.store.url))) as limits:
        return limits.asked("insurer", whose="ours")


def give(inquirer: Inquirer) -> None:
    inquirer._receipts.give()


def beside(inquirer: Inquirer) -> None:
    """Gives what is due in the background, and waits until that is over."""
    receipts = inquirer._receipts
    receipts._give_soon()
    for thread in receipts._beside:
        thread.join(30)


# Nothing more is asked of who gives no receipts.


@pytest.mark.parametrize("is_beside", [False, True])
@pytest.mark.parametrize("by_peer", [False, True])
def test_a_program_that_got_no_valid_receipt_asks_nothing_more(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, by_peer: bool, is_beside: bool
) -> None:
    def rubbish(*_: Any) -> bytes:
        if by_peer:
            raise AuditRefused("receipt-other", "it is none of what is open")
        return b"{}"

    code = "receipt-other" if by_peer else "receipt-malformed"
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        with monkeypatch.context() as patch:
            patch.setattr(receipting, "_exchanged", rubbish)
            if is_beside:
                beside(inquirer)
            else:
                with pytest.raises((AuditRefused, PeerRefused)):
                    give(inquirer)
        assert opened(police) == [], "it is given up"
        for _ in range(3):
            with pytest.raises(PeerRefused if by_peer else AuditRefused) as caught:
                inquirer.ask(PLATE)
            assert caught.value.code == code
        assert pair.asked() == asked_by(police) == 1, "nothing more was asked"
        # A program that is started anew may.
        with Inquirer(police, "insurer") as another:
            another.ask(PLATE)
        assert pair.asked() == 2


def test_a_peer_that_was_away_for_a_moment_is_asked_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> Any:
        raise PeerLost("the connection broke")

    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        with monkeypatch.context() as patch:
            patch.setattr(receipting, "keep_answer", lost)
            beside(inquirer)
        inquirer.ask(PLATE)
    assert opened(pair.police) == []


# What is counted, if the peer wants receipts first.


@pytest.mark.parametrize(
    "error",
    [PeerLost("x"), MalformedMessage("x"), AuditRefused("receipt-other", "x")],
    ids=lambda error: type(error).__name__,
)
def test_what_was_refused_is_not_counted_if_the_receipts_cannot_be_given(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(open_inquiries, "MOST_OPEN", 1)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        first = inquirer.ask(PLATE)
        with monkeypatch.context() as patch:
            patch.setattr(receipting, "keep_answer", fail)
            with pytest.raises(type(error)):
                inquirer.ask(PLATE)
        assert pair.asked() == asked_by(police) == 1
        of_first = [each for each in opened(police) if each.session == first.session]
        assert opened(police) == of_first, "no receipt is due of what was refused"


# How long receipts are asked for.


def test_a_holder_that_takes_no_receipt_shuts_the_asker_out_for_seven_days(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop(*_: Any) -> Any:
        raise PeerLost("the connection broke")

    pair.prepare("plate")
    with pair.serving() as police:
        monkeypatch.setattr(Inquirer, "_give", drop)
        with Inquirer(police, "insurer") as inquirer:
            inquirer.ask(PLATE)
        (row,) = opened(police)
        assert row.receipt, "it is signed, and waits"
        with Inquirer(police, "insurer") as inquirer, pytest.raises(PeerLost):
            inquirer.ask(PLATE)
        past = microseconds(datetime.now(UTC) - open_inquiries.REMEMBERED - timedelta(seconds=2))
        write(police, "UPDATE inquiries SET at = :past", past=past)
        with Inquirer(police, "insurer") as inquirer:
            inquirer.ask(PLATE)
        assert [each.session for each in opened(police)] != [row.session], "it is forgotten"


@pytest.mark.parametrize("outcome", ["done", "peer-lost", ""])
@pytest.mark.parametrize("receipt", ["", "ab"])
def test_of_what_counts_no_more_no_receipt_is_due(pair: Pair, outcome: str, receipt: str) -> None:
    place, now = Place("ours", "insurer"), machine_time().replace(microsecond=0)
    insert = """
        INSERT INTO inquiries
            (whose, peer, session, ticket, digest, stage, at, elements, outcome, receipt)
        VALUES ('ours', 'insurer', 'cd', 'T', 'd', 's', :at, '{}', :outcome, :receipt)"""
    with closing(InquiryBooks(pair.police)) as books, books.limits.store.writing() as connection:
        for at, is_due in (
            (now - open_inquiries.REMEMBERED - timedelta(seconds=1), False),
            (now - open_inquiries.REMEMBERED + timedelta(hours=1), True),
        ):
            values = {"at": microseconds(at), "outcome": outcome, "receipt": receipt}
            connection.execute(insert, values)
            due = open_inquiries.due(connection, place, now)
            assert bool(due) == (is_due and not receipt)
            assert open_inquiries.signed(connection, place) == is_due * bool(receipt) * [receipt]
            open_inquiries.drop(connection, place, "cd")


def test_inquiries_of_two_tickets_have_their_receipts_at_once(pair: Pair) -> None:
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        first = inquirer.ask(PLATE).session
        inquirer.ask(PLATE)
        for settings in (pair.insurer, police):
            write(settings, "UPDATE inquiries SET ticket = 'T' WHERE session = :first", first=first)
        give(inquirer)
        assert opened(police) == opened(pair.insurer) == []


def ask_and_fail(police: Settings, error: Exception) -> None:
    with Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        raise error


# Faults of the program, and of people who interrupt it.


def test_a_fault_in_the_background_is_raised_where_the_next_question_is_asked(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any) -> Any:
        raise ZeroDivisionError("a fault of ours")

    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer.ask(PLATE)
        with monkeypatch.context() as patch:
            patch.setattr(receipting, "keep_answer", fault)
            beside(inquirer)
        with pytest.raises(ZeroDivisionError):
            inquirer.ask(PLATE)
        assert pair.asked() == 1
        inquirer.ask(PLATE)
    assert opened(pair.police) == []


def test_a_fault_while_all_is_over_does_not_hide_why(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: Any) -> Any:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(receipting, "sign_next", fault)
    pair.prepare("plate")
    with pair.serving() as police:
        inquirer = Inquirer(police, "insurer")
        inquirer.ask(PLATE)
        with pytest.raises(ZeroDivisionError):
            inquirer.close()
        monkeypatch.setattr(receipting, "is_due", lambda *_: False)
        with pytest.raises(PeerLost):
            ask_and_fail(police, PeerLost("that is it"))


def test_an_answer_that_comes_while_all_is_over_is_given(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.receipts_due.MOST", 1)
    pair.prepare("plate")
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        inquirer._receipts._is_over = True  # by another thread, that closes
        inquirer.ask(PLATE)
    assert opened(pair.police) == []


def test_who_interrupts_does_not_wait_for_what_is_given_in_the_background(pair: Pair) -> None:
    started, over = threading.Event(), threading.Event()

    def carry(*_: Any) -> bytes:
        started.set()
        assert over.wait(30)
        raise PeerLost("the connection broke")

    pair.prepare("plate")
    with pair.serving() as police:
        inquirer = Inquirer(police, "insurer")
        inquirer.ask(PLATE)
    inquirer.close()  # the holder is gone, and what is due waits
    with closing(InquiryBooks(police)) as books, ThreadPoolExecutor(1) as pool:
        receipts = Receipts(police, police.peers[0], books, carry)
        receipts._give_soon()
        (thread,) = receipts._beside
        try:
            assert started.wait(30)
            pool.submit(receipts.end, KeyboardInterrupt).result(10)
            assert thread.is_alive()
            assert thread.daemon, "nor does the interpreter wait"
        finally:
            over.set()
        thread.join(30)
        assert not thread.is_alive()
