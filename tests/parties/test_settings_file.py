"""The settings file: every entry is read; what is wrong with one is a sentence with its name."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parties.errors import SettingsError
from parties.settings import IdentifierSettings, OperatorSettings, PeerSettings, TokenSettings
from parties.settings_file import MOST_ELEMENTS, load

FULL: dict[str, Any] = {
    "node": {
        "name": "acme-insurer",
        "role": "insurer",
        "listen": "[::1]:7443",
        "certificate": "tls/node.pem",
        "key": "/etc/greenlane/node.key",
        "results": "results",
        "metrics": "127.0.0.1:9464",
        "log": "greenlane.log",
        "threads": 2,
        "patience": 60,
        "pad_sizes": False,
    },
    "source": {
        "format": "csv",
        "paths": ["a.csv", "b.csv"],
        "encoding": "gb18030",
        "delimiter": "|",
    },
    "identifiers": {
        "person": {"kind": "resident_id", "columns": ["insured_id", "driver_id"]},
        "ride": {
            "kind": "composite",
            "parts": ["plate", "phone"],
            "columns": [["plate", "phone"], ["plate", "mobile"]],
        },
    },
    "peers": {
        "city-police": {
            "address": "police.example:7444",
            "san": "node.police.example",
            "fingerprint": "sha256:" + "0a" * 32,
            "may": ["count"],
            "may_receive": False,
            "disclose": ["claim_no"],
            "max_elements": 1000,
            "protocols": ["dh"],
            "link_mbps": 20,
            "operators": "tls/police-operators.pem",
        },
        "other": {"address": "127.0.0.1:1", "ca": "other.pem"},
    },
    "operators": {
        "authority": "tls/operators.pem",
        "required": True,
        "sealed": True,
        "sealed_to": ["tls/0004.pem"],
        "oidc": {
            "issuer": "https://id.example/realms/staff",
            "audience": "greenlane",
            "keys_url": "https://id.example:8443/realms/staff/certs",
            "ca": "tls/id.pem",
            "client": "greenlane-cli",
            "claim": ["realm_access", "roles"],
            "person": "staff_number",
            "roles": {"gl analysts": "analyst", "gl-machines": "administrator"},
        },
    },
    "tickets": {"folder": "signed"},
    "store": {"url": "sqlite:///state/greenlane.db"},
}


def toml(value: Any) -> str:
    """A value as TOML; tables inline, which are the same to a reader."""
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case datetime.date():
            return value.isoformat()
        case _:
            return json.dumps(value)


def written(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "greenlane.toml"
    path.write_text("\n".join(f"{k} = {toml(v)}" for k, v in document.items()), encoding="utf-8")
    return path


def test_every_entry_is_read_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, FULL))
    node, source = settings.node, settings.source
    assert (node.name, node.role, node.listen) == ("acme-insurer", "insurer", "[::1]:7443")
    assert node.certificate == tmp_path / "tls/node.pem"
    assert node.key == Path("/etc/greenlane/node.key")
    assert (node.results, node.log) == (tmp_path / "results", tmp_path / "greenlane.log")
    assert (node.metrics, node.threads) == ("127.0.0.1:9464", 2)
    assert (node.patience, node.pad_sizes) == (60.0, False)
    assert source.paths == (tmp_path / "a.csv", tmp_path / "b.csv")
    assert (source.format, source.encoding, source.delimiter) == ("csv", "gb18030", "|")
    assert settings.identifiers == (
        IdentifierSettings("person", "resident_id", (("insured_id",), ("driver_id",))),
        IdentifierSettings(
            "ride", "composite", (("plate", "phone"), ("plate", "mobile")), ("plate", "phone")
        ),
    )
    assert settings.peers == (
        PeerSettings(
            "city-police",
            "police.example:7444",
            "node.police.example",
            fingerprint="sha256:" + "0a" * 32,
            may=("count",),
            may_receive=False,
            disclose=("claim_no",),
            max_elements=1000,
            protocols=("dh",),
            link_mbps=20,
            operators=tmp_path / "tls/police-operators.pem",
        ),
        PeerSettings("other", "127.0.0.1:1", "other", ca=tmp_path / "other.pem"),
    )


def test_operators_and_tickets_are_where_the_file_says(tmp_path: Path) -> None:
    settings = load(written(tmp_path, FULL))
    assert settings.operators.authority == tmp_path / "tls/operators.pem"
    assert settings.tickets.folder == tmp_path / "signed"
    bare = {name: FULL[name] for name in ("node", "source", "identifiers")}
    settings = load(written(tmp_path, bare))
    assert settings.operators == OperatorSettings(None, required=False, oidc=None)
    assert settings.tickets.folder == tmp_path / "tickets"


def test_whose_tokens_are_believed_is_what_the_file_says(tmp_path: Path) -> None:
    operators = load(written(tmp_path, FULL)).operators
    assert (operators.required, operators.sealed) == (True, True)
    assert operators.sealed_to == (tmp_path / "tls/0004.pem",)
    assert operators.oidc == TokenSettings(
        issuer="https://id.example/realms/staff",
        audience="greenlane",
        roles=(("gl analysts", "analyst"), ("gl-machines", "administrator")),
        keys_url="https://id.example:8443/realms/staff/certs",
        ca=tmp_path / "tls/id.pem",
        client="greenlane-cli",
        claim=("realm_access", "roles"),
        person="staff_number",
    )
    short = copy.deepcopy(FULL)
    short["operators"]["oidc"] = {
        "issuer": "https://id.example",
        "audience": "greenlane",
        "keys": "keys.json",
        "roles": {"a": "auditor"},
    }
    assert load(written(tmp_path, short)).operators.oidc == TokenSettings(
        "https://id.example", "greenlane", (("a", "auditor"),), keys=tmp_path / "keys.json"
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "http://id.example"}, r"\[operators.oidc\] issuer: does not have the form"),
        ({"issuer": "https://me:secret@id.example"}, "issuer: does not have the form"),
        ({"keys_url": "http://id.example/keys"}, "keys_url: does not have the form"),
        ({"keys": "keys.json"}, "keys: name the issuer's keys by exactly one of"),
        ({"keys_url": None}, "keys: name the issuer's keys by exactly one of"),
        ({"keys_url": None, "keys": "keys.json"}, "ca: is for keys_url, which is not there"),
        ({"roles": {}}, "roles: must say what each name is, one of investigator"),
        ({"roles": {"a": "king"}}, "roles: must say what each name is, one of investigator"),
        ({"roles": None}, "lacks roles"),
        ({"claim": []}, "claim: names no claim"),
        ({"audiance": "x"}, "audiance: no such entry; did you mean audience?"),
    ],
)
def test_an_entry_about_tokens_that_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    document = copy.deepcopy(FULL)
    oidc = document["operators"]["oidc"] | changes
    document["operators"]["oidc"] = {k: v for k, v in oidc.items() if v is not None}
    with pytest.raises(SettingsError, match=why):
        load(written(tmp_path, document))


def test_entries_about_people_that_would_do_nothing_are_errors(tmp_path: Path) -> None:
    document = FULL | {"operators": {"required": True}}
    with pytest.raises(SettingsError, match="nobody could show who they are"):
        load(written(tmp_path, document))
    document = FULL | {"operators": {"sealed_to": ["a.pem"]}}
    with pytest.raises(SettingsError, match="sealed_to: seals nothing while sealed is false"):
        load(written(tmp_path, document))


def test_two_protocols_may_be_run_with_a_peer_unless_its_table_says_otherwise(
    tmp_path: Path,
) -> None:
    other = load(written(tmp_path, FULL)).peer("other")
    assert other.protocols == PeerSettings("x", "127.0.0.1:1", "x").protocols == ("dh", "vole")


def test_peers_and_sets_are_found_by_name(tmp_path: Path) -> None:
    settings = load(written(tmp_path, FULL))
    assert settings.peer("other").address == "127.0.0.1:1"
    assert [each.name for each in settings.sets(())] == ["person", "ride"]
    assert [each.name for each in settings.sets(("ride",))] == ["ride"]
    with pytest.raises(SettingsError, match=r"no peer \[peers.x\]; there is: city-police, other"):
        settings.peer("x")
    with pytest.raises(SettingsError, match=r"no \[identifiers.x\]; there is: person, ride"):
        settings.sets(("person", "x"))


def stored(folder: Path, **entries: Any) -> str:
    return load(written(folder, FULL | {"store": entries})).store.url


def test_the_store_is_a_file_beside_the_settings_or_where_they_say(tmp_path: Path) -> None:
    assert load(written(tmp_path, FULL)).store.url == f"sqlite:///{tmp_path}/state/greenlane.db"
    assert stored(tmp_path) == f"sqlite:///{tmp_path}/state.db"
    assert stored(tmp_path, url="sqlite:///kept/x.db") == f"sqlite:///{tmp_path}/kept/x.db"
    assert stored(tmp_path, url="sqlite:////var/lib/x.db") == "sqlite:////var/lib/x.db"
    remote = "postgresql+psycopg://greenlane@db.example:5432/greenlane?sslmode=verify-full"
    assert stored(tmp_path, url=remote) == remote


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql+psycopg://me:hidden@db/name", "must hold no password; GREENLANE_STORE_PASS"),
        ("postgresql+psycopg://me@db/name?password=hidden", "must hold no password"),
        ("postgresql+psycopg://me@db/name?sslpassword=hidden", "must hold no password"),
        ("postgresql+psycopg://me:hidden@[::1/name", "is no URL"),
        ("postgresql://me:hidden@db/name", "does not have the form"),
        ("postgresql+psycopg://me:hidden@db", "does not have the form"),
        ("sqlite:///", "does not have the form"),
        ("mysql://me:hidden@db/name", "does not have the form"),
    ],
)
def test_a_password_in_the_url_of_a_store_is_refused_and_no_url_is_shown(
    tmp_path: Path, url: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=r"\[store\] url: ") as wrong:
        stored(tmp_path, url=url)
    assert why in str(wrong.value)
    assert "hidden" not in str(wrong.value)


def test_an_entry_that_was_says_what_is_in_its_place(tmp_path: Path) -> None:
    document = FULL | {"tables": {"counts": "counts.db"}}
    with pytest.raises(SettingsError, match=r"\[tables\] counts: no such entry; .*\[store\] url"):
        load(written(tmp_path, document))


def entries(document: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in document.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from entries(value, (*path, key))


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(FULL)
    table = document
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return document


STRANGE: list[Any] = [
    0,
    -1,
    7.5,
    1 << 62,
    True,
    "",
    "x\n",
    "浙A12345",
    "a" * 300,
    [],
    [1],
    [[]],
    [["a", 1]],
    [{}],
    {},
    {"a": {"b": 1}},
    datetime.date(2024, 1, 1),
]


@pytest.mark.parametrize("path", list(entries(FULL)), ids=".".join)
def test_a_strange_value_is_an_error_that_names_its_table_or_is_fine(
    tmp_path: Path, path: tuple[str, ...]
) -> None:
    """Nothing else: no other exception, whatever stands there."""
    sentences = list[tuple[Path, str]]()
    for value in STRANGE:
        file = written(tmp_path, changed(path, value))
        try:
            load(file)
        except SettingsError as error:
            sentences.append((file, str(error)))
    assert len(sentences) > len(STRANGE) // 2
    for file, sentence in sentences:
        assert sentence.startswith(f"{file}: ")
        assert path[-1] in sentence or path[0] in sentence
        assert "\n" not in sentence


@pytest.mark.parametrize(
    "table", [("node",), ("source",), ("peers", "other"), ("identifiers", "person"), ()]
)
def test_an_entry_that_nobody_knows_is_refused_everywhere(
    tmp_path: Path, table: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError, match="max_elments: no such entry"):
        load(written(tmp_path, changed((*table, "max_elments"), 5)))


WRONG: list[tuple[tuple[str, ...], Any, str]] = [
    (("node", "name"), "Acme Insurer", "node.* name: does not have the form"),
    (("node", "listen"), "127.0.0.1:65536", "a port is a number from 0 to 65535"),
    (("node", "listen"), "127.0.0.1", "listen: does not have the form"),
    (("node", "threads"), 1025, "from 0 to 1024"),
    (("node", "patience"), 0, "from 1 to 86400"),
    (("source", "paths"), [], "paths: names no file"),
    (("source", "delimiter"), "||", "delimiter: must be one character"),
    (("source", "table"), "claims", "DuckDB needs either table or query"),
    (("source", "format"), "duckdb", "DuckDB needs either table or query"),
    (("source", "format"), "xlsx", "format: must be one of csv, parquet, duckdb"),
    (("identifiers", "person", "kind"), "composite", "parts: a composite has two parts or more"),
    (("identifiers", "person", "parts"), ["plate", "phone"], "any other kind none"),
    (("identifiers", "person", "columns"), [], "columns: names no column"),
    (("identifiers", "person", "columns"), [["a", "b"]], r"each entry needs 1 column\(s\)"),
    (("identifiers", "ride", "columns"), ["plate"], r"each entry needs 2 column\(s\)"),
    (("identifiers", "ride", "parts"), ["plate", "ship"], "no such kind 'ship'; there is: "),
    (("identifiers", "Person"), {}, "a name of small letters"),
    (("identifiers",), {}, r"no \[identifiers.NAME\]"),
    (("peers", "other", "fingerprint"), "sha256:" + "0a" * 32, "pin the peer by exactly one"),
    (("peers", "other", "may"), ["screen"], "may: may hold count, list, match"),
    (("peers", "other", "disclose"), ["a", "a"], "disclose: names a column twice"),
    (("peers", "other", "max_elements"), MOST_ELEMENTS + 1, "max_elements: must be a whole number"),
    (
        ("peers", "other", "protocols"),
        ["rot13"],
        "protocols: may hold dh, vole, vole-malicious, vole-stationary",
    ),
    (("peers", "other", "link_mbps"), 0, "link_mbps: must be a whole number from 1 to 1000000"),
]


@pytest.mark.parametrize(("path", "value", "pattern"), WRONG)
def test_a_wrong_entry_is_explained(
    tmp_path: Path, path: tuple[str, ...], value: Any, pattern: str
) -> None:
    with pytest.raises(SettingsError, match=pattern):
        load(written(tmp_path, changed(path, value)))


@pytest.mark.parametrize("entry", ["name", "role", "listen", "certificate", "key", "results"])
def test_a_missing_entry_is_named(tmp_path: Path, entry: str) -> None:
    document = copy.deepcopy(FULL)
    del document["node"][entry]
    with pytest.raises(SettingsError, match=rf"\[node\] lacks {entry}"):
        load(written(tmp_path, document))
