"""Code words: what one end of a call tells the other about an error, and what that makes of it.

A peer learns a gRPC status and one stable word, never a text: texts may depend on data. The word
travels in the trailing metadata, or in a Fault when the calling end gives up.
"""

from __future__ import annotations

from typing import Final

import grpc

from parties.channel.frames import code_is_well_formed
from parties.channel.line import CallerFault
from parties.errors import (
    CertificateError,
    PartyError,
    PeerLost,
    PeerRefused,
    PeerUnreachable,
    TableRefused,
)
from parties.refusals import SENTENCES
from psi.errors import (
    BoundExceeded,
    CheckFailed,
    DecoyMismatch,
    MalformedMessage,
    PeerIncompatible,
    PeerMisbehaved,
    ProofFailed,
    PsiError,
    TranscriptMismatch,
    UnexpectedMessage,
)

METADATA_KEY: Final = "greenlane-code"

INTERNAL: Final = "internal"
INTERRUPTED: Final = "interrupted"
BUSY: Final = "busy"
STOPPING: Final = "stopping"
_INCOMPATIBLE: Final = "incompatible"


class TooManyCalls(PartyError):
    """This node carries as many calls as it may."""

    code = BUSY


class NodeStopping(PartyError):
    """This node is about to stop."""

    code = STOPPING


# Derived classes before their bases: the first that fits is taken.
_WORDS: Final[tuple[tuple[type[BaseException], grpc.StatusCode, str], ...]] = (
    (MalformedMessage, grpc.StatusCode.INVALID_ARGUMENT, "malformed-message"),
    (UnexpectedMessage, grpc.StatusCode.INVALID_ARGUMENT, "unexpected-message"),
    (PeerIncompatible, grpc.StatusCode.FAILED_PRECONDITION, _INCOMPATIBLE),
    (BoundExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED, "bound-exceeded"),
    (CheckFailed, grpc.StatusCode.ABORTED, "check-failed"),
    (ProofFailed, grpc.StatusCode.ABORTED, "proof-failed"),
    (TranscriptMismatch, grpc.StatusCode.ABORTED, "transcript-mismatch"),
    (DecoyMismatch, grpc.StatusCode.ABORTED, "decoy-mismatch"),
    (PeerMisbehaved, grpc.StatusCode.ABORTED, "misbehaved"),
    (TooManyCalls, grpc.StatusCode.RESOURCE_EXHAUSTED, BUSY),
    (NodeStopping, grpc.StatusCode.UNAVAILABLE, STOPPING),
    (PeerLost, grpc.StatusCode.ABORTED, PeerLost.code),
    (KeyboardInterrupt, grpc.StatusCode.ABORTED, INTERRUPTED),
)

# What became of the run, for each word that does not mean that the peer refused it.
_LOST: Final = {
    INTERRUPTED: "was interrupted by its operator",
    STOPPING: "was stopped by its operator",
    PeerLost.code: "lost the connection",
    INTERNAL: "failed by a fault of its own; its log says where",
}


UNKNOWN: Final = "other"
"""What stands in our log and metrics for a word that we do not know."""

_KNOWN: Final = frozenset(
    [word for *_, word in _WORDS]
    + [*_LOST, *SENTENCES, *TableRefused.CODES]
    + [error.code for error in (CertificateError, PartyError, PeerUnreachable, PeerRefused)]
)


def status_and_code(error: BaseException) -> tuple[grpc.StatusCode, str]:
    """Returns what the peer is told about an error of ours."""
    if isinstance(error, CallerFault):
        # A caller may say any word; those that we do not know would fill logs and metrics.
        known = error.code if error.code in _KNOWN else UNKNOWN
        return grpc.StatusCode.ABORTED, known
    for kind, status, code in _WORDS:
        if isinstance(error, kind):
            return status, code
    if isinstance(error, PartyError) and error.code != INTERNAL and code_is_well_formed(error.code):
        return grpc.StatusCode.FAILED_PRECONDITION, error.code
    return grpc.StatusCode.INTERNAL, INTERNAL


def is_our_bug(error: BaseException) -> bool:
    """Whether nobody foresaw this error, so that its trace belongs in our log."""
    return status_and_code(error) == (grpc.StatusCode.INTERNAL, INTERNAL)


def error_for(code: str, peer: str, *, opened: bool) -> PartyError | PsiError:
    """Returns our error for the word with which a peer ended a call.

    Args:
        code: the word; whatever does not have the form of one is not repeated.
        peer: the peer's name.
        opened: whether the peer had taken the call.
    """
    if code == _INCOMPATIBLE:
        return PeerIncompatible(
            f"{peer} does not run the same release and parameters: compare both nodes' settings"
        )
    if code == BUSY:
        return PeerUnreachable(f"{peer} carries as many calls as it may: try again later")
    if code == STOPPING and not opened:
        return PeerUnreachable(f"{peer} is being stopped: try again when it runs")
    if code in _LOST:
        return PeerLost(f"{peer} {_LOST[code]}; nothing was learnt, the run may be tried again")
    if code in SENTENCES:
        return PeerRefused(f"{peer} {SENTENCES[code]}", code)
    word = code if code_is_well_formed(code) else "refused"
    return PeerRefused(f"{peer} ended the run: {word}", word)
