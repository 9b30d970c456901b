"""Masks identifiers in what leads say, for those who look at a pack and not at persons."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

import duckdb

from parties.joining.masked import mask
from parties.models.evaluation.scoring import FalseLead
from parties.models.rings.kinds import THINGS

COLUMNS: Final = tuple(column for each in THINGS if each.masked for column in each.columns)
"""Columns of claims that hold identifiers."""


def hidden(
    connection: duckdb.DuckDBPyConnection, wrong: Sequence[FalseLead], there: Collection[str]
) -> list[FalseLead]:
    """Returns false leads that say identifiers masked.

    Whatever a lead may say of persons and things stands in its claims, so each value that these
    have is masked where it stands by itself.

    Args:
        connection: with the joined tables.
        wrong: the leads.
        there: columns that the table of claims has.
    """
    columns = [name for name in COLUMNS if name in there]
    told = list({claim for each in wrong for claim in each.lead.claims})
    rows = connection.execute(
        f"SELECT {', '.join(['claim', *columns])} FROM claims "  # noqa: S608
        "WHERE claim IN (SELECT unnest($told))",
        {"told": told},
    ).fetchall()
    values = {claim: [value for value in row if value] for claim, *row in rows}
    return [
        _hidden(each, {value for claim in each.lead.claims for value in values.get(claim, ())})
        for each in wrong
    ]


def _hidden(each: FalseLead, values: Collection[str]) -> FalseLead:
    if not values:
        return each
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    words = re.compile("|".join(map(_alone, longest_first)))

    def masked(text: str) -> str:
        return words.sub(lambda found: mask(found[0]), text)

    subject = {name: masked(value) for name, value in each.lead.subject.items()}
    return each._replace(lead=each.lead._replace(subject=subject, reason=masked(each.lead.reason)))


def _alone(value: str) -> str:
    """Returns the pattern of a value that is no part of a longer word or number.

    Only Latin letters and digits make one: Chinese is written without spaces.
    """
    begun = r"(?<![0-9A-Za-z])" if re.match("[0-9A-Za-z]", value) else ""
    ended = r"(?![0-9A-Za-z])" if re.search("[0-9A-Za-z]$", value) else ""
    return f"{begun}{re.escape(value)}{ended}"
