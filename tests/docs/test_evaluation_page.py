"""The figures of docs/evaluation.md are those that its commands print."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import make_twin
import pytest
from documents import ROOT, blocks, rows

from parties.cli import main
from parties.models.evaluation.truth import COLUMNS
from parties.models.loading import folder_of, load, names

PAGE = "docs/evaluation.md"
COUNTED = re.compile(
    r"(.+): found (.+), missed [\d,]+; near-misses found (.+); leads right (.+), false ([\d,]+)"
)


def test_the_commands_print_the_figures_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are run in this process: four programs would start for as long as they run."""
    (script,) = blocks(PAGE, "sh")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    printed = []
    for line in script.splitlines():
        program, *arguments = shlex.split(line)
        if program == "python":
            assert ROOT / arguments[0] == Path(make_twin.__file__)
            sys.argv = arguments
            make_twin.main()
            continue
        assert program == "greenlane"
        sys.argv = [program, *arguments]
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        assert Path(arguments[-1]).stat().st_mode & 0o777 == 0o600
        printed += map(found, filter(COUNTED.fullmatch, capsys.readouterr().out.splitlines()))
    titles = [load(folder_of(name)).title for name in names()]
    written = [row.cells for row in rows(PAGE) if row.heading in titles]
    assert written == printed
    assert len(printed) == sum(len(load(folder_of(name)).rules) + 1 for name in names())


def found(line: str) -> tuple[str, ...]:
    counted = COUNTED.fullmatch(line)
    if counted is None:
        return ()
    name, *shares = counted.groups()
    return name if name == "all rules" else f"`{name}`", *shares


def test_every_column_of_the_file_is_listed() -> None:
    listed = [
        (row.names(0)[0], row.cells[1])
        for row in rows(PAGE)
        if row.heading == "With your own history"
    ]
    assert listed == list(COLUMNS.items())
