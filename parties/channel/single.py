"""The one message of a call that has one: taken within the patience, or the caller is lost.

gRPC's own unary methods wait for the message before anybody has looked at the caller, for as long
as it likes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc

from parties.errors import PeerLost
from psi.errors import UnexpectedMessage

T = TypeVar("T")


def only(arriving: Iterator[T], cancel: Callable[[], object], patience: float) -> T:
    """Returns the one message that arrives.

    Args:
        arriving: the caller's messages.
        cancel: ends the call, which ends `arriving`.
        patience: seconds within which the message and the end of messages must have come.

    Raises:
        PeerLost: they have not, or the caller hung up, or said nothing.
        UnexpectedMessage: more than one came.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        cancel()

    watch = threading.Timer(patience, give_up)
    watch.daemon = True
    watch.start()
    try:
        messages = [message for message, _ in zip(arriving, range(2), strict=False)]
    except grpc.RpcError:
        messages = []
    finally:
        watch.cancel()
    if late.is_set():
        raise PeerLost(f"the caller said nothing whole within {patience:g} s")
    if not messages:
        # gRPC ends `arriving` in the one way or the other if the call is cut off: whichever it
        # hears of first, that no message comes or why.
        raise PeerLost("the caller hung up before it had said anything")
    if len(messages) > 1:
        raise UnexpectedMessage("a call of one message has more")
    return messages[0]
