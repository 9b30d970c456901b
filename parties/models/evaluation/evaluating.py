"""Runs a pack over joined tables, and holds what it finds against what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from parties.models.evaluation.hiding import hidden
from parties.models.evaluation.scoring import Score, score
from parties.models.evaluation.truth import Group, read
from parties.models.mapping import Filled
from parties.models.pack import Pack
from parties.models.sandbox import Bounds, opened
from parties.models.trying import Trial, tried_over
from psi.lazily import NamedTuple


class Evaluation(NamedTuple):
    """What a pack found of what is known, and besides.

    Attributes:
        trial: all leads.
        groups: what is known.
        unknown: claims of groups that are not in the tables; no rule can find them.
        scores: of each rule, in order of names; of false leads those that are told.
    """

    trial: Trial
    groups: Sequence[Group]
    unknown: int
    scores: Sequence[Score]


def evaluate(
    pack: Pack,
    tables: Mapping[str, Filled],
    truth: Path,
    numbers: Mapping[str, Mapping[str, int]],
    bounds: Bounds,
    most: int,
    *,
    plain: bool = False,
) -> Evaluation:
    """Runs a pack and scores it.

    Args:
        pack: that was checked.
        tables: from what the joined tables are filled.
        truth: the file of groups, see `truth.COLUMNS`.
        numbers: rule -> parameter -> value, where it is not the default.
        bounds: of each rule.
        most: false leads of a rule that are told, the largest amounts first.
        plain: whether they tell identifiers in full.

    Raises:
        SettingsError, SourceError: as `truth.read` and `filling.fill`.
        PackRefused, LocalFault: as `trying.tried`.
    """
    groups = read(truth, pack)
    with opened(bounds) as connection:
        trial = tried_over(connection, pack, tables, numbers, bounds)
        claims = trial.tables.get("claims")
        scores = []
        for outcome in trial.outcomes:
            whole = score(outcome, groups)
            wrong = whole.wrong[:most]
            if claims is not None and not plain:
                wrong = hidden(connection, wrong, claims.columns)
            scores.append(whole._replace(wrong=wrong))
        named = sorted({claim for each in groups for claim in each.claims})
        unknown = len(named)
        if claims is not None:
            unknown -= connection.execute(_THERE, {"named": named}).fetchall()[0][0]
    return Evaluation(trial, groups, unknown, scores)


_THERE: Final = "SELECT count(*) FROM claims WHERE claim IN (SELECT unnest($named))"
