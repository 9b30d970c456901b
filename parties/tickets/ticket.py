"""A ticket: for which purpose two nodes may match what, in which ways, how often and until when.

Canonical JSON (`parties.canonical`), read strictly: a name that is unknown or missing, a list out
of order, a bound or a form that is not kept makes it none. What is meant thus has one encoding, and
its SHA-256 names it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from parties import canonical
from parties.disclosure import LONGEST_NAME, MOST_COLUMNS
from parties.errors import TicketRefused
from parties.operators import PARTIES, Party
from parties.settings_file import MOST_ELEMENTS, NAME
from parties.tickets.fields import Fields, Malformed, told
from psi.lazily import NamedTuple

Way: TypeAlias = Literal["count", "list", "match", "inquire"]
"""`count` is stage one; `list`, stage two, tells which, masked; `match`, stage three, with columns;
`inquire` is about a few identifiers against a prepared table."""
Stage: TypeAlias = Literal["run", "disclosure"]
"""What a signature is for: that something is run at all, and that detail is told."""

FORM: Final = 1
WAYS: Final[tuple[Way, ...]] = get_args(Way)
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
LONGEST: Final = 64 << 10
"""Bytes of a ticket with its signatures: eight certificates with three authorities each, on RSA
with 4,096 bits, are 50 KB, and a ticket has one KB. Each inquiry says it once."""
LONGEST_PURPOSE: Final = 1000
"""Characters of purpose and legal basis: a paragraph."""
LONGEST_NUMBER: Final = 128
"""Characters of the number of a case, a programme or an approval."""
MOST_SETS: Final = 64
"""As many as a job has (`parties.agreement`)."""
MOST_PROTOCOLS: Final = 64
"""As many as a node lists (`parties.standing`)."""
MOST_RULES: Final = 64
"""Packs of rules; there is one for a kind of case."""
MOST_RUNS: Final = 20_000
"""In all: a run an hour for two years is 17,544."""
LONGEST_VALID: Final = timedelta(days=2 * 366)
"""Two years: a programme that goes on is seen by two yearly audits, and then signed anew."""

_ID: Final = re.compile(r"[0-9a-f]{32}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
"""SHA-256, as of a pack of rules."""
_PROTOCOL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_DOMAIN: Final = re.compile(
    r"greenlane/[0-9]{1,4}/[a-z0-9_]{1,32}(/[a-z0-9_]{1,32}(\+[a-z0-9_]{1,32}){1,15})?"
)
"""As `parties.identifiers.domain` gives it, of any version and kinds."""
_COLUMN: Final = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LONGEST_NAME}}}")


class TicketSet(NamedTuple):
    """An identifier set that may be matched.

    Attributes:
        name: of the set, the same on both nodes.
        domain: in which its identifiers are hashed, and so of which kind they are.
    """

    name: str
    domain: str


class Ticket(NamedTuple):
    """What two parties have agreed on. Public between them; it holds no data.

    Attributes:
        id: 32 random hexadecimal digits, under which is counted what was used of it.
        purpose: in words.
        legal_basis: the article of the law, in words.
        case: number of the case or programme.
        insurer: the node's name, as its certificate carries it.
        police: the other node's name.
        sets: what may be matched, in order of names.
        ways: in which ways, in order.
        protocols: by which protocols, in order; may be none if the only way is `inquire`.
        learns: who learns, and which columns of the other side by name, in order.
        max_elements: the largest set of each party.
        floor: the least number of hits that is told; below it nothing is said.
        runs: how many runs in all; 0 if `inquire` is the only way.
        inquiries: how many identifiers may be inquired in all; 0 if `inquire` is no way.
        rules: SHA-256 of packs of rules that judge what is found, in order.
        normaliser: SHA-256 of the rules that normalise identifiers.
        not_before: from when it is valid, UTC, whole seconds.
        not_after: until when, this second included.
    """

    id: str
    purpose: str
    legal_basis: str
    case: str
    insurer: str
    police: str
    sets: tuple[TicketSet, ...]
    ways: tuple[Way, ...]
    protocols: tuple[str, ...]
    learns: Mapping[Party, tuple[str, ...]]
    max_elements: Mapping[Party, int]
    floor: int
    runs: int
    inquiries: int
    rules: tuple[str, ...]
    normaliser: str
    not_before: datetime
    not_after: datetime

    def node(self, party: Party) -> str:
        """The name of a party's node."""
        return self.insurer if party == "insurer" else self.police

    def stages(self) -> tuple[Stage, ...]:
        """For what it must be signed if all that it allows is to be used."""
        columns = any(self.learns.values())
        needed = {stage for way in self.ways for stage in stages_of(way, columns=columns)}
        return tuple(stage for stage in STAGES if stage in needed)

    def values(self) -> dict[str, Any]:
        """The ticket as JSON values."""
        return self._asdict() | {
            "format": FORM,
            "sets": [each._asdict() for each in self.sets],
            "learns": {party: {"columns": names} for party, names in self.learns.items()},
            "not_before": told(self.not_before),
            "not_after": told(self.not_after),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the encoding, hexadecimal."""
        return hashlib.sha256(canonical.encode(self.values())).hexdigest()

    @classmethod
    def of(cls, values: Any) -> Ticket:
        """Reads a ticket from JSON values, as `values` gives them.

        Raises:
            TicketRefused: it is none; the sentence says which entry.
        """
        try:
            return _read(Fields(values, "the ticket", _NAMES))
        except Malformed as error:
            why = str(error)
        # Outside of the handler: a traceback would show what was written.
        raise TicketRefused("ticket-malformed", f"this is no ticket: {why}")


def stages_of(way: Way, *, columns: bool) -> tuple[Stage, ...]:
    """For what a ticket must be signed before it is used in this way.

    Args:
        way: in which it is used.
        columns: whether columns of records are told.
    """
    if way == "count" or (way == "inquire" and not columns):
        return ("run",)
    return STAGES


def new_id() -> str:
    """Returns an id that no ticket has."""
    return secrets.token_hex(16)


_NAMES: Final = ("format", *Ticket._fields)


def _read(fields: Fields) -> Ticket:
    fields.number("format", FORM, FORM)
    ticket = Ticket(
        id=fields.form("id", _ID),
        purpose=fields.text("purpose", LONGEST_PURPOSE),
        legal_basis=fields.text("legal_basis", LONGEST_PURPOSE),
        case=fields.text("case", LONGEST_NUMBER),
        insurer=fields.form("insurer", NAME),
        police=fields.form("police", NAME),
        sets=fields.each("sets", MOST_SETS, _set),
        ways=cast(tuple[Way, ...], fields.words("ways", WAYS)),
        protocols=fields.ordered("protocols", MOST_PROTOCOLS, _PROTOCOL),
        learns=_learns(fields),
        max_elements=_sizes(fields),
        floor=fields.number("floor", 0, MOST_ELEMENTS),
        runs=fields.number("runs", 0, MOST_RUNS),
        inquiries=fields.number("inquiries", 0, MOST_ELEMENTS),
        rules=fields.ordered("rules", MOST_RULES, DIGEST),
        normaliser=fields.form("normaliser", DIGEST),
        not_before=fields.time("not_before"),
        not_after=fields.time("not_after"),
    )
    fields.in_order("sets", [each.name for each in ticket.sets])
    _fit(ticket)
    return ticket


def _fit(ticket: Ticket) -> None:
    """Checks that what is said in different places makes sense together."""
    if not ticket.sets or not ticket.ways or not ticket.learns:
        raise Malformed("sets, ways and learns of the ticket must each have an entry")
    if ticket.insurer == ticket.police:
        raise Malformed("insurer and police of the ticket must be two nodes")
    whole = set(ticket.ways) != {"inquire"}
    if whole != bool(ticket.runs) or (whole and not ticket.protocols):
        raise Malformed(
            "runs of the ticket, and its protocols, must be there if it allows count, list or "
            "match, and runs must be 0 otherwise"
        )
    if ("inquire" in ticket.ways) != bool(ticket.inquiries):
        raise Malformed("inquiries of the ticket must be above 0 if and only if it allows inquire")
    if not timedelta(0) < ticket.not_after - ticket.not_before <= LONGEST_VALID:
        raise Malformed(
            f"not_after of the ticket must be later than not_before, by {LONGEST_VALID.days} days "
            "at most"
        )


def _set(values: Any, where: str) -> TicketSet:
    fields = Fields(values, where, TicketSet._fields)
    return TicketSet(fields.form("name", NAME), fields.form("domain", _DOMAIN))


def _learns(fields: Fields) -> dict[Party, tuple[str, ...]]:
    parties = cast(list[Party], fields.keys("learns", PARTIES))
    within = fields.inner("learns", parties)
    learns = {}
    for party in parties:
        names = within.inner(party, ("columns",)).ordered("columns", MOST_COLUMNS, _COLUMN)
        if not all(name.isprintable() for name in names):
            raise Malformed("columns of learns of the ticket must be printable names")
        learns[party] = names
    return learns


def _sizes(fields: Fields) -> dict[Party, int]:
    within = fields.inner("max_elements", PARTIES)
    return {party: within.number(party, 1, MOST_ELEMENTS) for party in PARTIES}
