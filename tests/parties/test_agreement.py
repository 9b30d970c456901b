"""What two nodes agree on: both mean the same, or one of them says a word that explains it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from trial import cleared, trial_ticket, with_operators

from parties.agreement import Terms, accept, propose, read_proposal
from parties.agreement import choose as say_choice
from parties.disclosure import Column
from parties.errors import TicketRefused
from parties.job import Chosen, Job
from parties.refusals import SENTENCES, Refusal
from parties.runs import Side as SideOf
from parties.settings import (
    IdentifierSettings,
    NodeSettings,
    PeerSettings,
    Role,
    Settings,
    SourceSettings,
)
from parties.standing import MOST_PROTOCOLS, hear
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Output, Side, converse
from psi.errors import BoundExceeded, MalformedMessage, PeerError
from psi.planner import able
from psi.subprotocols.decoys import DECOYS, size_class

SESSION = "ab" * 16
PERSON = IdentifierSettings("person", "resident_id", (("id",),))
PLATE = IdentifierSettings("plate", "plate", (("plate",),))
CLAIM, RECORD = Column("claim_no", "text"), Column("time", "time")


def settings(role: Role, peer: str, **changes: Any) -> Settings:
    made = Settings(
        path=Path("greenlane.toml"),
        node=NodeSettings(role, role, "127.0.0.1:1", Path("c"), Path("k"), Path("r")),
        source=SourceSettings("csv", (Path("a.csv"),)),
        identifiers=(PERSON, PLATE),
        peers=(PeerSettings(peer, "127.0.0.1:2", peer, ca=Path("ca"), **changes),),
    )
    return with_operators(made)


INSURER, POLICE = settings("insurer", "police"), settings("police", "insurer")
POLICE_THAT_TELLS = settings("police", "insurer", disclose=("time",))
MATCH = Job(SESSION, "match", (PERSON, PLATE), we_receive=True)


SIZES = (128, 200)
"""Of the answering node's sets, as it says them."""
OWN = (128, 128)
"""Of the asking node's."""
Choose: TypeAlias = Callable[[int, Sequence[int], Collection[str]], Sequence[Chosen]]


def inputs(job: Job) -> tuple[bytes, ...]:
    """Commitments to sets that nobody has looked at."""
    return tuple(bytes([number]) * 32 for number, _ in enumerate(job.sets))


def answer(ours: Settings, session: str = SESSION) -> Dialogue[tuple[Job, Terms]]:
    proposed = read_proposal(ours, ours.peers[0], session, (yield from hear()))
    columns = (RECORD,) if proposed.job.we_disclose else ()
    sizes = SIZES[: len(proposed.job.sets)]
    brought = SideOf(columns, inputs(proposed.job))
    terms = yield from accept(ours, ours.peers[0], proposed, brought, sizes)
    return proposed.job, terms


def first_that_is_able(job: Job) -> Choose:
    """A choice without a planner: the first protocol by name, and the roles as proposed."""

    def choose(_: int, __: Sequence[int], allowed: Collection[str]) -> list[Chosen]:
        if not (may := able(allowed, job.output)):
            raise Refusal("protocol-not-allowed", "none")
        return [Chosen(may[0], job.we_receive, "because") for _ in job.sets]

    return choose


def ask(job: Job, ours: Settings = INSURER, choose: Choose | None = None) -> Dialogue[Terms]:
    columns = (CLAIM,) if job.we_disclose else ()
    tells = settings("insurer", "police", disclose=("claim_no",))
    ticket = trial_ticket(tells._replace(identifiers=ours.identifiers), POLICE_THAT_TELLS)
    clearance = cleared(ours, job, ticket)
    accepted = yield from propose(ours, ours.peers[0], job, SideOf(columns, inputs(job)), clearance)
    chosen = (choose or first_that_is_able(job))(accepted.most, accepted.sizes, accepted.may)
    own = OWN[: len(job.sets)]
    return (yield from say_choice(ours, ours.peers[0], accepted, chosen, own))


