"""How each set of a job is matched: what the operator says, or what the planner finds fastest."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from parties.calibration import costs
from parties.job import Chosen, Job
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from psi import PROTOCOLS
from psi.planner import Link, able, plan
from psi.subprotocols.decoys import DECOYS


def choices(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    ours: Sequence[int],
    protocol: str | None,
    theirs: Sequence[int],
    allowed: Collection[str],
) -> list[Chosen]:
    """Chooses for each set.

    Args:
        settings: of this node.
        peer: the other node.
        job: what is asked.
        ours: our size of each set, decoys and padding included.
        protocol: what the operator wants; None for the fastest.
        theirs: the peer's size of each set, likewise.
        allowed: protocols that both nodes allow and that tell what is to be learnt.

    Raises:
        Refusal: none of them, or not the one that the operator wants, tells what is asked.
    """
    may = able(allowed, job.output)
    lacks = ""
    if protocol is not None and protocol in peer.protocols and not PROTOCOLS[protocol].labels:
        lacks = f"; {protocol} tells one node which identifiers match, and no columns of them"
    if not may or (protocol is not None and protocol not in may):
        raise Refusal(
            "protocol-not-allowed",
            f"peers.{peer.name}: {protocol or 'no protocol'} is not among those that both nodes "
            f"allow and that tell what is to be learnt: {', '.join(may) or 'none'}{lacks}",
        )
    if protocol is not None or len(may) == 1:
        why = "as asked" if protocol else "no other allowed protocol tells what is to be learnt"
        name = protocol or may[0]
        return [Chosen(name, job.we_receive, f"{name}: {why}") for _ in job.sets]
    measured = costs(settings.node.results, settings.node.threads, may)
    link = Link(bits=peer.link_mbps * 1e6)
    chosen = []
    for our_size, their_size in zip(ours, theirs, strict=True):
        elements = our_size - DECOYS, their_size - DECOYS
        best = plan(*elements, job.output, may, measured, link, we_receive=job.we_receive)
        chosen.append(Chosen(best.protocol, best.we_receive, best.reason))
    return chosen
