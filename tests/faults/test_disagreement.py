"""The two nodes do not agree: refused with a code word, before anything is read or computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from parties import answering, asking
from parties.answering import answers
from parties.refusals import SENTENCES
from parties.wire import PROTOCOL_VERSION
from parties.wire.v1 import job_pb2 as wire
from psi.dialogue import HEAR, Dialogue

Change = Callable[[Any], object]


def _nothing(_: object) -> None:
    pass


def changed(
    dialogue: Dialogue[Any],
    proposal: Change = _nothing,
    acceptance: Change = _nothing,
    choice: Change = _nothing,
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
    assert next(dialogue) is HEAR
    chosen = wire.Choice.FromString((yield HEAR) or b"")
    choice(chosen)
    want = dialogue.send(chosen.SerializeToString())
    while True:
        try:
            want = dialogue.send((yield want))
        except StopIteration as stop:
            return stop.value


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
    "protocol-not-allowed": ("disclose =", 'protocols = ["vole"]\ndisclose =', ("count",)),
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
        two.ask("count").fails(7, "ticket-missing", r"4 ticket-other-peer")
    assert opened == ["asking"]


# --- another release at the other end


def _other_version(standing: Any) -> None:
    standing.protocol_version = PROTOCOL_VERSION + 1


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


def _other_protocols(words: Any) -> None:
    words.standing.protocols[:] = ["rot13"]


def test_a_peer_without_a_protocol_of_ours_is_refused(two: Any, opened: list[str]) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), proposal=_other_protocols)

    with two.answering(answer) as ends:
        two.ask("match").fails(7, "protocol-not-allowed", "police and this node allow no protocol")
    assert [end.code for end in ends] == ["protocol-not-allowed"]
    assert opened == ["asking"]


def test_a_node_that_accepts_without_a_protocol_of_ours_is_left(two: Any) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), acceptance=_other_protocols)

    with two.answering(answer) as ends:
        two.ask("match").fails(7, "protocol-not-allowed", "peers.police: no protocol is not among")
    assert [end.code for end in ends] == ["protocol-not-allowed"]


@pytest.mark.parametrize("command", [("match",), ("match", "--learns", "both")])
def test_a_protocol_that_is_not_allowed_is_refused_at_home(two: Any, command: Any) -> None:
    two.insurer.change("disclose =", 'protocols = ["dh"]\ndisclose =')
    with two.answering() as ends:
        ending = two.ask(*command, "--protocol", "vole")
        ending.fails(7, "protocol-not-allowed", "vole is not among those .*: dh$")
        assert two.ask(*command, "--protocol", "dh").status == 0
    assert [end.code for end in ends] == ["protocol-not-allowed", "done"]


# --- the choice


def _rot13(choice: Any) -> None:
    choice.plans[0].protocol = "rot13"


def _no_plans(choice: Any) -> None:
    del choice.plans[:]


def _the_other_receives(choice: Any) -> None:
    choice.plans[0].caller_receives = False


def _the_other_protocol(choice: Any) -> None:
    choice.plans[0].protocol = "dh" if choice.plans[0].protocol == "vole" else "vole"


CHOICES: dict[str, tuple[Change, int, str, str]] = {
    "no plans": (_no_plans, 7, "malformed-message", "police ended the run"),
    "a protocol of nobody": (_rot13, 7, "protocol-not-allowed", "allow no protocol in common"),
    "another receiver": (_the_other_receives, 7, "malformed-message", "police ended the run"),
    "another protocol": (_the_other_protocol, 7, "peer-incompatible", "other parameters"),
}


@pytest.mark.parametrize("fault", CHOICES)
def test_a_choice_that_arrives_as_another_ends_the_job(two: Any, fault: str) -> None:
    change, status, code, pattern = CHOICES[fault]

    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), choice=change)

    with two.answering(answer):
        two.ask("match").fails(status, code, pattern)
    assert (two.police.left, two.insurer.left) == (set(), set())


def test_where_both_learn_a_receiver_that_was_not_chosen_ends_the_job(two: Any) -> None:
    def flip(choice: Any) -> None:
        choice.plans[0].caller_receives ^= True

    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), choice=flip)

    with two.answering(answer):
        two.ask("match", "--learns", "both").fails(7, "peer-incompatible", "other parameters")
    assert (two.police.left, two.insurer.left) == (set(), set())


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


def _many_protocols(words: Any) -> None:
    words.standing.protocols.extend(["dh"] * 64)


def _sizes(*sizes: int) -> Change:
    def change(words: Any) -> None:
        words.sizes[:] = sizes

    return change


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
    "many protocols": _many_protocols,
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
    "fault", [each for each in MALFORMED if re.search("column|bound|protocols", each)]
)
def test_an_acceptance_that_makes_no_sense_is_the_peers_fault(two: Any, fault: str) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), acceptance=MALFORMED[fault])

    with two.answering(answer) as ends:
        two.ask("match").fails(8, "malformed-message", "^Standing: ")
    assert [end.code for end in ends] == ["malformed-message"]


@pytest.mark.parametrize(
    ("sizes", "status", "code"),
    [
        ((), 8, "malformed-message"),
        ((128,) * 5, 8, "malformed-message"),
        ((128, 128, 0, 128), 8, "malformed-message"),
        ((128, 128, 128, (1 << 64) - 1), 7, "bound-exceeded"),
    ],
)
def test_an_acceptance_of_impossible_sizes_is_the_peers_fault(
    two: Any, sizes: tuple[int, ...], status: int, code: str
) -> None:
    def answer(peer: str, session: str) -> Dialogue[Any]:
        return changed(answers(two.police.settings)(peer, session), acceptance=_sizes(*sizes))

    with two.answering(answer) as ends:
        two.ask("match").fails(status, code, "^Acceptance: |^police brings more")
    assert [end.code for end in ends] == [code]
    assert (two.police.left, two.insurer.left) == (set(), set())


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
