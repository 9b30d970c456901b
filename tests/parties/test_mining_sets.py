"""Sets of facts: what is planted is found, what is not is not, drafts select what was counted."""

from __future__ import annotations

import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from make_history import History, history

from parties.errors import PackRefused, SourceError
from parties.models.checking import checked
from parties.models.filling import fill
from parties.models.intervals import wilson
from parties.models.loading import load
from parties.models.mapping import mapped
from parties.models.mining.bands import UNKNOWN
from parties.models.mining.cases import Cases, gather
from parties.models.mining.dimensions import NEEDED
from parties.models.mining.drafts import pack_of, write
from parties.models.mining.facts import Facts, read
from parties.models.mining.finding import Mined, mine
from parties.models.mining.outcomes import Case, Outcomes, of_file
from parties.models.mining.sets import Frequent, frequent, having
from parties.models.mining.standing_out import Proposed
from parties.models.mining.words import OF_WHOM, WITH_OTHERS, title
from parties.models.pack import TO_WRITE
from parties.models.sandbox import Bounds, opened
from parties.models.trying import tried

BOUNDS = Bounds(60, "1GB", 1)
DAY = date(2026, 11, 30)


def mined(folder: Path, made: History, **changes: Any) -> Mined:
    outcomes = made.write(folder)
    return mine(mapped([folder]), "auto", of_file(outcomes), BOUNDS, **changes)


def is_planted(each: Proposed) -> bool:
    return title(each) == (
        "the loss happened from 00:00 to 06:00; its phone stands with 2 or more persons insured"
    )


def test_what_is_planted_is_found_with_the_numbers_of_a_slow_count(tmp_path: Path) -> None:
    made = history(11, 500, size=4)
    found = mined(tmp_path, made)
    (planted,) = (each for each in found.proposed if is_planted(each))
    people: dict[str, set[str]] = defaultdict(set)
    for row in made.claims:
        people[row["phone"]].add(row["insured"])
    has = {
        row["claim"]
        for row in made.claims
        if datetime.fromisoformat(row["happened"]).hour < 6 and len(people[row["phone"]]) >= 2
    }
    of_case: dict[str, list[str]] = defaultdict(list)
    outcome = {row["case"]: row["outcome"] for row in made.outcomes}
    for row in made.outcomes:
        of_case[row["case"]].append(row["claim"])
    those = [case for case, claims in of_case.items() if 2 * len(has & {*claims}) >= len(claims)]
    confirmed = sum(outcome[case] == "prosecution" for case in those)
    whole = sum(each == "prosecution" for each in outcome.values())
    assert planted.counts == (len(those), confirmed)
    assert planted.whole == (500, whole)
    assert planted.support == confirmed / 500
    assert planted.confidence == confirmed / len(those)
    assert planted.lift == pytest.approx(confirmed / len(those) / (whole / 500))
    assert planted.interval == wilson(confirmed, len(those))
    assert planted.interval[0] < 0.9 < planted.interval[1]
    assert planted.claims == len(has)
    decided = [row for row in made.outcomes if row["claim"] in has]
    assert planted.decided == len(decided)
    assert planted.confirmed == sum(row["outcome"] == "prosecution" for row in decided)


def test_what_is_planted_is_found_first_whatever_the_seed_and_little_else_is(
    tmp_path: Path,
) -> None:
    others: Counter[int] = Counter()
    for seed in range(20, 26):
        proposed = mined(tmp_path, history(seed, 400), longest=2).proposed
        assert is_planted(proposed[0]), seed
        others[seed] = len(proposed) - 1
    assert sum(others.values()) <= 6, others


def test_where_nothing_is_planted_nothing_is_found(tmp_path: Path) -> None:
    """Of 100 seeds at most five may find anything, whatever the number of sets that are tested."""
    found = {}
    for seed in range(30, 38):
        made = history(seed, 200, planted=0.3, base=0.3, size=4, undecided=0)
        if proposed := mined(tmp_path, made, longest=2).proposed:
            found[seed] = [title(each) for each in proposed]
    assert len(found) <= 1, found


