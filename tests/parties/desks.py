"""Ledgers of an insurer or two and of the police, founded as `greenlane init` does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from parties import audit, canonical
from parties.books import Books
from parties.clues import clue as clues
from parties.clues import deciding, ledger, merging, outbox
from parties.clues.clue import Clue
from parties.clues.hearing import hear, names_in
from parties.clues.history import Entry, Who, of_clue
from parties.clues.leads import read_leads
from parties.clues.letters import LETTER, digest_of
from parties.clues.sealed import seal
from parties.credentials import Identity, read_credentials
from parties.errors import ClueRefused
from parties.founding import FILE, found, introduce
from parties.limits import Limits
from parties.packs_allowed import allow
from parties.settings import Settings, StoreSettings
from parties.settings_file import load
from parties.store import Connection, Store
from parties.store.clock import machine_time

TICKET = "00112233445566778899aabbccddeeff"
PACK = "0a" * 32
WU = Who("wu", "analyst", "0a" * 32)
LI = Who("li", "analyst", "0b" * 32)
SUN = Who("sun", "compliance", "0c" * 32)
INVESTIGATOR = Who("0117", "investigator", "0d" * 32)
APPROVER = Who("0004", "approver", "0e" * 32)
SOMEBODY = Who("chen", "auditor", "0f" * 32)
PEOPLE = (WU, LI, SUN, INVESTIGATOR, APPROVER, SOMEBODY)


def lead(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A lead, as `models try --json` tells it."""
    return {
        "rule": "vehicle-many-claims",
        "version": 1,
        "subject": {"plate": f"浙A{number:05}"},
        "claims": [f"C-{number}-1", f"C-{number}-2"],
        "records": [],
        "amount": "12000.50",
        "reason": f"2 claims of 浙A{number:05} within 30 days",
        "innocent": "a fleet",
        "source": "made up",
    } | changes


def tried(*leads: dict[str, Any], pack: str = "auto") -> bytes:
    """What `models try --json` prints."""
    values = {"pack": pack, "version": 1, "digest": PACK, "tables": {}, "rules": []}
    return (json.dumps(values | {"leads": leads}, ensure_ascii=False) + "\n").encode()


class Desk(NamedTuple):
    """A node's ledger.

    Attributes:
        settings: of the node.
        books: of the node.
    """

    settings: Settings
    books: Books

    @property
    def name(self) -> str:
        return self.settings.node.name

    @contextmanager
    def writing(self) -> Iterator[tuple[Connection, datetime]]:
        with self.books.writing() as (connection, at):
            yield connection, at

    def find(self, clue: str) -> Clue:
        with self.books.limits.store.reading() as connection:
            found = clues.find(connection, clue)
        assert found is not None
        return found

    def every(self) -> list[Clue]:
        with self.books.limits.store.reading() as connection:
            return clues.every(connection)

    def history(self, clue: str) -> list[Entry]:
        with self.books.limits.store.reading() as connection:
            return of_clue(connection, self.find(clue))

    def waiting(self) -> list[outbox.Waiting]:
        with self.books.limits.store.reading() as connection:
            return outbox.waiting(connection)

    def ask(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Any]:
        with self.books.limits.store.reading() as connection:
            return connection.execute(statement, values or {}).fetchall()

    # --- an insurer

    def draft(self, *leads: dict[str, Any], pack: str = "auto", who: Who = WU) -> list[Clue]:
        file = self.settings.path.parent / "leads.json"
        file.write_bytes(tried(*leads, pack=pack))
        role = self.settings.node.role
        with self.writing() as (connection, at):
            read = read_leads(file)
            return ledger.add(connection, at, role, who, read, "police", TICKET)[0]

    def review(self, clue: str, who: Who = LI, drop: str = "") -> Clue:
        with self.writing() as (connection, at):
            found = clues.named(connection, clue)
            role = self.settings.node.role
            return ledger.review(connection, at, role, who, found, drop=drop)

    def transfer(self, clue: str, who: Who = SUN) -> Clue:
        with self.writing() as (connection, at):
            found = clues.named(connection, clue)
            names, role = names_in(self.settings), self.settings.node.role
            return ledger.transfer(connection, at, role, who, found, names)

    def answer(self, clue: str, who: Who = WU, *, agrees: bool = True) -> Clue:
        with self.writing() as (connection, at):
            found = clues.named(connection, clue)
            names, role = names_in(self.settings), self.settings.node.role
            return merging.answer(connection, at, role, who, found, names, agrees=agrees)

    def transferred(self, *leads: dict[str, Any], pack: str = "auto") -> list[str]:
        """Drafts, reviews and transfers clues of leads."""
        made = [each.id for each in self.draft(*leads, pack=pack)]
        for each in made:
            self.review(each)
            self.transfer(each)
        return made

    # --- the police

    def act(self, clue: str, what: str, who: Who = INVESTIGATOR, **said: Any) -> Clue:
        if what == "file":
            said = {"case": "2026-117"} | said
        if what == "return":
            said = {"code": "insufficient"} | said
        if what == "conclude":
            figures = {"suspects": 3, "amount": 5_000_000, "recovered": 100_000}
            said = {"code": "prosecution"} | figures | said
        with self.writing() as (connection, at):
            found = clues.named(connection, clue)
            names, role = names_in(self.settings), self.settings.node.role
            return deciding.act(connection, at, role, who, found, what, names, **said)

    def propose(self, head: str, *others: str, who: Who = INVESTIGATOR) -> Clue:
        with self.writing() as (connection, at):
            first, *rest = (clues.named(connection, each) for each in (head, *others))
            names, role = names_in(self.settings), self.settings.node.role
            return merging.propose(connection, at, role, who, first, rest, names)

    def withdraw(self, clue: str, who: Who = INVESTIGATOR) -> Clue:
        with self.writing() as (connection, at):
            found = clues.named(connection, clue)
            names, role = names_in(self.settings), self.settings.node.role
            return merging.withdraw(connection, at, role, who, found, names)

    # --- letters, without a network

    def letter(self, letter: outbox.Waiting) -> bytes:
        """A letter that waits, signed as it is when it is sent."""
        with self.books.limits.store.reading() as connection:
            data = outbox.data_of(connection, letter)
        assert data is not None
        return self.signed(canonical.decode(data))

    def signed(self, values: dict[str, Any]) -> bytes:
        node = self.settings.node
        return seal(LETTER, values, read_credentials(Identity(node.certificate, node.key)))

    def hear(self, sender: Desk, data: bytes) -> bytes:
        return hear(self.settings, self.books, self.settings.peer(sender.name), data)

    def hear_again(self, sender: Desk, letter: outbox.Waiting) -> bytes:
        data = sender.letter(letter)
        first = self.hear(sender, data)
        assert self.hear(sender, data) == first
        return first

    def say_to(self, receiver: Desk) -> list[str]:
        """Carries all that waits for a desk, and returns the codes of what was refused."""
        codes = []
        for each in self.waiting():
            if each.peer == receiver.name:
                try:
                    receipt = receiver.hear_again(self, each)
                except ClueRefused as refused:
                    codes.append(refused.code)
                    continue
                with self.writing() as (connection, at):
                    outbox.sent(connection, at, each, receipt)
        return codes


