"""The identifier kernels: known answers, and agreement with the slow reference.

Random cells are built from good ones: respelled, so that they must still be kept, and spoilt, so
that every way out of a rule is taken.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stdnum.cn import ric
from stdnum.cn import uscc as credit_code

from psi import _core

TESTS = Path(__file__).parent.parent

# How long a case takes depends on what else the machine does, and says nothing about the rules.
patient = settings(deadline=None)


def _load_reference() -> ModuleType:
    """Loads the reference by its path: tests are no package, and their folder is not on any."""
    path = TESTS / "reference" / "identifiers.py"
    spec = importlib.util.spec_from_file_location("reference_identifiers", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


reference = _load_reference()
VECTORS = json.loads((TESTS / "vectors" / "identifiers.json").read_text("utf-8"))
KINDS = tuple(reference.RULES)
GOOD = {
    kind: [
        *VECTORS[kind].get("valid", ()),
        *(cell for cell, _ in VECTORS[kind].get("normalise", ())),
        *(cell for cell, _ in VECTORS[kind].get("warn", ())),
    ]
    for kind in KINDS
}
STRANGE = [
    *"0189ADIOQXZaxz -.·|/*<+()#_'\t\n\x00京粤使挂学港转年月日é",
    *"０ＡＸ　－．｜（）ßİſ\u00ad\u0301\u200b\u2013\u2169\u2022\u212b\u3000\ufeff\ufffd\U000e0100",
]


def outcomes(kind: str, cells: Sequence[str | None]) -> list[tuple[str | None, str]]:
    """What the kernel makes of the cells: value and reason, row by row."""
    values, codes, tally = _core.normalise(kind, pa.array(cells, pa.large_string()))
    words = _core.reasons()
    assert pa.array(values).type == pa.large_string()
    assert tally == [codes.count(code) for code in range(len(words))]
    reasons = [words[code] for code in codes]
    return list(zip(values.to_pylist(), reasons, strict=True))


def assert_agrees(kind: str, cells: Iterable[str | None]) -> None:
    """The kernel and the reference make the same of every cell."""
    cells = list(cells)
    for cell, found in zip(cells, outcomes(kind, cells), strict=True):
        assert found == reference.normalise(kind, cell), ascii(cell)


def known(text: str) -> str:
    """The text without characters that this Python's Unicode has not assigned yet.

    The kernel's tables are newer. Unicode promises that what is assigned keeps its
    normalisation and its case folding, and nothing about the rest.
    """
    return "".join(c for c in text if unicodedata.category(c) not in ("Cn", "Cs"))


@pytest.mark.parametrize("kind", KINDS)
def test_valid_identifiers_stay_as_they_are(kind: str) -> None:
    cells = VECTORS[kind].get("valid", [])
    assert outcomes(kind, cells) == [(cell, "") for cell in cells]


@pytest.mark.parametrize("kind", KINDS)
def test_each_spelling_is_brought_to_the_one_that_both_parties_write(kind: str) -> None:
    cases = VECTORS[kind].get("normalise", [])
    assert outcomes(kind, [cell for cell, _ in cases]) == [(value, "") for _, value in cases]


@pytest.mark.parametrize("kind", KINDS)
def test_each_rejection_gives_its_reason(kind: str) -> None:
    cases = VECTORS[kind].get("reject", [])
    expected = [(None, word(reason)) for _, reason in cases]
    assert outcomes(kind, [cell for cell, _ in cases]) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_each_warning_keeps_the_value(kind: str) -> None:
    cases = VECTORS[kind].get("warn", [])
    for (cell, reason), (value, given_reason) in zip(
        cases, outcomes(kind, [cell for cell, _ in cases]), strict=True
    ):
        assert value is not None, cell
        assert given_reason == f"warning: {word(reason)}", cell


def word(reason: str) -> str:
    """A reason of the vectors without the remark behind it."""
    return re.split("[:(]", reason)[0].rstrip()


def test_composites_give_the_known_answers() -> None:
    cases = VECTORS["composite"]["normalise"]
    parts = zip(*(parts for parts, _ in cases), strict=True)
    columns = [pa.array(column, pa.large_string()) for column in parts]
    assert _core.compose(columns).to_pylist() == [value for _, value in cases]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_agrees_with_the_reference_on_spoilt_cells(kind: str) -> None:
    seed = 20191102
    print(f"seed {seed}")
    draw = random.Random(seed)
    others = [cell for good in GOOD.values() for cell in good]
    cells = [spoil(draw.choice(GOOD[kind]), draw) for _ in range(20_000)]
    cells += [spoil(draw.choice(others), draw) for _ in range(5_000)]
    assert_agrees(kind, map(known, cells))


def spoil(cell: str, draw: random.Random) -> str:
    """Changes, drops, doubles or swaps a few characters."""
    for _ in range(draw.choice((0, 1, 1, 1, 2, 2, 3, 6))):
        at = draw.randrange(len(cell) + 1)
        head, tail = cell[:at], cell[at:]
        cell = draw.choice(
            (
                head + draw.choice(STRANGE) + tail,
                head + draw.choice(STRANGE) + tail[1:],
                head + draw.choice("0123456789ABCXZ") + tail[1:],
                head + tail[1:],
                head + tail[:1] + tail,
                head + tail[1:2] + tail[:1] + tail[2:],
            )
        )
    return cell


@pytest.mark.parametrize("kind", KINDS)
def test_every_character_alone_and_inside_a_good_cell_agrees(kind: str) -> None:
    everything = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assigned = [c for c in everything if known(c)]
    assert_agrees(kind, assigned if kind == "text" else assigned[::7])
    good = GOOD[kind][0]
    inside = [c for c in assigned if ord(c) < 0x3400 or 0xF900 <= ord(c) < 0x11000]
    assert_agrees(kind, (good[:3] + c + good[4:] for c in inside[:: 1 if kind == "text" else 3]))


@patient
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.text(max_size=24)), max_size=20))
@example([("text", "\u0345\u0301a\u1fb3"), ("plate", "使" * 12), ("phone", "+" + "1" * 40)])
def test_the_kernel_agrees_with_the_reference_on_any_text(cells: list[tuple[str, str]]) -> None:
    for kind, cell in cells:
        assert_agrees(kind, [known(cell)])


DIGITS = st.text("0123456789", max_size=26)
SHAPES = {
    "resident_id": st.from_regex(
        r"[1-8][0-9]{5} ?(19|20)?[0-9]{2}[01][0-9][0-3][0-9]-?[0-9]{3}[0-9X]?"
    ),
    "driver_licence": st.from_regex(r"[0-9]{12}([0-9]{3}|[0-9]{5}[0-9Xx])?"),
    "uscc": st.from_regex(r"[19AY][1-9][0-9]{6}[0-9A-Z]{9}[0-9A-Z]"),
    "vin": st.from_regex(r"\*?[0-9A-HJ-NPR-Z]{17}\*?"),
    "plate": st.from_regex(r"[京粤粵滬使W][A-Z0-9][·. -]?[0-9A-Z]{3,5}[0-9A-Z警港澳领領使]?"),
    "phone": st.from_regex(
        r"(\+|00|\+?86|0)?[-( ]?(0\)|0)?[0-9]{2,4}[)-]? ?[0-9]{3,9}"
        r"(-[0-9]{1,7})?( ?(转|x|ext\.?|#) ?[0-9]*)?"
    ),
    "passport": st.from_regex(r"[EGDSPHKM1-3][A-Z0-9.]?[0-9]{5,8}<{0,3}"),
    "flight": st.from_regex(
        r"[A-Z0-9]{2,3}[ -]?0*[0-9]{1,5}[A-Z]?[|｜]"
        r"(19|20)[0-9]{2}[-/.年]?[01]?[0-9][-/.月]?[0-3]?[0-9]日?"
    ),
    "text": st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=12),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_agrees_with_the_reference_on_cells_of_the_kinds_shape(kind: str) -> None:
    @patient
    @given(st.lists(SHAPES[kind] | DIGITS, max_size=12))
    def agrees(cells: list[str]) -> None:
        assert_agrees(kind, map(known, cells))

    agrees()


@patient
@given(st.from_regex(r"(11|33)[0-9]{4}19[0-9]{2}(0[1-9]|1[0-2])1[0-9]{4}", fullmatch=True))
def test_resident_ids_have_the_check_character_of_another_implementation(body: str) -> None:
    kept = [body + c for c in "0123456789X" if outcomes("resident_id", [body + c])[0][0]]
    assert kept == [body + ric.calc_check_digit(body + "0")]
    assert outcomes("resident_id", [body[:6] + body[8:]])[0] == (kept[0], "")


@patient
@given(st.from_regex(r"9[1-3][0-9]{6}[0-9A-HJ-NP-RTUWXY]{9}", fullmatch=True))
def test_credit_codes_have_the_check_character_of_another_implementation(body: str) -> None:
    kept = [body + c for c in reference.USCC if outcomes("uscc", [body + c])[0][0]]
    assert kept == [body + credit_code.calc_check_digit(body)]


def wide(cell: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in cell)


RESPELLINGS: tuple[Callable[[str], str], ...] = (
    str.lower,
    wide,
    lambda cell: f"\ufeff {cell}\u3000\t",
    lambda cell: "\u200b".join(cell),
)
SEPARATED = {
    "resident_id": " -",
    "driver_licence": "\u3000\u2013",
    "uscc": " -",
    "vin": " \u2010",
    "plate": "·•.\u30fb- \u2027",
    "phone": " .()\u2212",
    "passport": " -.",
}


@pytest.mark.parametrize("kind", KINDS)
def test_respelling_a_good_cell_does_not_change_its_value(kind: str) -> None:
    values = [value for value, _ in outcomes(kind, GOOD[kind]) if value]
    expected = outcomes(kind, values)
    for respell in RESPELLINGS:
        assert outcomes(kind, [respell(value) for value in values]) == expected
    for separator in SEPARATED.get(kind, ""):
        assert outcomes(kind, [separator.join(value) for value in values]) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_normalises_to_itself(kind: str) -> None:
    seed = 11643
    print(f"seed {seed}")
    draw = random.Random(seed)
    cells = [known(spoil(draw.choice(GOOD[kind]), draw)) for _ in range(10_000)]
    values = [value for value, _ in outcomes(kind, cells) if value is not None]
    assert values
    assert [value for value, _ in outcomes(kind, values)] == values


@patient
@given(st.text(max_size=16).map(known))
def test_text_normalises_to_itself(cell: str) -> None:
    value, _ = outcomes("text", [cell])[0]
    if value is not None:
        assert outcomes("text", [value]) == [(value, "")]


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 16_383, 16_384, 16_385, 50_000])
def test_rows_stay_in_their_place_across_the_ranges_of_the_threads(rows: int) -> None:
    cells = [None if row % 7 == 3 else f"138{row:08}" if row % 5 else "?" for row in range(rows)]
    expected = [
        (None, "") if cell is None else ("+86" + cell, "") if cell != "?" else (None, "alphabet")
        for cell in cells
    ]
    assert outcomes("phone", cells) == expected


def test_a_slice_with_an_offset_is_read_at_its_offset() -> None:
    column = pa.array(["x", None, "浙A·12345", "津", None, "京a12345"] * 50, pa.large_string())
    for start, length in ((0, 300), (2, 1), (1, 64), (63, 200), (299, 1), (300, 0)):
        part = column.slice(start, length)
        values, _, _ = _core.normalise("plate", part)
        expected = [reference.normalise("plate", cell).value for cell in part.to_pylist()]
        assert values.to_pylist() == expected


NETSTRINGS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=6)


@patient
@given(NETSTRINGS, NETSTRINGS)
def test_composites_agree_with_the_reference(
    left: list[str | None], right: list[str | None]
) -> None:
    pairs = list(zip(left, right, strict=False))
    columns = [pa.array([pair[at] for pair in pairs], pa.large_string()) for at in (0, 1)]
    assert _core.compose(columns).to_pylist() == [reference.compose(pair) for pair in pairs]


@patient
@given(st.lists(st.tuples(st.text(":,0123a", max_size=6), st.text(":,0123a", max_size=6))))
def test_composites_of_different_parts_differ(pairs: list[tuple[str, str]]) -> None:
    columns = [pa.array([pair[at] for pair in pairs], pa.large_string()) for at in (0, 1)]
    assert len(set(_core.compose(columns).to_pylist())) == len(set(pairs))


def test_composites_need_columns_of_one_length() -> None:
    one, two = (pa.array(["a"] * n, pa.large_string()) for n in (1, 2))
    with pytest.raises(ValueError, match=r"^parts: length 2, expected 1$"):
        _core.compose([one, two])
    with pytest.raises(ValueError, match=r"^parts: length 0, expected 1$"):
        _core.compose([])


def test_the_kinds_are_those_of_the_reference() -> None:
    assert sorted(_core.kinds()) == sorted(KINDS)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        _core.normalise("iban", pa.array([], pa.large_string()))


def test_reason_zero_is_empty_and_no_reason_stands_twice() -> None:
    words = _core.reasons()
    assert words[0] == ""
    assert len(set(words)) == len(words) < 256


def test_the_rules_have_a_version_and_a_digest() -> None:
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", _core.normaliser_version())
    assert len(_core.normaliser_digest()) == 32
    assert _core.normaliser_digest() == _core.normaliser_digest()


def test_a_slice_of_a_column_is_normalised_by_itself():
    whole = pa.array(["abc", "DEF", "京A", None], pa.large_string())
    for start, count, expected in [
        (2, 0, []),
        (1, 1, ["def"]),
        (4, 0, []),
        (1, 3, ["def", "京a", None]),
    ]:
        values, codes, _ = _core.normalise("text", whole.slice(start, count))
        assert values.to_pylist() == expected
        assert codes == bytes(count)
