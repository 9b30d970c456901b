"""One exchange at the answering end: a flight comes, and a flight goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic

import grpc

from parties.channel.admission import Admission
from parties.channel.answering import HUNG_UP, Answer
from parties.channel.drive import reply
from parties.channel.ended import Ended, note_end
from parties.channel.flights import Flight, read_flight, write_flight
from parties.channel.line import Carried
from parties.channel.single import only
from parties.channel.threads import DialogueThreads
from parties.errors import PeerLost
from parties.logs import Log

_log = Log()


class Replying:
    """One exchange that is being answered.

    Args:
        peer: the name of the caller, who has been recognised.
        answer: makes our side of the dialogue.
        admission: where the call is let in and let go.
        threads: one of which runs our dialogue.
        patience: seconds within which the caller's flight must be there.
    """

    def __init__(
        self,
        peer: str,
        answer: Answer,
        admission: Admission,
        threads: DialogueThreads,
        patience: float,
    ) -> None:
        self._peer = peer
        self._answer = answer
        self._admission = admission
        self._threads = threads
        self._patience = patience
        self._session: str | None = None
        self._carried = Carried()
        self._began = monotonic()
        self._settled = threading.Event()
        self._ours: bytes | None = None
        self._broken: BaseException | None = None

    def reply(
        self, arriving: Iterator[bytes], cancel: Callable[[], object], taken: Callable[[], object]
    ) -> bytes:
        """Returns our flight.

        Args:
            arriving: the caller's, and nothing behind it.
            cancel: ends the call.
            taken: tells the caller that its flight is here and will be answered.

        Raises:
            PeerError: the caller's flight or messages are not what they must be.
            PartyError: why we refuse; `PeerLost` if the caller has gone.
        """
        self._admission.enter(self)
        try:
            try:
                theirs = read_flight(only(arriving, cancel, self._patience))
            except PeerLost as lost:
                raise self._broken or lost from None  # if we stop, that is why it ended
            self._session = theirs.session
            self._carried = Carried(0, theirs.size)
            _log.info("call_began", end="answering", peer=self._peer, session=self._session)
            try:
                taken()
            except grpc.RpcError:
                raise PeerLost(HUNG_UP) from None
            self._threads.start(partial(self._run, theirs))
        except BaseException:
            self._admission.leave(self)
            raise
        self._settled.wait()
        if self._ours is None:
            raise self._broken or PeerLost(HUNG_UP)
        return self._ours

    def hung_up(self) -> None:
        """Breaks off what is not settled yet: the caller is there no more."""
        self.break_off(PeerLost(HUNG_UP))

    def break_off(self, error: BaseException) -> None:
        """Sends an error in place of what the dialogue says, which ends at its next turn."""
        if self._broken is None:
            self._broken = error
        self._settled.set()

    def ended(self, error: BaseException | None) -> Ended:
        """Logs how the call ended and returns it."""
        return note_end(self._peer, self._session, error, self._carried, self._began)

    def _run(self, theirs: Flight) -> None:
        """Runs our dialogue, in a thread that has nothing else to do."""
        ours, broken = None, None
        try:
            said = reply(self._answer(self._peer, theirs.session), theirs.said, self._go_on)
            ours = write_flight(theirs.session, said)
            self._carried = Carried(sum(map(len, said)), theirs.size)
        except BaseException as error:
            broken = error
        self._admission.leave(self)
        if broken is not None:
            self.break_off(broken)
        elif self._broken is None:
            self._ours = ours
            self._settled.set()

    def _go_on(self) -> None:
        if self._broken is not None:
            raise self._broken