def test_claims_of_one_case_are_one_observation(tmp_path: Path) -> None:
    """One case of many claims, all of one phone, would else stand out by itself."""
    made = history(50, 200, planted=0.1, size=1, undecided=0)
    number, phone = len(made.claims), "the phone of one case"
    more = [
        {**made.claims[n % 40], "claim": f"M{n}", "phone": phone, "insured": f"m{n}"}
        for n in range(120)
    ]
    told = [{"claim": row["claim"], "outcome": "prosecution", "case": "one"} for row in more]
    whole = made._replace(claims=[*made.claims, *more], outcomes=[*made.outcomes, *told])
    found = mined(tmp_path, whole, longest=1)
    assert len(found.cases.rows) == number + 120
    assert not [each for each in found.proposed if "phone" in title(each)]


def slow_sets(facts: Facts, cases: Cases, items: Frequent, least: int) -> dict[Any, Any]:
    """All sets of facts, counted claim by claim."""
    of_case: list[list[int]] = np.split(cases.rows, cases.starts[1:])
    holds = [having(facts, item) for item in items.items]

    def cases_of(which: Sequence[int]) -> set[int]:
        return {
            n
            for n, rows in enumerate(of_case)
            if 2 * sum(all(holds[i][row] for i in which) for row in rows) >= len(rows)
        }

    found = {}
    for length in range(3):
        for which in combinations(range(len(holds)), length):
            if len({items.items[i].place for i in which}) == length:
                those = cases_of(which)
                if len(those) >= least or not which:
                    found[which] = those
    yes = {n for n, confirmed in enumerate(cases.confirmed) if confirmed}

    def says_less(one: Sequence[int], other: Sequence[int]) -> bool:
        def within(i: int, j: int) -> bool:
            return i == j or items.items[i].within(items.items[j])

        return one != other and all(any(within(i, j) for i in other) for j in one)

    return {
        which: (len(those), len(those & yes))
        for which, those in found.items()
        if not any(says_less(other, which) and found[other] == those for other in found)
    }


def test_frequent_sets_are_all_that_a_slow_count_finds(tmp_path: Path) -> None:
    made = history(60, 40, size=3, undecided=20)
    claims = [  # phones of one, two or thirty persons, so that several bounds have the same cases
        row | {"phone": "thirty" if n < 30 else f"two-{n // 2}" if n < 50 else f"one-{n}"}
        for n, row in enumerate(made.claims)
    ]
    outcomes = of_file(made._replace(claims=claims).write(tmp_path))
    facts = read(mapped([tmp_path]), "auto", BOUNDS)
    cases = gather(facts, outcomes)
    found = frequent(facts, cases, 8, 2)
    expected = slow_sets(facts, cases, found, 8)
    assert len(expected) > 70
    assert found.counts == expected


