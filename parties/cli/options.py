"""The options of the commands, and how they are read.

`argparse` stands in a hundredth of a second, which every job waits for; libraries that derive
options from annotations take twenty times as long.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    Places = argparse._SubParsersAction["Parser"]


class Usage(Exception):
    """The command line is wrong; its text says where."""


class Parser(argparse.ArgumentParser):
    """A parser that knows options by their whole names only, and raises `Usage`."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options, allow_abbrev=False)  # type: ignore[arg-type]  # passed on

    def error(self, message: str) -> NoReturn:
        """Refuses the command line.

        Raises:
            Usage: always.
        """
        raise Usage(message)


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: of the command.
        run: what it does, with its options as arguments; its docstring is the help. Returns the
            exit code, None for 0.
        options: adds its options to a parser.
    """

    name: str
    run: Callable[..., int | None]
    options: Callable[[Parser], None]

    def parser(self, places: Places) -> Parser:
        """Adds a parser for this command and returns it."""
        words = (self.run.__doc__ or "").strip()
        parser = places.add_parser(self.name, help=words, description=words)
        parser.set_defaults(command=self)
        self.options(parser)
        parser.add_argument(
            "--json", dest="as_json", action="store_true", help="Print one JSON object."
        )
        return parser


def add_settings(parser: Parser) -> None:
    """Adds the settings file of this node, which must be given."""
    parser.add_argument(
        "--settings", type=Path, required=True, help="The settings file of this node."
    )


def positive(text: str) -> int:
    """Reads a whole number from 1 on.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
