"""The planner: a function of sizes, costs and a line. And what it counts on: what protocols say."""

from __future__ import annotations

import re
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretap import RECEIVER, SENDER, carry

from psi import PROTOCOLS, Elements, Output, Parameters, Side
from psi.errors import ApiMisuse
from psi.planner import Cost, Link, Plan, able, plan
from psi.subprotocols.decoys import DECOYS

ALL = ("dh", "vole")
"""Those between which a planner chooses by default."""
FAST, SLOW = Link(bits=1e12, round_trip=0.0), Link(bits=1e4, round_trip=0.0)
COSTS = {"dh": Cost(0.0, 150e-6, 50e-6), "vole": Cost(0.02, 1e-6, 1e-6)}
"""About those of one core."""
EQUAL = dict.fromkeys(ALL, Cost(0.1, 1e-6, 1e-6))


def planned(ours: int, theirs: int, output: Output = Output.RECEIVER, **options: object) -> Plan:
    arguments = {"allowed": ALL, "costs": COSTS, "link": Link(), "we_receive": True} | options
    return plan(ours, theirs, output, **arguments)  # type: ignore[arg-type]


# --- which protocol


def test_the_same_numbers_give_the_same_plan() -> None:
    assert planned(1000, 2000, Output.BOTH) == planned(1000, 2000, Output.BOTH)
    assert planned(1000, 2000, allowed=("dh", "vole")) == planned(
        1000, 2000, allowed=("vole", "dh")
    )


def test_small_sets_are_matched_by_what_costs_nothing_to_begin_and_large_ones_by_the_faster() -> (
    None
):
    assert planned(10, 10).protocol == "dh"
    assert planned(1 << 20, 1 << 20).protocol == "vole"


def test_a_count_is_run_by_a_protocol_that_tells_no_more_whatever_it_costs() -> None:
    dear = COSTS | {"dh": Cost(1e3, 1.0, 1.0)}
    assert planned(1 << 20, 1 << 20, Output.CARDINALITY, costs=dear).protocol == "dh"


@pytest.mark.parametrize("output", Output)
def test_what_is_not_allowed_is_not_chosen_however_cheap_it_is(output: Output) -> None:
    for name in able(ALL, output):
        free = COSTS | {each: Cost(0.0, 0.0, 0.0) for each in ALL if each != name}
        assert planned(5, 5, output, allowed=(name,), costs=free).protocol == name


@pytest.mark.parametrize(
    ("allowed", "output"),
    [
        ((), Output.RECEIVER),
        ((), Output.CARDINALITY),
        (("rot13",), Output.BOTH),
        (("vole",), Output.CARDINALITY),
    ],
)
def test_nothing_allowed_is_a_misuse_and_says_what_was_to_be_learnt(
    allowed: tuple[str, ...], output: Output
) -> None:
    assert able(allowed, output) == []
    with pytest.raises(ApiMisuse, match=rf"no allowed protocol .*\({output.value}\)"):
        planned(1, 1, output, allowed=allowed)


def test_what_is_able_is_told_in_order_and_what_nobody_knows_is_left_out() -> None:
    assert able(("vole", "rot13", "dh"), Output.RECEIVER) == ["dh", "vole"]
    assert able({"vole", "dh"}, Output.CARDINALITY) == ["dh"]


def test_on_a_slow_line_fewer_bytes_win_and_on_a_fast_one_less_work() -> None:
    for size in (1000, 1 << 20):
        said = {name: planned(size, size, allowed=(name,)).size for name in ALL}
        fewest = min(said, key=lambda name: said[name])
        (other,) = {*ALL} - {fewest}
        # Whoever says fewer bytes works a minute longer: on the slow line that is nothing.
        costs = {fewest: Cost(60.0, 0.0, 0.0), other: Cost(0.0, 0.0, 0.0)}
        slower = Link(bits=1e3)
        assert planned(size, size, costs=costs, link=slower).protocol == fewest
        assert planned(size, size, costs=costs, link=FAST).protocol == other


def test_a_line_over_which_an_answer_takes_long_favours_few_flights() -> None:
    flights = {name: PROTOCOLS[name].traffic(100, 100).flights for name in ALL}
    fewest = min(ALL, key=lambda name: flights[name])
    far = Link(bits=1e12, round_trip=60.0)
    assert planned(36, 36, costs=EQUAL, link=far).protocol == fewest
    expected = EQUAL[fewest].fixed + 60 * flights[fewest]
    assert planned(36, 36, costs=EQUAL, link=far).seconds == pytest.approx(expected, rel=0.01)


# --- which side receives


def test_where_one_side_learns_it_receives_whatever_that_costs() -> None:
    for ours, theirs in ((10, 1 << 20), (1 << 20, 10)):
        for we_receive in (True, False):
            assert planned(ours, theirs, we_receive=we_receive).we_receive == we_receive


