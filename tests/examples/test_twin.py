"""The twin against a plain join, a plain normaliser and the published descriptions of its rings."""

import csv
import datetime
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from plain_normaliser import PLAIN, VIN_CHECKED
from twin import COLUMNS, OutOfRange, Twin, make_twin
from twin.blocks import BLOCK, DOUBLES, block
from twin.habits import HABITS
from twin.plan import world
from twin.pools import KINDS

from psi import _core

EXAMPLES = Path(__file__).parents[2] / "examples"
CLAIMS, RECORDS, SEED = 30_000, 20_000, 20_240_817


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return make_twin(tmp_path_factory.mktemp("twin"), CLAIMS, RECORDS, SEED, "parquet", clean=True)


def rows(path: Path) -> list[dict[str, object]]:
    return pq.read_table(path).to_pylist()


def plain_join(own: pa.Table, their: pa.Table, kind: str) -> dict[str, tuple[int, int, int]]:
    """Joins two tables of clean identifiers in plain Python: identifier -> rows, cells, rows."""
    sides = []
    for table, columns in ((own, COLUMNS[kind].own), (their, COLUMNS[kind].their)):
        standing, cells = defaultdict(set), Counter()
        for column in columns:
            for row, value in enumerate(table[column].to_pylist()):
                if value is not None:
                    standing[value].add(row)
                    cells[value] += 1
        sides.append((standing, cells))
    (own_rows, own_cells), (their_rows, _) = sides
    return {
        value: (len(own_rows[value]), own_cells[value], len(their_rows[value]))
        for value in own_rows.keys() & their_rows.keys()
    }


def planted_list(twin: Twin, kind: str) -> dict[str, tuple[int, int, int]]:
    return {
        row["identifier"]: (row["own_rows"], row["own_cells"], row["their_rows"])
        for row in rows(twin.truth_list)
        if row["set"] == kind
    }


def clean(twin: Twin, file: str) -> pa.Table:
    return pq.read_table(twin.claims.with_name(f"{file}.clean.parquet"))


# The truth


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("claims", "records", "seed", "overlap"),
    [(1_000, 500, 1, 0.02), (5_000, 5_000, 2, 0.0), (4_000, 900, 3, 0.5), (120_001, 3_000, 4, 0.1)],
)
def test_truth_is_what_a_plain_join_of_the_clean_columns_finds(
    tmp_path: Path, kind: str, claims: int, records: int, seed: int, overlap: float
) -> None:
    made = make_twin(tmp_path, claims, records, seed, "parquet", overlap=overlap, clean=True)
    joined = plain_join(clean(made, "claims"), clean(made, "records"), kind)
    assert planted_list(made, kind) == joined
    found = made.truth.sets[kind]
    assert found.common == len(joined) == sum(found.planted.values()) > 0
    assert found.own_rows == sum(own for own, _, _ in joined.values())
    assert found.their_rows == sum(their for _, _, their in joined.values())
    assert found.joined_rows == sum(own * their for own, _, their in joined.values())


@pytest.mark.parametrize("kind", KINDS)
def test_distinct_counts_are_those_of_the_clean_columns(twin: Twin, kind: str) -> None:
    found = twin.truth.sets[kind]
    for side, columns, distinct, landlines in (
        ("claims", COLUMNS[kind].own, found.own_distinct, found.own_landlines),
        ("records", COLUMNS[kind].their, found.their_distinct, found.their_landlines),
    ):
        table = clean(twin, side)
        values = {v for column in columns for v in table[column].to_pylist()} - {None}
        assert len(values) == distinct
        mobile = sum(value.startswith("+861") and len(value) == 14 for value in values)
        assert landlines == (len(values) - mobile if kind == "phone" else 0)


