"""The rules of packs as a page in Markdown, for those who read what a rule looks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parties.models.pack import Pack, Parameter, Rule
from parties.models.units import worded

HEAD = """\
# Rules

This page is written by `greenlane models page`. A rule points at a lead: something that a person
looks at. It says why, and what would make it innocent. How packs are checked, tried and named in
tickets stands in [operations](operations.md#rules).

Where a default has no source, no published number was found: it is the operator's to set, from the
operator's own books. The numbers here are only where one begins.
"""


def written(packs: Sequence[Pack]) -> str:
    """Returns the page of some packs."""
    return "\n".join([HEAD, *(line for pack in packs for line in _pack(pack))])


def _pack(pack: Pack) -> Iterator[str]:
    yield f"## {pack.title}\n"
    yield f"Pack `{pack.name}`, version {pack.version}, {len(pack.rules)} rules, digest"
    yield f"`{pack.digest}`.\n"
    yield "| rule | looks for | by |"
    yield "| --- | --- | --- |"
    for rule in pack.rules:
        yield f"| [`{rule.name}`](#{_anchor(pack, rule)}) | {rule.title} | {_listed(rule)} |"
    yield ""
    for rule in pack.rules:
        yield from _rule(pack, rule)


def _rule(pack: Pack, rule: Rule) -> Iterator[str]:
    yield f"### {pack.name}: {rule.name}\n"
    yield f"{rule.title}. Version {rule.version}.\n"
    yield f"- Says: {_code(rule.reason)}"
    yield f"- Innocent if: {rule.innocent}"
    yield f"- Source: {rule.source}"
    yield f"- Needs: {', '.join(f'`{need}`' for need in rule.needs)}\n"
    if rule.parameters:
        yield from _parameters(rule)
    yield f"\n```sql\n{rule.sql}\n```\n"


def _parameters(rule: Rule) -> Iterator[str]:
    yield "| parameter | what it bounds | default | may be | the default is from |"
    yield "| --- | --- | --- | --- | --- |"
    for name, each in rule.parameters.items():
        yield f"| `{name}` | {each.meaning} | {worded(each.default, each.unit)} | {_may(each)} |"


def _may(each: Parameter) -> str:
    bounds = f"{worded(each.least, each.unit)} to {worded(each.most, each.unit)}"
    return f"{bounds} | {each.source or 'nobody; the operator sets it'}"


def _listed(rule: Rule) -> str:
    return ", ".join(rule.dimensions)


def _code(text: str) -> str:
    return f"`{text}`"


def _anchor(pack: Pack, rule: Rule) -> str:
    return f"{pack.name}-{rule.name}"