def full(seed: int, rows: int = 240) -> History:
    """Rows with all columns of the joined tables, some of them empty; identifiers begin with ID."""
    random = Random(seed)
    start = datetime(2024, 1, 1)

    def some(value: Any) -> Any:
        return value if random.random() < 0.9 else ""

    def name(of: str, among: int) -> str:
        return f"ID-{of}-{random.randrange(among)}"

    claims = []
    for n in range(rows):
        happened = start + timedelta(minutes=random.randrange(400_000))
        departure = happened.replace(hour=random.randrange(24))
        row = {
            "claim": f"ID-C{n}",
            "line": "auto",
            "company": random.choice(["O'Brien 'n' Co", "PICC", 'A "B" \\C']),
            "policy": name("policy", rows),
            "policy_start": (
                happened - timedelta(days=random.choice([-3, 5, 20, 80, 300, 900]))
            ).date(),
            "cover_raised": (happened - timedelta(days=random.choice([2, 20, 80, 300]))).date(),
            "bought": departure - timedelta(hours=random.choice([1, 12, 100, 1000])),
            "channel": name("channel", 3),
            "happened": happened.replace(minute=0) if random.random() < 0.3 else happened,
            "amount": f"{random.randrange(100_000) / 100:.2f}",
            **{who: name("person", 60) for who in ("insured", "driver", "claimant")},
            "phone": name("phone", 20),
            "account": name("account", 20),
            "plate": name("plate", 30),
            "vin": name("vin", 30),
            "shop": name("shop", 8),
            "hospital": name("hospital", 8),
            "nights": random.randrange(40),
            "city": random.choice(["杭州市", "宁波市"]),
            "flight": name("flight", 20),
            "flight_date": happened.date(),
            "departure": departure,
            "refunded": some(happened) if random.random() < 0.4 else "",
        }
        kept = ("claim", "line")
        claims.append({key: value if key in kept else some(value) for key, value in row.items()})
    kinds = ("accident", "violation", "drink_driving", "theft", "impound", "case", "riot")
    records = [
        {
            "record": f"ID-R{n}",
            "kind": random.choice(kinds),
            "begun": some(start + timedelta(minutes=random.randrange(400_000))),
            "ended": "",
        }
        for n in range(rows)
    ]
    roles = ("driver", "insured", "claimant", "phone")
    links = [
        {
            "claim": some(f"ID-C{random.randrange(rows)}"),
            "record": f"ID-R{random.randrange(rows)}",
            "dimension": some(random.choice(("person", "vehicle", "phone", "account", "flight"))),
            "role": some(random.choice(roles)),
        }
        for _ in range(rows)
    ]
    outcomes = [
        {"claim": f"ID-C{n}", "outcome": random.choice(["prosecution", "withdrawn"]), "case": ""}
        for n in range(rows)
    ]
    return History(claims, links, records, outcomes)


def as_proposed(facts: Facts, found: Frequent, which: tuple[int, ...]) -> Proposed:
    counts, whole = found.counts.get(which, found.counts[()]), found.counts[()]
    return Proposed(found.facts_of(facts, which), counts, whole, 0.01, 0, 0, 0)


def test_a_case_has_what_at_least_half_of_its_claims_have() -> None:
    cases = Cases(["a", "b", "c"], np.ones(3, np.bool_), np.arange(6), np.array([0, 1, 3]), 0)
    for claims, has in (
        ([1, 1, 0, 1, 0, 0], [True, True, False]),
        ([0, 0, 0, 1, 1, 0], [False, False, True]),
        ([0, 1, 1, 0, 0, 0], [False, True, False]),
    ):
        assert cases.having(np.array(claims, np.bool_)).tolist() == has


def test_a_bound_is_told_no_lower_than_what_stands_out(tmp_path: Path) -> None:
    made = history(61, 400, planted=0.1, size=1, undecided=0)
    claims = [
        row | {"phone": f"many-{n // 12}" if n < 96 else f"two-{n // 2}" if n < 250 else f"one-{n}"}
        for n, row in enumerate(made.claims)
    ]
    outcomes = [
        row | {"outcome": "prosecution" if n < 80 else row["outcome"]}
        for n, row in enumerate(made.outcomes)
    ]
    found = mined(tmp_path, made._replace(claims=claims, outcomes=outcomes), longest=1)
    assert [title(each) for each in found.proposed] == [
        "its phone stands with 3 or more persons insured"
    ]


