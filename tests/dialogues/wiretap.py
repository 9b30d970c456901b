"""A line between two sides that a test listens to, and on which it may change what passes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from psi import Elements, Labels, Output, Parameters, Side
from psi._core import Entropy
from psi.errors import PeerError
from psi.parameters import Role
from psi.protocols import PROTOCOLS
from psi.subprotocols.roles import Receiving, Sending
from psi.wire.v1.messages_pb2 import Message

RECEIVER, SENDER = Role.RECEIVER, Role.SENDER
OTHER = {RECEIVER: SENDER, SENDER: RECEIVER}

Tamper: TypeAlias = Callable[[int, Role, bytes], Iterable[tuple[Role, bytes]]]
"""What is delivered to whom instead of message number k, which this role said."""


@dataclass
class Heard:
    """What passed on the line, and how the two sides ended: a result, an error, or neither."""

    messages: list[tuple[Role, bytes]] = field(default_factory=list)
    results: dict[Role, Any] = field(default_factory=dict)
    errors: dict[Role, PeerError] = field(default_factory=dict)

    @property
    def kinds(self) -> set[type[PeerError]]:
        return {type(error) for error in self.errors.values()}

    def said(self, role: Role, name: str = "") -> list[bytes]:
        """The messages of one side, perhaps of one kind only."""
        return [m for who, m in self.messages if who is role and name in (kind(m), "")]


def kind(message: bytes) -> str:
    return Message.FromString(message).WhichOneof("body") or ""


def entropy(byte: int) -> Entropy:
    return Entropy.from_seed_for_tests(bytes([byte]) * 32)


def parameters(output: Output, protocol: str = "dh", **changes: Any) -> Parameters:
    return Parameters(protocol, output, **({"domain": "test", "max_elements": 1000} | changes))


# Six identifiers each, three of them common, in different orders; some have more records than one.
OURS, THEIRS = list("abcdef"), list("xfyabz")
SENT = Labels(
    np.array([0, 1, 1, 2, 3, 3, 3, 4, 5], np.uint32), np.arange(27, dtype=np.uint8).reshape(9, 3)
)
BACK = Labels(
    np.array([0, 0, 1, 2, 3, 4, 5], np.uint32), np.arange(14, dtype=np.uint8).reshape(7, 2)
)
COMMON = {RECEIVER: {"a": 3, "b": 1, "f": 2}, SENDER: {"a": 2, "b": 1, "f": 1}}
"""What each side learns of the other: how many records an identifier has."""


def roles(
    output: Output,
    ours: list[str] = OURS,
    theirs: list[str] = THEIRS,
    labels: tuple[Labels | None, Labels | None] = (BACK, SENT),
    seeds: tuple[int, int] | None = (1, 2),
    exact: bool = True,
    protocol: str = "dh",
) -> tuple[Receiving, Sending]:
    """Both roles, by default with fixed entropy."""
    r_entropy, s_entropy = (entropy(seeds[0]), entropy(seeds[1])) if seeds else (None, None)
    options: dict[str, Any] = {"exact": exact}
    agreed, kinds = parameters(output, protocol), PROTOCOLS[protocol]
    r_elements, s_elements = Elements.hash(ours, "test"), Elements.hash(theirs, "test")
    return (
        kinds.receiver(r_elements, agreed, labels[0], entropy=r_entropy, **options),
        kinds.sender(s_elements, agreed, labels[1], entropy=s_entropy, **options),
    )


def listen(
    output: Output, tamper: Tamper | None = None, bare: bool = False, **options: Any
) -> Heard:
    """Runs both roles; `bare` is without the comparison of transcripts."""
    receiver, sender = roles(output, **options)
    dialogues = [r._converse() if bare else r.converse() for r in (receiver, sender)]
    return carry(Side(dialogues[0]), Side(dialogues[1]), tamper)


def carry(receiver: Side[Any], sender: Side[Any], tamper: Tamper | None = None) -> Heard:
    """Carries messages between two sides until both are over or wait."""
    heard, sides = Heard(), {RECEIVER: receiver, SENDER: sender}
    waiting = deque((role, data) for role, side in sides.items() for data in side.start())
    while waiting:
        author, data = waiting.popleft()
        number = len(heard.messages)
        heard.messages.append((author, data))
        delivered = tamper(number, author, data) if tamper else [(OTHER[author], data)]
        for role, changed in delivered:
            if role in heard.errors or sides[role].finished:
                continue  # it has hung up
            try:
                waiting.extend((role, reply) for reply in sides[role].hear(changed))
            except PeerError as error:
                heard.errors[role] = error
    for role, side in sides.items():
        if side.finished:
            heard.results[role] = side.result
    return heard


def learnt(result: Any, names: list[str]) -> Any:
    """A result by identifier: how many records the other side has, or only how many match."""
    if result is None or result.matches is None:
        return result and result.cardinality
    pairs = zip(result.matches.positions, result.matches.records, strict=True)
    return {names[position]: int(records) for position, records in pairs}


def right(role: Role, output: Output, told: bool = True) -> Any:
    """What this side learns of `OURS` and `THEIRS` in an honest run; records if they are told."""
    if role is SENDER:
        return COMMON[SENDER] if output is Output.BOTH else None
    if output is Output.CARDINALITY:
        return 3
    return COMMON[RECEIVER] if told else dict.fromkeys(COMMON[RECEIVER], 1)


@dataclass(frozen=True)
class Match:
    """Which run of `OURS` and `THEIRS`: of what protocol, and what is told.

    Attributes:
        protocol: its name.
        output: who learns what.
        told: whether the sender has labels; without, VOLE-PSI tells elements and no records.
        back: whether the receiver has labels, which count where both learn.
    """

    protocol: str
    output: Output
    told: bool = True
    back: bool = True

    def __str__(self) -> str:
        less = ("" if self.told else "-untold") + ("" if self.back else "-none-back")
        return f"{self.protocol}-{self.output.value}{less}"

    @property
    def parameters(self) -> Parameters:
        return parameters(self.output, self.protocol)

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        # Classes of 128 elements have tags with a high part; 70 elements would have none.
        default = {
            "protocol": self.protocol,
            "labels": (BACK if self.back else None, SENT if self.told else None),
            "exact": self.protocol == "dh",
        }
        return default | options

    def side(self, role: Role) -> Side[Any]:
        """One side, before it starts."""
        return Side(roles(self.output, **self._options({}))[role is SENDER].converse())

    def listen(self, tamper: Tamper | None = None, bare: bool = False, **options: Any) -> Heard:
        """Runs both roles, as the function of that name."""
        return listen(self.output, tamper, bare, **self._options(options))

    def right(self, role: Role) -> Any:
        """What this side learns in an honest run."""
        return right(role, self.output, self.told)


DH = [Match("dh", output) for output in Output]
PLAIN, SEALED = Match("vole", Output.RECEIVER, told=False), Match("vole", Output.BOTH)
"""Between them the two have every message of VOLE-PSI: tags, or entries both ways."""
STATIONARY = Match("vole-stationary", Output.RECEIVER, told=False)
VOLE = [
    PLAIN,
    SEALED,
    Match("vole", Output.RECEIVER),
    Match("vole", Output.BOTH, told=False),
    STATIONARY,
]
CHECKED = Match("vole-malicious", Output.RECEIVER, told=False)
"""The malicious profile of VOLE-PSI, which tells nothing else."""
