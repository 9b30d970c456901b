"""The two nodes do not agree: refused with a code word, before anything is read or computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from parties import answering, asking
from parties.answering import answers
from parties.refusals import SENTENCES
from parties.wire.v1 import job_pb2 as wire
from psi.dialogue import HEAR, Dialogue

Change = Callable[[Any], object]


def _nothing(_: object) -> None:
    pass


def changed(
    dialogue: Dialogue[Any], proposal: Change = _nothing, acceptance: Change = _nothing
) -> Dialogue[Any]:
    """The answering side of another release: its peer's words, or its own, differ."""
    assert dialogue.send(None) is HEAR
    heard = wire.Proposal.FromString((yield HEAR) or b"")
    proposal(heard)
    said = dialogue.send(heard.SerializeToString())
    assert isinstance(said, bytes)
    words = wire.Acceptance.FromString(said)
    acceptance(words)
    yield words.SerializeToString()
    yield from dialogue


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which side has opened its rows."""
    sides = list[str]()
    for module in (answering, asking):

        def spy(settings: Any, side: str = module.__name__, real: Any = module.open_source) -> Any:
            sides.append(side.removeprefix("parties."))
            return real(settings)

        monkeypatch.setattr(module, "open_source", spy)
    return sides


# --- the answering node's settings say no

REFUSED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "unknown-set": ("[identifiers.vin]", "[identifiers.hull]", ("count",)),
    "other-kind": ('kind = "vin"', 'kind = "phone"', ("match",)),
    "way-not-allowed": ('may = ["count", "match"]', 'may = ["count"]', ("match",)),
    "role-not-allowed": ("disclose =", "may_receive = false\ndisclose =", ("count",)),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_the_settings_do_not_allow_is_refused_before_a_row_is_read(
    two: Any, opened: list[str], code: str
) -> None:
    before, after, command = REFUSED[code]
    two.police.change(before, after)
    with two.answering() as ends:
        two.ask(*command).fails(7, code, re.escape(f"police {SENTENCES[code]}"))
    assert [end.code for end in ends] == [code]
    assert opened == ["asking"]
    assert (two.police.left, two.insurer.left) == (set(), set())


def test_who_may_not_learn_may_still_let_the_other_learn(two: Any) -> None:
    two.police.change("disclose =", "may_receive = false\ndisclose =")
    with two.answering():
        two.ask("match", "--learns", "both").fails(7, "role-not-allowed", "does not let us learn")
        assert two.ask("match", "--learns", "peer").status == 0


def test_two_nodes_of_one_role_do_not_work_together(two: Any, opened: list[str]) -> None:
    two.insurer.change('role = "insurer"', 'role = "police"')
    with two.answering():
        two.ask("count").fails(7, "same-role", "one must be insurer, the other police")
    assert opened == ["asking"]


# --- another release at the other end


def _other_version(standing: Any) -> None:
    standing.protocol_version = 2


def _other_rules(standing: Any) -> None:
    standing.normaliser_digest = bytes(32)


STANDING = {"other-version": _other_version, "other-normaliser": _other_rules}


@pytest.mark.parametrize("code", STANDING)
def test_an_answering_node_refuses_another_release(two: Any, opened: list[str], code: str) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        ours = answers(two.police.settings)(peer, session)
        return changed(ours, proposal=lambda heard: STANDING[code](heard.standing))

    with two.answering(answer) as ends:
        two.ask("match").fails(7, code, re.escape(f"police {SENTENCES[code]}"))
    assert [end.code for end in ends] == [code]
    (refused,) = two.insurer.events("job_refused")  # one process, one log
    assert (refused["code"], refused["peer"]) == (code, "insurer")
    assert opened == ["asking"]
    assert (two.police.left, two.insurer.left) == (set(), set())


@pytest.mark.parametrize("code", STANDING)
def test_an_asking_node_leaves_another_release_that_accepts(two: Any, code: str) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        ours = answers(two.police.settings)(peer, session)
        return changed(ours, acceptance=lambda said: STANDING[code](said.standing))

    with two.answering(answer) as ends:
        two.ask("match").fails(7, "peer-incompatible", "police (runs|normalises)")
    assert [end.code for end in ends] == ["incompatible"]
    assert (two.police.left, two.insurer.left) == (set(), set())


def test_a_protocol_that_nobody_knows_is_refused(two: Any, opened: list[str]) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        ours = answers(two.police.settings)(peer, session)
        return changed(ours, proposal=lambda heard: setattr(heard, "protocol", "rot13"))

    with two.answering(answer):
        two.ask("match").fails(7, "unknown-protocol", "does not know the protocol")
    assert opened == ["asking"]


def _no_way(heard: Any) -> None:
    heard.way = 7


def _count_for_both(heard: Any) -> None:
    heard.way, heard.both_learn = wire.WAY_COUNT, True


def _no_sets(heard: Any) -> None:
    del heard.sets[:]


def _many_sets(heard: Any) -> None:
    heard.sets.extend([heard.sets[0]] * 64)


def _one_set_twice(heard: Any) -> None:
    heard.sets.append(heard.sets[0])


def _columns(*columns: tuple[str, str]) -> Change:
    def change(words: Any) -> None:
        for name, kind in columns:
            words.standing.columns.add(name=name, type=kind)

    return change


def _no_bound(words: Any) -> None:
    words.standing.max_elements = 0


MALFORMED = {
    "no way": _no_way,
    "a count for both": _count_for_both,
    "no sets": _no_sets,
    "many sets": _many_sets,
    "one set twice": _one_set_twice,
    "a column twice": _columns(("a", "text"), ("a", "text")),
    "a column of no type": _columns(("a", "blob")),
    "a column without a name": _columns(("", "text")),
    "a column with a line end": _columns(("a\nb", "text")),
    "a column with a long name": _columns(("a" * 129, "text")),
    "many columns": _columns(*((str(i), "text") for i in range(257))),
    "no bound": _no_bound,
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_proposal_that_makes_no_sense_is_refused_before_a_row_is_read(
    two: Any, opened: list[str], fault: str
) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), proposal=MALFORMED[fault])

    with two.answering(answer):
        two.ask("match").fails(7, "malformed-message", "police ended the run")
    assert opened == ["asking"]
    assert len(two.insurer.events("job_failed")) == 1


@pytest.mark.parametrize(
    "fault", [each for each in MALFORMED if "column" in each or "bound" in each]
)
def test_an_acceptance_that_makes_no_sense_is_the_peers_fault(two: Any, fault: str) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), acceptance=MALFORMED[fault])

    with two.answering(answer) as ends:
        two.ask("match").fails(8, "malformed-message", "^Standing: ")
    assert [end.code for end in ends] == ["malformed-message"]


# --- sizes: a bound counts as the size class that it fills, of which the first has room for 64


def resident_ids(count: int) -> list[str]:
    """Valid ones, all of one day and place."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    heads = [f"11010519800101{serial:03}" for serial in range(count)]
    sums = (sum(int(d) * w for d, w in zip(head, weights, strict=True)) for head in heads)
    return [head + "10X98765432"[total % 11] for head, total in zip(heads, sums, strict=True)]


