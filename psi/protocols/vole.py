"""PSI from vector OLE: the fastest match of two large sets.

Source:   Raghuraman and Rindal, CCS 2022 (RR22, after Rindal and Schoppmann, EUROCRYPT 2021), with
          clustered OKVS, values in a subspace of GF(2^128), and tags said ascending.
          docs/protocols.md, "VOLE-PSI", has every parameter and every departure from the paper.
Security: semi-honest, under dual LPN with regular noise, fresh in each session, and with AES as an
          ideal cipher. Each party learns how much the other brings (docs/threat-model.md, "What
          each party learns"). A changed message never ends in a result: decoys and transcripts are
          compared.

    Receiver(X)                                    Sender(Y, labels)
                      <------- Hello ------->
    a, c              <- VOLE: c = b + a Delta ->  Delta, b
    P encodes every x -> v(x)
                      ------ MaskedBin ------>     b' = b + (a + P) Delta, so that
    F(x) = H(decode(c, x))                         F(y) = H(decode(b', y) + v(y) Delta)
                      <- TagCounts, TagBin ---     the first bits of all F(y), ascending
                      <------ EntryBin -------     or, with labels, for each record:
                                                   tag || sealed label, from F(y)
    matches = x whose F(x) is there
    decoys are where they must be
                      ------- EntryBin ------>     if both are to learn: the same way back, filled
                                                   up so that their number tells nothing
                      <-- TranscriptDigest -->
"""

from __future__ import annotations

from typing import ClassVar, Final

from psi import _core
from psi.dialogue import Dialogue
from psi.errors import PeerMisbehaved
from psi.lazily import np
from psi.matches import Result
from psi.parameters import Offer, Output, Role, Session, Traffic, agree
from psi.subprotocols import okvs, tags, vole
from psi.subprotocols.confirmation import say_confirmation
from psi.subprotocols.decoys import DECOYS, SEED, extras
from psi.subprotocols.entries import forms, hear_records, say_records, told_back
from psi.subprotocols.roles import Receiving, Sending

OUTPUTS: Final = frozenset({Output.RECEIVER, Output.BOTH})
"""A number alone is not among them: the receiver sees which of its elements match."""


