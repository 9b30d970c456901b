"""Handing letters over: the dialogue of both ends, and what sends all that waits.

A letter is told in the order in which it was written; one that is refused holds up those about its
own clue, and no others.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection
from typing import Final

from parties import canonical, logs
from parties.books import Books
from parties.channel import Peer
from parties.channel.pinning import Pin, read_pin
from parties.clues import outbox
from parties.clues.hearing import hear
from parties.clues.letters import LETTER, RECEIPT
from parties.clues.outbox import Waiting
from parties.clues.sealed import opened, seal
from parties.credentials import Credentials, Identity, read_credentials
from parties.errors import (
    ClueRefused,
    LocalFault,
    PartyError,
    PeerRefused,
    code_of,
)
from parties.settings import Settings
from parties.standing import hear as hear_message
from parties.standing import parse
from parties.store import microseconds
from parties.wire.v1 import clue_pb2 as wire
from psi import Dialogue
from psi.errors import PeerError, PsiError
from psi.lazily import NamedTuple

EVERY: Final = 15.0
"""Seconds between two looks of a node that runs at whether letters wait: soon, for people, and a
query of an index."""


class Posted(NamedTuple):
    """What became of letters that waited.

    Attributes:
        sent: how many the peers have now.
        waiting: how many wait still.
        why: one sentence for each peer, and each letter that was refused.
    """

    sent: int
    waiting: int
    why: tuple[str, ...]


def take(settings: Settings, books: Books, name: str, session: str) -> Dialogue[None]:
    """This node's side of a letter that a peer hands over."""
    peer = settings.peer(name)
    data = parse(wire.Hand, (yield from hear_message())).letter
    log = logs.Log(peer=name, session=session)
    try:
        receipt = hear(settings, books, peer, data)
    except ClueRefused as refused:
        log.warning("letter_refused", code=refused.code, why=str(refused))
        books.refused(name, session, refused.code)
        raise
    log.info("letter_taken")
    yield wire.Handed(receipt=receipt).SerializeToString()


def post(settings: Settings, books: Books, *, due_only: bool = False) -> Posted:
    """Sends all letters that wait.

    Args:
        settings: of this node.
        books: of this node.
        due_only: leaves out letters that were refused and are to be told later.

    Raises:
        LocalFault: the store cannot be used.
    """
    store, going, after = books.limits.store, _Round(settings, books), 0
    while True:
        with store.reading() as connection:
            letters, now = outbox.waiting(connection, after), store.now(connection)
            if not letters:
                return Posted(going.sent, outbox.count(connection), tuple(going.why))
        if due_only:
            going.held |= {each.clue for each in letters if each.next > microseconds(now)}
        for name in dict.fromkeys(each.peer for each in letters):
            going.tell(name, [each for each in letters if each.peer == name])
        after = letters[-1].place


class _Round:
    """One go at all letters that wait.

    Attributes:
        sent: how many were.
        held: clues whose letters are held up.
        why: one sentence for each peer that cannot be told, and each letter that was refused.
    """

    def __init__(self, settings: Settings, books: Books) -> None:
        self.sent = 0
        self.held: set[str] = set()
        self.why: list[str] = []
        self._settings, self._books = settings, books
        self._away: set[str] = set()  # peers that are not asked again in this round

    def tell(self, name: str, letters: Collection[Waiting]) -> None:
        """Sends letters to one peer, but of clues that are held up."""
        if name in self._away:
            return
        node = self._settings.node
        identity = Identity(node.certificate, node.key)
        try:
            peer = self._settings.peer(name)
            pin, credentials = read_pin(peer), read_credentials(identity)
            with Peer(identity, peer, patience=node.patience) as line:
                for letter in letters:
                    if letter.clue not in self.held:
                        self._tell(line, letter, pin, credentials)
        except LocalFault:
            raise
        except (PartyError, PsiError) as why:  # the line, certificates, or a peer that is not named
            self._away.add(name)
            self.why.append(str(why))

    def _tell(self, line: Peer, letter: Waiting, pin: Pin, credentials: Credentials) -> None:
        try:
            self.sent += _hand(self._books, line, letter, pin, credentials)
        except (PeerRefused, ClueRefused, PeerError) as refused:
            self.held.add(letter.clue)
            with self._books.writing() as (connection, at):
                outbox.refused(connection, at, letter, code_of(refused))
            self.why.append(f"clue {letter.clue}: {refused}")


def _hand(books: Books, line: Peer, letter: Waiting, pin: Pin, credentials: Credentials) -> int:
    """Hands one letter over, and notes it; returns 0 if it was sent meanwhile."""
    with books.limits.store.reading() as connection:
        data = outbox.data_of(connection, letter)
    if data is None:
        return 0
    signed = seal(LETTER, canonical.decode(data), credentials)
    receipt = line.hand_clue(_say(signed), secrets.token_hex(16))
    said = opened(RECEIPT, receipt, pin)
    if (said.get("digest"), said.get("clue"), said.get("number")) != (
        letter.digest,
        letter.clue,
        letter.number,
    ):
        raise ClueRefused("clue-other", f"{letter.peer} gave the receipt of another letter")
    with books.writing() as (connection, at):
        outbox.sent(connection, at, letter, receipt)
    return 1


def _say(letter: bytes) -> Dialogue[bytes]:
    """Our side of handing a letter over; returns the receipt."""
    yield wire.Hand(letter=letter).SerializeToString()
    return bytes(parse(wire.Handed, (yield from hear_message())).receipt)


class Postman:
    """Sends what waits, again and again, beside a node that runs.

    Args:
        settings: of the node.
        books: of the node.
        every: seconds between two looks.
    """

    def __init__(self, settings: Settings, books: Books, every: float = EVERY) -> None:
        self._settings, self._books, self._every = settings, books, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, name="clue-postman", daemon=True)

    def start(self) -> None:
        """Begins, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Lets it end; a letter that is being handed over is told again when the node runs."""
        self._over.set()

    def _go(self) -> None:
        log = logs.Log()
        while not self._over.wait(self._every):
            try:
                posted = post(self._settings, self._books, due_only=True)
            except Exception as fault:  # the node runs on, and the next look may succeed
                log.warning("letters_not_sent", kind=type(fault).__name__)
                continue
            if posted.sent or posted.why:
                log.info("letters_sent", sent=posted.sent, waiting=posted.waiting)
