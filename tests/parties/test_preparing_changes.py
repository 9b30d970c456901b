"""What a holder knows to have changed is added to its tables, and reads as its rows are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from green import CLAIMS, Pair, rows

from parties.errors import LocalFault, SourceError, WholeNeeded
from parties.inquiring import Inquirer
from parties.preparing import prepare, prepare_change
from parties.sources import ArrowSource, open_beside
from parties.table_reports import Prepared
from parties.tables import Held
from parties.tables.files import Journal
from psi import Meter

Rows = dict[str, tuple[str, str]]
"""Plate and phone of each claim, by its number."""
SETS = ("plate", "phone")


def plate(number: int) -> str:
    return f"浙A{number:05d}"


def phone(number: int) -> str:
    return f"1380013{number:04d}"


def write(path: Path, claims: Iterable[tuple[str, tuple[str, str]]]) -> Path:
    """Writes claims with the columns of the source; several of a number may differ."""
    lines = [f"{number},,,{of[1]},{of[0]},,1" for number, of in claims]
    path.write_text("\n".join([CLAIMS.splitlines()[0], *lines]) + "\n", encoding="utf-8")
    return path


def source(pair: Pair, claims: Rows) -> None:
    write(pair.folder / "insurer/claims.csv", claims.items())


def change(
    pair: Pair,
    claims: Iterable[tuple[str, tuple[str, str]]],
    about: Iterable[tuple[str, tuple[str, str]]] | None = None,
    sets: Collection[str] = SETS,
) -> list[Prepared]:
    settings = pair.insurer
    changed = open_beside(settings.source, write(pair.folder / "changed.csv", claims))
    other = None
    if about is not None:
        other = open_beside(settings.source, write(pair.folder / "about.csv", about))
    return prepare_change(settings, "police", tuple(sets), changed, other, Meter())


def naming(claims: Rows, about: Collection[tuple[str, str]]) -> list[tuple[str, tuple[str, str]]]:
    """All claims that share an identifier with one of some rows, as a query gives them."""
    plates, phones = ({each[way] for each in about} - {""} for way in (0, 1))
    return [(n, of) for n, of in claims.items() if of[0] in plates or of[1] in phones]


def read(inquirer: Inquirer, asked: dict[str, list[str]]) -> dict[str, dict[str, list[str]]]:
    report = inquirer.ask(asked)
    found: dict[str, dict[str, list[str]]] = {name: {} for name in SETS}
    for each in report.told:
        if each.records:
            found[each.set][each.value] = sorted(row["claim_no"] for row in each.rows or ())
    return found


def due(claims: Rows) -> dict[str, dict[str, list[str]]]:
    told: dict[str, dict[str, list[str]]] = {name: {} for name in SETS}
    for number, of in sorted(claims.items()):
        for name, identifier in zip(SETS, of, strict=True):
            if identifier:
                told[name].setdefault(identifier, []).append(number)
    return told


@pytest.fixture
def small(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A pair whose tables have room for changes, however small they are, and four shards."""
    monkeypatch.setattr("parties.tables.building.SMALLEST", 4)
    monkeypatch.setattr("parties.tables.making.shards_for", lambda entries: 4)
    pair.changes["daily_inquiries"] = 1_000_000
    return pair


def some(count: int) -> Rows:
    return {f"C-{n}": (plate(n), phone(n)) for n in range(count)}


