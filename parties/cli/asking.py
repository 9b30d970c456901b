"""`greenlane match` and `greenlane count`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parties.cli.options import Parser, Usage, add_settings
from parties.cli.output import give, keep_imported

if TYPE_CHECKING:
    from parties.asking import Question
    from parties.joining import Format

LEARNS: Final = ("us", "peer", "both")
PROTOCOLS: Final = ("vole", "vole-malicious", "vole-stationary", "dh")
FORMATS: Final = ("parquet", "csv", "arrow")


def match_options(parser: Parser) -> None:
    """Adds the options of `match`."""
    _add_question(parser, "Who learns which are in common; default: us.")
    parser.add_argument(
        "--out", type=Path, help="File for joined rows; default: in the results folder."
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="parquet", help="Of that file; default: parquet."
    )
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, help="How; default: what the planner finds fastest."
    )


def count_options(parser: Parser) -> None:
    """Adds the options of `count`."""
    _add_question(parser, "Who learns how many, us or peer; default: us.")


def _add_question(parser: Parser, learns: str) -> None:
    add_settings(parser)
    parser.add_argument("--peer", required=True, help="The node to ask, as in [peers.NAME].")
    parser.add_argument(
        "--set",
        dest="sets",
        action="append",
        default=[],
        help="An identifier set, as in [identifiers.NAME]; default: all.",
    )
    parser.add_argument("--learns", choices=LEARNS, default="us", help=learns)


def match(
    settings: Path,
    peer: str,
    sets: list[str],
    learns: str,
    out: Path | None,
    format: Format,
    protocol: str | None,
    as_json: bool,
) -> None:
    """Learns which of our identifiers the peer knows; joins our rows with its agreed columns."""
    from parties.asking import Question

    question = Question(
        way="match",
        peer=peer,
        sets=tuple(sets),
        receive=learns != "peer",
        both=learns == "both",
        protocol=protocol,
        out=out,
        format=format,
    )
    _ask(settings, question, as_json=as_json)


def count(settings: Path, peer: str, sets: list[str], learns: str, as_json: bool) -> None:
    """Learns how many of our identifiers the peer knows, and nobody learns which."""
    if learns == "both":
        raise Usage("a count is learnt by one side; run it once each way")
    from parties.asking import Question

    question = Question(way="count", peer=peer, sets=tuple(sets), receive=learns == "us")
    _ask(settings, question, as_json=as_json)


def _ask(path: Path, question: Question, *, as_json: bool) -> None:
    from parties import logs
    from parties.asking import ask
    from parties.cli.progress import Progress
    from parties.settings_file import load
    from parties.threads import use
    from psi import Meter

    keep_imported()
    # Whoever ends the program in another way than with Ctrl-C gets the same order as with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    settings = load(path)
    logs.set_up(settings.node.log)
    use(settings.node.threads)
    meter = Meter()
    with Progress(meter):
        report = ask(settings, question, meter)
    give(report.as_json(), report.lines(), as_json=as_json)