@pytest.mark.parametrize("we_receive", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_where_both_learn_the_set_that_is_cheaper_to_receive_is_received(
    name: str, we_receive: bool
) -> None:
    small, large = 1000, 100_000
    dear_to_receive = {name: Cost(0.0, 100e-6, 1e-6)}
    dear_to_send = {name: Cost(0.0, 1e-6, 100e-6)}
    for costs, smaller_receives in ((dear_to_receive, True), (dear_to_send, False)):
        options = {"allowed": (name,), "costs": costs, "link": FAST, "we_receive": we_receive}
        assert planned(small, large, Output.BOTH, **options).we_receive == smaller_receives
        assert planned(large, small, Output.BOTH, **options).we_receive != smaller_receives


@pytest.mark.parametrize("name", ALL)
def test_on_a_slow_line_the_larger_set_is_received_only_if_that_says_less(name: str) -> None:
    small, large = 1000, 1 << 20
    traffic = PROTOCOLS[name].traffic
    longest = {
        small_receives: max(said.receiver, said.sender)
        for small_receives, said in (
            (True, traffic(small + DECOYS, large + DECOYS)),
            (False, traffic(large + DECOYS, small + DECOYS)),
        )
    }
    found = planned(small, large, Output.BOTH, allowed=(name,), costs=EQUAL, link=SLOW)
    assert found.we_receive == (longest[True] <= longest[False])


@pytest.mark.parametrize("we_receive", [True, False])
def test_equal_sides_are_as_they_were_asked_for(we_receive: bool) -> None:
    found = planned(500, 500, Output.BOTH, costs=EQUAL, we_receive=we_receive)
    assert found.we_receive == we_receive


# --- what it says of itself


@pytest.mark.parametrize("output", [Output.RECEIVER, Output.BOTH])
@pytest.mark.parametrize("size", [0, 1000, 1 << 20, 1 << 30])
def test_the_sentence_names_both_protocols_with_seconds_and_bytes(
    output: Output, size: int
) -> None:
    found = planned(size, size, output)
    (other,) = {*ALL} - {found.protocol}
    assert found.reason.startswith(f"{found.protocol}: about ")
    assert f"; {other} would take about " in found.reason
    assert found.reason.count(" s and ") == 2
    assert len(re.findall(r" s and [0-9.,]+ (MB|kB)", found.reason)) == 2
    assert "\n" not in found.reason
    assert not found.reason.endswith(".")
    assert ("receive" in found.reason) == (output is Output.BOTH)


def test_the_sentence_says_who_receives_where_that_was_open() -> None:
    assert ", we receive;" in planned(10, 1 << 20, Output.BOTH, costs=_dh_only()).reason
    assert ", the peer receives;" in planned(1 << 20, 10, Output.BOTH, costs=_dh_only()).reason


def test_the_sentence_says_that_there_is_no_other() -> None:
    told = planned(1000, 1000, Output.CARDINALITY).reason
    assert told.startswith("dh: about ")
    assert told.endswith("; no other allowed protocol tells what is to be learnt")


def test_what_is_told_of_the_others_is_the_best_of_them() -> None:
    found = planned(1000, 100_000, Output.BOTH)
    (other,) = {*ALL} - {found.protocol}
    alone = planned(1000, 100_000, Output.BOTH, allowed=(other,))
    assert f"{alone.seconds:,.0f} s" in found.reason or f"{alone.seconds:.2g} s" in found.reason


def _dh_only() -> dict[str, Cost]:
    return COSTS | {"vole": Cost(1e4, 0.0, 0.0)}


# --- more of anything never takes less


SIZES = st.integers(0, 1 << 24)
COST = st.builds(Cost, *[st.floats(0, 1e-3)] * 3)
LINK = st.builds(Link, st.floats(1e6, 1e11), st.floats(0, 1))


@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from(Output), COST, COST, LINK, st.booleans())
def test_larger_sets_take_at_least_as_long(
    ours: int,
    theirs: int,
    more: int,
    other: int,
    output: Output,
    dh: Cost,
    vole: Cost,
    link: Link,
    we_receive: bool,
) -> None:
    options = {"costs": {"dh": dh, "vole": vole}, "link": link, "we_receive": we_receive}
    small = planned(ours, theirs, output, **options)
    large = planned(ours + more, theirs + other, output, **options)
    assert small.seconds <= large.seconds * (1 + 1e-9)


@given(SIZES, SIZES, st.sampled_from(Output), LINK, st.floats(1, 1e6), st.floats(0, 10))
def test_a_worse_line_takes_at_least_as_long(
    ours: int, theirs: int, output: Output, link: Link, slower: float, farther: float
) -> None:
    worse = Link(link.bits / slower, link.round_trip + farther)
    fine = planned(ours, theirs, output, link=link)
    assert fine.seconds <= planned(ours, theirs, output, link=worse).seconds * (1 + 1e-9)


