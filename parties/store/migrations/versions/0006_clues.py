"""The ledger of clues: what each says, what became of it, and the letters about it.

Triggers keep the history of a clue as it was written, as they do with the audit log.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sql
from alembic import op

revision = "0006"
down_revision = "0005"

REFUSAL: Final = "the history of a clue is never changed"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "clues",
        sql.Column("id", sql.String(), nullable=False),
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("line", sql.String(), nullable=False),
        sql.Column("rule", sql.String(), nullable=False),
        sql.Column("version", sql.BigInteger(), nullable=False),
        sql.Column("ticket", sql.String(), nullable=False),
        sql.Column("state", sql.String(), nullable=False),
        sql.Column("author", sql.String(), nullable=False),
        sql.Column("owner", sql.String(), nullable=False),
        sql.Column("due", sql.String(), nullable=False),
        sql.Column("claimed", sql.BigInteger(), nullable=False),
        sql.Column("made", sql.BigInteger(), nullable=False),
        sql.Column("digest", sql.String(), nullable=False),
        sql.Column("filed", sql.String(), nullable=False),
        sql.Column("outcome", sql.String(), nullable=False),
        sql.Column("suspects", sql.BigInteger(), nullable=False),
        sql.Column("amount", sql.BigInteger(), nullable=False),
        sql.Column("recovered", sql.BigInteger(), nullable=False),
        sql.Column("merge", sql.String(), nullable=False),
        sql.Column("asked", sql.String(), nullable=False),
        sql.Column("merged", sql.Integer(), nullable=False),
        sql.Column("head", sql.String(), nullable=False),
        sql.Column("said", sql.BigInteger(), nullable=False),
        sql.Column("heard", sql.BigInteger(), nullable=False),
        sql.PrimaryKeyConstraint("id", name="pk_clues"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clue_contents",
        sql.Column("clue", sql.String(), nullable=False),
        sql.Column("lead", sql.String(), nullable=False),
        sql.Column("data", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("clue", name="pk_clue_contents"),
    )
    op.create_index("ix_clue_contents_lead", "clue_contents", ["lead"])
    op.create_table(
        "clue_history",
        sql.Column("clue", sql.String(), nullable=False),
        sql.Column("number", sql.BigInteger(), nullable=False),
        sql.Column("at", sql.BigInteger(), nullable=False),
        sql.Column("act", sql.String(), nullable=False),
        sql.Column("state", sql.String(), nullable=False),
        sql.Column("person", sql.String(), nullable=False),
        sql.Column("role", sql.String(), nullable=False),
        sql.Column("code", sql.String(), nullable=False),
        sql.Column("facts", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("clue", "number", name="pk_clue_history"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_clue_history_at", "clue_history", ["at"])
    op.create_table(
        "clue_texts",
        sql.Column("clue", sql.String(), nullable=False),
        sql.Column("number", sql.BigInteger(), nullable=False),
        sql.Column("text", sql.String(), nullable=False),
        sql.PrimaryKeyConstraint("clue", "number", name="pk_clue_texts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clue_letters",
        sql.Column("place", sql.BigInteger().with_variant(sql.Integer(), "sqlite"), nullable=False),
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("clue", sql.String(), nullable=False),
        sql.Column("number", sql.BigInteger(), nullable=False),
        sql.Column("kind", sql.String(), nullable=False),
        sql.Column("digest", sql.String(), nullable=False),
        sql.Column("data", sql.LargeBinary(), nullable=False),
        sql.Column("at", sql.BigInteger(), nullable=False),
        sql.Column("sent", sql.BigInteger(), nullable=False),
        sql.Column("tries", sql.BigInteger(), nullable=False),
        sql.Column("next", sql.BigInteger(), nullable=False),
        sql.Column("code", sql.String(), nullable=False),
        sql.Column("receipt", sql.LargeBinary(), nullable=False),
        sql.UniqueConstraint("peer", "clue", "number", name="uq_clue_letters_peer_clue_number"),
        sql.PrimaryKeyConstraint("place", name="pk_clue_letters"),
    )
    op.create_index("ix_clue_letters_sent", "clue_letters", ["sent", "place"])
    op.create_table(
        "clue_heard",
        sql.Column("peer", sql.String(), nullable=False),
        sql.Column("clue", sql.String(), nullable=False),
        sql.Column("number", sql.BigInteger(), nullable=False),
        sql.Column("kind", sql.String(), nullable=False),
        sql.Column("digest", sql.String(), nullable=False),
        sql.Column("at", sql.BigInteger(), nullable=False),
        sql.Column("receipt", sql.LargeBinary(), nullable=False),
        sql.PrimaryKeyConstraint("peer", "clue", "number", name="pk_clue_heard"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_clue_heard_at", "clue_heard", ["peer", "kind", "at"])
    op.create_table(
        "clue_merges",
        sql.Column("merge", sql.String(), nullable=False),
        sql.Column("clue", sql.String(), nullable=False),
        sql.Column("head", sql.String(), nullable=False),
        sql.Column("answer", sql.String(), nullable=False),
        sql.PrimaryKeyConstraint("merge", "clue", name="pk_clue_merges"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION clue_history_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER clue_history_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON clue_history "
            "FOR EACH STATEMENT EXECUTE FUNCTION clue_history_is_kept()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER clue_history_no_{change.lower()} BEFORE {change} ON clue_history "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
    # REPLACE deletes the row that is in its way, and no trigger on DELETE sees that.
    op.execute(  # our own words
        "CREATE TRIGGER clue_history_no_replace BEFORE INSERT ON clue_history WHEN EXISTS "  # noqa: S608
        "(SELECT 1 FROM clue_history WHERE clue = NEW.clue AND number = NEW.number) "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )
