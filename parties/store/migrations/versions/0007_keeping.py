"""What is kept for a time: how often something was refused of late, and what runs have left."""

import sqlalchemy as sql
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "refusals",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("day", sql.String(), nullable=False),
        sql.Column("refused", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "day", name="pk_refusals"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ticket_ends",
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("at", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("ticket", name="pk_ticket_ends"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "results",
        sql.Column("session", sql.String(), nullable=False),
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("path", sql.String(), nullable=False),
        sql.PrimaryKeyConstraint("session", name="pk_results"),
        sqlite_with_rowid=False,
    )
