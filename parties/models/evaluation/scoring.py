"""Holds the leads of a pack against what is known of groups of claims."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from parties.models.evaluation.truth import ANY, EITHER, LEAD, NO_LEAD, Group
from parties.models.intervals import Share
from parties.models.pack import Rule
from parties.models.trying import Lead, Outcome
from psi.lazily import NamedTuple

T = TypeVar("T")


class Missed(NamedTuple):
    """A group that a rule had to find and did not.

    Attributes:
        group: which.
        held: how many of its claims the lead holds that holds most of them.
    """

    group: Group
    held: int


class FalseLead(NamedTuple):
    """A lead that holds no claim at which its rule must or may point.

    Attributes:
        lead: which.
        near: names of the near-misses of the rule that it holds claims of.
        others: names of groups of other rules that it holds claims of.
    """

    lead: Lead
    near: Sequence[str]
    others: Sequence[str]


class Score(NamedTuple):
    """What a rule found of what is known, and besides.

    Attributes:
        rule: which.
        not_counted: why nothing is counted; empty if it is.
        found: groups that one lead holds wholly, of those that must be found.
        near_found: groups of which a lead holds a claim, of those of which none may.
        right: leads that hold a claim at which the rule must or may point, of all leads.
        missed: groups that were not found.
        near: near-misses that were found.
        wrong: other leads than the right ones, the largest amounts first.
    """

    rule: Rule
    not_counted: str
    found: Share
    near_found: Share
    right: Share
    missed: Sequence[Missed]
    near: Sequence[Group]
    wrong: Sequence[FalseLead]


def score(outcome: Outcome, groups: Sequence[Group]) -> Score:
    """Holds the leads of a rule against the groups of its pack."""
    rule = outcome.rule
    ours = [each for each in groups if each.rule == rule.name]
    planted = [each for each in ours if each.expected == LEAD]
    near = [each for each in ours if each.expected == NO_LEAD]
    if why := _not_counted(outcome):
        none = Share(0, 0)
        return Score(rule, why, none, none, none, (), (), ())
    leads = [frozenset(lead.claims) for lead in outcome.leads]
    holding = _by_claim(enumerate(leads))
    missed = [
        Missed(each, held)
        for each in planted
        if (held := _most_held(each, leads, holding)) < len(each.claims)
    ]
    near_found = [each for each in near if any(claim in holding for claim in each.claims)]
    may = {claim for each in groups if _may_hold(each, rule) for claim in each.claims}
    naming = _by_claim((each, each.claims) for each in groups)
    wrong = [
        _false(lead, rule, naming)
        for lead, claims in zip(outcome.leads, leads, strict=True)
        if claims.isdisjoint(may)
    ]
    return Score(
        rule,
        "",
        Share(len(planted) - len(missed), len(planted)),
        Share(len(near_found), len(near)),
        Share(len(leads) - len(wrong), len(leads)),
        missed,
        near_found,
        wrong,
    )


def together(scores: Sequence[Score]) -> tuple[Share, Share, Share]:
    """Returns found, near_found and right of all rules that were counted."""

    def added(shares: Sequence[Share]) -> Share:
        return Share(sum(each.number for each in shares), sum(each.of for each in shares))

    return (
        added([each.found for each in scores]),
        added([each.near_found for each in scores]),
        added([each.right for each in scores]),
    )


def _not_counted(outcome: Outcome) -> str:
    if outcome.lacking:
        return f"not run, for there is no {', '.join(outcome.lacking)}"
    if outcome.found > len(outcome.leads):
        return f"{outcome.found:,} leads, more than the {len(outcome.leads):,} that are looked at"
    return ""


def _may_hold(group: Group, rule: Rule) -> bool:
    return group.rule in (rule.name, ANY) and group.expected in (LEAD, EITHER)


def _by_claim(held: Iterable[tuple[T, Iterable[str]]]) -> Mapping[str, list[T]]:
    """Returns for each claim all that hold it, in their order."""
    by: dict[str, list[T]] = defaultdict(list)
    for each, claims in held:
        for claim in claims:
            by[claim].append(each)
    return dict(by)


def _most_held(
    group: Group, leads: Sequence[frozenset[str]], holding: Mapping[str, list[int]]
) -> int:
    near = {place for claim in group.claims for place in holding.get(claim, ())}
    return max((len(group.claims & leads[place]) for place in near), default=0)


def _false(lead: Lead, rule: Rule, naming: Mapping[str, list[Group]]) -> FalseLead:
    of = list(dict.fromkeys(each for claim in lead.claims for each in naming.get(claim, ())))
    near = [each.name for each in of if (each.rule, each.expected) == (rule.name, NO_LEAD)]
    others = dict.fromkeys(each.name for each in of if each.rule != rule.name)
    return FalseLead(lead, near, list(others))
