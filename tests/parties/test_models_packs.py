"""Packs that are not what they must be are refused, by the names of rule and entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from parties.errors import PackRefused
from parties.models import shape
from parties.models.binding import create
from parties.models.checking import checked
from parties.models.loading import LONGEST, OURS, folder_of, load, names
from parties.models.mapping import mapped
from parties.models.pack import TO_WRITE
from parties.models.sandbox import CHECKING, Bounds, opened
from parties.models.tables import TABLES
from parties.models.trying import numbers_of, tried

PACK = {
    "name": "small",
    "version": 1,
    "line": "auto",
    "title": "A small pack",
    "columns": {
        "claims": {
            "claim": {"type": "VARCHAR", "unit": "name"},
            "plate": {"type": "VARCHAR", "unit": "name"},
            "amount": {"type": "DECIMAL(18,2)", "unit": "yuan"},
            "happened": {"type": "TIMESTAMP", "unit": "instant"},
        },
    },
}
RULE = {
    "name": "many",
    "version": 1,
    "title": "Many claims",
    "dimensions": ["vehicle"],
    "needs": ["claims.amount", "claims.claim", "claims.plate"],
    "subject": {"plate": "vehicle"},
    "sql": (
        "SELECT plate, list(claim) AS claims, sum(amount) AS amount, count(*) AS number "
        "FROM claims GROUP BY plate HAVING count(*) >= $least"
    ),
    "reason": "Vehicle {plate} stands in {number} claims.",
    "innocent": "A taxi.",
    "source": "An example.",
    "parameters": {
        "least": {
            "unit": "count",
            "default": 2,
            "least": 1,
            "most": 9,
            "meaning": "claims",
            "source": "",
        },
    },
}
ONE = (
    "SELECT plate, list(claim) AS claims, sum(amount) AS amount, count(*) AS number FROM claims "
    "WHERE {} GROUP BY plate HAVING count(*) >= $least"
)


def written(folder: Path, rule: Mapping[str, Any] = RULE, pack: Mapping[str, Any] = PACK) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pack.toml").write_text(toml(pack), encoding="utf-8")
    (folder / "many.toml").write_text(toml(rule), encoding="utf-8")
    return folder


def toml(values: Any) -> str:
    return "\n".join(f"{name} = {inline(value)}" for name, value in values.items())


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def refusal(folder: Path) -> str:
    with pytest.raises(PackRefused) as caught:
        checked(folder)
    return str(caught.value)


def test_the_packs_that_come_along_pass() -> None:
    assert names() == ["accident", "auto", "flight_delay"]
    for name in names():
        assert checked(folder_of(name)).line == name


def test_a_small_pack_passes(tmp_path: Path) -> None:
    pack = checked(written(tmp_path / "small"))
    assert [rule.name for rule in pack.rules] == ["many"]


@pytest.mark.parametrize("entry", [*RULE])
def test_a_rule_that_lacks_an_entry_is_refused(tmp_path: Path, entry: str) -> None:
    less = {name: value for name, value in RULE.items() if name != entry}
    said = refusal(written(tmp_path / "small", less))
    assert "small/many.toml" in said
    assert entry in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "many.toml has an entry that this release does not know"),
        ({"name": "few"}, "name of small/many.toml must be that of its file"),
        ({"version": -1}, "version of small/many.toml must be a whole number"),
        ({"version": 0}, "version of small/many.toml is 0, which a draft has"),
        ({"innocent": TO_WRITE}, "innocent of small/many.toml must say what would make it"),
        ({"dimensions": ["colour"]}, "dimensions of small/many.toml must list some of person"),
        ({"needs": ["claims.colour", "claims.plate"]}, "claims.colour is no column of the joined"),
        (
            {"needs": ["claims.claim", "claims.vin"]},
            "small/many: needs name claims.vin, which pack",
        ),
        (
            {"needs": ["claims.amount", "claims.claim"]},
            "small/many: needs do not name claims.plate, which the SQL reads",
        ),
        (
            {"sql": str(RULE["sql"]).replace("number", "number, max(colour) AS colour")},
            'small/many: sql does not fit the joined tables: Binder Error.*"colour"',
        ),
        (
            {"needs": ["claims.amount", "claims.claim", "claims.happened", "claims.plate"]},
            "small/many: needs name claims.happened, which the SQL does not read",
        ),
        ({"subject": {"vin": "vehicle"}}, "small/many: sql must give a column vin"),
        ({"subject": {"plate": "colour"}}, "plate of subject of small/many.toml must be one of"),
        ({"reason": "Vehicle {plate} in {many}."}, "small/many: reason says {many}, which is noth"),
        ({"reason": "Vehicle {plate}."}, "small/many: reason does not say number"),
        ({"reason": "{plate.real} {number}"}, "small/many: reason may hold names between single"),
        ({"reason": "Fraud by {plate} in {number}."}, "small/many.toml: names an offence"),
        ({"innocent": "诈骗"}, "small/many.toml: names an offence"),
    ],
)
def test_a_rule_that_is_not_as_it_must_be_is_refused_by_name_and_entry(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    import re

    said = refusal(written(tmp_path / "small", RULE | change))
    assert re.search(words if ".*" in words else re.escape(words), said), said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "metres"}, "unit of least of parameters of small/many.toml must be one of"),
        ({"unit": "days"}, "small/many: sql does not fit"),
        ({"unit": "percent", "default": 101, "most": 200}, "default of least of parameters"),
        ({"default": 10}, "least of parameters must have least, default and most in this order"),
        ({"default": 2.5}, "default of least of parameters of small/many.toml must be a whole"),
    ],
)
def test_a_parameter_of_a_wrong_unit_or_size_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    least = RULE["parameters"]["least"] | change  # type: ignore[index]
    assert words in refusal(written(tmp_path / "small", RULE | {"parameters": {"least": least}}))


@pytest.mark.parametrize(
    ("condition", "unit"),
    [("amount >= $least", "count"), ("count(*) >= $least", "yuan"), ("amount > 5", "count")],
)
def test_an_amount_held_against_a_number_of_another_unit_is_refused(
    tmp_path: Path, condition: str, unit: str
) -> None:
    where = condition if "amount" in condition else "true"
    sql = ONE.format(where)
    if unit == "count" and "$least" in condition:
        sql = sql.replace("HAVING count(*) >= $least", "")
    least = RULE["parameters"]["least"] | {"unit": unit}  # type: ignore[index]
    rule = RULE | {"sql": sql, "parameters": {"least": least}}
    said = refusal(written(tmp_path / "small", rule))
    assert "small/many: sql mixes an amount in yuan with something of another unit" in said


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        ("amount", {"type": "DECIMAL(18,2)", "unit": "fen"}, "unit of amount"),
        ("amount", {"type": "DOUBLE", "unit": "yuan"}, "type of amount"),
        ("amout", {"type": "DECIMAL(18,2)", "unit": "yuan"}, "the nearest is amount"),
    ],
)
def test_a_pack_that_needs_an_unknown_column_or_another_unit_is_refused(
    tmp_path: Path, column: str, kind: dict[str, str], words: str
) -> None:
    claims = PACK["columns"]["claims"] | {column: kind}  # type: ignore[index]
    said = refusal(written(tmp_path / "small", pack=PACK | {"columns": {"claims": claims}}))
    assert words in said
    assert "pack.toml" in said


ESCAPES = [
    "DELETE FROM claims",
    "INSERT INTO claims SELECT * FROM claims",
    "CREATE TABLE other AS SELECT 1",
    "DROP TABLE claims",
    "COPY claims TO 'out.csv'",
    "ATTACH 'other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 8",
    "PRAGMA database_list",
    "EXPORT DATABASE 'out'",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT FROM WHERE",
    "DESCRIBE claims",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'other.parquet'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pragma_table_info('claims')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('claims')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM other",
    "SELECT * FROM secrets",
    "SELECT * FROM range(1000000000000)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE claims)",
    "SELECT getenv('HOME')",
    "SELECT current_setting('memory_limit')",
    "SELECT getvariable('x')",
    "SELECT nextval('x')",
    "SELECT random()",
    "SELECT now()",
    "SELECT current_date",
    "SELECT current_user",
    "SELECT version()",
    "SELECT * FROM claims WHERE plate IN (SELECT getenv('HOME'))",
    "SELECT * FROM claims ORDER BY random()",
    "SELECT * FROM claims QUALIFY random() > 0.5",
    "SELECT * FROM claims USING SAMPLE 10",
    "SELECT CAST(plate AS JSON) FROM claims",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT * FROM t",
    "WITH x AS (WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n FROM t) FROM t) FROM x",
    "WITH x AS (WITH duckdb_tables AS (SELECT 1) FROM duckdb_tables) FROM duckdb_tables",
    "WITH claims AS (SELECT 1) SELECT * FROM claims",
    "WITH x AS (DELETE FROM claims RETURNING *) SELECT * FROM x",
    "SELECT unnest(range(1000000000000))",
    "SELECT repeat('x', 1000000000000)",
    "PIVOT claims ON plate USING count(*)",
    "SELECT list_transform([1], x -> x + 1)",
    "WITH x AS NOT MATERIALIZED (FROM claims) SELECT * FROM x, x AS y",
    "SELECT count(*) FROM " + ", ".join(f"claims AS c{n}" for n in range(33)),
    "SELECT " + "(" * 4000 + "1" + ")" * 4000,
    "SELECT * REPLACE (getenv('HOME') AS plate) FROM claims",
    "SELECT count(*) FILTER (WHERE random() > 0.5) FROM claims",
    "SELECT list(plate ORDER BY random()) FROM claims",
    "SELECT sum(amount) OVER (ORDER BY random()) FROM claims",
    "SELECT * FROM claims LIMIT (SELECT getenv('HOME'))",
    "SELECT CASE WHEN getenv('HOME') = '' THEN 1 END",
    "SELECT * FROM claims GROUP BY getenv('HOME')",
    "SELECT main.getenv('HOME')",
    "SELECT 'HOME'.getenv()",
    "SELECT * FROM main.claims",
    "SELECT * FROM memory.main.claims",
    'SELECT "current_user"',
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_sql_that_is_more_than_a_select_over_joined_tables_is_refused(
    tmp_path: Path, sql: str
) -> None:
    with opened(CHECKING, plain=True) as connection:
        create(connection, {name: dict.fromkeys(each) for name, each in TABLES.items()})
        with pytest.raises(shape.Misshapen) as caught:
            shape.checked(connection, sql, TABLES)
    said = refusal(written(tmp_path / "small", RULE | {"sql": sql}))
    assert said == f"small/many: sql {caught.value}"


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM read_csv('/etc/passwd')", "FROM '/etc/passwd'", "SELECT getenv('HOME')"]
)
def test_what_gets_past_the_shape_still_reaches_no_file_and_no_variable(sql: str) -> None:
    with opened(CHECKING) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET memory_limit = '9TB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/other.db'",
    ],
)
def test_a_shut_in_database_cannot_be_opened_from_within(sql: str) -> None:
    with opened(CHECKING) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql)


def test_a_shut_in_database_does_not_see_the_variables_of_the_program() -> None:
    import pyarrow as pa

    mine = pa.table({"x": [1]})
    with opened(CHECKING) as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT * FROM mine")
    assert mine.num_rows == 1


@pytest.mark.parametrize("words", ["is not valid SQL", "is not one SELECT statement"])
def test_the_shape_says_what_is_wrong(words: str) -> None:
    sql = "SELECT FROM WHERE" if "valid" in words else "DROP TABLE claims"
    with opened(CHECKING) as connection, pytest.raises(shape.Misshapen, match=words):
        shape.checked(connection, sql, {"claims"})


def rows(folder: Path, count: int) -> Path:
    lines = [f"C{n},A,100,2024-01-01 10:00:00" for n in range(count)]
    text = "\n".join(["claim,plate,amount,happened", *lines, ""])
    (folder / "claims.csv").write_text(text, encoding="utf-8")
    return folder


def crossed(times: int) -> str:
    tables = ", ".join(f"claims AS t{n}" for n in range(times))
    return (
        f"SELECT t0.plate, list(t0.claim) AS claims, sum(t0.amount) AS amount, count(*) AS number "
        f"FROM {tables} GROUP BY t0.plate HAVING count(*) >= $least AND count(DISTINCT t1.claim "
        f"|| t2.claim) > 0"
    )


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(0.3, "2GB", 1), "has not ended after 0.3 s"),
        (Bounds(60, "64MB", 1), "needs more than 64MB of memory"),
    ],
)
def test_an_endless_query_is_stopped_and_named(tmp_path: Path, bounds: Bounds, words: str) -> None:
    sql = crossed(3) if "memory" in words else crossed(9)
    pack = checked(written(tmp_path / "small", RULE | {"sql": sql}))
    tables = mapped([rows(tmp_path, 2000)])
    with pytest.raises(PackRefused, match="small/many: sql " + words):
        tried(pack, tables, {}, bounds)


def test_a_pack_has_one_digest_whatever_its_file_looks_like(tmp_path: Path) -> None:
    one = checked(written(tmp_path / "one"))
    turned = dict(reversed(RULE.items()))
    other = checked(written(tmp_path / "other", turned))
    assert one.digest == other.digest
    assert len(one.digest) == 64


@pytest.mark.parametrize("entry", [*RULE])
def test_a_digest_changes_with_every_entry_of_a_rule(tmp_path: Path, entry: str) -> None:
    before = load(written(tmp_path / "small"))
    value = getattr(before.rules[0], entry)
    changed: Any = {} if isinstance(value, dict) else value * 2
    after = before._replace(rules=(before.rules[0]._replace(**{entry: changed}),))
    assert after.digest != before.digest


def test_parameters_are_set_by_name_and_within_their_bounds(tmp_path: Path) -> None:
    pack = load(written(tmp_path / "small"))
    assert numbers_of(pack, ["many.least=3"]) == {"many": {"least": 3}}
    for wrong in ("many.least=10", "many.least=-1", "many.least=two", "many.least"):
        with pytest.raises(
            PackRefused, match=r"small/many: parameters\.least must be a whole numb"
        ):
            numbers_of(pack, [wrong])
    for unknown in ("few.least=3", "many.most=3", "least=3", ""):
        with pytest.raises(PackRefused, match="there is no parameter"):
            numbers_of(pack, [unknown])


def test_a_folder_that_is_no_pack_is_refused_with_the_packs_that_come_along(tmp_path: Path) -> None:
    with pytest.raises(PackRefused, match="accident, auto, flight_delay"):
        folder_of(str(tmp_path))
    (tmp_path / "pack.toml").write_text("", encoding="utf-8")
    with pytest.raises(PackRefused, match="a pack has 1 to 256 rules"):
        checked(folder_of(str(tmp_path)))
    (tmp_path / "many.toml").write_text("x = ", encoding="utf-8")
    with pytest.raises(PackRefused, match=r"pack\.toml lacks columns"):
        checked(folder_of(str(tmp_path)))
    written(tmp_path)
    (tmp_path / "many.toml").write_text("x = ", encoding="utf-8")
    with pytest.raises(PackRefused, match=r"many\.toml: is not TOML"):
        checked(folder_of(str(tmp_path)))


def test_a_file_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    folder = written(tmp_path / "small")
    with (folder / "many.toml").open("ab") as file:
        file.truncate(1 << 40)  # of which no block is on the disk
    assert refusal(folder) == f"small/many.toml: is longer than {LONGEST} bytes"


def test_ours_are_where_the_program_looks() -> None:
    assert sorted(path.name for path in OURS.iterdir()) == names()
