"""Writing the log: it is begun once, and each line is appended in the caller's transaction."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from parties.audit import facts as known
from parties.audit.chain import (
    ID_BYTES,
    SALT_BYTES,
    SETS_BACK,
    Genesis,
    Place,
    body_of,
    link,
    stamp,
)
from parties.errors import LocalFault
from parties.store import Connection, Values
from psi.errors import ApiMisuse

_BEGIN: Final = "INSERT INTO audit_log (one, node, id) VALUES (1, :node, :id)"
"""The one log of a store, by its genesis."""
_FIND: Final = "SELECT node, id FROM audit_log"
_NEWEST: Final = "SELECT number, hash, at FROM audit_lines ORDER BY number DESC LIMIT 1"
_ADD: Final = """
    INSERT INTO audit_lines (number, at, event, body, hash)
    VALUES (:number, :at, :event, :body, :hash)"""


def begin(connection: Connection, node: str) -> Genesis:
    """Returns the genesis of the store's log; in a new store it is made.

    Args:
        connection: in a transaction that writes.
        node: the name of this node.

    Raises:
        LocalFault: the log is that of another node.
    """
    genesis = find(connection)
    if genesis is None:
        if not known.is_name(node):
            raise ApiMisuse("a log needs the name of its node")
        genesis = Genesis(node, os.urandom(ID_BYTES))
        connection.execute(_BEGIN, {"node": genesis.node, "id": genesis.id})
    if genesis.node != node:
        raise LocalFault(
            f"the store's audit log is that of {genesis.node}, and this node is {node}; give each "
            "node a store of its own, and a renamed one a new store"
        )
    return genesis


def find(connection: Connection) -> Genesis | None:
    """Returns the genesis of the store's log; None if none was begun."""
    row = connection.execute(_FIND).fetchone()
    return None if row is None else Genesis(*row)


def place(connection: Connection) -> Place:
    """Returns where the log ends.

    Raises:
        ApiMisuse: it was not begun.
    """
    return _end(connection)[0]


def append(connection: Connection, at: datetime, event: str, facts: Mapping[str, Any]) -> int:
    """Writes one line, in the caller's transaction: it stays if that does.

    Args:
        connection: in a transaction that no other one overlaps, as `parties.store.Store.writing`
            gives it.
        at: when; of the store's clock, in this transaction.
        event: one of `parties.audit.facts.EVENTS`.
        facts: those of the event, and none but those.

    Returns:
        The number of the line.

    Raises:
        ApiMisuse: the log was not begun, may not say this, or the time is before its last line's,
            as only that of `clock_set` may be.
    """
    known.check(event, facts)
    end, before = _end(connection)
    now, number = stamp(at), end.number + 1
    if now < before and event != SETS_BACK:
        raise ApiMisuse("a line of the audit log is earlier than the one before it")
    body = body_of(number, now, event, facts, os.urandom(SALT_BYTES))
    chained = link(end.hash, body)
    line: Values = {"number": number, "at": now, "event": event, "body": body, "hash": chained}
    connection.execute(_ADD, line)
    return number


def _end(connection: Connection) -> tuple[Place, str]:
    """Where the log ends, and the time of that."""
    row = connection.execute(_NEWEST).fetchone()
    if row is not None:
        number, hashed, at = row
        return Place(number, hashed), at
    genesis = find(connection)
    if genesis is None:
        raise ApiMisuse("the audit log was not begun")
    return Place(0, genesis.hash), ""
