"""What does not hold in a log, or between two; for people and programs."""

from __future__ import annotations

from typing import Any, Final

from psi.lazily import NamedTuple

MOST: Final = 100
"""Findings that are told one by one; of a log in which more is wrong the rest is counted."""


class Finding(NamedTuple):
    """One thing that does not hold.

    Attributes:
        code: what it is, a stable word.
        number: of the line; None if it is about none.
        text: one sentence.
    """

    code: str
    number: int | None
    text: str


class Findings:
    """Findings as they come up; memory does not grow with how much is wrong."""

    def __init__(self) -> None:
        self.told: list[Finding] = []
        self.more = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.told) + self.more

    def add(self, code: str, number: int | None, text: str) -> None:
        """Adds one."""
        if len(self.told) < MOST:
            self.told.append(Finding(code, number, text))
        else:
            self.more += 1


class Report(NamedTuple):
    """What verifying a log has shown.

    Attributes:
        node: whose log it is.
        log: its id, hexadecimal.
        first: number of the first line that was read.
        last: number of the last line that was read; below `first` if there was none.
        lines: how many were read.
        since: the time of the first of them; empty if there was none.
        until: the time of the last of them.
        heads: how many signed heads there are.
        receipts: how many receipts are kept.
        proven: number of the last line under a head that holds.
        signer: fingerprint of the certificate that signed that head; empty without one.
        signed: when that head was signed; empty without one.
        findings: what does not hold, at most `MOST`.
        more: how many findings are left out.
    """

    node: str
    log: str
    first: int
    last: int
    lines: int
    since: str
    until: str
    heads: int
    receipts: int
    proven: int
    signer: str
    signed: str
    findings: tuple[Finding, ...]
    more: int

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        findings = [each._asdict() for each in self.findings]
        return self._asdict() | {"findings": findings, "holds": self.holds}

    def text(self) -> list[str]:
        """The report as lines for people."""
        said = [
            f"log of {self.node}: lines {self.first:,} to {self.last:,}, {self.heads:,} signed "
            f"heads, {self.receipts:,} receipts"
        ]
        if self.signer:
            said.append(
                f"  proven up to line {self.proven:,} by the head of {self.signed}, under "
                f"{self.signer}"
            )
        return said + found(self.findings, self.more)


def found(findings: tuple[Finding, ...], more: int) -> list[str]:
    """Findings as lines for people."""
    said = [f"  {each.code}: {each.text}" for each in findings]
    if more:
        said.append(f"  and {more:,} more")
    return said or ["  everything holds"]
