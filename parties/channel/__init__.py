"""The channel: carries dialogues between two nodes over gRPC with mutual TLS.

    Peer   the calling end     peer.call(dialogue, session) -> result, peer.exchange likewise
    Node   the answering end   Node(listen, identity, peers, answer).start()

Which node calls is a setting and says nothing about who is receiver or sender. This package is the
only place that names grpc, and the only one that speaks of clients and servers. From the dialogue
to the wire:

    drive      runs a dialogue over a line, or as a flight there and one back
    line       one call seen from one end: queues, heartbeats, patience
    frames, flights     what is written to and read from the wire
    codes      errors as words that tell the other end nothing else
    pinning    whose certificate is whose
    trust      the answering end's certificates, followed as they are renewed
    probe      what went wrong, when gRPC only says UNAVAILABLE
    options    gRPC's options, each with its reason
    peer, node, answering, replying, ended, admission     the two ends
    single     the one message of a call that has one
    standard, services, guard     health and reflection, for those who ask and may
"""

import os

# gRPC's core writes lines of its own to stderr, with addresses and stack traces. The log says what
# is worth knowing; an operator who wants more sets the variable.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from psi.lazily import unread

# Half of what gRPC imports is for `async`, of which nothing is used here.
with unread("asyncio", "grpc.aio"):
    import grpc  # noqa: F401  # as every file here has it

from parties.channel.answering import Answer
from parties.channel.ended import Ended
from parties.channel.line import Carried
from parties.channel.node import Node
from parties.channel.peer import Peer
from parties.credentials import Identity

__all__ = ["Answer", "Carried", "Ended", "Identity", "Node", "Peer"]
