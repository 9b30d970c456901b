"""The malicious profile: its reference, and parties that cheat as well as they can.

Honest runs of it stand beside those of the other protocols; `wiretap.CHECKED` is one. A cheating
party here is the reference with one step replaced, against the toolkit.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from reference import checks, correlations, cot, dh, vole, vole_malicious
from test_vole_reference import (
    PLAIN as CASES,
)
from test_vole_reference import (
    Case,
    Learnt,
    entropy,
    names,
    plain,
)
from wiretap import CHECKED, OTHER, OURS, RECEIVER, SENDER, kind

from psi import Elements, Labels, Output, Parameters
from psi._core import Entropy
from psi.errors import ApiMisuse, CheckFailed, MalformedMessage, TranscriptMismatch
from psi.protocols import vole_malicious as psi_malicious
from psi.wire.v1.messages_pb2 import Message, VoleProof

DIGEST = dh.parameters_digest([b"vole-malicious", b"receiver", b"test", b"", b"100000", b"1024"])


def reference_receiver(case: Case, seed: int = 1, **cheats: Any) -> vole.Dialogue[Learnt]:
    party = dh.Party(case.ours, entropy(seed), 0)
    kind = type("Receiver", (vole_malicious.Receiver,), cheats)
    return kind(party, DIGEST, "test", exact=case.exact).converse()


def reference_sender(case: Case, seed: int = 2, **cheats: Any) -> vole.Dialogue[Learnt]:
    party = dh.Party(case.theirs, entropy(seed), 0)
    kind = type("Sender", (vole_malicious.Sender,), cheats)
    return kind(party, DIGEST, "test", exact=case.exact).converse()


def agreed() -> Parameters:
    parameters = Parameters("vole-malicious", Output.RECEIVER, "test", max_elements=100_000)
    assert parameters.digest() == DIGEST
    return parameters


def psi_receiver(case: Case, seed: int = 1) -> vole.Dialogue[Learnt]:
    role = psi_malicious.Receiver(
        Elements.hash(case.ours, "test"),
        agreed(),
        exact=case.exact,
        entropy=Entropy.from_seed_for_tests(bytes([seed]) * 32),
    )
    return plain(role.converse(), list(case.ours))


def psi_sender(case: Case, seed: int = 2) -> vole.Dialogue[Learnt]:
    role = psi_malicious.Sender(
        Elements.hash(case.theirs, "test"),
        agreed(),
        exact=case.exact,
        entropy=Entropy.from_seed_for_tests(bytes([seed]) * 32),
    )
    return plain(role.converse(), list(case.theirs))


RECEIVERS = {"reference": reference_receiver, "psi": psi_receiver}
SENDERS = {"reference": reference_sender, "psi": psi_sender}
ONE_LEARNS = [name for name, case in CASES.items() if not case.both]
MIXED = ["both empty", "one common", "exact", "more keys than the smallest bin"]
TURNS = [(name, "psi", "psi") for name in ONE_LEARNS]
TURNS += [(name, *pair) for name in MIXED for pair in (("psi", "reference"), ("reference", "psi"))]
TURNS += [("two hundred", "reference", "reference")]


@pytest.mark.parametrize(("case", "receiver", "sender"), TURNS)
def test_both_roles_give_the_plain_intersection(case, receiver, sender):
    case = CASES[case]
    assert vole.match(RECEIVERS[receiver](case), SENDERS[sender](case)) == case.due


@pytest.mark.parametrize(("receiver", "sender"), [("psi", "reference"), ("reference", "psi")])
def test_a_set_of_three_bins_needs_a_second_chunk(receiver, sender):
    case = Case(names(0, 36_000), names(35_900, 300))
    assert vole.match(RECEIVERS[receiver](case), SENDERS[sender](case)) == case.due


def test_labels_and_both_outputs_are_a_misuse():
    elements = Elements.hash(["a"], "test")
    with pytest.raises(ApiMisuse, match="and no labels"):
        psi_malicious.Sender(elements, agreed(), Labels.none(1))
    for output, pattern in ((Output.BOTH, "where both learn"), (Output.CARDINALITY, "is dh")):
        parameters = Parameters("vole-malicious", output, "test")
        for role in (psi_malicious.Receiver, psi_malicious.Sender):
            with pytest.raises(ApiMisuse, match=pattern):
                role(elements, parameters)


# Cheating parties. The sets are small and of exact size, so that a run takes a second.

CASE = CASES["few, exact"]


def ends(receiver: vole.Dialogue[Learnt], sender: vole.Dialogue[Learnt]) -> type[Exception] | None:
    """How a run ends: without an error, or with that of the toolkit's side."""
    try:
        assert vole.match(receiver, sender) == CASE.due
    except CheckFailed as error:
        # One sentence for all that may have been guessed wrong.
        if str(error) != "the peer's messages do not agree with each other":
            raise
        return CheckFailed
    return None


