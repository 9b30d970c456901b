"""Reports of a job: numbers and names, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from parties.agreement import Chosen, Job
from parties.identifiers import identify
from parties.jobs import Learnt
from parties.joining import Hits
from parties.reports import JobReport, set_reports, totals
from parties.settings import IdentifierSettings
from parties.sources import ArrowSource

PLATE = IdentifierSettings("plate", "plate", (("plate",),))
CHOSEN = Chosen("dh", True, "dh: about 2 s")
ROWS = {"plate": ["浙A12345", "浙A12345", "粤BD12345", None, "nothing"]}


def own() -> Learnt:
    return Learnt(PLATE, identify(ArrowSource(pa.table(ROWS), "claims"), PLATE), CHOSEN)


def matched() -> Learnt:
    mine = own().own
    hits = Hits.at(pa.array([0, 1], pa.uint32()), mine, np.array([3, 1]))
    return Learnt(PLATE, mine, CHOSEN, 2, 128, hits)


def report(*learnt: Learnt, rows: int | None = None) -> JobReport:
    return JobReport(
        session="ab" * 16,
        way="match",
        peer="police",
        sets=set_reports(learnt),
        said_bytes=12345,
        heard_bytes=6,
        seconds=1.25,
        rows=rows,
        result=None if rows is None else Path("results/joined.parquet"),
        rejects=Path("results/rejects.csv"),
    )


def test_what_was_learnt_is_told_in_numbers() -> None:
    (each,) = set_reports([matched()])
    assert (each.name, each.kind, each.rows, each.identifiers) == ("plate", "plate", 5, 2)
    assert (each.missing, sum(each.rejected.values())) == (1, 1)
    assert (each.matches, each.own_records, each.their_records, each.peer_size) == (2, 3, 4, 128)
    assert (each.protocol, each.we_receive, each.reason) == ("dh", True, "dh: about 2 s")


def test_what_was_not_learnt_is_none_and_not_nought() -> None:
    (nothing,) = set_reports([own()])
    assert (nothing.matches, nothing.own_records, nothing.their_records, nothing.peer_size) == (
        (None,) * 4
    )
    (number,) = set_reports([Learnt(PLATE, own().own, CHOSEN, 0, 128)])
    assert (number.matches, number.own_records, number.their_records) == (0, None, None)


def test_a_report_is_plain_values() -> None:
    values = json.loads(json.dumps(report(matched(), rows=8).as_json()))
    assert values["result"] == "results/joined.parquet"
    assert values["rejects"] == "results/rejects.csv"
    assert values["sets"][0]["their_records"] == 4
    assert values["sets"][0]["protocol"] == "dh"
    assert json.loads(json.dumps(report(own()).as_json()))["result"] is None


def test_a_report_is_lines_for_people() -> None:
    assert report(matched(), rows=8).lines() == [
        "match with police, session " + "ab" * 16,
        "  plate: 2 in common (3 rows of ours, 4 of theirs); 2 identifiers of ours in 5 rows",
        "    dh: about 2 s",
        f"    rejected here: 1 {next(iter(matched().own.rejected))}",
        "  12,345 bytes said, 6 heard, 1.2 s",
        "  8 joined rows in results/joined.parquet",
        "  rejected cells in results/rejects.csv",
    ]
    assert report(own()).lines()[1] == "  plate: 2 identifiers of ours in 5 rows"
    assert (
        report(Learnt(PLATE, own().own, CHOSEN, 1))
        .lines()[1]
        .startswith("  plate: 1 in common; 2 ident")
    )


def test_rows_of_a_peer_that_told_of_none_are_not_mentioned() -> None:
    mine = own().own
    told = Learnt(PLATE, mine, CHOSEN, 2, 128, Hits.at(pa.array([0, 1], pa.uint32()), mine))
    (each,) = set_reports([told])
    assert (each.own_records, each.their_records) == (3, None)
    assert report(told).lines()[1].startswith("  plate: 2 in common (3 rows of ours); 2 ident")


def test_the_node_that_did_not_choose_gives_no_reason() -> None:
    told = own()._replace(chosen=Chosen("dh", False))
    assert report(told).lines()[2].startswith("    rejected here")


def test_the_log_says_how_each_set_was_matched() -> None:
    job = Job("ab" * 16, "match", (PLATE, PLATE), we_receive=True)
    other = matched()._replace(chosen=Chosen("vole", True))
    assert totals(job, [matched(), other])["protocols"] == ["dh", "vole"]


def test_no_report_shows_an_identifier() -> None:
    job = Job("ab" * 16, "match", (PLATE,), we_receive=True)
    shown = (
        f"{report(matched()).lines()} {report(matched())} {totals(job, [matched()])} {matched()}"
    )
    for value in ("12345", "nothing", matched().own.elements[0].hex()):
        assert value not in shown.replace("12,345", "").replace("said_bytes=12345", "")
