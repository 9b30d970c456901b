"""Errors of the nodes. Each is one sentence for people, a stable code and a stable exit code.

    PartyError
    ├── SettingsError     3   the settings file is wrong: which entry, and what to write there
    ├── PackRefused       3   a pack of rules is not what it must be: which rule, which entry
    ├── SourceError       4   our own data is wrong: file, row, column, never the value
    ├── CertificateError  5   a certificate, ours or theirs, is not accepted
    ├── PeerUnreachable   6   nobody answers at the peer's address
    ├── PeerLost          6   the connection broke before the dialogue was over; may be tried again
    ├── PeerRefused       7   the peer said no, with a code
    ├── TableRefused      8   a peer's prepared table, or its manifest, is not what it must be
    ├── TicketRefused     7   a ticket is not what it must be, or does not allow what is asked
    ├── AuditRefused      8   a receipt, or an exported audit log, is not what it must be
    ├── ClueRefused       7   a clue, or a letter about one, does not allow what is asked
    ├── Refusal           7   this node says no, with the code that the peer gets (`refusals`)
    ├── OperatorRefused  10   who gives a command has not shown who they are, or may not
    └── LocalFault        9   this machine: port taken, disk full, no permission
        └── WholeNeeded   9   a change that was given cannot be added to a table

Errors of the toolkit (`psi.errors`) leave the program as 7 (`PeerIncompatible`, `BoundExceeded`)
or 8 (every other `PeerError`). 0 is done, 1 is a bug of ours, 2 is wrong usage, 130 is Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from psi.errors import BoundExceeded, PeerError, PeerIncompatible, PsiError

BUG = 1
INTERRUPTED = 130


class PartyError(Exception):
    """The root of all errors of the nodes."""

    exit_code = BUG
    code = "internal"


class SettingsError(PartyError):
    """The settings file is wrong."""

    exit_code = 3
    code = "settings"


class PackRefused(PartyError):
    """A pack of rules is not what it must be, or one of its rules does what no rule may."""

    exit_code = 3
    code = "pack"


class SourceError(PartyError):
    """Our own data is wrong: file, row and column, never the value."""

    exit_code = 4
    code = "source"


class CertificateError(PartyError):
    """A certificate, ours or theirs, is not accepted."""

    exit_code = 5
    code = "certificate"


class PeerUnreachable(PartyError):
    """Nobody answers at the peer's address."""

    exit_code = 6
    code = "peer-unreachable"


class PeerLost(PartyError):
    """The connection broke before the dialogue was over; it may be tried again from the start."""

    exit_code = 6
    code = "peer-lost"


class PeerRefused(PartyError):
    """The peer said no.

    Args:
        message: one sentence for people.
        code: the peer's word for it, one of `parties.refusals`.
    """

    exit_code = 7

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class _Refused(PartyError):
    """Something that was signed is refused.

    Args:
        code: what is wrong, one of `CODES`.
        message: one sentence for people.
    """

    CODES: ClassVar[tuple[str, ...]]

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TableRefused(_Refused):
    """A peer's prepared table, or its manifest, is not what it must be."""

    CODES = (
        "manifest-malformed",
        "manifest-forged",
        "manifest-stale",
        "manifest-other",
        "shard-altered",
    )
    exit_code = 8


class TicketRefused(_Refused):
    """A ticket is not what it must be, or does not allow what is asked."""

    CODES = (
        "ticket-missing",
        "ticket-malformed",
        "ticket-forged",
        "ticket-early",
        "ticket-expired",
        "ticket-unsigned",
        "ticket-one-person",
        "ticket-signer-revoked",
        "ticket-revoked",
        "ticket-other-peer",
        "ticket-other-set",
        "ticket-other-way",
        "ticket-other-protocol",
        "ticket-other-learner",
        "ticket-other-columns",
        "ticket-too-large",
        "ticket-other-normaliser",
        "ticket-floor",
        "ticket-refused",
        "ticket-unknown",
        "ticket-twice",
    )
    exit_code = 7


class AuditRefused(_Refused):
    """A receipt, or an exported audit log, is not what it must be."""

    CODES = ("receipt-malformed", "receipt-forged", "receipt-other", "export-malformed")
    exit_code = 8


class OperatorRefused(_Refused):
    """Who gives a command has not shown who they are, or may not give it.

    Args:
        code: what is wrong, one of `CODES`.
        message: one sentence for people.
        who: facts of the audit log about the person, if they have shown who they are.
    """

    CODES = (
        "operator-missing",
        "operator-malformed",
        "operator-forged",
        "operator-revoked",
        "operator-not-allowed",
        "operator-other",
        "token-malformed",
        "token-algorithm",
        "token-kind",
        "token-keys",
        "token-key",
        "token-forged",
        "token-expired",
        "token-early",
        "token-lasting",
        "token-issuer",
        "token-audience",
        "token-client",
        "token-person",
        "token-role",
    )
    exit_code = 10

    def __init__(self, code: str, message: str, who: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message)
        self.who: Mapping[str, str] = who or {}


class ClueRefused(_Refused):
    """A clue, or a letter about one, is not what it must be, or does not allow what is asked."""

    CODES = (
        "clue-unknown",
        "clue-state",
        "clue-role",
        "clue-same-person",
        "clue-merging",
        "clue-erased",
        "clue-words",
        "clue-limit",
        "clue-ticket",
        "clue-pack",
        "clue-malformed",
        "clue-forged",
        "clue-other",
        "clue-order",
    )
    exit_code = 7


class LocalFault(PartyError):
    """This machine does not give what is needed: port, disk, permission."""

    exit_code = 9
    code = "local"


class WholeNeeded(LocalFault):
    """What has changed cannot be added to a table; the whole source must be read.

    Args:
        name: of the identifier set.
        why: a clause for people.
    """

    code = "whole-needed"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"identifiers.{name}: {why}; prepare without --changed, which reads the whole source"
        )


def code_of(error: PartyError | PsiError) -> str:
    """Returns the stable word for this error, as it stands in logs and in JSON."""
    if isinstance(error, PartyError):
        return error.code
    # DecoyMismatch -> decoy-mismatch
    name = type(error).__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).removeprefix("-")


def exit_code(error: BaseException) -> int:
    """Returns the stable exit code with which this error leaves the program."""
    match error:
        case PartyError():
            return error.exit_code
        case PeerIncompatible() | BoundExceeded():
            return 7
        case PeerError():
            return 8
        case KeyboardInterrupt():
            return INTERRUPTED
        case _:
            return BUG
