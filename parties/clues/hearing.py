"""Letters that come: each is taken once, and gets a receipt, in one transaction.

A letter that comes again gets the receipt that it got before. One that says something else under
its number is refused, and so is one that comes before the letter before it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from parties import audit, canonical, packs_allowed
from parties.audit.chain import stamp
from parties.books import Books
from parties.channel.pinning import read_pin
from parties.clues import clue as clues
from parties.clues import merging
from parties.clues.clue import Clue
from parties.clues.content import Content
from parties.clues.history import PEER, note
from parties.clues.ledger import keep
from parties.clues.letters import (
    LETTER,
    RECEIPT,
    Letter,
    digest_of,
    letter_of,
    receipt_values,
)
from parties.clues.merging import AGREED, REFUSED
from parties.clues.outbox import Names
from parties.clues.sealed import opened, seal
from parties.clues.steps import step
from parties.credentials import Identity, read_credentials
from parties.errors import ClueRefused
from parties.operators.roles import other
from parties.settings import PeerSettings, Settings
from parties.store import Connection, Values, microseconds

_HEARD: Final = """
    SELECT digest, receipt FROM clue_heard
    WHERE peer = :peer AND clue = :clue AND number = :number"""
_KEEP: Final = """
    INSERT INTO clue_heard (peer, clue, number, kind, digest, at, receipt)
    VALUES (:peer, :clue, :number, :kind, :digest, :at, :receipt)"""
_TODAY: Final = """
    SELECT count(*) FROM clue_heard WHERE peer = :peer AND kind = 'clue' AND at >= :day"""


def names_in(settings: Settings) -> Names:
    """Returns the names of this node and its peers', as their certificates have them."""
    return Names(settings.node.name, {each.name: each.san.lower() for each in settings.peers})


def hear(settings: Settings, books: Books, peer: PeerSettings, data: bytes) -> bytes:
    """Takes a letter, and returns its receipt; both are on the disk then.

    Args:
        settings: of this node.
        books: of this node.
        peer: who handed it over, as the channel recognised it.
        data: the letter, signed.

    Raises:
        ClueRefused: why it is not taken; nothing was written.
        CertificateError: this node's certificate, or what is pinned, cannot be used now.
        LocalFault: the store cannot be written.
    """
    names = names_in(settings)
    node = names.peers[peer.name]
    said = opened(LETTER, data, read_pin(peer))
    letter = letter_of(said, other(settings.node.role))
    if (letter.sender, letter.receiver) != (node, names.ours):
        raise ClueRefused("clue-forged", "the letter is from another node, or for another")
    digest = digest_of(canonical.encode(said))
    credentials = read_credentials(Identity(settings.node.certificate, settings.node.key))
    key: Values = {"peer": peer.name, "clue": letter.clue, "number": letter.number}
    with books.writing() as (connection, at):
        row = connection.execute(_HEARD, key).fetchone()
        if row is not None:
            if row[0] != digest:
                raise ClueRefused("clue-other", "another letter came under this number before")
            return bytes(row[1])
        _take(connection, at, peer, letter, digest, names)
        receipt = seal(RECEIPT, receipt_values(letter, digest, stamp(at)), credentials)
        kept: Values = {
            "kind": letter.kind,
            "digest": digest,
            "at": microseconds(at),
            "receipt": receipt,
        }
        connection.execute(_KEEP, {**key, **kept})
        facts = {"clue": letter.clue, "peer": peer.name, "letter": letter.kind}
        audit.append(
            connection, at, "clue_heard", facts | {"number": letter.number, "digest": digest}
        )
    return receipt


def _take(
    connection: Connection,
    at: datetime,
    peer: PeerSettings,
    letter: Letter,
    digest: str,
    names: Names,
) -> None:
    """Does what a letter says."""
    clue = clues.find(connection, letter.clue)
    if letter.kind == "clue":
        if clue is not None:
            raise ClueRefused("clue-other", "there is a clue of that id already")
        _receive(connection, at, peer, letter, digest)
        return
    if clue is None or clue.peer != peer.name or not clue.digest:
        raise ClueRefused("clue-unknown", f"{peer.name} writes about a clue that is none of theirs")
    if letter.number != clue.heard + 1:
        raise ClueRefused("clue-order", f"letter {clue.heard + 1} is due, {letter.number} came")
    clue = clue._replace(heard=letter.number)
    body = letter.body
    match letter.kind:
        case "merge-agreed" | "merge-refused":
            clues.change(connection, clue)
            said = AGREED if letter.kind == "merge-agreed" else REFUSED
            merging.hear_answer(connection, at, clue, body["merge"], said, names)
        case "merge-asked":
            merging.hear_asked(connection, at, clue, body["merge"])
        case "merge-ended" | "merged":
            merging.hear_end(connection, at, clue, body["merge"], letter.kind)
        case "return":
            code, text = body["code"], body["text"]
            step(connection, at, "insurer", PEER, clue, "return", code=code, text=text)
        case _:
            step(connection, at, "insurer", PEER, clue, letter.kind, facts=body)


def _receive(
    connection: Connection, at: datetime, peer: PeerSettings, letter: Letter, digest: str
) -> None:
    """Puts an insurer's clue into the ledger of the police."""
    if letter.number != 1:
        raise ClueRefused("clue-order", "a clue is told by the first letter about it")
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today: Values = {"peer": peer.name, "day": microseconds(day)}
    if connection.execute(_TODAY, today).fetchone()[0] >= peer.daily_clues:
        raise ClueRefused(
            "clue-limit", f"peers.{peer.name}.daily_clues lets no more clues be handed over today"
        )
    body = letter.body
    packs_allowed.must_allow(connection, peer.name, body["ticket"], body["pack"])
    content: Content = body["content"]
    clue = Clue(
        id=letter.clue,
        peer=peer.name,
        line=body["line"],
        rule=body["rule"],
        version=body["version"],
        pack=body["pack"],
        ticket=body["ticket"],
        state="received",
        author="",
        owner="",
        due="",
        claimed=body["claimed"],
        made=microseconds(at),
        digest=digest,
        heard=1,
    )
    clues.add(connection, clue)
    keep(connection, clue, "", content.encode())  # who drafts clues looks for leads
    note(connection, at, clue, "receive", PEER)
