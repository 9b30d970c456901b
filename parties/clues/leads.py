"""Reads a file of leads, as `greenlane models try --json` prints them: one JSON object a line.

This is the one place that knows how leads are written. It is strict: an entry that is missing, or
that it does not know, ends the reading before anything is written.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from parties.clues.amounts import UNKNOWN, fen_of
from parties.clues.content import Content
from parties.errors import SourceError
from parties.tickets.fields import Fields, Malformed
from parties.tickets.ticket import DIGEST
from psi.lazily import NamedTuple

LINES: Final = ("auto", "accident", "flight_delay")
"""Lines of insurance, each with a pack of rules."""
RULE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
"""The name of a rule."""
MOST_VERSION: Final = 1_000_000
"""Of a rule: nobody counts further."""
LONGEST_LINE: Final = 1 << 28
"""Bytes: 100,000 leads, as many as `models try` tells, of 2 KiB, and as much again."""
MOST_LEADS: Final = 100_000
"""In one line, as `models try` tells."""
_TRIED: Final = ("pack", "version", "digest", "tables", "rules", "leads")
_LEAD: Final = (
    *("rule", "version", "subject", "claims", "records", "amount", "reason"),
    *("innocent", "source"),
)


class Lead(NamedTuple):
    """Something that a rule points at.

    Attributes:
        line: of insurance.
        rule: that fired.
        version: of the rule.
        pack: SHA-256 of the pack that the rule is of, hexadecimal.
        amount: of the claims, in fen; `UNKNOWN` if none is known.
        content: what it says.
    """

    line: str
    rule: str
    version: int
    pack: str
    amount: int
    content: Content


def read_leads(file: Path, line: str | None = None) -> list[Lead]:
    """Reads a file of leads.

    Args:
        file: of `models try --json`; one object a line.
        line: of insurance, one of `LINES`; that which the pack is named after if None.

    Raises:
        SourceError: the file cannot be read, or a line or an entry is not what it must be. Says
            where, and quotes no value.
    """
    leads: list[Lead] = []
    try:
        with file.open("rb") as lines:
            number = 0
            while data := lines.readline(LONGEST_LINE + 1):
                number += 1
                leads += _read(data, f"line {number}", line)
    except OSError as fault:
        raise SourceError(f"{file}: cannot be read: {fault.strerror}") from None
    except Malformed as why:
        raise SourceError(
            f"{file}: {why}; give the file that `greenlane models try --json` printed"
        ) from None
    return leads


def _read(data: bytes, where: str, line: str | None) -> list[Lead]:
    if len(data) > LONGEST_LINE:
        raise Malformed(f"{where} has more than {LONGEST_LINE} bytes")
    values = None
    with suppress(ValueError, RecursionError):  # raised below: the text may quote the data
        values = json.loads(data)
    if values is None:
        raise Malformed(f"{where} is no JSON")
    fields = Fields(values, where, _TRIED)
    if line is None:
        try:
            line = fields.one("pack", LINES)
        except Malformed:
            raise Malformed(
                f"pack of {where} is named after no line of insurance; name it by --line"
            ) from None
    pack = fields.form("digest", DIGEST)
    leads = enumerate(fields.items("leads", MOST_LEADS), 1)
    return [_lead(each, f"lead {number} of {where}", line, pack) for number, each in leads]


def _lead(values: Any, where: str, line: str, pack: str) -> Lead:
    fields = Fields(values, where, _LEAD)
    said = {name: values[name] for name in Content._fields if name != "salt"}
    content = Content.of(said | {"salt": "0" * 32}, where)
    if not content.claims:
        raise Malformed(f"claims of {where} names none")
    return Lead(
        line=line,
        rule=fields.form("rule", RULE),
        version=fields.number("version", 1, MOST_VERSION),
        pack=pack,
        amount=_amount(values["amount"], where),
        content=content._replace(salt=""),
    )


def _amount(value: Any, where: str) -> int:
    if value is None:
        return UNKNOWN
    try:
        return fen_of(value if isinstance(value, str) else "")
    except ValueError as why:
        raise Malformed(f"amount of {where}: {why}") from None
