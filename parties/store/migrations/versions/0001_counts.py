"""The first tables: the clock, and what was asked and spent."""

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes them."""
    clock = op.create_table(
        "clock",
        sql.Column("id", sql.SmallInteger, autoincrement=False),
        sql.Column("at", sql.BigInteger, nullable=False),
        sql.PrimaryKeyConstraint("id", name="pk_clock"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(clock, [{"id": 1, "at": 0}])
    op.create_table(
        "asked",
        sql.Column("peer", sql.String),
        sql.Column("day", sql.String),
        sql.Column("way", sql.String),
        sql.Column("ticket", sql.String),
        sql.Column("elements", sql.BigInteger, nullable=False),
        sql.PrimaryKeyConstraint("peer", "day", "way", "ticket", name="pk_asked"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "questions",
        sql.Column("peer", sql.String),
        sql.Column("session", sql.String),
        sql.Column("day", sql.String, nullable=False),
        sql.PrimaryKeyConstraint("peer", "session", name="pk_questions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sql.Column("peer", sql.String),
        sql.Column("session", sql.String),
        sql.Column("ticket", sql.String, nullable=False),
        sql.Column("way", sql.String, nullable=False),
        sql.Column("at", sql.BigInteger, nullable=False),
        sql.Column("state", sql.String, nullable=False),
        sql.PrimaryKeyConstraint("peer", "session", name="pk_runs"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spent",
        sql.Column("peer", sql.String),
        sql.Column("ticket", sql.String),
        sql.Column("runs", sql.BigInteger, nullable=False),
        sql.Column("inquiries", sql.BigInteger, nullable=False),
        sql.PrimaryKeyConstraint("peer", "ticket", name="pk_spent"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "brought",
        sql.Column("peer", sql.String),
        sql.Column("ticket", sql.String),
        sql.Column("set", sql.String),
        sql.Column("elements", sql.BigInteger, nullable=False),
        sql.PrimaryKeyConstraint("peer", "ticket", "set", name="pk_brought"),
        sqlite_with_rowid=False,
    )
