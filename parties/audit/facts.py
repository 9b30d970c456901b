"""What the log may say: its events, and the facts of each.

A fact is a name, a number, a digest, a time or a code word; never an identifier, an element, a
label, a key or a cell of a row. So this list is closed, and what is not on it is a bug of the
caller. The texts that people have written are the purpose of a ticket, which both parties sign, and
the number of an approval, which the approver does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from psi.errors import ApiMisuse
from psi.lazily import NamedTuple

NAME: Final = r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?"
"""Of a node, an operator, a set: as in settings, and at most what a certificate's name may have."""
WORD: Final = r"[a-z][a-z0-9_-]{0,63}"
"""A code word, a protocol, a stage, a kind of thing."""
TICKET: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
DIGEST: Final = r"[0-9a-f]{64}"
SESSION: Final = r"[0-9a-f]{32}"
VERSION: Final = r"[0-9][0-9A-Za-z.+-]{0,31}"
TIME: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z"
"""UTC in the one form of `parties.audit.chain.stamp`, so that texts compare as times do."""
MOMENT: Final = TIME.replace(r"\.[0-9]{6}Z", r"(\.[0-9]{6})?(Z|\+00:00)")
"""UTC as Python writes it, with or without a fraction."""
TEXT: Final = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,1000}"
"""One line: a purpose, of as many characters as tickets have, or the name of a column."""
LARGEST: Final = (1 << 63) - 1
"""Of numbers: what databases hold."""
MOST_NAMES: Final = 256
"""Names in one list, of columns above all: as many as a set may disclose."""
LONGEST_NAME: Final = 128
"""Characters of a column's name, as in `parties.disclosure`."""
PARTIES: Final = ("insurer", "police")
WAYS: Final = ("count", "list", "match", "inquire")
CLUE: Final = r"[0-9a-f]{32}"
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
    """Whether it is written as `stamp` writes a time."""
    return isinstance(value, str) and re.fullmatch(TIME, value) is not None


def _like(form: str) -> Callable[[Any], bool]:
    """Whether a value is a text of this form, which is read when it is first needed."""
    return lambda value: isinstance(value, str) and re.fullmatch(form, value) is not None


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _all(has: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: (
        isinstance(values, list | tuple) and len(values) <= MOST_NAMES and all(map(has, values))
    )


def _is_column(value: Any) -> bool:
    return _TEXT.has(value) and len(value) <= LONGEST_NAME


def _counts(values: Any) -> bool:
    return (
        isinstance(values, Mapping)
        and len(values) <= MOST_NAMES
        and all(_NAME.has(name) and is_number(count) for name, count in values.items())
    )


_NAME: Final = Kind("a name", _like(NAME))
_WORD: Final = Kind("a code word", _like(WORD))
_TICKET: Final = Kind("the id of a ticket", _like(TICKET))
_DIGEST: Final = Kind("a digest", _like(DIGEST))
_SESSION: Final = Kind("the id of a session", _like(SESSION))
_VERSION: Final = Kind("a version", _like(VERSION))
_TIME: Final = Kind("a time", is_time)
_MOMENT: Final = Kind("a time in UTC", _like(MOMENT))
_NUMBER: Final = Kind("a whole number", is_number)
_TEXT: Final = Kind("a line of text", _like(TEXT))
_PARTY: Final = Kind("a party", _one_of(*PARTIES))
_WAY: Final = Kind("a way", _one_of(*WAYS))
_CLUE: Final = Kind("the id of a clue", _like(CLUE))
_LEARNS: Final = Kind("who learns", _one_of(*LEARNS))
_SIDE: Final = Kind("ours or theirs", _one_of("ours", "theirs"))
_FORMAT: Final = Kind("a format", _one_of("jsonl", "html"))
_COUNTS: Final = Kind("numbers by set", _counts)
_NAMES: Final = Kind("names", _all(_NAME.has))
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
