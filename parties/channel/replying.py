"""One exchange at the answering end: a flight comes, and a flight goes."""

from __future__ import annotations

from time import monotonic

from parties.channel.admission import Admission
from parties.channel.answering import Answer
from parties.channel.drive import reply
from parties.channel.ended import Ended, note_end
from parties.channel.flights import read_flight, write_flight
from parties.channel.line import Carried
from parties.logs import Log

_log = Log()


class Replying:
    """One exchange that is being answered, in the thread that gRPC gives it.

    What the kernels keep of each thread that calls them is bounded, for gRPC's threads are.

    Args:
        peer: the name of the caller, who has been recognised.
        answer: makes our side of the dialogue.
        admission: where the call is let in and let go.
    """

    def __init__(self, peer: str, answer: Answer, admission: Admission) -> None:
        self._peer = peer
        self._answer = answer
        self._admission = admission
        self._session: str | None = None
        self._carried = Carried()
        self._began = monotonic()
        self._broken: BaseException | None = None

    def reply(self, raw: bytes) -> bytes:
        """Returns our flight.

        Args:
            raw: the caller's.

        Raises:
            PeerError: the caller's flight or messages are not what they must be.
            PartyError: why we refuse.
        """
        self._admission.enter(self)
        try:
            theirs = read_flight(raw)
            self._session = theirs.session
            self._carried = Carried(0, theirs.size)
            _log.info("call_began", end="answering", peer=self._peer, session=self._session)
            said = reply(self._answer(self._peer, theirs.session), theirs.said)
            ours = write_flight(theirs.session, said)
            if self._broken is not None:
                raise self._broken
        finally:
            self._admission.leave(self)
        self._carried = Carried(sum(map(len, said)), theirs.size)
        return ours

    def break_off(self, error: BaseException) -> None:
        """Sends an error in place of what the dialogue says; it is not interrupted."""
        self._broken = error

    def ended(self, error: BaseException | None) -> Ended:
        """Logs how the call ended and returns it."""
        return note_end(self._peer, self._session, error, self._carried, self._began)
