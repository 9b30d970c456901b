"""The tables of the log. `parties/store/migrations/versions/0002_audit.py` makes them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sql

from parties.store import METADATA

NUMBER: Final = sql.BigInteger().with_variant(sql.Integer, "sqlite")
"""Of a line. SQLite's INTEGER has 64 bits too, and rows stand in the order of a key of that type
alone: by another, a row is looked up in an index first."""
LOG: Final = sql.Table(
    "audit_log",
    METADATA,
    sql.Column("one", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("node", sql.String(64), nullable=False),
    sql.Column("id", sql.LargeBinary, nullable=False),
)
"""The one log of this store, by `parties.audit.chain.Genesis`."""
LINES: Final = sql.Table(
    "audit_lines",
    METADATA,
    sql.Column("number", NUMBER, primary_key=True, autoincrement=False),
    sql.Column("at", sql.String(27), nullable=False),
    sql.Column("event", sql.String(64), nullable=False),
    sql.Column("body", sql.LargeBinary, nullable=False),
    sql.Column("hash", sql.LargeBinary, nullable=False),
)
HEADS: Final = sql.Table(
    "audit_heads",
    METADATA,
    sql.Column("number", NUMBER, primary_key=True, autoincrement=False),
    sql.Column("hash", sql.LargeBinary, nullable=False),
    sql.Column("at", sql.String(27), nullable=False),
    sql.Column("signature", sql.LargeBinary, nullable=False),
    sql.Column("certificate", sql.LargeBinary, nullable=False),
)
RECEIPTS: Final = sql.Table(
    "audit_receipts",
    METADATA,
    sql.Column("line", NUMBER, primary_key=True, autoincrement=False),
    sql.Column("session", sql.String(32), nullable=False),
    sql.Column("signer", sql.String(6), nullable=False),
    sql.Column("data", sql.LargeBinary, nullable=False),
    sql.UniqueConstraint("session", "signer", name="uq_audit_receipts_session_signer"),
)
"""Signed receipts, ours and theirs, by the line that has the digest of each."""
