"""A match by keys of a window, and a rule over what it wrote, are the plain rule on both sides."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parties.agreement import Terms
from parties.disclosure import disclosed
from parties.job import Chosen, Job
from parties.jobs import Prepared, deliver, prepare, run
from parties.models.checking import checked
from parties.models.loading import folder_of
from parties.models.mapping import mapped
from parties.models.sandbox import Bounds
from parties.models.trying import tried
from parties.models.windowing import Side as Rows
from parties.models.windowing import Windowed
from parties.models.windows import Window
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource
from psi import Meter, Side, converse

NOON = datetime(2024, 5, 1, 12)
HOUR = 3600
STEPS = [-HOUR, -1, 0, 1, 2 * HOUR, 6 * HOUR - 1, 6 * HOUR, 6 * HOUR + 1, 6 * HOUR + 599, 9 * HOUR]
"""Seconds from a record to a claim: both sides of both edges, and further away."""
PLATES = ["京A12345", "京A12346", "京A12347"]
MAPPING = """
[claims]
files = ["claims.parquet"]
[claims.columns]
claim = "claim"
happened = "at"
amount = "amount"
[records]
files = ["joined.parquet"]
[records.columns]
record = "police.record"
kind = "police.kind"
begun = "police.begun"
[links]
files = ["joined.parquet"]
[links.columns]
claim = "claim"
record = "police.record"
dimension = { column = "greenlane_set", words = { plate-6h = "vehicle" } }
"""


def claims() -> pa.Table:
    times = [
        (plate, NOON + timedelta(days=day, seconds=step))
        for day, plate in enumerate(PLATES)
        for step in STEPS
    ]
    return pa.table(
        {
            "claim": [f"C{n}" for n in range(len(times))],
            "plate": [plate for plate, _ in times],
            "at": pa.array([time for _, time in times], pa.timestamp("us")),
            "amount": [100] * len(times),
        }
    )


def records() -> pa.Table:
    times = [
        (plate, NOON + timedelta(days=day))
        for day in range(len(PLATES))
        for plate in PLATES
        for _ in range(2)
    ]
    return pa.table(
        {
            "record": [f"R{n}" for n in range(len(times))],
            "kind": ["drink_driving"] * len(times),
            "plate": [plate for plate, _ in times],
            "begun": pa.array([time for _, time in times], pa.timestamp("us")),
        }
    )


def prepared(
    rows: pa.Table, time: str, of: Rows, window: Window, folder: Path
) -> tuple[Prepared, Job]:
    windowed = Windowed(ArrowSource(rows), time, window, of)
    names = windowed.names()
    source = ArrowSource(pa.Table.from_batches(map(pa.record_batch, windowed.batches())), of)
    spec = IdentifierSettings(
        "plate-6h", "composite", tuple(("plate", name) for name in names), ("plate", "text")
    )
    told = ["record", "kind", "begun"] if of == "records" else []
    job = Job("ab" * 16, "match", (spec,), we_receive=of == "claims", both_learn=False)
    return prepare(source, (spec,), disclosed(source, told), folder), job


def matched(window: Window, folder: Path) -> set[tuple[str, str]]:
    """Runs a match of both sides, and returns which claim was told with which record."""
    ours, job = prepared(claims(), "at", "claims", window, folder)
    theirs, their_job = prepared(records(), "begun", "records", window, folder)
    sizes = (5000,)
    terms = Terms(
        "police", b"c" * 32, 5000, sizes, sizes, theirs.columns, True, (Chosen("dh", True),)
    )
    their_terms = Terms("insurer", b"c" * 32, 5000, sizes, sizes, (), True, (Chosen("dh", False),))
    learnt, _ = converse(
        Side(run(job, terms, ours, exact=True, meter=Meter())),
        Side(run(their_job, their_terms, theirs, exact=True, meter=Meter())),
    )
    deliver(learnt, ours.source, "police", folder / "joined.parquet", "parquet")
    rows = pq.read_table(folder / "joined.parquet").to_pylist()
    pairs = [(row["claim"], row["police.record"]) for row in rows]
    assert len(set(pairs)) == len(pairs), "a claim and a record have one key in common"
    return set(pairs)


def plain(least: int, most: int) -> set[tuple[str, str]]:
    return {
        (claim["claim"], record["record"])
        for claim in claims().to_pylist()
        for record in records().to_pylist()
        if claim["plate"] == record["plate"]
        and least <= (claim["at"] - record["begun"]).total_seconds() <= most
    }


@pytest.mark.parametrize("grain", [1, 600, 6 * HOUR])
def test_the_match_tells_the_window_and_the_rule_drops_what_a_grain_adds(
    tmp_path: Path, grain: int
) -> None:
    told = matched(Window(0, 6 * HOUR, grain), tmp_path)
    meant = plain(0, 6 * HOUR)
    assert len(meant) == 3 * 2 * 5
    assert meant <= told <= plain(1 - grain, 6 * HOUR + grain - 1)
    assert (told == meant) == (grain == 1)
    pq.write_table(claims(), tmp_path / "claims.parquet")
    (tmp_path / "joined.toml").write_text(MAPPING, encoding="utf-8")
    pack = checked(folder_of("auto"))
    found = tried(pack, mapped([tmp_path / "joined.toml"]), {}, Bounds(60, "500MB", 1))
    (outcome,) = (each for each in found.outcomes if each.rule.name == "drink-driving-before")
    leads = {
        (claim, record)
        for lead in outcome.leads
        for claim in lead.claims
        for record in lead.records
    }
    assert leads == meant
