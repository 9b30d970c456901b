"""`greenlane models`: packs of rules, checked, tried over joined tables, and written down."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parties.cli.asking import AsJson
from parties.cli.output import give
from parties.cli.tables import (
    Data,
    Memory,
    PackName,
    Parameters,
    Seconds,
    bounds_of,
    tables_lines,
    tables_values,
)

if TYPE_CHECKING:
    from parties.models.pack import Pack
    from parties.models.trying import Trial


def check(
    packs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACK]...", help="Packs or folders; default: all that come along."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Looks through packs of rules, and runs none of them over any row."""
    from parties.models.checking import checked
    from parties.models.loading import folder_of, names

    found = [checked(folder_of(name)) for name in packs or names()]
    values = [
        {
            "name": pack.name,
            "version": pack.version,
            "line": pack.line,
            "rules": [{"name": rule.name, "version": rule.version} for rule in pack.rules],
            "drafts": pack.drafts,
            "digest": pack.digest,
        }
        for pack in found
    ]
    lines = [line for pack in found for line in _checked(pack)]
    give({"packs": values}, lines, as_json=as_json)


def _checked(pack: Pack) -> list[str]:
    lines = [f"{pack.name} {pack.version}: {len(pack.rules)} rules, digest {pack.digest}"]
    if pack.drafts:
        lines.append(f"  drafts, which nobody has accepted: {', '.join(pack.drafts)}")
    return lines


def try_(
    pack: PackName,
    data: Data,
    set_: Parameters = None,
    most: Annotated[
        int, typer.Option(min=1, max=100_000, help="Leads of a rule that are told.")
    ] = 20,
    seconds: Seconds = 60,
    memory: Memory = 3000,
    as_json: AsJson = False,
) -> None:
    """Runs the rules of a pack over joined tables. What they find are leads, to be looked at."""
    from parties.models.checking import checked
    from parties.models.loading import folder_of
    from parties.models.mapping import mapped
    from parties.models.trying import numbers_of, tried

    loaded = checked(folder_of(pack))
    numbers = numbers_of(loaded, set_ or [])
    bounds = bounds_of(memory, seconds)
    trial = tried(loaded, mapped(data), numbers, bounds, most)
    give(_values(trial), _lines(trial), as_json=as_json)


def page(
    packs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACK]...", help="Packs or folders; default: all that come along."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Writes down what the rules of packs look for, as a page in Markdown."""
    from parties.models.checking import checked
    from parties.models.loading import folder_of, names
    from parties.models.page import written

    text = written([checked(folder_of(name)) for name in packs or names()])
    give({"page": text}, [text.removesuffix("\n")], as_json=as_json)


class SideName(StrEnum):
    """Of which rows keys are made."""

    CLAIMS = "claims"
    RECORDS = "records"


def window(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows: CSV, Parquet or Arrow.")],
    of: Annotated[SideName, typer.Option(help="What the rows are.")],
    time: Annotated[str, typer.Option(help="The column with the local time of each.")],
    until: Annotated[int, typer.Option(help="How long after the record at most, in seconds.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    after: Annotated[
        int, typer.Option(help="How long after the record at least; negative for before.")
    ] = 0,
    ended: Annotated[
        str | None, typer.Option(help="The column with the time at which each record ended.")
    ] = None,
    grain: Annotated[int, typer.Option(help="The smallest bucket of time, in seconds.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Adds keys to rows, by which a match decides whether a claim is in a window of a record."""
    from parties.errors import SettingsError
    from parties.joining import write
    from parties.models.mapping import opened
    from parties.models.windowing import Windowed
    from parties.models.windows import Window

    if out.suffix not in (".csv", ".parquet"):
        raise SettingsError(f"{out.name}: must end in .csv or .parquet, which a source may be")
    keys = Window(after, until, grain).checked()
    if ended is not None and of is SideName.CLAIMS:
        raise typer.BadParameter("--ended: records end, and claims do not")
    windowed = Windowed(opened((file,)), time, keys, of.value, ended)
    columns = windowed.names()
    rows = write(windowed.batches(), out, "csv" if out.suffix == ".csv" else "parquet")
    lines = [
        f"wrote {rows:,} rows to {out}, with {len(columns)} columns {columns[0]} to {columns[-1]}",
        "take it as the source, and each of these beside the column of a plate or a person as a",
        'set: kind = "composite", parts = ["plate", "text"]',
    ]
    values = {"rows": rows, "file": str(out), "columns": columns, "window": keys._asdict()}
    give(values, lines, as_json=as_json)


def _values(trial: Trial) -> dict[str, Any]:
    return {
        "pack": trial.pack.name,
        "version": trial.pack.version,
        "digest": trial.pack.digest,
        "tables": tables_values(trial.tables),
        "rules": [
            {
                "rule": each.rule.name,
                "version": each.rule.version,
                "leads": each.found,
                "amount": str(each.amount),
                "told": len(each.leads),
                "lacking": list(each.lacking),
                "parameters": {
                    name: {"value": number, "unit": each.rule.parameters[name].unit}
                    for name, number in each.parameters.items()
                },
            }
            for each in trial.outcomes
        ],
        "leads": [
            {
                **lead._asdict(),
                "amount": None if lead.amount is None else str(lead.amount),
                "innocent": each.rule.innocent,
                "source": each.rule.source,
            }
            for each in trial.outcomes
            for lead in each.leads
        ],
    }


def _lines(trial: Trial) -> list[str]:
    lines = [f"pack {trial.pack.name} {trial.pack.version}, digest {trial.pack.digest}"]
    if trial.pack.drafts:
        lines.append(f"drafts, whose leads become no clues: {', '.join(trial.pack.drafts)}")
    lines += tables_lines(trial.tables)
    for each in trial.outcomes:
        if each.lacking:
            lines.append(f"{each.rule.name}: not run, for there is no {', '.join(each.lacking)}")
        else:
            lines.append(f"{each.rule.name}: {each.found:,} leads, {each.amount:,.2f} yuan")
    for each in trial.outcomes:
        for lead in each.leads:
            amount = "amount not known" if lead.amount is None else f"{lead.amount:,.2f} yuan"
            lines += ["", f"{lead.rule}, {amount}: {lead.reason}"]
            lines += [f"  innocent if: {each.rule.innocent}"]
    return lines
