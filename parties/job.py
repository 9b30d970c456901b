"""A job: what one node asks another, as both see it before anything is said of a set."""

from __future__ import annotations

from parties.settings import IdentifierSettings, Way
from psi import Output
from psi.lazily import NamedTuple


class Job(NamedTuple):
    """What one node asks another, seen from this node.

    Attributes:
        session: 32 hexadecimal digits, in both logs.
        way: count, list, match or inquire.
        sets: identifier sets, in order; each is a dialogue of its own.
        we_receive: whether we are the receiver.
        both_learn: whether both learn; who receives is then a matter of cost.
    """

    session: str
    way: Way
    sets: tuple[IdentifierSettings, ...]
    we_receive: bool
    both_learn: bool = False

    @property
    def we_learn(self) -> bool:
        """Whether this node learns matches or a count."""
        return self.we_receive or self.both_learn

    @property
    def they_learn(self) -> bool:
        """Whether the other node learns matches or a count."""
        return not self.we_receive or self.both_learn

    @property
    def we_count(self) -> bool:
        """Whether this node learns a number, and no more."""
        return self.way == "count" and self.we_learn

    @property
    def we_disclose(self) -> bool:
        """Whether the other node gets the agreed columns of ours for matches."""
        return self.way == "match" and self.they_learn

    @property
    def output(self) -> Output:
        """Who learns what, in the words of the toolkit."""
        if self.way == "count":
            return Output.CARDINALITY
        return Output.BOTH if self.both_learn else Output.RECEIVER


class Chosen(NamedTuple):
    """How one set is matched, seen from this node.

    Attributes:
        protocol: its name in `psi.protocols`.
        we_receive: whether we are the receiver.
        reason: of the choice, one sentence; empty at the node that did not choose.
    """

    protocol: str
    we_receive: bool
    reason: str = ""
