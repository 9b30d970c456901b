"""Views of a count: what one side sees of a run, or of a simulation of its peer."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from reference import count as simulators
from reference import dh
from wiretap import OTHER, RECEIVER, SENDER, carry, kind, parameters

from psi import Elements, Output, Side
from psi._core import Entropy, Key, Outputs, Shuffle
from psi.dialogue import Dialogue, hear, say
from psi.errors import PeerError
from psi.parameters import Role
from psi.protocols import PROTOCOLS
from psi.subprotocols.decoys import SHARED, size_class
from psi.subprotocols.transcript import witnessed
from psi.wire.v1.messages_pb2 import Message

SIZE: Final = 40
"""Elements of either side."""
TOTAL: Final = size_class(SIZE)
COMMON: Final = 20
"""In common. With the shared decoys, 52 of 128 points match."""
STEP: Final = 32
"""Points of a message, so that a view has four of each kind."""
AGREED: Final = parameters(Output.CARDINALITY)
TAG: Final = dh.tag_width(TOTAL, TOTAL, 0)


class View:
    """What one side sees of a run.

    Attributes:
        seed: all of its randomness.
        said: its own messages.
        heard: those of its peer.
        result: what it has learnt, if it has ended.
        error: why it has stopped.
    """

    def __init__(self, role: Role, seed: bytes, receiver: Side[Any], sender: Side[Any]) -> None:
        run = carry(receiver, sender)
        self.seed, self.said, self.heard = seed, run.said(role), run.said(OTHER[role])
        self.result: Any = run.results.get(role)
        self.error: PeerError | None = run.errors.get(role)

    @property
    def shape(self) -> list[tuple[str, int]]:
        """Which messages come, and how long they are."""
        return [(kind(data), len(data)) for data in self.heard]

    @property
    def public(self) -> list[object]:
        """Every field that is no bytes and the digest of parameters; how long the others are."""
        told: list[object] = []
        for data in self.heard:
            message = Message.FromString(data)
            assert message.SerializeToString(deterministic=True) == data, "nothing else is said"
            name = message.WhichOneof("body")
            for field, value in getattr(message, str(name)).ListFields():
                hidden = isinstance(value, bytes) and field.name != "parameters"
                told.append((name, field.name, len(value) if hidden else value))
        return told

    def field(self, message: str, name: str) -> bytes:
        """This field of all messages of one kind that were heard."""
        parsed = (Message.FromString(data) for data in self.heard if kind(data) == message)
        return b"".join(getattr(getattr(each, message), name) for each in parsed)

    def rows(self, message: str, name: str, width: int) -> list[bytes]:
        """The same, cut into pieces."""
        block = self.field(message, name)
        return [block[at : at + width] for at in range(0, len(block), width)]

    @property
    def random(self) -> list[bytes]:
        """All that is to look random, but for the digest at the end, which both can compute."""
        names = {
            "hello": ("nonce",),
            "blinded_bin": ("points",),
            "evaluated_bin": ("points",),
            "entry_bin": ("entries",),
            "decoy_seed": ("seed",),
            "decoy_tags": ("shared", "receivers"),
        }
        fields = [self.field(message, name) for message in names for name in names[message]]
        return [field for field in fields if field]

    # What a receiver makes of its view with its own randomness.

    @cached_property
    def tape(self) -> simulators.Tape:
        return simulators.Tape.of(self.seed, SIZE)

    @property
    def session(self) -> bytes:
        """What names it."""
        hellos = (Message.FromString(said[0]).hello for said in (self.said, self.heard))
        return dh.session_id(
            *(dh.hello(h.parameters, h.nonce, h.role, h.elements, h.entries, 0) for h in hellos)
        )

    @cached_property
    def answers(self) -> list[bytes]:
        """The tag that belongs to each answer, in the order in which they came."""
        stream = Entropy.from_seed_for_tests(self.seed)
        stream.bytes(64)  # its nonce and the seed of its decoys; then its order, padding and key
        shuffled(stream)
        stream.bytes(32 * (TOTAL - SIZE - dh.DECOYS))
        outputs = Outputs()
        outputs.extend_evaluated(
            self.field("evaluated_bin", "points"), self.session, Key.draw(stream)
        )
        block = outputs.tags(TAG)
        return [block[at : at + TAG] for at in range(0, len(block), TAG)]

    @cached_property
    def entries(self) -> list[bytes]:
        return self.rows("entry_bin", "entries", TAG)

    @cached_property
    def matching(self) -> list[int]:
        """Places of the answers that are among the entries."""
        listed = set(self.entries)
        return [place for place, tag in enumerate(self.answers) if tag in listed]

    @property
    def asked(self) -> list[int]:
        """Places at which the receiver asked about its shared decoys."""
        return list(self.tape.order[SIZE : SIZE + SHARED])

    @property
    def answered(self) -> list[int]:
        """Places of the answers about them, as the tags show that the sender tells of decoys."""
        places = {tag: place for place, tag in enumerate(self.answers)}
        return [places.get(tag, 0) for tag in self.rows("decoy_tags", "shared", TAG)]


def shuffled(stream: Entropy) -> None:
    """Draws what the receiver draws for its order."""
    Shuffle.draw(TOTAL, stream)


def sets(names: str = "x", common: int = COMMON) -> tuple[list[str], list[str]]:
    """Names of both sides, of which so many are common: the last of ours, the first of theirs."""
    ours = [f"{names}{i}" for i in range(SIZE)]
    return ours, ours[SIZE - common :] + [f"{names}y{i}" for i in range(SIZE - common)]


def real(role: Role, run: int, names: str = "x", *, exact: bool = False) -> View:
    """A view of a run of the protocol; all entropy follows from the number of the run."""
    seeds = seeded(RECEIVER, run), seeded(SENDER, run)
    sides = (made(each, names, seed, exact=exact) for each, seed in zip(OTHER, seeds, strict=True))
    return View(role, seeded(role, run), *sides)


def simulated(role: Role, run: int, common: int = COMMON) -> View:
    """The same side with a simulator of its peer, which knows no element of either."""
    seed, entropy = seeded(role, run), dh.Entropy(bytes([3]) + seeded(role, run)[1:])
    digest = AGREED.digest()
    if role is RECEIVER:
        tape = simulators.Tape.of(seed, SIZE)
        steps = simulators.sender(digest, TOTAL, TOTAL, common, tape, entropy, STEP)
        return View(role, seed, made(role, "x", seed), side(steps, SENDER))
    steps = simulators.receiver(digest, TOTAL, entropy, STEP)
    return View(role, seed, side(steps, RECEIVER), made(role, "x", seed))


def made(role: Role, names: str, seed: bytes, *, exact: bool = False) -> Side[Any]:
    """A role of the toolkit."""
    protocol = PROTOCOLS["dh"]
    roles = {RECEIVER: protocol.receiver, SENDER: protocol.sender}
    elements = Elements.hash(sets(names)[role is SENDER], "test")
    drawn = Entropy.from_seed_for_tests(seed)
    return Side(roles[role](elements, AGREED, entropy=drawn, exact=exact).converse())


def side(steps: simulators.Steps, role: Role) -> Side[Any]:
    """A simulator as a side of a dialogue, which ends as all do."""

    def dialogue() -> Dialogue[None]:
        answer = None
        while True:
            try:
                want = steps.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(want, type):
                answer = yield from hear(want)
            else:
                yield from say(want)

    return Side(witnessed(dialogue(), role))


def seeded(role: Role, run: int) -> bytes:
    """The seed of a role in a run."""
    return bytes([1 if role is RECEIVER else 2, run]).ljust(32, b"\0")
