"""What `greenlane models mine` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parties.cli.tables import tables_lines, tables_values
from parties.models.mining.finding import Mined, Rated
from parties.models.mining.outcomes import Outcomes
from parties.models.mining.standing_out import Proposed
from parties.models.mining.words import area_of, behind, brier_of, of_all, said, title


def values_of(mined: Mined, known: Outcomes) -> dict[str, Any]:
    """Returns what was found as JSON values."""
    return {
        "tables": tables_values(mined.tables),
        "cases": len(mined.cases.names),
        "confirmed": int(mined.cases.confirmed.sum()),
        "claims_of_cases": len(mined.cases.rows),
        "claims_not_in_tables": mined.cases.absent,
        "claims_of_neither_outcome": len(known.neither),
        "cases_erased": known.erased,
        "least": mined.least,
        "sets_tested": mined.tested,
        "sets": [_set(each) for each in mined.proposed],
        "scorecard": None if mined.rated is None else _rated(mined.rated),
        "no_scorecard": mined.why_not,
        "counted": mined.whom,
    }


def _set(each: Proposed) -> dict[str, Any]:
    return {
        "facts": [
            {"dimension": dimension.name, "band": band._asdict(), "says": said(dimension, band)}
            for dimension, band in each.facts
        ],
        "cases": each.counts.cases,
        "confirmed": each.counts.confirmed,
        "support": each.support,
        "confidence": each.confidence,
        "interval": list(each.interval),
        "lift": each.lift,
        "p": each.p,
        "claims": each.claims,
        "claims_decided": each.decided,
        "claims_confirmed": each.confirmed,
    }


def _rated(rated: Rated) -> dict[str, Any]:
    card, held_out = rated
    return {
        "start": card.start,
        "dimensions": [
            {
                "dimension": each.shares.dimension.name,
                "information": each.weights.information,
                "by_chance": each.weights.by_chance,
                "counts": each.counts,
                "bands": [
                    {"band": band and band._asdict(), "cases": cases, "weight": weight, "points": n}
                    for band, cases, weight, n in zip(
                        each.shares.bands,
                        each.shares.shares.sum(axis=0).tolist(),
                        each.weights.weights.tolist(),
                        each.points,
                        strict=True,
                    )
                ],
            }
            for each in card.dimensions
        ],
        "held_out": {
            "brier": held_out.brier._asdict(),
            "brier_of_share": held_out.brier_of_share,
            "area": held_out.area._asdict(),
            "expected": held_out.expected,
            "tenths": [
                each._asdict() | {"interval": list(each.interval)} for each in held_out.tenths
            ],
        },
    }


def lines_of(mined: Mined, known: Outcomes, drafts: Path | None, page: Path | None) -> list[str]:
    """Returns what was found and written, as lines for people."""
    lines = [*tables_lines(mined.tables)]
    lines.append(of_all(mined.cases))
    for number, what in (
        (mined.cases.absent, "claims of cases are not in the tables"),
        (len(known.neither), "claims are of cases whose outcome says neither"),
        (known.erased, "cases are erased"),
    ):
        lines += [f"{number:,} {what}"] * bool(number)
    lines.append(
        f"sets of facts that {mined.least:,} cases or more have: {mined.tested:,}, of which "
        f"{len(mined.proposed):,} stand out"
    )
    for each in mined.proposed:
        lines += ["", title(each), f"  {behind(each)}", f"  claims that have it: {each.claims:,}"]
    if mined.rated is None:
        lines += ["", f"no scorecard: {mined.why_not}"]
    else:
        held_out = mined.rated.held_out
        lines += ["", "scorecard, on cases held out:"]
        lines += [f"  {brier_of(held_out)}", f"  {area_of(held_out)}"]
    lines += ["", mined.whom]
    if drafts is not None:
        lines.append(
            f"wrote drafts of rules into {drafts}; see `greenlane models check {drafts}`"
            if mined.proposed
            else "no drafts were written, for no set stands out"
        )
    if page is not None:
        lines.append(f"wrote {page}")
    return lines
