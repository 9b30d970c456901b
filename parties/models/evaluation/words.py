"""An evaluation in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from parties.models.evaluation.evaluating import Evaluation
from parties.models.evaluation.scoring import FalseLead, Missed, Score, together
from parties.models.evaluation.truth import Group
from parties.models.intervals import Share
from parties.models.pack import Rule
from parties.models.units import worded as number_worded
from parties.models.wording import listed, worded

CAUTION: Final = (
    "Behind each share stands Wilson's interval of 95 %; it says what so few groups can say of "
    "groups made in the same way, and nothing of ways that nobody planted"
)


def lines_of(evaluation: Evaluation) -> Iterator[str]:
    """Yields what people read."""
    pack = evaluation.trial.pack
    yield f"pack {pack.name} {pack.version}, digest {pack.digest}"
    yield f"groups: {len(evaluation.groups):,}{unknown(evaluation)}"
    yield settings(evaluation)
    for each in evaluation.scores:
        yield f"{each.rule.name}: {each.not_counted or counts(each)}"
    yield f"all rules: {_counts(*together(evaluation.scores))}"
    yield f"{CAUTION}."
    for each in evaluation.scores:
        yield from _told(each)


def settings(evaluation: Evaluation) -> str:
    """Returns which parameters were not at their defaults."""
    changed = [
        f"{each.rule.name}.{name} = {number_worded(number, each.rule.parameters[name].unit)}"
        for each in evaluation.trial.outcomes
        for name, number in each.parameters.items()
        if number != each.rule.parameters[name].default
    ]
    return f"parameters: {', '.join(changed) or 'all at their defaults'}"


def unknown(evaluation: Evaluation) -> str:
    """Returns a clause on claims that are not there; empty if all are."""
    if not evaluation.unknown:
        return ""
    return f"; {evaluation.unknown:,} of their claims are not in the tables, and cannot be found"


def counts(score: Score) -> str:
    """Returns what a rule found, as one line."""
    return _counts(score.found, score.near_found, score.right)


def _counts(found: Share, near: Share, right: Share) -> str:
    missed = found.of - found.number
    return (
        f"found {share(found)}, missed {missed:,}; near-misses found {share(near)}; "
        f"leads right {share(right)}, false {false(right):,}"
    )


def share(each: Share) -> str:
    """Returns a share with its interval."""
    if each.value is None or each.interval is None:
        return "0 of 0"
    low, high = (100 * end for end in each.interval)
    return f"{each.number:,} of {each.of:,} ({100 * each.value:.1f} %, {low:.1f} to {high:.1f} %)"


def missed_said(each: Missed) -> str:
    """Returns which group was missed, and how nearly."""
    of = len(each.group.claims)
    return f"{named(each.group)}: no lead holds its {of:,} claims; the nearest holds {each.held:,}"


def named(group: Group) -> str:
    """Returns the name of a group, and at which edge it is."""
    edge = f", at the edge of {worded(group.edge)}" if group.edge else ""
    return f"{worded(group.name)}{edge}"


def because(each: FalseLead, rule: Rule) -> str:
    """Returns why a lead of a rule counts as false, and what made it."""
    if each.near:
        return f"it holds claims of a near-miss: {listed(each.near)}"
    if each.others:
        return f"it holds claims of groups that do not name this rule: {listed(each.others)}"
    return (
        f"none of its claims is in a group: what made it ({', '.join(rule.dimensions)}) came "
        "together by chance, or nobody has said anything of it"
    )


def amount_of(each: FalseLead) -> str:
    """Returns the amount of a lead."""
    return "amount not known" if each.lead.amount is None else worded(each.lead.amount)


def false(right: Share) -> int:
    """Returns how many leads are not right."""
    return right.of - right.number


def more(score: Score) -> str:
    """Returns how many false leads are not told; empty if all are."""
    number = false(score.right) - len(score.wrong)
    return f"and {number:,} more" if number > 0 else ""


def _told(score: Score) -> Iterator[str]:
    for missed in score.missed:
        yield f"missed by {score.rule.name}: {missed_said(missed)}"
    for near in score.near:
        yield f"near-miss found by {score.rule.name}: {named(near)}"
    for wrong in score.wrong:
        yield ""
        yield f"false, {score.rule.name}, {amount_of(wrong)}: {wrong.lead.reason}"
        yield f"  false because: {because(wrong, score.rule)}"
        yield f"  innocent if: {score.rule.innocent}"
    if rest := more(score):
        yield f"{rest} false leads of {score.rule.name}"
