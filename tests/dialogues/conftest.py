"""Puts tests/, for the references, and this folder, for the wiretap, on the path."""

import sys
from pathlib import Path

import pytest

from psi.elements import WIDTH
from psi.subprotocols import bins

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]


@pytest.fixture
def small_bins(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bins of 32 points instead of 32,768: small sets then make several. Returns that number."""
    monkeypatch.setattr(bins, "MESSAGE", 32 * WIDTH)
    monkeypatch.setattr(bins, "BIN", 32)
    return 32