class Desks(NamedTuple):
    """Two insurers and the police."""

    insurer: Desk
    rival: Desk
    police: Desk

    def carry(self) -> list[str]:
        """Carries all letters; returns the codes of what was refused."""
        codes: list[str] = []
        for each in (self.insurer, self.rival):
            codes += each.say_to(self.police) + self.police.say_to(each)
        return codes


def books_of(settings: Settings, now: Callable[[], datetime] = machine_time) -> Books:
    """A node's books, in which stands that it has matched under `TICKET` with each peer.

    The store has its clock from the first line on, as it tells no time below one that it has told.
    """
    books = Books(settings)
    store = Store(settings.store.url, machine_time=now)
    with store.writing() as connection:
        audit.begin(connection, settings.node.name)
    books._limits = Limits(store)
    with books.writing() as (connection, _):
        for peer in settings.peers:
            allow(connection, peer.name, TICKET, [PACK])
    return books


def settle(folder: Path, url_of: Callable[[str], str]) -> dict[str, Settings]:
    """Founds two insurers and the police; returns their settings, each with a store."""
    for name in ("insurer", "rival", "police"):
        role: Any = "police" if name == "police" else "insurer"
        found(folder / name, role, name, "127.0.0.1:7443")
    for name in ("insurer", "rival"):
        introduce(folder / name / FILE, folder / "police" / FILE)
    return {
        name: load(folder / name / FILE)._replace(store=StoreSettings(url_of(name)))
        for name in ("insurer", "rival", "police")
    }


@contextmanager
def desks(folder: Path, url_of: Callable[[str], str]) -> Iterator[Desks]:
    settings = settle(folder, url_of)
    opened = Desks(*(Desk(each, books_of(each)) for each in settings.values()))
    try:
        yield opened
    finally:
        for each in opened:
            each.books.close()


def letter_values(desk: Desk, place: int = 0) -> dict[str, Any]:
    """What a waiting letter says."""
    with desk.books.limits.store.reading() as connection:
        data = outbox.data_of(connection, desk.waiting()[place])
    assert data is not None
    return canonical.decode(data)


def digest_of_values(values: dict[str, Any]) -> str:
    return digest_of(canonical.encode(values))
