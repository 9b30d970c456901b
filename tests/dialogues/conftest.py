"""Puts tests/, for the references, and this folder, for the wiretap, on the path."""

import sys
from pathlib import Path

import pytest

from psi.protocols import dh

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]


@pytest.fixture
def small_bins(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bins of 32 points instead of 32,768: small sets then make several. Returns that number."""
    monkeypatch.setattr(dh, "MESSAGE", 32 * dh.WIDTH)
    monkeypatch.setattr(dh, "BIN", 32)
    return 32
