"""The stages of tickets: to what both nodes committed themselves in each."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "stages",
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("way", sql.String(), nullable=False),
        sql.Column("set", sql.String(), nullable=False),
        sql.Column("ours", sql.LargeBinary(), nullable=False),
        sql.Column("theirs", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("ticket", "way", "set", name="pk_stages"),
        sqlite_with_rowid=False,
    )
