"""The monthly report: what happened in a month, by line of insurance and insurer.

Each number counts lines of the history that fall into the month, so that the months of a ledger
add up to it. A clue that follows another, with which it was merged, is counted when it comes, is
subtracted in `merged`, and counts no more after that: accepted, filed and concluded is the one that
stands for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from parties import canonical
from parties.clues.amounts import UNKNOWN
from parties.errors import SettingsError
from parties.operators.roles import Party
from parties.store import Connection, Values, microseconds
from psi.lazily import NamedTuple

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_FIND: Final = """
    SELECT h.act, h.code, h.facts, c.line, c.peer, c.claimed, c.head
    FROM clue_history h JOIN clues c ON c.id = h.clue
    WHERE h.at >= :since AND h.at < :until"""
COMES: Final[Mapping[Party, str]] = {"insurer": "transfer", "police": "receive"}
"""With which step a clue begins to count at each party."""
FOLLOWS: Final = "merged"
"""The code of a step that a clue takes because the one that stands for it does."""


class Counts(NamedTuple):
    """Numbers of a month; amounts in fen.

    Attributes:
        clues: that were transferred or received.
        claimed: amount of their claims, as far as it is known.
        merged: clues for which another one stands from this month on.
        accepted: by the police.
        returned: likewise.
        cases: that were filed.
        concluded: likewise.
        suspects: of the cases that were concluded.
        amount: of these cases.
        recovered: of that.
    """

    clues: int = 0
    claimed: int = 0
    merged: int = 0
    accepted: int = 0
    returned: int = 0
    cases: int = 0
    concluded: int = 0
    suspects: int = 0
    amount: int = 0
    recovered: int = 0

    def plus(self, **more: int) -> Counts:
        """With so much more of each."""
        return self._replace(**{name: getattr(self, name) + n for name, n in more.items()})


class Report(NamedTuple):
    """The report of a month.

    Attributes:
        month: as 2026-11.
        node: whose ledger it is.
        rows: (line of insurance, insurer) -> numbers, in order.
        total: of all rows.
    """

    month: str
    node: str
    rows: Mapping[tuple[str, str], Counts]
    total: Counts


def report(
    connection: Connection,
    month: str,
    node: str,
    party: Party,
    insurers: Mapping[str, str],
) -> Report:
    """Counts a month of the ledger, in UTC.

    Args:
        connection: that reads.
        month: as 2026-11.
        node: the name of this node.
        party: of this node.
        insurers: what the report calls the node of each peer, by its name in [peers.NAME]; at an
            insurer its own name stands in all rows.

    Raises:
        SettingsError: the month is not written so.
    """
    since, until = _bounds(month)
    rows: dict[tuple[str, str], Counts] = {}
    times: Values = {"since": microseconds(since), "until": microseconds(until)}
    for act, code, facts, line, peer, claimed, head in connection.execute(_FIND, times).fetchall():
        insurer = node if party == "insurer" else insurers.get(peer, peer)
        more = _counted(party, act, code, canonical.decode(bytes(facts)), claimed, head)
        if more:
            rows[line, insurer] = rows.get((line, insurer), Counts()).plus(**more)
    return Report(month, node, dict(sorted(rows.items())), total(rows.values()))


def total(rows: Iterable[Counts]) -> Counts:
    """Returns the sum of rows."""
    return Counts(*map(sum, zip(Counts(), *rows, strict=True)))


def _counted(
    party: Party, act: str, code: str, facts: Mapping[str, Any], claimed: int, head: str
) -> dict[str, int]:
    """What a line of the history adds."""
    if act == COMES[party]:
        return {"clues": 1, "claimed": _known(claimed)}
    if act == "merged" and head:
        return {"merged": 1}
    if code == FOLLOWS:
        return {}
    match act:
        case "accept":
            return {"accepted": 1}
        case "return":
            return {"returned": 1}
        case "file":
            return {"cases": 1}
        case "conclude":
            figures = {name: _known(facts[name]) for name in ("amount", "recovered")}
            return {"concluded": 1, "suspects": facts["suspects"], **figures}
        case _:
            return {}


def _known(amount: int) -> int:
    return 0 if amount == UNKNOWN else amount


def _bounds(month: str) -> tuple[datetime, datetime]:
    """The beginning of a month and of the next."""
    if not _MONTH.fullmatch(month) or month == "9999-12":
        raise SettingsError("a month is written as 2026-11")
    try:
        since = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise SettingsError("a month is written as 2026-11") from None
    years, months = divmod(since.month, 12)
    return since, since.replace(year=since.year + years, month=months + 1)
