"""A few identifiers by a match: for a peer that has prepared no table.

The peer works through all of its records for each such question, and does not count it as an
inquiry. It learns the size class of the question, of which the smallest is 128.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parties.age import opened
from parties.asking import Question, ask
from parties.disclosure import plain
from parties.errors import TicketRefused
from parties.identifiers import columns_of
from parties.inquiry_reports import Asked, InquiryReport, Told, question_of
from parties.operators.acting import Acting
from parties.reports import JobReport
from parties.settings import IdentifierSettings, Settings
from parties.sources import ArrowSource
from psi import Meter

PLACE: Final = "greenlane_place"
"""A column of the rows that are asked with: which of them it is."""


def match_few(
    settings: Settings,
    peer: str,
    asked: Mapping[str, Sequence[str]],
    meter: Meter,
    ticket: Path | None = None,
    acting: Acting | None = None,
) -> InquiryReport:
    """Matches a few identifiers, as if they were this node's file; nothing is left of it.

    Args:
        settings: of this node.
        peer: whom to ask.
        asked: identifiers as people write them, by set.
        meter: counts what is done.
        ticket: the file of the ticket, which must allow a match; None as of `Question`.
        acting: who asks; likewise.

    Raises:
        PartyError, PeerError: as `parties.asking.ask`.
    """
    began, told, jobs = time.monotonic(), list[Told](), list[JobReport]()
    for spec in settings.sets(tuple(name for name, values in asked.items() if values)):
        given, _ = question_of(spec, asked[spec.name])
        fine = [each for each in given if each.element is not None]
        found: dict[int, list[dict[str, Any]] | None] = {}
        if fine:
            # What the disk holds for a moment opens by a key that is nowhere else.
            key = Ed25519PrivateKey.generate()
            sealed_to = (key.public_key().public_bytes_raw(),)
            question = Question("match", peer, (spec.name,), ticket=ticket, acting=acting)
            question = question._replace(sealed_to=sealed_to)
            job = ask(settings, question, meter, _rows(spec, fine))
            jobs.append(job)
            if any(each.withheld for each in job.sets):
                raise TicketRefused(
                    "ticket-floor",
                    f"identifiers.{spec.name}: fewer hits than the floor of the ticket, or none; a "
                    "ticket with a floor is not for single identifiers",
                )
            found = _taken(job, peer, key)
        places = iter(range(len(fine)))
        told += [
            _told(each, found, None if each.element is None else next(places)) for each in given
        ]
    return InquiryReport(
        session=jobs[-1].session if jobs else "",
        peer=peer,
        epochs={},
        reason="by a match with all of the peer's records, since it has prepared no table",
        told=tuple(told),
        said_bytes=sum(job.said_bytes for job in jobs),
        heard_bytes=sum(job.heard_bytes for job in jobs),
        seconds=round(time.monotonic() - began, 3),
    )


def _rows(spec: IdentifierSettings, fine: Sequence[Asked]) -> ArrowSource:
    """The identifiers as rows: in the first column that may hold them; the others are empty."""
    values = pa.array([each.value for each in fine], pa.large_string())
    empty = pa.nulls(len(fine), pa.large_string())
    columns = dict.fromkeys(columns_of(spec), empty) | {spec.columns[0][0]: values}
    return ArrowSource(pa.table(columns | {PLACE: pa.array(range(len(fine)), pa.int64())}))


def _taken(
    job: JobReport, peer: str, key: Ed25519PrivateKey
) -> dict[int, list[dict[str, Any]] | None]:
    """The peer's records by place of the identifier, None if it tells none; removes the file."""
    assert job.result is not None, "a match from which this node learns"  # noqa: S101
    with job.result.open("rb") as file:
        joined = pq.read_table(pa.BufferReader(b"".join(opened(file, key))))
    folder = Path(job.result).parent
    job.result.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
    theirs = [name for name in joined.column_names if name.startswith(f"{peer}.")]
    found: dict[int, list[dict[str, Any]] | None] = {}
    for row in joined.select([PLACE, *theirs]).to_pylist():
        place = row.pop(PLACE)
        if not theirs:
            found[place] = None
            continue
        told = {name.removeprefix(f"{peer}."): plain(value) for name, value in row.items()}
        found[place] = [*(found.get(place) or []), told]
    return found


def _told(each: Asked, found: Mapping[int, list[dict[str, Any]] | None], place: int | None) -> Told:
    if place is None or place not in found:
        return Told(each.set, each.value, 0, [], each.reason, asked=place is not None)
    rows = found[place]
    return Told(
        each.set, each.value, 1 if rows is None else len(rows), rows, each.reason, asked=True
    )
