"""PSI from Diffie-Hellman: the oblivious pseudorandom function of one scalar multiplication.

Source:   2HashDH of Jarecki, Kiayias and Krawczyk, ASIACRYPT 2014, and PSI from it as in Jarecki
          and Liu, SCN 2010; on x-only Curve25519 (RFC 7748) with Elligator 2 (RFC 9380).
          Cardinality by shuffling as in De Cristofaro, Gasti and Tsudik, CANS 2012.
Security: semi-honest, under the one-more gap Diffie-Hellman assumption with random oracles. Each
          party learns how much the other brings (docs/threat-model.md, "What each party learns").
          A changed or invented message never ends in a result: decoys and transcripts are compared.

    Receiver(elements)                             Sender(elements, labels)
                      <------- Hello ------->
    a random                                       b random
    points = [a] H(elements), shuffled
                      ------ BlindedBin ----->     outputs of its own: F(e) = H'([b] H(e))
                      <---- EvaluatedBin -----     [b] points; shuffled for cardinality alone
    outputs = H'([1/a] points)
                      <------ EntryBin -------     for each record: tag || sealed label, from F(e)
    matches = outputs whose tags are there
    decoys are where they must be
                      ------- DecoySeed ----->     for cardinality alone, since the receiver does
                      <------ DecoyTags ------     not know where its decoys stand
                      ------- EntryBin ------>     if both are to learn: the same way back, for
                                                   the receiver's records of its matches, filled
                                                   up so that their number tells nothing
                      <-- TranscriptDigest -->
"""

from __future__ import annotations

import hmac
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, hear, say
from psi.elements import WIDTH
from psi.errors import (
    MalformedMessage,
    PeerMisbehaved,
    TranscriptMismatch,
    blame_the_peer,
)
from psi.lazily import np, npt
from psi.matches import Labels, Result
from psi.parameters import Offer, Output, Role, Session, Traffic, agree
from psi.subprotocols import bins
from psi.subprotocols.confirmation import say_confirmation
from psi.subprotocols.decoys import (
    DECOYS,
    OWN,
    SEED,
    SHARED,
    check_positions,
    check_tags,
    disguise,
    own_decoys,
    shared_decoys,
)
from psi.subprotocols.entries import (
    Form,
    forms,
    hear_entries,
    hear_records,
    matches_of,
    say_records,
    told_back,
)
from psi.subprotocols.roles import Receiving, Sending
from psi.wire.v1.messages_pb2 import (
    BlindedBin,
    DecoySeed,
    DecoyTags,
    EvaluatedBin,
)

OUTPUTS: Final = frozenset(Output)
"""Whatever there is to learn."""


def traffic(receiver: int, sender: int) -> Traffic:
    """About what is said for so many elements, decoys and padding included, without labels."""
    offers = Offer(Role.RECEIVER, receiver, 0, 0), Offer(Role.SENDER, 0, sender, 0)
    forward, _ = forms(*offers)
    return Traffic(WIDTH * receiver, WIDTH * receiver + forward.tag * sender, 3)


