"""When an asker gives its receipts of inquiries, and what it does if the peer gives none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from parties import logs, receipting
from parties.audit.facts import DONE
from parties.audit.inquiries import MOST
from parties.audit.receipt import Receipt
from parties.books import Books
from parties.errors import (
    AuditRefused,
    CertificateError,
    PartyError,
    PeerLost,
    PeerRefused,
    PeerUnreachable,
    code_of,
)
from parties.open_inquiries import MOST_OPEN
from parties.settings import PeerSettings, Settings
from psi import Dialogue, PsiError

SOON: Final = 60.0
"""Seconds after which a receipt is given of what was asked: who asks now and then gives one each
time, and who asks all the time one for each `MOST`."""

MOST_OWED: Final = MOST_OPEN // 2
"""After which nothing is asked before receipts are given: the other half is for what is under way,
and for other programs of this node, before the peer refuses what it is asked."""

Carry: TypeAlias = Callable[[Dialogue[bytes], str], bytes]
"""Carries a dialogue to the peer in a session, all at once."""


class Receipts:
    """Receipts of what one program asks one peer. For several threads.

    Args:
        settings: of this node.
        peer: who is asked.
        books: of this node.
        carry: to the peer.
    """

    def __init__(self, settings: Settings, peer: PeerSettings, books: Books, carry: Carry) -> None:
        self._settings, self._peer, self._books, self._carry = settings, peer, books, carry
        self._log = logs.Log(peer=peer.name)
        self._giving = threading.Lock()  # one receipt after the other
        self._counting = threading.Lock()
        self._beside: list[threading.Thread] = []
        self._soon: threading.Timer | None = None
        self._open = 0
        self._is_first, self._is_queued, self._is_over = True, False, False
        self._failed: Exception | None = None  # in the background, and told to nobody yet
        self._gives_none: PartyError | None = None  # of what the peer has answered

    def must_be_given(self) -> None:
        """Before a question: what a process left that was killed, and what could not be given.

        Raises:
            PartyError, PeerError: as `give`, also of what was given in the background. If the peer
                was to give a receipt of what it has answered, and gave none or another one, it is
                raised before each question from then on.
            Exception: a fault of this program, in the background.
        """
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        if self._gives_none is not None:
            raise self._gives_none.with_traceback(None)  # else it grows with each question
        if self._open >= MOST_OWED:
            self.give(MOST_OWED)  # unless another thread has meanwhile
        elif self._is_first and receipting.is_due(self._peer, self._books):
            self.give(to_the_last=True)
        self._is_first = False

    def one_more(self) -> None:
        """Says that a question was answered, of which a receipt is due."""
        with self._counting:
            self._open += 1
            is_full = self._open >= MOST and not self._is_queued
            if is_full:
                self._is_queued = True
            elif self._soon is None:
                self._soon = threading.Timer(SOON, self._give_soon)
                self._soon.daemon = True
                self._soon.start()
        if is_full:
            self._give_soon()

    def give(self, least: int = 0, *, to_the_last: bool = False) -> None:
        """Gives the receipts that are due, and keeps those of the peer.

        Args:
            least: how many inquiries there must be without a receipt; with fewer nothing is done.
            to_the_last: until none is due. Else what is asked meanwhile has its receipt next time:
                each would get one of its own.

        Raises:
            AuditRefused: the peer's is none of what was asked, or says something else than ours.
            PeerRefused: it refuses ours.
            PartyError: it cannot be reached, or something cannot be written.
            PeerError: it said something else than an honest one.
        """
        with self._giving:
            with self._counting:
                due, self._is_queued = self._open, False
                if due < least:
                    return
                if self._soon is not None:
                    self._soon.cancel()
                self._soon = None
            for signed in receipting.pending(self._peer, self._books):
                self._exchange(signed.receipt, signed.data)
            given = 0
            while next_one := receipting.sign_next(self._settings, self._peer, self._books):
                self._exchange(next_one.receipt, next_one.data)
                given += len(next_one.receipt.inquiries)
                # One that is not full may be of another ticket, or stage, than what is next.
                if not to_the_last and given >= due:
                    break
            with self._counting:
                self._open = max(0, self._open - max(due, given))

    def end(self, error: type[BaseException] | None) -> None:
        """Gives what is due and is over; what the peer cannot take now waits for the next time.

        Args:
            error: that ends it, which is then the one to be told; None if none does.

        Raises:
            PartyError, PeerError: as `give`.
        """
        with self._counting:
            self._is_over = True
        # Whoever interrupts the program does not wait for a peer.
        if error is None or issubclass(error, Exception):
            for thread in self._beside:
                thread.join()
            if self._open:
                self._give_beside(to_the_last=True)
        if self._soon is not None:
            self._soon.cancel()
        failed, self._failed = self._failed, None
        if failed is None:
            return
        if error is None:
            raise failed
        code = code_of(failed) if isinstance(failed, PartyError | PsiError) else PartyError.code
        self._log.warning("receipts_open", code=code, why=str(failed))

    def _give_soon(self) -> None:
        # A daemon: the interpreter waits for the threads of a pool, also when it is interrupted.
        thread = threading.Thread(target=self._give_beside, name="receipts", daemon=True)
        with self._counting:
            if self._is_over:
                return  # it is given in the end, or waits for the next time
            self._beside = [*(each for each in self._beside if each.is_alive()), thread]
            thread.start()

    def _give_beside(self, *, to_the_last: bool = False) -> None:
        """As `give`; what fails is told before the next question, or when all is over."""
        try:
            self.give(to_the_last=to_the_last)
        except (CertificateError, PeerLost, PeerUnreachable) as error:
            self._log.warning("receipts_open", code=error.code, why=str(error))
        except Exception as error:
            self._failed = error

    def _exchange(self, ours: Receipt, data: bytes) -> None:
        peer, books, session = self._peer, self._books, ours.session
        try:
            with books.refusals(peer.name, session):
                theirs = self._carry(receipting.give(self._settings, peer, data), session)
                receipting.keep_answer(self._settings, peer, ours, theirs, books)
        except (AuditRefused, PeerRefused) as refused:
            if not refused.code.startswith("receipt-"):
                raise
            # To say the same once more changes nothing. Our receipt stays in the log, without one
            # of the peer's.
            receipting.give_up(peer, ours, books)
            if ours.outcome == DONE or not isinstance(refused, PeerRefused):
                self._gives_none = refused
                raise
            # Of what broke, the peer may have answered nothing.
            self._log.info("receipt_refused", session=session, outcome=ours.outcome)
        else:
            count = len(ours.inquiries)
            self._log.info("receipts_exchanged", session=session, inquiries=count)
