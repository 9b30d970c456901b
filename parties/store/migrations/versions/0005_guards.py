"""Counts of both directions, the ticket that an id stands for, and which sets were brought."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op

revision = "0005"
down_revision = "0004"

_KEYS = {
    "asked": ("peer", "whose", "day", "way", "ticket"),
    "brought": ("peer", "ticket", "whose", "set"),
}


def upgrade() -> None:
    """Alters tables: until now all that was counted was what partners asked of this node."""
    for name, key in _KEYS.items():
        with op.batch_alter_table(name, table_kwargs={"sqlite_with_rowid": False}) as table:
            whose = sql.Column("whose", sql.String(), nullable=False, server_default="theirs")
            table.add_column(whose)
            table.drop_constraint(f"pk_{name}", type_="primary")
            table.create_primary_key(f"pk_{name}", list(key))
    with op.batch_alter_table("spent", table_kwargs={"sqlite_with_rowid": False}) as table:
        table.add_column(sql.Column("digest", sql.String(), nullable=False, server_default=""))
    op.create_table(
        "differences",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("set", sql.String(), nullable=False),
        sql.Column("whole", sql.LargeBinary(), nullable=False),
        sql.Column("buckets", sql.LargeBinary(), nullable=False),
        sql.Column("at", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "set", "whole", name="pk_differences"),
    )
    op.create_table(
        "swept",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("set", sql.String(), nullable=False),
        sql.Column("day", sql.String(), nullable=False),
        sql.Column("block", sql.LargeBinary(), nullable=False),
        sql.Column("seen", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "set", "day", "block", name="pk_swept"),
    )
    op.create_table(
        "inputs",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("set", sql.String(), nullable=False),
        sql.Column("input", sql.LargeBinary(), nullable=False),
        sql.Column("day", sql.String(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "set", "input", name="pk_inputs"),
        sqlite_with_rowid=False,
    )
