"""The site builds, links lead somewhere, and no document names what belongs to one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from documents import DOCUMENTS, PAGES, ROOT, anchors, links, prose, read, rows

SITE_SECONDS = 120


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SITE_SECONDS)
    assert built.returncode == 0, built.stderr
    assert {f"{page.stem}.html" for page in PAGES} <= {page.name for page in tmp_path.iterdir()}


def test_the_site_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=SITE_SECONDS)
    loaded = re.compile(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?//')
    pages = list(tmp_path.rglob("*.html"))
    assert pages
    assert [page.name for page in pages if loaded.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_relative_link_and_anchor_leads_somewhere(document: Path) -> None:
    for link in links(document):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_file(), link
        assert ROOT in target.parents, link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_document_names_a_registry_or_a_place_on_one_machine(document: Path) -> None:
    hosts = r"pypi\.org|pythonhosted\.org|crates\.io|proxy\.golang\.org|npmjs\.|docker\.io|ghcr\.io"
    places = r"(?<![\w.])/(?:work|home|root|tmp|Users|mnt|workspace)/"
    found = re.findall(f"{hosts}|{places}", read(document))
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9]+)", prose(document))) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_file_of_the_project_that_is_named_exists(document: Path) -> None:
    folders = "docs|examples|parties|proto|psi|rust|tests"
    named = re.findall(rf"`((?:{folders})/[\w./-]*\w/?)`", prose(document))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    crate = tomllib.loads(read("rust/Cargo.toml"))
    optional = [each for of in project["optional-dependencies"].values() for each in of]
    python = [*project["dependencies"], *optional]
    needed = {re.split(r"[<>=!~ \[]", each)[0] for each in python}
    needed |= set(crate["dependencies"])
    justified = {
        name
        for row in rows("docs/architecture.md")
        if row.heading == "Dependencies"
        for name in row.names(0)
    }
    assert justified == needed


def test_every_import_contract_is_explained() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    explained = {
        row.cells[0]
        for row in rows("docs/architecture.md")
        if row.heading == "Layers and contracts"
    }
    assert len(contracts) == len(explained)
    for contract in contracts:
        begins = contract["name"].split(":")[0].lower()
        assert any(each.lower().startswith(begins) for each in explained), contract["name"]


def test_the_newest_release_has_its_section() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", read("CHANGELOG.md"), re.MULTILINE)
    assert version.rpartition(".")[0] + ".x" in read("SECURITY.md")
    assert f"Version {version}" in read("README.md")


def test_the_program_never_calls_a_hit_more_than_a_lead() -> None:
    banned = re.compile("fraud|swindl|culprit|offender|欺诈|诈骗|骗保", re.IGNORECASE)
    assert read("parties/judgements.txt").split() == banned.pattern.split("|")
    said = []
    for path in sorted((ROOT / "parties").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said += [f"{name_of(path)}:{node.lineno}"] * bool(banned.search(node.value))
    assert said == []
    for document in DOCUMENTS:
        assert not banned.search(document.read_text(encoding="utf-8")), name_of(document)
