"""A pack is held against claims that are known: counts, intervals, words, page, command."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import Run

from parties.errors import SourceError
from parties.judgements import judges
from parties.models.evaluation.evaluating import Evaluation, evaluate
from parties.models.evaluation.hiding import hidden
from parties.models.evaluation.page import page_of
from parties.models.evaluation.scoring import FalseLead, score
from parties.models.evaluation.truth import COLUMNS, Group, read
from parties.models.evaluation.words import because, lines_of, missed_said
from parties.models.filling import fill
from parties.models.loading import folder_of, load
from parties.models.mapping import mapped
from parties.models.sandbox import Bounds, opened
from parties.models.trying import Lead, Outcome

AUTO = load(folder_of("auto"))
RULE = next(rule for rule in AUTO.rules if rule.name == "vehicle-many-claims")
BOUNDS = Bounds(60, "1GB", 2)


# Scores


def lead(*claims: str) -> Lead:
    return Lead(RULE.name, 1, {"plate": "A"}, claims, (), Decimal(100), "Because.")


def group(expected: str, *claims: str, rule: str = RULE.name, name: str = "") -> Group:
    return Group(name or "".join(claims), rule, expected, "within", frozenset(claims))


def outcome(*leads: Lead, found: int | None = None, lacking: tuple[str, ...] = ()) -> Outcome:
    return Outcome(RULE, {}, len(leads) if found is None else found, Decimal(0), leads, lacking)


def test_a_group_is_found_if_one_lead_holds_all_of_it() -> None:
    groups = [group("lead", "A", "B"), group("lead", "C", "D"), group("lead", "E")]
    told = score(outcome(lead("A", "B", "X"), lead("C"), lead("D")), groups)
    assert told.found == (1, 3)
    assert [(each.group.name, each.held) for each in told.missed] == [("CD", 1), ("E", 0)]
    assert missed_said(told.missed[0]) == (
        "CD, at the edge of within: no lead holds its 2 claims; the nearest holds 1"
    )
    assert told.right == (3, 3)


def test_a_near_miss_is_found_if_a_lead_holds_any_of_it() -> None:
    groups = [group("no-lead", "A", "B"), group("no-lead", "C"), group("lead", "D")]
    told = score(outcome(lead("B", "X"), lead("B", "D")), groups)
    assert told.near_found == (1, 2)
    assert [each.name for each in told.near] == ["AB"]
    assert told.right == (1, 2)
    assert because(told.wrong[0], RULE) == "it holds claims of a near-miss: AB"


def test_a_lead_is_false_unless_its_rule_must_or_may_point_there() -> None:
    groups = [
        group("lead", "A"),
        group("either", "B"),
        group("either", "C", rule="*"),
        group("lead", "D", rule="shop-late-night", name="of another"),
    ]
    told = score(outcome(*map(lead, "ABCDE")), groups)
    assert told.right == (3, 5)
    assert [(list(each.lead.claims), each.near, each.others) for each in told.wrong] == [
        (["D"], [], ["of another"]),
        (["E"], [], []),
    ]
    assert because(told.wrong[0], RULE).endswith("groups that do not name this rule: of another")
    assert because(told.wrong[1], RULE).startswith(
        "none of its claims is in a group: what made it (time, vehicle) came together by chance"
    )


def test_what_was_not_run_or_not_all_looked_at_is_not_counted() -> None:
    groups = [group("lead", "A")]
    for each, why in (
        (outcome(lacking=("claims.vin",)), "not run, for there is no claims.vin"),
        (outcome(lead("A"), found=2), "2 leads, more than the 1 that are looked at"),
    ):
        told = score(each, groups)
        assert told.not_counted == why
        assert (told.found, told.near_found, told.right) == ((0, 0),) * 3


# The file of what is known

HEAD = ",".join(COLUMNS)
ROW = "G,auto,vehicle-many-claims,lead,within,C1"


def known(folder: Path, *rows: str, head: str = HEAD) -> list[Group]:
    (folder / "known.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return read(folder / "known.csv", AUTO)


def test_rows_of_a_group_are_one_and_those_of_other_packs_are_not_read(tmp_path: Path) -> None:
    rows = [
        ROW,
        "G, auto ,vehicle-many-claims,lead,within,C2",
        "H,auto,*,either,,C3",
        "G,accident,bogus,bogus,,C9",
    ]
    expected = [
        Group("G", "vehicle-many-claims", "lead", "within", frozenset({"C1", "C2"})),
        Group("H", "*", "either", "", frozenset({"C3"})),
    ]
    assert known(tmp_path, *rows) == expected
    columns = [
        [cell.strip() for cell in cells]
        for cells in zip(*(r.split(",") for r in rows), strict=True)
    ]
    table = pa.table(dict(zip(COLUMNS, columns, strict=True)))
    pq.write_table(table, tmp_path / "known.parquet")
    assert read(tmp_path / "known.parquet", AUTO) == expected
    pq.write_table(table.drop_columns(["edge"]), tmp_path / "bare.parquet")
    assert [each.edge for each in read(tmp_path / "bare.parquet", AUTO)] == ["", ""]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("G,auto,vehicle-many-claim,lead,within,C1", "known.csv, row 2: rule must be one of"),
        ("G,auto,*,lead,within,C1", "row 2: rule must be one of"),
        ("G,auto,vehicle-many-claims,yes,within,C1", "row 2: expected must be one of lead, no-le"),
        ("G,auto,vehicle-many-claims,no-lead,within,C2", "row 2: says another thing of its group"),
        ("G,auto,vehicle-many-claims,lead,least,C2", "row 2: says another thing of its group"),
        ("G,auto,vehicle-many-claims,lead,within, ", "row 2: claim is empty"),
        (",auto,vehicle-many-claims,lead,within,C2", "row 2: group is empty"),
        (
            "F欺诈,auto,vehicle-many-claims,lead,,C2",
            "row 2: group and edge may not name an offence",
        ),
    ],
)
def test_a_wrong_row_is_refused_by_its_place_and_without_its_values(
    tmp_path: Path, row: str, words: str
) -> None:
    with pytest.raises(SourceError, match=re.escape(words)) as error:
        known(tmp_path, ROW, row)
    assert "C2" not in str(error.value)
    assert "欺诈" not in str(error.value)


def test_a_file_without_a_column_or_a_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no column 'expected'"):
        known(tmp_path, ROW, head=HEAD.replace("expected", "wanted"))
    with pytest.raises(SourceError, match="names no group of the pack auto"):
        known(tmp_path, "G,accident,long-stays,lead,,C1")
    with pytest.raises(SourceError):
        read(tmp_path / "not-there.csv", AUTO)


# The whole

FIRST = datetime(2021, 1, 1, 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five claims of a vehicle at the edge, five of another just outside, six of a third."""
    rows = ["claim,line,company,plate,happened,amount"]
    for plate, days in (("A", (0, 100, 200, 300, 365)), ("B", (0, 100, 200, 300, 366))):
        for n, day in enumerate(days):
            rows.append(f"{plate}{n},auto,X,{plate},{FIRST + timedelta(day)},100")
    rows += [f"<b>{n},auto,X,C,2021-03-0{n} 10:00:00,100" for n in range(1, 7)]
    (tmp_path / "claims.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    groups = [f"in,auto,{RULE.name},lead,within,A{n}" for n in range(5)]
    groups += [f"out,auto,{RULE.name},no-lead,within,B{n}" for n in range(5)]
    groups += [f"gone,auto,{RULE.name},lead,least,Z{n}" for n in range(5)]
    (tmp_path / "known.csv").write_text("\n".join([HEAD, *groups, ""]), encoding="utf-8")
    return tmp_path


def evaluated(folder: Path) -> Evaluation:
    tables = mapped([folder / "claims.csv"])
    return evaluate(AUTO, tables, folder / "known.csv", {}, BOUNDS, 20)


def test_a_pack_is_run_and_scored(folder: Path) -> None:
    found = evaluated(folder)
    told = {each.rule.name: each for each in found.scores}
    mine = told.pop(RULE.name)
    assert (mine.found, mine.near_found, mine.right) == ((1, 2), (0, 1), (1, 2))
    assert found.unknown == 5
    assert {each.not_counted != "" for each in told.values()} == {True}
    lines = "\n".join(lines_of(found))
    assert "groups: 3; 5 of their claims are not in the tables, and cannot be found" in lines
    assert (
        "vehicle-many-claims: found 1 of 2 (50.0 %, 9.5 to 90.5 %), missed 1; near-misses found "
        "0 of 1 (0.0 %, 0.0 to 79.3 %); leads right 1 of 2 (50.0 %, 9.5 to 90.5 %), false 1"
    ) in lines
    assert "missed by vehicle-many-claims: gone, at the edge of least: no lead holds its 5" in lines
    assert "false, vehicle-many-claims, 600.00 yuan: Vehicle * stands in 6 claims" in lines


def test_a_wrong_parameter_shows(folder: Path) -> None:
    tables = mapped([folder / "claims.csv"])
    for days, found, near in ((364, 0, 0), (366, 1, 1)):
        numbers = {RULE.name: {"within": days}}
        told = evaluate(AUTO, tables, folder / "known.csv", numbers, BOUNDS, 20)
        mine = next(each for each in told.scores if each.rule.name == RULE.name)
        assert (mine.found.number, mine.near_found.number) == (found, near)
    assert "found</h2>\n<ul>\n<li>vehicle-many-claims: out" in page_of(told)
    assert "parameters: vehicle-many-claims.within = 366 days" in page_of(told)
    assert "parameters: all at their defaults" in page_of(evaluated(folder))


def test_identifiers_are_masked_unless_they_are_asked_for(tmp_path: Path) -> None:
    """In a list of the reason as well, and where Chinese words stand beside them."""
    plates = ["京A12345", "京A1234", "京A12345F", "京A1234学"]
    rows = ["claim,vin,plate,happened,amount"]
    rows += [f"K{n},LSVNV133412345678,{plates[n]},{FIRST + timedelta(n)},100" for n in range(4)]
    (tmp_path / "claims.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    (tmp_path / "known.csv").write_text(f"{HEAD}\n{ROW}\n", encoding="utf-8")
    tables = mapped([tmp_path / "claims.csv"])
    told = {
        plain: evaluate(AUTO, tables, tmp_path / "known.csv", {}, BOUNDS, 20, plain=plain)
        for plain in (True, False)
    }
    shown = {
        plain: wrong.lead
        for plain, each in told.items()
        for one in each.scores
        for wrong in one.wrong
        if one.rule.name == "vehicle-many-plates"
    }
    assert shown[True].reason.startswith(
        "Vehicle LSVNV133412345678 claims under the plates "
        "京A1234, 京A12345, 京A12345F, 京A1234学 within"
    )
    assert shown[False].reason.startswith(
        "Vehicle LSVN***********78 claims under the plates "
        "京****4, 京A****5, 京A*****F, 京A****学 within"
    )
    assert shown[False].subject == {"vin": "LSVN***********78"}
    assert not any(plate in page_of(told[False]) for plate in (*plates, "LSVNV"))
    beside = Lead("r", 1, {}, ("K0",), (), None, "车牌京A12345的车, xLSVNV133412345678, K0")
    with opened(BOUNDS) as connection:
        fill(connection, tables, AUTO.columns, "auto")
        (hid,) = hidden(connection, [FalseLead(beside, (), ())], ("vin", "plate"))
    assert hid.lead.reason == "车牌京A****5的车, xLSVNV133412345678, K0"


def test_only_so_many_false_leads_are_told(folder: Path) -> None:
    rows = [f"X{v}{n},auto,X,X{v},2021-03-0{n + 1} 10:00:00,10" for v in range(3) for n in range(5)]
    with (folder / "claims.csv").open("a", encoding="utf-8") as file:
        file.write("\n".join([*rows, ""]))
    tables = mapped([folder / "claims.csv"])
    told = evaluate(AUTO, tables, folder / "known.csv", {}, BOUNDS, 2)
    mine = next(each for each in told.scores if each.rule.name == RULE.name)
    assert (mine.right, len(mine.wrong)) == ((1, 5), 2)
    assert "and 2 more false leads of vehicle-many-claims" in list(lines_of(told))
    assert "<h3>vehicle-many-claims: 4</h3>" in page_of(told)
    assert "<li>and 2 more</li>" in page_of(told)


class Elements(HTMLParser):
    """The elements of a page, and how often each stands there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_the_page_shows_each_share_as_a_bar_and_reaches_nothing(folder: Path) -> None:
    page = page_of(evaluated(folder))
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"https?:|url\(|\bstyle=|@import", page)
    tags = Elements(page).tags
    assert {"script", "image", "a", "link", "iframe", "b"}.isdisjoint(tags)
    assert tags.count("svg") == 6  # of the one rule that was run, and of all
    assert tags.count("tr") == 1 + len(AUTO.rules) + 1
    boxes = re.findall(r'<rect class="interval" x="([\d.]+)" y="3" width="([\d.]+)"', page)
    # 9.5 to 90.5 % of 200 pixels, 3 in; and 0 to 79.3 %.
    assert boxes[:3] == [("21.9", "162.2"), ("3.0", "158.7"), ("21.9", "162.2")]
    assert "Claims: &lt;b&gt;1, &lt;b&gt;2" in page
    assert "Vehicle * stands in 6 claims" in page
    assert not judges(page)


def test_the_command_tells_all_of_it(run: Run, folder: Path) -> None:
    given = ("--data", folder / "claims.csv", "--truth", folder / "known.csv")
    words = ("models", "evaluate", "auto", *given)
    page = folder / "page.html"
    left = run(*words, "--page", page, "--json")
    told = left.json
    assert (left.status, left.err) == (0, "")
    assert (told["groups"], told["unknown_claims"], told["confidence"]) == (3, 5, 0.95)
    (mine,) = [each for each in told["rules"] if each["rule"] == RULE.name]
    assert (mine["planted"], mine["found"], mine["missed"], mine["false"]) == (2, 1, 1, 1)
    assert {name: round(end, 3) for name, end in mine["recall"].items()} == {
        "value": 0.5,
        "low": 0.095,
        "high": 0.905,
    }
    assert [(each["group"], each["held"]) for each in told["missed"]] == [("gone", 0)]
    assert told["near_misses_found"] == []
    (wrong,) = told["false"]
    assert wrong["claims"] == [f"<b>{n}" for n in range(1, 7)]
    assert (wrong["amount"], wrong["near_misses"], wrong["others"]) == ("600.00", [], [])
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    left = run(*words, "--set", "vehicle-many-claims.within=366")
    assert left.status == 0
    assert "near-miss found by vehicle-many-claims: out, at the edge of within" in left.out


def test_the_command_leaves_with_the_codes_of_its_errors(run: Run, folder: Path) -> None:
    given = ("auto", "--data", folder / "claims.csv", "--truth")
    for status, words in (
        (3, (*given, folder / "known.csv", "--page", "page.pdf")),
        (3, (*given, folder / "known.txt")),
        (4, (*given, folder / "none.csv")),
        (3, ("bogus", *given[1:], folder / "known.csv")),
    ):
        assert run("models", "evaluate", *words).status == status
