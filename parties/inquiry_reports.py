"""What is asked of a peer, identifier by identifier, and what it told; for people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arro3.core import Array, DataType

from parties.errors import PartyError, SettingsError, SourceError, code_of, exit_code
from parties.identifiers import Asked as Blocked
from parties.identifiers import domain
from parties.identifiers.sets import WARNING
from parties.inquiries import MOST_ASKED, Question
from parties.settings import IdentifierSettings
from psi import Elements, PsiError, _core
from psi.lazily import NamedTuple


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
        epochs: of the tables that were read, by set; none without a table.
        reason: how it was asked and why so, one sentence.
        told: for each identifier, in the order in which they were given.
        said_bytes: sent to the peer.
        heard_bytes: received from it.
        seconds: of all.
    """

    session: str
    peer: str
    epochs: Mapping[str, str]
    reason: str
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
        lines = [
            f"{self.peer}: {asked:,} asked about, {hits:,} found, session {self.session}",
            f"  {self.reason}",
        ]
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


def question_of(spec: IdentifierSettings, values: Sequence[str]) -> tuple[list[Asked], Question]:
    """Normalises what was given; an identifier that is given twice is asked about once.

    Raises:
        SettingsError: the set is a composite.
        SourceError: too many are asked about at once.
    """
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
    looked = Blocked(spec.kind)
    looked.add(normalised)
    return asked, Question(spec, Elements.hash(list(places), domain(spec)), looked.blocks())
