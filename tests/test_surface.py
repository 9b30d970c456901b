"""The surface of the toolkit: what it shows, what its stub says of the core, who imports whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import psi
from psi import _core, errors
from psi.protocols import PROTOCOLS

ROOT = Path(__file__).parents[1]


def test_the_toolkit_shows_exactly_these_names():
    assert psi.__all__ == [
        "PROTOCOLS",
        "ApiMisuse",
        "Dialogue",
        "Elements",
        "Labels",
        "Matches",
        "Meter",
        "Output",
        "Parameters",
        "PeerError",
        "PsiError",
        "Result",
        "Side",
        "converse",
    ]
    assert all(getattr(psi, name) is not None for name in psi.__all__)


def test_every_protocol_has_a_receiver_and_a_sender():
    assert list(PROTOCOLS) == ["dh", "vole", "vole-malicious", "vole-stationary"]
    for name, protocol in PROTOCOLS.items():
        roles = (protocol.receiver, protocol.sender)
        assert [role.__name__ for role in roles] == ["Receiver", "Sender"]
        assert {role.__module__ for role in roles} == {f"psi.protocols.{name.replace('-', '_')}"}


def test_errors_form_the_tree_that_their_module_draws():
    def tree(root: type[Exception]) -> dict:
        children = (child for child in root.__subclasses__() if child.__module__ == errors.__name__)
        return {child.__name__: tree(child) for child in children}

    assert tree(errors.PsiError) == {
        "ApiMisuse": {},
        "PeerError": {
            "MalformedMessage": {},
            "UnexpectedMessage": {},
            "PeerIncompatible": {},
            "BoundExceeded": {},
            "PeerMisbehaved": {
                "CheckFailed": {},
                "ProofFailed": {},
                "TranscriptMismatch": {},
                "DecoyMismatch": {},
            },
        },
    }


def test_the_stub_agrees_with_the_core():
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "psi._core",
            "--mypy-config-file",
            "pyproject.toml",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_secrets_of_the_core_cannot_be_made_by_hand():
    for secret in (_core.Entropy, _core.Key, _core.Shuffle):
        with pytest.raises(TypeError):
            secret()


def test_imports_keep_their_contracts(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the linter adds to it
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0
