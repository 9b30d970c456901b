"""How each set is matched: costs are measured only where they decide, and kept; then planned."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from parties import asking, calibration, logs, planning
from parties.answering import answers
from parties.books import Books
from parties.calibration import FILE, costs
from parties.clearance import find
from parties.founding import found, introduce
from parties.job import Chosen, Job
from parties.jobs import Learnt
from parties.planning import choices
from parties.refusals import Refusal
from parties.settings import (
    IdentifierSettings,
    NodeSettings,
    PeerSettings,
    Settings,
    SourceSettings,
)
from parties.settings_file import load
from parties.sources import ArrowSource
from psi import PROTOCOLS, Dialogue, Meter, Side, converse
from psi.planner import Cost, Link, Plan, plan
from psi.subprotocols.decoys import DECOYS, size_class

COSTS = {
    "dh": Cost(0.0, 150e-6, 50e-6),
    "vole": Cost(0.1, 1e-6, 1e-6),
    "vole-malicious": Cost(0.1, 2e-6, 2e-6),
    "vole-stationary": Cost(0.1, 1.5e-6, 1.5e-6),
}
ALL = tuple(PROTOCOLS)
LABELLED = [name for name, protocol in PROTOCOLS.items() if protocol.labels]
SMALL, LARGE = size_class(100), size_class(1 << 20)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The protocols that have been measured; nothing is, it would take a second."""
    names = list[str]()

    def measure(name: str) -> Cost:
        names.append(name)
        return COSTS[name]

    monkeypatch.setattr(calibration, "_measure", measure)
    return names


# --- costs are measured once, and kept


def test_costs_are_measured_on_this_machine_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = calibration._measure.__wrapped__  # type: ignore[attr-defined]  # see tests/conftest.py
    monkeypatch.setattr(calibration, "_measure", anew)
    found_ = costs(tmp_path, 1, PROTOCOLS)
    assert set(found_) == set(PROTOCOLS)
    assert all(calibration._is_sane(cost) for cost in found_.values())
    assert all(cost.receiver or cost.sender or cost.fixed for cost in found_.values())
    assert costs(tmp_path, 1, PROTOCOLS) == found_


def test_every_protocol_can_be_measured() -> None:
    assert set(calibration._SIZES) == set(PROTOCOLS)


def test_what_is_measured_is_what_a_node_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that sends always tells records; without them `vole` would be another run."""
    told = list[tuple[int, int]]()
    dh = PROTOCOLS["dh"]

    def sender(elements: Any, parameters: Any, labels: Any, **options: Any) -> Any:
        told.append((len(elements), len(labels)))
        return dh.sender(elements, parameters, labels, **options)

    monkeypatch.setitem(PROTOCOLS, "dh", dh._replace(sender=sender))  # type: ignore[arg-type]
    assert calibration._seconds("dh", 10, 20) > 0
    assert told == [(20, 20)]


def test_what_else_the_machine_does_costs_no_protocol_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine a small run once took longer than a large one: elements cost nothing."""

    def interrupted(*sides: Any) -> Any:
        time.sleep(0.3)
        return converse(*sides)

    converse = calibration.converse
    monkeypatch.setattr(calibration, "converse", interrupted)
    assert 0 < calibration._seconds("dh", 10, 20) < 0.2


def test_what_was_measured_is_not_measured_again(tmp_path: Path, measured: list[str]) -> None:
    for _ in range(3):
        assert costs(tmp_path / "some/results", 0, PROTOCOLS) == COSTS
        assert measured == list(PROTOCOLS)
    assert [path.name for path in (tmp_path / "some/results").iterdir()] == [FILE]


def changed(kept: dict[str, Any], **changes: Any) -> str:
    return json.dumps(kept | changes)


def with_cost(kept: dict[str, Any], **values: Any) -> str:
    return changed(kept, costs=kept["costs"] | {"dh": kept["costs"]["dh"] | values})


