"""What was asked of this node and by it, counted on disk before anything is answered.

A question is counted in one transaction with whatever else its answer writes down, and every
counter is looked at before any is moved: a refused question has changed nothing. A crash between
the count and the answer counts a question that got none, and never the other way.

Both nodes count both ways: what the partner asks of us, and what our own operators ask of it. So
either keeps to the budgets of a ticket, whatever the other does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

from parties import counters
from parties.refusals import Refusal
from parties.settings import Way
from parties.store import Connection, Store, Values, microseconds
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple

RunEnd = Literal["done", "failed"]
"""How a run can end. One that has no end was begun by a process that was killed, or runs."""
Whose = Literal["ours", "theirs"]
"""Who asks, and brings the elements that are counted: our own operators, or the partner."""


class Charge(NamedTuple):
    """What is asked, and is to be counted.

    Attributes:
        peer: the partner, by the name that its certificate carries.
        session: of the question, which may be counted once.
        way: in which is asked; an inquiry, or a run.
        elements: how many it is about, by identifier set; none of a run that only begins.
        ticket: under which is asked; empty for none.
        digest: of that ticket, which its id stands for from the first question on.
        whose: who asks.
    """

    peer: str
    session: str
    way: Way
    elements: Mapping[str, int]
    ticket: str = ""
    digest: str = ""
    whose: Whose = "theirs"

    @property
    def total(self) -> int:
        """How many elements it is about, in all sets."""
        return sum(self.elements.values())

    @property
    def inquires(self) -> bool:
        """Whether it is an inquiry, and no run."""
        return self.way == "inquire"


class Allowance(NamedTuple):
    """What the settings and a ticket allow; None where there is no bound.

    Attributes:
        daily: elements a day (UTC) from whoever asks, under all tickets: in inquiries, or in runs.
        runs: under the ticket, in all.
        inquiries: identifiers that may be inquired under the ticket, in all, by either party.
        elements: under the ticket, from whoever asks, by identifier set; one that is not named has
            none.
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
            Refusal: `replayed`, `over-limit`, `ticket-twice` or `ticket-spent`; nothing was
                counted.
            ApiMisuse: bounds of a ticket, and no ticket.
        """
        at = self.store.now(connection)
        self._check(connection, asked, allowed, at.date())
        self._forget(connection, at.date())
        here: Values = {"peer": asked.peer, "session": asked.session}
        day = at.date().isoformat()
        connection.execute(counters.NOTE, {**here, "day": day})
        if not asked.inquires:
            run: Values = {"ticket": asked.ticket, "way": asked.way, "at": microseconds(at)}
            connection.execute(counters.BEGIN_RUN, {**here, **run})
        _add(connection, asked, day, runs=0 if asked.inquires else 1)

    def spend(self, connection: Connection, peer: str, session: str) -> bool:
        """Notes a session in which nothing is asked, so that nothing is asked in it later.

        Args:
            connection: of `Store.writing`.
            peer: the partner.
            session: of the call.

        Returns:
            Whether it was noted; not if the session is over.
        """
        today, asked = self.store.now(connection).date(), Charge(peer, session, "inquire", {})
        if _found(connection, asked, today)[1]:
            return False
        here: Values = {"peer": peer, "session": session, "day": today.isoformat()}
        connection.execute(counters.NOTE, here)
        return True

    def bring(self, connection: Connection, asked: Charge, allowed: Allowance) -> None:
        """Counts what is brought into a run that was begun; as `charge`.

        Raises:
            Refusal: `over-limit`, `ticket-twice` or `ticket-spent`; nothing more was counted.
            ApiMisuse: no such run was begun, or it has an end.
        """
        here: Values = {"peer": asked.peer, "session": asked.session}
        if connection.execute(counters.FIND_BEGUN, here).fetchone() is None:
            raise ApiMisuse("elements are brought into a run that was not begun, or has ended")
        today = self.store.now(connection).date()
        self._check(connection, asked, allowed, today, is_known=True)
        _add(connection, asked, today.isoformat(), runs=0)

    def charge_alone(self, asked: Charge, allowed: Allowance) -> None:
        """Counts a question in a transaction of its own; on disk when this returns.

        Raises:
            Refusal: as `charge`.
            LocalFault: it cannot be written down.
        """
        with self.store.writing() as connection:
            self.charge(connection, asked, allowed)

    def take_back(self, connection: Connection, asked: Charge) -> bool:
        """Uncounts an inquiry that was not answered, once; it may be asked again.

        Only for what this node asked itself, and of which it knows that nothing was learnt.

        Returns:
            Whether it was counted, and not taken back before.

        Raises:
            ApiMisuse: it was asked of this node, or is a run.
        """
        if asked.whose != "ours" or not asked.inquires:
            raise ApiMisuse("what was asked of this node stays counted, and so does a run")
        here: Values = {"peer": asked.peer, "session": asked.session}
        row = connection.execute(counters.FIND_DAY, here).fetchone()
        if row is None:
            return False
        connection.execute(counters.FORGET_ONE, here)
        less = {name: -count for name, count in asked.elements.items()}
        _add(connection, asked._replace(elements=less), row[0], runs=0)
        return True

    def end_run(self, connection: Connection, peer: str, session: str, end: RunEnd) -> None:
        """Writes down how a run has ended; it stays counted, whichever way it did.

        Raises:
            ApiMisuse: no such run was begun, or it has an end.
        """
        ended = {"peer": peer, "session": session, "end": end}
        if connection.execute(counters.END_RUN, ended).rowcount != 1:
            raise ApiMisuse("a run that was not begun, or has ended, cannot end")

    def asked(
        self, peer: str, day: date | None = None, way: Way = "inquire", whose: Whose = "theirs"
    ) -> int:
        """Returns about how many elements were asked on a day, by default today.

        Args:
            peer: the partner.
            day: in UTC.
            way: an inquiry; or any other, for runs in all ways.
            whose: who asked.

        Raises:
            LocalFault: the store cannot be read.
        """
        with self.store.reading() as connection:
            of_day = day or self.store.now(connection).date()
            asked = Charge(peer, "", way, {}, whose=whose)
            return _found(connection, asked, of_day)[0]

    def close(self) -> None:
        """Closes the store."""
        self.store.close()

    def _check(
        self,
        connection: Connection,
        asked: Charge,
        allowed: Allowance,
        today: date,
        *,
        is_known: bool = False,
    ) -> None:
        if not asked.ticket and allowed[1:] != (None, None, None):
            raise ApiMisuse("bounds of a ticket were given for a question without a ticket")
        who = asked.peer if asked.whose == "theirs" else "this node"
        of_day, was_asked = _found(connection, asked, today)
        if was_asked and not is_known:
            raise Refusal("replayed", f"{who} asks again in a session that is over")
        if allowed.daily is not None and of_day + asked.total > allowed.daily:
            raise Refusal(
                "over-limit",
                f"{who} asks about {asked.total} more, and has asked about {of_day} of the "
                f"{allowed.daily} of a day",
            )
        if asked.ticket:
            _check_ticket(connection, asked, allowed, is_begun=is_known)

    def _forget(self, connection: Connection, today: date) -> None:
        if self._forgot != today:
            before = today - timedelta(days=counters.REMEMBERED)
            connection.execute(counters.FORGET, {"before": before.isoformat()})
            self._forgot = today


def _found(connection: Connection, asked: Charge, day: date) -> tuple[int, bool]:
    """About how many elements were asked on a day, and whether the session is over."""
    of: Values = {"peer": asked.peer, "session": asked.session, "day": day.isoformat()}
    of_way: Values = {"whose": asked.whose, "inquires": asked.inquires}
    count, question, run = connection.execute(counters.FIND, {**of, **of_way}).fetchone()
    return int(count), bool(question or run)


def _add(connection: Connection, asked: Charge, day: str, *, runs: int) -> None:
    of: Values = {"peer": asked.peer, "ticket": asked.ticket, "whose": asked.whose}
    of_day: Values = {"day": day, "way": asked.way, "elements": asked.total}
    connection.execute(counters.ADD_ASKED, {**of, **of_day})
    if asked.ticket:
        inquiries = asked.total if asked.inquires else 0
        spent: Values = {"peer": asked.peer, "ticket": asked.ticket, "digest": asked.digest}
        connection.execute(counters.ADD_SPENT, {**spent, "runs": runs, "inquiries": inquiries})
        for name, count in asked.elements.items():
            connection.execute(counters.ADD_BROUGHT, {**of, "set": name, "elements": count})


def _check_ticket(
    connection: Connection, asked: Charge, allowed: Allowance, *, is_begun: bool
) -> None:
    of: Values = {"peer": asked.peer, "ticket": asked.ticket}
    row = connection.execute(counters.FIND_SPENT, of).fetchone()
    runs, inquiries, digest = row or (0, 0, "")
    if digest and asked.digest != digest:
        raise Refusal(
            "ticket-twice",
            f"another ticket was used under the id {asked.ticket} before; draft it anew, with an "
            "id of its own",
        )
    spent = f"ticket {asked.ticket} with {asked.peer} is used up"
    if asked.inquires:
        if allowed.inquiries is not None and inquiries + asked.total > allowed.inquiries:
            raise Refusal(
                "ticket-spent",
                f"{spent}: {asked.total} more identifiers, after {inquiries} of "
                f"{allowed.inquiries}",
            )
    elif not is_begun and allowed.runs is not None and runs >= allowed.runs:
        raise Refusal("ticket-spent", f"{spent}: {runs} of {allowed.runs} runs")
    if allowed.elements is None:
        return
    for name, count in asked.elements.items():
        found = connection.execute(counters.FIND_BROUGHT, {**of, "whose": asked.whose, "set": name})
        (before,) = found.fetchone() or (0,)
        most = allowed.elements.get(name, 0)
        if before + count > most:
            raise Refusal(
                "ticket-spent",
                f"{spent}: {count} more of identifiers.{name}, after {before} of {most}",
            )
