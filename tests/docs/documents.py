"""The documents as the tests of this folder read them: texts, tables, blocks, links, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown.extensions.toc import slugify

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS: Final = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")),
    *PAGES,
]

_FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"`([^`]+)`")


def read(path: str | Path) -> str:
    """Returns a document's text."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path: str | Path, language: str) -> list[str]:
    """Returns the fenced blocks of one language, in order."""
    return [body for name, body in _FENCE.findall(read(path)) if name == language]


def prose(path: str | Path) -> str:
    """Returns a document without its fenced blocks."""
    return _FENCE.sub("", read(path))


def links(path: Path) -> list[str]:
    """Returns the targets of all links."""
    return _LINK.findall(prose(path))


def anchors(path: Path) -> set[str]:
    """Returns the anchors of all headings, as the site makes them."""
    headings = re.findall(r"^#+ +(.*)$", prose(path), re.MULTILINE)
    return {slugify(re.sub(r"[`*]", "", heading), "-") for heading in headings}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        heading: the nearest heading above it.
        cells: texts, without the space around them.
    """

    heading: str
    cells: tuple[str, ...]

    def names(self, column: int) -> list[str]:
        """Returns what stands between backticks in a cell."""
        return _CODE.findall(self.cells[column])


def rows(path: str | Path) -> Iterator[Row]:
    """Yields all rows of all tables, heads left out."""
    heading, head = "", True
    for line in prose(path).splitlines():
        if line.startswith("#"):
            heading = line.strip("# `")
        if not line.startswith("|"):
            head = True
        elif set(line) <= set("|- "):
            head = False
        elif not head:
            yield Row(heading, tuple(cell.strip() for cell in line.strip("|").split("|")))
