"""How often something was refused with each peer, of the last days on which something was."""

import sqlalchemy as sql
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "refusals",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("day", sql.String(), nullable=False),
        sql.Column("refused", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "day", name="pk_refusals"),
        sqlite_with_rowid=False,
    )