class Receiver(Receiving):
    """The party that learns the intersection, or its size; arguments as of `Receiving`."""

    OUTPUTS = OUTPUTS

    def _converse(self) -> Dialogue[Result]:
        offer, entropy = self._offer, self._entropy
        session = yield from agree(self._parameters, offer, self._bound, entropy)
        counts = self._parameters.output is Output.CARDINALITY
        if session.theirs.elements or session.theirs.entries < DECOYS:
            raise PeerMisbehaved("the sender's Hello has impossible sizes")
        if counts and session.theirs.label_width:
            raise PeerMisbehaved("the sender has labels although only a number is to be learnt")
        both = self._parameters.output is Output.BOTH
        forward, back = forms(offer, session.theirs, both=both)

        seed, real = entropy.bytes(SEED), len(self._elements)
        order = _core.Shuffle.draw(offer.elements, entropy)
        disguised = disguise(bytes(self._elements.block), session.id, seed, offer.elements, entropy)
        outputs = yield from self._evaluate(order.apply(disguised, WIDTH), session)
        heard_bins = yield from hear_entries(session.theirs.entries, forward)
        with blame_the_peer("EntryBin"):
            found, labels = _core.open(outputs, heard_bins, *forward)
        in_slots = np.frombuffer(found, np.uint32)
        if counts:
            yield from self._check_decoys(seed, outputs, heard_bins, forward)
            return Result(int(np.count_nonzero(in_slots)) - SHARED, None, session.theirs.entries)
        slots = _slots(order, offer.elements)
        records = in_slots[slots]
        check_positions(records, real)
        matches = matches_of(records[:real], labels, slots, in_slots, forward)
        if both:
            total = told_back(offer, session.theirs)
            yield from say_confirmation(
                matches.positions, outputs, slots, self._labels, real, total, back, entropy
            )
        return Result(len(matches), matches, session.theirs.entries)

    def _evaluate(self, elements: bytes, session: Session) -> Dialogue[_core.Outputs]:
        """Learns the outputs of shuffled elements, in their order unless the sender shuffles."""
        key, outputs = _core.Key.draw(self._entropy), _core.Outputs()
        sizes = list(bins.sizes(len(elements) // WIDTH))
        self._meter.total += 2 * sum(sizes)
        # Says one bin ahead, so that both sides compute at the same time. A sender that shuffles
        # answers only when it has heard all.
        ahead = len(sizes) if self._parameters.output is Output.CARDINALITY else 1
        for bin in range(len(sizes) + ahead):
            if bin < len(sizes):
                part = bins.part(elements, bin)
                points = _core.dh_blind(part, session.id, key)
                yield from say(BlindedBin(bin=bin, points=points, session=session.check))
                self._meter.done += sizes[bin]
            if (due := bin - ahead) >= 0:
                heard = yield from hear(EvaluatedBin)
                points = bins.points(heard, due, sizes[due])
                with blame_the_peer("EvaluatedBin"):
                    outputs.extend_evaluated(points, session.id, key)
                self._meter.done += sizes[due]
        # Distinct elements have distinct outputs. A point copied to many places would count its
        # match as often, and open all labels of its element for each of them.
        if not outputs.are_distinct():
            raise PeerMisbehaved("two of the evaluated points are the same")
        return outputs

    def _check_decoys(
        self, seed: bytes, outputs: _core.Outputs, entries: list[bytes], form: Form
    ) -> Dialogue[None]:
        yield from say(DecoySeed(seed=seed))
        heard = yield from hear(DecoyTags)
        tags = (heard.shared, heard.receivers)
        if [len(listed) for listed in tags] != [count * form.tag for count in (SHARED, OWN)]:
            raise MalformedMessage("DecoyTags: a list of another length")
        check_tags(tags, form.tag, outputs, entries, form.width)


class Sender(Sending):
    """The party whose set is asked about; arguments as of `Sending`.

    Without labels it tells one record for each element. With cardinality alone, neither labels nor
    records are told.
    """

    OUTPUTS = OUTPUTS

    def _taken(self, labels: Labels | None) -> Labels | None:
        return None if self._parameters.output is Output.CARDINALITY else labels

    def _offered(self) -> Offer:
        return Offer(role=Role.SENDER, elements=0, entries=self._entries, label_width=self._width)

    def _converse(self) -> Dialogue[Result | None]:
        offer, entropy = self._offer, self._entropy
        session = yield from agree(self._parameters, offer, self._bound, entropy)
        if session.theirs.elements < DECOYS:
            raise PeerMisbehaved("the receiver's Hello has impossible sizes")
        both = self._parameters.output is Output.BOTH
        if session.theirs.label_width and not (both and session.theirs.entries):
            raise PeerMisbehaved("the receiver has labels although it is not to tell any")
        forward, back = forms(session.theirs, offer, both=both)

        seed, real = entropy.bytes(SEED), len(self._elements)
        key = _core.Key.draw(entropy)
        # As many elements as their class, so that the time tells no more than the size said.
        disguised = disguise(bytes(self._elements.block), session.id, seed, self._total, entropy)
        outputs = yield from self._evaluate(disguised, key, session)
        yield from say_records(outputs, self._labels, real, offer.entries, forward, entropy)
        if self._parameters.output is Output.CARDINALITY:
            yield from self._show_decoys(key, session, forward)

        if not both:
            return None
        due = told_back(session.theirs, offer)
        matches = yield from hear_records(outputs, real, due, back)
        return Result(len(matches), matches, session.theirs.elements)

    def _evaluate(
        self, elements: bytes, key: _core.Key, session: Session
    ) -> Dialogue[_core.Outputs]:
        """Evaluates the receiver's points, and its own elements while it waits for them."""
        outputs, held = _core.Outputs(), list[bytes]()
        shuffles = self._parameters.output is Output.CARDINALITY
        own = list(bins.sizes(len(elements) // WIDTH))
        theirs = list(bins.sizes(session.theirs.elements))
        self._meter.total += sum(own) + sum(theirs)
        for bin in range(max(len(own), len(theirs))):
            if bin < len(own):
                part = bins.part(elements, bin)
                outputs.extend_own(part, session.id, key)
                self._meter.done += own[bin]
            if bin < len(theirs):
                heard = yield from hear(BlindedBin)
                if not hmac.compare_digest(heard.session, session.check):
                    raise TranscriptMismatch("the two sides did not hear the same Hello")
                points = bins.points(heard, bin, theirs[bin])
                with blame_the_peer("BlindedBin"):
                    evaluated = _core.dh_evaluate(points, key)
                self._meter.done += theirs[bin]
                if shuffles:
                    held.append(evaluated)
                else:
                    yield from say(EvaluatedBin(bin=bin, points=evaluated))
        if shuffles:
            order = _core.Shuffle.draw(session.theirs.elements, self._entropy)
            shuffled = order.apply(b"".join(held), WIDTH)
            for bin in range(len(theirs)):
                part = bins.part(shuffled, bin)
                yield from say(EvaluatedBin(bin=bin, points=part))
        return outputs

    def _show_decoys(self, key: _core.Key, session: Session, form: Form) -> Dialogue[None]:
        heard = yield from hear(DecoySeed)
        if len(heard.seed) != SEED:
            raise MalformedMessage("DecoySeed: a seed of another length")

        def tags(decoys: bytes) -> bytes:
            outputs = _core.Outputs()
            outputs.extend_own(decoys, session.id, key)
            return outputs.tags(form.tag)

        yield from say(
            DecoyTags(
                shared=tags(shared_decoys(session.id)),
                receivers=tags(own_decoys(heard.seed)),
            )
        )


def _slots(order: _core.Shuffle, count: int) -> npt.NDArray[np.uint32]:
    """Where each row stands after the shuffle."""
    return np.frombuffer(order.undo(np.arange(count, dtype=np.uint32).tobytes(), 4), np.uint32)
