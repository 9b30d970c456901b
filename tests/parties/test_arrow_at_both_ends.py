"""Two nodes in this process that ask and answer with Arrow tables instead of files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from parties.answering import answers
from parties.asking import Question, ask
from parties.channel import Identity, Node
from parties.founding import FILE, found, introduce
from parties.settings_file import load
from parties.sources import ArrowSource
from psi import Meter


class Foreign:
    """A table of some other library: it has the Arrow stream and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def test_any_arrow_object_serves_as_a_source_at_both_ends(tmp_path: Path) -> None:
    found(tmp_path / "A", "insurer", "insurer", "127.0.0.1:1")
    found(tmp_path / "B", "police", "police", "127.0.0.1:1")
    introduce(tmp_path / "A" / FILE, tmp_path / "B" / FILE)
    ours, theirs = load(tmp_path / "A" / FILE), load(tmp_path / "B" / FILE)
    claims = {
        "claim_no": ["C-1", "C-2", "C-3"],
        "insured_id": ["11010519491231002X", None, "440524188001010014"],
        "driver_id": [None, "110105491231002", "11010519491231002x"],
        "phone": pa.array([13800138000, None, 13900139000], pa.int64()),
        "plate": ["浙A·12345", None, "粤BD12345"],
        "vin": pa.nulls(3, pa.string()),
        "amount": [1.5, 2.5, 3.5],
    }
    records = {
        "record_no": ["R-1", "R-2"],
        "record_type": ["accident", "theft"],
        "person_id": ["11010519491231002X", "11010519491231002X"],
        "phone": ["+86 139 0013 9000", None],
        "plate": pa.array(["粤BD12345", None]).dictionary_encode(),
        "vin": pa.nulls(2, pa.string()),
    }
    node = Node(
        "127.0.0.1:0",
        Identity(theirs.node.certificate, theirs.node.key),
        theirs.peers,
        answers(theirs, ArrowSource(Foreign(pa.table(records)))),
    )
    try:
        address = f"127.0.0.1:{node.start()}"
        ours = ours._replace(peers=(ours.peers[0]._replace(address=address),))
        question = Question(way="match", peer="police", sets=("person", "phone", "plate"))
        report = ask(ours, question, Meter(), ArrowSource(Foreign(pa.table(claims))))
    finally:
        node.stop(grace=1)
    assert [
        (each.name, each.matches, each.own_records, each.their_records) for each in report.sets
    ] == [
        ("person", 1, 3, 2),
        ("phone", 1, 1, 1),
        ("plate", 1, 1, 1),
    ]
    assert report.result is not None
    joined = pq.read_table(report.result)
    pairs = zip(
        *(joined[name].to_pylist() for name in ("claim_no", "police.record_no")), strict=True
    )
    assert sorted(pairs) == [
        ("C-1", "R-1"), ("C-1", "R-2"),
        ("C-2", "R-1"), ("C-2", "R-2"),
        ("C-3", "R-1"), ("C-3", "R-1"), ("C-3", "R-1"), ("C-3", "R-2"),
    ]  # fmt: skip
