"""After the demo, nothing that it leaves shows an identifier, an element or a key.

Identifiers may stand in two places only, both of which belong to the party that reads them: its own
source file, and the joined rows that it has learnt. (The planted truth of the demo is a third one,
which no party has.) Everything else is scanned, byte by byte: logs, the metrics pages, what the
programs print, reports of rejected cells, settings, and the name of every file.
"""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from pair import GREENLANE, ROLES, Pair, _free_ports
from twin import Twin, make_twin

from parties.identifiers import domain
from parties.settings_file import load
from psi import _core

ROWS = 1_000
SHORTEST = 6
"""Characters of the shortest text that is looked for: a shorter one, which only dirt makes, stands
in any file by chance. So does one character many times over, such as the phone of eleven noughts
that clerks write; a metrics page ends its numbers so."""


class Shown(Pair):
    """The demo's two nodes, each with a metrics page."""

    pages: tuple[int, ...] = ()

    def _settings(self, role: str, port: int, other: str, other_port: int) -> str:
        if not self.pages:
            self.pages = tuple(_free_ports(len(ROLES)))
        page = self.pages[ROLES.index(role)]
        text = super()._settings(role, port, other, other_port)
        return text.replace("[node]\n", f'[node]\nmetrics = "127.0.0.1:{page}"\n', 1)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, dict[str, bytes]]:
    """Runs the demo's jobs and two that fail; returns all that may show nothing, by its place."""
    folder = tmp_path_factory.mktemp("demo")
    twin = make_twin(folder, ROWS, ROWS, 11, "csv", overlap=0.1)
    left: dict[str, bytes] = {}
    with Shown(folder, twin) as nodes:
        for number, (asker, *command) in enumerate(
            [
                ("insurer", "count"),
                ("insurer", "match"),
                ("police", "match", "--learns", "both"),
                ("insurer", "match", "--set", "ship"),
                ("insurer", "match", "--out", str(folder / "nowhere/x")),
            ]
        ):
            (other,) = {*ROLES} - {asker}
            where = ("--settings", str(nodes.settings(asker)), "--peer", other)
            for options in ((), ("--json",)):
                done = subprocess.run(
                    [*GREENLANE, command[0], *where, *command[1:], *options],
                    capture_output=True,
                    timeout=60,
                    check=False,
                )
                assert (done.returncode == 0) == (number < 3)
                left[f"stdout of {asker} {command} {options}"] = done.stdout
                left[f"stderr of {asker} {command} {options}"] = done.stderr
                if number != 0:
                    break
        for role, page in zip(ROLES, nodes.pages, strict=True):
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics", timeout=5) as response:
                left[f"metrics of {role}"] = response.read()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        left[f"the name of {name}"] = name.encode()
        if path.is_file() and not may_show(path, twin):
            left[name] = path.read_bytes()
    return nodes, left


def may_show(path: Path, twin: Twin) -> bool:
    truth = (twin.truth_file, twin.truth_list, twin.rings)
    return path in (twin.claims, twin.records, *truth) or path.name.startswith("joined.")


@pytest.fixture(scope="module")
def identifiers(left: tuple[Shown, Any]) -> tuple[set[str], set[bytes]]:
    """All identifiers of both files, as they stand there and normalised; and their elements."""
    nodes, _ = left
    texts, elements = set[str](), set[bytes]()
    for role in ROLES:
        settings = load(nodes.settings(role))
        rows = pa.csv.read_csv(
            settings.source.paths[0],
            convert_options=pa.csv.ConvertOptions(
                column_types={
                    column: pa.large_string()
                    for spec in settings.identifiers
                    for (column,) in spec.columns
                },
                strings_can_be_null=True,
            ),
        )
        for spec in settings.identifiers:
            for (column,) in spec.columns:
                cells = rows[column].combine_chunks()
                values, _, _ = _core.normalise(spec.kind, cells)
                kept = pa.array(values).drop_null()
                texts |= {*cells.to_pylist(), *kept.to_pylist()} - {None}
                block = _core.hash_elements(kept, domain(spec))
                elements |= {block[32 * at : 32 * (at + 1)] for at in range(len(kept))}
    return {text for text in texts if len(text.strip()) >= SHORTEST and len({*text}) > 1}, elements


