"""The hallway of an inquirer: from a few identifiers to what insurers or police hold under them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from arro3.core import Array, DataType

from parties import logs
from parties.channel import Identity, Peer
from parties.disclosure import table
from parties.errors import SettingsError
from parties.identifiers import domain
from parties.identifiers.sets import WARNING
from parties.inquiries import Answer, Question, ask
from parties.settings import IdentifierSettings, Settings
from psi import Elements, Meter, _core
from psi.lazily import np


class Asked(NamedTuple):
    """One identifier that is asked about.

    Attributes:
        set: of identifiers.
        value: as it was given.
        element: its place in the question; None if it was rejected.
        reason: why it was rejected, or kept with a doubt; empty if it is fine.
    """

    set: str
    value: str
    element: int | None
    reason: str


class Told(NamedTuple):
    """What a peer holds under one identifier.

    Attributes:
        set: of identifiers.
        value: as it was given.
        records: how many the peer has; of a peer that tells members alone 1 or 0.
        rows: the agreed columns of each; None of a peer that tells members alone.
        reason: why it was not asked about, or was in spite of a doubt; empty if it is fine.
        asked: whether it was asked about.
    """

    set: str
    value: str
    records: int
    rows: list[dict[str, Any]] | None
    reason: str
    asked: bool


class InquiryReport(NamedTuple):
    """An inquiry of one peer.

    Attributes:
        session: the same in the logs of both nodes.
        peer: its name.
        epochs: of the tables that were read, by set.
        told: for each identifier, in the order in which they were given.
        said_bytes: sent to the peer.
        heard_bytes: received from it.
        seconds: of all.
    """

    session: str
    peer: str
    epochs: Mapping[str, str]
    told: tuple[Told, ...]
    said_bytes: int
    heard_bytes: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return self._asdict() | {"told": [each._asdict() for each in self.told]}

    def lines(self) -> list[str]:
        """The report as lines for people."""
        asked = sum(each.asked for each in self.told)
        hits = sum(each.records > 0 for each in self.told)
        lines = [f"{self.peer}: {asked:,} asked about, {hits:,} found, session {self.session}"]
        for each in self.told:
            if not each.asked:
                lines.append(f"  {each.set} {each.value}: not asked about, {each.reason}")
            elif each.records:
                doubt = f" ({each.reason})" if each.reason else ""
                count = "found" if each.rows is None else f"{each.records:,} records"
                lines.append(f"  {each.set} {each.value}: {count}{doubt}")
                for row in each.rows or ():
                    cells = (f"{name} {value}" for name, value in row.items() if value is not None)
                    lines.append(f"    {', '.join(cells)}")
        lines += [f"  epoch of {name}: {epoch}" for name, epoch in self.epochs.items()]
        lines.append(
            f"  {self.said_bytes:,} bytes said, {self.heard_bytes:,} heard, {self.seconds:.2f} s"
        )
        return lines


def inquire(
    settings: Settings, peer_name: str, asked: Mapping[str, Sequence[str]], meter: Meter
) -> InquiryReport:
    """Asks a peer about identifiers; the peer learns how many of each set, and nothing else.

    Its tables are fetched first, as far as they are not here yet; sets without an identifier are
    fetched only.

    Args:
        settings: of this node.
        peer_name: whom to ask.
        asked: identifiers as people write them, by set.
        meter: counts what is done.

    Raises:
        PartyError: see `parties.errors`; nothing was learnt.
        PeerError: the peer said something else than an honest one; nothing was learnt.
    """
    began, peer, session = time.monotonic(), settings.peer(peer_name), secrets.token_hex(16)
    specs = settings.sets(tuple(asked))
    pairs = [_question(spec, asked[spec.name]) for spec in specs]
    questions = [question for _, question in pairs]
    log = logs.Log(peer=peer.name, session=session)
    sizes = [len(question.elements) for question in questions]
    log.info("inquiry_asked", sets=[spec.name for spec in specs], elements=sizes)
    logs.must_be_writable()
    identity = Identity(settings.node.certificate, settings.node.key)
    node = Peer(identity, peer, patience=settings.node.patience)
    answers = node.call(ask(settings, peer, session, questions, meter), session)
    told = [
        each
        for (given, _), answer in zip(pairs, answers, strict=True)
        for each in _told(given, answer)
    ]
    log.info("inquiry_done", elements=sizes, found=sum(each.records > 0 for each in told))
    return InquiryReport(
        session=session,
        peer=peer.name,
        epochs={each.manifest.set: each.manifest.epoch for each in answers},
        told=tuple(told),
        said_bytes=node.carried.said_bytes,
        heard_bytes=node.carried.heard_bytes,
        seconds=round(time.monotonic() - began, 3),
    )


def inquire_all(
    settings: Settings, peers: Sequence[str], asked: Mapping[str, Sequence[str]], meter: Meter
) -> list[InquiryReport]:
    """Asks several peers at the same time; as `inquire`.

    Raises:
        PartyError, PeerError: of the first peer, in their order, that did not answer.
    """
    with ThreadPoolExecutor(max(len(peers), 1), thread_name_prefix="inquiry") as threads:
        return list(threads.map(lambda peer: inquire(settings, peer, asked, meter), peers))


async def inquire_async(
    settings: Settings, peer_name: str, asked: Mapping[str, Sequence[str]]
) -> InquiryReport:
    """As `inquire`, for programs that run an event loop, which goes on meanwhile."""
    return await asyncio.to_thread(inquire, settings, peer_name, asked, Meter())


def _question(spec: IdentifierSettings, values: Sequence[str]) -> tuple[list[Asked], Question]:
    """Normalises what was given; an identifier that is given twice is asked about once."""
    if spec.parts:
        raise SettingsError(
            f"identifiers.{spec.name}: a composite cannot be asked about by one text; use match"
        )
    given = Array(list(values), DataType.large_string())
    normalised, reasons, _ = _core.normalise(spec.kind, given)
    texts, places, asked = _core.reasons(), dict[str, int](), list[Asked]()
    for value, text, code in zip(values, normalised.to_pylist(), reasons, strict=True):
        place = None if text is None else places.setdefault(text, len(places))
        reason = texts[code].removeprefix(WARNING) or ("empty" if text is None else "")
        asked.append(Asked(spec.name, value, place, reason))
    return asked, Question(spec, Elements.hash(list(places), domain(spec)))


def _told(asked: Sequence[Asked], answer: Answer) -> list[Told]:
    manifest, found = answer
    rows: list[list[dict[str, Any]]] = [[] for _ in found.counts]
    if manifest.label is not None:
        cells = table(np.ascontiguousarray(found.labels), manifest.columns).to_pylist()
        for position, row in zip(found.positions.tolist(), cells, strict=True):
            rows[position].append(row)
    return [
        Told(
            set=each.set,
            value=each.value,
            records=0 if each.element is None else int(found.counts[each.element]),
            rows=None
            if manifest.label is None
            else ([] if each.element is None else rows[each.element]),
            reason=each.reason,
            asked=each.element is not None,
        )
        for each in asked
    ]
