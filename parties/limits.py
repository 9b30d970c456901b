"""What was asked of this node, counted on disk before anything is answered.

A question is counted in one transaction with whatever else its answer writes down, and every
counter is looked at before any is moved: a refused question has changed nothing. A crash between
the count and the answer counts a question that got none, and never the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from parties import counters
from parties.refusals import Refusal
from parties.settings import Way
from parties.store import Connection, Store, Values, microseconds
from psi.errors import ApiMisuse

RunEnd = Literal["done", "failed"]
"""How a run can end. One that has no end was begun by a process that was killed, or runs."""


class Charge(NamedTuple):
    """What is asked, and is to be counted.

    Attributes:
        peer: who asks.
        session: of the question, which may be counted once.
        way: in which it asks; an inquiry, or a run.
        elements: how many it is about, by identifier set.
        ticket: under which it asks; empty for none.
    """

    peer: str
    session: str
    way: Way
    elements: Mapping[str, int]
    ticket: str = ""


class Allowance(NamedTuple):
    """What the settings and a ticket allow; None where there is no bound.

    Attributes:
        daily: elements a day (UTC) in the way that is asked, under all tickets of the peer.
        runs: under the ticket, in all.
        inquiries: identifiers that may be inquired under the ticket, in all.
        elements: under the ticket in all ways, by identifier set; one that is not named has none.
    """

    daily: int | None = None
    runs: int | None = None
    inquiries: int | None = None
    elements: Mapping[str, int] | None = None


class Limits:
    """The counts of one node.

    Args:
        store: that keeps them.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._forgot: date | None = None

    def charge(self, connection: Connection, asked: Charge, allowed: Allowance) -> None:
        """Counts a question in a transaction of the caller's; it may be answered once that is over.

        Args:
            connection: of `Store.writing`.
            asked: the question.
            allowed: how much may be asked.

        Raises:
            Refusal: `replayed`, `over-limit` or `ticket-spent`; nothing was counted.
            ApiMisuse: bounds of a ticket, and no ticket.
        """
        if not asked.ticket and allowed[1:] != (None, None, None):
            raise ApiMisuse("bounds of a ticket were given for a question without a ticket")
        at = self.store.now(connection)
        today, elements = at.date().isoformat(), sum(asked.elements.values())
        _check(connection, asked, allowed, today, elements)
        self._forget(connection, at.date())
        of: Values = {"peer": asked.peer, "ticket": asked.ticket}
        here: Values = {"peer": asked.peer, "session": asked.session}
        connection.execute(counters.NOTE, {**here, "day": today})
        of_day: Values = {"day": today, "way": asked.way, "elements": elements}
        connection.execute(counters.ADD_ASKED, {**of, **of_day})
        inquires = asked.way == "inquire"
        if not inquires:
            run: Values = {"ticket": asked.ticket, "way": asked.way, "at": microseconds(at)}
            connection.execute(counters.BEGIN_RUN, {**here, **run})
        if asked.ticket:
            more = {"runs": int(not inquires), "inquiries": elements if inquires else 0}
            connection.execute(counters.ADD_SPENT, {**of, **more})
            for name, count in asked.elements.items():
                connection.execute(counters.ADD_BROUGHT, {**of, "set": name, "elements": count})

    def look(self, connection: Connection, asked: Charge, allowed: Allowance) -> None:
        """Looks whether a question could be counted now, and counts nothing.

        Raises:
            Refusal: as `charge`.
        """
        today = self.store.now(connection).date().isoformat()
        _check(connection, asked, allowed, today, sum(asked.elements.values()))

    def charge_alone(self, asked: Charge, allowed: Allowance) -> None:
        """Counts a question in a transaction of its own; on disk when this returns.

        Raises:
            Refusal: as `charge`.
            LocalFault: it cannot be written down.
        """
        with self.store.writing() as connection:
            self.charge(connection, asked, allowed)

    def end_run(self, connection: Connection, peer: str, session: str, end: RunEnd) -> None:
        """Writes down how a run has ended; it stays counted, whichever way it did.

        Raises:
            ApiMisuse: no such run was begun, or it has an end.
        """
        ended = {"peer": peer, "session": session, "end": end}
        if connection.execute(counters.END_RUN, ended).rowcount != 1:
            raise ApiMisuse("a run that was not begun, or has ended, cannot end")

    def asked(self, peer: str, day: date | None = None, way: Way = "inquire") -> int:
        """Returns about how many elements a peer has asked in a way on a day, by default today.

        Raises:
            LocalFault: the store cannot be read.
        """
        with self.store.reading() as connection:
            of_day = (day or self.store.now(connection).date()).isoformat()
            of = {"peer": peer, "day": of_day, "way": way, "session": ""}
            found = connection.execute(counters.FIND, of).fetchone()
        return int(found[0])

    def close(self) -> None:
        """Closes the store."""
        self.store.close()

    def _forget(self, connection: Connection, today: date) -> None:
        if self._forgot != today:
            before = today - timedelta(days=counters.REMEMBERED)
            connection.execute(counters.FORGET, {"before": before.isoformat()})
            self._forgot = today


def _check(
    connection: Connection, asked: Charge, allowed: Allowance, today: str, elements: int
) -> None:
    peer = asked.peer
    of = {"peer": peer, "day": today, "way": asked.way, "session": asked.session}
    of_day, question, run = connection.execute(counters.FIND, of).fetchone()
    if question or run:
        raise Refusal("replayed", f"{peer} asks again in a session that is over")
    if allowed.daily is not None and of_day + elements > allowed.daily:
        raise Refusal(
            "over-limit",
            f"{peer} asks about {elements} more, and has asked about {of_day} of the "
            f"{allowed.daily} of a day",
        )
    if asked.ticket:
        _check_ticket(connection, asked, allowed)


def _check_ticket(connection: Connection, asked: Charge, allowed: Allowance) -> None:
    of = {"peer": asked.peer, "ticket": asked.ticket}
    runs, inquiries = connection.execute(counters.FIND_SPENT, of).fetchone() or (0, 0)
    spent = f"{asked.peer} has used up ticket {asked.ticket}"
    if asked.way == "inquire":
        more = sum(asked.elements.values())
        if allowed.inquiries is not None and inquiries + more > allowed.inquiries:
            raise Refusal(
                "ticket-spent",
                f"{spent}: {more} more identifiers, after {inquiries} of {allowed.inquiries}",
            )
    elif allowed.runs is not None and runs >= allowed.runs:
        raise Refusal("ticket-spent", f"{spent}: {runs} of {allowed.runs} runs")
    if allowed.elements is None:
        return
    for name, count in asked.elements.items():
        found = connection.execute(counters.FIND_BROUGHT, {**of, "set": name})
        (before,) = found.fetchone() or (0,)
        most = allowed.elements.get(name, 0)
        if before + count > most:
            raise Refusal(
                "ticket-spent",
                f"{spent}: {count} more of identifiers.{name}, after {before} of {most}",
            )
