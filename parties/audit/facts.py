"""What the log may say: its events, and the facts of each.

A fact is a name, a number, a digest, a time or a code word; never an identifier, an element, a
label, a key or a cell of a row. So this list is closed, and what is not on it is a bug of the
caller. The texts that people have written are the purpose of a ticket, which both parties sign, and
the number of an approval, which the approver does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from string import ascii_letters, ascii_lowercase, digits
from typing import Any, Final

from parties.audit.chain import STAMP
from psi.errors import ApiMisuse
from psi.lazily import NamedTuple

_HEX: Final = digits + "abcdef"
"""Digits of digests and ids."""
LONGEST_TEXT: Final = 1000
"""Characters of a purpose, as many as tickets have."""
_CONTROLS: Final = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)))
"""What ends a line, or is none of its characters."""
LARGEST: Final = (1 << 63) - 1
"""Of numbers: what databases hold."""
MOST_NAMES: Final = 256
"""Names in one list, of columns above all: as many as a set may disclose."""
LONGEST_NAME: Final = 128
"""Characters of a column's name, as in `parties.disclosure`."""
PARTIES: Final = ("insurer", "police")
WAYS: Final = ("count", "list", "match", "inquire")
DONE: Final = "done"
"""What a receipt says of what ended well; else a code word."""
LEARNS: Final = ("us", "peer", "both", "nobody")
MOST_SIGNATURES: Final = 8
"""Of a ticket: two people of each side, for two stages."""


class Kind(NamedTuple):
    """A kind of fact.

    Attributes:
        words: what its values are.
        has: whether a value is of it.
        required: whether every line of the event has it.
    """

    words: str
    has: Callable[[Any], bool]
    required: bool = True


def is_number(value: Any) -> bool:
    """Whether it is a whole number that databases hold, and not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def is_time(value: Any) -> bool:
    """Whether it is written as `parties.audit.chain.stamp` writes a time."""
    return _is_moment(value) and len(value) == STAMP


def _is_moment(value: Any) -> bool:
    """Whether it is UTC as Python writes it, with or without a fraction, or with Z at its end.

    Of a time that no day has, as its 24th hour or 60th second, it is not.
    """
    if not isinstance(value, str) or not value.endswith(("Z", "+00:00")):
        return False
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return False
    texts = at.isoformat(), at.isoformat(timespec="microseconds")
    return value.removesuffix("Z").removesuffix("+00:00") + "+00:00" in texts


def is_name(value: Any) -> bool:
    """Whether a node, an operator or a set may be called this in the log.

    As in settings; at most what a certificate's name may have.
    """
    ends = ascii_lowercase + digits
    return _of(value, ends + ".-", 64) and value[0] in ends and value[-1] in ends


def is_digest(value: Any) -> bool:
    """Whether it is SHA-256 in hexadecimal digits."""
    return _of(value, _HEX, 64, 64)


def _is_id(value: Any) -> bool:
    """Of a session or a clue."""
    return _of(value, _HEX, 32, 32)


def _is_word(value: Any) -> bool:
    return _of(value, ascii_lowercase + digits + "_-", 64) and value[0] in ascii_lowercase


def _is_ticket(value: Any) -> bool:
    return _of(value, ascii_letters + digits + "._-", 64) and value[0] not in "._-"


def _is_version(value: Any) -> bool:
    return _of(value, ascii_letters + digits + ".+-", 32) and value[0] in digits


def _is_text(value: Any) -> bool:
    """One line: a purpose, or the name of a column."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and _CONTROLS.isdisjoint(value)


