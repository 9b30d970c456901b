"""What a log says, added up by ticket and month: for the page of a compliance officer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from parties.audit.chain import AT, event_in
from parties.audit.facts import EVENTS, check
from parties.audit.inquiries import sessions_in
from parties.audit.reading import Kept, Source
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple

MOST_OPEN: Final = 200
"""Open runs that are listed one by one: four pages. The rest are counted."""
UNREADABLE: Final = "unreadable"
"""Lines that no node writes: the log was altered, which verifying it tells."""
_MONTH: Final = slice(AT.start, AT.start + 7)


@dataclass(slots=True)
class Month:
    """What happened under one ticket in one month (UTC).

    Attributes:
        begun: runs that began.
        ended: runs that ended well.
        failed: runs that broke, by code word.
        refused: what this node refused, by code word.
        ours: elements that this node brought, as the peer saw them.
        theirs: elements that peers brought, as this node saw them.
        asked: inquiries of this node.
        inquiries: inquiries of peers that were answered.
        inquired: elements in them.
        receipted: inquiries, of either, with the receipts of both nodes.
        found: hits that this node learnt.
        disclosed: records in disclosures whose number this node knows.
        disclosures: how many there were.
        said_bytes: of messages.
        heard_bytes: likewise.
        erased: files.
    """

    begun: int = 0
    ended: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ours: int = 0
    theirs: int = 0
    asked: int = 0
    inquiries: int = 0
    inquired: int = 0
    receipted: int = 0
    found: int = 0
    disclosed: int = 0
    disclosures: int = 0
    said_bytes: int = 0
    heard_bytes: int = 0
    erased: int = 0


@dataclass(slots=True)
class Ticket:
    """What the log says of a ticket itself.

    Attributes:
        purpose: in words, as far as the log has it.
        history: time, what became of it, and by whom.
    """

    purpose: str = ""
    history: list[tuple[str, str, str]] = field(default_factory=list)


class Open(NamedTuple):
    """A run, or an inquiry, that has not the receipts of both nodes.

    Attributes:
        began: when.
        what: run, inquiry asked, or inquiry answered.
        session: its id.
        peer: with whom.
        ticket: its id, or empty.
        ended: whether the log says how it ended.
        receipts: which there are: ours, theirs, both in this order, or none.
    """

    began: str
    what: str
    session: str
    peer: str
    ticket: str
    ended: bool
    receipts: str


_OF_NO_MONTH: Final = (
    *("receipt", "clock_set", "operator_action", "operator_refused", "inquiry_not_answered"),
)


class Summary:
    """A log, added up.

    Memory grows with tickets, months and open runs and inquiries, and by a few bytes with runs
    under a ticket.
    """

    def __init__(self, source: Source) -> None:
        self.months: dict[tuple[str, str], Month] = {}
        self.tickets: dict[str, Ticket] = {}
        self.events: Counter[str] = Counter()
        self.people: Counter[tuple[str, str, str, str]] = Counter()
        self.clocks: list[tuple[str, str, str]] = []
        self._runs: dict[str, dict[str, Any]] = {}
        self._of: dict[str, str] = {}  # tickets by session
        add: Mapping[str, Callable[[str, Month, dict[str, Any]], None]] = {
            "run_begun": self._begun,
            "run_ended": self._ended,
            "run_failed": self._failed,
            "job_refused": _refused,
            "inquiry_asked": self._inquiry_asked,
            "inquiry_not_answered": self._not_answered,
            "inquiry_answered": self._inquiry_answered,
            "disclosure": _disclosed,
            "erased": _erased,
            "receipt": self._receipt,
            "clock_set": self._clock,
            "operator_action": self._person,
            "operator_refused": self._person,
            **{f"ticket_{what}": self._ticket for what in _BECAME},
            "stage_decided": self._decided,
        }
        for batch in source.batches(beside=False):
            for _, body, _, _, _ in batch.lines:
                event = event_in(body)
                if event in add and (facts := _facts(body, event)) is not None:
                    at = body[AT].decode()
                    add[event](at, self._month(body[_MONTH].decode(), facts), facts)
                elif event in add or event not in EVENTS:
                    event = UNREADABLE
                self.events[event] += 1
            for kept in batch.receipts:
                self._of_inquiries(kept)

    def open(self) -> list[Open]:
        """The runs without the receipts of both nodes, then such inquiries; the oldest first."""
        told = [
            Open(
                run["at"],
                run["what"],
                session,
                run["peer"],
                run.get("ticket", ""),
                run["ended"],
                " and ".join(sorted(run["receipts"])) or "none",
            )
            for session, run in self._runs.items()
        ]
        return sorted(told, key=lambda each: each.what != "run")

    def _month(self, month: str, facts: Mapping[str, Any]) -> Month:
        ticket = facts.get("ticket") or self._of.get(facts.get("session", ""), "")
        if facts["event"] in _OF_NO_MONTH:
            return Month()  # is in none
        return self.months.setdefault((ticket, month), Month())

    def _begun(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        month.begun += 1
        self._expect("run", at, month, facts, ended=False)
        if "ticket" in facts:
            self._of[facts["session"]] = facts["ticket"]

    def _expect(
        self, what: str, at: str, month: Month, facts: dict[str, Any], *, ended: bool
    ) -> None:
        """Expects receipts of both nodes."""
        run = {"what": what, "at": at, "month": month, "ended": ended, "receipts": set()}
        self._runs[facts["session"]] = {**facts, **run}

    def _inquiry_asked(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        month.asked += 1
        self._expect("inquiry asked", at, month, facts, ended=False)

    def _not_answered(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        self._runs.pop(facts["session"], None)

    def _inquiry_answered(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        month.inquiries += 1
        month.inquired += sum(facts["elements"].values())
        self._expect("inquiry answered", at, month, facts, ended=True)

    def _of_inquiries(self, kept: Kept) -> None:
        """Takes note of the inquiries of a receipt."""
        for session in sessions_in(kept.data):
            run = self._runs.get(session)
            if run is not None and run["what"] != "run":
                run["receipts"].add(kept.signer)
                if len(run["receipts"]) == 2:
                    run["month"].receipted += 1
                    del self._runs[session]

    def _ended(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        month.ended += 1
        month.ours += sum(facts["ours"].values())
        month.theirs += sum(facts["theirs"].values())
        month.found += sum(facts.get("found", {}).values())
        self._over(month, facts)

    def _failed(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        month.failed[facts["code"]] += 1
        self._over(month, facts)

    def _over(self, month: Month, facts: dict[str, Any]) -> None:
        month.said_bytes += facts.get("said_bytes", 0)
        month.heard_bytes += facts.get("heard_bytes", 0)
        if facts["session"] in self._runs:
            self._runs[facts["session"]]["ended"] = True

    def _receipt(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        run = self._runs.get(facts["session"])
        if run is not None and "inquiries" not in facts and run["what"] == "run":
            run["receipts"].add(facts["signer"])
            if len(run["receipts"]) == 2:
                del self._runs[facts["session"]]

    def _person(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        who = facts.get("operator", "nobody known"), facts.get("role", "-")
        self.people[(*who, facts["action"], facts.get("code", "done"))] += 1

    def _clock(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        self.clocks.append((at, facts["was"], facts["now"]))

    def _ticket(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        ticket = self.tickets.setdefault(facts["ticket"], Ticket())
        ticket.purpose = facts.get("purpose", ticket.purpose)
        what = facts["event"].removeprefix("ticket_")
        if "code" in facts:
            month.refused[facts["code"]] += 1
            what += f" ({facts['code']})"
        who = [facts[name] for name in ("peer", "operator", "role") if name in facts]
        ticket.history.append((at, what, ", ".join(who)))

    def _decided(self, at: str, month: Month, facts: dict[str, Any]) -> None:
        who = [f"{each['operator']} ({each['role']})" for each in facts["signatures"]]
        history = self.tickets.setdefault(facts["ticket"], Ticket()).history
        history.append((at, f"decided ({facts['way']})", ", ".join(dict.fromkeys(who))))


_BECAME: Final = ("received", "approved", "refused", "revoked")


def _facts(body: bytes, event: str) -> dict[str, Any] | None:
    """The facts of a line, and its event among them; None if it is none that a node writes."""
    try:
        facts = json.loads(body)["facts"]
        check(event, facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ApiMisuse):
        return None
    return {**facts, "event": event}


def _refused(at: str, month: Month, facts: dict[str, Any]) -> None:
    month.refused[facts["code"]] += 1


def _disclosed(at: str, month: Month, facts: dict[str, Any]) -> None:
    month.disclosures += 1
    month.disclosed += facts.get("records", 0)


def _erased(at: str, month: Month, facts: dict[str, Any]) -> None:
    month.erased += facts["files"]