def test_a_draft_of_every_fact_is_checked_and_selects_what_was_counted(tmp_path: Path) -> None:
    seed = 70
    print("seed", seed)
    outcomes = of_file(full(seed).write(tmp_path / "data"))
    tables = mapped([tmp_path / "data"])
    facts = read(tables, "auto", BOUNDS)
    found = frequent(facts, gather(facts, outcomes), 2, 1)
    assert {each.name for each in facts.dimensions} >= {
        *("company", "city", "hour", "claimed", "nights", "other_driver", "refunded"),
        *("policy_age", "raised", "bought_ahead", "after_record", "records_met"),
        *("phone_people", "plate_drivers", "insured_companies", "shop_claims"),
        *("met_theft", "met_other", "by_flight", "met_by_driver"),
    }
    met = [each.name for each in facts.dimensions].index("records_met")
    assert UNKNOWN not in facts.codes[met], "a claim that met no record met none"
    random, items = Random(seed), len(found.items)
    several = [tuple(sorted(random.sample(range(items), 3))) for _ in range(12)]
    sets = [*((n,) for n in range(items)), *several]
    sets = [each for each in sets if len({found.items[i].place for i in each}) == len(each)]
    proposed = [as_proposed(facts, found, each) for each in sets]
    pack = pack_of(proposed, "auto", DAY, amounts=True)
    write(pack, tmp_path / "drafts")
    assert checked(tmp_path / "drafts") == pack
    selected: dict[frozenset[str], int] = Counter()
    with opened(BOUNDS) as connection:
        fill(connection, tables, NEEDED, "auto")
        for rule in pack.rules:
            rows = connection.execute(
                f"SELECT claims FROM ({rule.sql})", rule.values({})
            ).fetchall()
            assert all(len(claims) == 1 for (claims,) in rows)
            selected[frozenset(claims[0] for (claims,) in rows)] += 1
    counted: dict[frozenset[str], int] = Counter()
    for each in sets:
        places = np.flatnonzero(found.claims_of(facts, each))
        counted[frozenset(facts.claims[n] for n in places)] += 1
    assert selected == counted


def test_a_draft_of_a_node_that_knows_no_amounts_needs_none(tmp_path: Path) -> None:
    made = history(72, 60, size=1, undecided=0)
    claims = [{name: row[name] for name in ("claim", "happened")} for row in made.claims]
    outcomes = of_file(History(claims, (), (), made.outcomes).write(tmp_path / "data"))
    facts = read(mapped([tmp_path / "data"]), "auto", BOUNDS)
    found = frequent(facts, gather(facts, outcomes), 2, 1)
    proposed = [as_proposed(facts, found, (0,))]
    write(pack_of(proposed, "auto", DAY, amounts=False), tmp_path / "drafts")
    pack = checked(tmp_path / "drafts")
    assert {*pack.columns["claims"]} == {"claim", "happened"}
    (outcome,) = tried(pack, mapped([tmp_path / "data"]), {}, BOUNDS).outcomes
    assert outcome.found > 0
    assert outcome.leads[0].amount is None


def test_no_identifier_leaves_in_a_draft(tmp_path: Path) -> None:
    outcomes = of_file(full(71).write(tmp_path / "data"))
    facts = read(mapped([tmp_path / "data"]), "auto", BOUNDS)
    found = frequent(facts, gather(facts, outcomes), 2, 1)
    proposed = [as_proposed(facts, found, (n,)) for n in range(len(found.items))]
    write(pack_of(proposed, "auto", DAY, amounts=True), tmp_path / "drafts")
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "drafts").iterdir()]
    assert any("O''Brien" in text for text in texts)
    assert not any("ID-" in text for text in texts)


@pytest.mark.parametrize(
    ("companies", "told"),
    [
        (["rare"] * 19 + ["common"] * 50 + ["frequent"] * 50, {"common", "frequent"}),
        (["a fraud", "one\nline", "x" * 65, "common", "frequent"] * 24, {"common", "frequent"}),
        ([f"number {n % 101}" for n in range(119)] + ["common"], set()),
        (["common"] * 119 + [""], set()),
    ],
    ids=["few", "unfit", "many", "one"],
)
def test_names_that_few_have_that_are_many_that_judge_or_that_all_have_are_not_told(
    tmp_path: Path, companies: list[str], told: set[str]
) -> None:
    made = history(80, len(companies), size=1, undecided=0)
    claims = [row | {"company": each} for row, each in zip(made.claims, companies, strict=True)]
    made._replace(claims=claims).write(tmp_path)
    facts = read(mapped([tmp_path]), "auto", BOUNDS)
    bands = dict(zip((each.name for each in facts.dimensions), facts.bands, strict=True))
    assert {band.name for band in bands.get("company", [])} == told


def draft_of(folder: Path, made: History) -> Path:
    found = mined(folder / "data", made, longest=2)
    amounts = "amount" in found.tables["claims"].columns
    write(pack_of(found.proposed, "auto", DAY, amounts=amounts), folder / "drafts")
    return folder / "drafts"


