"""Rings are found in joined tables, ranked, told in words and drawn; hubs tie nobody."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.cli import main
from parties.errors import LocalFault, SettingsError
from parties.joining.masked import mask
from parties.judgements import judges
from parties.models.filling import fill
from parties.models.mapping import mapped
from parties.models.rings.finding import find
from parties.models.rings.kinds import NEEDED
from parties.models.rings.page import page_of
from parties.models.rings.reading import NUMBERED
from parties.models.rings.ring import Found
from parties.models.rings.ties import tie
from parties.models.rings.words import explained, score_of
from parties.models.sandbox import Bounds, opened

BOUNDS = Bounds(60, "1GB", 1)
Row = Mapping[str, Any]
COLUMNS = ("insured", "driver", "claimant", "phone", "account", "plate", "vin", "shop", "hospital")


def write(folder: Path, claims: Sequence[Row], links: Sequence[Row] = ()) -> Path:
    columns = {"claim": pa.string(), "amount": pa.decimal128(12, 2)}
    columns |= dict.fromkeys(COLUMNS, pa.string())
    there = {name: kind for name, kind in columns.items() if any(name in row for row in claims)}
    table = pa.Table.from_pylist([dict(row) for row in claims], pa.schema(list(there.items())))
    pyarrow.parquet.write_table(table, folder / "claims.parquet")
    if links:
        names = ("claim", "record", "dimension")
        schema = pa.schema([(name, pa.string()) for name in names])
        told = pa.Table.from_pylist([dict(row) for row in links], schema)
        pyarrow.parquet.write_table(told, folder / "links.parquet")
    return folder


def found(folder: Path, most: int = 20, widest: int = 100, *, plain: bool = False) -> Found:
    return find(mapped([folder]), BOUNDS, most, widest, plain=plain)


def one_driver(number: int = 6, of: str = "D", driver: str = "the-driver-of-all") -> list[Row]:
    """One driver in the vehicles of others."""
    return [
        {
            "claim": f"{of}{n}",
            "amount": 1000,
            "insured": f"owner-{of}{n}",
            "driver": driver,
            "plate": f"plate-{of}{n}",
            "phone": "13800000000" if of == "D" else "13900000000",
            "shop": f"shop-{n}",
        }
        for n in range(number)
    ]


def one_house(number: int = 40) -> list[Row]:
    """Strangers whose claims one repair shop reports from its own phone."""
    return [
        {"claim": f"H{n:03d}", "amount": 900, "insured": f"guest-{n}", "plate": f"car-{n}"}
        | {"phone": "hotline", "shop": "the shop"}
        for n in range(number)
    ]


def test_claims_of_one_driver_are_a_ring_that_says_what_ties_it(tmp_path: Path) -> None:
    (ring,) = found(write(tmp_path, [*one_driver(), {"claim": "Z", "driver": "else"}])).rings
    assert ring.claims == [f"D{n}" for n in range(6)]
    assert ring.score == (6, 6, 2, 4)
    assert score_of(ring) == (
        "score 288 = 6 claims x 6 parties in one tie x 2 kinds of ties x 4 digits of the amount; "
        "chance may explain it"
    )
    assert explained(ring) == [
        "person 1 (the-***********ll) is driver in 6 claims: D0, D1, D2, D3, D4, D5",
        "phone 1 (138*******0) is in 6 claims: D0, D1, D2, D3, D4, D5",
    ]


def test_identifiers_are_masked_unless_they_are_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path, one_driver())
    (ring,) = found(folder).rings
    assert [each.values for each in ring.ties] == [
        {"person": mask("the-driver-of-all")},
        {"phone": mask("13800000000")},
    ]
    assert "the-driver" not in page_of(found(folder))
    (ring,) = found(folder, plain=True).rings
    assert [each.values for each in ring.ties] == [
        {"person": "the-driver-of-all"},
        {"phone": "13800000000"},
    ]


def test_a_shop_with_its_phone_puts_no_claims_together(tmp_path: Path) -> None:
    folder = write(tmp_path, [*one_driver(), *one_house()])
    result = found(folder)
    assert [ring.claims[0] for ring in result.rings] == ["D0"]
    assert result.of_houses == {"phone": 1}


def test_a_phone_that_many_strangers_share_puts_them_together(tmp_path: Path) -> None:
    claims = [{**row, "shop": f"shop {n}"} for n, row in enumerate(one_house())]
    (ring,) = found(write(tmp_path, claims)).rings
    assert ring.score == (40, 40, 1, 5)


def test_a_shop_counts_where_other_things_tie(tmp_path: Path) -> None:
    claims = [{**row, "shop": "the shop"} for row in one_driver()]
    (ring,) = found(write(tmp_path, [*claims, *one_house()])).rings
    shop = next(tie for tie in ring.ties if tie.kind == "shop")
    assert (len(shop.claims), shop.elsewhere, shop.joins) == (6, 40, False)
    assert (ring.beyond, ring.score.kinds) == (True, 2)  # everybody goes to that shop
    page = page_of(found(tmp_path))
    assert page.count('<line class="shop apart"') == 6
    assert page.count('<line class="person"') == 6


@pytest.mark.parametrize(("widest", "rings"), [(9, 0), (10, 1)])
def test_what_more_claims_name_than_may_be_ties_none(
    tmp_path: Path, widest: int, rings: int
) -> None:
    claims = [{"claim": f"C{n}", "insured": f"i{n}", "phone": "P"} for n in range(10)]
    result = found(write(tmp_path, claims), widest=widest)
    assert len(result.rings) == rings
    assert result.too_wide == ({} if rings else {"phone": 1})


def test_a_hub_does_not_merge_two_rings(tmp_path: Path) -> None:
    others = one_driver(of="E", driver="another")
    claims = [{**row, "account": "everybody's"} for row in [*one_driver(), *others]]
    result = found(write(tmp_path, claims), widest=11)
    assert sorted(ring.claims[0] for ring in result.rings) == ["D0", "E0"]


def test_claims_of_one_person_about_one_vehicle_are_no_ring(tmp_path: Path) -> None:
    claims = [
        {"claim": f"C{n}", "insured": "I", "driver": "I", "plate": "A", "phone": "P"}
        for n in range(9)
    ]
    assert found(write(tmp_path, claims)).number == 0


def test_the_police_see_rings_by_records_alone(tmp_path: Path) -> None:
    links = [{"claim": f"C{n}", "record": "R1", "dimension": "phone"} for n in range(4)]
    (ring,) = found(write(tmp_path, [{"claim": f"C{n}"} for n in range(5)], links)).rings
    assert ring.amount is None
    assert ring.score == (4, 4, 1, 1)
    assert explained(ring) == ["record 1 (R1) was met by phone in 4 claims: C0, C1, C2, C3"]


def test_a_plate_and_a_vin_of_the_same_claims_are_one_vehicle(tmp_path: Path) -> None:
    claims = [
        {"claim": f"C{n}", "insured": f"i{n}", "plate": "plate-of-it", "vin": "vin-of-it"}
        for n in range(3)
    ]
    (ring,) = found(write(tmp_path, claims), plain=True).rings
    assert explained(ring) == [
        "vehicle 1 (plate plate-of-it, VIN vin-of-it) is in 3 claims: C0, C1, C2"
    ]


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    random, claims = Random(6), [*one_driver(), *one_house()]
    claims += [
        {
            "claim": f"X{n}",
            "insured": f"x{random.randrange(60)}",
            "driver": f"x{random.randrange(60)}",
            "amount": n,
        }
        for n in range(120)
    ]
    first = found(write(tmp_path, claims))
    assert first.number > 3
    random.shuffle(claims)
    second = found(write(tmp_path, claims))
    assert page_of(first) == page_of(second)
    assert first.rings == second.rings


CELLS = st.sampled_from([None, *"abcdefgh"])
ROWS = st.lists(st.fixed_dictionaries({name: CELLS for name in COLUMNS}), min_size=1, max_size=14)


@settings(max_examples=25, deadline=None)
@given(ROWS, st.integers(2, 6))
def test_ties_are_those_of_a_slow_reference(rows: Sequence[Row], widest: int) -> None:
    claims = [{"claim": f"C{n:02d}", **row} for n, row in enumerate(rows)]
    named: dict[tuple[str, str], set[int]] = defaultdict(set)
    sorts = {"insured": "person", "driver": "person", "claimant": "person"}
    for number, row in enumerate(rows):
        for column in COLUMNS[:7]:
            if row[column] is not None:
                named[sorts.get(column, column), row[column]].add(number)
    houses = {
        (what, value)
        for (what, value), those in named.items()
        if what in ("phone", "account")
        and any(
            10 * sum(rows[n]["shop"] == shop for n in those) >= 9 * len(those)
            for shop in "abcdefgh"
        )
        and len({rows[n]["insured"] for n in those} - {None}) >= 3
    }
    expected = sorted(
        tuple(sorted(those))
        for key, those in named.items()
        if 2 <= len(those) <= widest and key not in houses
    )
    with TemporaryDirectory() as folder, opened(BOUNDS) as connection:
        write(Path(folder), claims)
        ties = tie(connection, fill(connection, mapped([Path(folder)]), NEEDED, None), widest)
        names = connection.sql(f"SELECT number, claim FROM {NUMBERED}").fetchall()
    number = {at: int(name[1:]) for at, name in names}
    told: dict[int, list[int]] = defaultdict(list)
    for claim, thing in zip(ties.claims.tolist(), ties.named.tolist(), strict=True):
        if ties.things.joins[thing]:
            told[thing].append(number[claim])
    assert sorted(tuple(sorted(each)) for each in told.values()) == expected


class Tags(HTMLParser):
    """The elements of a page, and what stands in its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