def agree(
    job: Job,
    ours: Settings = INSURER,
    theirs: Settings = POLICE,
    session: str = SESSION,
    choose: Choose | None = None,
) -> tuple[Terms, tuple[Job, Terms]]:
    return converse(Side(ask(job, ours, choose)), Side(answer(theirs, session)))


@pytest.mark.parametrize("we_receive", [True, False])
@pytest.mark.parametrize(("way", "both"), [("count", False), ("match", False), ("match", True)])
def test_both_ends_mean_the_same_job(way: Any, both: bool, we_receive: bool) -> None:
    job = Job(SESSION, way, (PLATE, PERSON), we_receive=we_receive, both_learn=both)
    terms, (their_job, their_terms) = agree(job)
    assert their_job == job._replace(we_receive=not we_receive)
    assert (their_job.we_learn, their_job.they_learn) == (job.they_learn, job.we_learn)
    assert their_job.output is job.output
    assert terms.context == their_terms.context
    assert len(terms.context) == 32
    assert their_terms.their_columns == ((CLAIM,) if job.we_disclose else ())
    assert terms.their_columns == ((RECORD,) if their_job.we_disclose else ())
    for own, their in zip(terms.chosen, their_terms.chosen, strict=True):
        assert (own.protocol, own.we_receive) == (their.protocol, not their.we_receive)
        assert (own.reason, their.reason) == ("because", "")
    plate, person = terms.chosen
    ours = terms.parameters(job, PLATE, plate)
    theirs = their_terms.parameters(their_job, PLATE, their_terms.chosen[0])
    assert ours.digest() == theirs.digest()
    assert ours.protocol == plate.protocol
    assert ours.digest() != terms.parameters(job, PERSON, person).digest()


def test_who_learns_what_is_decided_by_way_and_role() -> None:
    assert MATCH._replace(way="count").output is Output.CARDINALITY
    assert MATCH.output is Output.RECEIVER
    assert MATCH._replace(both_learn=True).output is Output.BOTH
    assert (MATCH.we_learn, MATCH.they_learn, MATCH.we_disclose) == (True, False, False)
    asked = MATCH._replace(we_receive=False)
    assert (asked.we_learn, asked.they_learn, asked.we_disclose) == (False, True, True)
    assert not asked._replace(way="count").we_disclose


def test_the_smaller_bound_counts_on_both_ends() -> None:
    theirs = settings("police", "insurer", max_elements=7)
    terms, (_, their_terms) = agree(MATCH, theirs=theirs)
    # 128 is the class of 7 and 64 decoys, and holds 64 beside them.
    assert terms.max_elements == their_terms.max_elements == 64


def context(**options: Any) -> tuple[bytes, bytes]:
    terms, (_, theirs) = agree(MATCH, **options)
    return terms.context, theirs.context


def test_whoever_means_another_run_or_another_party_has_another_context() -> None:
    ours, theirs = context()
    assert ours == theirs
    assert len({ours, *context(session="cd" * 16)}) == 2
    named = POLICE._replace(node=POLICE.node._replace(name="other-police"))
    with pytest.raises(TicketRefused) as refused:
        context(theirs=named)
    assert refused.value.code == "ticket-other-peer"


REFUSED = [
    ("way-not-allowed", MATCH, {"may": ("count",)}),
    ("way-not-allowed", MATCH._replace(way="count"), {"may": ()}),
    ("role-not-allowed", MATCH, {"may_receive": False}),
    ("role-not-allowed", MATCH._replace(we_receive=False, both_learn=True), {"may_receive": False}),
    ("protocol-not-allowed", MATCH, {"protocols": ()}),
    ("protocol-not-allowed", MATCH._replace(way="count"), {"protocols": ("vole",)}),
    ("unknown-set", MATCH._replace(sets=(PLATE._replace(name="ship"),)), {}),
    ("other-kind", MATCH._replace(sets=(PLATE._replace(kind="phone"),)), {}),
]


