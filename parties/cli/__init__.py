"""The program `greenlane`: one for both parties; the settings file says which one it is.

Every command has `--json`: one object on stdout, also for errors, `{"error": {...}}`. Exit codes
are those of `parties.errors`.

A command is imported when it is asked for, and imports what it needs when it runs. The help, wrong
usage and Ctrl-C while the program starts thus do not wait for gRPC and DuckDB.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Final

import typer

from parties.cli.output import run

COMMANDS: Final = {
    "init": "setting_up.init",
    "check": "setting_up.check",
    "serve": "serving.serve",
    "match": "asking.match",
    "count": "asking.count",
    "list": "asking.list_matches",
    "prepare": "inquiring.prepare",
    "fetch": "inquiring.fetch",
    "inquire": "inquiring.inquire",
    "erase": "erasing.erase",
    "results open": "opening.open_result",
    "operator issue": "operators.issue",
    "operator show": "operators.show",
    "operator whoami": "operators.whoami",
    "ticket draft": "tickets.draft",
    "ticket sign": "tickets.sign",
    "ticket show": "tickets.show",
    "ticket verify": "tickets.verify",
    "ticket revoke": "tickets.revoke",
    "ticket submit": "submitting.submit",
    "ticket state": "submitting.state",
    "inbox list": "inbox.list_tickets",
    "inbox show": "inbox.show",
    "inbox approve": "inbox.approve",
    "inbox refuse": "inbox.refuse",
    "store set-clock": "storing.set_clock",
    "audit show": "auditing.show",
    "audit verify": "auditing.verify",
    "audit compare": "auditing.compare",
    "audit export": "auditing.export",
    "audit key": "auditing.key",
    "models check": "modelling.check",
    "models try": "modelling.try_",
    "models page": "modelling.page",
    "models window": "modelling.window",
    "models rings": "ringing.rings",
    "models evaluate": "evaluating.evaluate",
    "models mine": "mining.mine",
    "clues list": "clue_listing.list_clues",
    "clues show": "clue_listing.show",
    "clues add": "clues.add",
    "clues assign": "clues.assign",
    "clues comment": "clues.comment",
    "clues review": "clues.review",
    "clues transfer": "clues.transfer",
    "clues accept": "clue_deciding.accept",
    "clues return": "clue_deciding.return_",
    "clues file": "clue_deciding.file",
    "clues conclude": "clue_deciding.conclude",
    "clues merge": "clue_deciding.merge",
    "clues send": "clues.send",
    "clues report": "clue_listing.report",
    "bench": "bench.bench",
    "version": "setting_up.version",
}
"""The words of each command, and where in this package it stands: module and function."""
GROUPS: Final = {
    "results": "What was learnt, where it is sealed.",
    "operator": "Certificates of the people who sign tickets.",
    "ticket": "Tickets: what two nodes may match, for what, and who has signed for it.",
    "inbox": "Tickets that peers have submitted, for people of this node to decide on.",
    "store": "The node's own state.",
    "models": "Rules that point at leads in what was matched.",
    "audit": "The log of this node, which both nodes can prove.",
    "clues": "Leads that people follow up: from the insurer to the police, and back.",
}
"""The first words of commands that have two."""


def app_of(names: Iterable[str]) -> typer.Typer:
    """Returns the program with these commands."""
    app = typer.Typer(
        name="greenlane",
        help="Private matching between insurers and police.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # a program with one command still is told which
    groups: dict[str, typer.Typer] = {}
    for name in names:
        group, _, word = name.rpartition(" ")
        if group and group not in groups:
            groups[group] = typer.Typer(rich_markup_mode=None, help=GROUPS[group])
            groups[group].callback()(lambda: None)
            app.add_typer(groups[group], name=group)
        groups.get(group, app).command(word)(_command(name))
    return app


def _command(name: str) -> Callable[..., None]:
    module, _, function = COMMANDS[name].rpartition(".")
    command: Callable[..., None] = getattr(import_module(f"{__name__}.{module}"), function)
    return command


def main() -> None:
    """Runs the program and leaves with its exit code.

    Raises:
        SystemExit: always.
    """
    # NumPy comes with a library for linear algebra, of which nothing is used. While it is imported
    # each of its threads would spin for a tenth of a second.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Typer reads the signatures of all commands that it has, which takes longer than all of ours.
    said = ["".join(sys.argv[1:2]), " ".join(sys.argv[1:3])]
    asked = [name for name in dict.fromkeys(said) if name in COMMANDS]
    run(app_of(asked or COMMANDS))
