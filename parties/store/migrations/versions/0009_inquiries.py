"""Inquiries of which receipts have not been exchanged yet."""

import sqlalchemy as sql
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "inquiries",
        sql.Column("whose", sql.String(), nullable=False),
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("session", sql.String(), nullable=False),
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("digest", sql.String(), nullable=False),
        sql.Column("stage", sql.String(), nullable=False),
        sql.Column("at", sql.BigInteger(), nullable=False),
        sql.Column("elements", sql.String(), nullable=False),
        sql.Column("outcome", sql.String(), nullable=False, server_default=""),
        sql.Column("transcript", sql.String(), nullable=False, server_default=""),
        sql.Column("said", sql.BigInteger(), nullable=False, server_default="0"),
        sql.Column("heard", sql.BigInteger(), nullable=False, server_default="0"),
        sql.Column("receipt", sql.String(), nullable=False, server_default=""),
        sql.PrimaryKeyConstraint("whose", "peer", "session", name="pk_inquiries"),
        sqlite_with_rowid=False,
    )
