"""The statements by which `parties.limits` counts.

A day is the text of ISO 8601, which is the same in all databases and sorts as days do. A peer is
the name of the partner's node, and `whose` says who asked: `theirs`, the partner; `ours`, we.
"""

from __future__ import annotations

from typing import Final

FIND: Final = """
    SELECT coalesce(
               (SELECT cast(sum(elements) AS bigint) FROM asked
                WHERE peer = :peer AND whose = :whose AND day = :day
                  AND (way = 'inquire') = :inquires), 0),
           EXISTS (SELECT 1 FROM questions WHERE peer = :peer AND session = :session),
           EXISTS (SELECT 1 FROM runs WHERE peer = :peer AND session = :session)
               OR EXISTS (SELECT 1 FROM audit_receipts WHERE session = :session)"""
"""About how many elements were asked on a day, in inquiries or in runs, and whether a session is
over: as a question, or as a run with whole sets or one of which receipts were kept."""

FIND_SPENT: Final = """
    SELECT runs, inquiries, digest FROM spent WHERE peer = :peer AND ticket = :ticket"""
FIND_BROUGHT: Final = """
    SELECT elements FROM brought
    WHERE peer = :peer AND ticket = :ticket AND whose = :whose AND "set" = :set"""
FIND_BEGUN: Final = """
    SELECT 1 FROM runs WHERE peer = :peer AND session = :session AND state = 'begun'"""
FIND_DAY: Final = "SELECT day FROM questions WHERE peer = :peer AND session = :session"

NOTE: Final = "INSERT INTO questions (peer, session, day) VALUES (:peer, :session, :day)"
"""A session is over, so that none is answered twice; kept for a week."""

ADD_ASKED: Final = """
    INSERT INTO asked (peer, whose, day, way, ticket, elements)
    VALUES (:peer, :whose, :day, :way, :ticket, :elements)
    ON CONFLICT (peer, whose, day, way, ticket) DO UPDATE
    SET elements = asked.elements + excluded.elements"""
"""About how many elements, each day; kept."""

ADD_SPENT: Final = """
    INSERT INTO spent (peer, ticket, digest, runs, inquiries)
    VALUES (:peer, :ticket, :digest, :runs, :inquiries)
    ON CONFLICT (peer, ticket) DO UPDATE
    SET runs = spent.runs + excluded.runs, inquiries = spent.inquiries + excluded.inquiries,
        digest = excluded.digest"""
"""What was asked under a ticket, in all; kept. Rows of before have no digest until they get one."""

ADD_BROUGHT: Final = """
    INSERT INTO brought (peer, ticket, whose, "set", elements)
    VALUES (:peer, :ticket, :whose, :set, :elements)
    ON CONFLICT (peer, ticket, whose, "set") DO UPDATE
    SET elements = brought.elements + excluded.elements"""
"""About how many elements of a set under a ticket, in all; kept."""

BEGIN_RUN: Final = """
    INSERT INTO runs (peer, session, ticket, way, at, state)
    VALUES (:peer, :session, :ticket, :way, :at, 'begun')"""
END_RUN: Final = """
    UPDATE runs SET state = :end WHERE peer = :peer AND session = :session AND state = 'begun'"""
"""A run with whole sets is begun, done or failed; kept. `at` as `parties.store.microseconds`."""

REMEMBERED: Final = 7
"""Days for which a session that is over is remembered. A call whose messages are a week old is
none: TLS has no replays, and this is for a peer that has kept its own."""

FORGET: Final = f"""
    DELETE FROM questions WHERE day < :before AND day NOT IN
        (SELECT DISTINCT day FROM asked ORDER BY day DESC LIMIT {REMEMBERED})"""  # noqa: S608  # our own number
"""Forgets sessions of old days, but none of the last days on which something was asked: a clock
that runs ahead for a day and is put back makes none of them old."""
FORGET_ONE: Final = "DELETE FROM questions WHERE peer = :peer AND session = :session"
