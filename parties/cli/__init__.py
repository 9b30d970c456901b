"""The program `greenlane`: one for both parties; the settings file says which one it is.

Every command has `--json`: one object on stdout, also for errors, `{"error": {...}}`. Exit codes
are those of `parties.errors`.

The commands import what they need when they run. The help, wrong usage and Ctrl-C while the program
starts thus do not wait for pyarrow, DuckDB and gRPC, which take most of a second.
"""

from __future__ import annotations

import gc
import os
import sys

from parties.cli import asking, bench, serving, setting_up
from parties.cli.options import Command, Parser
from parties.cli.output import run

COMMANDS: tuple[Command, ...] = (
    Command("init", setting_up.init, setting_up.init_options),
    Command("check", setting_up.check, setting_up.check_options),
    Command("serve", serving.serve, serving.options),
    Command("match", asking.match, asking.match_options),
    Command("count", asking.count, asking.count_options),
    Command("bench", bench.bench, bench.options),
    Command("version", setting_up.version, setting_up.version_options),
)


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """Returns the parser of the program, and those of its commands by name."""
    program = Parser(prog="greenlane", description="Private matching between insurers and police.")
    places = program.add_subparsers(metavar="COMMAND", required=True)
    return program, {each.name: each.parser(places) for each in COMMANDS}


def app() -> int | None:
    """Runs the command that the command line names; returns its exit code, None for 0.

    Raises:
        Usage: there is no such command or option.
    """
    given = vars(parsers()[0].parse_args(sys.argv[1:]))
    command: Command = given.pop("command")
    return command.run(**given)


def main() -> None:
    """Runs the program and leaves with its exit code."""
    gc.disable()  # until `keep_imported`
    # NumPy comes with a library for linear algebra, of which nothing is used. While it is imported
    # each of its threads would spin for a tenth of a second.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run(app)