def _of(value: Any, letters: str, most: int, least: int = 1) -> bool:
    """Whether it is a text of these characters: nothing else is left of it without them."""
    return isinstance(value, str) and least <= len(value) <= most and not value.strip(letters)


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _all(has: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: (
        isinstance(values, list | tuple) and len(values) <= MOST_NAMES and all(map(has, values))
    )


def _is_column(value: Any) -> bool:
    return _is_text(value) and len(value) <= LONGEST_NAME


def _counts(values: Any) -> bool:
    return (
        isinstance(values, Mapping)
        and len(values) <= MOST_NAMES
        and all(is_name(name) and is_number(count) for name, count in values.items())
    )


_NAME: Final = Kind("a name", is_name)
_WORD: Final = Kind("a code word", _is_word)
_TICKET: Final = Kind("the id of a ticket", _is_ticket)
_DIGEST: Final = Kind("a digest", is_digest)
_SESSION: Final = Kind("the id of a session", _is_id)
_VERSION: Final = Kind("a version", _is_version)
_TIME: Final = Kind("a time", is_time)
_MOMENT: Final = Kind("a time in UTC", _is_moment)
_NUMBER: Final = Kind("a whole number", is_number)
_TEXT: Final = Kind("a line of text", _is_text)
_PARTY: Final = Kind("a party", _one_of(*PARTIES))
_WAY: Final = Kind("a way", _one_of(*WAYS))
_CLUE: Final = Kind("the id of a clue", _is_id)
_LEARNS: Final = Kind("who learns", _one_of(*LEARNS))
_SIDE: Final = Kind("ours or theirs", _one_of("ours", "theirs"))
_FORMAT: Final = Kind("a format", _one_of("jsonl", "html"))
_COUNTS: Final = Kind("numbers by set", _counts)
_NAMES: Final = Kind("names", _all(is_name))
_COLUMNS: Final = Kind("names of columns", _all(_is_column))


def _are_signatures(values: Any) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) <= MOST_SIGNATURES
        and all(isinstance(value, Mapping) and _is_signature(value) for value in values)
    )


def _is_signature(values: Mapping[str, Any]) -> bool:
    return {*values} | {"approval"} == {*_SIGNED} and all(
        _SIGNED[name].has(value) for name, value in values.items()
    )


_SIGNED: Final[Mapping[str, Kind]] = {
    "party": _PARTY,
    "stage": _WORD,
    "operator": _NAME,
    "role": _WORD,
    "certificate": _DIGEST,
    "at": _MOMENT,
    "approval": _TEXT,
}
"""Who has signed a ticket; `approval` may be missing."""
_SIGNATURES: Final = Kind("signatures", _are_signatures)


def _may(kind: Kind) -> Kind:
    return kind._replace(required=False)


_UNDER: Final = {"ticket": _may(_TICKET), "stage": _may(_WORD)}
_DECISION: Final = {"decision": _may(_NUMBER)}
"""The number of the line `stage_decided` of this log."""
_RUN: Final = {"peer": _NAME, "session": _SESSION, "way": _WAY, **_UNDER}
_BYTES: Final = {"said_bytes": _NUMBER, "heard_bytes": _NUMBER, "milliseconds": _NUMBER}
_OPERATOR: Final = {
    "operator": _NAME,
    "role": _WORD,
    "certificate": _may(_DIGEST),
    "subject": _may(_DIGEST),
}
_BY: Final = {name: _may(kind) for name, kind in _OPERATOR.items()}
"""Who has asked for it, where the node knows."""
_LETTER: Final = {
    "clue": _CLUE,
    "peer": _NAME,
    "letter": _WORD,
    "number": _NUMBER,
    "digest": _DIGEST,
}

