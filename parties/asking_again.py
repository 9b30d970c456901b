"""An inquiry of a peer that has said before what its tables are: all that is asked is said at once.

The asker goes by what it has heard and checked, and says the digest of it with its proposal. The
holder answers if it would say the same now, and else refuses before it counts anything. Both ends
hash what the holder would have said, but for signatures, into the parameters of the set's dialogue,
as if it had been said once more; so nothing is agreed, checked or counted otherwise than by
`parties/inquiries.py`, and one flight each way is enough.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from parties.clearance import Clearance, cover
from parties.errors import LocalFault
from parties.inquiries import (
    Answer,
    Answers,
    Question,
    parameters_of,
    proposal_of,
    unsigned,
    words_of,
)
from parties.job import Job
from parties.settings import PeerSettings, Settings
from parties.tables import Fetched, Manifest
from parties.tally import Tally
from parties.wire.v1 import job_pb2 as wire
from psi import Dialogue, Meter
from psi.lazily import NamedTuple
from psi.protocols.inquiry import BIN, Asker
from psi.tables import Generation


class Known(NamedTuple):
    """What a peer has said of its table of one set, and was checked.

    Attributes:
        tables: the message, as of `unsigned`.
        manifest: of the table.
        encoded: the manifest, as it was signed.
    """

    tables: bytes
    manifest: Manifest
    encoded: bytes


def known_from(answers: Answers) -> Known | None:
    """What can be gone by next time; None if not one set was asked about."""
    if len(answers.sets) != 1:
        return None
    tables = wire.Tables.FromString(answers.tables)
    return Known(unsigned(tables), answers.sets[0].manifest, tables.manifests[0].manifest)


def fits(questions: Sequence[Question]) -> bool:
    """Whether all of it is said before anything is heard: one set, and at most one bin of it."""
    return len(questions) == 1 and 0 < len(questions[0].elements) <= BIN


def reopened(
    settings: Settings, peer: PeerSettings, question: Question, known: Known
) -> Sequence[Generation] | None:
    """Opens what a question needs of a table that is known; None if it must be fetched first.

    Raises:
        TableRefused: a file is not what the manifest says.
    """
    own = Fetched(settings.tables, peer, question.spec.name)
    try:
        if own.manifest() == known.manifest:
            return own.generations(known.manifest, question.elements)
    except LocalFault:
        pass  # met again, or mended, where it is fetched
    return None


def ask_again(
    settings: Settings,
    peer: PeerSettings,
    job: Job,
    question: Question,
    clearance: Clearance,
    known: Known,
    generations: Sequence[Generation],
    meter: Meter,
    tally: Tally,
) -> Dialogue[Answer]:
    """Asks about one set; the asker's end. Says all before it hears anything.

    Args:
        settings: ours.
        peer: whom we ask.
        job: the inquiry.
        question: that `fits`.
        clearance: the ticket under which we ask.
        known: what the peer has said of its table.
        generations: of `reopened`.
        meter: counts what is done.
        tally: of all messages of this call.

    Raises:
        TicketRefused: the ticket does not cover what the table tells.
        PeerError: the peer said something else than an honest one.
    """
    now, told = datetime.now(UTC), known.manifest.columns
    cover(settings, peer, job, clearance.data, now, theirs=told)
    proposal = proposal_of(
        settings, peer, [question], clearance, hashlib.sha256(known.tables).digest()
    )
    yield proposal
    count = len(question.elements)
    yield wire.ShardRequest(elements=[count]).SerializeToString(deterministic=True)
    words = words_of(job.session, proposal, known.tables)
    tally.begin(words)
    agreed = parameters_of(words, question.spec, known.encoded, count)
    asker = Asker(question.elements, known.manifest.function, agreed, meter=meter)
    outputs = yield from asker.converse()
    return Answer(known.manifest, question.elements, outputs, generations)
