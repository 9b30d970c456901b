"""A scorecard on cases whose probabilities are known, held out, drawn and written as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from make_history import history

from parties.judgements import judges
from parties.models.mapping import mapped
from parties.models.mining.bands import Band
from parties.models.mining.cases import Cases, gather
from parties.models.mining.dimensions import EVERY
from parties.models.mining.facts import Facts
from parties.models.mining.finding import Mined, mine
from parties.models.mining.holding_out import HeldOut, compare, hold_out
from parties.models.mining.outcomes import Case, Outcomes, of_file
from parties.models.mining.page import page_of
from parties.models.mining.plot import drawn
from parties.models.mining.scorecard import DOUBLED, POINTS, fit
from parties.models.mining.weights import shares_of
from parties.models.sandbox import Bounds

BOUNDS = Bounds(60, "1GB", 1)
WEIGHTS = ((-0.5, 0.0, 1.2), (0.6, -0.6), (0.0, 0.4, 0.0, -0.9))
"""Of the bands of three dimensions, as the world has them; a fourth has nothing to do with it."""


def world(seed: int, number: int, size: int = 1) -> tuple[Facts, Cases, npt.NDArray[np.float64]]:
    """Cases with known probabilities: what they depend on adds up in the logarithm of odds."""
    print("seed", seed)
    random = np.random.default_rng(seed)
    widths = [*(len(each) for each in WEIGHTS), 3]
    codes = [random.integers(0, width, number).repeat(size).astype(np.int16) for width in widths]
    scores = np.full(number, -1.5)
    for each, column in zip(WEIGHTS, codes, strict=False):
        scores += np.array(each)[column[::size]]
    chances = 1 / (1 + np.exp(-scores))
    confirmed = random.random(number) < chances
    claims = [f"C{n:06d}" for n in range(number * size)]
    counts = [each for each in EVERY if each.sort == "count"]
    bands = [[Band(n, n + 1) for n in range(width)] for width in widths]
    facts = Facts({}, claims, counts[: len(widths)], bands, codes)
    cases = {
        claim: Case(f"case {n // size}", bool(confirmed[n // size]))
        for n, claim in enumerate(claims)
    }
    return facts, gather(facts, Outcomes(cases, frozenset())), chances


def within(held_out: HeldOut) -> int:
    """Groups whose probability is in the interval of what was confirmed of them."""
    return sum(each.interval[0] <= each.said <= each.interval[1] for each in held_out.tenths)


@pytest.mark.parametrize("size", [1, 3])
def test_what_it_says_of_cases_that_it_has_not_seen_is_within_the_interval(size: int) -> None:
    facts, cases, chances = world(7, 4000, size)
    shares = shares_of(facts, cases)
    found = hold_out(cases, shares)
    assert len(found.tenths) == 10
    assert within(found) >= 8, (
        "of ten intervals at 95 % two may miss, and more do in one of 80 runs"
    )
    assert found.expected == pytest.approx(found.confirmed, rel=0.03)
    card = fit(shares, cases.confirmed, np.ones(4000, np.bool_))
    said = card.chances(shares, np.ones(4000, np.bool_))
    assert np.abs(said - chances).max() < 0.06
    best = compare(chances, cases.confirmed)
    assert found.area.low < best.area.value < found.area.high
    assert found.brier.low < best.brier.value < found.brier.high


def test_an_overconfident_scorecard_shows() -> None:
    """The control of the test above: probabilities that are too far apart miss their intervals."""
    _, cases, chances = world(7, 4000)
    odds = 2 * np.log(chances / (1 - chances)) + 1.5
    assert within(compare(1 / (1 + np.exp(-odds)), cases.confirmed)) <= 4


def test_points_are_the_logarithm_of_odds_and_dimensions_that_tell_nothing_have_none() -> None:
    facts, cases, _ = world(8, 4000)
    shares = shares_of(facts, cases)
    card = fit(shares, cases.confirmed, np.ones(4000, np.bool_))
    assert [each.counts > 0 for each in card.dimensions] == [True, True, True, False]
    for each, weights in zip(card.dimensions, WEIGHTS, strict=False):
        points = np.array(each.points[: len(weights)], np.float64)
        told = points * np.log(2) / DOUBLED
        apart = (told - told[0]) - (np.array(weights) - weights[0])
        assert np.abs(apart).max() < 0.3
    share = float(cases.confirmed.mean())
    assert card.odds == pytest.approx(np.log(share / (1 - share)))
    assert abs(card.start - POINTS) < DOUBLED


def test_on_outcomes_by_chance_it_tells_nothing() -> None:
    areas = []
    for seed in range(5):
        facts, cases, _ = world(seed, 600)
        random = np.random.default_rng(seed + 100)
        cases = cases._replace(confirmed=random.random(600) < 0.3)
        found = hold_out(cases, shares_of(facts, cases))
        areas.append(found.area.low <= 0.5 <= found.area.high)
        assert found.brier.low < found.brier_of_share < found.brier.high
    assert sum(areas) >= 4


def test_claims_of_a_case_are_held_out_together_and_count_once() -> None:
    facts, cases, _ = world(9, 1000)
    many, large, _ = world(9, 1000, 5)
    one = hold_out(cases, shares_of(facts, cases))
    five = hold_out(large, shares_of(many, large))
    assert one.brier == pytest.approx(five.brier)
    assert one.area == pytest.approx(five.area)


class Tags(HTMLParser):
    """The elements of a page, and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(name for name, _ in attrs)}


