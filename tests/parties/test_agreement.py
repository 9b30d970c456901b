"""What two nodes agree on: both mean the same, or one of them says a word that explains it."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parties.agreement import Job, Terms, accept, hear_proposal, propose
from parties.disclosure import Column
from parties.refusals import SENTENCES, Refusal
from parties.settings import (
    IdentifierSettings,
    NodeSettings,
    PeerSettings,
    Role,
    Settings,
    SourceSettings,
)
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Output, Side, converse
from psi.errors import PeerError

SESSION = "ab" * 16
PERSON = IdentifierSettings("person", "resident_id", (("id",),))
PLATE = IdentifierSettings("plate", "plate", (("plate",),))
CLAIM, RECORD = Column("claim_no", "text"), Column("time", "time")


def settings(role: Role, peer: str, **changes: Any) -> Settings:
    return Settings(
        path=Path("greenlane.toml"),
        node=NodeSettings(role, role, "127.0.0.1:1", Path("c"), Path("k"), Path("r")),
        source=SourceSettings("csv", (Path("a.csv"),)),
        identifiers=(PERSON, PLATE),
        peers=(PeerSettings(peer, "127.0.0.1:2", peer, ca=Path("ca"), **changes),),
    )


INSURER, POLICE = settings("insurer", "police"), settings("police", "insurer")
MATCH = Job(SESSION, "match", (PERSON, PLATE), we_receive=True)


def answer(ours: Settings, session: str = SESSION) -> Dialogue[tuple[Job, Terms]]:
    proposed = yield from hear_proposal(ours, ours.peers[0], session)
    columns = (RECORD,) if proposed.job.we_disclose else ()
    terms = yield from accept(ours, ours.peers[0], proposed, columns)
    return proposed.job, terms


def agree(
    job: Job, ours: Settings = INSURER, theirs: Settings = POLICE, session: str = SESSION
) -> tuple[Terms, tuple[Job, Terms]]:
    columns = (CLAIM,) if job.we_disclose else ()
    caller = propose(ours, ours.peers[0], job, columns)
    return converse(Side(caller), Side(answer(theirs, session)))


@pytest.mark.parametrize("we_receive", [True, False])
@pytest.mark.parametrize(("way", "both"), [("count", False), ("match", False), ("match", True)])
def test_both_ends_mean_the_same_job(way: Any, both: bool, we_receive: bool) -> None:
    job = Job(SESSION, way, (PLATE, PERSON), we_receive=we_receive, both_learn=both)
    terms, (their_job, their_terms) = agree(job)
    assert their_job == replace(job, we_receive=not we_receive)
    assert (their_job.we_learn, their_job.they_learn) == (job.they_learn, job.we_learn)
    assert their_job.output is job.output
    assert terms.context == their_terms.context
    assert len(terms.context) == 32
    assert their_terms.their_columns == ((CLAIM,) if job.we_disclose else ())
    assert terms.their_columns == ((RECORD,) if their_job.we_disclose else ())
    ours, theirs = terms.parameters(job, PLATE), their_terms.parameters(their_job, PLATE)
    assert ours.digest() == theirs.digest()
    assert ours.digest() != terms.parameters(job, PERSON).digest()


def test_who_learns_what_is_decided_by_way_and_role() -> None:
    assert replace(MATCH, way="count").output is Output.CARDINALITY
    assert MATCH.output is Output.RECEIVER
    assert replace(MATCH, both_learn=True).output is Output.BOTH
    assert (MATCH.we_learn, MATCH.they_learn, MATCH.we_disclose) == (True, False, False)
    asked = replace(MATCH, we_receive=False)
    assert (asked.we_learn, asked.they_learn, asked.we_disclose) == (False, True, True)
    assert not replace(asked, way="count").we_disclose


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
    named = replace(POLICE, node=replace(POLICE.node, name="other-police"))
    assert len({ours, *context(theirs=named)}) == 2


REFUSED = [
    ("way-not-allowed", MATCH, {"may": ("count",)}),
    ("way-not-allowed", replace(MATCH, way="count"), {"may": ()}),
    ("role-not-allowed", MATCH, {"may_receive": False}),
    ("role-not-allowed", replace(MATCH, we_receive=False, both_learn=True), {"may_receive": False}),
    ("unknown-protocol", replace(MATCH, protocol="rot13"), {}),
    ("unknown-set", replace(MATCH, sets=(replace(PLATE, name="ship"),)), {}),
    ("other-kind", replace(MATCH, sets=(replace(PLATE, kind="phone"),)), {}),
]


@pytest.mark.parametrize(("code", "job", "changes"), REFUSED)
def test_what_the_settings_do_not_allow_is_refused(code: str, job: Job, changes: Any) -> None:
    with pytest.raises(Refusal) as refused:
        agree(job, theirs=settings("police", "insurer", **changes))
    assert (refused.value.code, refused.value.exit_code) == (code, 7)


def test_a_peer_that_may_not_learn_may_let_us_learn() -> None:
    agree(replace(MATCH, we_receive=False), theirs=settings("police", "insurer", may_receive=True))
    job = replace(MATCH, we_receive=False)
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
    caller = propose(INSURER, INSURER.peers[0], MATCH, ())
    proposal = caller.send(None)
    assert isinstance(proposal, bytes)
    said = Side(answer(POLICE))
    said.start()
    (acceptance,) = said.hear(proposal)
    for _ in range(2000):
        good = bytearray(draw.choice([proposal, acceptance]))
        for _ in range(draw.randint(1, 3)):
            match draw.randrange(3):
                case 0:
                    good[draw.randrange(len(good))] ^= 1 << draw.randrange(8)
                case 1:
                    del good[draw.randrange(len(good) + 1) :]
                case _:
                    good += draw.randbytes(draw.randint(1, 20))
            good = good or bytearray(1)
        for side in (Side(answer(POLICE)), Side(propose(INSURER, INSURER.peers[0], MATCH, ()))):
            side.start()
            with suppress(PeerError, Refusal):
                side.hear(bytes(good))


@pytest.mark.parametrize("field", [each.name for each in wire.Proposal.DESCRIPTOR.fields])
def test_a_proposal_without_a_field_is_refused_or_means_something_else(field: str) -> None:
    """Fields of proto3 have defaults: false is a value, nothing else may pass for one."""
    caller = propose(INSURER, INSURER.peers[0], MATCH, ())
    said = caller.send(None)
    assert isinstance(said, bytes)
    proposal = wire.Proposal.FromString(said)
    proposal.ClearField(field)
    side = Side(answer(POLICE))
    side.start()
    if field in ("caller_receives", "both_learn"):
        assert side.hear(proposal.SerializeToString())
        assert side.result[0].we_receive == (field == "caller_receives")
    else:
        with pytest.raises((PeerError, Refusal)):
            side.hear(proposal.SerializeToString())