def test_a_draft_is_tried_and_finds_the_claims_that_were_told(tmp_path: Path) -> None:
    made = history(90, 300)
    found = mined(tmp_path / "data", made, longest=2)
    pack = checked(draft_of(tmp_path, made))
    assert pack.version == 0
    assert pack.drafts == [rule.name for rule in pack.rules]
    trial = tried(pack, mapped([tmp_path / "data"]), {}, BOUNDS)
    assert sorted(each.found for each in trial.outcomes) == sorted(
        each.claims for each in found.proposed
    )
    (lead, *_) = trial.outcomes[0].leads
    assert lead.version == 0
    assert lead.reason.startswith(f"Claim {lead.claims[0]}: the loss happened on 2024-01-")


def test_a_draft_is_a_rule_only_after_somebody_has_written_what_is_missing(tmp_path: Path) -> None:
    folder = draft_of(tmp_path, history(90, 300))
    head = folder / "pack.toml"
    head.write_text(head.read_text().replace("version = 0", "version = 1"))
    with pytest.raises(PackRefused, match="is 0, which a draft has"):
        load(folder)
    for rule in folder.glob("mined-*.toml"):
        rule.write_text(rule.read_text().replace("version = 0", "version = 1"))
    with pytest.raises(PackRefused, match="must say what would make it innocent"):
        load(folder)
    for rule in folder.glob("mined-*.toml"):
        rule.write_text(rule.read_text().replace(TO_WRITE, "A taxi firm reports for its drivers."))
    assert checked(folder).drafts == []
    source = tomllib.loads(next(folder.glob("mined-*.toml")).read_text())["source"]
    assert source.startswith("Mined on 2026-11-30 by this node: ")
    for word in ("support", "confidence", "lift", "adjusted p"):
        assert word in source


def test_outcomes_are_read_strictly_and_no_cell_is_quoted(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.csv"
    file.write_text("claim,outcome\nC1,prosecution\nC2,other\nC3,innocent\nC3,administrative\n")
    assert of_file(file) == Outcomes(
        {"C1": Case("C1", True), "C3": Case("C3", True)}, frozenset({"C2"})
    )
    for text, words in (
        (
            "claim,outcome\nC1,prosecution\nC2,guilty-as-hell\n",
            "row 2: outcome is none of confirmed",
        ),
        ("claim,outcome\n,prosecution\n", "row 1: claim is empty"),
        ("claim,result\nC1,prosecution\n", "has no column 'outcome'"),
    ):
        file.write_text(text)
        with pytest.raises(SourceError, match=words) as why:
            of_file(file)
        assert "guilty" not in str(why.value)


def test_all_other_claims_may_be_taken_for_not_confirmed(tmp_path: Path) -> None:
    made = history(91, 100, size=1, undecided=150)
    neither = [{**made.outcomes[0], "outcome": "other"}]
    made = made._replace(outcomes=[*neither, *made.outcomes[1:]])
    found = mined(tmp_path, made, others=True, longest=1)
    assert len(found.cases.names) == 249, "the claim whose outcome says neither is none of them"
    assert found.whom == WITH_OTHERS
    alone = mined(tmp_path, made, longest=1)
    assert (len(alone.cases.names), alone.whom) == (99, OF_WHOM)


def test_cases_of_one_outcome_leave_nothing_to_compare(tmp_path: Path) -> None:
    for share in (0, 1):
        with pytest.raises(SourceError, match="nothing to compare"):
            mined(tmp_path, history(92, 40, planted=share, base=share, undecided=0))


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    made = history(93, 300, base=0.3)
    first = mined(tmp_path, made, longest=1)
    random = Random(1)
    shuffled = History(*(random.sample(list(rows), len(rows)) for rows in made))
    second = mined(tmp_path, shuffled, longest=1)
    assert json.dumps(first.proposed, default=str) == json.dumps(second.proposed, default=str)
    assert first.rated is not None
    assert second.rated is not None
    assert first.rated.held_out.area == pytest.approx(second.rated.held_out.area)
