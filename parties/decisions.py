"""What the log says once of a ticket: that it came, how each stage was decided, that it is refused.

A stage is decided by people, when they sign. The node writes that down when it first goes by it: by
whose signatures, in which role and under which certificate, and when each of them signed. Runs and
inquiries name the line. A ticket that was signed in advance is decided once, and then used.

Nothing is written of a ticket before it was verified, so that nobody fills the log with others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from parties import audit
from parties.store import Connection
from parties.tickets import Signer, Stage, Ticket, Verified, Way
from parties.tickets.fields import told
from parties.tickets.ticket import stages_of
from parties.tickets.verifying import KNOWN
from psi.lazily import unread

with unread("parties.packs_allowed", "parties.retaining"):  # for the first use of a ticket
    from parties import packs_allowed, retaining

RECEIVED: Final = "ticket_received"
DECIDED: Final = "stage_decided"
REFUSED: Final = "ticket_refused"
REFUSED_CODE: Final = "ticket-refused"
"""Of a ticket that people have refused."""

_FIND: Final = "SELECT line FROM noted WHERE event = :event AND key = :key"
_KEEP: Final = "INSERT INTO noted (event, key, line) VALUES (:event, :key, :line)"


def received(connection: Connection, at: datetime, peer: str, ticket: Ticket) -> int:
    """Returns the number of the line that says that a ticket came; written if there is none.

    Args:
        connection: in a transaction that writes.
        at: of the store's clock.
        peer: with whom the ticket is, as this node calls it.
        ticket: that was verified.
    """
    digest = ticket.digest
    facts = {"ticket": ticket.id, "digest": digest, "peer": peer, "purpose": ticket.purpose}
    return _once(connection, at, RECEIVED, _key(peer, digest), facts)


def decided(
    connection: Connection,
    at: datetime,
    peer: str,
    verified: Verified,
    way: Way,
    *,
    columns: bool,
) -> int:
    """Returns the number of the line that says how a stage was decided; written if there is none.

    Args:
        connection: in a transaction that writes.
        at: of the store's clock.
        peer: with whom the ticket is, as this node calls it.
        verified: the ticket.
        way: in which it is used: the stage.
        columns: whether columns of records are told.
    """
    key = _key_of(peer, verified.digest, verified.signers, way, columns=columns)
    line = _line(connection, DECIDED, key)
    if line is not None:
        return line  # as of most runs, and each question after the first
    ticket, stages = verified.ticket, stages_of(way, columns=columns)
    received(connection, at, peer, ticket)
    # Not when it comes: a peer alone would say when what others' tickets have left is erased.
    retaining.end(connection, ticket.id, ticket.not_after)
    packs_allowed.allow(connection, peer, ticket.id, ticket.rules)
    facts = {
        "peer": peer,
        "ticket": ticket.id,
        "digest": verified.digest,
        "way": way,
        "stage": stages[-1],
        "signatures": [_signature(each) for each in _signers(verified.signers, stages)],
    }
    return _once(connection, at, DECIDED, key, facts)


def refused_by_peer(connection: Connection, at: datetime, peer: str, ticket: Ticket) -> int:
    """Returns the number of the line that says that people of a peer refused; as `received`."""
    digest = ticket.digest
    facts = {"ticket": ticket.id, "digest": digest, "code": REFUSED_CODE, "peer": peer}
    return _once(connection, at, REFUSED, _key(peer, digest), facts)


@lru_cache(maxsize=KNOWN)
def _key_of(peer: str, digest: str, signers: tuple[Signer, ...], way: Way, *, columns: bool) -> str:
    """Which decision this is; remembered, since each inquiry asks."""
    stages = stages_of(way, columns=columns)
    signed = (
        f"{each.key} {each.operator.fingerprint} {told(each.at)} {each.approval}"
        for each in _signers(signers, stages)
    )
    return _key(peer, digest, way, stages[-1], *signed)


def _signers(signers: Sequence[Signer], stages: Collection[Stage]) -> list[Signer]:
    return [each for each in signers if each.key.stage in stages]


def _signature(signer: Signer) -> dict[str, str]:
    operator = signer.operator
    said = {
        "party": signer.key.party,
        "stage": signer.key.stage,
        "operator": operator.person,
        "role": operator.role,
        "certificate": operator.fingerprint.removeprefix("sha256:"),
        "at": told(signer.at),
    }
    return said | ({"approval": signer.approval} if signer.approval else {})


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _line(connection: Connection, event: str, key: str) -> int | None:
    row = connection.execute(_FIND, {"event": event, "key": key}).fetchone()
    return None if row is None else int(row[0])


def _once(connection: Connection, at: datetime, event: str, key: str, facts: dict[str, Any]) -> int:
    line = _line(connection, event, key)
    if line is None:
        line = audit.append(connection, at, event, facts)
        connection.execute(_KEEP, {"event": event, "key": key, "line": line})
    return line