@pytest.mark.parametrize("side", ["claims", "records"])
def test_a_plain_normaliser_finds_in_the_dirt_what_the_clean_columns_say(
    twin: Twin, side: str
) -> None:
    dirty = pq.read_table(getattr(twin, side))
    cleaned = clean(twin, side)
    assert dirty.num_rows == cleaned.num_rows
    for kind in KINDS:
        for column in COLUMNS[kind].own if side == "claims" else COLUMNS[kind].their:
            text, meant = dirty[column].to_pylist(), cleaned[column].to_pylist()
            read = [None if value is None else PLAIN[kind](value) for value in text]
            wrong = sum(a != b for a, b in zip(read, meant, strict=True))
            assert wrong == 0, f"{column}: {wrong} of {len(read)} cells"


@pytest.mark.parametrize("side", ["claims", "records"])
def test_the_product_reads_in_the_dirt_what_the_clean_columns_say(twin: Twin, side: str) -> None:
    dirty, cleaned = pq.read_table(getattr(twin, side)), clean(twin, side)
    for names in COLUMNS.values():
        for column in names.own if side == "claims" else names.their:
            text = dirty[column].combine_chunks().cast(pa.large_string())
            read, _, _ = _core.normalise(names.kind, text)
            wrong = sum(
                a != b
                for a, b in zip(
                    pa.array(read).to_pylist(), cleaned[column].to_pylist(), strict=True
                )
            )
            assert wrong == 0, f"{column}: {wrong} of {len(text)} cells"


def test_truth_json_is_the_truth(twin: Twin) -> None:
    stored = json.loads(twin.truth_file.read_text("utf-8"))
    assert stored["claims"] == CLAIMS
    assert stored["sets"]["person"]["common"] == twin.truth.sets["person"].common
    assert stored["claims_cells"]["insured_id"] == twin.truth.claims_cells["insured_id"]


def test_the_share_of_claims_with_a_planted_identifier_is_the_overlap(tmp_path: Path) -> None:
    made = make_twin(tmp_path, 50_000, 50_000, 5, overlap=0.1)
    for kind, found in made.truth.sets.items():
        # Dirt and empty cells lose some, rows of rings and second columns of a person add some.
        assert 0.085 < found.own_rows / 50_000 < 0.18, kind
        assert {"joint", "solo"} < set(found.planted)


# The identifiers


def test_check_characters_are_right_where_they_have_to_be(twin: Twin) -> None:
    for side, columns in (("claims", COLUMNS["person"].own), ("records", ("person_id",))):
        for column in columns:
            for value in clean(twin, side)[column].drop_null().unique().to_pylist():
                assert PLAIN["person"](value) == value
    vins = clean(twin, "claims")["vin"].drop_null().unique().to_pylist()
    european = [vin for vin in vins if vin[8] == "Z"]
    assert 0.1 < len(european) / len(vins) < 0.3
    wrong = sum(not VIN_CHECKED(vin) for vin in vins if vin[8] != "Z")
    assert wrong == 0, "only European makes and the near-misses of the police file have none"


def test_plates_are_of_all_kinds_and_of_all_provinces(twin: Twin) -> None:
    plates = clean(twin, "claims")["plate"].drop_null().unique().to_pylist()
    assert len({plate[0] for plate in plates}) == 31
    assert {plate[-1] for plate in plates} >= set("挂学警港DF")
    lengths = Counter(map(len, plates))
    assert set(lengths) == {7, 8}
    assert 0.1 < lengths[8] / len(plates) < 0.22
    by_province = Counter(plate[0] for plate in plates)
    assert by_province["粤"] > 5 * by_province["青"]


