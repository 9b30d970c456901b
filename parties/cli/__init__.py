"""The program `greenlane`: one for both parties; the settings file says which one it is.

Every command has `--json`: one object on stdout, also for errors, `{"error": {...}}`. Exit codes
are those of `parties.errors`.

The commands import what they need when they run. The help, wrong usage and Ctrl-C while the program
starts thus do not wait for pyarrow, DuckDB and gRPC, which take most of a second.
"""

from __future__ import annotations

import os

import typer

from parties.cli import asking, bench, serving, setting_up
from parties.cli.output import run

app = typer.Typer(
    name="greenlane",
    help="Private matching between insurers and police.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(setting_up.init)
app.command("check")(setting_up.check)
app.command("serve")(serving.serve)
app.command("match")(asking.match)
app.command("count")(asking.count)
app.command("bench")(bench.bench)
app.command("version")(setting_up.version)


def main() -> None:
    """Runs the program and leaves with its exit code.

    Raises:
        SystemExit: always.
    """
    # NumPy comes with a library for linear algebra, of which nothing is used. While it is imported
    # each of its threads would spin for a tenth of a second.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run(app)