def delta_of(seed: int) -> int:
    """That of the toolkit's sender under this seed."""
    stream = entropy(seed)
    stream.bytes(32)  # its nonce; then comes its Delta
    return int.from_bytes(stream.bytes(16), "little")


def test_a_receiver_with_other_choices_in_one_group_is_found_out():
    """It would have to guess four bits of Delta for each of these groups."""
    for group, number in ((0, 0), (31, 1)):
        assert delta_of(2) >> 4 * group & 15, "no choice in this group has any effect"

        class Cheat(cot.Receiver):
            def extend(self, extension, choices, group=group, number=number):
                said, rows = super().extend(extension, choices)
                changed = bytearray(said)
                changed[group * len(choices) // 8] ^= extension == number
                return bytes(changed), rows

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cot, "Receiver", Cheat)
            assert ends(reference_receiver(CASE), psi_sender(CASE)) is CheckFailed


def test_a_false_sum_in_a_tree_of_transfers_passes_for_one_value_of_a_bit_alone():
    """And then it has no effect: the sender does not use this sum."""

    def trees(self: Any, ots: cot.Receiver) -> bytes:
        said = bytearray(checks.trees(self.sid, ots))
        said[0] ^= 1  # of group 0, level 1, side 0: who has bit 3 of Delta opens it
        ots.planted = cot.planted(self.sid, bytes(said))
        return bytes(said)

    for opens in (0, 1):
        seed = next(seed for seed in range(2, 99) if delta_of(seed) >> 3 & 1 == opens)
        ended = ends(reference_receiver(CASE, trees=trees), psi_sender(CASE, seed))
        assert ended is (CheckFailed if opens else None)


def test_choices_are_checked_together_with_the_trees():
    """Other trees, other weights: a receiver cannot fix these before it has chosen trees."""

    def trees(self: Any, ots: cot.Receiver) -> bytes:
        said = checks.trees(self.sid, ots)
        ots.planted = cot.planted(self.sid, said[:-1])
        return said

    assert ends(reference_receiver(CASE, trees=trees), psi_sender(CASE)) is CheckFailed


class Spoiling(checks.Sender):
    """Changes one block of what it says of tree 11, and hashes what it says."""

    block = correlations.DEPTH
    """The sum of the right leaves, which a receiver uses who lacks a left one."""

    def answer(self, request: bytes) -> bytes:
        self._first = self._answered == 0
        said = self._spoilt = super().answer(request)
        return self._said if self._first else said

    def expanded(self, correction: bytes, leaves: Any) -> None:
        said = bytearray(correction)
        if self._first:
            said[(11 * correlations.CORRECTION + self.block) * 16] ^= 1
        self._said = bytes(said)
        super().expanded(self._said, leaves)


@pytest.mark.study
def test_a_sender_that_guesses_one_bit_of_a_place_passes_half_of_the_time():
    """Whoever does not use the sum of one side uses that of the other."""
    left = type("Left", (Spoiling,), {"block": Spoiling.block - 1})
    seen = set()
    for seed in range(13, 23):
        one, other = (
            ends(
                psi_receiver(CASE, seed),
                reference_sender(CASE, supply=SimpleNamespace(**vars(checks) | {"Sender": cheat})),
            )
            for cheat in (Spoiling, left)
        )
        assert {one, other} == {CheckFailed, None}
        seen.add(one)
        if len(seen) == 2:
            return
    raise AssertionError("ten places in one half, with 2^-9")