def add_claims(two: Any, persons: list[str]) -> None:
    with two.insurer.rows.open("a", encoding="utf-8") as file:
        file.writelines(f"D-{i},{person},,,,,1.00\n" for i, person in enumerate(persons))


def test_our_own_set_over_the_peers_bound_is_told_before_anything_is_said_of_it(two: Any) -> None:
    two.police.change("disclose =", "max_elements = 1\ndisclose =")
    add_claims(two, resident_ids(70))
    with two.answering() as ends:
        assert two.ask("match", "--set", "phone").status == 0
        ending = two.ask("match", "--set", "phone", "--set", "person")
        ending.fails(
            7, "set-too-large", r"identifiers.person: 72 identifiers, .* at most 64; raise"
        )
    assert [end.code for end in ends] == ["done", "set-too-large"]


def test_our_own_records_count_as_well_if_the_peer_learns_them(two: Any) -> None:
    two.police.change("disclose =", "max_elements = 2\ndisclose =")
    add_claims(two, resident_ids(1) * 70)
    with two.answering():
        assert two.ask("match", "--set", "person").status == 0
        ending = two.ask("match", "--set", "person", "--learns", "peer")
        ending.fails(7, "set-too-large", r"identifiers.person: 73 records, .* at most 64; raise")


def test_the_peers_set_over_our_bound_is_told(two: Any) -> None:
    two.police.change("disclose =", "max_elements = 1\ndisclose =")
    add_claims(two, resident_ids(70))
    with two.answering(role="insurer") as ends:
        ending = two.ask("match", "--set", "person", asker="police")
        ending.fails(7, "set-too-large", "^insurer has or accepts no set as large as that")
    assert [end.code for end in ends] == ["set-too-large"]


# --- the other node has trouble of its own


def test_trouble_with_the_peers_rows_is_a_word_here_and_a_sentence_there(two: Any) -> None:
    two.police.rows.rename(two.police.rows.with_suffix(".old"))
    with two.answering() as ends:
        two.ask("count").fails(7, "source", "^police cannot read its own data; its operator")
    assert [end.code for end in ends] == ["source"]
    (failed,) = two.insurer.events("job_failed")
    assert "records.csv: " in failed["why"]
    assert two.police.left == set()


def test_trouble_with_the_peers_disk_is_a_word_here_and_a_sentence_there(two: Any) -> None:
    (two.police.folder / "results").write_text("a file in the place of the folder")
    with two.answering() as ends:
        two.ask("count").fails(7, "local", "^police lacks disk space or a permission; its operator")
    assert [end.code for end in ends] == ["local"]
    (failed,) = two.insurer.events("job_failed")
    assert "the results folder cannot be used" in failed["why"]
