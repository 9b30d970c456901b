"""One inquiry between two nodes: what both ends say after the proposal.

The holder says the manifests of its tables; the asker fetches what it lacks of their files; then
there is a dialogue of `psi.protocols.inquiry` for each set, in order. An asker without a question
only fetches. One that has heard the manifests before goes by them (`parties/asking_again.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from parties.agreement import Proposed
from parties.channel.pinning import read_pin
from parties.clearance import Clearance, cover
from parties.errors import TableRefused
from parties.identifiers import Block, domain
from parties.inquiry_books import InquiryBooks
from parties.job import Job
from parties.refusals import Refusal
from parties.settings import IdentifierSettings, PeerSettings, Settings
from parties.standing import check_answer, hear, parse, standing
from parties.tables import Fetched, Held, Manifest, ShardFile, Signed, verify
from parties.tables.building import SMALLEST
from parties.tally import Tally
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Elements, Meter, Output, Parameters, _core
from psi.errors import BoundExceeded, MalformedMessage
from psi.lazily import NamedTuple
from psi.protocols.inquiry import Answerer, Asker
from psi.tables import Found, Generation, find

PLACES: Final = 2
"""Places of a map for each of its entries, at most: 1.25 from a thousand on, and a class more."""
PART: Final = 1 << 20
"""Bytes of a part of a file: what is the fastest on the channel, and the bound on what waits."""
MOST_ASKED: Final = 1 << 20
"""Elements of one question: at 30 us each, half a minute of one core of the holder."""

Keys = Callable[[PeerSettings, Manifest], _core.VoprfKey]
"""Gives the key of a table that this node holds for a peer."""
Sign = Callable[[Manifest, bytes], Signed]
"""Signs a manifest of this node, of which this is the encoding."""


class Question(NamedTuple):
    """What is asked of one set.

    Attributes:
        spec: of the set.
        elements: that are asked about. Secret.
        blocks: of numbers, and which of each are asked about. Secret.
    """

    spec: IdentifierSettings
    elements: Elements
    blocks: Mapping[Block, Set[int]] = MappingProxyType({})


class Answer(NamedTuple):
    """What was learnt of one set.

    Attributes:
        manifest: of the table that answers.
        elements: of the question. Secret.
        outputs: of them. Secret.
        generations: the table, opened before anything was asked.
    """

    manifest: Manifest
    elements: Elements
    outputs: _core.VoprfOutputs
    generations: Sequence[Generation]

    def found(self) -> Found:
        """Reads the table. Not within the dialogue: how long it takes depends on what is found.

        Raises:
            CheckFailed: the table does not hold what it says.
        """
        return find(self.generations, self.elements, self.outputs)


class Answers(NamedTuple):
    """What was learnt of all sets.

    Attributes:
        tables: what the peer has said of its tables, as it came.
        sets: one for each question, in order.
    """

    tables: bytes
    sets: list[Answer]


def answer(
    settings: Settings,
    peer: PeerSettings,
    proposed: Proposed,
    keys: Keys,
    sign: Sign,
    books: InquiryBooks,
    tally: Tally,
) -> Dialogue[int]:
    """Answers an inquiry, and returns about how many elements it was; the holder's end.

    Args:
        settings: ours.
        peer: who asks.
        proposed: what it asks.
        keys: of tables.
        sign: manifests.
        books: in which is written down what is done.
        tally: of all messages of this call.

    Raises:
        Refusal: no table was prepared for this peer, it expects others, asks too much, or once
            more.
        TicketRefused: the ticket does not cover it.
        PeerError: the peer said something else than an honest one.
    """
    job = proposed.job
    held = [Held(settings.tables, peer, spec.name) for spec in job.sets]
    served = [
        _served(settings, peer, each, spec) for each, spec in zip(held, job.sets, strict=True)
    ]
    manifests = [manifest for manifest, _ in served]
    columns = [column for manifest in manifests for column in manifest.columns]
    tables = wire.Tables(
        standing=standing(settings, peer, ()),
        manifests=[wire.SignedManifest(**sign(*each)._asdict()) for each in served],
    )
    if proposed.tables:
        said = unsigned(tables)
        if proposed.tables != hashlib.sha256(said).digest():
            raise Refusal("other-tables", f"{peer.name} expects tables that are not those of now")
    else:
        data, now = proposed.clearance.data, datetime.now(UTC)
        cover(settings, peer, job, data, now, ours=columns)  # before they are shown
        said = tables.SerializeToString(deterministic=True)
        yield said
    counts = yield from _give(
        [] if proposed.tables else held,
        manifests,
        before=lambda: books.tables_given(peer, job, proposed.clearance, columns),
    )
    opened = [keys(peer, manifest) for manifest in manifests]
    with books.under_way(peer, job):
        if sum(counts):
            asked = dict(zip((spec.name for spec in job.sets), counts, strict=True))
            books.inquiry(peer, job, proposed.clearance, asked, columns)
        words = words_of(job.session, proposed.said, said)
        tally.begin(words)
        for spec, (_, encoded), key, count in zip(job.sets, served, opened, counts, strict=True):
            agreed = parameters_of(words, spec, encoded, count)
            yield from Answerer(key, None, agreed, _was_charged).converse()
        if sum(counts):
            books.answered(peer, job, columns, tally)
    return sum(counts)


def _was_charged(_: int) -> None:
    """All sets were, together; none brings more than was said, which is its `max_elements`."""


def ask(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    questions: Sequence[Question],
    clearance: Clearance,
    meter: Meter,
    tally: Tally,
) -> Dialogue[Answers]:
    """Fetches what is new of the peer's tables and asks; the asker's end.

    Args:
        settings: ours.
        peer: whom we ask.
        job: the inquiry.
        questions: one for each set.
        clearance: the ticket under which we ask.
        meter: counts what is done.
        tally: of all messages of this call.

    Raises:
        TicketRefused: the ticket does not cover what a table tells.
        TableRefused: a manifest or a file is not what it must be.
        PeerError: the peer said something else than an honest one.
    """
    proposal = proposal_of(settings, peer, questions, clearance, b"")
    yield proposal
    heard = yield from hear()
    tables = parse(wire.Tables, heard)
    check_answer(settings, peer, tables.standing)
    if len(tables.manifests) != len(questions):
        raise MalformedMessage("Tables: not one manifest for each set")
    opened = []
    for told, question in zip(tables.manifests, questions, strict=True):
        signed = Signed(told.manifest, told.signature, told.certificate)
        own = Fetched(settings.tables, peer, question.spec.name)
        with own.alone():
            known, encoded = own.kept() or (None, b"")
            if known is not None and encoded == signed.manifest:
                manifest = known  # checked when it was kept
            else:
                manifest = _checked(settings, peer, signed, question.spec, known)
            now = datetime.now(UTC)
            cover(settings, peer, job, clearance.data, now, theirs=manifest.columns)
            yield from _fetch(own, manifest)
            if manifest != known:
                own.check(manifest)
                own.keep(signed, manifest)
            generations = own.generations(manifest, question.elements)
            opened.append((manifest, signed.manifest, generations))
    counts = [len(question.elements) for question in questions]
    yield wire.ShardRequest(elements=counts).SerializeToString(deterministic=True)
    answers = []
    words = words_of(job.session, proposal, heard)
    tally.begin(words)
    for (manifest, encoded, generations), question in zip(opened, questions, strict=True):
        agreed = parameters_of(words, question.spec, encoded, len(question.elements))
        asker = Asker(question.elements, manifest.function, agreed, meter=meter)
        outputs = yield from asker.converse()
        answers.append(Answer(manifest, question.elements, outputs, generations))
    return Answers(heard, answers)


def proposal_of(
    settings: Settings,
    peer: PeerSettings,
    questions: Sequence[Question],
    clearance: Clearance,
    tables: bytes,
) -> bytes:
    """What the asker says first.

    Args:
        settings: ours.
        peer: whom we ask.
        questions: one for each set.
        clearance: the ticket under which we ask.
        tables: SHA-256 of the Tables that we expect, as of `unsigned`; empty if we expect none.
    """
    return wire.Proposal(
        standing=standing(settings, peer, ()),
        way=wire.WAY_INQUIRE,
        caller_receives=True,
        sets=[
            wire.IdentifierSet(name=each.spec.name, domain=domain(each.spec)) for each in questions
        ],
        tables=tables,
        ticket=clearance.data,
    ).SerializeToString(deterministic=True)


def unsigned(tables: wire.Tables) -> bytes:
    """What a holder says of its tables but for the signatures, encoded.

    Two signatures over the same, of two processes or with a key that signs at random, differ; and
    who goes by what was signed has checked one of them.
    """
    bare = wire.Tables(
        standing=tables.standing,
        manifests=[
            wire.SignedManifest(manifest=each.manifest, certificate=each.certificate)
            for each in tables.manifests
        ],
    )
    bare.DiscardUnknownFields()  # nothing is told by what nobody reads
    return bare.SerializeToString(deterministic=True)


def words_of(session: str, proposal: bytes, tables: bytes) -> bytes:
    """32 bytes over what both ends have said before the dialogues of the sets.

    Args:
        session: of the call.
        proposal: as the asker has said it.
        tables: as the holder has said them in this call; or, if the asker goes by an earlier one,
            as of `unsigned`.
    """
    parts = (session.encode(), proposal, tables)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def parameters_of(
    words: bytes, spec: IdentifierSettings, manifest: bytes, count: int
) -> Parameters:
    """What both sides of one set's dialogue must agree on.

    Args:
        words: as of `words_of`.
        spec: of the set.
        manifest: of its table, encoded.
        count: how many elements are asked about.
    """
    return Parameters(
        protocol="inquiry",
        output=Output.RECEIVER,
        domain=domain(spec),
        context=words + hashlib.sha256(manifest).digest() + spec.name.encode(),
        max_elements=count,
        max_label_width=0,
    )


def why_not_served(
    settings: Settings, peer: PeerSettings, manifest: Manifest | None, spec: IdentifierSettings
) -> str | None:
    """Why a table is not offered to a peer; None if it is.

    The settings must still say what they said when it was made.
    """
    why = None
    if manifest is None:
        why = "was never prepared"
    elif manifest[:5] != _names(settings.node.name, peer.san, spec):
        why = "was prepared under other names or by other rules"
    elif [column.name for column in manifest.columns] != list(peer.disclose):
        why = "tells other columns than `disclose` of the peer"
    if why is None:
        return None
    return f"the table of identifiers.{spec.name} for {peer.name} {why}: greenlane prepare"


def _served(
    settings: Settings, peer: PeerSettings, held: Held, spec: IdentifierSettings
) -> tuple[Manifest, bytes]:
    served = held.served()
    why = why_not_served(settings, peer, served and served[0], spec)
    if served is None or why is not None:
        raise Refusal("no-table", str(why))
    return served


def _names(holder: str, asker: str, spec: IdentifierSettings) -> tuple[str, ...]:
    """What the first fields of a manifest say."""
    return holder, asker, spec.name, domain(spec), _core.normaliser_digest().hex()


def _checked(
    settings: Settings,
    peer: PeerSettings,
    signed: Signed,
    spec: IdentifierSettings,
    known: Manifest | None,
) -> Manifest:
    """Checks that a manifest is the peer's, for us, of this set, not older than what we have."""
    manifest, certificate = verify(signed)
    if why := read_pin(peer).why_not(certificate):
        raise TableRefused("manifest-forged", f"a certificate that signed a manifest {why}")
    if manifest[:5] != _names(peer.san, settings.node.name, spec):
        raise TableRefused(
            "manifest-other", f"the manifest of identifiers.{spec.name} is that of another table"
        )
    if known and known.epoch == manifest.epoch and known.public != manifest.public:
        raise TableRefused(
            "manifest-other",
            f"{peer.name} offers a table of identifiers.{spec.name} with another key in one epoch",
        )
    width = _core.entry_width(manifest.label)
    most = len(manifest.generations) * SMALLEST + 2 * peer.max_elements
    if sum(file.size for file in manifest.files()) > most * PLACES * width:
        raise BoundExceeded(
            f"{peer.name} offers a table of more than the {peer.max_elements} records of "
            f"peers.{peer.name}.max_elements"
        )
    if known is not None and (
        manifest.number < known.number
        or (manifest.number == known.number and manifest.digest != known.digest)
    ):
        raise TableRefused(
            "manifest-stale",
            f"{peer.name} offers table {manifest.number} of identifiers.{spec.name}, and has "
            f"offered {known.number} before, or another one of that number",
        )
    return manifest


