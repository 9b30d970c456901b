"""The protocols, by the name under which both sides agree on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from psi.lazily import NamedTuple
from psi.parameters import Output, Traffic
from psi.protocols import dh, vole, vole_malicious, vole_stationary
from psi.subprotocols.roles import Receiving, Sending


class Protocol(NamedTuple):
    """A protocol.

    Attributes:
        receiver: the class of its receiver.
        sender: the class of its sender.
        outputs: what it can tell, and to whom.
        traffic: about what it says for so many elements of receiver and sender, without labels.
        labels: whether it tells labels of matches.
    """

    receiver: type[Receiving]
    sender: type[Sending]
    outputs: frozenset[Output]
    traffic: Callable[[int, int], Traffic]
    labels: bool = True


PROTOCOLS: Final = {
    "dh": Protocol(dh.Receiver, dh.Sender, dh.OUTPUTS, dh.traffic),
    "vole": Protocol(vole.Receiver, vole.Sender, vole.OUTPUTS, vole.traffic),
    "vole-malicious": Protocol(
        vole_malicious.Receiver,
        vole_malicious.Sender,
        vole_malicious.OUTPUTS,
        vole_malicious.traffic,
        labels=False,
    ),
    "vole-stationary": Protocol(
        vole_stationary.Receiver, vole_stationary.Sender, vole.OUTPUTS, vole_stationary.traffic
    ),
}
"""Name to protocol."""
