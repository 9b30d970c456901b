"""Commands of the program, run in this process as its users would."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import pytest

from parties import cli
from parties.operators import keys as operator_keys
from parties.operators.keys import PASSPHRASE
from parties.operators.papers import AS, TOKEN

WORDS = "correct horse battery"
"""The passphrase of everybody's key."""


class Left(NamedTuple):
    """How a command left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, with --json."""
        return json.loads(self.out)

    @property
    def code(self) -> Any:
        """The code word of its error, with --json."""
        return self.json["error"]["code"]


Run: TypeAlias = Callable[..., Left]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Returns what runs a command; keys are quick to open, and nobody is shown unasked."""
    monkeypatch.setattr(operator_keys, "ROUNDS", 1000)
    monkeypatch.setenv(PASSPHRASE, WORDS)
    monkeypatch.delenv(AS, raising=False)
    monkeypatch.delenv(TOKEN, raising=False)

    def run(*words: object) -> Left:
        monkeypatch.setattr(sys, "argv", ["greenlane", *map(str, words)])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        said = capsys.readouterr()
        return Left(int(leave.value.code or 0), said.out, said.err)

    return run
