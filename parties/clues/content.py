"""What a clue says of persons and things: personal data, which are erased after their time.

They lie in a table of their own, in the store alone, and cross to the police within a letter. The
salt is there because digests of letters stay: without it somebody who has a digest could try out
whom a clue was about.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from parties import canonical
from parties.clues import words
from parties.tickets.fields import Fields, Malformed
from psi.lazily import NamedTuple

KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""The name of a column of a rule."""
SALT_BYTES: Final = 16
"""128 bits, the security level of all else."""
_SALT: Final = re.compile(rf"[0-9a-f]{{{2 * SALT_BYTES}}}")
MOST_KEYS: Final = 16
"""Columns that say what a lead is about; rules have at most four."""
LONGEST_KEY: Final = 128
"""Characters of what stands in one: an address is some 60."""
MOST_ROWS: Final = 1_000
"""Claims, and records: the largest published rings had some 400 claims."""
LONGEST_ROW: Final = 64
"""Characters of the number of a claim or record."""


class Content(NamedTuple):
    """What a clue says.

    Attributes:
        subject: column -> what the clue is about.
        claims: numbers of the claims.
        records: numbers of the police's records, if any.
        reason: why somebody should look, in words.
        innocent: what would make it innocent, in words; may be empty.
        source: where the rule comes from; may be empty.
        salt: random, hexadecimal.
    """

    subject: Mapping[str, str]
    claims: tuple[str, ...]
    records: tuple[str, ...]
    reason: str
    innocent: str = ""
    source: str = ""
    salt: str = ""

    def salted(self) -> Content:
        """The same with a salt of its own."""
        return self._replace(salt=os.urandom(SALT_BYTES).hex())

    def values(self) -> dict[str, Any]:
        """As plain values."""
        lists = {"claims": list(self.claims), "records": list(self.records)}
        return self._asdict() | lists | {"subject": dict(self.subject)}

    def encode(self) -> bytes:
        """As the store keeps it."""
        return canonical.encode(self.values())

    @classmethod
    def decode(cls, data: bytes) -> Content:
        """Reads what the store keeps."""
        return cls.of(canonical.decode(data), "the content")

    @classmethod
    def of(cls, values: Any, where: str) -> Content:
        """Reads values that somebody else has written.

        Raises:
            Malformed: they are not what they must be; says where, and quotes nothing.
        """
        fields = Fields(values, where, cls._fields)
        subject = values["subject"]
        if not isinstance(subject, dict) or not 1 <= len(subject) <= MOST_KEYS:
            raise Malformed(f"subject of {where} must have 1 to {MOST_KEYS} entries")
        for key, value in subject.items():
            if not KEY.fullmatch(key):
                raise Malformed(f"a name in subject of {where} must have the form {KEY.pattern}")
            _text(value, f"an entry of subject of {where}", LONGEST_KEY)
        return cls(
            subject=dict(subject),
            claims=fields.each("claims", MOST_ROWS, _row),
            records=fields.each("records", MOST_ROWS, _row),
            reason=_text(values["reason"], f"reason of {where}", words.LONGEST),
            innocent=_text(values["innocent"], f"innocent of {where}", words.LONGEST, empty=True),
            source=_text(values["source"], f"source of {where}", words.LONGEST, empty=True),
            salt=fields.form("salt", _SALT),
        )


def digest_of_lead(peer: str, rule: str, ticket: str, content: Content) -> str:
    """Returns what is the same if one lead is read twice: SHA-256, hexadecimal.

    It has no salt, so it lies beside the content and is erased with it.
    """
    same = {"peer": peer, "rule": rule, "ticket": ticket, "subject": dict(content.subject)}
    rows = {"claims": sorted(content.claims), "records": sorted(content.records)}
    return hashlib.sha256(canonical.encode(same | rows)).hexdigest()


def _row(value: Any, where: str) -> str:
    return _text(value, where, LONGEST_ROW)


def _text(value: Any, where: str, longest: int, *, empty: bool = False) -> str:
    if empty and value == "":
        return ""
    if why := words.why_not(value, longest):
        raise Malformed(f"{where} {why}")
    assert isinstance(value, str)  # noqa: S101  # else there was a reason
    return value
