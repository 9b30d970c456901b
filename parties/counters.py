"""The tables in which `parties.limits` counts, and the statements that it says for a question.

A day is the text of ISO 8601, which is the same in all databases and sorts as days do.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy.dialects import sqlite

from parties.store import METADATA, Moment, Statement


def _keys(*names: str) -> list[sql.Column[str]]:
    return [sql.Column(name, sql.String, primary_key=True) for name in names]


ASKED: Final = sql.Table(
    "asked",
    METADATA,
    *_keys("peer", "day", "way", "ticket"),
    sql.Column("elements", sql.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""About how many elements, each day; kept."""

QUESTIONS: Final = sql.Table(
    "questions",
    METADATA,
    *_keys("peer", "session"),
    sql.Column("day", sql.String, nullable=False),
    sqlite_with_rowid=False,
)
"""Sessions that are over, so that none is answered twice; kept for a week."""

RUNS: Final = sql.Table(
    "runs",
    METADATA,
    *_keys("peer", "session"),
    sql.Column("ticket", sql.String, nullable=False),
    sql.Column("way", sql.String, nullable=False),
    sql.Column("at", Moment, nullable=False),
    sql.Column("state", sql.String, nullable=False),
    sqlite_with_rowid=False,
)
"""Runs with whole sets: begun, done or failed; kept."""

SPENT: Final = sql.Table(
    "spent",
    METADATA,
    *_keys("peer", "ticket"),
    sql.Column("runs", sql.BigInteger, nullable=False),
    sql.Column("inquiries", sql.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What was asked under a ticket, in all; kept."""

BROUGHT: Final = sql.Table(
    "brought",
    METADATA,
    *_keys("peer", "ticket", "set"),
    sql.Column("elements", sql.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""About how many elements of a set under a ticket, in all; kept."""


def _is(*columns: sql.Column[Any]) -> sql.ColumnElement[bool]:
    return sql.and_(*(column == sql.bindparam(f"of_{column.name}") for column in columns))


def _adding(table: sql.Table) -> Statement:
    """Makes a row, or adds to the counts of the one that is there."""

    def on_postgresql() -> sql.Executable:
        from sqlalchemy.dialects import postgresql

        return _added(postgresql.insert(table), table)

    return Statement(_added(sqlite.insert(table), table), on_postgresql)


def _added(insert: Any, table: sql.Table) -> sql.Executable:
    counts = [column.name for column in table.columns if not column.primary_key]
    more = {name: table.c[name] + insert.excluded[name] for name in counts}
    done: sql.Executable = insert.on_conflict_do_update(index_elements=table.primary_key, set_=more)
    return done


def _total(*columns: sql.Column[Any]) -> sql.ColumnElement[int]:
    total = sql.cast(sql.func.sum(ASKED.c.elements), sql.BigInteger)
    return sql.func.coalesce(sql.select(total).where(_is(*columns)).scalar_subquery(), 0)


def _there(table: sql.Table) -> sql.Exists:
    return sql.exists().where(_is(table.c.peer, table.c.session))


FIND: Final = Statement(
    sql.select(
        _total(ASKED.c.peer, ASKED.c.day, ASKED.c.way),
        _there(QUESTIONS),
        _there(RUNS),
    )
)
"""About how many elements a peer has asked in a way on a day, and whether a session is over."""

FIND_SPENT: Final = Statement(
    sql.select(SPENT.c.runs, SPENT.c.inquiries).where(_is(SPENT.c.peer, SPENT.c.ticket))
)
FIND_BROUGHT: Final = Statement(
    sql.select(BROUGHT.c.elements).where(_is(BROUGHT.c.peer, BROUGHT.c.ticket, BROUGHT.c.set))
)
NOTE: Final = Statement(QUESTIONS.insert())
ADD_ASKED: Final = _adding(ASKED)
ADD_SPENT: Final = _adding(SPENT)
ADD_BROUGHT: Final = _adding(BROUGHT)

REMEMBERED: Final = 7
"""Days for which a session that is over is remembered. A call whose messages are a week old is
none: TLS has no replays, and this is for a peer that has kept its own."""

FORGET: Final = Statement(
    QUESTIONS.delete().where(
        QUESTIONS.c.day < sql.bindparam("before"),
        QUESTIONS.c.day.not_in(
            sql.select(ASKED.c.day)
            .distinct()
            .order_by(ASKED.c.day.desc())
            .limit(sql.literal_column(str(REMEMBERED)))
            .scalar_subquery()
        ),
    )
)
"""Forgets sessions of old days, but none of the last days on which something was asked: a clock
that runs ahead for a day and is put back makes none of them old."""
