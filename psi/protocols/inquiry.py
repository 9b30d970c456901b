"""Inquiry: the asker learns a keyed function of its elements; the answerer learns how many.

The outputs open the answerer's prepared table (`psi.tables`): what stands in it under an element
that was asked for, and nothing else of it. So the answerer's work does not grow with its table, and
it alone decides how much is asked: nobody learns an output without it.

Source:   VOPRF of RFC 9497 (section 3.3.2), and POPRF (section 3.3.3) where both sides know an
          `info`; suite ristretto255-SHA512, one proof a bin (section 2.2). The functions are
          2HashDH of Jarecki, Kiayias and Krawczyk, ASIACRYPT 2014, and 3HashSDHI of Tyagi et al.,
          EUROCRYPT 2022.
Security: malicious on both sides, in the random oracle model. What the answerer hears is uniform
          whatever the elements are. What the asker hears is proven for the published key, so that
          it cannot be told apart by a key of its own; one question gives one output (one-more gap
          Diffie-Hellman; for POPRF its inversion variant). Nothing is proven of the table.

    Asker(elements, public)                           Answerer(key)
                      <------- Hello ------->         charge(number of elements)
    points = r_i * H(element_i)
                      ------ BlindedBin ----->
                      <------ ProvenBin ------        k * points; a proof for the key
    the proof holds
    outputs = H'(element_i, 1/r_i * points)
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from psi import _core
from psi.dialogue import Dialogue, hear, say
from psi.elements import WIDTH, Elements
from psi.errors import (
    ApiMisuse,
    PeerMisbehaved,
    ProofFailed,
    TranscriptMismatch,
    blame_the_peer,
)
from psi.lazily import NamedTuple
from psi.meter import Meter
from psi.parameters import Offer, Parameters, Role, agree, check_of, hear_hello, say_hello
from psi.subprotocols import bins
from psi.wire.v1.messages_pb2 import BlindedBin, ProvenBin

BIN: Final = 1 << 10
"""Points of a bin, below the 2^16 that a proof can number: at some 30 us each, a bin is computed in
30 ms, so that the two sides work at the same time from a few thousand on."""
AHEAD: Final = 2
"""Bins that the asker says before it hears the first: one is answered while the next arrives."""


class Function(NamedTuple):
    """A function that its holder has published.

    Attributes:
        public: the public key, 32 bytes.
        info: what belongs to the function and both sides know, such as an epoch; None for a key
            that serves for one function alone.
    """

    public: bytes
    info: bytes | None = None

    @property
    def suite(self) -> _core.VoprfSuite:
        """What of RFC 9497 it runs: verifiable mode, or partially oblivious mode with `info`.

        Raises:
            ApiMisuse: `info` is longer than 65535 bytes.
        """
        if self.info is None:
            return _core.VoprfSuite.verifiable()
        if len(self.info) >= 1 << 16:
            raise ApiMisuse("the info of a function has at most 65535 bytes")
        return _core.VoprfSuite.partial(self.info)


class Asker:
    """The party that asks.

    Args:
        elements: what it asks for. Secret; the answerer learns how many there are.
        function: as the answerer has published it.
        parameters: what both sides must agree on.
        meter: counts elements blinded and answered.
        entropy: where blinds come from; the operating system unless a test says otherwise.

    Raises:
        ApiMisuse: there are more elements than the parameters allow, or the public key is none.
    """

    def __init__(
        self,
        elements: Elements,
        function: Function,
        parameters: Parameters,
        *,
        meter: Meter | None = None,
        entropy: _core.Entropy | None = None,
    ) -> None:
        if len(elements) > parameters.max_elements:
            raise ApiMisuse(
                f"{len(elements)} elements are asked for, agreed are {parameters.max_elements}"
            )
        if len(function.public) != WIDTH:
            raise ApiMisuse(f"a public key has {WIDTH} bytes")
        self._elements = elements
        self._function = function
        self._parameters = parameters
        self._meter = meter or Meter()
        self._entropy = entropy or _core.Entropy.from_os()

    def converse(self) -> Dialogue[_core.VoprfOutputs]:
        """Learns the outputs of its elements, in their order.

        Raises:
            ProofFailed: the answers are not those of the published key.
            PeerError: the answerer said something else than an honest one.
        """
        offer = Offer(Role.RECEIVER, len(self._elements), 0, 0)
        # What is said does not depend on the answerer's Hello, and does not wait for it; what is
        # heard is proven, whatever that Hello was.
        said = yield from say_hello(self._parameters, offer, self._entropy)
        check = check_of(said)
        suite, public = self._function.suite, self._function.public
        block, outputs = bytes(self._elements.block), _core.VoprfOutputs()
        sizes = list(bins.sizes(len(self._elements), BIN))
        self._meter.total += 2 * sum(sizes)
        asked: list[_core.VoprfBlinds] = []
        for bin in range(len(sizes) + AHEAD):
            if bin < len(sizes):
                part = block[bin * BIN * WIDTH : (bin + 1) * BIN * WIDTH]
                asked.append(_core.VoprfBlinds.draw(suite, part, self._entropy))
                points = asked[-1].points()
                yield from say(BlindedBin(bin=bin, points=points, session=check))
                self._meter.done += sizes[bin]
            if bin == AHEAD - 1:
                session = yield from hear_hello(self._parameters, said, bound=0)
                if session.theirs.label_width:
                    raise PeerMisbehaved("the answerer's Hello has a label width")
            if 0 <= (due := bin - AHEAD) < len(sizes):
                heard = yield from hear(ProvenBin)
                points = bins.points(heard, due, sizes[due])
                with blame_the_peer("ProvenBin", check=ProofFailed):
                    outputs.extend(asked[due].finalize(suite, points, heard.proof, public))
                self._meter.done += sizes[due]
        return outputs


class Answerer:
    """The party that holds the key.

    Args:
        key: of the function. Secret.
        info: of the function; None as in `Function`.
        parameters: what both sides must agree on.
        charge: is told how many elements are asked for before any of them is evaluated; what it
            raises ends the dialogue. It must have written the number down when it returns.
        meter: counts elements answered.
        entropy: where proofs come from; the operating system unless a test says otherwise.
    """

    def __init__(
        self,
        key: _core.VoprfKey,
        info: bytes | None,
        parameters: Parameters,
        charge: Callable[[int], None],
        *,
        meter: Meter | None = None,
        entropy: _core.Entropy | None = None,
    ) -> None:
        self._key = key
        self._suite = Function(key.public(), info).suite
        self._parameters = parameters
        self._charge = charge
        self._meter = meter or Meter()
        self._entropy = entropy or _core.Entropy.from_os()

    def converse(self) -> Dialogue[int]:
        """Answers, and returns how many elements were asked for.

        Raises:
            PeerError: the asker said something else than an honest one.
        """
        offer = Offer(Role.SENDER, 0, 0, 0)
        bound = self._parameters.max_elements
        session = yield from agree(self._parameters, offer, bound, self._entropy)
        if session.theirs.entries or session.theirs.label_width:
            raise PeerMisbehaved("the asker's Hello has impossible sizes")
        self._charge(session.theirs.elements)
        self._meter.total += session.theirs.elements
        for bin, count in enumerate(bins.sizes(session.theirs.elements, BIN)):
            heard = yield from hear(BlindedBin)
            if not hmac.compare_digest(heard.session, session.heard):
                raise TranscriptMismatch("the asker's Hello was not heard as it was said")
            points = bins.points(heard, bin, count)
            with blame_the_peer("BlindedBin"):
                evaluated, proof = self._key.evaluate(self._suite, points, self._entropy)
            yield from say(ProvenBin(bin=bin, points=evaluated, proof=proof))
            self._meter.done += count
        return session.theirs.elements
