"""Lines of a log for people and programs, chosen by time, event and session."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sql

from parties.audit.chain import stamp
from parties.audit.reading import BATCH
from parties.audit.schema import LINES


def lines_of(
    connection: sql.Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    events: Collection[str] = (),
    session: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Yields lines in order, without their salts; nothing is verified.

    Args:
        connection: in a transaction that reads.
        since: of the first line.
        until: before which the last line is.
        events: of which lines are; any if empty.
        session: of which lines are; any if None.
    """
    read = sql.select(LINES.c.number, LINES.c.body, LINES.c.hash).order_by(LINES.c.number)
    if since is not None:
        read = read.where(LINES.c.at >= stamp(since))
    if until is not None:
        read = read.where(LINES.c.at < stamp(until))
    if events:
        read = read.where(LINES.c.event.in_(events))
    done = 0
    while rows := connection.execute(read.where(LINES.c.number > done).limit(BATCH)).all():
        for row in rows:
            values = json.loads(bytes(row.body))
            if session is None or values["facts"].get("session") == session:
                del values["salt"]
                yield values | {"hash": bytes(row.hash).hex()}
        done = rows[-1].number


def text_of(line: dict[str, Any]) -> str:
    """Returns a line for people."""
    facts = ", ".join(f"{name} {_text(value)}" for name, value in line["facts"].items())
    return f"{line['number']:>8}  {line['at'][:19]}Z  {line['event']}: {facts}"


def _text(value: Any) -> str:
    match value:
        case dict():
            return " ".join(f"{name}={count}" for name, count in value.items()) or "none"
        case list():
            return " ".join(map(_text, value)) or "none"
        case _:
            # What would steer a terminal is left out: a purpose may be a peer's.
            return "".join(
                sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value)
            )
