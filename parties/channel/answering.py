"""One call at the answering end, from its first frame to its status."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Final, TypeAlias

from parties.channel.admission import Admission
from parties.channel.drive import carry
from parties.channel.ended import Ended, note_end
from parties.channel.line import CallerFault, Line
from parties.channel.threads import DialogueThreads
from parties.errors import PeerLost
from parties.logs import Log
from psi.dialogue import Dialogue
from psi.errors import PsiError

_log = Log()

Answer: TypeAlias = Callable[[str, str], Dialogue[object]]
"""Returns our side of what a peer asks for: (peer's name, session) -> dialogue.

It may refuse by raising, for example `PeerRefused` with a code. It runs in a thread that carries
one dialogue at a time, and may have carried another peer's before.
"""

HUNG_UP: Final = "the caller hung up before the dialogue was over"


class Answering:
    """One call that is being answered.

    Args:
        peer: the name of the caller, who has been recognised.
        answer: makes our side of the dialogue.
        admission: where the call is let in and let go.
        threads: one of which runs our dialogue.
        patience: seconds without a sign of life after which the caller is lost.
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
        self._line = Line(patience, first_within=True)
        self._session: str | None = None
        self._began = monotonic()

    def frames(self, arriving: Iterator[bytes]) -> Iterator[bytes]:
        """Yields our frames until both dialogues are over.

        Args:
            arriving: the caller's frames.

        Raises:
            PeerError: the caller's frames or messages are not what they must be.
            PartyError: why we refuse or gave up; `PeerLost` if the caller has gone.
            CallerFault: the caller gave up and said why.
        """
        self._admission.enter(self._line)
        try:
            pump = partial(self._pump, arriving)
            threading.Thread(target=pump, name="channel-pump", daemon=True).start()
            self._session = self._line.peer_session()
            _log.info("call_began", end="answering", peer=self._peer, session=self._session)
            self._threads.start(partial(self._run, self._session))
        except BaseException:
            self._admission.leave(self._line)
            raise
        try:
            yield from self._line.outgoing()
            self._line.settle()
        finally:
            # If gRPC drops us half-way, the dialogue must not wait for a caller that has gone.
            self._line.break_off(PeerLost(HUNG_UP))

    def ended(self, error: BaseException | None) -> Ended:
        """Logs how the call ended and returns it."""
        return note_end(self._peer, self._session, error, self._line.carried, self._began)

    def _run(self, session: str) -> None:
        """Runs our dialogue, in a thread that has nothing else to do; its error ends the line."""
        try:
            # What prepares the dialogue may take long, so the caller gets heartbeats meanwhile.
            self._line.open(session)
            carry(self._answer(self._peer, session), self._line)
        except BaseException as error:
            self._line.break_off(error)
        finally:
            self._admission.leave(self._line)

    def _pump(self, arriving: Iterator[bytes]) -> None:
        """Takes in the caller's frames, in a thread of its own."""
        try:
            for raw in arriving:
                self._line.take(raw)
            self._line.close()
        except (PsiError, CallerFault) as error:
            self._line.break_off(error)
        except Exception:
            # gRPC gives no reason here: the caller cancelled or vanished, or sent a frame so long
            # that gRPC refused it by itself.
            self._line.break_off(PeerLost(HUNG_UP))
