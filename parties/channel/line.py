"""A line: one call seen from one end, with a dialogue on its one side and frames on its other.

Three threads meet here, and nowhere else. The dialogue says and hears, and computes for seconds in
between with the interpreter's lock released. gRPC draws frames from `outgoing`. A pump hands the
frames that arrive to `take`. A queue in each direction lets them work at the same time.

Progress is what counts, not time: a run of hours is fine as long as the other end gives a sign of
life, a message or a heartbeat, every few seconds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from parties.channel.frames import (
    LONGEST_MESSAGE,
    Ending,
    Fault,
    Frame,
    Heartbeat,
    Opening,
    Reader,
    Said,
    Writer,
)
from parties.errors import PeerLost
from psi.errors import ApiMisuse, UnexpectedMessage
from psi.lazily import NamedTuple

# Enough for the network to stay busy while the dialogue computes on a message and the other way
# round; with the longest messages 8 MiB in each direction. When a queue is full, gRPC's flow
# control makes the other end wait.
QUEUE: Final = 4

# Longest pause without a frame. Six fit into the default patience of 30 seconds, so that one that
# is late does no harm.
HEARTBEAT_SECONDS: Final = 5.0


class Carried(NamedTuple):
    """How many bytes of messages were said and heard, without frames and TLS."""

    said_bytes: int = 0
    heard_bytes: int = 0


class CallerFault(Exception):
    """The calling end gave up and said why; `code` is its word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Line:
    """One end of a call.

    The first error ends the line: whoever says, hears or ends after that meets the same error, but
    messages that came before it are still heard.

    Args:
        patience: seconds without a sign of life after which the peer is lost.
        first_within: whether the peer's first message must come within the patience, whatever signs
            of life it gives; a caller has read its files before it calls.
    """

    def __init__(self, patience: float, *, first_within: bool = False) -> None:
        self._patience = patience
        self._first_due = first_within
        self._heartbeat = min(HEARTBEAT_SECONDS, patience / 3)
        self._changed = threading.Condition()
        self._writer = Writer()
        self._reader = Reader()
        self._to_send: deque[Frame] = deque()
        self._to_hear: deque[bytes] = deque()
        self._said_bytes = 0
        self._heard_bytes = 0
        self._heard_at = monotonic()
        self._deaf = False  # the pump waits for room in the queue and takes in nothing
        self._session = ""  # as we opened it
        self._peer_session = ""  # as they opened it
        self._ended = False  # our Ending is among the frames to send or was sent
        self._peer_ended = False
        self._over = False  # no more frames will arrive
        self._broken: BaseException | None = None

    # --- the dialogue's side

    def open(self, session: str) -> None:
        """Sends the first frame of our direction."""
        with self._changed:
            self._session = session
            self._to_send.append(Opening(session))
            self._changed.notify_all()

    def peer_session(self) -> str:
        """Waits for the first frame of the other direction and returns its session."""
        with self._changed:
            self._wait(lambda: self.opened)
            return self._peer_session

    def say(self, data: bytes) -> None:
        """Sends one message; waits while the queue is full.

        Raises:
            ApiMisuse: it is longer than `LONGEST_MESSAGE`.
            PeerLost: the peer gave no sign of life; or whatever else ended the line.
        """
        if len(data) > LONGEST_MESSAGE:
            raise ApiMisuse(f"a message of {len(data)} bytes: split it at {LONGEST_MESSAGE}")
        with self._changed:
            if self._broken is not None:
                raise self._broken
            self._wait(lambda: len(self._to_send) < QUEUE)
            self._to_send.append(Said(data))
            self._changed.notify_all()

    def hear(self) -> bytes:
        """Returns the next message; waits for it.

        Raises:
            UnexpectedMessage: the peer has said all that it had to say.
            PeerLost: the peer gave no sign of life; or whatever else ended the line.
        """
        with self._changed:
            alive = not self._first_due
            self._wait(lambda: bool(self._to_hear) or self._peer_ended, alive=alive)
            self._first_due = False
            if not self._to_hear:
                raise UnexpectedMessage("a message is due, the end of the dialogue came")
            data = self._to_hear.popleft()
            self._changed.notify_all()
            return data

    def end(self) -> None:
        """Says that our dialogue is over and waits until the peer's is.

        Raises:
            UnexpectedMessage: the peer says more than our dialogue hears.
            PeerLost: the peer gave no sign of life; or whatever else ended the line.
        """
        with self._changed:
            self._to_send.append(Ending())
            self._ended = True
            self._changed.notify_all()
            self._wait(lambda: self._peer_ended or bool(self._to_hear))
            if self._to_hear:
                raise UnexpectedMessage("the dialogue is over, a message came")

    def settle(self) -> None:
        """Waits until the other end has closed the call as it must after both Endings."""
        with self._changed:
            self._wait(lambda: self._over, alive=False)
            if self._broken is not None:
                raise self._broken

    # --- the wire's side

    def outgoing(self) -> Iterator[bytes]:
        """Yields the frames of our direction, with heartbeats between them, until it is over."""
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._to_send or self._is_closing(), timeout=self._heartbeat
                )
                if self._to_send:
                    frame = self._to_send.popleft()
                    self._changed.notify_all()
                elif self._is_closing():
                    return
                elif not self._session:
                    continue
                else:
                    frame = Heartbeat()
            if isinstance(frame, Said):
                self._said_bytes += len(frame.data)
            yield self._writer.write(frame)

    def take(self, raw: bytes) -> None:
        """Takes in one frame that has arrived; waits while the queue is full.

        Raises:
            PeerError: the frame is not what it must be.
            CallerFault: it says that the calling end gives up.
        """
        frame = self._reader.read(raw)
        with self._changed:
            self._heard_at = monotonic()
            if self._broken is not None:
                return  # nobody will hear it, so it takes no room
            match frame:
                case Said(data):
                    self._heard_bytes += len(data)
                    self._to_hear.append(data)
                case Opening(session):
                    if self._session not in ("", session):
                        raise UnexpectedMessage("the peer opened another session than ours")
                    self._peer_session = session
                case Ending():
                    self._peer_ended = True
                case Fault(code):
                    raise CallerFault(code)
            self._changed.notify_all()
            self._deaf = True
            self._changed.wait_for(lambda: len(self._to_hear) < QUEUE or self._broken is not None)
            self._deaf = False
            self._heard_at = monotonic()  # the time that we did not look does not count

    def close(self) -> None:
        """Notes that the other end has closed its direction."""
        with self._changed:
            self._over = True
            if not self._peer_ended:
                self._break(PeerLost("the peer hung up before the dialogue was over"))
            self._changed.notify_all()

    def break_off(self, error: BaseException) -> None:
        """Ends the line with an error; a second one changes nothing."""
        with self._changed:
            self._break(error)

    def fault(self, code: str) -> None:
        """Sends a Fault as our last frame, instead of all messages that still wait to be sent."""
        with self._changed:
            unsent = [frame for frame in self._to_send if isinstance(frame, Opening)]
            self._to_send = deque([*unsent, Fault(code)])
            self._break(PeerLost("we gave up"))

    # --- what the call knows

    @property
    def broken(self) -> BaseException | None:
        """The error that ended the line, if one did."""
        return self._broken

    @property
    def opened(self) -> bool:
        """Whether the other end has answered at all."""
        return self._peer_session != ""

    @property
    def carried(self) -> Carried:
        """What was carried so far."""
        return Carried(self._said_bytes, self._heard_bytes)

    def _is_closing(self) -> bool:
        # What is left to hear is a message too many, which the dialogue's thread has yet to name.
        over = self._ended and self._peer_ended and not self._to_hear
        return self._broken is not None or over

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
        self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool], *, alive: bool = True) -> None:
        """Waits, with the lock held, until `ready`.

        Args:
            ready: what is waited for.
            alive: whether signs of life of the peer make the wait longer than the patience.
        """
        began = monotonic()
        while not ready():
            if self._broken is not None:
                raise self._broken
            # While we do not hear what has come, no sign of life can reach us; so it counts only
            # from now. If it stays so, both ends talk and neither hears, and that must end too.
            alive_at = max(began, self._heard_at) if self._deaf else self._heard_at
            left = (alive_at if alive else began) + self._patience - monotonic()
            if left <= 0:
                what = "sign of life" if alive else "answer"
                self._break(PeerLost(f"the peer gave no {what} for {self._patience:g} s"))
            else:
                self._changed.wait(left)
