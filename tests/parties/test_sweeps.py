"""Sweeps: most numbers of a block are not asked about, however the questions are cut."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arro3.core import Array, DataType
from green import Pair as Holder
from hypothesis import given
from hypothesis import strategies as st
from tabled import rows
from test_books import Pair, opened

from parties import commitments
from parties.identifiers import Asked, Block
from parties.identifiers.blocks import LARGEST, MOST
from parties.refusals import Refusal
from parties.settings import PeerSettings, Settings
from parties.store import Store
from parties.sweeps import Sweeps
from psi import _core

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PEER = PeerSettings("police", "127.0.0.1:1", "police")


def array(texts: Iterable[str | None]) -> Array:
    return Array(list(texts), DataType.large_string())


@pytest.mark.parametrize(
    ("kind", "text", "name", "size"),
    [
        ("phone", "+8613800138000", "+861380013####", 10_000),
        ("phone", "+8657187654321", "+865718765####", 10_000),
        ("plate", "浙A12345", "浙A12###", 1000),
        ("plate", "浙A1B3D5", "浙A1B#@#", 2400),
        ("plate", "粤BD12345", "粤BD12###", 1000),
        ("plate", "京A1234警", "京A12##警", 100),
    ],
)
def test_a_block_is_what_differs_in_the_last_characters(
    kind: str, text: str, name: str, size: int
) -> None:
    asked = Asked(kind)
    asked.add(array([text]))
    ((block, (place,)),) = asked.blocks().items()
    assert block == Block(name, size)
    assert 0 <= place < size


@given(st.lists(st.sampled_from([f"浙A{n:05}" for n in range(0, 3000, 7)] + [None]), max_size=90))
def test_each_identifier_counts_once(texts: list[str | None]) -> None:
    asked = Asked("plate")
    for start in range(0, len(texts), 10):
        asked.add(array(texts[start : start + 10]))
    assert sum(map(len, asked.blocks().values())) == len({*texts} - {None})


def test_kinds_without_blocks_and_large_sets_are_not_looked_at() -> None:
    for kind in ("", "text", "vin", "composite"):
        asked = Asked(kind)
        asked.add(array(["x" * 17]))
        assert asked.is_full
        assert asked.blocks() == {}
    asked = Asked("phone")
    asked.add(array(f"+861380013{number:04}" for number in range(10)))
    assert asked.blocks() == {Block("+861380013####", 10_000): {*range(10)}}
    asked.add(array([None] * LARGEST))
    assert asked.blocks() == {}


def test_of_many_blocks_the_fullest_are_looked_at() -> None:
    asked = Asked("phone")
    asked.add(array(f"+86138{number:04}0000" for number in range(MOST + 500)))
    asked.add(array(f"+8613999990{number:03}" for number in range(40)))
    blocks = asked.blocks()
    assert len(blocks) == MOST
    assert len(blocks[Block("+861399999####", 10_000)]) == 40


def test_kinds_with_blocks_are_those_of_the_core() -> None:
    from parties.identifiers.blocks import TAILS

    assert {*TAILS} < {*_core.kinds()}


class Counting:
    """The sweeps of one node towards one partner."""

    def __init__(self, url: str, settings: Settings, **peer: Any) -> None:
        self.store = Store(url)
        self.sweeps = Sweeps(settings, PEER._replace(**peer))
        self.at = NOW

    def ask(self, blocks: Mapping[Block, Iterable[int]], name: str = "plate") -> str:
        refused = None
        try:
            with self.store.writing() as connection:
                asked = {block: {*places} for block, places in blocks.items()}
                self.sweeps.keep(connection, name, asked, self.at)
        except Refusal as refusal:
            refused = refusal
        assert "浙A" not in str(refused), "a block is as personal as its identifiers"
        return refused.code if refused else ""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Pair(tmp_path).ours


def test_more_than_the_share_of_a_block_in_a_day_is_refused(url: str, settings: Settings) -> None:
    counting, block = Counting(url, settings), Block("浙A12###", 1000)
    with closing(counting.store):
        assert counting.ask({block: range(501)}) == "sweep"
        for start in range(0, 1000, 200):
            more = range(start, start + 100)
            assert counting.ask({block: more, Block("浙A13###", 1000): range(3)}) == ""
        assert counting.ask({block: [150]}) == "sweep"
        assert counting.ask({Block("浙A14###", 1000): range(400)}) == "", "another block"
        assert counting.ask({block: range(400)}, name="other") == "", "another set"
        counting.at += timedelta(days=1)
        assert counting.ask({block: range(500)}) == "", "another day"
        others = Counting(url, settings, san="other")
        assert others.ask({block: range(500)}) == "", "another partner"
        others.store.close()


def test_what_is_asked_again_counts_once(url: str, settings: Settings) -> None:
    counting, block = Counting(url, settings), Block("浙A1B###", 1000)
    with closing(counting.store):
        for start in (0, 100, 200, 0):
            assert counting.ask({block: range(start, start + 300)}) == ""
        assert counting.ask({block: [999]}) == "sweep"


@given(st.sampled_from([100, 576, 1000, 2400, 10_000, 24**3]), st.text("AB#", min_size=1))
def test_every_number_of_a_block_has_a_place_of_its_own(size: int, name: str) -> None:
    sweeps = Sweeps(None, PEER)  # type: ignore[arg-type]
    sweeps._key = bytes(32)
    _, first, step = sweeps._hidden(Block(name, size))
    assert len({(first + step * each) % size for each in range(size)}) == size


def test_what_is_kept_names_no_block_and_is_forgotten(
    url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By a key that is drawn, some more places may fall together.
    monkeypatch.setattr("parties.commitments.os.urandom", lambda count: bytes(range(count)))
    counting = Counting(url, settings)
    many = {Block(f"浙B{number:02}###", 1000): [1] for number in range(99)}
    with closing(counting.store) as store:
        assert counting.ask(many | {Block("浙A12###", 1000): range(9)}) == ""
        with store.reading() as connection:
            kept = rows(connection, "swept")
        assert len(kept) == 100
        assert max(int.from_bytes(row.seen).bit_count() for row in kept) == 9
        assert {(len(bytes(row.block)), len(bytes(row.seen))) for row in kept} == {(16, 125)}
        assert len({bytes(row.seen) for row in kept}) > 90, "the same place is hidden in each"
        counting.at += timedelta(days=9)
        counting.ask({Block("浙A12###", 1000): [1]})
        with store.reading() as connection:
            assert len(rows(connection, "swept")) == 1
    assert (settings.tickets.folder / commitments.FILE).stat().st_mode & 0o077 == 0


# --- on nodes


def test_a_list_that_sweeps_a_block_is_refused_before_anything_is_said(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.ticket("match", runs=9)
    realistic = random.Random(1).sample(range(100_000), 900)
    for plates, is_sweep in (
        ([f"浙A{n:05}" for n in realistic], False),
        ([f"浙A12{n:03}" for n in range(501)], True),
    ):
        count = len(plates)
        pair.claims = {"plate": plates, "claim_no": ["c"] * count, "amount": [1] * count}
        asked, answered = pair.dialogues("match")
        if not is_sweep:
            asked.close()
            answered.close()
            assert pair.run("match") == 0
            continue
        with pytest.raises(Refusal) as refused:
            next(asked)
        assert refused.value.code == "sweep"
        answered.close()
    assert len(pair.lines(pair.theirs, "run_begun")) == 1
    with opened(pair.ours) as store, store.reading() as connection:
        seen = [int.from_bytes(row.seen) for row in rows(connection, "swept")]
    assert sum(bits.bit_count() for bits in seen) == 900


def test_inquiries_that_sweep_a_block_are_not_answered(pair: Holder) -> None:
    pair.changes["daily_inquiries"] = 9999
    pair.prepare("plate")
    for _ in range(2):
        assert pair.ask(plate=[f"浙A12{n:03}" for n in range(300)]).told
    with pytest.raises(Refusal) as refused:
        pair.ask(plate=[f"浙A12{n:03}" for n in range(300, 600)])
    assert refused.value.code == "sweep"
    assert pair.ask(plate=[f"浙A13{n:03}" for n in range(300)]).told