@pytest.mark.parametrize("block", [0, correlations.DEPTH - 2, correlations.CORRECTION - 1])
def test_a_sender_that_spoils_what_any_receiver_uses_is_found_out(block):
    cheat = type("Cheat", (Spoiling,), {"block": block})
    assert (
        ends(
            psi_receiver(CASE),
            reference_sender(CASE, supply=SimpleNamespace(**vars(checks) | {"Sender": cheat})),
        )
        is CheckFailed
    )


def test_a_sender_with_no_delta_tells_the_same():
    """It hides nothing of its own, and its tags are still one for each element."""

    class Zero(dh.Entropy):
        def bytes(self, count: int) -> bytes:
            # Nothing but Delta has 16 bytes here.
            return bytes(16) if count == 16 else super().bytes(count)

    party = dh.Party(CASE.theirs, Zero(bytes([2]) * 32), 0)
    sender = vole_malicious.Sender(party, DIGEST, "test", exact=True).converse()
    assert vole.match(psi_receiver(CASE), sender) == CASE.due


# Changed messages. `test_cheating` changes every message of every protocol; here it is what a peer
# may have meant, so transcripts are not compared, and what is checked fails with one error.

CHECKS = [
    (RECEIVER, "base_ot_offer", "salt", TranscriptMismatch),
    (SENDER, "base_ot_choice", "points", None),
    (RECEIVER, "cot_trees", "corrections", CheckFailed),
    (RECEIVER, "vole_request", "corrections", CheckFailed),
    (SENDER, "vole_correction", "corrections", CheckFailed),
    (RECEIVER, "vole_check", "sum", CheckFailed),
    (SENDER, "vole_proof", "digest", CheckFailed),
]


@pytest.mark.parametrize(("author", "name", "field", "due"), CHECKS)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.99999])
def test_a_flipped_bit_of_what_is_checked_ends_in_the_one_error(author, name, field, due, place):
    number = [0]

    def flip(k: int, role: Any, data: bytes) -> list[tuple[Any, bytes]]:
        message = Message.FromString(data)
        if message.WhichOneof("body") == name:
            body = getattr(message, name)
            value = bytearray(getattr(body, field))
            value[int(place * len(value))] ^= 0x10
            setattr(body, field, bytes(value))
            number[0] += 1
        return [(OTHER[role], message.SerializeToString(deterministic=True))]

    heard = CHECKED.listen(flip, bare=True)
    assert number[0] > 0
    assert RECEIVER not in heard.results
    # A point that is changed is seldom one; if it is, the keys differ.
    assert heard.kinds == {due} if due else heard.kinds <= {CheckFailed, MalformedMessage}
    # All that depends on the mask comes back to the receiver, all else is seen where it is heard.
    checker = RECEIVER if name == "vole_check" else OTHER[author]
    assert name == "base_ot_choice" or set(heard.errors) == {checker}


def test_nothing_depends_on_the_set_before_the_proof():
    """With a wrong proof, what the receiver says is what it says otherwise, and not a word more."""
    honest = CHECKED.listen()
    for ours in (OURS, [], ["x", "f", "y", "a", "b", "z"]):

        def spoil(k: int, role: Any, data: bytes) -> list[tuple[Any, bytes]]:
            if kind(data) == "vole_proof":
                data = Message(vole_proof=VoleProof(digest=bytes(32))).SerializeToString()
            return [(OTHER[role], data)]

        heard = CHECKED.listen(spoil, ours=ours, labels=(None, None))
        assert {role: type(e) for role, e in heard.errors.items()} == {RECEIVER: CheckFailed}
        shape = [(kind(m), len(m)) for m in heard.said(RECEIVER)]
        assert shape == [(kind(m), len(m)) for m in honest.said(RECEIVER)][: len(shape)]
        assert shape[-1] == ("vole_check", 21)
