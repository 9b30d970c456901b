"""Options of commands that read joined tables, and how they tell what the tables hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from parties.models.filling import Held
    from parties.models.sandbox import Bounds

PackName = Annotated[
    str, typer.Argument(metavar="PACK", help="A pack that comes along, or a folder.")
]
Data = Annotated[
    list[Path],
    typer.Option(
        "--data",
        help="A mapping (TOML), a folder, or files named like the joined tables.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="RULE.PARAMETER=VALUE", help="A parameter, once for each."),
]
Plain = Annotated[bool, typer.Option("--plain", help="Tell identifiers in full.")]
Seconds = Annotated[int, typer.Option(min=1, max=86_400, help="For each rule.")]
Memory = Annotated[int, typer.Option(min=64, max=1 << 20, help="In all, in MB.")]
TablesMemory = Annotated[int, typer.Option(min=64, max=1 << 20, help="Of the tables, in MB.")]


def bounds_of(memory: int, seconds: int | None = None) -> Bounds:
    """Returns the bounds that options say, on all cores."""
    from parties.models.sandbox import Bounds

    bounds = Bounds(memory=f"{memory}MB", threads=len(os.sched_getaffinity(0)))
    return bounds if seconds is None else bounds._replace(seconds=float(seconds))


def must_be_html(page: Path | None) -> None:
    """Checks the name of a page that is to be written, if there is one.

    Raises:
        SettingsError: it does not end in .html.
    """
    from parties.errors import SettingsError

    if page is not None and page.suffix != ".html":
        raise SettingsError(f"{page.name}: must end in .html")


def tables_values(tables: Mapping[str, Held]) -> dict[str, Any]:
    """What tables hold as JSON values."""
    return {
        name: {"rows": held.rows, "left_out": dict(held.left_out)} for name, held in tables.items()
    }


def tables_lines(tables: Mapping[str, Held]) -> Iterator[str]:
    """What tables hold as lines."""
    for name, held in tables.items():
        left = "".join(f"; {what} left out: {n:,}" for what, n in held.left_out.items())
        yield f"{name}: {held.rows:,} rows{left}"
