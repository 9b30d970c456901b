"""`greenlane models mine`: what concluded cases have in common, as draft rules and a scorecard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parties.cli.acting import As
from parties.cli.asking import AsJson
from parties.cli.output import give
from parties.cli.tables import Data, TablesMemory, bounds_of, must_be_html

if TYPE_CHECKING:
    from parties.models.mining.outcomes import Outcomes


def mine(
    line: Annotated[
        str, typer.Argument(metavar="LINE", help="Of business: auto, accident or flight_delay.")
    ],
    data: Data,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Of the node whose concluded clues count.")
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Outcomes: columns claim, outcome and maybe case."),
    ] = None,
    others: Annotated[
        bool, typer.Option("--others", help="Take all other claims for not confirmed.")
    ] = False,
    least: Annotated[
        int | None, typer.Option(min=2, max=1_000_000, help="Cases that a set must have.")
    ] = None,
    longest: Annotated[int, typer.Option(min=1, max=4, help="Facts that a set may have.")] = 3,
    drafts: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write sets as draft rules.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page to write.")
    ] = None,
    memory: TablesMemory = 3000,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Finds what confirmed cases have in common: draft rules for people to accept, a scorecard."""
    from datetime import UTC, datetime

    from parties.cli.mined import lines_of, values_of
    from parties.errors import SourceError
    from parties.models.mapping import mapped
    from parties.models.mining import drafts as drafting
    from parties.models.mining.finding import mine as mine_
    from parties.models.mining.outcomes import of_file
    from parties.models.mining.page import page_of
    from parties.models.tables import LINES
    from parties.whole_files import write_whole

    if line not in LINES:
        raise typer.BadParameter(f"LINE: must be one of {', '.join(LINES)}")
    if (settings is None) == (outcomes is None):
        raise typer.BadParameter("give either --settings or --outcomes")
    must_be_html(page)
    if drafts is not None:
        drafting.must_be_free(drafts)
    bounds = bounds_of(memory)
    known = of_file(outcomes) if outcomes is not None else _of_node(settings, as_)
    mined = mine_(mapped(data), line, known, bounds, least, longest, others=others)
    if page is not None and mined.rated is None:
        raise SourceError(mined.why_not)
    if drafts is not None and mined.proposed:
        day, amounts = datetime.now(UTC).date(), "amount" in mined.tables["claims"].columns
        pack = drafting.pack_of(mined.proposed, line, day, mined.whom, amounts=amounts)
        drafting.write(pack, drafts)
    if page is not None and mined.rated is not None:
        write_whole(page, page_of(mined, mined.rated).encode())
    give(values_of(mined, known), lines_of(mined, known, drafts, page), as_json=as_json)


def _of_node(path: Path | None, as_: Path | None) -> Outcomes:
    from parties.cli.acting import admitted
    from parties.cli.clue_acting import books_of
    from parties.clues.concluded import concluded
    from parties.models.mining.outcomes import of_ledger
    from parties.settings_file import load

    assert path is not None  # noqa: S101  # or there is a file
    loaded = load(path)
    admitted(loaded, "models mine", as_)
    with books_of(loaded) as books, books.limits.store.reading() as connection:
        return of_ledger(concluded(connection))
