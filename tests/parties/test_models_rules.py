"""Every rule that comes along: fires, does not fire just outside, and says why in words."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from scenes import FOLDER, Other, edited, found, scene

from parties.judgements import WORDS, judges
from parties.models.loading import OURS, load, names
from parties.models.pack import Pack, Rule
from parties.models.sandbox import CHECKING, opened

PACKS = {name: load(OURS / name) for name in names()}
RULES = [(pack, rule) for pack in PACKS.values() for rule in pack.rules]
EDGES = [(pack, rule, name) for pack, rule in RULES for name in rule.parameters]
OTHERS = [(pack, rule, name) for pack, rule in RULES for name in scene(pack.name, rule.name).also]


def called(*parts: Pack | Rule | str) -> str:
    return "-".join(part if isinstance(part, str) else part.name for part in parts)


def cases(values: list[tuple[Pack, Rule, str]]) -> list[object]:
    return [pytest.param(*each, id=called(*each)) for each in values]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(CHECKING) as each:
        yield each


def test_there_are_at_least_ten_rules_for_auto_and_six_for_each_other_line() -> None:
    assert {name: len(pack.rules) for name, pack in PACKS.items()} == {
        "accident": 10,
        "auto": 16,
        "flight_delay": 8,
    }


def test_every_rule_has_a_scenario_and_every_scenario_a_rule() -> None:
    there = {(path.parent.name, path.stem) for path in FOLDER.glob("*/*.toml")}
    assert there == {(pack.name, rule.name) for pack, rule in RULES}


@pytest.mark.parametrize(
    ("pack", "rule"), [pytest.param(*each, id=called(*each)) for each in RULES]
)
def test_a_rule_fires_and_says_why_with_the_values(
    connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule
) -> None:
    told = scene(pack.name, rule.name)
    leads = found(connection, pack, rule, told.tables, told.set)
    assert [" ".join(lead.claims) for lead in leads] == list(told.leads)
    assert leads[0].reason == told.reason
    assert not judges(told.reason)
    assert all(leads[0].subject.values())


@pytest.mark.parametrize(
    ("pack", "rule"), [pytest.param(*each, id=called(*each)) for each in RULES]
)
def test_every_parameter_of_a_rule_has_an_edge_in_its_scenario(pack: Pack, rule: Rule) -> None:
    told = scene(pack.name, rule.name)
    assert told.outside.keys() == rule.parameters.keys()
    assert told.inside.keys() <= rule.parameters.keys()


@pytest.mark.parametrize(("pack", "rule", "name"), cases(EDGES))
def test_a_rule_does_not_fire_just_outside_and_does_if_the_edge_moves_by_one(
    connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule, name: str
) -> None:
    told = scene(pack.name, rule.name)
    tables = edited(told.tables, told.outside[name])
    assert found(connection, pack, rule, tables, told.set) == []
    here = told.set.get(name, rule.parameters[name].default)
    moved = [{**told.set, name: here + step} for step in (-1, 1)]
    counts = [len(found(connection, pack, rule, tables, numbers)) for numbers in moved]
    assert sorted(counts) == [0, 1], "not this parameter, but something else keeps it from firing"


@pytest.mark.parametrize(("pack", "rule", "name"), cases(EDGES))
def test_a_rule_fires_just_inside_and_no_more_if_the_edge_moves_by_one(
    connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule, name: str
) -> None:
    told = scene(pack.name, rule.name)
    inner = told.inside.get(name, Other((), 1, told.set))
    tables = edited(told.tables, inner.edits)
    (lead,) = found(connection, pack, rule, tables, inner.set)
    here = inner.set.get(name, rule.parameters[name].default)
    moved = [{**inner.set, name: here + step} for step in (-1, 1)]
    kept = [
        any(set(lead.claims) <= set(each.claims) for each in leads)
        for leads in (found(connection, pack, rule, tables, numbers) for numbers in moved)
    ]
    assert sorted(kept) == [False, True], "the rows are not at the edge of this parameter"


@pytest.mark.parametrize(("pack", "rule", "name"), cases(OTHERS))
def test_a_rule_tells_apart_what_is_nearly_the_same(
    connection: duckdb.DuckDBPyConnection, pack: Pack, rule: Rule, name: str
) -> None:
    told = scene(pack.name, rule.name)
    other = told.also[name]
    leads = found(connection, pack, rule, edited(told.tables, other.edits), other.set)
    assert len(leads) == other.leads


def test_no_rule_names_an_offence() -> None:
    for path in OURS.glob("*/*.toml"):
        assert not judges(path.read_text(encoding="utf-8")), path.name
    assert all(
        map(judges, ["Fraud", "ＦＲＡＵＤulent", *WORDS.read_text(encoding="utf-8").split()])
    )


def test_a_parameter_without_a_source_is_said_to_be_the_operators() -> None:
    from parties.models.page import written

    page = written([PACKS["auto"]])
    bare = [each for rule in PACKS["auto"].rules for each in rule.parameters.values()]
    assert sum(not each.source for each in bare) == page.count("nobody; the operator sets it")