def _fetch(own: Fetched, manifest: Manifest) -> Dialogue[None]:
    """Fetches the files that are not here, each from where it was cut off."""
    for file, start in own.missing(manifest):
        digest = bytes.fromhex(file.digest)
        yield wire.ShardRequest(digest=digest, start=start).SerializeToString(deterministic=True)
        while start < file.size:
            part = parse(wire.ShardPart, (yield from hear())).data
            if len(part) != min(PART, file.size - start):
                raise MalformedMessage("ShardPart: a part of another length")
            own.write_part(file, start, part)
            start += len(part)
        own.complete(file)


def _give(
    held: Sequence[Held], manifests: Sequence[Manifest], before: Callable[[], None]
) -> Dialogue[list[int]]:
    """Gives the files that the asker requests; returns about how many it asks of each set.

    Args:
        held: the tables; none for who knows them, and so has their files.
        manifests: of the tables.
        before: called once, before the first file leaves.
    """
    named: dict[bytes, tuple[Held, ShardFile]] = {}
    requests = 0
    while (request := parse(wire.ShardRequest, (yield from hear()))).digest:
        if not named:  # most askers have all files
            for own, manifest in zip(held, manifests, strict=False):
                named |= {bytes.fromhex(file.digest): (own, file) for file in manifest.files()}
        if request.digest not in named or (requests := requests + 1) > len(named):
            raise MalformedMessage("ShardRequest: a file that no manifest names, or one too many")
        own, file = named[request.digest]
        if request.start > file.size:
            raise BoundExceeded("ShardRequest: begins behind the end of the file")
        if requests == 1:
            before()
        for start in range(request.start, file.size, PART):
            data = own.read_shard(file, start, min(PART, file.size - start))
            yield wire.ShardPart(data=data).SerializeToString()
    if len(request.elements) != len(manifests) or max(request.elements) > MOST_ASKED:
        raise MalformedMessage("ShardRequest: not one number for each set, or one too large")
    return list(request.elements)
