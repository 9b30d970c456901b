"""The stages of a ticket: first how many, then which, then their columns, each about the same sets.

A ticket that allows `count` and more is used in this order. A later stage is run only after the
one before it has ended well, and only with the sets to which both nodes committed themselves then;
another `count` begins anew. A ticket that does not allow an earlier stage does without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from parties.refusals import Refusal
from parties.store import Connection, Values
from parties.tickets.ticket import Ticket, Way
from psi.lazily import NamedTuple

ORDER: Final[tuple[Way, ...]] = ("count", "list", "match")
"""Stages one, two and three."""

_FIND: Final = """
    SELECT "set", ours, theirs FROM stages WHERE ticket = :ticket AND way = :way"""
_KEEP: Final = """
    INSERT INTO stages (ticket, way, "set", ours, theirs)
    VALUES (:ticket, :way, :set, :ours, :theirs)"""
"""By the digest of a ticket, which names the two nodes too: what is run under one with the same id,
of another partner, is no stage of it."""
_FORGET: Final = """DELETE FROM stages WHERE ticket = :ticket AND way = :way AND "set" = :set"""


class Inputs(NamedTuple):
    """To what both nodes committed themselves in the last run of a stage that has ended well.

    Attributes:
        way: of the stage.
        ours: our commitment to a set.
        theirs: the peer's.
    """

    way: Way
    ours: bytes
    theirs: bytes


def must_follow(
    connection: Connection,
    ticket: Ticket,
    way: str,
    names: Sequence[str],
    ours: Sequence[bytes],
    theirs: Sequence[bytes],
) -> None:
    """Checks that a run may follow what was run under its ticket.

    Args:
        connection: of the store.
        ticket: under which it is.
        way: of the run.
        names: of its sets.
        ours: our commitments to them.
        theirs: the peer's.

    Raises:
        Refusal: `ticket-stage`, an earlier stage has not been run; `ticket-other-input`, with
            other sets.
    """
    known = must_have_ended(connection, ticket, way, names)
    if not known:
        return
    for name, own, other in zip(names, ours, theirs, strict=True):
        for whose, digest, then in (
            ("this node", own, known[name].ours),
            ("the peer", other, known[name].theirs),
        ):
            if digest != then:
                raise Refusal(
                    "ticket-other-input",
                    f"identifiers.{name}: {whose} brings another set than in {known[name].way} "
                    f"under ticket {ticket.id}; begin again with {ORDER[0]}",
                )


def must_have_ended(
    connection: Connection, ticket: Ticket, way: str, names: Sequence[str]
) -> Mapping[str, Inputs]:
    """Checks that the stage before a run has ended well.

    Args:
        connection: of the store.
        ticket: under which it is.
        way: of the run.
        names: of its sets.

    Returns:
        What was kept of that stage, by set; nothing if no stage comes before.

    Raises:
        Refusal: `ticket-stage`, it has not.
    """
    before = _before(ticket, way)
    if before is None:
        return {}
    rows = connection.execute(_FIND, {"ticket": ticket.digest, "way": before}).fetchall()
    known = {name: Inputs(before, ours, theirs) for name, ours, theirs in rows}
    for name in names:
        if name not in known:
            raise Refusal(
                "ticket-stage",
                f"identifiers.{name}: under ticket {ticket.id} {way} follows {before}, which has "
                "not ended well",
            )
    return known


def keep(
    connection: Connection,
    ticket: Ticket,
    way: str,
    names: Sequence[str],
    ours: Sequence[bytes],
    theirs: Sequence[bytes],
) -> None:
    """Writes down that a run has ended well, and with which sets; arguments as `must_follow`."""
    # What follows this stage must be run again, with these sets.
    later = [each for each in ORDER if way in ORDER and ORDER.index(each) >= ORDER.index(way)]
    digest = ticket.digest
    for name, own, other in zip(names, ours, theirs, strict=True):
        for each in later:
            connection.execute(_FORGET, {"ticket": digest, "way": each, "set": name})
        kept: Values = {"ticket": digest, "way": way, "set": name, "ours": own, "theirs": other}
        connection.execute(_KEEP, kept)


def _before(ticket: Ticket, way: str) -> Way | None:
    """The stage of a ticket that comes before a way; None if there is none."""
    earlier = [each for each in ORDER if each in ticket.ways and way in ORDER]
    place = earlier.index(way) if way in earlier else 0
    return earlier[place - 1] if place else None