@pytest.mark.parametrize("seed", [1, 2])
def test_any_sequence_of_changes_reads_as_the_rows_are(
    small: Pair, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A model is a dictionary of rows; what was asked for is all that was ever in one."""
    monkeypatch.setattr("parties.tables.making.MOST_CHANGED", 1)
    random, claims, number = Random(seed), some(400), 1000
    source(small, claims)
    small.prepare(*SETS)
    asked = {"plate": [plate(n) for n in range(420)], "phone": [phone(n) for n in range(420)]}

    def drawn() -> tuple[str, str]:
        one, other = random.randrange(420), random.randrange(420)
        return random.choice([(plate(one), phone(other)), ("", phone(other)), (plate(one), "")])

    with small.serving() as police, Inquirer(police, "insurer") as inquirer:
        for step in range(6):
            about = []
            for _ in range(random.randrange(1, 4)):
                number += 1
                match random.choice(("new", "other", "gone", "nothing")):
                    case "new":
                        claims[f"C-{number}"] = drawn()
                        about.append(claims[f"C-{number}"])
                    case "other":
                        at = random.choice(sorted(claims))
                        about.append(claims[at])
                        claims[at] = drawn()
                        about.append(claims[at])
                    case "gone":
                        about.append(claims.pop(random.choice(sorted(claims))))
                    case _:
                        about.append(drawn())  # a row that never was, or that stays as it is
            change(small, naming(claims, about), [("", each) for each in about])
            assert read(inquirer, asked) == due(claims), (seed, step)
        # The whole source finds nothing that has not been told.
        before = [small.held(name).manifest() for name in SETS]
        assert any(len(each.generations) > 3 for each in before)
        source(small, claims)
        small.prepare(*SETS)
        assert [small.held(name).manifest() for name in SETS] == before, seed
        # Anew, from evaluations of which some stand in the journals twice.
        small.prepare(*SETS, whole=True)
        assert [len(small.held(name).manifest().generations) for name in SETS] == [1, 1]
        assert read(inquirer, asked) == due(claims), seed


def test_without_about_all_that_rows_name_is_meant_and_nothing_is_gone(small: Pair) -> None:
    claims = some(100)
    source(small, claims)
    small.prepare("plate")
    (made,) = change(small, [("C-1x", (plate(1), "")), ("C-1y", (plate(1), ""))], sets=["plate"])
    assert (made.identifiers, made.gone, made.records, made.generations) == (1, 0, 2, 2)
    assert "changed 1 identifiers, 2 records, 0 gone" in made.lines()[0]
    assert rows(small.ask(plate=[plate(1), plate(2)])) == {
        plate(1): ["C-1x", "C-1y"],
        plate(2): ["C-2"],
    }
    # Rows without an identifier of the set are no change, and no new table.
    before = small.held().manifest()
    change(small, [("C-9", ("", phone(9)))], sets=["plate"])
    change(small, [], [], sets=["plate"])
    assert small.held().manifest() == before


def test_what_stands_in_a_row_for_another_s_sake_stays_as_it_is(small: Pair) -> None:
    """The phone of a claim changes; a claim with its new phone has a plate with more claims."""
    claims = some(100) | {"C-100": (plate(2), "")}
    source(small, claims)
    small.prepare(*SETS)
    about = [("", (plate(1), phone(1))), ("", (plate(1), phone(2)))]
    change(small, [("C-1", (plate(1), phone(2))), ("C-2", (plate(2), phone(2)))], about)
    report = small.ask(plate=[plate(1), plate(2)], phone=[phone(1), phone(2)])
    assert rows(report) == {
        plate(1): ["C-1"],
        plate(2): ["C-2", "C-100"],
        phone(2): ["C-1", "C-2"],
    }


def test_what_the_table_never_held_can_be_gone(small: Pair) -> None:
    source(small, some(100))
    small.prepare("plate")
    (made,) = change(small, [], [("", (plate(n), "")) for n in (5, 777)], sets=["plate"])
    assert (made.identifiers, made.gone, made.records) == (0, 2, 0)
    assert rows(small.ask(plate=[plate(5), plate(6), plate(777)])) == {plate(6): ["C-6"]}
    change(small, [("C-9", (plate(777), ""))], sets=["plate"])
    assert rows(small.ask(plate=[plate(777)])) == {plate(777): ["C-9"]}


def test_a_table_of_members_alone_changes_too(small: Pair) -> None:
    small.changes["disclose"] = ()
    source(small, some(100))
    small.prepare("plate")
    (made,) = change(
        small, [("", (plate(200), ""))], [("", (plate(n), "")) for n in (5, 200)], sets=["plate"]
    )
    assert (made.records, made.generations) == (None, 2)
    report = small.ask(plate=[plate(5), plate(6), plate(200)])
    assert [each.records for each in report.told] == [0, 1, 1]


def test_a_change_reads_no_journal_but_for_its_end(
    small: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(small, some(100))
    small.prepare("plate")
    sizes = list[int]()
    last = Journal.last

    def refused(self: Journal) -> Any:
        raise AssertionError(self.path.parent.name)

    def measured(self: Journal) -> bytes:
        sizes.append(len(last(self)))
        return last(self)

    monkeypatch.setattr(Journal, "blocks", refused)
    monkeypatch.setattr(Journal, "last", measured)
    change(small, [("C-1x", (plate(1), ""))], sets=["plate"])
    # A number and what sealing adds, of each shard.
    assert sizes == [8 + 40] * 4


@pytest.mark.parametrize("place", ["evaluate", "shard", "remember", "publish"])
def test_a_change_that_was_stopped_anywhere_is_made_by_the_same_command(
    small: Pair, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    source(small, some(100))
    small.prepare("plate")
    before = small.held().manifest()
    claims = [(f"D-{n}", (plate(n), "")) for n in range(5)]
    about = [("", (plate(n), "")) for n in range(6)]
    with monkeypatch.context() as patch:
        stop_at(place, patch)
        with pytest.raises(KeyboardInterrupt):
            change(small, claims, about, sets=["plate"])
    assert small.held().manifest() == before
    for made in range(2):  # and once more, which does no harm
        change(small, claims, about, sets=["plate"])
        assert len(small.held().manifest().generations) == 2 + made
        found = rows(small.ask(plate=[plate(n) for n in range(8)]))
        assert found == {plate(n): [f"{'D' if n < 5 else 'C'}-{n}"] for n in (0, 1, 2, 3, 4, 6, 7)}


def stop_at(place: str, patch: pytest.MonkeyPatch) -> None:
    """Stops in the second journal of what is evaluated or remembered, or where Held does it."""
    append, appended = Journal.append, list[Path]()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def stop_at_the_second(self: Journal, block: bytes) -> None:
        if self.path.parent.name == {"evaluate": "evaluated", "remember": "contents"}.get(place):
            appended.append(self.path)
            if len(appended) == 2:
                raise KeyboardInterrupt
        append(self, block)

    match place:
        case "publish":
            patch.setattr(Held, "publish", stop)
        case "shard":
            patch.setattr(Held, "write_shard", stop)
        case _:
            patch.setattr(Journal, "append", stop_at_the_second)


def test_what_cannot_be_added_says_so_and_the_whole_helps(
    small: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = some(100)
    source(small, claims)

    def refused(why: str, *names: int, number: str = "D") -> None:
        before = small.held().manifest()
        told = [(f"{number}-{n}", (plate(n), "")) for n in names or (1,)]
        with pytest.raises(WholeNeeded, match=f"identifiers.plate: {why}.*without --changed"):
            change(small, told, sets=["plate"])
        assert small.held().manifest() == before

    refused("there is no table yet")
    small.prepare("plate")
    refused("a record is longer than the table has room for", number="9" * 90)
    refused("more than 1/8 of the table would be new", *range(60))
    small.changes["disclose"] = ("amount",)
    refused("since the table was made, settings or types have changed")
    small.changes["disclose"] = ("claim_no", "amount")
    monkeypatch.setattr("parties.tables.making.MOST_GENERATIONS", 3)
    monkeypatch.setattr("parties.tables.making.MOST_CHANGED", 1)
    left = [change(small, [(f"D-{n}", (plate(n), ""))], sets=["plate"])[0] for n in (1, 2)]
    assert [each.changes_left for each in left] == [1, 0]
    assert "room for about 1 more" in left[0].lines()[-1]
    refused("the table holds 2 changes")
    small.prepare("plate")  # the source does not have these changes, so it takes them back
    assert rows(small.ask(plate=[plate(1)])) == {plate(1): ["C-1"]}
    with monkeypatch.context() as patch:
        patch.setattr(Held, "publish", lambda *_: pytest.fail("stopped"))
        with pytest.raises(pytest.fail.Exception):
            small.prepare("plate", whole=True)
    refused("what the table holds is not known")
    small.prepare("plate")
    change(small, [("D-1", (plate(1), ""))], sets=["plate"])
    assert rows(small.ask(plate=[plate(1)])) == {plate(1): ["D-1"]}


def test_the_key_of_the_served_epoch_must_be_there(small: Pair) -> None:
    source(small, some(100))
    small.prepare("plate", epoch="one")
    (small.folder / "insurer/tables/held/police/plate/epochs/one/key.json").unlink()
    with pytest.raises(LocalFault, match="the key of epoch one"):
        change(small, [("D-1", (plate(1), ""))], sets=["plate"])


def test_a_program_gives_rows_of_its_own_and_lacking_columns_are_named(small: Pair) -> None:
    import pyarrow as pa

    source(small, some(100))
    small.prepare(*SETS)
    mine = pa.table({"plate": [plate(1)], "claim_no": ["D-1"], "amount": ["1"]})
    told = ArrowSource(mine, "mine")
    prepare_change(small.insurer, "police", ("plate",), told, None, Meter())
    assert rows(small.ask(plate=[plate(1)])) == {plate(1): ["D-1"]}
    with pytest.raises(SourceError, match="no column 'phone'"):
        prepare_change(small.insurer, "police", ("phone",), told, None, Meter())
    with pytest.raises(SourceError, match="no row gives an identifier"):
        prepare(small.insurer, "police", ("plate",), None, Meter(), ArrowSource(mine[:0]))
