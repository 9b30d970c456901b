"""`greenlane models rings`: which claims things tie together, in words and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.asking import AsJson
from parties.cli.output import give

if TYPE_CHECKING:
    from parties.models.rings.ring import Found, Ring


def rings(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="A mapping (TOML), a folder, or files named like the joined tables.",
        ),
    ],
    most: Annotated[
        int, typer.Option(min=1, max=1000, help="Rings that are told, the first ones.")
    ] = 20,
    widest: Annotated[
        int, typer.Option(min=2, max=100_000, help="Claims that one thing may tie.")
    ] = 100,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page to write, with pictures.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Tell identifiers in full.")] = False,
    memory: Annotated[int, typer.Option(min=64, max=1 << 20, help="Of the tables, in MB.")] = 3000,
    as_json: AsJson = False,
) -> None:
    """Finds claims that persons, vehicles, phones or accounts tie together; they are leads."""
    import os

    from parties.errors import SettingsError
    from parties.models.mapping import mapped
    from parties.models.rings.finding import find
    from parties.models.rings.page import page_of
    from parties.models.sandbox import Bounds
    from parties.whole_files import write_whole

    if page is not None and page.suffix != ".html":
        raise SettingsError(f"{page.name}: must end in .html")
    bounds = Bounds(memory=f"{memory}MB", threads=len(os.sched_getaffinity(0)))
    found = find(mapped(data), bounds, most, widest, plain=plain)
    if page is not None:
        write_whole(page, page_of(found).encode())
    give(_values(found), _lines(found, page), as_json=as_json)


def _values(found: Found) -> dict[str, Any]:
    return {
        "tables": {
            name: {"rows": held.rows, "left_out": dict(held.left_out)}
            for name, held in found.tables.items()
        },
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

    lines = []
    for name, held in found.tables.items():
        left = "".join(f"; {what} left out: {n:,}" for what, n in held.left_out.items())
        lines.append(f"{name}: {held.rows:,} rows{left}")
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
