"""Tables are prepared, go on where they were, and grow by what has changed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from green import CLAIMS, Pair, rows

from parties.errors import (
    LocalFault,
    SettingsError,
)
from parties.founding import FILE
from parties.inquiring import Inquirer
from parties.preparing import prepare
from parties.tables import Held
from parties.tables.files import Journal
from psi import Meter


def test_to_prepare_again_evaluates_nothing_twice_and_a_new_epoch_everything(pair: Pair) -> None:
    pair.prepare("plate")
    held, first = pair.held(), pair.held().manifest()
    journal = (
        pair.folder / f"insurer/tables/held/police/plate/epochs/{first.epoch}/evaluated/0000-0001"
    )
    evaluated = journal.read_bytes()
    claims = pair.folder / "insurer/claims.csv"
    claims.write_text(CLAIMS + "C-4,,,,京A00001,,5\n", encoding="utf-8")
    pair.prepare("plate")
    second = held.manifest()
    assert journal.read_bytes().startswith(evaluated)
    # One element more: its 64 bytes, what sealing adds, and the length of the block.
    assert len(journal.read_bytes()) == len(evaluated) + 64 + 40 + 4
    assert (second.number, second.public) == (first.number + 1, first.public)
    assert rows(pair.ask(plate=["京A00001"])) == {"京A00001": ["C-4"]}
    pair.prepare("plate", epoch="next")
    third = held.manifest()
    assert (third.number, third.epoch) == (second.number + 1, "next")
    assert third.public != second.public
    report = pair.ask(plate=["京A00001", "浙A12345"])
    assert rows(report) == {"京A00001": ["C-4"], "浙A12345": ["C-1", "C-2"]}
    assert report.epochs == {"plate": "next"}


def test_a_build_that_was_cut_off_goes_on(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parties.tables.building.PART", 1)
    appended: list[int] = []
    append = Journal.append

    def stop_at_the_second(self: Journal, block: bytes) -> None:
        if len(appended) == 1:
            raise KeyboardInterrupt
        appended.append(len(block))
        append(self, block)

    monkeypatch.setattr(Journal, "append", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        pair.prepare("plate")
    assert pair.held().manifest() is None
    epoch = next((pair.folder / "insurer/tables/held/police/plate/epochs").glob("2*")).name
    # The machine stopped in the middle of a block.
    journal = pair.folder / f"insurer/tables/held/police/plate/epochs/{epoch}/evaluated/0000-0001"
    with journal.open("ab") as file:
        file.write((100).to_bytes(4, "little") + b"half")
    monkeypatch.setattr(Journal, "append", append)
    meter = Meter()
    prepare(pair.insurer, "police", ("plate",), epoch, meter)
    assert (meter.total, meter.done) == (2, 2)
    assert len(list(Journal(journal).blocks())) == 2
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


def test_a_damaged_journal_is_told_unless_a_stop_may_have_done_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.tables.building.PART", 1)
    pair.prepare("plate", epoch="one")
    epoch = pair.folder / "insurer/tables/held/police/plate/epochs/one"
    whole = (epoch / "evaluated/0000-0001").read_bytes()

    def damage(path: Path, at: int) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    damage(epoch / "evaluated/0000-0001", 40)
    with pytest.raises(LocalFault, match=r"evaluated/0000-0001: block 0 is damaged"):
        pair.prepare("plate", whole=True)
    for tail in (whole[:-3], whole[:-1] + b"x", whole + bytes(500)):
        (epoch / "evaluated/0000-0001").write_bytes(tail)
        pair.prepare("plate", whole=True)
        assert len(list(Journal(epoch / "evaluated/0000-0001").blocks())) == 2
    damage(epoch / "contents/0000-0001", 40)
    pair.prepare("plate")
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


def test_the_key_of_an_epoch_that_is_served_is_not_drawn_again(pair: Pair) -> None:
    pair.prepare("plate", epoch="one")
    key = pair.folder / "insurer/tables/held/police/plate/epochs/one/key.json"
    key.rename(key.with_name("kept"))
    for epoch in (None, "one"):
        with pytest.raises(LocalFault, match="put it back, or give a new --epoch"):
            pair.prepare("plate", epoch=epoch)
    key.with_name("kept").rename(key)
    pair.prepare("plate")
    assert rows(pair.ask(plate=["浙A12345"]))


def test_composites_are_not_prepared_and_rejected_cells_are_told(pair: Pair) -> None:
    path = pair.folder / "insurer" / FILE
    text = path.read_text(encoding="utf-8").replace(
        "[identifiers.vin]",
        '[identifiers.both]\nkind = "composite"\nparts = ["plate", "text"]\n'
        'columns = [["plate", "claim_no"]]\n\n[identifiers.vin]',
    )
    path.write_text(text, encoding="utf-8")
    claims = pair.folder / "insurer/claims.csv"
    claims.write_text(CLAIMS + "C-9,,,,nonsense,,1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="a composite cannot be inquired"):
        pair.prepare("both")
    (made,) = prepare(pair.insurer, "police", ("plate",), None, Meter())
    assert sum(made.rejected.values()) == 1
    assert "rejected here" in made.lines()[1]


def test_two_preparations_at_once_are_one_after_the_other(pair: Pair) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: pair.prepare("plate", epoch="one", whole=True), range(4)))
    assert pair.held().manifest().number == 4
    assert rows(pair.ask(plate=["浙A12345"])) == {"浙A12345": ["C-1", "C-2"]}


def write_claims(pair: Pair, told: dict[str, list[str]]) -> None:
    """Claims of these numbers for these plates."""
    lines = [f"{number},,,,{plate},,1" for plate, numbers in told.items() for number in numbers]
    text = "\n".join([CLAIMS.splitlines()[0], *lines]) + "\n"
    (pair.folder / "insurer/claims.csv").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("shards", [1, 4])
def test_any_sequence_of_changes_reads_as_the_records_are(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    """A model is a dictionary; what was asked for is all plates that ever were."""
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    monkeypatch.setattr("parties.tables.making.shards_for", lambda entries: shards)
    pair.changes["daily_inquiries"] = 10_000
    random = Random(7)
    told = {f"浙A{n:05d}": [f"C-{n}"] for n in range(120)}
    ever, generations, number = dict.fromkeys(told), set[int](), 1000
    write_claims(pair, told)
    with pair.serving() as police, Inquirer(police, "insurer") as inquirer:
        for step in range(12):
            pair.prepare("plate", whole=step == 8)
            manifest = pair.held().manifest()
            assert manifest.number == step + 1
            generations.add(len(manifest.generations))
            report = inquirer.ask({"plate": list(ever)})
            found = {plate: sorted(numbers) for plate, numbers in rows(report).items()}
            assert found == {plate: sorted(numbers) for plate, numbers in told.items()}, (7, step)
            for plate in random.sample(sorted(ever), 4):
                number += 1
                match random.choice(("gone", "other", "more", "back")):
                    case "gone":
                        told.pop(plate, None)
                    case "other" | "back":
                        told[plate] = [f"C-{number}"]
                    case _:
                        told[plate] = [*told.get(plate, []), f"C-{number}"]
            new = f"粤B{step:05d}"
            told[new], ever[new] = [f"C-{number}x{i}" for i in range(random.randrange(1, 4))], None
            write_claims(pair, told)
    assert max(generations) >= 3, "most changes were generations of their own"


def test_nothing_new_is_no_new_table_and_much_is_a_whole_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    told = {f"浙A{n:05d}": [f"C-{n}"] for n in range(100)}
    write_claims(pair, told)
    pair.prepare("plate")
    first = pair.held().manifest()
    pair.prepare("plate")
    assert pair.held().manifest() == first
    told["浙A00001"] = ["C-x"]
    write_claims(pair, told)
    pair.prepare("plate")
    assert len(pair.held().manifest().generations) == 2
    told |= {f"浙A{n:05d}": [f"D-{n}"] for n in range(50)}
    write_claims(pair, told)
    pair.prepare("plate")
    assert len(pair.held().manifest().generations) == 1
    # A longer record than the labels have room for, other columns, another epoch: as a whole.
    for change in ("long", "columns", "epoch"):
        told["浙A00002"] = ["C-" + "9" * 80] if change == "long" else told["浙A00002"]
        write_claims(pair, told)
        if change == "columns":
            pair.changes["disclose"] = ("claim_no", "amount", "vin")
        pair.prepare("plate", epoch="other" if change == "epoch" else None)
        assert len(pair.held().manifest().generations) == 1, change
        assert rows(pair.ask(plate=["浙A00002"])) == {"浙A00002": told["浙A00002"]}


@pytest.mark.parametrize("place", ["remember", "publish"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_table_that_was_stopped_anywhere_is_made_right_the_next_time(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, place: str, whole: bool
) -> None:
    """Stopped while what it will hold is written down, or before it is served."""
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    monkeypatch.setattr("parties.tables.making.shards_for", lambda entries: 4)
    told = {f"浙A{n:05d}": [f"C-{n}"] for n in range(100)}
    write_claims(pair, told)
    pair.prepare("plate")
    told["浙A00001"] = ["D-1"]
    del told["浙A00002"]
    write_claims(pair, told)
    with monkeypatch.context() as patch:
        stop_at(place, patch)
        with pytest.raises(KeyboardInterrupt):
            pair.prepare("plate", whole=whole)
    # Back to what it was: what the stopped table said of it must not stand.
    told["浙A00001"], told["浙A00003"] = ["C-1"], ["E-3"]
    write_claims(pair, told)
    pair.prepare("plate")
    # A change that was stopped is forgotten; after a table that was, nothing is known.
    assert len(pair.held().manifest().generations) == (1 if whole else 2)
    report = pair.ask(plate=[f"浙A{n:05d}" for n in range(100)])
    assert rows(report) == told


def stop_at(place: str, patch: pytest.MonkeyPatch) -> None:
    """Stops a preparation in the second shard of what is remembered, or before it is served."""
    append, remembered = Journal.append, list[Path]()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def stop_at_the_second(self: Journal, block: bytes) -> None:
        if self.path.parent.name == "contents":
            remembered.append(self.path)
            if len(remembered) == 2:
                raise KeyboardInterrupt
        append(self, block)

    if place == "publish":
        patch.setattr(Held, "publish", stop)
    else:
        patch.setattr(Journal, "append", stop_at_the_second)
