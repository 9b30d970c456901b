"""The reference of the profile with stationary noise, and the toolkit against it, both ways."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reference import correlations, dh, stationary, vole
from test_vole_reference import entropy, names, plain

from psi import Elements, Output, Parameters
from psi._core import STATIONARY_VOLE_CHUNK, Entropy
from psi.protocols import PROTOCOLS
from psi.subprotocols.vole import Profile

NAME = "vole-stationary"
DIGEST = dh.parameters_digest([NAME.encode(), b"receiver", b"test", b"", b"100000", b"1024"])

Role = Callable[[vole.Records, int], vole.Dialogue[vole.Records | None]]


def of_reference(kind: type[vole.Role]) -> Role:
    """A role of the reference, with the correlations of this profile."""
    supplied = type(kind.__name__, (kind,), {"supply": stationary})

    def role(records: vole.Records, seed: int) -> vole.Dialogue[vole.Records | None]:
        dialogue: vole.Dialogue[vole.Records | None] = supplied(
            dh.Party(records, entropy(seed), 0), DIGEST, "test"
        ).converse()
        return dialogue

    return role


def of_toolkit(number: int) -> Role:
    """A role of the toolkit: 0 the receiver, 1 the sender."""

    def role(records: vole.Records, seed: int) -> vole.Dialogue[vole.Records | None]:
        ids = list(records)
        parameters = Parameters(NAME, Output.RECEIVER, "test", max_elements=100_000)
        assert parameters.digest() == DIGEST
        drawn = Entropy.from_seed_for_tests(bytes([seed]) * 32)
        kind = PROTOCOLS[NAME][number]
        return plain(kind(Elements.hash(ids, "test"), parameters, entropy=drawn).converse(), ids)

    return role


RECEIVERS = {"reference": of_reference(vole.Receiver), "toolkit": of_toolkit(0)}
SENDERS = {"reference": of_reference(vole.Sender), "toolkit": of_toolkit(1)}
MIXED = [("toolkit", "reference"), ("reference", "toolkit"), ("reference", "reference")]


@pytest.mark.parametrize(("receiver", "sender"), MIXED)
def test_both_roles_give_the_plain_intersection(receiver, sender):
    ours, theirs = names(0, 200), names(150, 300)
    learnt = vole.match(RECEIVERS[receiver](ours, 1), SENDERS[sender](theirs, 2))
    assert learnt == (names(150, 50), None)


@pytest.mark.parametrize(("receiver", "sender"), MIXED[:2])
@pytest.mark.parametrize("count", [20_000, 40_000])
def test_several_chunks_of_the_same_trees_meet(receiver, sender, count):
    """20,000 elements take three chunks, one batch; 40,000 take five, which are two."""
    ours, theirs = names(0, count), names(count - 100, 300)
    learnt = vole.match(RECEIVERS[receiver](ours, 1), SENDERS[sender](theirs, 2))
    assert learnt == (names(count - 100, 100), None)


def test_the_numbers_are_those_of_the_toolkit():
    assert stationary.TAKEN == STATIONARY_VOLE_CHUNK
    assert Profile.STATIONARY.batch == stationary.BATCH
    assert len(set(stationary.LEAF.tolist())) == stationary.LEAVES
    assert stationary.LEAF.max() < correlations.LEAVES


def test_chunks_stand_differently():
    order, turns, _ = stationary.chunk(bytes(32), 0)
    others = stationary.chunk(bytes(32), 1)
    assert sorted(order) == list(range(stationary.TREES))
    assert (order != others[0]).mean() > 0.9
    assert (turns != others[1]).mean() > 0.9
    assert turns.max() == stationary.LEAVES - 1
