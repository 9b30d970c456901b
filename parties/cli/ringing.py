"""`greenlane models rings`: which claims things tie together, in words and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.asking import AsJson
from parties.cli.output import give
from parties.cli.tables import (
    Data,
    Plain,
    TablesMemory,
    bounds_of,
    must_be_html,
    tables_lines,
    tables_values,
)

if TYPE_CHECKING:
    from parties.models.rings.ring import Found, Ring


def rings(
    data: Data,
    most: Annotated[
        int, typer.Option(min=1, max=1000, help="Rings that are told, the first ones.")
    ] = 20,
    widest: Annotated[
        int, typer.Option(min=2, max=100_000, help="Claims that one thing may tie.")
    ] = 100,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page to write, with pictures.")
    ] = None,
    plain: Plain = False,
    memory: TablesMemory = 3000,
    as_json: AsJson = False,
) -> None:
    """Finds claims that persons, vehicles, phones or accounts tie together; they are leads."""
    from parties.models.mapping import mapped
    from parties.models.rings.finding import find
    from parties.models.rings.page import page_of
    from parties.whole_files import write_whole

    must_be_html(page)
    found = find(mapped(data), bounds_of(memory), most, widest, plain=plain)
    if page is not None:
        write_whole(page, page_of(found).encode())
    give(_values(found), _lines(found, page), as_json=as_json)


def _values(found: Found) -> dict[str, Any]:
    return {
        "tables": tables_values(found.tables),
        "rings_found": found.number,
        "loose": found.loose,
        "too_wide": dict(found.too_wide),
        "of_houses": dict(found.of_houses),
        "rings": [_ring(each) for each in found.rings],
    }


def _ring(ring: Ring) -> dict[str, Any]:
    from parties.models.rings.words import INNOCENT, explained

    return {
        "rank": ring.rank,
        "score": ring.score.whole,
        "parts": ring.score._asdict(),
        "beyond_chance": ring.beyond,
        "amount": None if ring.amount is None else str(ring.amount),
        "claims": list(ring.claims),
        "ties": [each._asdict() for each in ring.ties],
        "reason": explained(ring),
        "innocent": INNOCENT,
    }


def _lines(found: Found, page: Path | None) -> list[str]:
    from parties.models.rings.words import INNOCENT, amount_of, explained, left_out, score_of

    lines = [*tables_lines(found.tables)]
    lines += left_out(found)
    lines.append(f"rings: {found.number:,}, of which {len(found.rings):,} are told")
    for ring in found.rings:
        lines += ["", f"ring {ring.rank}, {amount_of(ring)}, {score_of(ring)}"]
        lines += [f"  {line}" for line in explained(ring)]
    if found.rings:
        lines += ["", f"innocent if: {INNOCENT}"]
    if page is not None:
        lines += ["", f"wrote {page}"]
    return lines