def machine(kept: dict[str, Any], place: int, value: Any) -> str:
    line = list(kept["machine"])
    line[place] = value
    return changed(kept, machine=line)


DAMAGED = {
    "another release": lambda kept: machine(kept, 0, "0.0.0"),
    "other threads": lambda kept: machine(kept, 1, 1024),
    "another machine": lambda kept: machine(kept, 2, "elsewhere"),
    "another processor": lambda kept: machine(kept, 3, "pdp11"),
    "no machine": lambda kept: changed(kept, machine=None),
    "another form": lambda kept: changed(kept, form=0),
    "no form": lambda kept: json.dumps({"machine": kept["machine"], "costs": kept["costs"]}),
    "one protocol more": lambda kept: changed(kept, costs=kept["costs"] | {"rot13": {}}),
    "names alone": lambda kept: changed(kept, costs=list(kept["costs"])),
    "no costs": lambda kept: changed(kept, costs=dict.fromkeys(kept["costs"])),
    "one cost less": lambda kept: changed(kept, costs={name: {"fixed": 1.0} for name in PROTOCOLS}),
    "one cost more": lambda kept: with_cost(kept, other=1.0),
    "a negative cost": lambda kept: with_cost(kept, receiver=-1e-9),
    "a cost that is none": lambda kept: with_cost(kept, sender=float("nan")),
    "a cost without end": lambda kept: with_cost(kept, sender=float("inf")),
    "a cost of an hour": lambda kept: with_cost(kept, fixed=3600.0),
    "a cost in words": lambda kept: with_cost(kept, fixed="cheap"),
    "a cost that is a flag": lambda kept: with_cost(kept, fixed=True),
    "half a file": lambda kept: json.dumps(kept)[:80],
    "nothing": lambda _: "",
    "a list": lambda _: "[1, 2]",
    "null": lambda _: "null",
    "no JSON": lambda _: "costs: cheap",
    "very many brackets": lambda _: "[" * 200_000,
    "no text": lambda _: b"\xff\xfe\x00",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_does_not_fit_is_measured_anew_and_replaced(
    tmp_path: Path, measured: list[str], damage: str
) -> None:
    path = tmp_path / FILE
    costs(tmp_path, 2, PROTOCOLS)
    good = path.read_text(encoding="utf-8")
    wrong: str | bytes = DAMAGED[damage](json.loads(good))
    path.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
    measured.clear()
    assert costs(tmp_path, 2, PROTOCOLS) == COSTS
    assert measured == list(PROTOCOLS)
    assert path.read_text(encoding="utf-8") == good


def test_only_what_may_be_run_is_measured_and_more_is_added(
    tmp_path: Path, measured: list[str]
) -> None:
    assert costs(tmp_path, 1, ["vole"]) == {"vole": COSTS["vole"]}
    assert costs(tmp_path, 1, ["dh", "vole"]) == {name: COSTS[name] for name in ("dh", "vole")}
    assert costs(tmp_path, 1, PROTOCOLS) == COSTS
    assert costs(tmp_path, 1, ["vole-malicious"]).keys() == {"vole-malicious"}
    assert measured == ["vole", "dh", "vole-malicious", "vole-stationary"]


def test_threads_are_part_of_the_machine(tmp_path: Path, measured: list[str]) -> None:
    costs(tmp_path, 0, PROTOCOLS)
    costs(tmp_path, os.cpu_count() or 0, PROTOCOLS)
    assert measured == list(PROTOCOLS), "0 is as many as there are"
    costs(tmp_path, 1000, PROTOCOLS)
    assert measured == [*PROTOCOLS] * 2


def test_a_folder_that_cannot_be_used_is_no_reason_not_to_match(
    tmp_path: Path, measured: list[str]
) -> None:
    (tmp_path / "file").write_text("a file in the place of the folder")
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    places = [Path("/proc/self/results"), tmp_path / "file", tmp_path / "folder", Path("/dev/full")]
    for folder in places:
        assert costs(folder, 0, PROTOCOLS) == COSTS
    assert measured == [*PROTOCOLS] * len(places)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_the_file_holds_seconds_and_the_machine_and_is_as_open_as_the_umask_says(
    tmp_path: Path, measured: list[str], mask: int
) -> None:
    with umask(mask):
        costs(tmp_path, 2, PROTOCOLS)
    path = tmp_path / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept.keys() == {"form", "machine", "costs"}
    release, threads, name, processor = kept["machine"]
    assert (threads, name, processor) == (2, os.uname().nodename, os.uname().machine)
    assert release.count(".") == 2
    assert kept["costs"] == {name: cost._asdict() for name, cost in COSTS.items()}


# --- what is chosen

PERSON = IdentifierSettings("person", "resident_id", (("id",),))
PLATE = IdentifierSettings("plate", "plate", (("plate",),))
MATCH = Job("ab" * 16, "match", (PERSON, PLATE), we_receive=True)


def chosen(
    folder: Path,
    job: Job = MATCH,
    ours: Sequence[int] = (SMALL, LARGE),
    theirs: Sequence[int] = (SMALL, LARGE),
    protocol: str | None = None,
    allowed: Sequence[str] = ("dh", "vole"),
    link_mbps: int = 1000,
) -> list[Chosen]:
    peer = PeerSettings("police", "127.0.0.1:2", "police", ca=Path("ca"), link_mbps=link_mbps)
    settings = Settings(
        path=Path("greenlane.toml"),
        node=NodeSettings("a", "insurer", "127.0.0.1:1", Path("c"), Path("k"), folder),
        source=SourceSettings("csv", (Path("a.csv"),)),
        identifiers=job.sets,
        peers=(peer,),
    )
    return choices(settings, peer, job, ours, protocol, theirs, allowed)


def test_each_set_is_matched_by_what_is_fastest_for_it(tmp_path: Path, measured: list[str]) -> None:
    small, large = chosen(tmp_path)
    assert (small.protocol, large.protocol) == ("dh", "vole")
    assert "vole would take" in small.reason
    assert "dh would take" in large.reason
    assert small.we_receive
    assert large.we_receive
    assert measured == ["dh", "vole"], "what may be run alone, and once for all sets"
    assert (tmp_path / FILE).exists()


def test_decoys_and_padding_are_counted_once(tmp_path: Path, measured: list[str]) -> None:
    (found_,) = chosen(tmp_path, MATCH._replace(sets=(PERSON,)), [SMALL], [SMALL])
    expected = plan(
        SMALL - DECOYS, SMALL - DECOYS, MATCH.output, ("dh", "vole"), COSTS, Link(), we_receive=True
    )
    assert found_ == Chosen(expected.protocol, True, expected.reason)


@pytest.mark.parametrize("we_receive", [True, False])
def test_where_both_learn_the_smaller_set_is_received_if_that_is_faster(
    tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch, we_receive: bool
) -> None:
    monkeypatch.setitem(COSTS, "vole", Cost(900.0, 0.0, 0.0))
    job = MATCH._replace(both_learn=True, we_receive=we_receive)
    found_ = chosen(tmp_path, job, (SMALL, 2 * SMALL), (2 * SMALL, SMALL))
    assert [(each.protocol, each.we_receive) for each in found_] == [("dh", True), ("dh", False)]


def test_the_line_of_the_settings_decides(
    tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of two large sets vole says three times fewer bytes; at 1 Mbit/s that is minutes.
    monkeypatch.setitem(COSTS, "vole", Cost(400.0, 0.0, 0.0))
    fast, slow = (chosen(tmp_path, link_mbps=mbps)[1].protocol for mbps in (1_000_000, 1))
    assert (fast, slow) == ("dh", "vole")


@pytest.mark.parametrize("way", ["count", "match"])
@pytest.mark.parametrize("we_receive", [True, False])
def test_where_there_is_one_way_only_nothing_is_measured(
    tmp_path: Path, measured: list[str], way: Any, we_receive: bool
) -> None:
    job = MATCH._replace(way=way, we_receive=we_receive)
    allowed = ("dh", "vole") if way == "count" else ("dh",)
    found_ = chosen(tmp_path, job, allowed=allowed)
    reason = "dh: no other allowed protocol tells what is to be learnt"
    assert found_ == [Chosen("dh", we_receive, reason)] * 2
    assert measured == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("both_learn", [True, False])
@pytest.mark.parametrize("name", LABELLED)
def test_what_the_operator_says_is_run_and_nothing_is_measured(
    tmp_path: Path, measured: list[str], name: str, both_learn: bool
) -> None:
    job = MATCH._replace(both_learn=both_learn)
    found_ = chosen(tmp_path, job, protocol=name, allowed=LABELLED)
    assert found_ == [Chosen(name, True, f"{name}: as asked")] * 2
    assert measured == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("way", "protocol", "allowed", "sentence"),
    [
        ("match", None, (), "no protocol is not among .*: none"),
        ("match", None, ("rot13",), "no protocol is not among .*: none"),
        ("count", None, ("vole",), "no protocol is not among .*: none"),
        ("match", "vole", ("dh",), "vole is not among .*: dh"),
        ("match", "rot13", ("dh", "vole"), "rot13 is not among .*: dh, vole"),
        ("count", "vole", ("dh", "vole"), "vole is not among .*: dh"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(
    tmp_path: Path,
    measured: list[str],
    way: Any,
    protocol: str | None,
    allowed: Sequence[str],
    sentence: str,
) -> None:
    with pytest.raises(Refusal, match=f"peers.police: {sentence}") as refused:
        chosen(tmp_path, MATCH._replace(way=way), protocol=protocol, allowed=allowed)
    assert (refused.value.code, refused.value.exit_code) == ("protocol-not-allowed", 7)
    assert measured == []


# --- a whole job

CLAIMS = {
    "claim_no": ["C-1", "C-2", "C-3"],
    "amount": [1.5, 2.5, 3.5],
    "plate": ["浙A·12345", None, "粤BD12345"],
}
RECORDS = {
    "record_no": ["R-1", "R-2", "R-3"],
    "record_type": ["accident", "theft", "accident"],
    "plate": ["粤BD12345", "沪C00001", "粤BD12345"],
}


class Nodes:
    """An insurer that asks and a police node that answers, in memory, about one set of plates."""

    def __init__(self, folder: Path) -> None:
        for name, role in (("A", "insurer"), ("B", "police")):
            found(folder / name, role, role, "127.0.0.1:1")  # type: ignore[arg-type]
        files = [folder / name / "greenlane.toml" for name in "AB"]
        introduce(*files)
        self.ours, self.theirs = map(load, files)

    def allow(self, ours: Sequence[str], theirs: Sequence[str]) -> None:
        self.ours, self.theirs = (
            each._replace(peers=(each.peers[0]._replace(protocols=tuple(allowed)),))
            for each, allowed in ((self.ours, ours), (self.theirs, theirs))
        )

    def run(
        self, way: Any = "match", both_learn: bool = False, protocol: str | None = None
    ) -> list[Learnt]:
        session = os.urandom(16).hex()
        caller = self.caller(self.ours, CLAIMS, way, both_learn, protocol, session)
        answer = answers(self.theirs, ArrowSource(pa.table(RECORDS), "records"))
        learnt: list[Learnt] = converse(Side(caller), Side(answer("insurer", session)))[0]
        return learnt

    def caller(
        self,
        ours: Settings,
        rows: dict[str, Any],
        way: Any = "match",
        both_learn: bool = False,
        protocol: str | None = None,
        session: str = "ab" * 16,
    ) -> Dialogue[list[Learnt]]:
        sets = ours.sets(("plate",))
        job = Job(session, way, sets, we_receive=True, both_learn=both_learn)
        source = ArrowSource(pa.table(rows), "claims")
        columns = asking.disclosed(source, ours.peers[0].disclose) if both_learn else ()
        prepared = asking.prepare(source, sets, columns, ours.node.results)
        clearance = find(ours, ours.peers[0], job, datetime.now(UTC), ours=columns)
        books, meter = Books(ours), Meter()
        peer = ours.peers[0]
        return asking._converse(ours, peer, job, prepared, clearance, protocol, books, meter)


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    nodes = Nodes(tmp_path)
    nodes.ours.node.results.mkdir()
    return nodes


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    events: list[Any] = []
    monkeypatch.setattr(logs._WAY, "write", events.append)
    return events


@pytest.mark.parametrize("both_learn", [False, True])
@pytest.mark.parametrize("name", LABELLED)
def test_a_job_is_run_by_the_protocol_that_was_asked_for(
    nodes: Nodes, measured: list[str], logged: list[Any], name: str, both_learn: bool
) -> None:
    nodes.allow(ALL, ALL)
    (plate,) = nodes.run(both_learn=both_learn, protocol=name)
    assert (plate.cardinality, plate.chosen.protocol) == (1, name)
    assert plate.hits is not None
    assert plate.hits.their_records.tolist() == [2]
    (done,) = (event for event in logged if event["event"] == "job_done")
    assert done["protocols"] == [name]
    assert done["matches"] == ([1] if both_learn else [None])
    assert measured == []


@pytest.mark.parametrize("name", LABELLED)
def test_a_job_is_run_by_the_protocol_that_the_planner_chose(
    nodes: Nodes,
    measured: list[str],
    logged: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    for each in PROTOCOLS:
        monkeypatch.setitem(COSTS, each, Cost(0.0 if each == name else 99.0, 0.0, 0.0))
    nodes.allow(ALL, ALL)
    for _ in range(2):
        (plate,) = nodes.run(both_learn=True)
        assert (plate.cardinality, plate.chosen.protocol) == (1, name)
    assert [event["protocols"] for event in logged if event["event"] == "job_done"] == [[name]] * 2
    assert measured == ["dh", "vole", "vole-stationary"], "by the node that asks, and once"
    assert (nodes.ours.node.results / FILE).exists()
    assert not (nodes.theirs.node.results / FILE).exists()


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("we_receive", [True, False])
def test_where_both_learn_the_planner_may_let_either_receive(
    nodes: Nodes,
    measured: list[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    we_receive: bool,
) -> None:
    best = Plan(name, we_receive, 1.0, 1, "because")
    monkeypatch.setattr(planning, "plan", lambda *_, **__: best)
    nodes.allow(ALL, ALL)
    (plate,) = nodes.run(both_learn=True)
    assert plate.chosen == Chosen(name, we_receive, "because")
    assert plate.hits is not None
    assert (plate.cardinality, plate.hits.their_records.tolist()) == (1, [2])


@pytest.mark.parametrize("wanted", [None, "vole-malicious"])
def test_the_malicious_profile_runs_where_both_allow_it_and_no_columns_are_told(
    nodes: Nodes, measured: list[str], monkeypatch: pytest.MonkeyPatch, wanted: str | None
) -> None:
    for each in PROTOCOLS:
        monkeypatch.setitem(COSTS, each, Cost(99.0 * (each != "vole-malicious"), 0.0, 0.0))
    nodes.allow(ALL, ALL)
    nodes.theirs = nodes.theirs._replace(peers=(nodes.theirs.peers[0]._replace(disclose=()),))
    (plate,) = nodes.run(protocol=wanted)
    assert (plate.cardinality, plate.chosen.protocol) == (1, "vole-malicious")
    assert plate.hits is not None
    assert plate.hits.records is None
    nodes.allow(ALL, ("dh", "vole"))
    assert nodes.run()[0].chosen.protocol != "vole-malicious"


@pytest.mark.parametrize("both_learn", [False, True])
def test_the_malicious_profile_tells_no_columns_and_says_so(
    nodes: Nodes, measured: list[str], both_learn: bool
) -> None:
    """The police node discloses columns here, or both are to learn."""
    nodes.allow(ALL, ALL)
    if both_learn:
        nodes.theirs = nodes.theirs._replace(peers=(nodes.theirs.peers[0]._replace(disclose=()),))
    pattern = "vole-malicious is not among .*; vole-malicious tells one node which .* no columns"
    with pytest.raises(Refusal, match=pattern) as refused:
        nodes.run(both_learn=both_learn, protocol="vole-malicious")
    assert (refused.value.code, refused.value.exit_code) == ("protocol-not-allowed", 7)
    assert nodes.run(both_learn=both_learn)[0].chosen.protocol != "vole-malicious"


def test_a_count_measures_nothing(nodes: Nodes, measured: list[str]) -> None:
    (plate,) = nodes.run("count")
    assert (plate.cardinality, plate.chosen.protocol, plate.hits) == (1, "dh", None)
    assert measured == []


@pytest.mark.parametrize(("ours", "theirs"), [(["dh", "vole"], ["dh"]), (["vole"], ["vole", "dh"])])
def test_what_one_node_allows_is_what_is_run(
    nodes: Nodes, measured: list[str], ours: list[str], theirs: list[str]
) -> None:
    nodes.allow(ours, theirs)
    (plate,) = nodes.run()
    (only,) = set(ours) & set(theirs)
    assert (plate.cardinality, plate.chosen.protocol) == (1, only)
    assert measured == []


@pytest.mark.parametrize(
    ("way", "ours", "theirs", "protocol"),
    [
        ("match", ["dh"], ["vole"], None),
        ("match", [], ["dh", "vole"], None),
        ("match", ["dh", "vole"], [], None),
        ("count", ["vole"], ["dh", "vole"], None),
        ("match", ["dh", "vole"], ["dh"], "vole"),
        ("match", ["dh"], ["dh", "vole"], "vole"),
    ],
)
def test_nodes_that_allow_nothing_in_common_do_not_match(
    nodes: Nodes, measured: list[str], way: Any, ours: Any, theirs: Any, protocol: str | None
) -> None:
    nodes.allow(ours, theirs)
    with pytest.raises(Refusal) as refused:
        nodes.run(way, protocol=protocol)
    assert refused.value.code == "protocol-not-allowed"
    assert measured == []


# --- sizes are said only if both nodes accept them

MANY = {
    "claim_no": [f"C-{i}" for i in range(70)],
    "amount": [1.0] * 70,
    "plate": [f"浙A{10000 + i}" for i in range(70)],
}


def test_a_node_whose_set_is_too_large_says_no_size_at_all(nodes: Nodes) -> None:
    ours = nodes.ours._replace(peers=(nodes.ours.peers[0]._replace(max_elements=1),))
    rows = {"plate": MANY["plate"], "record_no": MANY["claim_no"], "record_type": MANY["plate"]}
    answer = answers(nodes.theirs, ArrowSource(pa.table(rows), "records"))
    proposal = next(nodes.caller(ours, CLAIMS))
    assert isinstance(proposal, bytes)
    side = Side(answer("insurer", "ab" * 16))
    side.start()
    with pytest.raises(Refusal, match="70 records, the nodes have agreed on at most 64") as refused:
        side.hear(proposal)
    assert refused.value.code == "set-too-large"


def test_an_asker_whose_set_is_too_large_says_no_choice(nodes: Nodes, measured: list[str]) -> None:
    theirs = nodes.theirs._replace(peers=(nodes.theirs.peers[0]._replace(max_elements=1),))
    caller = Side(nodes.caller(nodes.ours, MANY))
    other = Side(answers(theirs, ArrowSource(pa.table(RECORDS), "records"))("insurer", "ab" * 16))
    other.start()
    (acceptance,) = other.hear(caller.start()[0])
    with pytest.raises(Refusal, match="70 identifiers, the nodes have agreed on at most 64"):
        caller.hear(acceptance)
    other._dialogue.close()
    assert measured == []
