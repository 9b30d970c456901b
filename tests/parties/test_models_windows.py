"""Buckets of time decide as the plain rule does, on both sides of every edge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parties.cli import main
from parties.errors import SettingsError, SourceError
from parties.identifiers import identify
from parties.models.mapping import opened
from parties.models.windowing import Windowed
from parties.models.windows import Window
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource

NOON = datetime(2024, 5, 1, 12)
HOUR, DAY = 3600, 86_400

windows = st.builds(
    lambda after, length, grain: Window(after, after + length, grain),
    st.integers(-2 * DAY, 2 * DAY),
    st.integers(0, 3 * DAY),
    st.sampled_from([1, 7, 60, 900, HOUR, 6 * HOUR, DAY]),
)


def array(*times: datetime | None) -> pa.Array:
    return pa.array(times, pa.timestamp("us"))


def shared(window: Window, claim: datetime, record: datetime, ended: datetime | None = None) -> int:
    """How many keys a claim and a record have in common."""
    claims = [each[0].as_py() for each in window.of_claims(array(claim))]
    ends = array(ended)
    records = [each[0].as_py() for each in window.of_records(array(record), ends)]
    there = {key for key in records if key is not None}
    assert len(there) == sum(key is not None for key in records)
    return len(there & set(claims))


def plain(window: Window, claim: datetime, record: datetime) -> bool:
    return window.after <= (claim - record).total_seconds() <= window.until


@given(window=windows, begun=st.integers(-(10**9), 10**9), late=st.integers(-4 * DAY, 6 * DAY))
@example(window=Window(0, 6 * HOUR, 1), begun=0, late=6 * HOUR)
@example(window=Window(0, 0, 1), begun=0, late=0)
@settings(max_examples=300, deadline=None)
def test_what_the_plain_rule_lets_meet_shares_one_key(
    window: Window, begun: int, late: int
) -> None:
    record = NOON + timedelta(seconds=begun)
    edges = [window.after, window.until]
    for seconds in (late, *edges, *(each - 1 for each in edges), *(each + 1 for each in edges)):
        claim = record + timedelta(seconds=seconds)
        keys = shared(window, claim, record)
        assert keys in (0, 1)
        assert keys == 1 or not plain(window, claim, record)


@given(
    window=windows,
    begun=st.integers(-(10**9), 10**9),
    length=st.integers(1, 4 * DAY),
    late=st.integers(-4 * DAY, 6 * DAY),
)
@settings(max_examples=200, deadline=None)
def test_a_window_is_over_when_the_record_has_ended(
    window: Window, begun: int, length: int, late: int
) -> None:
    record = NOON + timedelta(seconds=begun)
    end = record + timedelta(seconds=length)
    edges = [window.after, window.until, length]
    for seconds in (late, *edges, *(each - 1 for each in edges), *(each + 1 for each in edges)):
        claim = record + timedelta(seconds=seconds)
        met = plain(window, claim, record) and claim < end
        keys = shared(window, claim, record, end)
        assert keys in (0, 1)
        assert keys == 1 or not met
        if window.grain == 1:
            assert bool(keys) == met


@given(window=windows, begun=st.integers(-(10**9), 10**9), late=st.integers(-4 * DAY, 6 * DAY))
@settings(max_examples=200, deadline=None)
def test_what_is_matched_outside_of_the_window_is_less_than_a_grain_away(
    window: Window, begun: int, late: int
) -> None:
    record = NOON + timedelta(seconds=begun)
    claim = record + timedelta(seconds=late)
    if shared(window, claim, record):
        assert window.after - window.grain < late < window.until + window.grain
    elif window.grain == 1:
        assert not plain(window, claim, record)


@given(
    window=windows.map(lambda each: each._replace(grain=1)),
    begun=st.integers(-(10**9), 10**9),
    edge=st.sampled_from(["after", "until"]),
    step=st.sampled_from([-1, 0, 1]),
)
@settings(max_examples=200, deadline=None)
def test_with_a_grain_of_a_second_the_match_alone_is_the_plain_rule(
    window: Window, begun: int, edge: str, step: int
) -> None:
    record = NOON + timedelta(seconds=begun)
    claim = record + timedelta(seconds=getattr(window, edge) + step)
    assert shared(window, claim, record) == plain(window, claim, record)


def test_rows_are_named_by_plate_and_bucket_as_the_nodes_name_them() -> None:
    window = Window(0, 6 * HOUR, 60)
    begun = [NOON, NOON + timedelta(days=1), None]
    late = [timedelta(hours=6), timedelta(hours=6, minutes=1), timedelta(0), timedelta(minutes=-1)]
    happened = [NOON + each for each in late]
    claims = rows(["京A12345"] * 4, window.of_claims(array(*happened)))
    records = rows(["京A·12345", "京A12345", "京A12345"], window.of_records(array(*begun)))
    met = [each for each in elements(claims) if each in elements(records)]
    assert len(met) == 2
    other = rows(["京A54321"] * 3, window.of_records(array(*begun)))
    assert not set(elements(claims)) & set(elements(other))


def rows(plates: Sequence[str], keys: Sequence[pa.Array]) -> pa.Table:
    return pa.table({"plate": plates, **{f"window_{at}": key for at, key in enumerate(keys)}})


def elements(table: pa.Table) -> list[bytes]:
    ways = tuple(("plate", name) for name in table.column_names[1:])
    spec = IdentifierSettings("plate-6h", "composite", ways, ("plate", "text"))
    found = identify(ArrowSource(table), spec)
    return [found.elements[at] for at in range(len(found))]


def test_keys_of_another_window_or_size_are_others() -> None:
    one, other = Window(0, 60, 1), Window(0, 61, 1)
    keys = [{each[0].as_py() for each in w.of_claims(array(NOON))} for w in (one, other)]
    assert not keys[0] & keys[1]
    assert len(keys[0]) == one.levels


@pytest.mark.parametrize(
    ("window", "claims", "columns", "most"),
    [
        (Window(0, 6 * HOUR, 6 * HOUR), 2, 3, 2),
        (Window(0, 6 * HOUR, 60), 9, 17, 12),
        (Window(0, 6 * HOUR, 1), 15, 29, 19),
        (Window(0, 365 * DAY, DAY), 9, 17, 14),
    ],
)
def test_a_window_has_few_keys(window: Window, claims: int, columns: int, most: int) -> None:
    # How many it takes is decided by where it begins among the largest buckets.
    begun = instants(window.grain * np.arange(1 << window.levels))
    assert len(window.of_claims(begun)) == claims
    keys = window.of_records(begun)
    assert len(keys) == columns
    assert held(keys).max() == most


@pytest.mark.parametrize(("grain", "most"), [(60, 14), (1, 26)])
def test_a_window_that_a_record_ends_may_have_more(grain: int, most: int) -> None:
    window = Window(0, 6 * HOUR, grain)
    size = 1 << (window.levels - 1)
    begun, ended = (instants(grain * np.array([at])) for at in (size + 1, 2 * size - 1))
    assert held(window.of_records(begun, ended)).tolist() == [most]


def instants(seconds: Any) -> pa.Array:
    return pa.array(seconds.astype("datetime64[s]")).cast(pa.timestamp("us"))


def held(keys: Sequence[pa.Array]) -> Any:
    """How many keys each row has."""
    return sum(key.is_valid().to_numpy(zero_copy_only=False).astype(int) for key in keys)


ROWS = """\
no,plate,at
C1,京A12345,2024-05-01 18:00:00
C2,京A12345,2024-05-01 18:00:01
C3,京A12345,
"""


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_command_adds_keys_to_a_file_that_a_node_can_take_as_its_source(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    (tmp_path / "claims.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "records.csv").write_text(
        "plate,at\n京A·12345,2024-05-01 12:00\n", encoding="utf-8"
    )
    sets = []
    for side in ("claims", "records"):
        out = tmp_path / f"{side}.out.{suffix}"
        words = [f"{tmp_path}/{side}.csv", "--of", side, "--time", "at", "--until", "21600"]
        monkeypatch.setattr(
            "sys.argv", ["greenlane", "models", "window", *words, "--out", str(out)]
        )
        with pytest.raises(SystemExit) as left:
            main()
        assert not left.value.code
        source = opened((out,))
        names = [name for name in source.schema.names if name.startswith("window_")]
        assert f"{len(names)} columns window_0 to {names[-1]}" in capsys.readouterr().out
        ways = tuple(("plate", name) for name in names)
        sets.append(identify(source, IdentifierSettings("w", "composite", ways, ("plate", "text"))))
    claims, records = sets
    there = {records.elements[at] for at in range(len(records))}
    met = [at for at in range(len(claims)) if claims.elements[at] in there]
    rows = {row for way in claims.places for row, at in enumerate(way.to_pylist()) if at in met}
    assert rows == {0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "no,plate,at\nC1,A,noon\n",
            r"claims\.csv, column 'at': holds something else than a local",
        ),
        ("no,plate,on\nC1,A,2024-05-01\n", "there is no column 'at'"),
        ("no,window_3,at\nC1,A,2024-05-01\n", "there is a column 'window_3' already"),
    ],
)
def test_rows_that_have_no_times_are_refused_and_no_cell_is_quoted(
    tmp_path: Path, change: str, words: str
) -> None:
    (tmp_path / "claims.csv").write_text(change, encoding="utf-8")
    source = opened((tmp_path / "claims.csv",))
    with pytest.raises(SourceError, match=words) as caught:
        list(Windowed(source, "at", Window(0, HOUR, 1), "claims").batches())
    assert "noon" not in str(caught.value)
    assert "noon" not in str(caught.value.__context__)


def test_one_column_may_say_when_a_record_began_and_ended(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("no,at\nR1,2024-05-01 12:00:00\n", encoding="utf-8")
    windowed = Windowed(
        opened((tmp_path / "records.csv",)), "at", Window(-60, 60, 1), "records", "at"
    )
    (batch,) = windowed.batches()
    keys = pa.record_batch(batch).to_pylist()[0]
    assert sum(keys[name] is not None for name in windowed.names()) > 0


def test_a_row_without_a_time_has_no_key() -> None:
    window = Window(0, HOUR, 60)
    for keys in (window.of_claims(array(None)), window.of_records(array(None))):
        assert [each[0].as_py() for each in keys] == [None] * len(keys)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ((1, 0, 1), "ends not before it begins"),
        ((0, 1, 0), "a grain of 1 second or more"),
        ((0, 11 * 366 * DAY, 1), "within 3660 days"),
        ((0, 3 * 366 * DAY, 1), "take a larger grain"),
    ],
)
def test_a_window_that_is_none_is_refused(window: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Window(*window).checked()
    assert Window(0, 365 * DAY, 1).checked() == (0, 365 * DAY, 1)
