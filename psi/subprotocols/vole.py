"""Correlations: vectors a, c at the receiver and b, Delta at the sender, with c = b + a Delta.

Source:   base OTs of Masny and Rindal, CCS 2019; OT extension SoftSpoken of Roy, CRYPTO 2022;
          half-trees of Guo et al., EUROCRYPT 2023; vector OLE from dual LPN as in Boyle et al.,
          CCS 2019, chunk by chunk with fresh noise. docs/protocols.md has the steps and the code.
Security: semi-honest. The receiver's a are pseudorandom to the sender, Delta is to the receiver.

    receiver                                       sender
                      ----- BaseOtOffer ------>    Delta random: the choices of 128 OTs
                      <---- BaseOtChoice ------
                      ------ CotTrees -------->
    noise of a batch  ----- VoleRequest ------>    trees of its chunks
    a, c              <--- VoleCorrection -----    b

A message is for a batch of chunks. Requests run `AHEAD` batches ahead of what is used, so that both
sides compute at the same time. Where the noise is stationary, trees are planted with the first
chunk and serve all of them: later requests say only that the receiver is ready, and a correction is
one block a tree and chunk.
"""

from __future__ import annotations

from enum import Enum
from hmac import compare_digest
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, check_number, hear, say
from psi.errors import MalformedMessage, TranscriptMismatch, blame_the_peer
from psi.parameters import Session, Traffic
from psi.wire.v1.messages_pb2 import (
    BaseOtChoice,
    BaseOtOffer,
    CotTrees,
    VoleCorrection,
    VoleRequest,
)

AHEAD: Final = 2
"""Batches that are asked for before the first is used: one at work on each side."""

_TREES: Final = 816
_BLOCK: Final = 16
_OFFER, _CHOICE, _COT_TREES = 32, 8192, 4096


class Profile(Enum):
    """How chunks are made."""

    FRESH = "fresh"
    """With noise at places of its own in each."""
    CHECKED = "checked"
    """The same, and all trees are checked, as `vole_checked` has it."""
    STATIONARY = "stationary"
    """With noise at the same places of the same trees, which stand elsewhere in each."""

    @property
    def chunk(self) -> int:
        """Correlations that a chunk gives, those for the next chunk's noise not counted."""
        return _core.STATIONARY_VOLE_CHUNK if self is Profile.STATIONARY else _core.VOLE_CHUNK

    @property
    def batch(self) -> int:
        """Chunks of a message; the last message has what is left.

        Between two nodes a message has a price of its own. Four stationary chunks give nearly as
        many correlations as a chunk of the others. With eight, all chunks of 2^16 elements would be
        one batch, and the two sides would compute one after the other.
        """
        return 4 if self is Profile.STATIONARY else 1


