"""Correlations as of `psi.subprotocols.vole`, from a peer that may depart from the protocol.

Source:   checks of trees as in SoftSpoken of Roy, CRYPTO 2022, and Boyle et al., CCS 2019, and of
          vector OLE as in Weng, Yang, Katz and Wang, S&P 2021 (Wolverine). docs/protocols.md, "The
          malicious profile", has both and why they suffice.
Security: malicious. A peer that departs from the protocol ends the run, unless it has guessed bits
          of Delta or of the noise: b of them with 2^-b, and then it knows these.

    receiver                                       sender
    salt              ----- BaseOtOffer ------>
                      the session depends on the salt from here on
    a, c              <---- as in `vole` ----->    b, Delta; trees of transfers are checked
                      ------ VoleCheck ------->    the noise of all chunks, summed and masked
    all of c is right <------ VoleProof -------    the leaves of all chunks, summed and hashed
"""

from __future__ import annotations

import hashlib
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, hear, say
from psi.errors import MalformedMessage, blame_the_peer
from psi.parameters import KAPPA, Session, Traffic
from psi.subprotocols import vole
from psi.wire.v1.messages_pb2 import VoleCheck, VoleProof

WIDTH: Final = KAPPA
"""Bits of a value: nobody finds cells that read right for an element that they do not encode."""
SALT: Final = 32
"""Bytes of the receiver's part in the session's identifier."""
_PROOF: Final = 32
_TREES: Final = 32 * 32 + 32
"""Bytes by which the receiver shows that its trees of transfers are right."""


def traffic(cells: int) -> Traffic:
    """What is said for so many correlations, as `vole.traffic` and with the checks."""
    unchecked = vole.traffic(cells, WIDTH, vole.Profile.CHECKED)
    more = SALT + _TREES + KAPPA * 4 + KAPPA // 8
    return Traffic(unchecked.receiver + more, unchecked.sender + _PROOF, unchecked.flights)


def salted(session: Session, salt: bytes) -> Session:
    """The session under the identifier that depends on the receiver's salt too.

    The sender's nonce is said before the salt. So a sender cannot look for a nonce with which sets
    that it thinks of cannot be encoded.
    """
    context = b"greenlane/session/malicious/1" + session.id
    return session._replace(id=hashlib.sha256(context + salt).digest())


class Receiver(vole.Receiver):
    """The side that gets a and c; arguments as of `vole.Receiver`, where they vary."""

    def __init__(self, session: Session, cells: int, entropy: _core.Entropy) -> None:
        super().__init__(session, cells, WIDTH, vole.Profile.CHECKED, entropy)

    def begin(self) -> Dialogue[Session]:
        """Draws the salt and offers base OTs; returns the session as it is from now on."""
        salt = self._entropy.bytes(SALT)
        self._session = salted(self._session, salt)
        yield from self.offer(salt)
        return self._session

    def check(self) -> Dialogue[None]:
        """Checks all correlations; nothing that depends on c may be said or shown before.

        Raises:
            CheckFailed: the sender's corrections were not those of an honest one.
            PeerError: its proof is not whole.
        """
        yield from say(VoleCheck(sum=self._vole.mask()))
        heard = yield from hear(VoleProof)
        with blame_the_peer("VoleProof"):
            self._vole.verify(heard.digest)


class Sender(vole.Sender):
    """The side that gets b and Delta; arguments as of `vole.Sender`, where they vary."""

    def __init__(self, session: Session, cells: int, entropy: _core.Entropy) -> None:
        super().__init__(session, cells, WIDTH, vole.Profile.CHECKED, entropy)

    def begin(self) -> Dialogue[Session]:
        """Hears the salt and chooses in the base OTs; returns the session as it is from now on.

        Raises:
            PeerError: as of `vole.Sender.choose`, or the salt is not whole.
        """
        yield from self.choose()
        return self._session

    def prove(self) -> Dialogue[None]:
        """Shows the receiver that all corrections were made as they should.

        Raises:
            PeerError: the receiver's sum is not whole.
        """
        heard = yield from hear(VoleCheck)
        with blame_the_peer("VoleCheck"):
            proof = self._vole.prove(heard.sum)
        yield from say(VoleProof(digest=proof))

    def _hear_salt(self, salt: bytes) -> None:
        if len(salt) != SALT:
            raise MalformedMessage(f"BaseOtOffer: a salt of {len(salt)} bytes, {SALT} are due")
        self._session = salted(self._session, salt)