def found_in(left: dict[str, bytes], needles: set[bytes]) -> list[str]:
    """The places that show a needle: each place is cut into all pieces as long as a needle."""
    lengths = {len(needle) for needle in needles}
    places = []
    for place, content in left.items():
        for length in lengths:
            pieces = {content[at : at + length] for at in range(len(content) - length + 1)}
            if not pieces.isdisjoint(needles):
                places.append(place)
                break
    return places


def test_what_is_looked_for_is_there_and_would_be_found(
    left: tuple[Shown, dict[str, bytes]], identifiers: tuple[set[str], set[bytes]]
) -> None:
    nodes, scanned = left
    texts, elements = identifiers
    assert len(texts) > 3 * ROWS
    assert len(elements) > 3 * ROWS
    names = {Path(place).name for place in scanned}
    assert {"greenlane.log", "stderr.log", "rejects.csv", "greenlane.toml", "node.key"} <= names
    assert "calibration.json" in names
    assert b"greenlane_jobs_total" in scanned["metrics of police"]
    assert b'"job_done"' in scanned["insurer/greenlane.log"]
    # The source files and the joined rows, which may show them, do: so the scan can see.
    joined = next(nodes.folder.rglob("joined.parquet"))
    (text,) = pq.read_table(joined).slice(0, 1).to_pylist()
    assert text[text["greenlane_column"]] in texts
    claims = {"claims": nodes.twin.claims.read_bytes()}
    assert found_in(claims, {text.encode() for text in texts}) == ["claims"]


def test_no_identifier_is_shown(
    left: tuple[Shown, dict[str, bytes]], identifiers: tuple[set[str], set[bytes]]
) -> None:
    texts = {text.encode() for text in identifiers[0]}
    escaped = {json.dumps(text)[1:-1].encode() for text in identifiers[0]}
    assert found_in(left[1], texts | escaped) == []


def test_no_element_is_shown(
    left: tuple[Shown, dict[str, bytes]], identifiers: tuple[set[str], set[bytes]]
) -> None:
    elements = identifiers[1]
    forms = {
        *elements,
        *(element.hex().encode() for element in elements),
        *(element.hex().upper().encode() for element in elements),
        # The last characters of base64 depend on what follows.
        *(base64.b64encode(element)[:42] for element in elements),
        *(base64.urlsafe_b64encode(element)[:42] for element in elements),
    }
    assert found_in(left[1], forms) == []


def test_no_private_key_is_shown_outside_of_its_file(left: tuple[Shown, dict[str, bytes]]) -> None:
    nodes, scanned = left
    needles = set[bytes]()
    keys = [*nodes.folder.rglob("*.key")]
    assert sorted(path.name for path in keys) == sorted(
        2 * ["authority.key", "node.key", "commitments.key"]
    )
    for path in keys:
        assert path.stat().st_mode & 0o077 == 0
        raw = path.read_bytes()
        if path.name != "commitments.key":
            key = load_pem_private_key(raw, password=None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            # The third line is of the public key alone, which certificates may show as it is there.
            *private, public = (line for line in raw.splitlines() if b"-----" not in line)
            assert (
                key.public_key()
                .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
                .endswith(base64.b64decode(public))
            )
            needles |= {*private}
            raw = key.private_numbers().private_value.to_bytes(32, "big")
        secret = int.from_bytes(raw, "big")
        needles |= {raw, raw.hex().encode(), base64.b64encode(raw)[:42], str(secret).encode()}
    own = {place for place in scanned if place.endswith(".key") and "name of" not in place}
    assert len(own) == len(keys)
    assert found_in({place: scanned[place] for place in scanned.keys() - own}, needles) == []
