"""What the roles of all protocols begin with: a set, what is shown of it, a witness at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

from psi import _core
from psi.dialogue import Dialogue
from psi.elements import Elements
from psi.errors import ApiMisuse
from psi.matches import Labels, Result
from psi.meter import Meter
from psi.parameters import Offer, Output, Parameters, Role
from psi.subprotocols.decoys import size_class
from psi.subprotocols.offers import checked, shown
from psi.subprotocols.transcript import witnessed


class _EitherRole(ABC):
    """What both roles begin with; arguments as of `Receiving` and `Sending`."""

    OUTPUTS: ClassVar[frozenset[Output]]

    def __init__(
        self,
        elements: Elements,
        parameters: Parameters,
        labels: Labels | None = None,
        *,
        exact: bool = False,
        meter: Meter | None = None,
        entropy: _core.Entropy | None = None,
        most: int | None = None,
    ) -> None:
        _check_output(parameters, self.OUTPUTS)
        self._elements = elements
        self._parameters = parameters
        self._told = labels is not None
        self._given = self._taken(labels)
        records, self._width = checked(elements, self._given, parameters)
        self._meter = meter or Meter()
        self._entropy = entropy or _core.Entropy.from_os()
        self._total = shown(len(elements), exact)
        self._entries = shown(records, exact)
        self._offer = self._offered()
        agreed = size_class(parameters.max_elements)
        self._bound = agreed if most is None else min(agreed, most)

    @property
    def _labels(self) -> Labels:
        """The records; one without a label for each element if none were given."""
        return Labels.none(len(self._elements)) if self._given is None else self._given

    def _taken(self, labels: Labels | None) -> Labels | None:
        """Which of the labels that were given the role takes."""
        return labels

    @abstractmethod
    def _offered(self) -> Offer:
        """What the other side is shown of what this role brings."""


class Receiving(_EitherRole):
    """The party that learns the intersection, or its size.

    Args:
        elements: the receiver's set.
        parameters: what both sides must agree on.
        labels: its records, told to the sender for matches if both are to learn; by default one
            for each element, without a label, of which no number is shown.
        exact: whether the sender may see the exact size of the set, instead of its class.
        meter: counts what is done.
        entropy: where its secrets come from; the operating system unless a test says otherwise.
        most: what the other side may show of its size, if less than the parameters allow.

    Raises:
        ApiMisuse: the set or its labels are larger than the parameters allow, or do not fit; or the
            protocol does not give this output.
    """

    def _offered(self) -> Offer:
        answers = self._parameters.output is Output.BOTH
        return Offer(
            role=Role.RECEIVER,
            elements=self._total,
            entries=self._entries if answers and self._told else 0,
            label_width=self._width if answers else 0,
        )

    def converse(self) -> Dialogue[Result]:
        """Learns which of its elements the sender holds too, or how many.

        Draws fresh secrets each time it is run.

        Raises:
            PeerError: the sender said something else than an honest one; `psi.errors` has the tree.
        """
        return (yield from witnessed(self._converse(), Role.RECEIVER))

    @abstractmethod
    def _converse(self) -> Dialogue[Result]:
        """All but the comparison of transcripts."""


class Sending(_EitherRole):
    """The party whose set is asked about.

    Args:
        elements: the sender's set.
        parameters: what both sides must agree on.
        labels: its records, told to the receiver for matches.
        exact: whether the receiver may see the exact number of elements or records, instead of
            its class.
        meter: counts what is done.
        entropy: where its secrets come from; the operating system unless a test says otherwise.
        most: what the other side may show of its size, if less than the parameters allow.

    Raises:
        ApiMisuse: as of `Receiving`.
    """

    def converse(self) -> Dialogue[Result | None]:
        """Answers a receiver; learns which of its own elements match only if both are to learn.

        Draws fresh secrets each time it is run.

        Raises:
            PeerError: the receiver said something else than an honest one; `psi.errors` has the
                tree.
        """
        return (yield from witnessed(self._converse(), Role.SENDER))

    @abstractmethod
    def _converse(self) -> Dialogue[Result | None]:
        """All but the comparison of transcripts."""


# What a protocol may lack, and what there is instead.
_INSTEAD: Final = {
    Output.CARDINALITY: "tells which elements match; for their number alone there is dh",
    Output.BOTH: "tells the receiver alone which elements match; where both learn there is vole",
    Output.RECEIVER: "does not tell the receiver alone which elements match",
}


def _check_output(parameters: Parameters, outputs: frozenset[Output]) -> None:
    if parameters.output not in outputs:
        raise ApiMisuse(f"{parameters.protocol} {_INSTEAD[parameters.output]}")
