"""Errors of the toolkit. They say whose fault it is.

    PsiError
    ├── ApiMisuse                 our caller broke the contract: fix our code
    └── PeerError                 the peer is at fault; the dialogue is over, nothing was learnt
        ├── MalformedMessage      its bytes do not parse
        ├── UnexpectedMessage     they parse, but something else is due
        ├── PeerIncompatible      it runs other parameters than we do: talk to them
        ├── BoundExceeded         its set, or a message, is larger than was agreed
        └── PeerMisbehaved        a message is due and parses, and a check fails
            ├── CheckFailed           what it says here and there does not agree
            ├── ProofFailed           its answers are not proven for the key that it published
            ├── TranscriptMismatch    the two sides did not see the same messages
            └── DecoyMismatch         a decoy came out wrong, so the result would be wrong

Nothing a peer sends can raise anything but a `PeerError`. Texts hold names and numbers, never an
element, a key or a byte that the peer sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psi._core import CheckError


class PsiError(Exception):
    """The root of all errors of the toolkit."""


class ApiMisuse(PsiError):
    """Our caller broke the contract of a function."""


class PeerError(PsiError):
    """The other party is at fault; the dialogue is over and nothing was learnt."""


class MalformedMessage(PeerError):
    """The peer's bytes do not parse."""


class UnexpectedMessage(PeerError):
    """The peer's message parses, but something else is due."""


class PeerIncompatible(PeerError):
    """The peer runs other parameters than we do."""


class BoundExceeded(PeerError):
    """The peer's set, or one of its messages, is larger than was agreed."""


class PeerMisbehaved(PeerError):
    """The peer's message is due and parses, and a check fails."""


class CheckFailed(PeerMisbehaved):
    """What the peer says in one place does not agree with what it says in another.

    Which check failed is not told to the peer: it may have guessed at our secrets, and learns no
    more than that it guessed wrong.
    """


class ProofFailed(PeerMisbehaved):
    """The peer's answers are not proven for the key that it published."""


class TranscriptMismatch(PeerMisbehaved):
    """The two sides did not see the same messages."""


class DecoyMismatch(PeerMisbehaved):
    """A decoy that must match did not, or one that must not did."""


@contextmanager
def blame_the_peer(
    message: str, check: type[CheckFailed | ProofFailed] = CheckFailed
) -> Iterator[None]:
    """Turns a kernel's refusal of the peer's bytes into `MalformedMessage`, or `check`.

    Args:
        message: the name of the message whose bytes the kernel was given.
        check: what it means if they parse, and a check of the kernel fails.
    """
    try:
        yield
    except CheckError as error:
        raise check(_FAILED[check]) from error
    except ValueError as error:
        raise MalformedMessage(f"{message}: {error}") from error


_FAILED = {
    CheckFailed: "the peer's messages do not agree with each other",
    ProofFailed: "the peer's answers are not proven for the key that it published",
}