@pytest.mark.parametrize(("code", "job", "changes"), REFUSED)
def test_what_the_settings_do_not_allow_is_refused(code: str, job: Job, changes: Any) -> None:
    with pytest.raises(Refusal) as refused:
        agree(
            job,
            INSURER._replace(identifiers=job.sets),
            settings("police", "insurer", **changes),
        )
    assert (refused.value.code, refused.value.exit_code) == (code, 7)


def test_a_peer_that_may_not_learn_may_let_us_learn() -> None:
    agree(MATCH._replace(we_receive=False), theirs=settings("police", "insurer", may_receive=True))
    job = MATCH._replace(we_receive=False)
    _, (theirs, _) = agree(job)
    assert theirs.we_receive


def test_every_code_word_has_a_sentence_that_fits_behind_a_name() -> None:
    for code, sentence in SENTENCES.items():
        assert code.replace("-", "").isalpha()
        assert sentence[0].islower()
        assert not sentence.endswith(".")


def test_no_bytes_raise_anything_but_an_error_with_a_name() -> None:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    draw = random.Random(seed)
    caller, said = Side(ask(MATCH)), Side(answer(POLICE))
    (proposal,) = caller.start()
    said.start()
    (acceptance,) = said.hear(proposal)
    (choice,) = caller.hear(acceptance)
    for _ in range(2000):
        good = bytearray(draw.choice([proposal, acceptance, choice]))
        for _ in range(draw.randint(1, 3)):
            match draw.randrange(3):
                case 0:
                    good[draw.randrange(len(good))] ^= 1 << draw.randrange(8)
                case 1:
                    del good[draw.randrange(len(good) + 1) :]
                case _:
                    good += draw.randbytes(draw.randint(1, 20))
            good = good or bytearray(1)
        for side, before in (
            (Side(answer(POLICE)), ()),
            (Side(answer(POLICE)), (proposal,)),
            (Side(ask(MATCH)), ()),
        ):
            side.start()
            for message in before:
                side.hear(message)
            with suppress(PeerError, Refusal, TicketRefused):
                side.hear(bytes(good))


OTHERS = ("tables", "about")
"""Fields of inquiries, and of proposals about tickets: one of a match has none."""
FIELDS = [each.name for each in wire.Proposal.DESCRIPTOR.fields if each.name not in OTHERS]


@pytest.mark.parametrize("field", FIELDS)
def test_a_proposal_without_a_field_is_refused_or_means_something_else(field: str) -> None:
    """Fields of proto3 have defaults: false is a value, nothing else may pass for one."""
    (said,) = Side(ask(MATCH)).start()
    proposal = wire.Proposal.FromString(said)
    proposal.ClearField(field)
    side = Side(answer(POLICE))
    side.start()
    if field in ("caller_receives", "both_learn"):
        assert side.hear(proposal.SerializeToString())
        receives = field == "both_learn"
        side.hear(choice(("dh", receives), ("dh", receives)))
        assert side.result[0].we_receive == (not receives)
    else:
        with pytest.raises((PeerError, Refusal, TicketRefused)):
            side.hear(proposal.SerializeToString())


# --- what an acceptance says of sizes


def heard_by_the_caller(change: Any, ours: Settings = INSURER) -> None:
    """Lets the caller hear an acceptance that was changed."""
    caller, other = Side(ask(MATCH, ours)), Side(answer(POLICE))
    (proposal,) = caller.start()
    other.start()
    acceptance = wire.Acceptance.FromString(other.hear(proposal)[0])
    change(acceptance)
    caller.hear(acceptance.SerializeToString())