EVIL = "<script>alert('&amp;\"')</script><image href=x onerror=1>"


def test_no_value_becomes_a_part_of_the_page(tmp_path: Path) -> None:
    clean, evil = tmp_path / "clean", tmp_path / "evil"
    for folder, mark in ((clean, "x"), (evil, EVIL)):
        folder.mkdir()
        claims = [
            {name: f"{mark}{row[name]}" if name != "amount" else row[name] for name in row}
            | {"shop": mark, "hospital": mark, "account": f"{mark}1"}
            for row in one_driver()
        ]
        links = [{"claim": f"{mark}D{n}", "record": mark, "dimension": "person"} for n in range(3)]
        write(folder, claims, links)
    pages = [page_of(found(folder, plain=True)) for folder in (clean, evil)]
    parsed = [Tags(), Tags()]
    for tags, page in zip(parsed, pages, strict=True):
        tags.feed(page)
    assert parsed[0].tags == parsed[1].tags
    assert parsed[0].attributes == parsed[1].attributes
    assert {"script", "image", "a", "link", "iframe"}.isdisjoint(parsed[1].tags)
    assert "&lt;script&gt;" in pages[1]


def test_the_page_reaches_nothing_and_draws_every_tie(tmp_path: Path) -> None:
    page = page_of(found(write(tmp_path, one_driver())))
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"https?:|url\(|\bstyle=|@import", page)
    assert page.count("<line ") == 12
    assert page.count('<rect class="claim"') == 6
    texts = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="middle"', page)]
    gaps = [b - a for a, b in zip(sorted(texts), sorted(texts)[1:], strict=False)]
    assert min(gaps) >= 20


