"""`greenlane models evaluate`: what a pack finds of groups of claims that are known."""

from __future__ import annotations

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
    Plain,
    Seconds,
    bounds_of,
    must_be_html,
    tables_values,
)

if TYPE_CHECKING:
    from parties.models.evaluation.evaluating import Evaluation
    from parties.models.evaluation.scoring import Score
    from parties.models.intervals import Share


def evaluate(
    pack: PackName,
    data: Data,
    truth: Annotated[
        Path, typer.Option(help="What rules have to say of which claims: CSV, Parquet or Arrow.")
    ],
    set_: Parameters = None,
    most: Annotated[
        int, typer.Option(min=1, max=10_000, help="False leads of a rule that are told.")
    ] = 20,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page to write, with intervals.")
    ] = None,
    plain: Plain = False,
    seconds: Seconds = 60,
    memory: Memory = 3000,
    as_json: AsJson = False,
) -> None:
    """Counts what a pack finds of groups of claims that are known, and what it finds besides."""
    from parties.models.checking import checked
    from parties.models.evaluation.evaluating import evaluate as evaluated
    from parties.models.evaluation.page import page_of
    from parties.models.evaluation.words import lines_of
    from parties.models.loading import folder_of
    from parties.models.mapping import mapped
    from parties.models.trying import numbers_of
    from parties.whole_files import write_whole

    must_be_html(page)
    loaded = checked(folder_of(pack))
    numbers = numbers_of(loaded, set_ or [])
    bounds = bounds_of(memory, seconds)
    found = evaluated(loaded, mapped(data), truth, numbers, bounds, most, plain=plain)
    lines = list(lines_of(found))
    if page is not None:
        write_whole(page, page_of(found).encode())
        lines += ["", f"wrote {page}"]
    give(_values(found), lines, as_json=as_json)


def _values(found: Evaluation) -> dict[str, Any]:
    from parties.models.evaluation.scoring import together
    from parties.models.intervals import CONFIDENCE

    pack = found.trial.pack
    return {
        "pack": pack.name,
        "version": pack.version,
        "digest": pack.digest,
        "tables": tables_values(found.trial.tables),
        "groups": len(found.groups),
        "unknown_claims": found.unknown,
        "confidence": CONFIDENCE,
        "rules": [
            {
                "rule": each.rule.name,
                "version": each.rule.version,
                "parameters": dict(outcome.parameters),
                "not_counted": each.not_counted,
                **_shares(each.found, each.near_found, each.right),
            }
            for outcome, each in zip(found.trial.outcomes, found.scores, strict=True)
        ],
        "all": _shares(*together(found.scores)),
        "missed": [
            {"rule": each.rule.name, "group": missed.group.name, "edge": missed.group.edge}
            | {"claims": sorted(missed.group.claims), "held": missed.held}
            for each in found.scores
            for missed in each.missed
        ],
        "near_misses_found": [
            {"rule": each.rule.name, "group": near.name, "edge": near.edge}
            | {"claims": sorted(near.claims)}
            for each in found.scores
            for near in each.near
        ],
        "false": [lead for each in found.scores for lead in _false(each)],
    }


def _shares(found: Share, near: Share, right: Share) -> dict[str, Any]:
    return {
        "planted": found.of,
        "found": found.number,
        "missed": found.of - found.number,
        "recall": _share(found),
        "near_misses": near.of,
        "near_misses_found": near.number,
        "near_miss_rate": _share(near),
        "leads": right.of,
        "false": right.of - right.number,
        "precision": _share(right),
    }


def _share(each: Share) -> dict[str, float] | None:
    if each.value is None or each.interval is None:
        return None
    low, high = each.interval
    return {"value": each.value, "low": low, "high": high}


def _false(score: Score) -> list[dict[str, Any]]:
    from parties.models.evaluation.words import because

    return [
        {
            "rule": score.rule.name,
            "reason": each.lead.reason,
            "because": because(each, score.rule),
            "innocent": score.rule.innocent,
            "claims": list(each.lead.claims),
            "records": list(each.lead.records),
            "amount": None if each.lead.amount is None else str(each.lead.amount),
            "near_misses": list(each.near),
            "others": list(each.others),
        }
        for each in score.wrong
    ]