def sized(*sizes: int) -> Any:
    def change(acceptance: wire.Acceptance) -> None:
        acceptance.sizes[:] = sizes

    return change


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ((), MalformedMessage),
        ((128,), MalformedMessage),
        ((128, 128, 128), MalformedMessage),
        ((128,) * 100_000, MalformedMessage),
        ((0, 128), MalformedMessage),
        ((128, DECOYS - 1), MalformedMessage),
        ((128, size_class(1000) + 1), BoundExceeded),
        ((1 << 63, 128), BoundExceeded),
        (((1 << 64) - 1, (1 << 64) - 1), BoundExceeded),
    ],
)
def test_sizes_that_no_honest_node_says_are_the_peers_fault(
    sizes: tuple[int, ...], error: type[PeerError]
) -> None:
    with pytest.raises(error):
        heard_by_the_caller(sized(*sizes), settings("insurer", "police", max_elements=1000))


def test_the_smallest_and_the_largest_size_are_taken() -> None:
    ours = settings("insurer", "police", max_elements=1000)
    heard_by_the_caller(sized(DECOYS, size_class(1000)), ours)


def test_a_choice_is_made_from_what_both_allow_and_accept() -> None:
    seen = list[Any]()

    def choose(most: int, sizes: Sequence[int], allowed: Collection[str]) -> list[Chosen]:
        seen.append((most, list(sizes), set(allowed)))
        return first_that_is_able(MATCH)(most, sizes, allowed)

    theirs = settings("police", "insurer", max_elements=7, protocols=("dh",))
    agree(MATCH, theirs=theirs, choose=choose)
    agree(MATCH, choose=choose)
    assert seen == [
        (64, list(SIZES), {"dh"}),
        (size_class(20_000_000) - DECOYS, list(SIZES), {"dh", "vole"}),
    ]


@pytest.mark.parametrize("way", ["count", "match"])
def test_a_node_that_cannot_choose_says_so_before_it_says_a_choice(way: Any) -> None:
    def choose(*_: Any) -> list[Chosen]:
        raise Refusal("protocol-not-allowed", "none")

    caller, other = Side(ask(MATCH._replace(way=way), choose=choose)), Side(answer(POLICE))
    (proposal,) = caller.start()
    other.start()
    with pytest.raises(Refusal):
        caller.hear(other.hear(proposal)[0])


# --- what a choice says


def choice(*plans: tuple[str, bool]) -> bytes:
    return wire.Choice(
        plans=[wire.Plan(protocol=name, caller_receives=receives) for name, receives in plans],
        sizes=OWN[: len(plans)],
    ).SerializeToString()


def heard_by_the_node(job: Job, message: bytes, theirs: Settings = POLICE) -> tuple[Job, Terms]:
    """Lets the answering node hear a choice after the proposal of a job."""
    side = Side(answer(theirs))
    side.start()
    side.hear(Side(ask(job)).start()[0])
    side.hear(message)
    job_and_terms: tuple[Job, Terms] = side.result
    return job_and_terms


GOOD = choice(("vole", True), ("dh", True))


def test_each_set_is_matched_as_it_was_chosen() -> None:
    _, terms = heard_by_the_node(MATCH, GOOD)
    assert terms.chosen == (Chosen("vole", False), Chosen("dh", False))