def test_few_persons_and_phones_stand_in_many_rows(twin: Twin) -> None:
    table = clean(twin, "claims")
    for column, most in (("insured_id", 15), ("report_phone", 25)):
        counts = sorted(Counter(table[column].drop_null().to_pylist()).values())
        assert counts[-1] >= most
        assert counts[len(counts) // 2] <= 2


# The dirt


def test_dirt_comes_at_the_stated_rates(twin: Twin) -> None:
    for cells, side in ((twin.truth.claims_cells, "own"), (twin.truth.records_cells, "their")):
        for kind in KINDS:
            habits = HABITS[kind]
            for column in getattr(COLUMNS[kind], side):
                filled = sum(cells[column].values()) - cells[column]["empty"]
                assert filled + cells[column]["empty"] == (CLAIMS if side == "own" else RECORDS)
                for name, share in zip(habits.names, habits.shares, strict=True):
                    rate = cells[column][name] / filled
                    # Five standard deviations above; ways that do not fit every cell stay below.
                    assert rate < share + 5 * (share / filled) ** 0.5, (column, name)
                    fits_all = name not in habits.ways or habits.ways[name].fits is None
                    if fits_all and kind != "phone":
                        assert rate > share * 0.9 - 5 * (share / filled) ** 0.5, (column, name)
                    assert rate > 0, (column, name)


def test_some_rows_are_copies_of_a_row_before(twin: Twin) -> None:
    table = pq.read_table(twin.claims)
    copies = table.num_rows - len(pc.unique(table["claim_no"]))
    assert 0.8 * DOUBLES < copies / table.num_rows < 1.2 * DOUBLES
    same = table.group_by(table.column_names).aggregate([])
    assert table.num_rows - same.num_rows == copies


# Near-misses


def test_near_misses_stand_on_both_sides_and_are_not_in_common() -> None:
    whole = world(CLAIMS, RECORDS, SEED, 0.02)
    for kind, one in whole.identifiers.items():
        pool = one.pool
        base = np.arange(pool.near_start, pool.twins_start)
        assert len(base) >= 10
        pairs = zip(one.cells(base), one.cells(base + pool.near), strict=True)
        different = [int((a != b).sum()) for a, b in pairs]
        # One character; of a resident ID the hundreds of the sequence and mostly the check.
        assert set(different) <= ({1, 2} if kind == "person" else {1}), kind
    people = whole.people
    base = np.arange(people.pool.near_start, people.pool.twins_start)
    assert people.names(base).equals(people.names(base + people.pool.near))


@pytest.mark.parametrize("kind", KINDS)
def test_both_halves_of_a_near_miss_are_in_the_files(twin: Twin, kind: str) -> None:
    whole = world(CLAIMS, RECORDS, SEED, 0.02)
    one = whole.identifiers[kind]
    base = np.arange(one.pool.near_start, one.pool.twins_start)

    def texts(ids: np.ndarray) -> set[str]:
        cells = one.canonical(one.cells(ids))
        return {bytes(row[row != 0]).decode() for row in cells}

    own = {v for c in COLUMNS[kind].own for v in clean(twin, "claims")[c].to_pylist()}
    their = {v for c in COLUMNS[kind].their for v in clean(twin, "records")[c].to_pylist()}
    assert len(texts(base) & own) > 0.8 * len(base)
    assert len(texts(base + one.pool.near) & their) > 0.8 * len(base)
    assert not texts(base) & their
    assert not texts(base + one.pool.near) & own


# Rings


@pytest.fixture(scope="module")
def rings(twin: Twin) -> dict[str, tuple[list[dict], list[dict]]]:
    """Ring -> its claims and its records, of group 0, identifiers clean, in the order of time."""
    files = {}
    for file, number, time in (
        ("claims", "claim_no", "accident_time"), ("records", "record_no", "event_time")
    ):  # fmt: skip
        table, tidy = pq.read_table(getattr(twin, file)), clean(twin, file)
        for column in tidy.column_names[1:]:
            index = table.schema.get_field_index(column)
            table = table.set_column(index, column, tidy[column])
        files[file] = {row[number]: row for row in table.sort_by(time).to_pylist()}
    found: dict[str, tuple[list[dict], list[dict]]] = defaultdict(lambda: ([], []))
    wanted = {(row["file"], row["row_no"]): row["ring"] for row in rows(twin.rings)
              if row["group"] == 0}  # fmt: skip
    for place, file in enumerate(files):
        for number, row in files[file].items():
            if (file, number) in wanted:
                found[wanted[file, number]][place].append(row)
    return found


def column(rows: list[dict], name: str) -> list:
    return [row[name] for row in rows]


def test_one_shop_has_nine_luxury_cars_and_sixteen_accidents(rings: dict) -> None:
    claims, records = rings["one-shop-nine-cars"]
    assert len(claims) == 16
    assert len(set(column(claims, "repair_shop"))) == len(set(column(claims, "report_phone"))) == 1
    assert len(set(column(claims, "plate"))) == len(set(column(claims, "vin"))) == 9
    assert {vin[:3] for vin in column(claims, "vin")} <= {"WBA", "WDD", "WAU", "WP0", "ZFF", "SAL"}
    assert all(row["insured_id"] != row["driver_id"] for row in claims)
    year = claims[-1]["accident_time"] - claims[0]["accident_time"]
    assert year < datetime.timedelta(days=365)
    assert set(column(records, "plate")) < set(column(claims, "plate"))


def test_one_driver_has_many_plates(rings: dict) -> None:
    claims, records = rings["one-driver-many-plates"]
    assert len(set(column(claims, "driver_id"))) == 1
    assert len(set(column(claims, "plate"))) == 13
    assert set(column(records, "person_id")) == set(column(claims, "driver_id"))


def test_a_family_is_insured_at_many_places(rings: dict) -> None:
    claims, records = rings["family-many-places"]
    companies = defaultdict(set)
    for row in claims:
        companies[row["insured_id"]].add(row["company"])
    assert len(companies) == 12
    assert all(len(names) == 3 for names in companies.values())
    assert set(column(claims, "line")) == {"accident"}
    assert len(set(column(claims, "claimant_id"))) == len(set(column(claims, "report_phone"))) == 1
    assert set(column(records, "person_id")) < set(companies)


def test_one_phone_reports_for_many_claimants(rings: dict) -> None:
    claims, records = rings["one-phone-many-claimants"]
    assert len(set(column(claims, "claimant_id"))) == 24
    assert set(column(claims, "report_phone")) == set(column(records, "phone"))
    assert len(set(column(records, "phone"))) == 1


def test_one_injured_person_claims_in_eleven_provinces(rings: dict) -> None:
    claims, records = rings["one-injured-many-provinces"]
    assert len(claims) == len(set(column(claims, "plate"))) == 36
    assert len({row["hospital"][:2] for row in claims}) == 11
    assert {*column(claims, "claimant_id")} == {*column(records, "person_id")}


def test_drunk_driving_is_on_record_hours_before_the_accident(rings: dict) -> None:
    claims, records = rings["drunk-driving-before"]
    assert len(claims) == 4
    earlier = {row["plate"]: row for row in records}
    for row in claims:
        gap = row["accident_time"] - earlier[row["plate"]]["event_time"]
        assert datetime.timedelta(hours=1) <= gap < datetime.timedelta(hours=5)
        assert earlier[row["plate"]]["record_type"] == "drunk driving"
        assert earlier[row["plate"]]["person_id"] == row["insured_id"] != row["driver_id"]


def test_vehicles_are_reported_stolen_before_their_accident(rings: dict) -> None:
    claims, records = rings["reported-stolen-before"]
    assert set(column(records, "record_type")) == {"theft"}
    stolen = {row["vin"]: row["event_time"] for row in records}
    gaps = [(row["accident_time"] - stolen[row["vin"]]).days for row in claims]
    assert len(gaps) == 4
    assert all(2 <= gap < 30 for gap in gaps)


def test_one_flight_has_forty_delay_policies_of_five_identities(rings: dict) -> None:
    claims, records = rings["one-flight-many-policies"]
    assert len(claims) == 40
    assert len(set(column(claims, "insured_id"))) == 5
    assert len(set(column(claims, "flight_date"))) == 1
    assert set(column(claims, "flight_date")) == set(column(records, "flight_date"))
    flights = {row["flight_no"].replace(" ", "")[-3:] for row in (*claims, *records)}
    assert len(flights) == 1
    assert all(row["passport"] for row in records)


def test_joint_identities_claim_within_hours_of_their_record(twin: Twin) -> None:
    joint = {row["identifier"] for row in rows(twin.truth_list)
             if row["set"] == "plate" and row["planted_as"] == "joint"}  # fmt: skip
    accident = pq.read_table(twin.claims)["accident_time"].to_pylist()
    event = pq.read_table(twin.records)["event_time"].to_pylist()
    moments = dict(zip(clean(twin, "records")["plate"].to_pylist(), event, strict=True))
    for plate, time in zip(clean(twin, "claims")["plate"].to_pylist(), accident, strict=True):
        if plate in joint:
            assert datetime.timedelta(minutes=30) <= time - moments[plate]
            assert time - moments[plate] <= datetime.timedelta(hours=6)


# The files


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(
    tmp_path: Path, format: str
) -> None:
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        make_twin(tmp_path / name, 2_000, 1_500, seed, format)
    for path in sorted((tmp_path / "one").iterdir()):
        data = path.read_bytes()
        assert data == (tmp_path / "again" / path.name).read_bytes()
        assert data != (tmp_path / "other" / path.name).read_bytes()


def test_a_block_does_not_depend_on_the_blocks_before_it(tmp_path: Path) -> None:
    claims = 2 * BLOCK + 1
    made = make_twin(tmp_path, claims, 500, 9)
    whole = world(claims, 500, 9, 0.02)
    table = pq.read_table(made.claims)
    for number in (2, 1):
        alone = block(whole, whole.claims, number).table
        assert table.slice(number * BLOCK, BLOCK).equals(alone)


def test_csv_holds_the_same_cells_as_parquet(tmp_path: Path) -> None:
    a = make_twin(tmp_path / "a", 1_000, 500, 3, "parquet")
    b = make_twin(tmp_path / "b", 1_000, 500, 3, "csv")
    assert a.truth == b.truth
    for one, other in ((a.claims, b.claims), (a.records, b.records)):
        with other.open(encoding="utf-8", newline="") as file:
            written = list(csv.DictReader(file))
        for left, right in zip(rows(one), written, strict=True):
            for name, value in left.items():
                assert right[name] == ("" if value is None else str(value))


@pytest.mark.parametrize(
    ("claims", "records", "seed", "format", "overlap"),
    [
        (999, 500, 1, "csv", 0.02),
        (1_000, 499, 1, "csv", 0.02),
        (20_000_001, 500, 1, "csv", 0.02),
        (1_000, 500, -1, "csv", 0.02),
        (1_000, 500, 1, "xlsx", 0.02),
        (1_000, 500, 1, "csv", 0.51),
    ],
)
def test_a_twin_out_of_range_is_refused_before_anything_is_written(
    tmp_path: Path, claims: int, records: int, seed: int, format: str, overlap: float
) -> None:
    with pytest.raises(OutOfRange):
        make_twin(tmp_path / "out", claims, records, seed, format, overlap=overlap)
    assert not (tmp_path / "out").exists()


@pytest.mark.study
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Peak memory of a process of its own: Arrow's buffers are invisible to tracemalloc."""
    program = (
        "import re, sys; from pathlib import Path; from twin import make_twin;"
        "make_twin(Path(sys.argv[1]), int(sys.argv[2]), 1000, 1);"
        # ru_maxrss would include what the process was that started this one.
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    peaks = []
    for claims in (BLOCK, 4 * BLOCK):
        command = [sys.executable, "-c", program, str(tmp_path), str(claims)]
        done = subprocess.run(command, cwd=EXAMPLES, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))  # kilobytes on Linux
    assert peaks[0] < 500_000
    assert peaks[1] - peaks[0] < 75_000, "a byte an identity and the allocator's slack"


def test_the_script_runs_as_it_stands(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "make_twin.py"), "--out", str(tmp_path)]
    sizes = ["--claims", "1000", "--records", "500", "--seed", "5", "--format", "csv"]
    done = subprocess.run([*command, *sizes], check=True, capture_output=True, text=True)
    assert "in common" in done.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"claims.csv", "records.csv", "truth.json", "truth.parquet", "rings.parquet"}
    refused = subprocess.run([*command, "--claims", "1"], check=False, capture_output=True)
    assert refused.returncode == 2
