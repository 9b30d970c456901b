"""The hallway of an inquirer: from a few identifiers to what insurers or police hold under them."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from arro3.core import Array, DataType

from parties import logs
from parties.channel import Identity, Peer
from parties.disclosure import cells
from parties.errors import (
    PartyError,
    SettingsError,
    SourceError,
    TableRefused,
    code_of,
    exit_code,
)
from parties.identifiers import domain
from parties.identifiers.sets import WARNING
from parties.inquiries import MOST_ASKED, Answer, Question, ask
from parties.settings import IdentifierSettings, Settings
from psi import Elements, Meter, PsiError, _core
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
                    told = (f"{name} {value}" for name, value in row.items() if value is not None)
                    lines.append(f"    {_printable(', '.join(told))}")
        lines += [f"  epoch of {name}: {epoch}" for name, epoch in self.epochs.items()]
        lines.append(
            f"  {self.said_bytes:,} bytes said, {self.heard_bytes:,} heard, {self.seconds:.2f} s"
        )
        return lines


class InquiryFailure(NamedTuple):
    """A peer that did not answer.

    Attributes:
        peer: its name.
        error: why not.
    """

    peer: str
    error: PartyError | PsiError

    def as_json(self) -> dict[str, Any]:
        """The error as plain values, as every command tells one."""
        error = {
            "code": code_of(self.error),
            "message": str(self.error),
            "exit_code": exit_code(self.error),
        }
        return {"peer": self.peer, "error": error}

    def lines(self) -> list[str]:
        """The error as a line for people."""
        return [f"{self.peer}: no answer, {self.error}"]


def _printable(text: str) -> str:
    """What a peer says, without what would steer a terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class Inquirer:
    """Asks one peer, again and again; stays connected until it is closed. For several threads.

    Args:
        settings: of this node.
        peer: the name of whom to ask.

    Raises:
        SettingsError: there is no such peer.
    """

    def __init__(self, settings: Settings, peer: str) -> None:
        self._settings = settings
        self._peer = settings.peer(peer)
        self._idle: list[Peer] = []  # taken and put back by one thread each

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        while self._idle:
            self._idle.pop().__exit__()

    def ask(self, asked: Mapping[str, Sequence[str]], meter: Meter | None = None) -> InquiryReport:
        """Asks about identifiers; the peer learns how many of each set, and nothing else.

        Its tables are fetched first, as far as they are not here yet; sets without an identifier
        are fetched only.

        Args:
            asked: identifiers as people write them, by set.
            meter: counts what is done.

        Raises:
            PartyError: see `parties.errors`; nothing was learnt.
            PeerError: the peer said something else than an honest one; nothing was learnt.
        """
        began, session = time.monotonic(), secrets.token_hex(16)
        specs = self._settings.sets(tuple(asked))
        pairs = [_question(spec, asked[spec.name]) for spec in specs]
        questions = [question for _, question in pairs]
        log = logs.Log(peer=self._peer.name, session=session)
        sizes = [len(question.elements) for question in questions]
        log.info("inquiry_asked", sets=[spec.name for spec in specs], elements=sizes)
        logs.must_be_writable()
        node = self._idle.pop() if self._idle else self._connected()
        try:
            dialogue = ask(self._settings, self._peer, session, questions, meter or Meter())
            try:
                answers = node.call(dialogue, session)
            except TableRefused as refused:
                if refused.code != "manifest-stale":
                    raise
                # Nothing was counted yet; and it is no fault of the peer's if another question of
                # this node has fetched a younger table since the peer said which one it has.
                session = secrets.token_hex(16)
                dialogue = ask(self._settings, self._peer, session, questions, meter or Meter())
                answers = node.call(dialogue, session)
            carried = node.carried
        finally:
            self._idle.append(node)
        told = [
            each
            for (given, _), answer in zip(pairs, answers, strict=True)
            for each in _told(given, answer)
        ]
        log.info("inquiry_done", elements=sizes, found=sum(each.records > 0 for each in told))
        return InquiryReport(
            session=session,
            peer=self._peer.name,
            epochs={each.manifest.set: each.manifest.epoch for each in answers},
            told=tuple(told),
            said_bytes=carried.said_bytes,
            heard_bytes=carried.heard_bytes,
            seconds=round(time.monotonic() - began, 3),
        )

    def _connected(self) -> Peer:
        node = self._settings.node
        identity = Identity(node.certificate, node.key)
        return Peer(identity, self._peer, patience=node.patience).__enter__()


class AsyncInquirer:
    """As `Inquirer`, for programs that run an event loop, which goes on meanwhile.

    Several questions may be asked at once; each runs in a thread of the loop's pool.
    """

    def __init__(self, settings: Settings, peer: str) -> None:
        self._inquirer = Inquirer(settings, peer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._inquirer.close)

    async def ask(self, asked: Mapping[str, Sequence[str]]) -> InquiryReport:
        """As `Inquirer.ask`."""
        return await asyncio.to_thread(self._inquirer.ask, asked)


def inquire(
    settings: Settings, peer: str, asked: Mapping[str, Sequence[str]], meter: Meter
) -> InquiryReport:
    """Asks a peer once; as `Inquirer.ask`."""
    with Inquirer(settings, peer) as inquirer:
        return inquirer.ask(asked, meter)


def inquire_all(
    settings: Settings, peers: Sequence[str], asked: Mapping[str, Sequence[str]], meter: Meter
) -> list[InquiryReport | InquiryFailure]:
    """Asks several peers at once; as `Inquirer.ask`, but one's error is not the others'."""
    if len(peers) == 1:
        return [_one(settings, peers[0], asked, meter)]
    answers: dict[int, InquiryReport | InquiryFailure] = {}

    def ask_one(number: int) -> None:
        answers[number] = _one(settings, peers[number], asked, meter)

    # Daemons: who interrupts the program does not wait for a peer.
    threads = [
        threading.Thread(target=ask_one, args=(number,), name="inquiry", daemon=True)
        for number in range(len(peers))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(peers))]


def _one(
    settings: Settings, peer: str, asked: Mapping[str, Sequence[str]], meter: Meter
) -> InquiryReport | InquiryFailure:
    try:
        return inquire(settings, peer, asked, meter)
    except (PartyError, PsiError) as error:
        return InquiryFailure(peer, error)


def _question(spec: IdentifierSettings, values: Sequence[str]) -> tuple[list[Asked], Question]:
    """Normalises what was given; an identifier that is given twice is asked about once."""
    if spec.parts:
        raise SettingsError(
            f"identifiers.{spec.name}: a composite cannot be asked about by one text; use match"
        )
    if len(values) > MOST_ASKED:
        raise SourceError(
            f"identifiers.{spec.name}: {len(values)} are asked about at once, at most {MOST_ASKED} "
            "may be; ask in parts, or use match"
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
    manifest, found = answer.manifest, answer.found()
    rows: list[list[dict[str, Any]]] = [[] for _ in found.counts]
    if manifest.label is not None:
        records = cells(np.ascontiguousarray(found.labels), manifest.columns)
        for position, row in zip(found.positions.tolist(), records, strict=True):
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
