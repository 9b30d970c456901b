"""What is written together: a receipt with its line and a head over both; what was erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from parties.audit import receipt as receipts
from parties.audit.heads import sign_head
from parties.audit.log import append, place
from parties.audit.receipt import Receipt, Signed
from parties.credentials import Credentials
from parties.store import Connection, Values

_KEEP: Final = """
    INSERT INTO audit_receipts (line, session, signer, data)
    VALUES (:line, :session, :signer, :data)"""
"""A signed receipt, ours or theirs, by the line that has its digest."""
_FIND: Final = """
    SELECT data FROM audit_receipts WHERE session = :session AND signer = :signer"""


def keep_ours(
    connection: Connection, at: datetime, receipt: Receipt, credentials: Credentials
) -> Signed:
    """Signs our receipt of a run with the place where our log ends, and keeps it.

    The line `run_ended` or `run_failed` must stand in the log before: the place then covers it.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        receipt: its place is not looked at.
        credentials: of this node.

    Returns:
        What the peer gets.
    """
    signed = receipts.sign(receipt._replace(place=place(connection)), credentials)
    _keep(connection, at, signed, "ours", receipt.peer)
    sign_head(connection, credentials, at)
    return signed


def keep_theirs(
    connection: Connection, at: datetime, theirs: Signed, credentials: Credentials
) -> None:
    """Keeps the peer's receipt of a run, which `receipt.read_answer` has read."""
    _keep(connection, at, theirs, "theirs", theirs.receipt.node)
    sign_head(connection, credentials, at)


def keep_both(
    connection: Connection,
    at: datetime,
    theirs: Signed,
    receipt: Receipt,
    credentials: Credentials,
) -> Signed:
    """Keeps the peer's receipt, and signs and keeps ours, as `keep_theirs` and `keep_ours`."""
    _keep(connection, at, theirs, "theirs", theirs.receipt.node)
    return keep_ours(connection, at, receipt, credentials)


def find_receipt(connection: Connection, session: str, signer: str) -> bytes | None:
    """Returns the receipt of a session, signed by us ("ours") or the peer ("theirs").

    Args:
        connection: of the store.
        session: that the receipt names.
        signer: ours or theirs.
    """
    row = connection.execute(_FIND, {"session": session, "signer": signer}).fetchone()
    return None if row is None else bytes(row[0])


def record_erasure(
    connection: Connection, at: datetime, what: str, session: str | None, files: int
) -> int:
    """Says in the log that things were erased; in the caller's transaction.

    Args:
        connection: in a transaction that writes.
        at: when, of the store's clock.
        what: the kind of thing, a word: joined-rows, rejects, elements.
        session: of which run; None if of none.
        files: how many.

    Returns:
        The number of the line.
    """
    facts = {"what": what, "files": files}
    return append(connection, at, "erased", facts | ({"session": session} if session else {}))


def _keep(connection: Connection, at: datetime, signed: Signed, signer: str, peer: str) -> None:
    receipt = signed.receipt
    facts: dict[str, Any] = {
        "session": receipt.session,
        "peer": peer,
        "signer": signer,
        "digest": signed.digest,
        "outcome": receipt.outcome,
    }
    if receipt.inquiries:
        facts["inquiries"] = len(receipt.inquiries)
    number = append(connection, at, "receipt", facts)
    row: Values = {
        "line": number,
        "session": receipt.session,
        "signer": signer,
        "data": signed.data,
    }
    connection.execute(_KEEP, row)
