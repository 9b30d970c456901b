"""Lines of a log for people and programs, chosen by time, event and session."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from parties.audit.chain import stamp
from parties.audit.reading import BATCH
from parties.store import Connection

_NEXT: Final = """
    SELECT number, body, hash FROM audit_lines
    WHERE number > :done AND at >= :since AND at < :until {among} ORDER BY number LIMIT :most"""
_EVER: Final = datetime.max.replace(tzinfo=UTC)


def lines_of(
    connection: Connection,
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
    names = {f"event_{number}": event for number, event in enumerate(events)}
    among = f"AND event IN ({', '.join(f':{name}' for name in names)})" if names else ""
    read = _NEXT.format(among=among)
    times = {"since": "" if since is None else stamp(since), "until": stamp(until or _EVER)}
    done = 0
    while rows := connection.execute(
        read, names | times | {"done": done, "most": BATCH}
    ).fetchall():
        for number, body, hashed in rows:
            done, values = number, json.loads(body)
            if session is None or values["facts"].get("session") == session:
                del values["salt"]
                yield values | {"hash": hashed.hex()}


def text_of(line: dict[str, Any]) -> str:
    """Returns a line for people."""
    facts = ", ".join(f"{name} {_text(value)}" for name, value in line["facts"].items())
    return f"{line['number']:>8}  {line['at'][:19]}Z  {line['event']}: {facts}"


def _text(value: Any) -> str:
    match value:
        case dict():
            return " ".join(f"{name}={_text(inner)}" for name, inner in value.items()) or "none"
        case list():
            return " ".join(map(_text, value)) or "none"
        case _:
            # What would steer a terminal is left out: a purpose may be a peer's.
            return "".join(
                sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value)
            )
