"""The inbox of tickets, how much of it each peer has used, and what the log says once."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "inbox",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("data", sql.LargeBinary(), nullable=False),
        sql.Column("came", sql.BigInteger(), nullable=False),
        sql.Column("until", sql.BigInteger(), nullable=False),
        sql.Column("state", sql.String(), nullable=False),
        sql.Column("reason", sql.String(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "ticket", name="pk_inbox"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "submissions",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("day", sql.String(), nullable=False),
        sql.Column("taken", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "day", name="pk_submissions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "noted",
        sql.Column("event", sql.String(), nullable=False),
        sql.Column("key", sql.String(), nullable=False),
        sql.Column("line", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("event", "key", name="pk_noted"),
        sqlite_with_rowid=False,
    )
