"""The forms of facts, against expressions that say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.audit import facts

FORMS = {
    facts.is_name: r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?",
    facts._is_word: r"[a-z][a-z0-9_-]{0,63}",
    facts._is_ticket: r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    facts.is_digest: r"[0-9a-f]{64}",
    facts._is_id: r"[0-9a-f]{32}",
    facts._is_version: r"[0-9][0-9A-Za-z.+-]{0,31}",
    facts._is_text: r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,1000}",
}
SHORT = st.text(st.sampled_from("aZz09.-_+ f\n\x85\u2028é\u0663"), max_size=5)
LONG = st.text(st.sampled_from("af09.-"), min_size=30, max_size=66)


@settings(max_examples=1000)
@given(value=SHORT | LONG | st.none() | st.integers() | st.binary(max_size=3))
def test_a_form_is_what_its_expression_says(value: Any) -> None:
    for has, form in FORMS.items():
        due = isinstance(value, str) and re.fullmatch(form, value) is not None
        assert has(value) == due, form


@pytest.mark.parametrize("length", [1000, 1001])
def test_a_text_has_at_most_a_thousand_characters(length: int) -> None:
    assert facts._is_text("目" * length) == (length == 1000)


@pytest.mark.parametrize(
    ("text", "is_time", "is_moment"),
    [
        ("2026-11-30T07:00:00.000000Z", True, True),
        ("2026-11-30T07:00:00Z", False, True),
        ("2026-11-30T07:00:00+00:00", False, True),
        ("2026-11-30T07:00:00.000001+00:00", False, True),
        ("2026-11-30T07:00:00.123Z", False, False),
        ("2026-11-30 07:00:00Z", False, False),
        ("2026-11-30T07:00Z", False, False),
        ("2026-11-30T07:00:00,000000Z", False, False),
        ("20261130T070000Z", False, False),
        ("2026-W48-1T07:00:00Z", False, False),
        ("2026-11-30T07:00:00+00:00Z", False, False),
        ("2026-11-30T07:00:00+01:00", False, False),
        ("2026-11-30T24:00:00Z", False, False),
        ("2026-11-30T07:00:60Z", False, False),
        ("2026-02-30T07:00:00Z", False, False),
        ("٢026-11-30T07:00:00Z", False, False),
        ("2026-11-30T07:00:00.000000ZZ", False, False),
    ],
)
def test_a_time_has_one_form_and_a_moment_few(text: str, is_time: bool, is_moment: bool) -> None:
    assert (facts.is_time(text), facts._is_moment(text)) == (is_time, is_moment)
