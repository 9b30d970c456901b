"""Writing the log: it is begun once, and each line is appended in the caller's transaction."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sql

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
from parties.audit.schema import LINES, LOG
from parties.errors import LocalFault
from parties.store import Statement
from psi.errors import ApiMisuse

_NEWEST: Final = Statement(
    sql.select(LINES.c.number, LINES.c.hash, LINES.c.at).order_by(LINES.c.number.desc()).limit(1)
)
_ADD: Final = Statement(LINES.insert())


def begin(connection: sql.Connection, node: str) -> Genesis:
    """Returns the genesis of the store's log; in a new store it is made.

    Args:
        connection: in a transaction that writes.
        node: the name of this node.

    Raises:
        LocalFault: the log is that of another node.
    """
    genesis = find(connection)
    if genesis is None:
        if not known.NAME.fullmatch(node):
            raise ApiMisuse("a log needs the name of its node")
        genesis = Genesis(node, os.urandom(ID_BYTES))
        connection.execute(LOG.insert().values(one=1, node=genesis.node, id=genesis.id))
    if genesis.node != node:
        raise LocalFault(
            f"the store's audit log is that of {genesis.node}, and this node is {node}; give each "
            "node a store of its own, and a renamed one a new store"
        )
    return genesis


def find(connection: sql.Connection) -> Genesis | None:
    """Returns the genesis of the store's log; None if none was begun."""
    row = connection.execute(sql.select(LOG.c.node, LOG.c.id)).first()
    return None if row is None else Genesis(row.node, bytes(row.id))


def place(connection: sql.Connection) -> Place:
    """Returns where the log ends.

    Raises:
        ApiMisuse: it was not begun.
    """
    return _end(connection)[0]


def append(connection: sql.Connection, at: datetime, event: str, facts: Mapping[str, Any]) -> int:
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
    _ADD.on(connection, number=number, at=now, event=event, body=body, hash=chained)
    return number


def _end(connection: sql.Connection) -> tuple[Place, str]:
    """Where the log ends, and the time of that."""
    row = _NEWEST.on(connection)
    if row is not None:
        number, hashed, at = row
        return Place(number, bytes(hashed)), at
    genesis = find(connection)
    if genesis is None:
        raise ApiMisuse("the audit log was not begun")
    return Place(0, genesis.hash), ""
