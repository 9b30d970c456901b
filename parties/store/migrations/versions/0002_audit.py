"""The audit log: lines, signed heads and receipts, which nothing changes or deletes.

Triggers stop an UPDATE or DELETE by accident. Whoever has the database's password can drop them;
that what they then do shows is the work of the chain, and of heads and receipts, which are signed.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sql
from alembic import op

revision = "0002"
down_revision = "0001"

TABLES: Final = {
    "audit_log": "one",
    "audit_lines": "number",
    "audit_heads": "number",
    "audit_receipts": "line",
}
"""Each with its primary key."""
NUMBER: Final = sql.BigInteger().with_variant(sql.Integer(), "sqlite")
"""As `parties.audit.schema` has it: the key in whose order SQLite keeps rows."""
REFUSAL: Final = "the audit log is never changed"


def upgrade() -> None:
    """Makes the tables and their guards."""
    op.create_table(
        "audit_log",
        sql.Column("one", sql.Integer(), autoincrement=False),
        sql.Column("node", sql.String(64), nullable=False),
        sql.Column("id", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("one", name="pk_audit_log"),
    )
    op.create_table(
        "audit_lines",
        sql.Column("number", NUMBER, autoincrement=False),
        sql.Column("at", sql.String(27), nullable=False),
        sql.Column("event", sql.String(64), nullable=False),
        sql.Column("body", sql.LargeBinary(), nullable=False),
        sql.Column("hash", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("number", name="pk_audit_lines"),
    )
    op.create_table(
        "audit_heads",
        sql.Column("number", NUMBER, autoincrement=False),
        sql.Column("hash", sql.LargeBinary(), nullable=False),
        sql.Column("at", sql.String(27), nullable=False),
        sql.Column("signature", sql.LargeBinary(), nullable=False),
        sql.Column("certificate", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("number", name="pk_audit_heads"),
    )
    op.create_table(
        "audit_receipts",
        sql.Column("line", NUMBER, autoincrement=False),
        sql.Column("session", sql.String(32), nullable=False),
        sql.Column("signer", sql.String(6), nullable=False),
        sql.Column("data", sql.LargeBinary(), nullable=False),
        sql.UniqueConstraint("session", "signer", name="uq_audit_receipts_session_signer"),
        sql.PrimaryKeyConstraint("line", name="pk_audit_receipts"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        )


def _guard_sqlite() -> None:
    for table, key in TABLES.items():
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        # REPLACE deletes the row that is in its way, and no trigger on DELETE sees that.
        there = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608  # our names
        if table == "audit_receipts":
            there += (
                " OR EXISTS (SELECT 1 FROM audit_receipts "
                "WHERE session = NEW.session AND signer = NEW.signer)"
            )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
