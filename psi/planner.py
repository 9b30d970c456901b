"""The planner: which protocol, and which side receives, for two sets on a line.

It adds up what each protocol that both parties allow would take: seconds of computing from `Cost`,
measured on the machine that asks (`parties.calibration` keeps it), and seconds on the line from the
bytes that the protocol says. It knows no machine and no clock; the same numbers give the same plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from psi.errors import ApiMisuse
from psi.lazily import NamedTuple
from psi.parameters import Output
from psi.protocols import PROTOCOLS
from psi.subprotocols.decoys import DECOYS
from psi.subprotocols.entries import bytes_back


class Cost(NamedTuple):
    """What a protocol costs both sides together on one machine, in seconds of one core.

    Attributes:
        fixed: whatever the sets.
        receiver: for each element of the receiver.
        sender: for each element of the sender.
    """

    fixed: float
    receiver: float
    sender: float


class Link(NamedTuple):
    """A line between two nodes.

    Attributes:
        bits: it carries a second, in each direction.
        round_trip: seconds until an answer to a short message is there.
    """

    bits: float = 1e9
    round_trip: float = 0.001


class Plan(NamedTuple):
    """What to run.

    Attributes:
        protocol: its name in `psi.protocols`.
        we_receive: whether our side is the receiver.
        seconds: about how long it takes.
        size: about how many bytes both sides say.
        reason: one sentence for the operator.
    """

    protocol: str
    we_receive: bool
    seconds: float
    size: int
    reason: str


def able(allowed: Collection[str], output: Output, *, labels: bool = False) -> list[str]:
    """Names of the allowed protocols that give this output, in order.

    Args:
        allowed: names; others than those of `psi.protocols` are passed over.
        output: who learns what.
        labels: whether labels of matches are to be told too.
    """
    known = ((name, PROTOCOLS[name]) for name in sorted(allowed) if name in PROTOCOLS)
    return [
        name
        for name, protocol in known
        if output in protocol.outputs and (protocol.labels or not labels)
    ]


def plan(
    ours: int,
    theirs: int,
    output: Output,
    allowed: Collection[str],
    costs: Mapping[str, Cost],
    link: Link,
    *,
    we_receive: bool,
) -> Plan:
    """Chooses what takes the least time.

    Args:
        ours: elements of our side.
        theirs: elements of the other side.
        output: who learns what.
        allowed: names of the protocols that both parties allow.
        costs: of each protocol that may be chosen.
        link: the line between the nodes.
        we_receive: whether our side is to be the receiver. Where both learn it decides nothing but
            a tie: the side for which the run is shorter receives.

    Raises:
        ApiMisuse: no allowed protocol gives this output.
    """
    names = able(allowed, output)
    if not names:
        raise ApiMisuse(f"no allowed protocol tells what is to be learnt ({output.value})")
    roles = [we_receive, not we_receive] if output is Output.BOTH else [we_receive]
    plans = [
        _estimate(name, role, (ours, theirs), output, costs[name], link)
        for name in names
        for role in roles
    ]
    best = min(plans, key=lambda each: each.seconds)
    return Plan(
        best.protocol,
        best.we_receive,
        best.seconds,
        best.size,
        _reason(best, [each for each in plans if each.protocol != best.protocol], output),
    )


def _estimate(
    name: str, we_receive: bool, sizes: tuple[int, int], output: Output, cost: Cost, link: Link
) -> Plan:
    receiver, sender = (size + DECOYS for size in (sizes if we_receive else sizes[::-1]))
    traffic = PROTOCOLS[name].traffic(receiver, sender)
    if output is Output.BOTH:
        back = traffic.receiver + bytes_back(receiver, sender)
        traffic = traffic._replace(receiver=back)
    computing = cost.fixed + cost.receiver * receiver + cost.sender * sender
    # Each direction is a line of its own, and computing overlaps with neither for certain.
    line = 8 * max(traffic.receiver, traffic.sender) / link.bits
    waiting = traffic.flights * link.round_trip
    size = traffic.receiver + traffic.sender
    return Plan(name, we_receive, computing + line + waiting, size, "")


def _reason(best: Plan, others: list[Plan], output: Output) -> str:
    text = f"{best.protocol}: about {_seconds(best.seconds)} and {_size(best.size)}"
    if best.we_receive and output is Output.BOTH:
        text += ", we receive"
    elif output is Output.BOTH:
        text += ", the peer receives"
    if not others:
        return f"{text}; no other allowed protocol tells what is to be learnt"
    other = min(others, key=lambda each: each.seconds)
    more = f"about {_seconds(other.seconds)} and {_size(other.size)}"
    return f"{text}; {other.protocol} would take {more}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.0f} kB"
