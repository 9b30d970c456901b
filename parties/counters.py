"""The statements by which `parties.limits` counts.

A day is the text of ISO 8601, which is the same in all databases and sorts as days do.
"""

from __future__ import annotations

from typing import Final

FIND: Final = """
    SELECT coalesce(
               (SELECT cast(sum(elements) AS bigint) FROM asked
                WHERE peer = :peer AND day = :day AND way = :way), 0),
           EXISTS (SELECT 1 FROM questions WHERE peer = :peer AND session = :session),
           EXISTS (SELECT 1 FROM runs WHERE peer = :peer AND session = :session)"""
"""About how many elements a peer has asked in a way on a day, and whether a session is over: as a
question, or as a run with whole sets."""

FIND_SPENT: Final = "SELECT runs, inquiries FROM spent WHERE peer = :peer AND ticket = :ticket"
FIND_BROUGHT: Final = """
    SELECT elements FROM brought WHERE peer = :peer AND ticket = :ticket AND "set" = :set"""

NOTE: Final = "INSERT INTO questions (peer, session, day) VALUES (:peer, :session, :day)"
"""A session is over, so that none is answered twice; kept for a week."""

ADD_ASKED: Final = """
    INSERT INTO asked (peer, day, way, ticket, elements)
    VALUES (:peer, :day, :way, :ticket, :elements)
    ON CONFLICT (peer, day, way, ticket) DO UPDATE
    SET elements = asked.elements + excluded.elements"""
"""About how many elements, each day; kept."""

ADD_SPENT: Final = """
    INSERT INTO spent (peer, ticket, runs, inquiries) VALUES (:peer, :ticket, :runs, :inquiries)
    ON CONFLICT (peer, ticket) DO UPDATE
    SET runs = spent.runs + excluded.runs, inquiries = spent.inquiries + excluded.inquiries"""
"""What was asked under a ticket, in all; kept."""

ADD_BROUGHT: Final = """
    INSERT INTO brought (peer, ticket, "set", elements)
    VALUES (:peer, :ticket, :set, :elements)
    ON CONFLICT (peer, ticket, "set") DO UPDATE
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
