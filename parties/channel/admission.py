"""Admission: how many calls a node carries at once, and none any more when it stops."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Protocol

from parties.channel.codes import NodeStopping, TooManyCalls


class Call(Protocol):
    """A call that is being carried."""

    def break_off(self, error: BaseException) -> None:
        """Ends it with an error."""


class Admission:
    """The calls that are being carried.

    Args:
        most: how many at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._calls: set[Call] = set()
        self._stopping = False

    def enter(self, call: Call) -> None:
        """Takes a call in.

        Raises:
            NodeStopping: the node is about to stop.
            TooManyCalls: there are as many as there may be.
        """
        with self._changed:
            if self._stopping:
                raise NodeStopping("this node is about to stop")
            if len(self._calls) >= self._most:
                raise TooManyCalls(f"this node carries {self._most} calls at once")
            self._calls.add(call)

    def leave(self, call: Call) -> None:
        """Lets a call go; one that has gone already changes nothing."""
        with self._changed:
            self._calls.discard(call)
            self._changed.notify_all()

    def close(self) -> None:
        """Takes no more calls in."""
        with self._changed:
            self._stopping = True

    def stop(self, grace: float) -> None:
        """Waits until all calls have gone, after `close`.

        Args:
            grace: seconds after which those that are left are broken off.
        """
        until = monotonic() + grace
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, timeout=max(0.0, until - monotonic()))
            for call in self._calls:
                call.break_off(NodeStopping("this node was stopped"))