def traffic(receiver: int, sender: int, profile: vole.Profile = vole.Profile.FRESH) -> Traffic:
    """About what is said for so many elements, decoys and padding included, without labels."""
    shape, width = okvs.shape(receiver), okvs.value_width(sender)
    cells = shape.bins * shape.cells
    correlations = vole.traffic(cells, width, profile)
    return said(correlations, cells * width // 8, tags.form(receiver, sender))


def said(correlations: Traffic, masked: int, form: tags.Form) -> Traffic:
    """What is said in all: for correlations, so many bytes of masked cells, and all tags."""
    return Traffic(
        correlations.receiver + masked,
        correlations.sender + form.unary + form.total * form.low // 8,
        correlations.flights + 2,
    )


class Receiver(Receiving):
    """The party that learns the intersection; arguments as of `Receiving`."""

    OUTPUTS = OUTPUTS
    PROFILE: ClassVar = vole.Profile.FRESH

    def _converse(self) -> Dialogue[Result]:
        offer, entropy, real = self._offer, self._entropy, len(self._elements)
        session = yield from agree(self._parameters, offer, self._bound, entropy)
        theirs = session.theirs
        if (theirs.elements == 0) == (theirs.entries == 0) or _size(theirs) < DECOYS:
            raise PeerMisbehaved("the sender's Hello has impossible sizes")

        seed = entropy.bytes(SEED)
        behind = extras(session.id, seed, offer.elements - real, entropy)
        rows = yield from self._evaluate(behind, session)
        both = self._parameters.output is Output.BOTH
        # A join of tags takes the outputs of the rows, so that it needs no memory of its own.
        outputs = rows.outputs() if both or theirs.entries else _core.Outputs()
        forward, back = forms(offer, theirs, both=both)
        if theirs.entries:
            matches = yield from hear_records(outputs, real, theirs.entries, forward)
        else:
            form = tags.form(offer.elements, theirs.elements)
            matches = yield from tags.hear_matches(rows, form, real)
        if both:
            slots = np.arange(offer.elements, dtype=np.uint32)
            total = told_back(offer, theirs)
            yield from say_confirmation(
                matches.positions, outputs, slots, self._labels, real, total, back, entropy
            )
        return Result(len(matches), matches, _size(theirs))

    def _evaluate(self, behind: bytes, session: Session) -> Dialogue[_core.Rows]:
        """Learns the outputs of all elements, bin by bin."""
        width = okvs.value_width(_size(session.theirs))
        shape = okvs.shape(self._offer.elements)
        cells = shape.bins * shape.cells
        supply = vole.Receiver(session, cells, width, self.PROFILE, self._entropy)
        self._meter.total += self._offer.elements
        yield from supply.offer()
        rows = _core.Rows(self._elements.block, behind, session.id, shape.bins, shape.third, width)
        correlations = yield from supply.open()
        for first, count in okvs.groups(shape, width):
            yield from supply.reach((first + count) * shape.cells)
            yield from okvs.say_blinded(rows, (first, count), shape, width, correlations)
            self._meter.done += okvs.share(self._offer.elements, first, count, shape)
        return rows


class Sender(Sending):
    """The party whose set is asked about; arguments as of `Sending`.

    Without labels nothing is told but the match itself, which is several times faster.
    """

    OUTPUTS = OUTPUTS
    PROFILE: ClassVar = vole.Profile.FRESH

    def _offered(self) -> Offer:
        return Offer(
            role=Role.SENDER,
            elements=0 if self._told else self._total,
            entries=self._entries if self._told else 0,
            label_width=self._width if self._told else 0,
        )

    def _converse(self) -> Dialogue[Result | None]:
        offer, entropy, real = self._offer, self._entropy, len(self._elements)
        session = yield from agree(self._parameters, offer, self._bound, entropy)
        theirs = session.theirs
        if theirs.elements < DECOYS:
            raise PeerMisbehaved("the receiver's Hello has impossible sizes")
        both = self._parameters.output is Output.BOTH
        if theirs.label_width and not (both and theirs.entries):
            raise PeerMisbehaved("the receiver has labels although it is not to tell any")

        behind = extras(session.id, entropy.bytes(SEED), self._total - real, entropy)
        rows = yield from self._evaluate(behind, session)
        forward, back = forms(theirs, offer, both=both)
        if self._told:
            outputs = rows.outputs()
            yield from say_records(outputs, self._labels, real, offer.entries, forward, entropy)
        else:
            # Tags take the outputs of the rows, so that they need no memory of their own.
            outputs = rows.outputs() if both else _core.Outputs()
            yield from tags.say_tags(rows, tags.form(theirs.elements, self._total))
        if not both:
            return None
        matches = yield from hear_records(outputs, real, told_back(theirs, offer), back)
        return Result(len(matches), matches, theirs.elements)

    def _evaluate(self, behind: bytes, session: Session) -> Dialogue[_core.Rows]:
        """Learns the outputs of its own elements, bin by bin, and nothing of the receiver's."""
        width = okvs.value_width(_size(self._offer))
        shape = okvs.shape(session.theirs.elements)
        cells = shape.bins * shape.cells
        supply = vole.Sender(session, cells, width, self.PROFILE, self._entropy)
        self._meter.total += self._total
        yield from supply.choose()
        form = (shape.bins, shape.third, width)
        # Which row is which matters only for records; tags are sorted.
        numbered = self._told or self._parameters.output is Output.BOTH
        rows = _core.Rows(self._elements.block, behind, session.id, *form, numbered)
        correlations = yield from supply.open()
        for first, count in okvs.groups(shape, width):
            yield from supply.reach((first + count) * shape.cells)
            yield from okvs.hear_blinded(rows, (first, count), shape, width, correlations)
            self._meter.done += okvs.share(self._total, first, count, shape)
        return rows


def _size(sender: Offer) -> int:
    """What a sender shows of its size: its elements, or the records of them."""
    return max(sender.elements, sender.entries)