EVENTS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "node_started": {"role": _PARTY, "version": _VERSION},
    "certificate_used": {"certificate": _DIGEST},
    "job_refused": {
        "peer": _NAME,
        "code": _WORD,
        "session": _may(_SESSION),
        "way": _may(_WAY),
        **_UNDER,
        **_BY,
    },
    "refusals_counted": {"peer": _NAME, "refusals": _NUMBER},
    "run_begun": {**_RUN, "sets": _NAMES, "learns": _LEARNS, **_DECISION, **_BY},
    "run_ended": {**_RUN, "ours": _COUNTS, "theirs": _COUNTS, "found": _may(_COUNTS), **_BYTES},
    "run_failed": {**_RUN, "code": _WORD, **{name: _may(kind) for name, kind in _BYTES.items()}},
    "inquiry_asked": {
        "peer": _NAME,
        "session": _SESSION,
        "elements": _COUNTS,
        **_UNDER,
        **_DECISION,
        **_BY,
    },
    "inquiry_not_answered": {"peer": _NAME, "session": _SESSION},
    "inquiry_answered": {
        "peer": _NAME,
        "session": _SESSION,
        "elements": _COUNTS,
        **_UNDER,
        **_DECISION,
    },
    "tables_given": {
        "peer": _NAME,
        "session": _SESSION,
        "sets": _NAMES,
        **_UNDER,
        **_DECISION,
    },
    "ticket_received": {
        "ticket": _TICKET,
        "digest": _DIGEST,
        "peer": _may(_NAME),
        "purpose": _may(_TEXT),
    },
    "ticket_approved": {
        "ticket": _TICKET,
        "digest": _DIGEST,
        "stage": _may(_WORD),
        **_OPERATOR,
    },
    "stage_decided": {
        "peer": _NAME,
        "ticket": _TICKET,
        "digest": _DIGEST,
        "way": _WAY,
        "stage": _WORD,
        "signatures": _SIGNATURES,
    },
    "ticket_refused": {
        "ticket": _TICKET,
        "digest": _DIGEST,
        "code": _WORD,
        "stage": _may(_WORD),
        "peer": _may(_NAME),
        **_BY,
    },
    "ticket_revoked": {
        "ticket": _TICKET,
        "digest": _may(_DIGEST),
        "peer": _may(_NAME),
        **_BY,
    },
    "certificate_revoked": {"certificate": _DIGEST, "operator": _NAME, "role": _WORD},
    "disclosure": {
        "peer": _NAME,
        "session": _SESSION,
        "learns": _LEARNS,
        "columns": _COLUMNS,
        "records": _may(_NUMBER),
        **_UNDER,
    },
    "receipt": {
        "session": _SESSION,
        "peer": _NAME,
        "signer": _SIDE,
        "digest": _DIGEST,
        "outcome": _WORD,
        "inquiries": _may(_NUMBER),
    },
    "erased": {"what": _WORD, "session": _may(_SESSION), "files": _NUMBER},
    "clock_set": {"was": _MOMENT, "now": _MOMENT},
    "exported": {"format": _FORMAT, "since": _may(_TIME), "until": _may(_TIME)},
    "clue_moved": {
        "clue": _CLUE,
        "peer": _NAME,
        "act": _WORD,
        "state": _WORD,
        **{name: _may(kind) for name, kind in _OPERATOR.items()},
        **{name: _may(_NUMBER) for name in ("claimed", "suspects", "amount", "recovered")},
        "rule": _may(_WORD),
        "ticket": _may(_TICKET),
        "code": _may(_WORD),
        "merge": _may(_CLUE),
    },
    "clue_sent": _LETTER,
    "clue_heard": _LETTER,
    "operator_action": {
        **_OPERATOR,
        "action": _WORD,
        "ticket": _may(_TICKET),
        "session": _may(_SESSION),
    },
    "operator_refused": {"action": _WORD, "code": _WORD, **_BY},
}
"""Each event with its facts. To add one, add it here and to the table in docs/operations.md."""


def check(event: str, facts: Mapping[str, Any]) -> None:
    """Checks that the log may say this.

    Raises:
        ApiMisuse: the event or a fact is unknown, missing, or of another kind. The value is not
            told: it may be what must not be logged.
    """
    kinds = EVENTS.get(event)
    if kinds is None:
        raise ApiMisuse("an event that the audit log does not know")
    for name in facts:
        if name not in kinds:
            raise ApiMisuse(f"{event} has a fact that the audit log does not know")
    for name, kind in kinds.items():
        if name not in facts:
            if kind.required:
                raise ApiMisuse(f"{event} lacks its fact {name}")
        elif not kind.has(facts[name]):
            raise ApiMisuse(f"{event}: {name} is not {kind.words}")
