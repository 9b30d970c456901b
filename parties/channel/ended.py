"""What became of a call that was answered."""

from __future__ import annotations

import traceback
from time import monotonic
from typing import Final

from parties.channel import codes
from parties.channel.line import Carried
from parties.logs import Log
from psi.lazily import NamedTuple

_log = Log()

DONE: Final = "done"


class Ended(NamedTuple):
    """What became of one call that was answered.

    Attributes:
        peer: the peer's name.
        session: as the peer opened it, or None if it never did.
        code: "done", or the word for what went wrong.
        carried: how many bytes of messages.
        seconds: from the call to its end.
    """

    peer: str
    session: str | None
    code: str
    carried: Carried
    seconds: float


def note_end(
    peer: str, session: str | None, error: BaseException | None, carried: Carried, began: float
) -> Ended:
    """Logs how a call ended and returns it.

    Args:
        peer: the name of the caller.
        session: as it opened it, or None if it never did.
        error: that ended the call, if one did.
        carried: how many bytes of messages.
        began: when, by the monotonic clock.
    """
    code = codes.status_and_code(error)[1] if error else DONE
    seconds = round(monotonic() - began, 3)
    _log.info(
        "call_ended",
        end="answering",
        peer=peer,
        session=session,
        code=code,
        said_bytes=carried.said_bytes,
        heard_bytes=carried.heard_bytes,
        seconds=seconds,
    )
    if error and codes.is_our_bug(error):
        # The text of an error that nobody foresaw may hold data; its kind and places do not.
        places = [f"{at.name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
        _log.error("call_failed", session=session, kind=type(error).__name__, at=places)
    return Ended(peer, session, code, carried, seconds)