def traffic(cells: int, width: int, profile: Profile) -> Traffic:
    """What is said for so many correlations with values of `width` bits.

    The numbers are those of `rust/src/vole.rs`: a COT is 4 bytes and a tree 9 blocks.
    """
    chunks = -(-cells // profile.chunk)
    planted = 1 if profile is Profile.STATIONARY else chunks
    base = (_TREES * width + 256) * 4 + 32
    return Traffic(
        _OFFER + _COT_TREES + base + planted * ((5760 + 256) * 4 + 32),
        _CHOICE + _TREES * _BLOCK * (planted * 8 + chunks),
        4,
    )


class _Schedule:
    """Which chunks are asked for and used; the same on both sides, from public sizes alone."""

    def __init__(self, cells: int, profile: Profile) -> None:
        self._cells, self._profile = cells, profile
        self.asked = self.used = 0

    def due(self, cells: int) -> int:
        """Chunks that the first `cells` cells use."""
        return -(-min(cells, self._cells) // self._profile.chunk)

    def batch(self, first: int) -> int:
        """Chunks of the batch that begins with this one; 0 behind the last."""
        return min(self._profile.batch, self.due(self._cells) - first)


class _End:
    """What both ends begin with.

    Args:
        session: of the match.
        cells: how many correlations will be used in all.
        width: bits of a value in a.
        profile: how chunks are made.
        entropy: where its secrets come from.
    """

    def __init__(
        self, session: Session, cells: int, width: int, profile: Profile, entropy: _core.Entropy
    ) -> None:
        self._session = session
        self._schedule = _Schedule(cells, profile)
        self._entropy = entropy
        self._width = width
        self._profile = profile


class Receiver(_End):
    """The side that gets a and c."""

    def offer(self, salt: bytes = b"") -> Dialogue[None]:
        """Offers base OTs; whatever the receiver computes next overlaps with their choice."""
        self._offer = _core.BaseOtOffer.draw(self._entropy)
        point = self._offer.message()
        yield from say(BaseOtOffer(point=point, session=self._session.check, salt=salt))
        self._code = _core.VoleCode.draw(self._session.id, self._profile.value)

    def open(self) -> Dialogue[_core.VoleReceiver]:
        """Ends the base OTs and says the first requests.

        Raises:
            PeerError: the sender's points are none.
        """
        heard = yield from hear(BaseOtChoice)
        with blame_the_peer("BaseOtChoice"):
            self._vole, trees = _core.VoleReceiver.plant(
                self._offer,
                self._code,
                self._session.id,
                heard.points,
                self._width,
                self._entropy,
            )
        yield from say(CotTrees(corrections=trees))
        for _ in range(AHEAD):
            yield from self._ask()
        return self._vole

    def reach(self, cells: int) -> Dialogue[None]:
        """Completes chunks until there are correlations for the first `cells` cells.

        Raises:
            PeerError: a correction is not the one that is due, or not whole.
        """
        while self._schedule.used < self._schedule.due(cells):
            heard = yield from hear(VoleCorrection)
            check_number(VoleCorrection, heard.chunk, self._schedule.used)
            with blame_the_peer("VoleCorrection"):
                self._vole.absorb(heard.corrections)
            self._schedule.used += self._schedule.batch(self._schedule.used)
            yield from self._ask()

    def _ask(self) -> Dialogue[None]:
        """Asks for the next batch, if there is one."""
        first = self._schedule.asked
        if chunks := self._schedule.batch(first):
            corrections = self._vole.request(self._entropy, chunks)
            yield from say(VoleRequest(chunk=first, corrections=corrections))
            self._schedule.asked += chunks


class Sender(_End):
    """The side that gets b and Delta."""

    def choose(self) -> Dialogue[None]:
        """Chooses in the base OTs; whatever the sender computes next overlaps with their end.

        Raises:
            TranscriptMismatch: the receiver heard another Hello.
            PeerError: the receiver's point is none.
        """
        heard = yield from hear(BaseOtOffer)
        self._hear_salt(heard.salt)
        if not compare_digest(heard.session, self._session.check):
            raise TranscriptMismatch("the two sides did not hear the same Hello")
        with blame_the_peer("BaseOtOffer"):
            self._choice = _core.BaseOtChoice.draw(self._session.id, heard.point, self._entropy)
        yield from say(BaseOtChoice(points=self._choice.message()))
        self._code = _core.VoleCode.draw(self._session.id, self._profile.value)

    def open(self) -> Dialogue[_core.VoleSender]:
        """Ends the base OTs and answers the first requests.

        Raises:
            PeerError: a message is not whole.
        """
        trees = yield from hear(CotTrees)
        with blame_the_peer("CotTrees"):
            self._vole = _core.VoleSender.grow(
                self._choice,
                self._code,
                self._session.id,
                trees.corrections,
                self._width,
            )
        for _ in range(AHEAD):
            yield from self._answer()
        return self._vole

    def reach(self, cells: int) -> Dialogue[None]:
        """Answers what the receiver asks until it has correlations for the first `cells` cells.

        Raises:
            PeerError: a request is not the one that is due, or not whole.
        """
        while self._schedule.used < self._schedule.due(cells):
            self._schedule.used += self._schedule.batch(self._schedule.used)
            yield from self._answer()

    def _hear_salt(self, salt: bytes) -> None:
        """Takes the receiver's part in the session's identifier, of which there is none here."""
        if salt:
            raise MalformedMessage("BaseOtOffer: a salt that this protocol does not have")

    def _answer(self) -> Dialogue[None]:
        """Answers the request for the next batch, if there is one."""
        first = self._schedule.asked
        if chunks := self._schedule.batch(first):
            heard = yield from hear(VoleRequest)
            check_number(VoleRequest, heard.chunk, first)
            with blame_the_peer("VoleRequest"):
                corrections = self._vole.answer(heard.corrections, self._entropy, chunks)
            yield from say(VoleCorrection(chunk=first, corrections=corrections))
            self._schedule.asked += chunks