def mined(folder: Path, company: str) -> Mined:
    others = ("an insurer", "")
    made = history(12, 400, base=0.25, size=1, undecided=0)
    claims = [
        row | {"company": company if out["outcome"] == "prosecution" else others[n % 2]}
        for n, (row, out) in enumerate(zip(made.claims, made.outcomes, strict=True))
    ]
    outcomes = made._replace(claims=claims).write(folder)
    return mine(mapped([folder]), "auto", of_file(outcomes), BOUNDS, longest=1)


def test_no_value_becomes_a_part_of_the_page(tmp_path: Path) -> None:
    evil = "<script>alert('&amp;')</script><image href=x>"
    pages = []
    for name, company in (("clean", "another insurer"), ("evil", evil)):
        found = mined(tmp_path / name, company)
        assert found.rated is not None
        pages.append(page_of(found, found.rated))
    clean, dirty = (Tags(page).seen for page in pages)
    assert clean == dirty
    assert {"script", "image", "a", "link", "style"} & clean == {"style"}
    assert pages[1].count("&lt;script&gt;") == 2, "in the sets, and in the scorecard"


def test_the_page_reaches_nothing_and_draws_every_group(tmp_path: Path) -> None:
    found = mined(tmp_path, "another insurer")
    assert found.rated is not None
    page = page_of(found, found.rated)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"https?:|url\(|\bstyle=|@import", page)
    assert not judges(page)
    assert "<td>not known</td>" in page
    held_out = found.rated.held_out
    picture = drawn(held_out)
    assert picture in page
    assert picture.count('<circle class="tenth"') == len(held_out.tenths) == 10
    assert picture.count('<line class="interval"') == 10
    for text in (held_out.brier.value, held_out.brier_of_share):
        assert f"{text:.4f}" in page


def test_the_picture_is_drawn_to_scale() -> None:
    _, cases, chances = world(7, 4000)
    held_out = compare(chances, cases.confirmed)
    picture = drawn(held_out)
    grid = re.findall(r'<line class="grid" x1="([\d.]+)" y1="16" x2="\1"', picture)
    shares = re.findall(r'text-anchor="middle">(\d+) %<', picture)
    assert len(grid) == len(shares) > 4
    left, right, most = float(grid[0]), float(grid[-1]), int(shares[-1]) / 100
    places = re.findall(r'<circle class="tenth" cx="([\d.]+)" cy="([\d.]+)"', picture)
    for (x, y), tenth in zip(places, held_out.tenths, strict=True):
        assert (float(x) - left) / (right - left) * most == pytest.approx(tenth.said, abs=1e-3)
        share = (436 - float(y)) / (right - left) * most
        assert share == pytest.approx(tenth.confirmed / tenth.cases, abs=1e-3)
