"""Which packs of rules tickets name, and of which pack a clue is."""

import sqlalchemy as sql
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Makes the table and the column."""
    op.create_table(
        "ticket_packs",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("packs", sql.String(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "ticket", name="pk_ticket_packs"),
        sqlite_with_rowid=False,
    )
    op.add_column("clues", sql.Column("pack", sql.String(), nullable=False, server_default=""))
