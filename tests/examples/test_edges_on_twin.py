"""Every rule at every edge of the made-up twin: what is inside is found, what is outside not."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_rules_on_twin import joined
from twin import OutOfRange, Twin, make_twin
from twin.edges.planting import PACKS as PLANTED

from parties.judgements import judges
from parties.models.checking import checked
from parties.models.evaluation.evaluating import Evaluation, evaluate
from parties.models.filling import fill
from parties.models.loading import folder_of, names
from parties.models.mapping import mapped
from parties.models.sandbox import Bounds, opened
from parties.models.trying import run

CLAIMS, RECORDS, SEED, TIMES = 9_000, 6_000, 20_240_817, 2
PACKS = {name: checked(folder_of(name)) for name in names()}
EDGES = [
    (pack.name, rule.name, name)
    for pack in PACKS.values()
    for rule in pack.rules
    for name in rule.parameters
]
LOOSENED = {
    ("auto", "phone-many-insured", "share"): (-1, 10),
    ("auto", "shop-late-night", "night_from"): (1, -1),
    ("auto", "shop-late-night", "night_until"): (-1, 1),
    ("auto", "shop-late-night", "share"): (1, -3),
}
"""By how much a parameter is made stricter and looser, where not by one. A share of few losses is
no whole percent: 7 of 10 is the next one above 60 %, 8 of 17 the next one below 50 %."""
COUPLED: dict[tuple[str, str, str], dict[str, int]] = {
    ("auto", "vehicle-other-drivers", "least"): {"drivers": 2},
}
"""Parameters that move along: two claims cannot have three drivers."""


class Told(NamedTuple):
    """A row of leads.csv, its claims together."""

    pack: str
    rule: str
    expected: str
    edge: str
    claims: frozenset[str]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return make_twin(tmp_path_factory.mktemp("twin"), CLAIMS, RECORDS, SEED, edges=TIMES)


@pytest.fixture(scope="module")
def told(twin: Twin) -> list[Told]:
    """The truth, read as plainly as it can be."""
    groups: dict[tuple[str, ...], set[str]] = defaultdict(set)
    with twin.leads.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["group"], row["pack"], row["rule"], row["expected"], row["edge"])
            groups[key].add(row["claim"])
    return [Told(*key[1:], frozenset(claims)) for key, claims in groups.items()]


@pytest.fixture(scope="module")
def evaluations(twin: Twin) -> dict[str, Evaluation]:
    tables = mapped([twin.leads.with_name("joined.toml")])
    return {
        name: evaluate(pack, tables, twin.leads, {}, Bounds(), 20) for name, pack in PACKS.items()
    }


def test_every_edge_of_every_rule_is_planted_inside_and_outside(told: list[Told]) -> None:
    for expected in ("lead", "no-lead"):
        there = {(one.pack, one.rule, one.edge) for one in told if one.expected == expected}
        assert set(EDGES) <= there
    assert {(pack, rule) for pack, rule, _ in EDGES} == {
        (pack, rule) for pack, schemes in PLANTED.items() for rule in schemes
    }


@pytest.mark.parametrize("name", PACKS)
def test_all_that_is_planted_is_found_and_no_near_miss_is(
    evaluations: dict[str, Evaluation], name: str
) -> None:
    found = evaluations[name]
    assert found.unknown == 0
    for score in found.scores:
        assert score.not_counted == ""
        assert score.missed == []
        assert score.near == []
        edges = TIMES * len(score.rule.parameters)
        assert score.found.of >= edges
        assert score.near_found.of >= edges


@pytest.mark.parametrize("name", PACKS)
def test_leads_hold_the_planted_claims_and_no_others(
    evaluations: dict[str, Evaluation], told: list[Told], name: str
) -> None:
    leads = {each.rule.name: each.leads for each in evaluations[name].trial.outcomes}
    for one in told:
        if (one.pack, one.expected) == (name, "lead") and one.edge != "published":
            assert one.claims in [frozenset(lead.claims) for lead in leads[one.rule]], one


@pytest.mark.parametrize("name", PACKS)
def test_false_leads_hold_no_planted_claim_and_no_lead_names_an_offence(
    evaluations: dict[str, Evaluation], told: list[Told], name: str
) -> None:
    planted = {claim for one in told for claim in one.claims}
    for score in evaluations[name].scores:
        for wrong in score.wrong:
            assert planted.isdisjoint(wrong.lead.claims)
            assert (wrong.near, wrong.others) == ([], [])
    reasons = [lead.reason for each in evaluations[name].trial.outcomes for lead in each.leads]
    assert not any(map(judges, reasons))


@pytest.mark.parametrize("name", PACKS)
def test_figures_are_those_of_a_slow_readable_count(
    evaluations: dict[str, Evaluation], told: list[Told], name: str
) -> None:
    for outcome, score in zip(
        evaluations[name].trial.outcomes, evaluations[name].scores, strict=True
    ):
        rule = outcome.rule.name
        leads = [set(lead.claims) for lead in outcome.leads]
        planted = found = near = near_found = right = 0
        for one in told:
            if (one.pack, one.rule, one.expected) == (name, rule, "lead"):
                planted += 1
                found += any(one.claims <= lead for lead in leads)
            if (one.pack, one.rule, one.expected) == (name, rule, "no-lead"):
                near += 1
                near_found += any(one.claims & lead for lead in leads)
        for lead in leads:
            right += any(
                one.claims & lead
                for one in told
                if one.pack == name and one.rule in (rule, "*") and one.expected != "no-lead"
            )
        counted = score.found, score.near_found, score.right
        assert counted == ((found, planted), (near_found, near), (right, len(leads)))


def test_each_group_is_at_its_edge(twin: Twin, told: list[Told]) -> None:
    """Stricter by one, what is just inside is missed; looser by one, what is outside is found."""
    tables = mapped([twin.leads.with_name("joined.toml")])
    for pack in PACKS.values():
        with opened(Bounds()) as connection:
            fill(connection, tables, pack.columns, pack.line)
            for rule in pack.rules:
                for name, each in rule.parameters.items():
                    step = -1 if each.unit in ("days", "hours") else 1
                    here = (pack.name, rule.name, name)
                    stricter, looser = LOOSENED.get(here, (step, -step))
                    groups = [one for one in told if (one.pack, one.rule, one.edge) == here]
                    for move, expected in ((stricter, "lead"), (looser, "no-lead")):
                        numbers = {name: each.default + move} | COUPLED.get(here, {})
                        outcome = run(connection, pack, rule, numbers, Bounds(), 10_000)
                        leads = [set(lead.claims) for lead in outcome.leads]
                        mine = [one.claims for one in groups if one.expected == expected]
                        assert mine
                        if expected == "lead":
                            assert not any(one <= lead for one in mine for lead in leads), here
                        else:
                            assert all(any(one & lead for lead in leads) for one in mine), here


def test_joined_rows_are_those_of_a_plain_join_of_the_files(twin: Twin) -> None:
    def rows(table: pa.Table) -> list[tuple[str, ...]]:
        columns = ("claim_no", "record_no", "greenlane_set", "greenlane_column")
        return sorted(zip(*(table[name].to_pylist() for name in columns), strict=True))

    assert rows(pq.read_table(twin.leads.with_name("joined.parquet"))) == rows(joined(twin))


def test_without_edges_nothing_more_is_written(tmp_path: Path) -> None:
    twin = make_twin(tmp_path, 1_000, 500, 1)
    assert twin.leads is None
    assert not list(tmp_path.glob("joined.*"))
    assert "account" not in pq.read_schema(twin.claims).names


@pytest.mark.parametrize("edges", [-1, 201, 20])
def test_a_twin_is_not_filled_up_with_edges(tmp_path: Path, edges: int) -> None:
    with pytest.raises(OutOfRange, match=r"edges are planted 0 to 200|has at least"):
        make_twin(tmp_path, 9_000, 6_000, 1, edges=edges)