def test_long_names_are_drawn_as_far_as_there_is_room(tmp_path: Path) -> None:
    shops = ["修" * 60, "w" * 60, "短"]
    claims = [{**row, "shop": shops[n // 2]} for n, row in enumerate(one_driver())]
    page = page_of(found(write(tmp_path, claims)))
    assert sorted(re.findall(r">(shop \d: .*?)</text>", page)) == [
        f"shop 1: {'修' * 15}…",
        f"shop 2: {'w' * 31}…",
        "shop 3: 短",
    ]
    assert f"shop 1 ({'修' * 60})" in page


def test_neither_words_nor_page_name_an_offence(tmp_path: Path) -> None:
    links = [{"claim": f"D{n}", "record": "R", "dimension": "person"} for n in range(3)]
    result = found(write(tmp_path, [*one_driver(), *one_house()], links))
    assert not judges(page_of(result))
    assert not any(judges(line) for ring in result.rings for line in explained(ring))


def said(
    words: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["greenlane", "models", "rings", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0), capsys.readouterr().out


def test_the_command_tells_rings_and_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, page = write(tmp_path, one_driver()), tmp_path / "rings.html"
    words = ["--data", str(folder / "claims.parquet")]
    code, text = said([*words, "--page", str(page)], capsys, monkeypatch)
    assert code == 0
    assert "ring 1, 6,000.00 yuan, score 288" in text
    assert "  person 1 (the-***********ll) is driver in 6 claims" in text
    assert page.read_text(encoding="utf-8") == page_of(found(folder))
    assert page.stat().st_mode & 0o077 == 0
    code, text = said([*words, "--json"], capsys, monkeypatch)
    (ring,) = json.loads(text)["rings"]
    assert (code, ring["score"]) == (0, 288)
    assert ring["parts"] == {"claims": 6, "parties": 6, "kinds": 2, "digits": 4}
    assert [tie["name"] for tie in ring["ties"]] == ["person 1", "phone 1"]
    code, _ = said([*words, "--page", str(tmp_path / "rings.txt")], capsys, monkeypatch)
    assert code == SettingsError.exit_code


def test_no_more_rings_are_told_than_asked_for(tmp_path: Path) -> None:
    others = one_driver(5, "E", "another")
    result = found(write(tmp_path, [*others, *one_driver()]), most=1)
    assert result.number == 2
    assert [ring.claims[0] for ring in result.rings] == ["D0"]


def test_tables_in_which_nothing_could_tie_claims_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [{"claim": "C", "amount": 1, "shop": "S"}])
    with pytest.raises(SettingsError, match="nothing that could tie them"):
        found(tmp_path)
    (tmp_path / "claims.parquet").rename(tmp_path / "records.parquet")
    pyarrow.parquet.write_table(pa.table({"record": ["R"]}), tmp_path / "records.parquet")
    with pytest.raises(SettingsError, match="need a table of claims"):
        found(tmp_path)


def test_too_little_memory_is_said_and_no_value_is(tmp_path: Path) -> None:
    claims = [{"claim": f"C{n}", "insured": f"person-{n}" * 9} for n in range(60_000)]
    with pytest.raises(LocalFault, match="more than 8MB of memory") as told:
        find(mapped([write(tmp_path, claims)]), Bounds(60, "8MB", 1), most=1)
    assert "person-" not in str(told.value)
