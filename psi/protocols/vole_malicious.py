"""PSI from vector OLE between parties that may depart from the protocol.

Source:   the malicious protocol of Rindal and Schoppmann, EUROCRYPT 2021, and of Raghuraman and
          Rindal, CCS 2022, with the limits that Han, Kim, Lee and Son, ASIACRYPT 2024, found.
          docs/protocols.md, "The malicious profile", has every parameter, every departure from the
          papers, and why it works.
Security: malicious, under the assumptions of `psi.protocols.vole`. A peer that departs from the
          protocol ends the run without a result, but learns which bits of Delta or of noise it has
          guessed right. How many elements a receiver asks about is bounded loosely: by its cells.
          Nothing keeps a party from bringing elements that it does not have, or not all it has.

    Receiver(X)                                    Sender(Y)
                      <------- Hello ------->
    salt              ----- BaseOtOffer ------>    the session depends on the salt from here on
    a, c              <- VOLE: c = b + a Delta ->  Delta, b
    P encodes every x -> v(x), all of 128 bits
                      ------ MaskedBin ------>     b' = b + (a + P) Delta
    F(x) = H(salt', decode(c, x), x)               F(y) = H(salt', decode(b', y) + v(y) Delta, y)
                      ------ VoleCheck ------>
    c is right        <----- VoleProof -------
                      <- TagCounts, TagBin ---     all of F(y), ascending
    matches = x whose F(x) is there
    decoys are where they must be
                      <-- TranscriptDigest -->
"""

from __future__ import annotations

from typing import Final

from psi import _core
from psi.dialogue import Dialogue
from psi.errors import ApiMisuse, PeerMisbehaved
from psi.matches import Labels, Result
from psi.parameters import KAPPA, Offer, Output, Role, Session, Traffic, agree
from psi.protocols import vole
from psi.subprotocols import okvs, tags, vole_checked
from psi.subprotocols.decoys import DECOYS, SEED, extras
from psi.subprotocols.roles import Receiving, Sending
from psi.subprotocols.vole_checked import WIDTH

OUTPUTS: Final = frozenset({Output.RECEIVER})
"""And no labels. Where the receiver answers, or opens what was sealed, what it does next depends on
which of its elements match, and a sender that seals wrongly would see that."""
SALT: Final = KAPPA // 8
"""Bytes of what the receiver adds to the hash of some bins."""


def traffic(receiver: int, sender: int) -> Traffic:
    """About what is said for so many elements, decoys and padding included."""
    shape = okvs.shape(receiver)
    cells = shape.bins * shape.cells
    return vole.said(vole_checked.traffic(cells), cells * WIDTH // 8, tags.whole(sender))


class Receiver(Receiving):
    """The party that learns the intersection; arguments as of `Receiving`."""

    OUTPUTS = OUTPUTS

    def _converse(self) -> Dialogue[Result]:
        offer, entropy, real = self._offer, self._entropy, len(self._elements)
        session = yield from agree(self._parameters, offer, self._bound, entropy)
        theirs = session.theirs
        if theirs.elements < DECOYS or theirs.entries or theirs.label_width:
            raise PeerMisbehaved("the sender's Hello has impossible sizes")
        rows = yield from self._evaluate(session)
        form = tags.whole(theirs.elements)
        matches = yield from tags.hear_matches(rows, form, real)
        return Result(len(matches), matches, theirs.elements)

    def _evaluate(self, session: Session) -> Dialogue[_core.Rows]:
        """Learns the outputs of all elements, bin by bin, and that they are right."""
        total, entropy = self._offer.elements, self._entropy
        shape = okvs.shape(total)
        supply = vole_checked.Receiver(session, shape.bins * shape.cells, entropy)
        self._meter.total += total
        session = yield from supply.begin()
        seed = entropy.bytes(SEED)
        behind = extras(session.id, seed, total - len(self._elements), entropy)
        rows = _core.Rows(self._elements.block, behind, session.id, shape.bins, shape.third, WIDTH)
        correlations = yield from supply.open()
        for first, count in okvs.groups(shape, WIDTH):
            yield from supply.reach((first + count) * shape.cells)
            # Drawn when the sender can no longer change what the outputs of these bins are made of.
            salt = entropy.bytes(SALT)
            yield from okvs.say_blinded(rows, (first, count), shape, WIDTH, correlations, salt)
            self._meter.done += okvs.share(total, first, count, shape)
        yield from supply.check()
        return rows


class Sender(Sending):
    """The party whose set is asked about; arguments as of `Sending`, without labels.

    Raises:
        ApiMisuse: as of `Sending`, or there are labels.
    """

    OUTPUTS = OUTPUTS

    def _taken(self, labels: Labels | None) -> Labels | None:
        if labels is not None:
            name = self._parameters.protocol
            raise ApiMisuse(f"{name} tells which elements match, and no labels")
        return None

    def _offered(self) -> Offer:
        return Offer(role=Role.SENDER, elements=self._total, entries=0, label_width=0)

    def _converse(self) -> Dialogue[None]:
        offer, entropy = self._offer, self._entropy
        session = yield from agree(self._parameters, offer, self._bound, entropy)
        theirs = session.theirs
        if theirs.elements < DECOYS or theirs.entries or theirs.label_width:
            raise PeerMisbehaved("the receiver's Hello has impossible sizes")
        rows = yield from self._evaluate(session)
        yield from tags.say_tags(rows, tags.whole(self._total))

    def _evaluate(self, session: Session) -> Dialogue[_core.Rows]:
        """Learns the outputs of its own elements, bin by bin, and nothing of the receiver's."""
        total, entropy = self._total, self._entropy
        shape = okvs.shape(session.theirs.elements)
        supply = vole_checked.Sender(session, shape.bins * shape.cells, entropy)
        self._meter.total += total
        session = yield from supply.begin()
        seed = entropy.bytes(SEED)
        behind = extras(session.id, seed, total - len(self._elements), entropy)
        form = (shape.bins, shape.third, WIDTH)
        rows = _core.Rows(self._elements.block, behind, session.id, *form, numbered=False)
        correlations = yield from supply.open()
        for first, count in okvs.groups(shape, WIDTH):
            yield from supply.reach((first + count) * shape.cells)
            yield from okvs.hear_blinded(rows, (first, count), shape, WIDTH, correlations, SALT)
            self._meter.done += okvs.share(total, first, count, shape)
        yield from supply.prove()
        return rows