@given(SIZES, SIZES, st.sampled_from(Output), COST, LINK)
def test_one_protocol_more_to_choose_from_takes_no_longer(
    ours: int, theirs: int, output: Output, cost: Cost, link: Link
) -> None:
    options = {"costs": COSTS | {"vole": cost}, "link": link}
    alone = planned(ours, theirs, output, allowed=("dh",), **options)
    assert planned(ours, theirs, output, **options).seconds <= alone.seconds


def test_seconds_are_the_sum_of_work_line_and_waiting() -> None:
    traffic = PROTOCOLS["dh"].traffic(1000 + DECOYS, 500 + DECOYS)
    cost, link = Cost(3.0, 0.01, 0.02), Link(bits=8e4, round_trip=0.5)
    found = planned(1000, 500, allowed=("dh",), costs={"dh": cost}, link=link)
    work = 3.0 + 0.01 * 1064 + 0.02 * 564
    line = max(traffic.receiver, traffic.sender) / 1e4
    assert found.seconds == pytest.approx(work + line + 0.5 * traffic.flights)
    assert found.size == traffic.receiver + traffic.sender
    half = link._replace(bits=4e4)
    longer = planned(1000, 500, allowed=("dh",), costs={"dh": cost}, link=half)
    assert longer.seconds - found.seconds == pytest.approx(line)


# --- what protocols say is what they say that they say

RUNS = {
    "dh": [(0, 0), (1000, 1000), (3000, 100), (100, 3000)],
    "vole": [(1000, 1000), (1 << 14, 1 << 14), (1 << 16, 1 << 12), (1 << 12, 1 << 16)],
    "vole-stationary": [(1000, 1000), (1 << 14, 1 << 14), (1 << 16, 1 << 12), (1 << 12, 1 << 16)],
    "vole-malicious": [(1000, 1000), (1 << 16, 1 << 12), (1 << 12, 1 << 16)],
}
FIXED = 1024
"""Bytes of a side that are said once and belong to no set: Hello, digests, numbers of messages."""


def test_every_protocol_is_run_here() -> None:
    assert set(RUNS) == set(PROTOCOLS)


@pytest.mark.parametrize(
    ("name", "sizes"), [(name, sizes) for name in PROTOCOLS for sizes in RUNS[name]]
)
def test_a_run_says_what_its_protocol_promises_to_a_hundredth(
    name: str, sizes: tuple[int, int]
) -> None:
    protocol = PROTOCOLS[name]
    parameters = Parameters(name, Output.RECEIVER, "test", max_elements=1 << 20)
    ours, theirs = (Elements.hash((str(i) for i in range(size)), "test") for size in sizes)
    heard = carry(
        Side(protocol.receiver(ours, parameters, exact=True).converse()),
        Side(protocol.sender(theirs, parameters, exact=True).converse()),
    )
    assert heard.errors == {}
    assert heard.results[RECEIVER].cardinality == min(sizes)
    promised = protocol.traffic(*(size + DECOYS for size in sizes))
    for role, bytes_ in ((RECEIVER, promised.receiver), (SENDER, promised.sender)):
        said = sum(map(len, heard.said(role)))
        assert abs(said - bytes_) <= 0.01 * said + FIXED, role


@pytest.mark.parametrize("name", PROTOCOLS)
def test_larger_sets_say_at_least_as_much(name: str) -> None:
    steps = [DECOYS, 100, 128, 1000, *range(1 << 14, 1 << 17, 4099), 1 << 20, 1 << 24, 1 << 30]
    traffic = PROTOCOLS[name].traffic
    for other, (less, more) in product((DECOYS, 1 << 20), pairwise(steps)):
        for small, large in (
            (traffic(less, other), traffic(more, other)),
            (traffic(other, less), traffic(other, more)),
        ):
            assert small.receiver <= large.receiver
            assert small.sender <= large.sender
            assert small.flights <= large.flights


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_tells_who_learns_which(name: str) -> None:
    both = {Output.BOTH} if PROTOCOLS[name].labels else set()
    assert {Output.RECEIVER} | both <= PROTOCOLS[name].outputs


def test_protocols_without_labels_are_able_where_there_are_none() -> None:
    every, wanted = list(PROTOCOLS), [name for name in PROTOCOLS if PROTOCOLS[name].labels]
    assert able([*every, "rot13"], Output.RECEIVER) == sorted(every)
    assert able(every, Output.RECEIVER, labels=True) == sorted(wanted)
    assert "vole-malicious" not in wanted