NO_CHOICE = {
    "nothing": b"",
    "one plan": choice(("dh", True)),
    "three plans": choice(*[("dh", True)] * 3),
    "many plans": choice(*[("dh", True)] * 10_000),
    "the other receiver": choice(("dh", True), ("dh", False)),
    "no message": b"\xff" * 10,
    "half a message": GOOD[: len(GOOD) // 2],
    "a name that is no text": GOOD.replace(b"vole", b"\xff\xfe\xfd\xfc"),
}


@pytest.mark.parametrize("fault", NO_CHOICE)
def test_a_choice_that_makes_no_sense_is_the_callers_fault(fault: str) -> None:
    with pytest.raises(MalformedMessage):
        heard_by_the_node(MATCH, NO_CHOICE[fault])


@pytest.mark.parametrize("name", ["", "rot13", "DH", "dh ", "vole", "x" * 100_000])
def test_a_protocol_that_is_not_allowed_is_refused_and_not_shown(name: str) -> None:
    theirs = settings("police", "insurer", protocols=("dh",))
    with pytest.raises(Refusal) as refused:
        heard_by_the_node(MATCH, choice(("dh", True), (name, True)), theirs)
    assert refused.value.code == "protocol-not-allowed"
    assert str(refused.value) == "peers.insurer chose a protocol that it may not"


def test_a_protocol_that_the_caller_did_not_list_is_refused_although_we_allow_it() -> None:
    ours = settings("insurer", "police", protocols=("dh",))
    side = Side(answer(POLICE))
    side.start()
    side.hear(Side(ask(MATCH, ours)).start()[0])
    with pytest.raises(Refusal, match="chose a protocol that it may not"):
        side.hear(GOOD)


def test_a_count_is_never_run_by_a_protocol_that_tells_which() -> None:
    with pytest.raises(Refusal) as refused:
        heard_by_the_node(MATCH._replace(way="count"), choice(("dh", True), ("vole", True)))
    assert refused.value.code == "protocol-not-allowed"


def test_where_both_learn_the_choice_says_who_receives() -> None:
    both = MATCH._replace(both_learn=True)
    _, terms = heard_by_the_node(both, choice(("dh", False), ("dh", True)))
    assert [each.we_receive for each in terms.chosen] == [True, False]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ([("dh", True)] * 2, [("dh", True), ("vole", True)]),
        ([("dh", True)] * 2, [("dh", False), ("dh", True)]),
    ],
)
def test_a_choice_that_arrives_as_another_makes_contexts_differ(said: Any, heard: Any) -> None:
    both = MATCH._replace(both_learn=True)
    caller = Side(ask(both, choose=lambda *_: [Chosen(*each) for each in said]))
    other = Side(answer(POLICE))
    other.start()
    (message,) = caller.hear(other.hear(caller.start()[0])[0])
    assert message == choice(*said)
    other.hear(choice(*heard))
    job, terms = other.result
    assert terms.context != caller.result.context
    ours = caller.result.parameters(both, PLATE, caller.result.chosen[1])
    assert ours.digest() != terms.parameters(job, PLATE, terms.chosen[1]).digest()


def test_protocols_and_sizes_are_in_the_context() -> None:
    few = settings("police", "insurer", protocols=("dh",))
    one = agree(MATCH)[0].context
    assert agree(MATCH)[0].context == one
    assert agree(MATCH, theirs=few)[0].context != one
    caller, other = Side(ask(MATCH)), Side(answer(POLICE))
    (proposal,) = caller.start()
    other.start()
    acceptance = wire.Acceptance.FromString(other.hear(proposal)[0])
    acceptance.sizes[1] += 1
    (message,) = caller.hear(acceptance.SerializeToString(deterministic=True))
    other.hear(message)
    assert caller.result.context != other.result[1].context


# --- what a standing says of protocols


@pytest.mark.parametrize(
    ("protocols", "code"),
    [
        ([], "protocol-not-allowed"),
        (["rot13", "", "DH"], "protocol-not-allowed"),
        (["x"] * MOST_PROTOCOLS, "protocol-not-allowed"),
        (["dh"] * (MOST_PROTOCOLS + 1), "malformed-message"),
    ],
)
def test_a_proposal_without_a_protocol_of_ours_is_refused(protocols: list[str], code: str) -> None:
    proposal = wire.Proposal.FromString(Side(ask(MATCH)).start()[0])
    proposal.standing.protocols[:] = protocols
    side = Side(answer(POLICE))
    side.start()
    with pytest.raises((Refusal, MalformedMessage)) as refused:
        side.hear(proposal.SerializeToString())
    assert getattr(refused.value, "code", "malformed-message") == code


def test_an_acceptance_with_very_many_protocols_is_the_peers_fault() -> None:
    many = ["dh"] * (MOST_PROTOCOLS + 1)
    with pytest.raises(MalformedMessage, match="protocols"):
        heard_by_the_caller(lambda acceptance: acceptance.standing.protocols.extend(many))
